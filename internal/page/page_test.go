package page_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ictmedia/schoolmail/internal/page"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
)

func files() fstest.MapFS {
	return fstest.MapFS{
		"a.html.tmpl": {Data: []byte(`{{template "head" (say "title")}}<p>{{say "sum" 12345 "x"}}</p>{{template "foot"}}`)},

		"texts/de.json": {Data: []byte(`{"title": "Über", "sum": "%s von %s"}`)},
		"texts/fr.json": {Data: []byte(`{"title": "Sur", "sum": "%s sur %s"}`)},
		"texts/en.json": {Data: []byte(`{"title": "About", "sum": "%s of %s"}`)},
	}
}

// A page is in the language that is wanted, or in English.
func TestWrite(t *testing.T) {
	t.Parallel()
	book := page.New(files())
	for lang, want := range map[string]string{"de": "12’345 von x", "fr": "12’345 sur x", "it": "12’345 of x",
		"": "of"} {
		var b bytes.Buffer
		if err := book.Write(&b, "a.html.tmpl", lang, nil); err != nil {
			t.Fatal(err)
		}
		pagetest.Check(t, b.Bytes())
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q: %s", lang, b.String())
		}
	}
	if got := book.In("de").Say("other"); got != "other" {
		t.Errorf("a text that is missing: %q", got)
	}
	broken := files()
	delete(broken, "texts/fr.json")
	if err := page.New(broken).Write(&bytes.Buffer{}, "a.html.tmpl", "de", nil); err == nil {
		t.Error("a language is missing, and nobody says so")
	}
	if err := page.New(fstest.MapFS{}).Load(); err == nil {
		t.Error("no texts, and nobody says so")
	}
	missing := files()
	missing["a.html.tmpl"] = &fstest.MapFile{Data: []byte(`{{say "nothing"}}`)}
	if err := page.New(missing).Write(&bytes.Buffer{}, "a.html.tmpl", "de", nil); err == nil {
		t.Error("a text is missing in a page, and nobody says so")
	}
}

func TestDays(t *testing.T) {
	t.Parallel()
	book := page.New(files())
	at := time.Date(2026, 8, 10, 2, 14, 7, 0, time.FixedZone("CEST", 2*3600))
	de, en := book.In("de"), book.In("en")
	for _, c := range [][2]string{
		{de.Day("2026-08-10"), "10.08.2026"}, {en.Day("2026-08-10"), "2026-08-10"}, {de.Day("later"), "later"},
		{de.Month("2026-08"), "08.2026"}, {en.Month("2026-08"), "2026-08"}, {de.Moment(at), "10.08.2026 02:14:07 +02:00"},
		{en.Moment(at), "2026-08-10 02:14:07 +02:00"}, {page.Thousands(-1000), "-1’000"}, {page.Percent(1, 0), "-"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, want %q", c[0], c[1])
		}
	}
}

// recorder is a test that notes what was wrong.
type recorder struct {
	testing.TB
	wrong []string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Error(args ...any)         { r.wrong = append(r.wrong, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, a ...any) { r.wrong = append(r.wrong, fmt.Sprintf(f, a...)) }

// What is wrong with a page is found.
func TestCheckFinds(t *testing.T) {
	t.Parallel()
	const good = `<!DOCTYPE html><html lang="de"><head><title>t</title></head><body><h1>a</h1><h2>b</h2><table>` +
		`<thead><tr><th scope="col">x</th></tr></thead><tbody><tr><td>y</td></tr></tbody></table></body></html>`
	r := &recorder{TB: t}
	if pagetest.Check(r, []byte(good)); len(r.wrong) > 0 {
		t.Errorf("a sound page: %q", r.wrong)
	}
	for old, is := range map[string]string{
		` lang="de"`: "", "<title>t</title>": "", "<h1>a</h1>": "", "<h2>b</h2>": "<h3>b</h3>", ` scope="col"`: "",
		"<td>y</td>": "<td>y</td><td>z</td>", "</h2>": `</h2><p><a href="https://example.org">x</a></p>`,
		"</h1>": "</h1><script>1</script>", "<h2>": `<h2 style="color: red">`, "</body>": "</p></body>",
		"<body>": `<body><p id="x"></p><p id="x"></p>`, "<h1>": "<h1>a</h1><h1>",
		"<tbody>": `<tbody><tr><td><svg role="img"></svg></td></tr>`, "<thead>": "", "y": "%!s(MISSING)",
	} {
		r := &recorder{TB: t}
		if pagetest.Check(r, []byte(strings.Replace(good, old, is, 1))); len(r.wrong) == 0 {
			t.Errorf("%q instead of %q is not found", is, old)
		}
	}
}

// What is wrong with texts is found.
func TestTextsFinds(t *testing.T) {
	t.Parallel()
	families := pagetest.Families{"": {"title", "sum"}}
	r := &recorder{TB: t}
	if pagetest.Texts(r, files(), nil, families); len(r.wrong) > 0 {
		t.Errorf("sound texts: %q", r.wrong)
	}
	for name, text := range map[string]string{
		"missing": `{"title": "Über"}`, "empty": `{"title": "", "sum": "%s von %s"}`, "verbs": `{"title": "x", "sum": "%s"}`,
		"sharp s": `{"title": "groß", "sum": "%s von %s"}`, "unknown": `{"title": "x", "sum": "%s %s", "more": "x"}`,
		"twice": `{"title": "x", "sum": "%s %s", "sum": "%s %s"}`,
	} {
		f := files()
		f["texts/de.json"] = &fstest.MapFile{Data: []byte(text)}
		r := &recorder{TB: t}
		if pagetest.Texts(r, f, nil, families); len(r.wrong) == 0 {
			t.Errorf("%s is not found", name)
		}
	}
	r = &recorder{TB: t}
	if pagetest.Texts(r, files(), nil, pagetest.Families{"": {"title", "other"}}); len(r.wrong) != 2 {
		t.Errorf("one that nobody uses and one that is missing: %q", r.wrong)
	}
}
