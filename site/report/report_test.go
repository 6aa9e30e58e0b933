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
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/page"
	"github.com/ictmedia/schoolmail/internal/page/pagetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// year is a report with everything in it.
func year() *Report {
	r := &Report{
		Title:   "Schuljahr der Musterstadt – Übersicht",
		Written: time.Date(2026, 8, 10, 2, 14, 7, 0, time.FixedZone("CEST", 2*3600)),
		Facts:   []Fact{{Name: "Source", Value: "escada"}, {Name: "Delivery", Value: "sha256:9f86d081884c7d65"}},
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
				Failures: []Failure{{Kind: "create", Subject: "a.muster",
					Error: "ox: create user \"a.muster\" in context 21:\n  mail server <INBOX> & co."},
					{"create", "b.muster", "timeout", "unreachable"}},
				Requests: []Requests{{"ox", 30_012}, {"ldap", 15_200}, {"doveadm", 14_996}},
			},
			{Name: "The same again", Day: "2026-08-10", Plan: "e3b0c44298fc", Duration: Duration(1530 * time.Millisecond),
				Requests: []Requests{{"ox", 64}}},
			{
				Name: "Term change", Day: "2027-08-09", Plan: "77aa00",
				Notes: []Note{{Text: "Inside the window “Schulbeginn”."}},
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
	for i := range r.Acts {
		r.History = append(r.History, r.Acts[i].Night())
	}
	// Nights of the winter, with and without something to do.
	for i := range 90 {
		day := time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		r.History = append(r.History, Night{Day: day, Sum: Sum{Planned: i % 7, Done: i % 7, Held: i / 80},
			Contexts: []Fill{{Context: 21, Name: "primar-1", Capacity: 8000, After: 7990 - i}}})
	}
	return r
}

// plan has a step and a held one.
func plan() *Plan {
	step := PlanStep{Kind: "change", Subject: "ida.abel", DisplayName: "Ida Abel", Key: "escada/4711",
		Says: "class 3b", Changes: []PlanChange{{"memberships", "ps-a 2b", "ps-a 3b"}, {"phone", "", "+41 31 000 00 00"}}}
	held := PlanStep{Kind: "notice", Subject: "max.egli", Key: "escada/4712", Guard: "leavers",
		Says: "12 of 20 would leave"}
	return &Plan{Title: "Musterstadt", ID: "77aa00", Day: "2027-08-09",
		Facts: []Fact{{Name: "fact.records", Value: "31998"}, {Name: "fact.only", Value: "ps-a",
			Says: NewNote("fact.left-out", "ps-a", "12")}},
		Counts:   []Fact{{Name: "change", Value: "1"}, {Name: "steps.held", Value: "1"}},
		Contexts: []Fill{{Context: 21, Name: "primar-1", Capacity: 8000, Before: 7999, Peak: 8000, After: 7700}},
		Schools: []PlanSchool{{Steps: []PlanStep{{Kind: "create-context", Subject: "primar-9", Says: "declared"}}},
			{Name: "ps-a", Steps: []PlanStep{step}, Held: []PlanStep{held}}},
		Findings: []Finding{{"rejected-row", "export.csv:17", "expected a date"}},
	}
}

// acknowledgement has a line with two mistakes, and one of no school.
func acknowledgement() *Acknowledgement {
	return &Acknowledgement{From: "Musterstadt", Day: "2027-08-09", Lines: []AckLine{
		{Where: []string{"export.csv:3"}, ID: []string{"=2"}, School: []string{"ps-a"},
			Says:   []Note{NewNote("mistake.missing", "Name"), NewNote("mistake.value", "Von")},
			Detail: []Note{NewNote("detail.name"), NewNote("detail.date", "31.12.2026")}},
		{Where: []string{"export.csv:5"}, Says: []Note{NewNote("mistake.row")}, Detail: []Note{NewNote("detail.fields",
			"5", "12")}},
	}}
}

// school has somebody in every part.
func school() *School {
	return &School{From: "Schulinformatik Musterstadt", Name: "Primarschule Birkenfeld", Day: "2027-08-09",
		New: []SchoolPerson{{Name: "Ida Abel", Classes: []string{"1a"}, Role: "pupil", Mail: "ida.abel@lernende.example"},
			{Number: "4711", Role: "teacher", Mail: "r.frei@schulen.example"}},
		Gone: []SchoolPerson{{Name: "Max Egli", Classes: []string{"6b"}, Says: []Note{NewNote("says.notice", "2027-10-04")}},
			{Name: "Lea Dufour", Says: []Note{NewNote("says.purge")}, Role: "staff"}},
		Moved: []SchoolPerson{{Name: "Mia Gut", Classes: []string{"3b"}, Says: []Note{NewNote("says.class", "3b", "2b")}}},
		Held: []SchoolPerson{{Name: "Tim Jost", Classes: []string{"2a"},
			Says: []Note{NewNote("held.notice"), NewNote("held.many")}}},
		Correct: &Acknowledgement{Lines: acknowledgement().Lines[:1]},
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

// pages returns how the pages of a report, plan, school or acknowledgement are written in a
// language.
func pages(lang string) map[string]func(io.Writer) error {
	r, p, sc, a := year(), plan(), school(), acknowledgement()
	r.Language, p.Language, sc.Language, a.Language = lang, lang, lang, lang
	return map[string]func(io.Writer) error{"year": r.WriteHTML, "plan": p.WriteHTML, "school": sc.WriteHTML,
		"acknowledgement": a.WriteHTML}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	r := year()
	all := map[string]func(io.Writer) error{"year.txt": r.WriteText, "year.json": r.WriteJSON,
		"acknowledgement.csv": acknowledgement().WriteCSV}
	for _, lang := range page.Languages() {
		for name, write := range pages(lang) {
			if lang != page.English {
				name += "-" + lang
			}
			all[name+".html"] = write
		}
	}
	for name, write := range all {
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
	if diff := cmp.Diff(want, &got, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmpopts.IgnoreFields(Report{}, "History")); diff != "" {
		t.Error(diff)
	}
	if err := json.Unmarshal([]byte(`"soon"`), new(Duration)); err == nil {
		t.Error("a bad duration was read")
	}
}

// All pages are sound in all languages, and what is drawn stays within its frame.
func TestPagesAreSound(t *testing.T) {
	t.Parallel()
	for _, lang := range page.Languages() {
		for name, write := range pages(lang) {
			t.Run(name+"-"+lang, func(t *testing.T) {
				data := render(t, write)
				pagetest.Check(t, data)
				want := 0
				if name == "year" {
					want = 6 // fills of two acts, their flows, and two of the year
				}
				if n := framed(t, data); n != want {
					t.Errorf("%d pictures, want %d", n, want)
				}
			})
		}
	}
}

// framed looks at the pictures of a page and returns how many there are.
func framed(t *testing.T, data []byte) (pictures int) {
	t.Helper()
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
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return pictures
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		switch e.Name.Local {
		case "svg":
			pictures++
			v := strings.Fields(attr["viewBox"])
			frame = [2]float64{number(v[2]), number(v[3])}
		case "rect":
			x, y := number(attr["x"])+number(attr["width"]), number(attr["y"])+number(attr["height"])
			if x > frame[0]+0.1 || y > frame[1] || number(attr["x"]) < 0 || number(attr["y"]) < 0 {
				t.Errorf("a bar ends at %g,%g in a picture of %v", x, y, frame)
			}
		case "text":
			if y := number(attr["y"]); y > frame[1] || y < 8 {
				t.Errorf("a text stands at %g in a picture %g high", y, frame[1])
			}
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
	p := drawFlows(book.In("en"), m, nil)
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
		a.Failures = append(a.Failures, Failure{Kind: "create", Subject: fmt.Sprint("f", i), Error: fmt.Sprint("e", i)})
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
		if got := page.Thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{93456 * time.Millisecond: "1m33s", 1534 * time.Millisecond: "1.53s",
		1234567: "1ms", 0: "0s"} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
	if got := page.Percent(7999, 8000); got != "99 %" {
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
