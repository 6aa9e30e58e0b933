package addressbook

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Desired is what [Build] makes of rules and people: the books of each context.
type Desired struct {
	Contexts []ContextBooks // sorted by context
	Findings []Finding      // what could not be done as the rules say
}

// ContextBooks are the books one context shall have.
type ContextBooks struct {
	Context schoolmail.ContextID
	Books   []Book  // sorted by Key
	Logins  []Login // everybody with an account in the context, sorted by user name
}

// Login is a person with an account in the context, by which their user in
// Open-Xchange is found.
type Login struct {
	Username string
	Mail     string
}

// Book is an address book as it shall be.
type Book struct {
	Key     string // stable: rule, school and class
	Rule    string // name of its rule
	School  schoolmail.SchoolID
	Class   string
	Path    []string // titles below the public folders, its own last
	Above   []string // stable names of the containers in Path
	Entries []Entry  // people, sorted by Key, then the list if there is one
	Readers []Audience
}

// Title is the book's own folder title.
func (b Book) Title() string { return b.Path[len(b.Path)-1] }

// People is the number of people in the book; the list does not count.
func (b Book) People() int {
	n := len(b.Entries)
	if n > 0 && b.Entries[n-1].IsList() {
		n--
	}
	return n
}

// Audience is a set of readers within a context.
type Audience struct {
	Groups    []string // names of groups that may stand for them
	Users     []string // user names, sorted
	Ungrouped Ungrouped
}

// Entry is one contact of a book.
type Entry struct {
	Key         string // stable over renames and moves; starts with the rules' owner
	DisplayName string
	GivenName   string
	FamilyName  string
	Mail        string
	Phone       string
	School      string
	Class       string
	Members     []Member // of a distribution list, sorted by mail; nil: a person
	Mark        string   // "gone 2026-11-23" in the head entry of a book that is to go
}

// IsList reports whether the entry is a distribution list.
func (e Entry) IsList() bool { return len(e.Members) > 0 }

// Member is a member of a distribution list.
type Member struct {
	Name string
	Mail string
}

// Equal reports whether both entries show the same.
func (e Entry) Equal(o Entry) bool {
	return e.Key == o.Key && e.DisplayName == o.DisplayName && e.GivenName == o.GivenName &&
		e.FamilyName == o.FamilyName && e.Mail == o.Mail && e.Phone == o.Phone &&
		e.School == o.School && e.Class == o.Class && e.Mark == o.Mark && slices.Equal(e.Members, o.Members)
}

func compareEntries(a, b Entry) int {
	if a.IsList() != b.IsList() {
		if a.IsList() {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Key, b.Key)
}

func sortMembers(m []Member) {
	slices.SortFunc(m, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Mail, b.Mail), cmp.Compare(a.Name, b.Name))
	})
}

// Finding is something an operator should know. It names no people.
type Finding struct {
	Context schoolmail.ContextID // 0: all
	Book    string               // key or path of the book; empty: in general
	Text    string
}

// String returns "context 7: book class/ps-au/3b: text".
func (f Finding) String() string {
	var parts []string
	if f.Context != 0 {
		parts = append(parts, "context "+itoa(int(f.Context)))
	}
	if f.Book != "" {
		parts = append(parts, "book "+f.Book)
	}
	return strings.Join(append(parts, f.Text), ": ")
}

func compareFindings(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Context, b.Context), cmp.Compare(a.Book, b.Book), cmp.Compare(a.Text, b.Text))
}
