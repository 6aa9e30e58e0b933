package program_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
)

// Every run keeps its folder, whatever -out says, and a run that cannot leave
// its reports where they shall be begins nothing.
func TestEveryRunIsKept(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	out := filepath.Join(s.dir, "out")
	if err := os.WriteFile(out, nil, 0o600); err != nil { // no folder can be there
		t.Fatal(err)
	}
	before := s.written()
	if status, _, errs := s.run(t, day, "-apply", "-out", out); status != 2 || s.written() != before {
		t.Errorf("status %d: %s; written %s, before %s", status, errs, s.written(), before)
	}
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	for range 3 { // the first makes everything, the others find nothing to do
		if status, text, errs := s.run(t, day, "-apply", "-out", out); status != 0 {
			t.Fatalf("status %d\n%s%s", status, text, errs)
		}
	}
	runs, err := os.ReadDir(filepath.Join(s.dir, "state", "runs"))
	if err != nil || len(runs) != 3 {
		t.Fatalf("%d runs are kept: %v", len(runs), err)
	}
	for _, r := range runs {
		for _, name := range []string{"plan.json", "plan.txt", "report.txt", "report.json", "report.html",
			"acknowledgement.csv"} {
			info, err := os.Stat(filepath.Join(s.dir, "state", "runs", r.Name(), name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s/%s: %v", r.Name(), name, err)
			}
		}
	}
	if !strings.HasSuffix(runs[2].Name(), "-2") && !strings.HasSuffix(runs[1].Name(), "-2") {
		t.Errorf("the same plan twice: %v", runs)
	}
}

// A plan that was applied elsewhere is not taken back here.
func TestUndoOfAnotherDistrict(t *testing.T) {
	t.Parallel()
	here, there := start(t, 30), start(t, 40)
	day := here.District.Today()
	for _, s := range []*playground{here, there} {
		if status, text, errs := s.run(t, day, "-apply", "-out", filepath.Join(s.dir, "out")); status != 0 {
			t.Fatalf("status %d\n%s%s", status, text, errs)
		}
	}
	before := here.written()
	for _, run := range []string{filepath.Join(there.dir, "out", "plan.json"), "2026-01-01-abc", "nothing", ".."} {
		if status, _, errs := here.run(t, day, "-undo", run, "-apply"); status != 2 ||
			!strings.Contains(errs, "never applied here") && !strings.Contains(errs, "no run") {
			t.Errorf("-undo %s: status %d: %s", run, status, errs)
		}
	}
	if here.written() != before {
		t.Error("something was written")
	}
	// By id, by folder, and by file it works for one's own.
	runs, err := os.ReadDir(filepath.Join(here.dir, "state", "runs"))
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	name := runs[0].Name()
	for _, run := range []string{name, name[len("2026-08-10-"):], filepath.Join(here.dir, "out", "plan.json")} {
		if status, _, errs := here.run(t, day, "-undo", run); status != 3 {
			t.Errorf("-undo %s: status %d: %s", run, status, errs)
		}
	}
}

// A plan of another day is applied only where people are made up, and only when it
// is asked for.
func TestOtherDaysAreForTheSandbox(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	main := func(args ...string) (int, string) {
		var errs strings.Builder
		status := program.Main(t.Context(), append([]string{"-config", s.config(), "-q"}, args...), io.Discard, &errs)
		return status, errs.String()
	}
	before := s.written()
	if status, errs := main("-now", day.String(), "-apply"); status != 2 || !strings.Contains(errs, "-any-day") {
		t.Errorf("without -any-day: status %d: %s", status, errs)
	}
	text, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Replace(string(text), "sandbox = true", "", 1)
	if plain == string(text) {
		t.Fatal("the sandbox is not marked as one")
	}
	if err := os.WriteFile(s.config(), []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, errs := main("-now", day.String(), "-apply", "-any-day"); status != 2 ||
		!strings.Contains(errs, "sandbox = true") {
		t.Errorf("no sandbox: status %d: %s", status, errs)
	}
	if s.written() != before {
		t.Error("something was written")
	}
	if status, errs := main("-now", day.String()); status != 0 {
		t.Errorf("looking ahead: status %d: %s", status, errs)
	}
	today := schoolmail.DateOf(time.Now()).String()
	if status, errs := main("-now", today, "-any-day", "-apply"); status != 0 { // as good as without
		t.Errorf("today: status %d: %s", status, errs)
	}
}

// An empty state folder beside a directory full of our accounts is told.
func TestNewJournalIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	if status, out, errs := s.run(t, day); status != 0 || strings.Contains(out, "new-journal") {
		t.Errorf("nobody there yet: status %d\n%s%s", status, out, errs)
	}
	if status, out, errs := s.run(t, day, "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if status, out, _ := s.run(t, day, "-apply"); status != 0 || strings.Contains(out, "new-journal") {
		t.Errorf("with its journal: status %d\n%s", status, out)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "state")); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := s.run(t, day, "-apply"); status != 3 || !strings.Contains(out, "but 30 managed accounts exist") {
		t.Errorf("without its journal: status %d\n%s", status, out)
	}
}

// A journal that was shortened is told; one that was changed is refused, with what
// to do; -verify-journal sees both, also what a crash cannot explain.
func TestJournalDamage(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	if status, out, errs := s.run(t, day, "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	verify := func() (int, string, string) {
		var out, errs strings.Builder
		status := program.Main(t.Context(), []string{"-config", s.config(), "-verify-journal"}, &out, &errs)
		return status, out.String(), errs.String()
	}
	if status, out, errs := verify(); status != 0 || !strings.Contains(out, "The journal is whole: 1 files") {
		t.Errorf("as it was: status %d: %s%s", status, out, errs)
	}
	file := filepath.Join(s.dir, "state", "journal.jsonl")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(string(good), "create-account.", "create-account!", 1))
	before := s.written()
	for _, run := range []func() (int, string, string){verify, func() (int, string,
		string) {
		return s.run(t, day, "-apply")
	}} {
		if status, _, errs := run(); status != 1 || !strings.Contains(errs, "damaged") ||
			!strings.Contains(errs, "Restore the file") {
			t.Errorf("changed: status %d: %s", status, errs)
		}
	}
	if s.written() != before {
		t.Error("something was written")
	}
	write(string(good[:len(good)-37]))
	if status, out, _ := verify(); status != 1 || !strings.Contains(out, "are no whole entry") {
		t.Errorf("cut: status %d: %s", status, out)
	}
	if status, out, errs := s.run(t, day, "-apply"); status != 3 || !strings.Contains(out, "journal-cut") {
		t.Errorf("cut: status %d\n%s%s", status, out, errs)
	}
	if status, _, errs := verify(); status != 1 || !strings.Contains(errs, "kept runs remember more") {
		t.Errorf("cut, and gone on with: status %d: %s", status, errs)
	}
}

// Whoever interrupts a run is told how to go on, in one line, and the schools hear
// nothing of it.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := &watched{word: "applying plan", then: cancel}
	var out strings.Builder
	status := program.Main(ctx, []string{"-config", s.config(), "-now", day.String(), "-any-day", "-apply"}, &out, errs)
	if status != 1 || !strings.Contains(errs.String(), "interrupted; run the same command to go on") ||
		strings.Contains(out.String(), "skipped: ") {
		t.Errorf("status %d\n%s%s", status, out.String(), errs.String())
	}
	runs, err := os.ReadDir(filepath.Join(s.dir, "state", "runs"))
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	ack, err := os.ReadFile(filepath.Join(s.dir, "state", "runs", runs[0].Name(), "acknowledgement.csv"))
	if err != nil || strings.Count(string(ack), "\n") != 1 {
		t.Errorf("%s %v", ack, err)
	}
	if status, out, errs := s.run(t, day, "-apply"); status != 0 {
		t.Errorf("the same command again: status %d\n%s%s", status, out, errs)
	}
}

// What is applied says who has approved it and who applies it, in report and journal.
func TestApprovalIsOnRecord(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	file := filepath.Join(s.dir, "plan.json")
	if status, _, errs := s.run(t, day, "-plan", file); status != 0 {
		t.Fatal(errs)
	}
	var out strings.Builder
	if status := program.Main(t.Context(), []string{"-approve", file}, &out, io.Discard); status != 0 ||
		!strings.Contains(out.String(), "has approved plan") {
		t.Fatalf("status %d: %s", status, out.String())
	}
	if status, out, errs := s.run(t, day, "-apply-plan", file); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	runs, err := os.ReadDir(filepath.Join(s.dir, "state", "runs"))
	if err != nil || len(runs) != 1 {
		t.Fatal(runs, err)
	}
	for _, f := range []string{filepath.Join("runs", runs[0].Name(), "report.txt"), "journal.jsonl"} {
		b, err := os.ReadFile(filepath.Join(s.dir, "state", f))
		if err != nil || !strings.Contains(strings.ToLower(string(b)), "approved by ") ||
			!strings.Contains(string(b), "applied by ") {
			t.Errorf("%s does not say who: %v", f, err)
		}
	}
}
