package addressbook

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Plan is what is to do in one context. It is plain data.
type Plan struct {
	Context  schoolmail.ContextID
	Folders  []FolderPlan // in the order of work: containers, books, then what goes
	Findings []Finding

	// Held says that something is not done because too much would vanish at
	// once; a finding says what.
	Held bool
}

// FolderPlan is what is to do with one folder.
type FolderPlan struct {
	Path []string // titles, for people and for telling the parent of a new folder
	Book string   // key of the book; empty for containers and for folders that go
	ID   string   // empty: the folder is to be created

	Parent string // id of the parent for a new or moved folder; empty: the folder of Path's parent, made by this plan
	Move   bool   // the folder is somewhere else
	Title  string // title to set; empty: leave
	Swap   bool   // another folder gets the present title: give it up before titles are set

	Permissions []Permission // to set as a whole; nil: leave
	Add         []Entry
	Change      []EntryChange
	Remove      []Stored

	Hide   bool // the book is gone: nobody may read it from now on
	Delete bool // its grace is over
}

// EntryChange is a change of one entry.
type EntryChange struct {
	Stored       // as it is
	After  Entry // as it shall be
}

// passingTitle is a title that no other folder has.
func passingTitle(title, id string) string { return title + " ~" + id }

// Create reports whether the folder is to be created.
func (f FolderPlan) Create() bool { return f.ID == "" }

// Empty reports whether there is nothing to do.
func (f FolderPlan) Empty() bool {
	return !f.Create() && !f.Delete && !f.Move && f.Title == "" && f.Permissions == nil &&
		len(f.Add) == 0 && len(f.Change) == 0 && len(f.Remove) == 0
}

// Empty reports whether there is nothing to do. Findings do not count.
func (p Plan) Empty() bool { return len(p.Folders) == 0 }

// Counts are numbers of a plan or of what a sync did.
type Counts struct {
	FoldersCreated int
	FoldersChanged int // title, place or permissions
	FoldersHidden  int
	FoldersDeleted int
	EntriesAdded   int
	EntriesChanged int
	EntriesRemoved int
}

// Counts counts what the plan would do.
func (p Plan) Counts() Counts {
	var c Counts
	for _, f := range p.Folders {
		switch {
		case f.Delete:
			c.FoldersDeleted++
			continue
		case f.Create():
			c.FoldersCreated++
		case f.Hide:
			c.FoldersHidden++
		case f.Move || f.Title != "" || f.Permissions != nil:
			c.FoldersChanged++
		}
		c.EntriesAdded += len(f.Add)
		c.EntriesChanged += len(f.Change)
		c.EntriesRemoved += len(f.Remove)
	}
	return c
}

// Add returns the sums.
func (c Counts) Add(o Counts) Counts {
	c.FoldersCreated += o.FoldersCreated
	c.FoldersChanged += o.FoldersChanged
	c.FoldersHidden += o.FoldersHidden
	c.FoldersDeleted += o.FoldersDeleted
	c.EntriesAdded += o.EntriesAdded
	c.EntriesChanged += o.EntriesChanged
	c.EntriesRemoved += o.EntriesRemoved
	return c
}

// Entries is the number of entries added, changed and removed.
func (c Counts) Entries() int { return c.EntriesAdded + c.EntriesChanged + c.EntriesRemoved }

// String returns "folders +1 ~2 hidden 0 -0, entries +3 ~4 -5".
func (c Counts) String() string {
	return fmt.Sprintf("folders +%d ~%d hidden %d -%d, entries +%d ~%d -%d",
		c.FoldersCreated, c.FoldersChanged, c.FoldersHidden, c.FoldersDeleted,
		c.EntriesAdded, c.EntriesChanged, c.EntriesRemoved)
}

// WriteText writes the plan for people, one line per folder, with the entries
// by name if names is set.
func (p Plan) WriteText(w io.Writer, names bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "context %d: %v\n", p.Context, p.Counts())
	for _, f := range p.Folders {
		fmt.Fprintf(&b, "  %-6s %s", f.verb(), strings.Join(f.Path, " / "))
		if f.Title != "" && !f.Create() {
			fmt.Fprintf(&b, " (new title)")
		}
		if f.Move {
			fmt.Fprintf(&b, " (moved)")
		}
		if f.Permissions != nil {
			fmt.Fprintf(&b, " [%s]", permissionText(f.Permissions, 8))
		}
		fmt.Fprintf(&b, " +%d ~%d -%d\n", len(f.Add), len(f.Change), len(f.Remove))
		if !names {
			continue
		}
		var lines []string
		for _, e := range f.Add {
			lines = append(lines, fmt.Sprintf("    + %s", e.text()))
		}
		for _, c := range f.Change {
			lines = append(lines, fmt.Sprintf("    ~ %s\n      %s", c.Entry.text(), c.After.text()))
		}
		for _, s := range f.Remove {
			lines = append(lines, fmt.Sprintf("    - %s", s.text()))
		}
		slices.Sort(lines)
		for _, l := range lines {
			b.WriteString(l + "\n")
		}
	}
	for _, f := range p.Findings {
		fmt.Fprintf(&b, "  ! %v\n", f)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (f FolderPlan) verb() string {
	switch {
	case f.Delete:
		return "delete"
	case f.Create():
		return "create"
	case f.Hide:
		return "hide"
	}
	return "change"
}

// text is one line with everything of the entry but its key.
func (e Entry) text() string {
	parts := []string{fmt.Sprintf("%q", e.DisplayName)}
	for _, s := range []string{e.Mail, e.Phone, e.School, e.Class, e.Mark} {
		if s != "" {
			parts = append(parts, fmt.Sprintf("%q", s))
		}
	}
	if e.IsList() {
		var mails []string
		for _, m := range e.Members {
			mails = append(mails, m.Mail)
		}
		parts = append(parts, "list of "+itoa(len(mails))+": "+strings.Join(mails, " "))
	}
	return strings.Join(parts, " ")
}

// permissionText names up to most permissions and counts the users of longer lists.
func permissionText(perms []Permission, most int) string {
	var parts []string
	users := map[Right]int{}
	for _, p := range perms {
		if len(perms) > most && !p.Group && p.Right != Owner {
			users[p.Right]++
			continue
		}
		who := "user "
		if p.Group {
			who = "group "
		}
		parts = append(parts, who+itoa(p.Entity)+" "+string(p.Right))
	}
	for _, r := range slices.Sorted(maps.Keys(users)) {
		parts = append(parts, itoa(users[r])+" users "+string(r))
	}
	return strings.Join(parts, ", ")
}
