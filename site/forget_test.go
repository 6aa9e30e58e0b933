package site_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// people is an export of teachers: the id of each with given and family name.
type people map[string]string

func (l people) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	d := schoolmail.Delivery{Source: "escada", Kind: schoolmail.DeliveryFull, Rows: len(l),
		Fingerprint: fmt.Sprint(len(l))}
	for id, name := range l {
		given, family, _ := strings.Cut(name, " ")
		d.Records = append(d.Records, schoolmail.Record{Key: schoolmail.RecordKey{Source: "escada", ID: id},
			Role: schoolmail.RoleTeacher, GivenName: given, FamilyName: family,
			NoticeMail:  strings.ToLower(given) + "@home.example",
			Memberships: []schoolmail.Membership{{School: "ps-birkenhof"}}})
	}
	return d, nil
}

// night is one run of the site.
func night(t *testing.T, set *site.Settings, export people, day schoolmail.Date) *site.Act {
	t.Helper()
	s, err := site.Open(set, &site.Parts{Reader: export})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
	if err != nil || acts[0].Err != nil {
		t.Fatal(err, acts)
	}
	return acts[0]
}

// found returns the files in a folder that have a word in them.
func found(t *testing.T, dir string, words ...string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(file)
		for _, w := range words {
			if strings.Contains(strings.ToLower(string(b)), strings.ToLower(w)) {
				files = append(files, file+" has "+w)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// What is kept of runs names people by the ids of their records, with their names
// beside it; who is purged is named nowhere any more, and that is proved without the
// name. Journal and plans stay whole.
func TestPurgedPeopleAreForgotten(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	all := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver", "4": "Damian Yersin"}
	some := people{"2": all["2"], "3": all["3"], "4": all["4"]}
	names := []string{"Ottilie", "Zumthor", "Balthasar", "Quirin"}
	night(t, set, all, day)
	for _, f := range found(t, set.StateDir, names...) {
		if file, _, _ := strings.Cut(f, " has "); filepath.Base(file) != "names.json" && filepath.Ext(file) != ".csv" {
			t.Errorf("a kept file names people: %s", f)
		}
	}
	if f := found(t, set.StateDir, "Ottilie"); len(f) != 3 { // journal's and run's names, password list
		t.Errorf("named in %v", f)
	}
	day++
	noticed := night(t, set, some, day)
	day += 57
	deactivated := night(t, set, some, day)
	night(t, set, some, day) // nothing more to do
	if n := deactivated.Plan.Count()[schoolmail.KindDeactivate]; n != 1 {
		t.Fatalf("%d deactivated: %s", n, deactivated.Plan.Summary())
	}
	day += schoolmail.Date(sb.Policy.LifeCycle.PurgeDays) + 1
	purged := night(t, set, some, day)
	if n := purged.Plan.Count()[schoolmail.KindPurge]; n != 1 {
		t.Fatalf("%d purged: %s", n, purged.Plan.Summary())
	}
	if f := found(t, set.StateDir, "Ottilie", "Zumthor"); len(f) > 0 {
		t.Errorf("still named: %v", f)
	}
	if f := found(t, set.StateDir, "Balthasar"); len(f) != 3 {
		t.Errorf("somebody else is forgotten: %v", f)
	}
	if rep, err := site.VerifyJournal(set); err != nil || len(rep.Missing) > 0 {
		t.Errorf("the journal is not whole any more: %v %v", rep, err)
	}
	s, err := site.Open(set, &site.Parts{Reader: some})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	proofs, err := s.Deletions()
	want := site.Deletion{Record: "escada/1", Day: day, Runs: 4, Passwords: 1}
	if len(proofs) == 1 {
		want.Time = proofs[0].Time
	}
	if err != nil || len(proofs) != 1 || proofs[0] != want {
		t.Errorf("proofs %+v, %v", proofs, err)
	}
	w, err := s.Look(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{noticed.Plan.Header.ID, deactivated.Plan.Header.ID} { // can still be read
		plan, err := s.FindRun(ref)
		if err != nil {
			t.Fatal(err)
		}
		undo, err := s.Undo(w, plan)
		if err != nil || len(undo.Steps) != 0 || len(undo.Held) != 1 {
			t.Errorf("undo %s: %v, %v", ref, undo, err)
		}
	}
}

// A crash between the purge and the forgetting loses nothing: the next run forgets.
func TestForgettingIsMadeUpFor(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	all := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver", "4": "Damian Yersin"}
	some := people{"2": all["2"], "3": all["3"], "4": all["4"]}
	night(t, set, all, day)
	night(t, set, some, day+1)
	night(t, set, some, day+58)
	day += 60 + schoolmail.Date(sb.Policy.LifeCycle.PurgeDays)
	// The names of an early run cannot be read: forgetting fails.
	runs, err := filepath.Glob(filepath.Join(set.StateDir, "runs", "*", "names.json"))
	if err != nil || len(runs) < 3 {
		t.Fatal(runs, err)
	}
	good, err := os.ReadFile(runs[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runs[0], []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := site.Open(set, &site.Parts{Reader: some})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true}); err == nil ||
		!strings.Contains(err.Error(), "the next run takes them out") {
		t.Errorf("forgetting failed without a word: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(runs[0], good, 0o600); err != nil {
		t.Fatal(err)
	}
	night(t, set, some, day)
	if f := found(t, set.StateDir, "Ottilie", "Zumthor"); len(f) > 0 {
		t.Errorf("still named: %v", f)
	}
}

// Folders of runs go when their time is over, on the day after, and nothing else.
func TestRunsAreKeptForTheirTime(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	set.Retention = 10
	all := people{"1": "Ottilie Zumthor"}
	first := night(t, set, all, day)
	foreign := filepath.Join(set.StateDir, "runs", "2001-by-hand")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	night(t, set, all, day+10)
	if _, err := os.Stat(first.Folder); err != nil {
		t.Errorf("gone on its last day: %v", err)
	}
	night(t, set, all, day+11)
	if _, err := os.Stat(first.Folder); err == nil {
		t.Error("still there")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("what is not ours is gone: %v", err)
	}
}

// stopper interrupts a run when the first step has ended.
func stopper(stop context.CancelFunc) site.Observer {
	return site.ObserverFunc(func(e site.Event) {
		if e.Stage == site.Stepped {
			stop()
		}
	})
}

// A plan that was cut off while it was applied is carried on as it was begun, and
// nobody can change it meanwhile, neither in the file that is applied nor in what is
// kept of it.
func TestBegunPlanIsCarriedOnAsItWasBegun(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	export := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver", "4": "Damian Yersin"}
	run := func(ctx context.Context, opts site.RunOptions) (*site.Act, error) {
		s, err := site.Open(set, &site.Parts{Reader: export})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		opts.Day = day
		acts, err := s.Run(ctx, &opts)
		if err != nil {
			return nil, err
		}
		return acts[0], nil
	}
	planned, err := run(t.Context(), site.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	act, err := run(ctx, site.RunOptions{Approved: planned.Plan, Observer: stopper(stop)})
	if err != nil || act.Err == nil {
		t.Fatalf("not interrupted: %v", err)
	}
	b, err := planned.Plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	edited, err := schoolmail.DecodePlan([]byte(strings.ReplaceAll(string(b), "Quirin", "Querkopf")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(t.Context(), site.RunOptions{Approved: edited}); err == nil ||
		!strings.Contains(err.Error(), "edited since") {
		t.Errorf("another name: %v", err)
	}
	file := filepath.Join(set.StateDir, "current-plan-names.json")
	if f := found(t, filepath.Join(set.StateDir, "current-plan.json"), "Quirin"); len(f) > 0 {
		t.Errorf("the plan under way names people: %v", f)
	}
	act, err = run(t.Context(), site.RunOptions{Apply: true})
	if err != nil || act.Err != nil || act.Plan.Header.ID != planned.Plan.Header.ID ||
		act.Result.Count(schoolmail.StatusDone) != len(planned.Plan.Steps) {
		t.Errorf("not carried on: %v %v", act, err)
	}
	// Without the names a plan is not carried on by halves: it is made anew.
	export["5"] = "Emanuel Zwicky"
	ctx, stop = context.WithCancel(t.Context())
	begun, err := run(ctx, site.RunOptions{Apply: true, Observer: stopper(stop)})
	if err != nil || begun.Err == nil {
		t.Fatalf("not interrupted: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if act, err = run(t.Context(), site.RunOptions{Apply: true}); err != nil || act.Title != "Run" {
		t.Errorf("without names: %q, %v", act.Title, err)
	}
}

// All that is kept about somebody can be told: while they are here, with everything
// that names them, and once they are purged, when only the proof is left.
func TestSubject(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	all := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Xaver", "4": "Damian Yersin"}
	some := people{"2": all["2"], "3": all["3"], "4": all["4"]}
	tell := func(who string, export people, day schoolmail.Date) string {
		t.Helper()
		set := *set
		set.PlanOnly = true
		s, err := site.Open(&set, &site.Parts{Reader: export})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w, err := s.Look(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := s.Plan(w)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := s.Subject(t.Context(), w, plan, who)
		if errors.Is(err, site.ErrNobody) {
			return "nobody"
		}
		var b strings.Builder
		if err == nil {
			err = sub.WriteText(&b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	night(t, set, all, day)
	text := tell("ottilie.zumthor", all, day)
	for _, want := range []string{"record escada/1", "mail ottilie.zumthor@", "private address: ottilie@home.example",
		"runs/" + day.String(), ", with names", "create: ", "create-account done", "initial-passwords/ps-birkenhof.csv"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "Balthasar") || strings.Contains(text, "balthasar") {
		t.Errorf("it tells of somebody else:\n%s", text)
	}
	night(t, set, some, day+1)
	night(t, set, some, day+58)
	night(t, set, some, day+60+schoolmail.Date(sb.Policy.LifeCycle.PurgeDays))
	text = tell("1", some, day+60)
	for _, want := range []string{"neither delivered nor in the directory", ", without names", "purge-account done",
		"in no list", "taken out of the names of 4 runs and 1 password lists"} {
		if !strings.Contains(text, want) {
			t.Errorf("purged: %q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(strings.ToLower(text), "zumthor") {
		t.Errorf("purged and named:\n%s", text)
	}
	if text := tell("nobody.at.all", some, day+60); text != "nobody" {
		t.Errorf("somebody unknown:\n%s", text)
	}
}

// TestRunWithoutTheNamesOfTheJournal: when the file of the names that belong into the
// journal is spoilt, nothing is done about anybody. A night on which nothing is to do
// needs no names.
func TestRunWithoutTheNamesOfTheJournal(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	export := people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin"}
	night(t, set, export, day)
	if err := os.WriteFile(filepath.Join(set.StateDir, "names.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	writes := sb.Writes()
	export["3"] = "Cornelia Xaver"
	s, err := site.Open(set, &site.Parts{Reader: export})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Run(t.Context(), &site.RunOptions{Day: day + 1, Apply: true}); err == nil ||
		!strings.Contains(err.Error(), "names.json") {
		t.Errorf("ran: %v", err)
	}
	for op, n := range sb.Writes() {
		if strings.HasPrefix(op, "ox") && n != writes[op] {
			t.Errorf("written: %s", op)
		}
	}
}
