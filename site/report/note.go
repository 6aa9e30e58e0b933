package report

import (
	"embed"
	"strings"

	"github.com/ictmedia/schoolmail/internal/page"
)

//go:embed texts/*.json *.html.tmpl
var files embed.FS

// book has the pages of this package, and their texts.
var book = page.New(files)

// Note is a sentence that is known in all languages of the pages, by its key, or one
// that is told as it is.
type Note struct {
	Key  string   `json:"key,omitempty"`
	Args []string `json:"args,omitempty"` // filled into the sentence
	Text string   `json:"text"`           // in English
}

// NewNote returns the sentence with a key.
func NewNote(key string, args ...string) Note {
	n := Note{Key: key, Args: args}
	n.Text = n.in(book.In(page.English))
	return n
}

// in returns the sentence in a language.
func (n Note) in(t page.Texts) string {
	if !t.Has(n.Key) {
		return n.Text
	}
	args := make([]any, len(n.Args))
	for i, a := range n.Args {
		if args[i] = t.Day(a); t.Has(a) { // a word that is one of the texts itself
			args[i] = t.Say(a)
		}
	}
	return t.Say(n.Key, args...)
}

// sentences are notes in a language, one after the other, each once.
func sentences(t page.Texts, notes []Note, between string) string {
	var list []string
	seen := map[string]bool{}
	for _, n := range notes {
		if n.Key == "" && t.Language != page.English {
			continue // it is told in English only
		}
		if s := n.in(t); s != "" && !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	return strings.Join(list, between)
}
