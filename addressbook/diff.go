package addressbook

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Diff compares what a context has with the books it shall have. It relies on
// nothing but the two: which folders and entries are ours is told by who made
// the folder and by the keys in the entries, since when a book is gone by a
// mark in its head entry. today is the day from which a grace counts.
//
// Foreign folders and entries are never part of the plan.
func Diff(rules Rules, have Snapshot, want ContextBooks, today schoolmail.Date) Plan {
	d := &differ{
		rules: rules, have: have, today: today,
		resolver: newResolver(have, want),
		byID:     map[string]*found{},
		children: map[string][]*found{},
		plan:     Plan{Context: have.Context},
	}
	d.findFolders()
	d.desire(want)
	if d.otherSalt() {
		return d.plan
	}
	d.match()
	d.guard()
	for _, n := range d.nodes {
		d.folder(n)
	}
	d.leftovers()
	d.summary()
	return d.plan
}

// found is a folder of the context with what was found out about it.
type found struct {
	*Folder
	ours    bool
	head    *Stored // entry that says what the folder is
	kind    string  // kind of the head's key
	blank   bool    // made by our account, empty: ours if it stands where a book is to be
	foreign int     // entries that are not ours
	node    *node   // what it shall be; nil: nothing
	deleted bool    // by this plan
}

// node is a folder as it shall be.
type node struct {
	head    string // key of its head entry
	path    []string
	parent  *node // nil: directly below the public folders
	book    *Book // nil: a container
	entries []Entry
	perms   []Permission
	folder  *found          // nil: to be created
	blocked bool            // a foreign folder is in its place
	people  map[string]bool // keys of the book's entries, filled when needed
}

type differ struct {
	rules    Rules
	have     Snapshot
	today    schoolmail.Date
	resolver *resolver
	folders  []*found // by id
	byID     map[string]*found
	children map[string][]*found
	nodes    []*node // parents first
	refused  map[string]int
	wanted   map[[2]string]*node // by parent and folded title, filled when needed
	held     bool                // too much would go: nothing is taken away
	plan     Plan
}

func (d *differ) finding(book, text string) {
	d.plan.Findings = append(d.plan.Findings, Finding{Context: d.have.Context, Book: book, Text: text})
}

// findFolders looks at what is there.
func (d *differ) findFolders() {
	for i := range d.have.Folders {
		f := &found{Folder: &d.have.Folders[i]}
		d.folders = append(d.folders, f)
	}
	slices.SortFunc(d.folders, func(a, b *found) int { return compareIDs(a.ID, b.ID) })
	for _, f := range d.folders {
		d.byID[f.ID] = f
		d.children[f.Parent] = append(d.children[f.Parent], f)
		if f.CreatedBy != d.have.Self {
			continue
		}
		keyed := false
		for j := range f.Entries {
			e := &f.Entries[j]
			switch kind := d.rules.kindOf(e.Key); kind {
			case "":
				f.foreign++
			case bookKey, folderKey, orphanKey:
				keyed = true
				if f.head == nil || compareIDs(e.ID, f.head.ID) < 0 {
					f.head, f.kind = e, kind
				}
			default:
				keyed = true
			}
		}
		// An empty folder without a key is what a run left that ended before the head
		// was written, or somebody else's work with the service account. It is adopted
		// where a book is to be, and left alone elsewhere.
		f.ours, f.blank = keyed, !keyed && f.foreign == 0
	}
}

// desire draws the tree of folders that shall be.
func (d *differ) desire(want ContextBooks) {
	d.refused = map[string]int{}
	containers := map[string]*node{}
	var books []*node
	for i := range want.Books {
		book := &want.Books[i]
		var parent *node
		for n, name := range book.Above {
			path := book.Path[:n+1]
			at := strings.Join(path, "\x00")
			c := containers[at]
			if c == nil {
				c = &node{head: d.rules.entryKey(folderKey, name), path: path, parent: parent}
				c.entries = []Entry{{Key: c.head, DisplayName: path[n]}}
				containers[at] = c
			}
			parent = c
		}
		n := &node{head: d.rules.entryKey(bookKey, book.Key), path: book.Path, parent: parent, book: book}
		n.entries = book.Entries
		if len(n.entries) == 0 || !n.entries[len(n.entries)-1].IsList() {
			n.entries = append(slices.Clip(n.entries), Entry{Key: n.head, DisplayName: book.Title()})
		}
		var refused []string
		n.perms, refused = d.resolver.permissions(book.Readers)
		for _, g := range refused {
			d.refused[g]++
		}
		for c := parent; c != nil; c = c.parent {
			c.perms = append(c.perms, n.perms...)
		}
		books = append(books, n)
	}
	for _, c := range containers {
		c.perms = walkable(c.perms)
		d.nodes = append(d.nodes, c)
	}
	d.nodes = append(d.nodes, books...)
	slices.SortFunc(d.nodes, func(a, b *node) int {
		if (a.book == nil) != (b.book == nil) {
			if a.book == nil {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(len(a.path), len(b.path)), slices.Compare(a.path, b.path))
	})
}

// walkable lets whoever may read something below see the container.
func walkable(perms []Permission) []Permission {
	seen := map[Permission]bool{}
	for _, p := range perms {
		if p.Right == ReadOnly {
			p.Right = SeeOnly
		}
		seen[p] = true
	}
	out := slices.Collect(maps.Keys(seen))
	sortPermissions(out)
	return out
}

// match finds the folder of each node: containers first, then books.
func (d *differ) match() {
	byHead := map[string][]*found{}
	for _, f := range d.folders {
		if f.ours && f.head != nil {
			byHead[f.head.Key] = append(byHead[f.head.Key], f)
		}
	}
	sameHead := func(books bool, fits func(*node, *found) bool) {
		for _, n := range d.nodes {
			for _, f := range byHead[n.head] {
				if (n.book != nil) == books && n.folder == nil && f.node == nil && fits(n, f) {
					n.folder, f.node = f, n
				}
			}
		}
	}
	always := func(*node, *found) bool { return true }
	sameHead(false, always)
	for _, n := range d.nodes {
		if n.book == nil {
			d.matchPlace(n)
		}
	}
	sameHead(true, func(n *node, f *found) bool { return d.samePeople(n, f) > 0 || d.empty(f) })
	d.matchPeople()
	sameHead(true, always)
	for _, n := range d.nodes {
		if n.book != nil {
			d.matchPlace(n)
		}
	}
}

func (n *node) title() string { return n.path[len(n.path)-1] }

// parentID is the id of the folder the node belongs into, if it exists.
func (n *node) parentID() (string, bool) {
	if n.parent == nil {
		return PublicFolder, true
	}
	if n.parent.folder == nil {
		return "", false
	}
	return n.parent.folder.ID, true
}

// fold makes titles comparable as people read them. Open-Xchange 8.19 lets
// titles stand side by side that differ in case, other releases do not.
func fold(title string) string { return strings.ToLower(strings.TrimSpace(title)) }

// matchPlace finds a node's folder by place and title.
func (d *differ) matchPlace(n *node) {
	if n.folder != nil {
		return
	}
	if n.parent != nil && n.parent.blocked {
		n.blocked = true
		return
	}
	parent, ok := n.parentID()
	if !ok {
		return
	}
	if d.foreignAt(parent, n.title()) {
		n.blocked = true
		d.finding(strings.Join(n.path, "/"), "a folder of this name exists that is not ours; nothing is done here")
		return
	}
	for _, f := range d.children[parent] {
		if (f.ours || f.blank) && f.node == nil && fold(f.Title) == fold(n.title()) {
			n.folder, f.node, f.ours = f, n, true
			return
		}
	}
}

// foreignAt reports whether somebody else's folder has the title.
func (d *differ) foreignAt(parent, title string) bool {
	return slices.ContainsFunc(d.children[parent], func(f *found) bool {
		return !f.ours && !f.blank && fold(f.Title) == fold(title)
	})
}

// empty reports whether there are no people in the folder.
func (d *differ) empty(f *found) bool {
	return !slices.ContainsFunc(f.Entries, func(e Stored) bool { return d.rules.kindOf(e.Key) == personKey })
}

// samePeople is the number of people that a folder and a book have in common,
// or 0 if that is less than half of either.
func (d *differ) samePeople(n *node, f *found) int {
	if n.people == nil {
		n.people = map[string]bool{}
		for _, e := range n.book.Entries {
			n.people[e.Key] = true
		}
	}
	common, total := 0, 0
	for _, e := range f.Entries {
		if d.rules.kindOf(e.Key) == personKey {
			total++
			if n.people[e.Key] {
				common++
			}
		}
	}
	if 2*common < max(n.book.People(), total) {
		return 0
	}
	return common
}

// matchPeople finds books that go on under another name, because the people
// are the same: a class that got a new name or moved up, while another class
// now has the old name.
func (d *differ) matchPeople() {
	type pair struct {
		n      *node
		f      *found
		common int
	}
	var pairs []pair
	for _, n := range d.nodes {
		parent, ok := n.parentID()
		if n.book == nil || n.folder != nil || !ok || d.foreignAt(parent, n.title()) {
			continue
		}
		for _, f := range d.children[parent] {
			if !f.ours || f.node != nil || f.kind != bookKey {
				continue
			}
			if common := d.samePeople(n, f); common > 0 {
				pairs = append(pairs, pair{n, f, common})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.common, a.common) })
	for _, p := range pairs {
		if p.n.folder == nil && p.f.node == nil {
			p.n.folder, p.f.node = p.f, p.n
		}
	}
}

// folder plans one wanted folder.
func (d *differ) folder(n *node) {
	if n.blocked {
		return
	}
	p := FolderPlan{Path: n.path}
	if n.book != nil {
		p.Book = n.book.Key
	}
	parent, parentExists := n.parentID()
	if n.folder == nil {
		p.Parent, p.Title, p.Permissions, p.Add = parent, n.title(), n.perms, n.entries
		d.plan.Folders = append(d.plan.Folders, p)
		return
	}
	f := n.folder
	p.ID = f.ID
	moved, retitled := !parentExists || parent != f.Parent, strings.TrimSpace(f.Title) != n.title()
	switch {
	case (moved || retitled) && d.foreignAt(parent, n.title()):
		d.finding(strings.Join(n.path, "/"), "a folder of this name exists that is not ours; ours stays under its old name")
		moved, retitled = false, false
	case n.parent != nil && n.parent.blocked:
		moved, retitled = false, false // its container cannot be made
	}
	if moved && !d.held {
		p.Move, p.Parent = true, parent
	}
	if retitled && !d.held {
		p.Title, p.Swap = n.title(), d.titleWanted(f)
	}
	if !slices.Equal(f.Permissions, n.perms) && !d.held {
		p.Permissions = n.perms
	}
	d.entries(&p, f, n.entries)
	if d.held {
		p.Remove = nil
		p.Change = slices.DeleteFunc(p.Change, func(c EntryChange) bool { return c.After.IsList() })
	}
	d.growth(&p, n)
	if f.foreign > 0 {
		d.finding(strings.Join(n.path, "/"), itoa(f.foreign)+" entries are not ours and stay")
	}
	if !p.Empty() {
		d.plan.Folders = append(d.plan.Folders, p)
	}
}

// entries plans the entries of a folder. Of several with the same key the
// oldest stays. The head of a book with a new name is changed, not replaced,
// so that it stays the same contact for people.
func (d *differ) entries(p *FolderPlan, f *found, want []Entry) {
	byKey := map[string][]Stored{}
	for _, s := range f.Entries {
		if d.rules.kindOf(s.Key) != "" {
			byKey[s.Key] = append(byKey[s.Key], s)
		}
	}
	for _, e := range want {
		stored := byKey[e.Key]
		delete(byKey, e.Key)
		if len(stored) == 0 && f.head != nil && d.rules.kindOf(e.Key) != personKey && e.IsList() == f.head.IsList() {
			stored = byKey[f.head.Key]
			delete(byKey, f.head.Key)
		}
		if len(stored) == 0 {
			p.Add = append(p.Add, e)
			continue
		}
		slices.SortFunc(stored, func(a, b Stored) int { return compareIDs(a.ID, b.ID) })
		if stored[0].IsList() != e.IsList() { // cannot be changed into the other
			p.Add = append(p.Add, e)
			p.Remove = append(p.Remove, stored...)
			continue
		}
		if !stored[0].Equal(e) {
			p.Change = append(p.Change, EntryChange{Stored: stored[0], After: e})
		}
		p.Remove = append(p.Remove, stored[1:]...)
	}
	for _, stored := range byKey {
		p.Remove = append(p.Remove, stored...)
	}
	slices.SortFunc(p.Remove, func(a, b Stored) int { return compareIDs(a.ID, b.ID) })
}

func (d *differ) summary() {
	for _, g := range slices.Sorted(maps.Keys(d.refused)) {
		d.finding("", "group "+g+" has members who may not read; in "+itoa(d.refused[g])+" books the readers are entered "+
			"one by one")
	}
	if n := len(d.resolver.missing); n > 0 {
		d.finding("", itoa(n)+" people who may read have no user in the context")
	}
	slices.SortFunc(d.plan.Findings, compareFindings)
}
