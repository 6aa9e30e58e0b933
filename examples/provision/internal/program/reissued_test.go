package program_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// pupil is a row of a pupil of the sandbox's first school, as the export has it.
var pupil = regexp.MustCompile(`(?m)^(\d+);S;([^;]*);([^;]*);ps-muehlegut;P;([^;]*)((?:;[^;\n]*){5})$`)

// An id of the export is given to somebody else: the account stays what it is, the plan
// names both, and the acknowledgement says so to the school administration and to the
// school, in German and French, without exit status 0.
func TestReissuedIDIsAcknowledged(t *testing.T) {
	t.Parallel()
	s := start(t, 150)
	today := s.District.Today()
	if status, out, errs := s.run(t, today, "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	before, _ := s.look(t)
	file := filepath.Join(s.dir, "export", "export.csv")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	row := pupil.FindStringSubmatch(string(b))
	if row == nil {
		t.Fatalf("no pupil in\n%s", b)
	}
	id, name := row[1], row[3]+" "+row[2]
	other := id + ";S;Wyss;Gerold;sek-rosenfeld;S;7a" + row[5]
	if err := os.WriteFile(file, []byte(strings.Replace(string(b), row[0], other, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	status, out, errs := s.run(t, today+1, "-apply", "-out", dir)
	if status != 3 || !strings.Contains(out, "(guard identity)") || !strings.Contains(out, name) ||
		!strings.Contains(out, "Gerold Wyss") {
		t.Errorf("status %d, want 3\n%s%s", status, out, errs)
	}
	files, err := filepath.Glob(filepath.Join(dir, "acknowledgement*.csv"))
	schools, err2 := filepath.Glob(filepath.Join(dir, "schools", "acknowledgement*.csv"))
	if err != nil || err2 != nil || len(files) != 1 || len(schools) == 0 {
		t.Fatal(files, schools, err, err2)
	}
	told := 0
	for _, f := range append(files, schools...) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			if !strings.Contains(line, id) {
				continue
			}
			if told++; !strings.Contains(line, "Diese Nummer stand bisher für jemand anderen") ||
				!strings.Contains(line, "Cet identifiant désignait jusqu’ici quelqu’un d’autre") {
				t.Errorf("%s says %s", f, line)
			}
		}
	}
	if told < 2 {
		t.Errorf("id %s is told in %d lines of %v and %v", id, told, files, schools)
	}
	after, _ := s.look(t)
	for i := range before {
		if before[i].Key.ID == id && (after[i].Key != before[i].Key || after[i].FamilyName != before[i].FamilyName ||
			after[i].Memberships[0].School != "ps-muehlegut") {
			t.Errorf("the account is now %+v", after[i])
		}
	}
}

// Folders whose names have what patterns are made of are folders like others: of the
// district, its state with the lists of passwords, the export and what is left for people.
func TestFoldersOfAnyName(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(30)))(t)
	s := &playground{sb, filepath.Join(t.TempDir(), "Schulen [neu] *?{a,b}")}
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := sb.WriteDir(s.dir); err != nil {
		t.Fatal(err)
	}
	today, dir := s.District.Today(), filepath.Join(s.dir, "out [1]")
	if status, out, errs := s.run(t, today, "-apply", "-out", dir); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	lists, err := os.ReadDir(filepath.Join(s.dir, "state", "initial-passwords"))
	if err != nil || len(lists) == 0 {
		t.Fatal(lists, err)
	}
	lines := 0
	for _, l := range lists {
		b, err := os.ReadFile(filepath.Join(s.dir, "state", "initial-passwords", l.Name()))
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(b), "\n") - 1
	}
	accounts, _ := s.look(t)
	ours := 0
	for _, a := range accounts {
		if !a.Key.IsZero() {
			ours++
		}
	}
	if lines != ours || ours == 0 {
		t.Errorf("%d passwords of %d accounts", lines, ours)
	}
	// The next night finds nothing, knows what has run, and can take it back.
	status, out, errs := s.run(t, today+1, "-apply", "-out", dir)
	if status != 0 || !strings.Contains(out, "Nothing to do") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := s.run(t, today+1, "-verify-journal"); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) < 4 {
		t.Errorf("%d files are left for people: %v", len(files), err)
	}
	if runs, err := os.ReadDir(filepath.Join(s.dir, "state", "runs")); err != nil || len(runs) == 0 {
		t.Errorf("%d runs are kept: %v", len(runs), err)
	}
}
