package schoolmail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// lostPlace is a world in which Ida was transferred from context 20 to 30 with
// a grace of 14 days, and then her user in 30 was deleted by hand.
func lostPlace(t *testing.T) (*world, Policy) {
	t.Helper()
	w, p, plan := twoTerms(t, 14)
	if o := apply(t, w, plan); o.Status != StatusDone {
		t.Fatal(o.Error)
	}
	delete(w.contexts[30].users, "ida.abel")
	return w, p
}

func hasFinding(p *Plan, kind string) bool {
	return slices.ContainsFunc(p.Findings, func(f Finding) bool { return f.Kind == kind })
}

// While an old copy is all that is left of somebody, nothing is made anew beside
// it and it is not dropped, however long it takes and whatever the person does.
func TestLastCopyIsKept(t *testing.T) {
	t.Parallel()
	renamed := ida("secondary")
	renamed[0].FamilyName = "Abel-Muster"
	for _, test := range []struct {
		name string
		rs   []Record
	}{
		{"as before", ida("secondary")}, {"renamed", renamed}, {"back at the old school", ida("primary")}, {"gone", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p := lostPlace(t)
			for _, day := range []int{2, 14, 15, 16, 60, 90} {
				plan := planOf(t, p, w, test.rs, day0.AddDays(day))
				if !hasFinding(plan, "last-copy") {
					t.Errorf("day %d: no finding:\n%s", day, plan.Summary())
				}
				for _, s := range plan.Steps {
					switch s.Kind() {
					case KindNotice, KindDeactivate:
					default:
						t.Errorf("day %d: %s", day, s.ID)
					}
				}
				mustApply(t, w, plan)
				if u, ok := w.contexts[20].users["ida.abel"]; !ok || u.data != "data of ida.abel" {
					t.Fatalf("day %d: the last copy is gone", day)
				}
				if _, ok := w.contexts[30].users["ida.abel"]; ok {
					t.Fatalf("day %d: an empty user was made", day)
				}
			}
		})
	}
}

func mustApply(t *testing.T, w *world, plan *Plan) {
	t.Helper()
	if len(plan.Steps) > 0 {
		if o := apply(t, w, plan); o.Status != StatusDone {
			t.Errorf("%s: %s", o.Step, o.Error)
		}
	}
}

func restorePolicy(p Policy, until Date) Policy {
	p.Overrides = append(slices.Clone(p.Overrides), Override{Guard: "restore", Until: until, By: "H. Frei",
		Reason: "deleted by mistake"})
	return p
}

// On request the copy is brought back, and only then the old one may go, after
// another grace.
func TestLastCopyIsRestoredOnRequest(t *testing.T) {
	t.Parallel()
	w, p := lostPlace(t)
	held := planOf(t, p, w, ida("secondary"), day0.AddDays(20))
	wantSteps(t, held, nil, []string{"repair:escada/1"})
	if held.Held[0].Guard != "restore" {
		t.Errorf("held by %q: %s", held.Held[0].Guard, held.Held[0].Why)
	}
	asked := restorePolicy(p, day0.AddDays(20))
	wantSteps(t, w.run(asked, delivery(ida("secondary")), day0.AddDays(20)), []string{"repair:escada/1"}, nil)
	w.sound()
	if u := w.contexts[30].users["ida.abel"]; u.data != "data of ida.abel" || u.spec.Access != "pim" {
		t.Errorf("restored: %+v", u)
	}
	wantSteps(t, w.run(asked, delivery(ida("secondary")), day0.AddDays(20)), nil, nil)
	wantSteps(t, w.run(p, delivery(ida("secondary")), day0.AddDays(33)), nil, nil)
	wantSteps(t, w.run(p, delivery(ida("secondary")), day0.AddDays(34)), []string{"drop-copy:escada/1"}, nil)
	w.sound()
}

// A restore that is cut off anywhere ends, after further runs, with the person's
// data in place or with the last copy still there.
func TestRestoreCutOffAnywhere(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		w, p := lostPlace(t)
		asked := restorePolicy(p, day0.AddDays(20))
		plan := planOf(t, asked, w, ida("secondary"), day0.AddDays(20))
		calls, dead := 0, false
		w.fault = func(int, string, bool) error {
			if calls++; calls >= n {
				dead = true
				return fmt.Errorf("%w: %w", ErrLostAnswer, errCrash)
			}
			return nil
		}
		_, _ = Apply(t.Context(), plan, w.ports(), nil)
		w.fault = nil
		if !dead {
			return
		}
		w.run(asked, delivery(ida("secondary")), day0.AddDays(20))
		w.run(p, delivery(ida("secondary")), day0.AddDays(21))
		w.sound()
	}
}

// A user that was made anew beside the plan in the old context is not the copy
// that the account remembers: it is not brought back.
func TestOnlyTheRememberedCopyIsRestored(t *testing.T) {
	t.Parallel()
	w, p := lostPlace(t)
	plan := planOf(t, restorePolicy(p, day0.AddDays(20)), w, ida("secondary"), day0.AddDays(20))
	u := w.contexts[20].users["ida.abel"]
	u.id += 40
	w.contexts[20].users["ida.abel"] = u
	writes := w.writes
	if o := apply(t, w, plan); o.Status != StatusFailed || w.writes != writes {
		t.Errorf("%+v, %d writes", o, w.writes-writes)
	}
}

// A copy that is not complete is no reason to think that the place stands.
func TestRestoreThatFailsVerificationIsTakenAway(t *testing.T) {
	t.Parallel()
	w, p := lostPlace(t)
	w.failedRestore = true
	plan := planOf(t, restorePolicy(p, day0.AddDays(20)), w, ida("secondary"), day0.AddDays(20))
	w.fault = func(_ int, what string, done bool) error {
		if u, ok := w.contexts[30].users["ida.abel"]; ok && what == "copy-user" && done {
			u.data = "half"
			w.contexts[30].users["ida.abel"] = u
		}
		return nil
	}
	if o := apply(t, w, plan); o.Status != StatusFailed || !strings.Contains(o.Error, "not complete") {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	if _, ok := w.contexts[30].users["ida.abel"]; ok {
		t.Error("half a copy stands as the person's place")
	}
	if w.contexts[20].users["ida.abel"].data != "data of ida.abel" {
		t.Error("the last copy is gone")
	}
}

// Between planning and applying the place vanishes, or cannot be looked at: the
// old copy stays, and nobody gets an empty user.
func TestOldCopyNeedsTheLivePlaceWhenApplied(t *testing.T) {
	t.Parallel()
	renamed := ida("secondary")
	renamed[0].FamilyName = "Abel-Muster"
	for _, test := range []struct {
		name string
		rs   []Record
		day  int
		step string
	}{
		{"drop-copy", ida("secondary"), 15, "drop-copy:escada/1"},
		{"change", renamed, 2, "change:escada/1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 14)
			mustApply(t, w, plan)
			next := planOf(t, p, w, test.rs, day0.AddDays(test.day))
			wantSteps(t, next, []string{test.step}, nil)
			delete(w.contexts[30].users, "ida.abel")
			o := apply(t, w, next)
			if o.Status != StatusFailed || !strings.Contains(o.Error, "all that is left") {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			if _, ok := w.contexts[20].users["ida.abel"]; !ok {
				t.Error("the last copy is gone")
			}
			if _, ok := w.contexts[30].users["ida.abel"]; ok {
				t.Error("an empty user was made")
			}
		})
	}
	w, p, plan := twoTerms(t, 14)
	mustApply(t, w, plan)
	next := planOf(t, p, w, ida("secondary"), day0.AddDays(15))
	reads := 0
	w.fault = func(_ int, what string, _ bool) error {
		if what == "read" {
			if reads++; reads > 1 { // the account is read, OX does not answer
				return errors.New("OX is down")
			}
		}
		return nil
	}
	if o := apply(t, w, next); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	if _, ok := w.contexts[20].users["ida.abel"]; !ok {
		t.Error("the copy was dropped though nobody could see the place")
	}
}

// No copy outlives a purged account, but only a deactivated one is purged.
func TestPurgeTakesTheLastCopyAlong(t *testing.T) {
	t.Parallel()
	w, p := lostPlace(t)
	p.LifeCycle.PurgeDays = 10
	w.run(p, delivery(nil), day0.AddDays(2))
	w.run(p, delivery(nil), day0.AddDays(60))
	plan := planOf(t, p, w, nil, day0.AddDays(70))
	wantSteps(t, plan, []string{"drop-copy:escada/1", "purge:escada/1"}, nil)
	a := w.accounts["ida.abel"]
	back := a
	back.State, back.NoticedOn, back.Deactivated = Active, 0, 0
	w.accounts["ida.abel"] = back
	if o := apply(t, w, plan); o.Status == StatusDone {
		t.Errorf("%s: done", o.Step)
	}
	if _, ok := w.contexts[20].users["ida.abel"]; !ok {
		t.Error("the last copy of somebody active is gone")
	}
	w.accounts["ida.abel"] = a
	w.run(p, delivery(nil), day0.AddDays(70))
	if _, ok := w.contexts[20].users["ida.abel"]; ok || len(w.accounts) != 0 {
		t.Error("the copy outlives the account")
	}
}

// Old copies go in the number that a change of terms leaves behind, not all at
// once because of a wrong day or a shortened grace.
func TestDroppedCopiesAreGuarded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		copies  int
		free    int
		by      bool
		dropped int
	}{
		{"at the limit", 3, 3, false, 3},
		{"one above", 4, 3, false, 0},
		{"one above, but somebody answers for it", 4, 3, true, 4},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(14)
			p.Populations[1].Contexts = []ContextID{30}
			w := newWorld(t, p)
			var rs []Record
			for i := range test.copies {
				rs = append(rs, person(fmt.Sprint(i), fmt.Sprint("G", i), "Abel", RolePupil, at("ps-a", "primary")))
			}
			w.run(p, delivery(rs), day0)
			for i := range rs {
				rs[i].Memberships = []Membership{at("ps-a", "secondary")}
			}
			w.run(p, delivery(rs), day0.AddDays(1))
			p.Guards.TermChange.Transfers = Limit{SchoolPercent: 1, DistrictPercent: 1, Free: test.free}
			if test.by {
				p.Overrides = []Override{{Guard: "copies", Until: day0.AddDays(15), By: "H. Frei", Reason: "test"}}
			}
			plan := planOf(t, p, w, rs, day0.AddDays(15))
			if n := plan.Count()[KindDropCopy]; n != test.dropped || len(plan.Held) != test.copies-test.dropped {
				t.Errorf("%d dropped, %d held back:\n%s", n, len(plan.Held), plan.Summary())
			}
			for _, h := range plan.Held {
				if h.Guard != "copies" {
					t.Errorf("held by %q: %s", h.Guard, h.Why)
				}
			}
			for _, s := range plan.Steps {
				if s.Kind() == KindDropCopy && !s.Destructive {
					t.Errorf("%s is not said to destroy anything", s.ID)
				}
			}
		})
	}
}

// An account that lives where its old copy is said to be (an operator took a
// transfer back in the directory) loses neither user.
func TestOldCopyWhereTheAccountLives(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 7)
	apply(t, w, plan)
	a := w.accounts["ida.abel"]
	old := a.Previous
	a.Context = old.Context
	w.accounts["ida.abel"] = a

	// A plan that would delete her there is refused.
	after := a
	after.Previous = Previous{}
	drop := &Plan{Header: Header{ID: "by hand"}, Steps: []Step{{ID: "drop-copy:escada/1", Subject: a.Username,
		Key: a.Key, Action: DropCopy{Before: a, After: after}}}}
	writes := w.writes
	if _, err := Apply(t.Context(), drop, w.ports(), nil); !errors.Is(err, ErrForbidden) || w.writes != writes {
		t.Errorf("%v, %d writes", err, w.writes-writes)
	}
	for day := 2; day < 12; day++ {
		w.run(p, delivery(ida("primary")), day0.AddDays(day))
	}
	if len(w.contexts[20].users) != 2 || len(w.contexts[30].users) != 2 ||
		w.accounts["ida.abel"].Previous != (Previous{}) {
		t.Errorf("%d users in context 20, %d in 30, remembered: %+v", len(w.contexts[20].users), len(w.contexts[30].users),
			w.accounts["ida.abel"].Previous)
	}
}

// The old copy of a person is purged with the person, however long its grace.
func TestPurgeRemovesTheOldCopy(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 400)
	apply(t, w, plan)
	for _, days := range []int{2, 60, 260} {
		w.run(p, delivery(nil), day0.AddDays(days))
	}
	if len(w.accounts) != 0 || len(w.boxes) != 0 {
		t.Errorf("accounts %v, mailboxes %v", w.accounts, w.boxes)
	}
	for c, x := range w.contexts {
		if len(x.users) != 1 {
			t.Errorf("context %d still has %d users besides the administrator", c, len(x.users)-1)
		}
	}
}

// Somebody whose old copy vanished from OX and whose class changes on the day
// on which the grace ends has two changes, and the plan can be applied.
func TestGoneCopyAndChange(t *testing.T) {
	t.Parallel()
	p := smallPolicy(7)
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	delete(w.contexts[20].users, "ida.abel")
	rs := ida("secondary")
	rs[0].FamilyName = "Abel-Muster"
	if n := w.run(p, delivery(rs), day0.AddDays(8)).Count(); n[KindChange] != 2 {
		t.Errorf("%v", n)
	}
	w.sound()
}
