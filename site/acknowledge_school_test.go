package site

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// A school gets the lines about its own people, with details in its languages, and
// nothing of others: of somebody who is at two schools each gets what was wrong in its
// own rows.
func TestAcknowledgementBySchool(t *testing.T) {
	t.Parallel()
	key := func(id string) schoolmail.RecordKey { return schoolmail.RecordKey{Source: "escada", ID: id} }
	at := func(line int, column string) schoolmail.Position {
		return schoolmail.Position{File: "s.csv", Line: line, Column: column}
	}
	d := &schoolmail.Delivery{Rejected: []schoolmail.Rejection{
		{Key: key("1"), School: "ps-a", Kind: schoolmail.RejectedMissing, Position: at(3, "Name"), Reason: "as in ps-b"},
		{Key: key("1"), School: "ps-b", Kind: schoolmail.RejectedValue, Position: at(4, "Von"),
			Reason: "expected a date as dd.mm.yyyy, or nothing"},
		{Key: key("2"), School: "ps-b", Kind: schoolmail.RejectedRepeat, Reason: "repeats s.csv:7"},
		{Kind: schoolmail.RejectedUnreadable},
	}, Records: []schoolmail.Record{{Key: key("3"), Memberships: []schoolmail.Membership{{School: "ps-c"}}}}}
	plan := &schoolmail.Plan{Findings: []schoolmail.Finding{{Kind: "new-id", Key: key("3"), Text: "like Max of ps-a"}},
		Held: []schoolmail.Held{{Guard: "hold", Why: "inquiry", Step: schoolmail.Step{Key: key("4"), School: "ps-a",
			Action: schoolmail.SendNotice{}}}}}
	parts := acknowledge(d, plan, nil).bySchool(false)
	if len(parts) != 3 {
		t.Fatalf("%d schools, want 3", len(parts))
	}
	text := func(s schoolmail.SchoolID) string {
		var b bytes.Buffer
		if err := parts[s].WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if a := text("ps-a"); !strings.Contains(a, "Das Feld «Name» ist leer.;;Le champ «Name» est vide.;") ||
		strings.Contains(a, "ps-b") || strings.Contains(a, "Von") || strings.Count(a, "\r\n") != 2 {
		t.Error(a)
	}
	if b := text("ps-b"); !strings.Contains(b, "Erwartet: ein Datum wie 31.12.2026, oder nichts.") ||
		!strings.Contains(b, "La même ligne se trouve en s.csv:7.") || strings.Count(b, "\r\n") != 3 {
		t.Error(b)
	}
	if c := text("ps-c"); strings.Contains(c, "Max") || !strings.Contains(c, `;3;ps-c;"Diese neue Nummer gehört`) {
		t.Error(c)
	}
}

// What the reader of exports says of a row is known in the other languages.
func TestDetailsAreKnown(t *testing.T) {
	t.Parallel()
	said := regexp.MustCompile(`"((?:\\"|[^"\n])*(?:expected|cannot be read: the school|one of them was taken)` +
		`(?:\\"|[^"\n])*)`)
	// What is about whole files, profiles or the program, and "expected" as a beginning.
	other := regexp.MustCompile(`%q|in match|elements|the file is|pattern|group|regular|title|condition|throughout` +
		`|%w|: expected one in |^expected $`)
	found := 0
	for _, name := range []string{"row.go", "fold.go", "text.go", "scanner.go", "membership.go", "budget.go"} {
		source, err := os.ReadFile(filepath.Join("..", "escada", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(source), -1) {
			reason, err := strconv.Unquote(`"` + m[1] + `"`)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if other.MatchString(reason) {
				continue
			}
			found++
			for old, is := range map[string]string{"%d of %d": "5 of 60", "%d fields: expected %d": "5 fields: expected 12"} {
				reason = strings.ReplaceAll(reason, old, is)
			}
			known := false
			for _, before := range []string{"", "not as in s.csv:3", "the same id stands at s.csv:3",
				"differs only in case from the id at s.csv:3", `before the date in column "Von`} {
				known = known || detail(before+reason).Key != ""
			}
			if reason == "expected a date as " {
				known = detail(reason+"dd.mm.yyyy, or nothing").Key != ""
			}
			if reason == "empty for a pupil: expected " {
				known = detail(reason+`"P" (primary)`).Key != ""
			}
			if !known {
				t.Errorf("%s: %q", name, reason)
			}
		}
	}
	if found < 15 {
		t.Errorf("%d sentences were looked at", found)
	}
}

// The schools of a record are the same however many are asked for, also of one that was
// delivered twice, or not at all.
func TestSchoolsOfFewAndOfMany(t *testing.T) {
	t.Parallel()
	key := func(i int) schoolmail.RecordKey {
		return schoolmail.RecordKey{Source: "escada", ID: strconv.Itoa(i)}
	}
	d := &schoolmail.Delivery{}
	for i := range 10 {
		for _, id := range []schoolmail.SchoolID{"a", "b", "c"}[:i%4] {
			d.Records = append(d.Records, schoolmail.Record{Key: key(i),
				Memberships: []schoolmail.Membership{{School: id}, {School: id + "2"}}})
		}
	}
	a := newAcknowledgement(d)
	for i := range 3 * fewAsked {
		want := []schoolmail.SchoolID{"a", "a2", "b", "b2", "c", "c2"}[:2*(i%11%4)]
		if i%11 == 10 {
			want = nil
		}
		if got := a.schoolsOf(key(i % 11)); !slices.Equal(got, want) {
			t.Errorf("asked %d: %v, want %v", i, got, want)
		}
	}
	if a.schools == nil || a.schoolsOf(schoolmail.RecordKey{}) != nil {
		t.Error("many were asked for, one by one; or nobody is somewhere")
	}
}
