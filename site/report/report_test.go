package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

var update = flag.Bool("update", false, "write the golden files anew")

// year is a report with everything in it.
func year() *Report {
	return &Report{
		Title:   "Schuljahr der Musterstadt – Übersicht",
		Written: time.Date(2026, 8, 10, 2, 14, 7, 0, time.FixedZone("CEST", 2*3600)),
		Facts:   []Fact{{"Source", "escada"}, {"Delivery", "sha256:9f86d081884c7d65"}},
		Acts: []Act{
			{
				Name: "First provisioning", Day: "2026-08-10", Plan: "3f2a9c01d4e5",
				Duration: Duration(93*time.Second + 456*time.Millisecond),
				Steps: []Steps{{Kind: "create-context", Planned: 3, Done: 3},
					{Kind: "create", Planned: 14_998, Done: 14_995, Failed: 2, Skipped: 1}},
				Contexts: []Fill{
					{Context: 11, Name: "lehrpersonen", Capacity: 8000, Before: 1, Peak: 3841, After: 3841},
					{Context: 21, Name: "primar-1", Capacity: 8000, Before: 1, Peak: 7999, After: 7999},
					{Context: 31, Name: "sekundar-äußerer-kreis-der-stadt", Capacity: 3000, Before: 1, After: 3158},
				},
				Flows: []Flow{{0, 11, 3840}, {0, 21, 7998}, {0, 31, 3157}},
				Failures: []Failure{{"create", "a.muster",
					"ox: create user \"a.muster\" in context 21:\n  mail server <INBOX> & co."}, {"create", "b.muster", "timeout"}},
				Requests: []Requests{{"ox", 30_012}, {"ldap", 15_200}, {"doveadm", 14_996}},
			},
			{Name: "The same again", Day: "2026-08-10", Plan: "e3b0c44298fc", Duration: Duration(1530 * time.Millisecond),
				Requests: []Requests{{"ox", 64}}},
			{
				Name: "Term change", Day: "2027-08-09", Plan: "77aa00", Notes: []string{"Inside the window “Schulbeginn”."},
				Steps: []Steps{{Kind: "transfer", Planned: 1040, Done: 1040, Held: 2},
					{Kind: "notice", Planned: 1500, Done: 1500, Held: 12}},
				Contexts: []Fill{
					{Context: 11, Name: "lehrpersonen", Capacity: 8000, Before: 3841, Peak: 3850, After: 3822},
					{Context: 21, Name: "primar-1", Capacity: 8000, Before: 7999, Peak: 8000, After: 7700},
				},
				Flows: []Flow{{21, 31, 1000}, {21, 31, 39}, {31, 21, 1}, {0, 21, 740}, {31, 0, 900}, {11, 0, 28}, {11, 21, 0}},
				Held: append(func() (list []Held) {
					for i := range 12 {
						list = append(list, Held{"notice", fmt.Sprint("person", i), "sek-lindenhof",
							"12 of 20 pupils would leave, the limit is 35 %", "leavers"})
					}
					return list
				}(), Held{Kind: "transfer", Subject: "c.muster", Why: "no seat is free"},
					Held{Kind: "transfer", Subject: "d.muster", Why: "no seat is free"}),
				Findings: []Finding{
					{"rejected-row", "export.csv:17", `column "Von": expected a date as dd.mm.yyyy, or nothing`},
					{Kind: "unknown-ox-user", Text: `<script>alert("x")</script>`},
				},
			},
		},
	}
}

func render(t *testing.T, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	t.Parallel()
	r := year()
	for name, write := range map[string]func(io.Writer) error{"year.txt": r.WriteText, "year.json": r.WriteJSON,
		"year.html": r.WriteHTML} {
		got := render(t, write)
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-update writes it anew):\n%s", name, diff)
		}
		if !bytes.Equal(got, render(t, write)) {
			t.Errorf("%s: two renderings differ", name)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	want := year()
	var got Report
	if err := json.Unmarshal(render(t, want.WriteJSON), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`"soon"`), new(Duration)); err == nil {
		t.Error("a bad duration was read")
	}
}

// The page is well-formed, contains no script and refers to nothing outside;
// its pictures have a title and a description and stay within their frame.
func TestHTMLIsSelfContained(t *testing.T) {
	t.Parallel()
	data := render(t, year().WriteHTML)
	ids, refs, pictures := map[string]bool{}, []string{}, 0
	var frame [2]float64
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	dec := xml.NewDecoder(bytes.NewReader(data))
	dec.Entity = xml.HTMLEntity
	var stack []string
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		switch e := tok.(type) {
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.StartElement:
			stack = append(stack, e.Name.Local)
			attr := map[string]string{}
			for _, a := range e.Attr {
				attr[a.Name.Local] = a.Value
				if n := a.Name.Local; strings.HasPrefix(n, "on") || n == "src" || n == "style" || n == "href" &&
					!strings.HasPrefix(a.Value, "#") {
					t.Errorf("<%s %s=%q>", e.Name.Local, n, a.Value)
				}
			}
			if id := attr["id"]; id != "" {
				if ids[id] {
					t.Errorf("id %q twice", id)
				}
				ids[id] = true
			}
			refs = append(refs, strings.Fields(attr["aria-labelledby"])...)
			if h := attr["href"]; h != "" {
				refs = append(refs, h[1:])
			}
			switch e.Name.Local {
			case "script", "link", "iframe", "img", "object", "image", "use":
				t.Errorf("<%s> in the page", e.Name.Local)
			case "svg":
				pictures++
				if len(strings.Fields(attr["aria-labelledby"])) != 2 || attr["role"] != "img" {
					t.Errorf("picture without title and description: %v", attr)
				}
				v := strings.Fields(attr["viewBox"])
				frame = [2]float64{number(v[2]), number(v[3])}
			case "rect":
				if x, y := number(attr["x"])+number(attr["width"]), number(attr["y"])+number(attr["height"]); x > frame[0] ||
					y > frame[1] || x < 0 {
					t.Errorf("a bar ends at %g,%g in a picture of %v", x, y, frame)
				}
			case "text":
				if y := number(attr["y"]); y > frame[1] {
					t.Errorf("a text stands at %g in a picture %g high", y, frame[1])
				}
			}
		}
	}
	for _, r := range refs {
		if !ids[r] {
			t.Errorf("reference to %q, which does not exist", r)
		}
	}
	if pictures != 4 {
		t.Errorf("%d pictures, want 4", pictures)
	}
	for _, s := range []string{"url(", "@import", "<script", "javascript:"} {
		if bytes.Contains(data, []byte(s)) {
			t.Errorf("%q in the page", s)
		}
	}
}

func TestFlows(t *testing.T) {
	t.Parallel()
	m := newMatrix(year().Acts[2].Flows)
	if diff := cmp.Diff([]schoolmail.ContextID{0, 11, 21, 31}, m.From); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]schoolmail.ContextID{21, 31, 0}, m.To); diff != "" {
		t.Error(diff)
	}
	if n := m.People(21, 31); n != 1039 {
		t.Errorf("%d people, want 1039", n)
	}
	p := drawFlows(m, nil)
	if len(p.Bands) != 5 || len(p.Nodes) != 7 {
		t.Errorf("%d bands, %d nodes", len(p.Bands), len(p.Nodes))
	}
	// Bands leave a node exactly as high as the node is.
	var left float64
	for _, n := range p.Nodes[:4] {
		left += max(0, n.Height)
	}
	if left < flowHeight || left > flowHeight+4*nodeLeast {
		t.Errorf("nodes are %g high", left)
	}
}

func TestManyItems(t *testing.T) {
	t.Parallel()
	a := Act{Name: "x"}
	for i := range shownItems + 7 {
		a.Failures = append(a.Failures, Failure{"create", fmt.Sprint("f", i), fmt.Sprint("e", i)})
		a.Findings = append(a.Findings, Finding{Kind: "k", Text: fmt.Sprint("t", i)})
	}
	r := &Report{Title: "t", Acts: []Act{a}}
	for name, write := range map[string]func(io.Writer) error{"text": r.WriteText, "html": r.WriteHTML} {
		s := string(render(t, write))
		if n := strings.Count(strings.ToLower(s), "and 7 more; the json report has all"); n != 2 {
			t.Errorf("%s: %d lists are said to be cut, want 2", name, n)
		}
	}
	if s := string(render(t, r.WriteJSON)); strings.Count(s, `"subject"`) != shownItems+7 {
		t.Error("the JSON report is cut")
	}
}

func TestEmptyReports(t *testing.T) {
	t.Parallel()
	for _, r := range []*Report{{}, {Title: "x", Acts: []Act{{}, {Contexts: []Fill{{}}, Flows: []Flow{{}}}}}} {
		for name, write := range map[string]func(io.Writer) error{"text": r.WriteText, "html": r.WriteHTML,
			"json": r.WriteJSON} {
			if s := string(render(t, write)); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("%s: %s", name, s)
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1’000", 32000: "32’000", 1234567: "1’234’567",
		-1000: "-1’000", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{93456 * time.Millisecond: "1m33s", 1534 * time.Millisecond: "1.53s",
		1234567: "1ms", 0: "0s"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
	if got := percent(7999, 8000); got != "99 %" {
		t.Errorf("7999 of 8000: %s", got)
	}
}

func Example() {
	r := Report{Title: "Night of 10 August", Acts: []Act{{
		Name: "Provisioning", Plan: "3f2a9c01d4e5",
		Steps:    []Steps{{Kind: "create", Planned: 3, Done: 3}},
		Contexts: []Fill{{Context: 21, Name: "primary-1", Capacity: 8000, Before: 7000, Peak: 7003, After: 7003}},
		Flows:    []Flow{{From: 0, To: 21, People: 3}},
	}}}
	if err := r.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Night of 10 August
	// ==================
	//
	// Provisioning
	// ------------
	// Plan 3f2a9c01d4e5: 3 steps, 3 done, 0 failed, 0 skipped, 0 held back
	//
	// Steps
	//   kind    planned  done  failed  skipped  held back
	//   create  3        3     0       0        0
	//
	// Contexts
	//   id  name       before  peak  after  capacity  full
	//   21  primary-1  7000    7003  7003   8000      [##################..] 87 %
	//
	// Moves
	//   new -> primary-1: 3
}
