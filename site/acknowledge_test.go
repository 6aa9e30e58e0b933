package site

import (
	"encoding/csv"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/site/report"
)

var update = flag.Bool("update", false, "write the golden file anew")

const acknowledged = `PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache
1;S;Abel;Ida;ps-a;P;1a;;;;;
2;X;Bär;Udo;ps-a;P;1a;31.02.2026;;;;
3;S;;Gian;ps-a;P;1a;;;;;
4;S;Dufour;Léa;ps-a
5;S;Egli;Max;ps-a;P;1a;;;;;
5;S;Egli;Max;ps-a;P;1a;;;;;
6;L;Frei;Ruth;ps-a;;;;;keine;;
7;S;Gut;Mia;ps-a;P;1a;;;;;
7;S;Gut;Lia;ps-a;P;1b;;;;;
a8;S;Hug;Jan;ps-a;P;1a;;;;;
A8;S;Hug;Jan;ps-a;P;1a;;;;;
9;M;Iten;Eva;ps-a;;;;;;;
=2+3;S;Jost;Tim;ps-a;P;;;;;;
`

// TestAcknowledgement reads an export with all sorts of mistakes.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	d, err := escada.Read(t.Context(), fstest.MapFS{"export.csv": {Data: []byte(acknowledged)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pupil := schoolmail.Population{Name: "pupils", Roles: []schoolmail.Role{schoolmail.RolePupil},
		Levels:   []schoolmail.SchoolLevel{"primary"},
		Contexts: []schoolmail.ContextID{21}, Domain: "lernende.example", Access: "webmail"}
	teacher := schoolmail.Population{Name: "teachers", Roles: []schoolmail.Role{schoolmail.RoleTeacher},
		Contexts: []schoolmail.ContextID{10}, Domain: "schulen.example", Access: "groupware_standard"}
	p := schoolmail.Policy{Source: "escada", Populations: []schoolmail.Population{teacher, pupil},
		Schools: []schoolmail.School{{ID: "ps-a"}, {ID: "ps-b"}},
		Contexts: []schoolmail.ContextSpec{{ID: 10, Name: "lehrpersonen", Capacity: 20},
			{ID: 21, Name: "primar-1", Capacity: 20}}}.WithDefaults()
	var gone []schoolmail.Account
	for _, id := range []string{"20", "21", "22", "23", "24", "25", "26"} {
		gone = append(gone, schoolmail.Account{Key: schoolmail.RecordKey{Source: "escada", ID: id}, Username: "x" + id,
			Mail: "x" + id + "@x.example", Role: schoolmail.RolePupil,
			State: schoolmail.Active, Context: 21, Memberships: []schoolmail.Membership{{School: "ps-b"}}})
	}
	plan, err := schoolmail.NewPlan(p, schoolmail.State{Accounts: gone,
		Contexts: []schoolmail.Context{{ID: 21, Name: "primar-1", Users: 8}}}, d, schoolmail.NewDate(2026, 8, 10))
	if err != nil {
		t.Fatal(err)
	}
	result := &schoolmail.Result{}
	for _, s := range plan.Steps {
		o := schoolmail.Outcome{Step: s.ID, Status: schoolmail.StatusDone}
		if s.Key.ID == "1" {
			o.Status = schoolmail.StatusFailed
		}
		result.Outcomes = append(result.Outcomes, o)
	}
	var b strings.Builder
	if err := acknowledge(&d, plan, result).whole().WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "acknowledgement.csv")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("(-update writes it anew) (-golden +now)\n%s", diff)
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(b.String(), "\ufeff")))
	r.Comma = ';'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		if row[1] != "" && seen[row[1]] {
			t.Errorf("record %s has two lines", row[1])
		}
		seen[row[1]] = true
		// What is wrong, in three languages, and what was expected, where a row is to be put right.
		if row[3] == "" || row[5] == "" || row[7] == "" || strings.Contains(strings.Join(row, ""), "%") ||
			strings.HasPrefix(row[1], "=") || row[0] != "" && (row[4] == "" || row[6] == "" || row[8] == "") {
			t.Errorf("%q", row)
		}
	}
}

// Whatever sort of mistake or finding there is has its words.
func TestAcknowledgementHasAllWords(t *testing.T) {
	t.Parallel()
	for _, m := range []schoolmail.RejectionKind{schoolmail.RejectedUnreadable, schoolmail.RejectedMissing,
		schoolmail.RejectedValue, schoolmail.RejectedContradiction,
		schoolmail.RejectedDoubleID, schoolmail.RejectedRepeat, schoolmail.RejectedLettersLost,
		schoolmail.RejectedReference, schoolmail.RejectedForeign} {
		if n := report.NewNote(mistakes[m], "x"); n.Text == "" || n.Text == n.Key {
			t.Errorf("%s", m)
		}
	}
	if a := refuse(errors.New("another")); a != nil {
		t.Error("an error of a server is told to the school administration")
	}
	_, err := escada.Read(t.Context(), fstest.MapFS{"a.csv": {Data: []byte("x")}, "b.csv": {}}, nil)
	a := refuse(&InputError{err})
	if a == nil || len(a.lines) < 2 {
		t.Fatalf("%v: %+v", err, a)
	}
	whole := a.whole()
	if whole.Lines[0].Where[0] == whole.Lines[1].Where[0] || whole.Lines[0].Says[0].Key == "" {
		t.Errorf("%v: %+v", err, whole)
	}
}
