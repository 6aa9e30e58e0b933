package addressbook

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
)

// Files gives each book a path of its own, relative, without extension and
// usable on all systems: "context-7/Schule Au/Klasse 3a".
func (d Desired) Files() iter.Seq2[string, Book] {
	return func(yield func(string, Book) bool) {
		taken := map[string]bool{}
		for _, c := range d.Contexts {
			for _, b := range c.Books {
				parts := []string{fmt.Sprintf("context-%d", c.Context)}
				for _, t := range b.Path {
					parts = append(parts, fileName(t))
				}
				name := strings.Join(parts, "/")
				path := name
				for n := 2; taken[strings.ToLower(path)]; n++ {
					path = name + " (" + itoa(n) + ")"
				}
				taken[strings.ToLower(path)] = true
				if !yield(path, b) {
					return
				}
			}
		}
	}
}

// fileName makes a file name of a title.
func fileName(title string) string {
	s := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || unicode.IsControl(r) {
			return '_'
		}
		return r
	}, title)
	s = strings.TrimRight(clip(s, 100), ". ")
	if s == "" || strings.HasPrefix(s, ".") {
		s = "_" + s
	}
	return s
}
