package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/ucs"
)

// batch is what has changed and was not acted upon yet.
type batch struct {
	everybody bool            // it is not known who
	people    map[string]bool // user names
	books     bool            // somebody is gone, or a class has changed
	position  ucs.Position    // behind the last of the changes
}

func (b *batch) add(ch ucs.Change) {
	b.position = ch.Position
	switch {
	case ch.Kind == ucs.EverythingChanged:
		b.everybody = true
	case ch.Username == "", ch.Kind == ucs.EntryRemoved:
		b.books = true
	default:
		if b.people == nil {
			b.people = map[string]bool{}
		}
		b.people[ch.Username] = true
	}
}

func (b *batch) empty() bool { return !b.everybody && !b.books && len(b.people) == 0 }

// asked reports whether somebody is among those who have changed.
func (b *batch) asked(username string) bool { return b.everybody || b.people[username] }

// describe says in words how much has changed, without anybody's name.
func (b *batch) describe() string {
	switch n := len(b.people); {
	case b.everybody:
		return "everybody is looked at"
	case n == 1:
		return "1 person has changed"
	case n > 1:
		return fmt.Sprintf("%d people have changed", n)
	}
	return "classes have changed"
}

// saved is where to go on after a restart, and who is still to be completed.
type saved struct {
	Position  ucs.Position `json:"position"`
	Everybody bool         `json:"everybody,omitempty"`
	People    []string     `json:"people,omitempty"`
	Books     bool         `json:"books,omitempty"`
}

// load reads what an earlier process has left. Without it nobody knows what has
// happened, which is what a position of nowhere says.
func load(file string) (batch, error) {
	b := batch{position: "nowhere"}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return b, fmt.Errorf("%s cannot be read; without it everybody is looked at once: %w", file, err)
	}
	if s.Position != "" {
		b.position = s.Position
	}
	b.everybody, b.books, b.people = s.Everybody, s.Books, map[string]bool{}
	for _, p := range s.People {
		b.people[p] = true
	}
	return b, nil
}

// save keeps how far everything has been acted upon, and what is left.
func (b *batch) save(file string) error {
	data, err := json.Marshal(saved{Position: b.position, Everybody: b.everybody,
		People: slices.Sorted(maps.Keys(b.people)), Books: b.books})
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(file, atomicfile.Private, append(data, '\n'))
}
