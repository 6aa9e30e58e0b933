package pagetest

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/page"
)

// Families are keys that are made of a beginning, such as "kind.", and of names.
type Families map[string][]string

var verb = regexp.MustCompile(`%(\[[0-9]+\])?[sdq]`)

// Texts holds that the texts of a book are the same in all languages by their keys and
// by what is filled in, that none is empty, that each is used by Go files or templates
// of some folders or belongs to a family, and that no family lacks one.
func Texts(tb testing.TB, files fs.FS, folders []string, families Families) {
	tb.Helper()
	all := map[string]map[string]string{}
	for _, lang := range page.Languages() {
		all[lang] = read(tb, files, "texts/"+lang+".json")
	}
	source := sources(tb, folders)
	expected := map[string]bool{}
	for begin, names := range families {
		for _, name := range names {
			expected[begin+name] = true
		}
	}
	english := all[page.English]
	for _, key := range slices.Sorted(maps.Keys(expected)) {
		if english[key] == "" {
			tb.Errorf("no text %q", key)
		}
	}
	for key, text := range english {
		if !expected[key] && !strings.Contains(source, `"`+key+`"`) {
			tb.Errorf("nobody uses text %q", key)
		}
		for lang, texts := range all {
			other, ok := texts[key]
			if !ok || strings.TrimSpace(other) == "" {
				tb.Errorf("%s: no text %q", lang, key)
				continue
			}
			if x, y := sorted(text), sorted(other); !slices.Equal(x, y) {
				tb.Errorf("%s: text %q is filled in with %v, in English with %v", lang, key, y, x)
			}
			if lang != page.English && strings.ContainsAny(other, "ß") {
				tb.Errorf("%s: text %q is not spelt as in Switzerland", lang, key)
			}
		}
	}
	for lang, texts := range all {
		for key := range texts {
			if _, ok := english[key]; !ok {
				tb.Errorf("%s: text %q is not there in English", lang, key)
			}
		}
	}
}

func sorted(text string) []string {
	verbs := verb.FindAllString(text, -1)
	slices.Sort(verbs)
	return verbs
}

// read reads the texts of a language, each key of which is given once.
func read(tb testing.TB, files fs.FS, name string) map[string]string {
	tb.Helper()
	data, err := fs.ReadFile(files, name)
	if err != nil {
		tb.Fatal(err)
	}
	texts := map[string]string{}
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	for d.More() {
		var pair [2]string
		for i := range pair {
			tok, err := d.Token()
			if err != nil {
				tb.Fatalf("%s: %v", name, err)
			}
			pair[i], _ = tok.(string)
		}
		if _, twice := texts[pair[0]]; twice {
			tb.Errorf("%s: text %q is given twice", name, pair[0])
		}
		texts[pair[0]] = pair[1]
	}
	return texts
}

// sources are the Go files, tests aside, and the templates of some folders.
func sources(tb testing.TB, folders []string) string {
	tb.Helper()
	var b strings.Builder
	for _, dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			tb.Fatal(err)
		}
		for _, e := range entries {
			name := e.Name()
			if strings.HasSuffix(name, ".tmpl") || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				text, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					tb.Fatal(err)
				}
				b.Write(text)
			}
		}
	}
	return b.String()
}
