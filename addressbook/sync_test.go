package addressbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// bigVillage has a class large enough to be filled by import.
func bigVillage() []schoolmail.Account {
	people := village()
	for i := range 12 {
		people = append(people, someone(fmt.Sprintf("kid%02d pupil 2 au:5c", i)))
	}
	return people
}

var importSoon = &Options{ImportFrom: 8}

func storesFor(people []schoolmail.Account) map[schoolmail.ContextID]Store {
	stores := map[schoolmail.ContextID]Store{}
	for _, a := range people {
		stores[a.Context] = newFake(9, usersOf(a.Context, people), []Group{{ID: 5, Name: "lehrer-au"}})
	}
	return stores
}

func shapes(stores map[schoolmail.ContextID]Store) string {
	var b strings.Builder
	for c := range schoolmail.ContextID(9) {
		if s, ok := stores[c]; ok {
			fmt.Fprintf(&b, "context %d\n%s\n", c, s.(*fakeStore).shape())
		}
	}
	return b.String()
}

func mustSync(t testing.TB, rules Rules, want Desired, stores map[schoolmail.ContextID]Store, day schoolmail.Date,
	opts *Options) Report {
	t.Helper()
	r, err := Sync(t.Context(), rules, want, stores, day, opts)
	if err := errors.Join(err, r.Err()); err != nil {
		t.Fatal(err)
	}
	return r
}

func nothingLeft(t testing.TB, rules Rules, want Desired, stores map[schoolmail.ContextID]Store, day schoolmail.Date) {
	t.Helper()
	for _, c := range mustSync(t, rules, want, stores, day, nil).Contexts {
		if !c.Plan.Empty() {
			t.Errorf("context %d: a second run finds %v", c.Plan.Context, c.Plan.Counts())
		}
	}
}

// TestCrashAtEveryRequest ends the run before and after every single request
// of a first fill and of a changed second day, and lets the next run finish.
func TestCrashAtEveryRequest(t *testing.T) {
	t.Parallel()
	rules := exactRules()
	first := bigVillage()
	second := slices.Clone(first)
	second[0].DisplayName, second[4].DisplayName = "Tina Neu", "Anna Graf"
	second[6].Memberships = []schoolmail.Membership{{School: "au", Classes: []string{"3c"}}} // cleo's class has a new name
	// dora leaves, and with her a class
	second[7].State = schoolmail.Deactivated
	wantFirst, wantSecond := mustBuild(t, rules, first), mustBuild(t, rules, second)

	undisturbed := storesFor(first)
	mustSync(t, rules, wantFirst, undisturbed, someDay, importSoon)
	afterFirst := shapes(undisturbed)
	mustSync(t, rules, wantSecond, undisturbed, someDay, importSoon)
	afterSecond := shapes(undisturbed)

	boom := errors.New("connection lost")
	crashed := 0
	for c := range schoolmail.ContextID(4) {
		if c == 0 {
			continue
		}
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				stores := storesFor(first)
				s := stores[c].(*fakeStore)
				hit := false
				crashAt := func(request int) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					s.crash = func(r int, a bool) error {
						if r == request && a == after {
							hit = true
							cancel() // the process is gone, nothing comes after
							return boom
						}
						return nil
					}
					_, _ = Sync(ctx, rules, wantFirst, stores, someDay, importSoon)
					s.crash = nil
				}
				crashAt(n)
				if !hit {
					break
				}
				crashed++
				mustSync(t, rules, wantFirst, stores, someDay, importSoon)
				if diff := cmp.Diff(afterFirst, shapes(stores)); diff != "" {
					t.Fatalf("context %d, request %d, after=%v: -undisturbed +crashed\n%s", c, n, after, diff)
				}
				nothingLeft(t, rules, wantFirst, stores, someDay)
			}
			for n := 1; ; n++ {
				stores := storesFor(first)
				mustSync(t, rules, wantFirst, stores, someDay, importSoon)
				s := stores[c].(*fakeStore)
				s.requests = 0
				hit := false
				ctx, cancel := context.WithCancel(t.Context())
				s.crash = func(r int, a bool) error {
					if r == n && a == after {
						hit = true
						cancel()
						return boom
					}
					return nil
				}
				_, _ = Sync(ctx, rules, wantSecond, stores, someDay, importSoon)
				s.crash = nil
				cancel()
				if !hit {
					break
				}
				crashed++
				mustSync(t, rules, wantSecond, stores, someDay, importSoon)
				if diff := cmp.Diff(afterSecond, shapes(stores)); diff != "" {
					t.Fatalf("second day, context %d, request %d, after=%v: -undisturbed +crashed\n%s", c, n, after, diff)
				}
			}
		}
	}
	if crashed < 50 {
		t.Errorf("only %d crashes; the test saw too little", crashed)
	}
}

// A connection that breaks once must not end the run.
func TestLostAnswersAreLookedUp(t *testing.T) {
	t.Parallel()
	rules := exactRules()
	people := bigVillage()
	want := mustBuild(t, rules, people)
	undisturbed := storesFor(people)
	mustSync(t, rules, want, undisturbed, someDay, nil)
	for n := 2; n < 12; n++ {
		stores := storesFor(people)
		s := stores[2].(*fakeStore)
		s.crash = func(r int, after bool) error {
			if r == n && after && !s.reading { // reads are repeated by the client
				return errors.New("answer lost")
			}
			return nil
		}
		r, err := Sync(t.Context(), rules, want, stores, someDay, nil)
		if err := errors.Join(err, r.Err()); err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		if diff := cmp.Diff(shapes(undisturbed), shapes(stores)); diff != "" {
			t.Fatalf("request %d: -undisturbed +disturbed\n%s", n, diff)
		}
	}
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	rules := exactRules()
	people := bigVillage()
	want := mustBuild(t, rules, people)
	alone := storesFor(people)
	mustSync(t, rules, want, alone, someDay, importSoon)
	for range 30 {
		stores := storesFor(people)
		var wg sync.WaitGroup
		for range 2 {
			// Each may fail because the other is at work; together they must
			// not leave anything that one more run does not put right.
			wg.Go(func() { _, _ = Sync(t.Context(), rules, want, stores, someDay, importSoon) })
		}
		wg.Wait()
		mustSync(t, rules, want, stores, someDay, importSoon)
		if diff := cmp.Diff(shapes(alone), shapes(stores)); diff != "" {
			t.Fatalf("-alone +together\n%s", diff)
		}
	}
}

func TestGrace(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := village()
	stores := storesFor(people)
	full := mustBuild(t, rules, people)
	mustSync(t, rules, full, stores, someDay, nil)
	start := shapes(stores)
	without := slices.DeleteFunc(slices.Clone(people), func(a schoolmail.Account) bool { return a.Username == "cleo" })
	gone := mustBuild(t, rules, without)
	class := func() *Folder {
		for _, f := range stores[3].(*fakeStore).snap.Folders {
			if f.Title == "Klasse 3b" {
				return &f
			}
		}
		return nil
	}
	mustSync(t, rules, gone, stores, someDay+1, nil)
	if f := class(); f == nil || permissionText(f.Permissions, 99) != "user 9 owner" || len(f.Entries) != 2 {
		t.Fatalf("after a day: %+v, want hidden and complete", f)
	}
	nothingLeft(t, rules, gone, stores, someDay+2)
	mustSync(t, rules, full, stores, someDay+3, nil)
	if diff := cmp.Diff(start, shapes(stores)); diff != "" {
		t.Errorf("the class came back: -before +after\n%s", diff)
	}
	mustSync(t, rules, gone, stores, someDay+10, nil)
	mustSync(t, rules, gone, stores, someDay+23, nil)
	if class() == nil {
		t.Error("removed after 13 days of 14")
	}
	mustSync(t, rules, gone, stores, someDay+24, nil)
	if f := class(); f != nil {
		t.Errorf("still there after 14 days: %+v", f)
	}
	for _, f := range stores[3].(*fakeStore).snap.Folders {
		t.Errorf("left over: %q", f.Title)
	}
}

func TestUnreadablePeopleDoNotEmptyTheBooks(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	people := village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	before := stores[1].(*fakeStore).shape()
	want := mustBuild(t, rules, people)
	want.Contexts = want.Contexts[1:]
	r := mustSync(t, rules, want, stores, someDay+1, nil)
	if stores[1].(*fakeStore).shape() != before {
		t.Error("the books of context 1 were touched")
	}
	if !r.Contexts[0].Plan.Held {
		t.Error("the plan does not say that something is held")
	}
	if got := fmt.Sprint(r.Contexts[0].Plan.Findings); !strings.Contains(got, "10 of 10 books would vanish") {
		t.Errorf("findings %s", got)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	t.Parallel()
	people := village()
	stores := storesFor(people)
	before := shapes(stores)
	r := mustSync(t, villageRules(), mustBuild(t, villageRules(), people), stores, someDay, &Options{DryRun: true})
	if shapes(stores) != before {
		t.Error("a dry run wrote")
	}
	if r.Contexts[0].Plan.Counts().FoldersCreated == 0 || r.Done() != (Counts{}) {
		t.Errorf("planned %v, done %v", r.Contexts[0].Plan.Counts(), r.Done())
	}
}

func TestOneContextFailsOthersDoNot(t *testing.T) {
	t.Parallel()
	people := village()
	want := mustBuild(t, villageRules(), people)
	stores := storesFor(people)
	down := errors.New("down")
	stores[2].(*fakeStore).crash = func(int, bool) error { return down }
	delete(stores, 3)
	r, err := Sync(t.Context(), villageRules(), want, stores, someDay, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Contexts[0].Err != nil || !errors.Is(r.Contexts[1].Err, down) || r.Contexts[2].Err == nil {
		t.Errorf("errors %v, %v, %v", r.Contexts[0].Err, r.Contexts[1].Err, r.Contexts[2].Err)
	}
	if !strings.Contains(stores[1].(*fakeStore).shape(), "Klasse 3a") {
		t.Error("context 1 has no books")
	}
}

func TestHandMadeChangesAreUndone(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, stores, someDay, nil)
	before := stores[1].(*fakeStore).shape()
	tests := []struct {
		name string
		do   func(s *Snapshot)
	}{
		{"entry deleted", func(s *Snapshot) { s.Folders[2].Entries = s.Folders[2].Entries[1:] }},
		{"entry edited", func(s *Snapshot) { s.Folders[2].Entries[0].Mail = "x@example.net" }},
		{"entry doubled", func(s *Snapshot) {
			e := s.Folders[2].Entries[0]
			e.ID = "9000"
			s.Folders[2].Entries = append(s.Folders[2].Entries, e)
		}},
		{"head deleted", func(s *Snapshot) {
			s.Folders[3].Entries = slices.DeleteFunc(s.Folders[3].Entries,
				func(e Stored) bool { return rulesKind(e) == bookKey })
		}},
		{"folder renamed", func(s *Snapshot) { s.Folders[4].Title = "Mein Ordner" }},
		{"folder moved", func(s *Snapshot) { s.Folders[4].Parent = PublicFolder }},
		{"reader added", func(s *Snapshot) {
			s.Folders[1].Permissions = append(slices.Clone(s.Folders[1].Permissions), Permission{Entity: 77, Right: ReadOnly})
		}},
		{"writer made", func(s *Snapshot) {
			s.Folders[1].Permissions = slices.Clone(s.Folders[1].Permissions)
			s.Folders[1].Permissions[1].Right = Other
		}},
		{"everything in it deleted", func(s *Snapshot) { s.Folders[3].Entries = nil }},
		{"folder deleted", func(s *Snapshot) { s.Folders = s.Folders[:len(s.Folders)-1] }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newFake(9, nil, nil)
			s.snap = cloneSnapshot(stores[1].(*fakeStore).snap)
			s.next = 500
			tt.do(&s.snap)
			if s.shape() == before {
				t.Fatal("the test changed nothing")
			}
			syncOne(t, rules, s, booksOf(want, 1))
			if diff := cmp.Diff(before, s.shape()); diff != "" {
				t.Errorf("-before +repaired\n%s", diff)
			}
		})
	}
}

func rulesKind(e Stored) string { return villageRules().kindOf(e.Key) }

func TestEvents(t *testing.T) {
	t.Parallel()
	people := village()
	var stages []string
	opts := &Options{Observer: ObserverFunc(func(e Event) {
		if e.Context == 3 {
			stages = append(stages, string(e.Stage))
		}
		if e.Stage == Finished && e.Context == 3 && e.Counts.FoldersCreated != 3 {
			t.Errorf("finished with %v", e.Counts)
		}
	})}
	mustSync(t, villageRules(), mustBuild(t, villageRules(), people), storesFor(people), someDay, opts)
	if got, want := strings.Join(slices.Compact(stages), " "), "loading planned working planned finished"; got != want {
		t.Errorf("stages %s, want %s", got, want)
	}
}

// Two schools that swap their names swap their folders' titles, too.
func TestTitlesAreSwapped(t *testing.T) {
	t.Parallel()
	rules, people := exactRules(), village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	id := func(title string) string {
		for _, f := range stores[1].(*fakeStore).snap.Folders {
			if f.Title == title {
				return f.ID
			}
		}
		return "none"
	}
	au, berg := id("Schule Au"), id("Schule Berg")
	rules.Schools = []School{{"au", "Schule Berg"}, {"berg", "Schule Au"}}
	want := mustBuild(t, rules, people)
	mustSync(t, rules, want, stores, someDay, nil)
	if got := id("Schule Berg") + " " + id("Schule Au"); got != au+" "+berg {
		t.Errorf("folders %s, want %s %s", got, au, berg)
	}
	nothingLeft(t, rules, want, stores, someDay)
}

// A gone book gives way when its title is wanted for another one.
func TestGoneBookGivesWay(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	mustSync(t, rules, mustBuild(t, rules, people), stores, someDay, nil)
	s := stores[1].(*fakeStore)
	for i, f := range s.snap.Folders { // by hand: 3a is called 9z, and 3b has its title
		switch f.Title {
		case "Klasse 3a":
			s.snap.Folders[i].Title = "Klasse 9z"
		case "Klasse 3b":
			s.snap.Folders[i].Title = "Klasse 3a"
		}
	}
	want := mustBuild(t, rules, slices.DeleteFunc(people, func(a schoolmail.Account) bool { return a.Username == "cleo" }))
	mustSync(t, rules, want, stores, someDay, nil)
	nothingLeft(t, rules, want, stores, someDay)
	hidden := 0
	for _, f := range s.snap.Folders {
		if f.Title == "Klasse 3a" && len(f.Permissions) < 2 {
			t.Error("Klasse 3a is the hidden book")
		}
		if strings.HasPrefix(f.Title, "Klasse 3a ~") {
			hidden++
		}
	}
	if hidden != 1 {
		t.Errorf("%d folders gave way, want 1", hidden)
	}
}

// With the global address list closed the service account sees no login
// names of others, only addresses.
func TestUsersAreFoundByAddress(t *testing.T) {
	t.Parallel()
	people := village()
	s := newFake(9, usersOf(1, people), nil)
	for i := range s.snap.Users {
		if s.snap.Users[i].ID != 9 {
			s.snap.Users[i].Login = ""
		}
		s.snap.Users[i].Mail = strings.ToUpper(s.snap.Users[i].Mail)
	}
	open := newFake(9, usersOf(1, people), nil)
	want := booksOf(mustBuild(t, villageRules(), people), 1)
	syncOne(t, villageRules(), s, want)
	syncOne(t, villageRules(), open, want)
	if diff := cmp.Diff(open.shape(), s.shape()); diff != "" {
		t.Errorf("-by login +by address\n%s", diff)
	}
}

// What the server refuses for good ends the run, is said, and keeps nothing
// else from being done.
func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	rules, people := villageRules(), village()
	stores := storesFor(people)
	s := stores[2].(*fakeStore)
	hidden := errors.New("reserved name")
	s.refuse = func(op Op) error {
		if c, ok := op.(CreateFolder); ok && c.Title == "Klasse 3a" {
			return hidden
		}
		return nil
	}
	r, err := Sync(t.Context(), rules, mustBuild(t, rules, people), stores, someDay, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := r.Contexts[1]
	if !errors.Is(c.Err, hidden) || c.Rounds != 2 || c.Failed != 2 {
		t.Errorf("error %v, %d rounds, %d failed", c.Err, c.Rounds, c.Failed)
	}
	if got := c.Plan.Counts().FoldersCreated - c.Done.FoldersCreated; got != 1 ||
		!strings.Contains(s.shape(), "Klasse 1b (alle)") {
		t.Errorf("%d folders were not made; there is\n%s", got, s.shape())
	}
}
