package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// A pilot: first one school alone, then one person, then the rest; the journal says
// what was limited, and -detailed-exitcode whether there was anything to do.
func TestOnly(t *testing.T) {
	t.Parallel()
	s := start(t, 80)
	day := s.District.Today()
	records := s.District.Records()
	school := records[0].Memberships[0].School
	here := func(r schoolmail.Record) bool {
		for _, m := range r.Memberships {
			if m.School == school {
				return true
			}
		}
		return false
	}
	// A day one in parts needs the list of schools: those that come later are unknown otherwise.
	f, err := os.OpenFile(s.config(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.District.Schools() {
		fmt.Fprintf(f, "\n[[school]]\nid = %q\n", x.ID)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var want, other int
	var one schoolmail.Record
	for _, r := range records {
		if here(r) {
			want++
		} else {
			other++
			one = r
		}
	}
	exit, _, errs := s.run(t, day, "-only-school", "ps-nowhere", "-apply")
	if exit != 2 || !strings.Contains(errs, `school "ps-nowhere"`) {
		t.Errorf("a school that nobody knows: %d %s", exit, errs)
	}
	steps := []struct {
		name string
		args []string
		exit int
		made int
	}{
		{"one school", []string{"-only-school", string(school), "-apply", "-detailed-exitcode"}, 4, want},
		{"the same again", []string{"-only-school", string(school), "-apply", "-detailed-exitcode"}, 0, want},
		{"one person", []string{"-only-person", one.Key.ID, "-apply"}, 0, want + 1},
		{"the rest", []string{"-apply", "-detailed-exitcode"}, 4, want + other},
		{"nothing", []string{"-apply", "-detailed-exitcode"}, 0, want + other},
	}
	for _, c := range steps {
		exit, out, errs := s.run(t, day, c.args...)
		if exit != c.exit {
			t.Fatalf("%s: exit status %d, want %d\n%s%s", c.name, exit, c.exit, out, errs)
		}
		accounts, _ := s.look(t)
		made := 0
		for _, a := range accounts {
			if a.State == schoolmail.Active && a.Key.ID != "" {
				made++
			}
		}
		if made != c.made {
			t.Errorf("%s: %d accounts, want %d", c.name, made, c.made)
		}
	}
	journal, err := os.ReadFile(filepath.Join(s.dir, "state", "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"only school " + string(school), "only person escada/" + one.Key.ID} {
		if !strings.Contains(string(journal), want) {
			t.Errorf("the journal says nothing about %q", want)
		}
	}
	// With nobody gone for the others: the export has half of the people now.
	e, err := escadatest.NewExport(records[:len(records)-1], nil)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, e)
	exit, out, _ := s.run(t, day.AddDays(1), "-only-school", string(school))
	if exit != 0 && exit != 3 || strings.Contains(out, "  notice") && !here(records[len(records)-1]) {
		t.Errorf("others are taken for gone: %d\n%s", exit, out)
	}
}

// A limited plan that somebody has reviewed is applied as it is.
func TestOnlyReviewed(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	who := s.District.Records()[0].Key.ID
	file := filepath.Join(t.TempDir(), "plan.json")
	if exit, out, errs := s.run(t, day, "-only-person", who, "-plan", file); exit != 0 {
		t.Fatalf("plan: %d %s%s", exit, out, errs)
	}
	if exit, out, errs := s.run(t, day, "-apply-plan", file); exit != 0 || !strings.Contains(out, "1 account to create") {
		t.Errorf("apply: %d %s%s", exit, out, errs)
	}
}

// What is shown is limited; what is planned is not.
func TestShowPart(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	r := s.District.Records()[0]
	school := string(r.Memberships[0].School)
	for _, c := range []struct {
		args, with, without []string
	}{
		{[]string{"-school", school}, []string{"\n  " + school + "\n", "only school " + school}, []string{"create-context"}},
		{[]string{"-person", r.Key.ID}, []string{r.GivenName + " " + r.FamilyName, "escada/" + r.Key.ID, "+ username: "},
			nil},
		{[]string{"-kind", "create-context"}, []string{"create-context", "capacity: "}, []string{"+ username"}},
		{[]string{"-role", "teacher,staff"}, []string{"only role teacher, staff"}, []string{"role: pupil"}},
	} {
		exit, out, errs := s.run(t, day, c.args...)
		if exit != 0 || !strings.Contains(out, "60 accounts to create") {
			t.Errorf("%q: %d %s\n%s", c.args, exit, errs, out)
		}
		for _, w := range c.with {
			if !strings.Contains(out, w) {
				t.Errorf("%q: nothing about %q in\n%s", c.args, w, out)
			}
		}
		for _, w := range c.without {
			if strings.Contains(out, w) {
				t.Errorf("%q: shows %q:\n%s", c.args, w, out)
			}
		}
	}
	for _, c := range [][]string{{"-role", "boss"}, {"-kind", "nonsense"}, {"-school", ","}, {"-school", "x", "-status"}} {
		if exit, _, errs := s.run(t, day, c...); exit != 2 || errs == "" {
			t.Errorf("%q: %d %s", c, exit, errs)
		}
	}
	exit, _, errs := s.run(t, day, "-person", "nobody.here")
	if exit == 0 || !strings.Contains(errs, "nobody is called so") {
		t.Errorf("somebody nobody knows: %d %s", exit, errs)
	}
}

// Nothing to do is one line, and with -q none.
func TestNothingToDo(t *testing.T) {
	t.Parallel()
	s := start(t, 40)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatal(errs)
	}
	for _, args := range [][]string{{}, {"-apply"}, {"-out", t.TempDir()}} {
		exit, out, errs := s.run(t, day, args...)
		if exit != 0 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "Nothing to do. Plan ") {
			t.Errorf("%q: %d %s\n%s", args, exit, errs, out)
		}
		if exit, out, errs := s.run(t, day, append(args, "-q")...); exit != 0 || out+errs != "" {
			t.Errorf("%q -q: %d %s%s", args, exit, out, errs)
		}
	}
}
