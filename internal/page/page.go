// Package page makes the pages that people read: HTML in German, French and English,
// each one file without script, font or link to anything outside, that prints well.
//
// A package that has pages keeps its templates (*.html.tmpl) and, for each language, one
// file of texts (texts/de.json, ...) in a file system of its own, and loads them as a
// [Book]. Templates ask for a text by its key, as in {{say "steps.done"}}. That no key is
// missing in a language, and none unused, is for package pagetest to check.
package page

import (
	"bytes"
	"cmp"
	_ "embed" // for the style and what all pages have
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Languages are those in which there are pages.
func Languages() []string { return []string{"de", "fr", "en"} }

// English is the language of those who want none of the others.
const English = "en"

// Of returns a language in which there are pages: the one that is wanted, or English.
func Of(language string) string {
	if slices.Contains(Languages(), language) {
		return language
	}
	return English
}

// Book has texts and templates of a package's pages.
type Book struct {
	files     fs.FS
	once      sync.Once
	err       error
	texts     map[string]Texts
	templates map[string]*template.Template // by language
}

// New makes a book of files, which are read when they are needed.
func New(files fs.FS) *Book { return &Book{files: files} }

// Load reads the texts of all languages, and the templates, unless that was done.
func (b *Book) Load() error {
	b.once.Do(func() {
		if b.err = b.load(); b.err != nil {
			b.err = fmt.Errorf("page: %w", b.err)
		}
	})
	return b.err
}

func (b *Book) load() error {
	b.texts, b.templates = map[string]Texts{}, map[string]*template.Template{}
	names, err := fs.Glob(b.files, "*.html.tmpl")
	if err != nil {
		return err
	}
	for _, lang := range Languages() {
		file, err := fs.ReadFile(b.files, "texts/"+lang+".json")
		if err != nil {
			return err
		}
		t := Texts{Language: lang}
		if err := json.Unmarshal(file, &t.all); err != nil {
			return fmt.Errorf("texts in %s: %w", lang, err)
		}
		b.texts[lang] = t
		if len(names) == 0 {
			continue
		}
		pages, err := template.New("pages").Funcs(t.functions()).Parse(common)
		if err == nil {
			pages, err = pages.ParseFS(b.files, names...)
		}
		if err != nil {
			return err
		}
		b.templates[lang] = pages
	}
	return nil
}

// In returns the texts in a language; see [Of]. Those of a book that cannot be loaded
// are their keys.
func (b *Book) In(language string) Texts {
	if b.Load() != nil {
		return Texts{Language: Of(language)}
	}
	return b.texts[Of(language)]
}

// Write writes a page in a language.
func (b *Book) Write(w io.Writer, name, language string, data any) error {
	if err := b.Load(); err != nil {
		return err
	}
	var out bytes.Buffer
	if err := b.templates[Of(language)].ExecuteTemplate(&out, name, data); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(out.Bytes())
	return err
}

// Texts are those of a package's pages in one language.
type Texts struct {
	Language string
	all      map[string]string
}

// Has reports whether there is a text with the key.
func (t Texts) Has(key string) bool { return t.all[key] != "" }

// Say returns the text with a key, its verbs filled in as by [fmt.Sprintf]. The key
// stands for a text that is missing.
func (t Texts) Say(key string, args ...any) string {
	text, ok := t.all[key]
	switch {
	case !ok:
		return key
	case len(args) == 0, !strings.Contains(text, "%"):
		return text
	}
	filled := make([]any, len(args))
	for i, a := range args {
		if n, ok := a.(int); ok {
			a = Thousands(n)
		}
		filled[i] = a
	}
	return fmt.Sprintf(text, filled...)
}

// Or is Say for keys that are made of names: where there is none the name stays.
func (t Texts) Or(family, name string) string {
	if t.Has(family + name) {
		return t.Say(family + name)
	}
	return name
}

// Day writes a day as the language does; what is no day in ISO 8601 stays.
func (t Texts) Day(iso string) string {
	d, err := time.Parse(time.DateOnly, iso)
	if err != nil || t.Language == English {
		return iso
	}
	return d.Format("02.01.2006")
}

// Month writes a month that is given as in "2026-08".
func (t Texts) Month(iso string) string {
	if d, err := time.Parse("2006-01", iso); err == nil && t.Language != English {
		return d.Format("01.2006")
	}
	return iso
}

// Moment writes a time of day with its zone.
func (t Texts) Moment(at time.Time) string {
	if t.Language == English {
		return at.Format("2006-01-02 15:04:05 -07:00")
	}
	return at.Format("02.01.2006 15:04:05 -07:00")
}

//go:embed page.css
var sheet string

//go:embed common.html.tmpl
var common string

func (t Texts) functions() template.FuncMap {
	return template.FuncMap{
		"say": t.must, "called": t.Or, "has": t.Has, "day": t.Day, "moment": t.Moment,
		"lang":  func() string { return cmp.Or(countries[t.Language], t.Language) },
		"style": func() template.CSS { return template.CSS(sheet) },
		"num":   Coordinate, "thousands": Thousands, "percent": Percent, "soft": soft,
	}
}

// countries are the languages as they are written here.
var countries = map[string]string{"de": "de-CH", "fr": "fr-CH"}

func (t Texts) must(key string, args ...any) (string, error) {
	if !t.Has(key) {
		return "", fmt.Errorf("no text %q in %s", key, t.Language)
	}
	return t.Say(key, args...), nil
}

// soft is a text with addresses and codes in it: lines may break before an @, and not
// at the hyphen of a code, which would look like two words.
func soft(text string) template.HTML {
	const short = 30
	var b strings.Builder
	for i, word := range strings.Split(text, " ") {
		if i > 0 {
			b.WriteByte(' ')
		}
		whole := strings.Contains(word, "-") && len(word) <= short && !strings.Contains(word, "@")
		word = strings.ReplaceAll(template.HTMLEscapeString(word), "@", "<wbr />@")
		if whole {
			word = `<span class="nb">` + word + "</span>"
		}
		b.WriteString(word)
	}
	return template.HTML(b.String())
}

// Coordinate writes a number of SVG with at most one decimal.
func Coordinate(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// Thousands groups digits the Swiss way: 32’000.
func Thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "’" + s[i:]
	}
	return s
}

// Percent rounds down, so that only what is full is 100 %.
func Percent(n, of int) string {
	if of <= 0 {
		return "-"
	}
	return strconv.Itoa(n*100/of) + " %"
}
