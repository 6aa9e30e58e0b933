package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// updating is a state as it is read while the databases of contexts are being updated.
func updating(st State, contexts ...ContextID) State {
	st.Contexts = slices.Clone(st.Contexts)
	for i := range st.Contexts {
		if c := &st.Contexts[i]; slices.Contains(contexts, c.ID) {
			c.Users, c.Updating = 0, true
		}
	}
	st.Places = slices.DeleteFunc(slices.Clone(st.Places),
		func(p Place) bool { return slices.Contains(contexts, p.Context) })
	return st
}

func mustPlan(t testing.TB, p Policy, st State, rs []Record, now Date) *Plan {
	t.Helper()
	plan, err := NewPlan(p, st, delivery(rs), now)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// wantWhy fails unless everything that is held back says so.
func wantWhy(t *testing.T, plan *Plan, why string) {
	t.Helper()
	for _, h := range plan.Held {
		if !strings.Contains(h.Why, why) {
			t.Errorf("%s is held back because %s; want %q in it", h.Step.ID, h.Why, why)
		}
	}
}

// Whoever lives in a context that is being updated, has an old copy there or would go
// there is left as they are; the others go on.
func TestContextBeingUpdated(t *testing.T) {
	t.Parallel()
	renamed := func(rs []Record) []Record {
		rs = slices.Clone(rs)
		rs[0].Phone, rs[0].FamilyName = "1", "Abel-Muster"
		return rs
	}
	tom := person("2", "Tom", "Berg", RoleTeacher, at("ps-a", "primary"))
	for _, test := range []struct {
		name     string
		context  ContextID
		day      int
		rs       []Record
		do, held []string
	}{
		{"nothing changes", 20, 1, ida("primary"), nil, nil},
		{"a pupil changes", 20, 1, renamed(ida("primary")), nil, []string{"change:escada/1"}},
		{"a pupil would leave it", 20, 1, ida("secondary"), nil, []string{"transfer:escada/1"}},
		{"a pupil would come in", 30, 1, ida("secondary"), nil, []string{"transfer:escada/1"}},
		{"a pupil is gone", 20, 1, nil, nil, []string{"notice:escada/1"}},
		{"it is another context", 10, 1, ida("secondary"), []string{"transfer:escada/1"}, nil},
		{"somebody else comes", 20, 1, append(renamed(ida("primary")), tom), []string{"create:escada/2"},
			[]string{"change:escada/1"}},
		{"somebody else would come in", 10, 1, append(ida("secondary"), tom), []string{"transfer:escada/1"},
			[]string{"create:escada/2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p, _ := twoTerms(t, 14)
			plan := mustPlan(t, p, updating(w.observe(), test.context), test.rs, day0.AddDays(test.day))
			wantSteps(t, plan, test.do, test.held)
			wantWhy(t, plan, "is being updated")
			if !hasFinding(plan, "being-updated") || hasFinding(plan, "missing-user") {
				t.Errorf("findings: %v", plan.Findings)
			}
			mustApply(t, w, plan)
		})
	}
}

// An old copy in a context that is being updated is neither dropped nor forgotten,
// and its account is not purged before it.
func TestOldCopyInAContextBeingUpdated(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 14)
	mustApply(t, w, plan)
	now := day0.AddDays(15)
	plan = mustPlan(t, p, updating(w.observe(), 20), ida("secondary"), now)
	wantSteps(t, plan, nil, []string{"drop-copy:escada/1"})
	wantWhy(t, plan, "is being updated")
	// Where the live place cannot be seen the old copy stays, too.
	plan = mustPlan(t, p, updating(w.observe(), 30), ida("secondary"), now)
	wantSteps(t, plan, nil, []string{"drop-copy:escada/1"})
	wantWhy(t, plan, "is being updated")
	if hasFinding(plan, "last-copy") {
		t.Error("a copy is taken for the last one although the place cannot be seen")
	}
	a := w.accounts["ida.abel"]
	a.State, a.NoticedOn, a.Deactivated = Deactivated, day0.AddDays(-400), day0.AddDays(-300)
	w.accounts["ida.abel"] = a
	plan = mustPlan(t, p, updating(w.observe(), 20), nil, now)
	wantSteps(t, plan, nil, []string{"drop-copy:escada/1", "purge:escada/1"})
	wantWhy(t, plan, "is being updated")
}

// The seats of a context that is being updated are all taken, however many it shows.
func TestContextBeingUpdatedIsFull(t *testing.T) {
	t.Parallel()
	p := crowdPolicy(-1, 10)
	w, rs := crowd(t, p, 10, 0)
	st := updating(w.observe(), 20)
	rs = append(rs, person("new", "Nele", "Neu", RolePupil, at("ps-a", "primary")),
		person("guest", "Gian", "Gast", RoleTeacher, at("ps-a", "guest")))
	plan := mustPlan(t, p, st, rs, day0.AddDays(1))
	wantSteps(t, plan, []string{"create:escada/new"}, []string{"create:escada/guest"})
	if into := leadsTo(plan.Steps[0].Action); into != 30 {
		t.Errorf("the newcomer goes into context %d", into)
	}
	i := slices.IndexFunc(plan.Forecast, func(f Forecast) bool { return f.Context == 20 })
	if f := plan.Forecast[i]; f.Before != 10 || f.Peak != 10 || f.After != 10 {
		t.Errorf("forecast %+v", f)
	}
}

// In random districts a plan that was made while a context was being updated changes
// nothing of its people, works without it, and leaves the rest for later.
func TestContextBeingUpdatedIsNotTouched(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := smallPolicy(rapid.SampledFrom([]int{0, 7}).Draw(rt, "grace"))
		w := newWorld(rapidTB{t, rt}, p)
		now := day0
		for i, records := range drawTerms(rt) {
			if i > 0 {
				c := rapid.SampledFrom([]ContextID{10, 20, 30}).Draw(rt, "updating")
				before := w.observe()
				plan := mustPlan(rapidTB{t, rt}, p, updating(before, c), records, now)
				prefixes(rt, p, updating(before, c), plan)
				w.carryOut(plan)
				if diff := cmp.Diff(living(before, c), living(w.observe(), c)); diff != "" {
					rt.Fatalf("context %d was touched:\n%s", c, diff)
				}
			}
			w.run(p, delivery(records), now)
			w.sound()
			if plan := mustPlan(rapidTB{t, rt}, p, w.observe(), records, now); len(plan.Steps) > 0 {
				rt.Fatalf("planning again finds %s", plan.Summary())
			}
			now = now.AddDays(rapid.SampledFrom([]int{1, 8, 56, 300}).Draw(rt, "days"))
		}
	})
}

// living are the accounts with a place or an old copy in a context, and its users.
func living(st State, c ContextID) map[string]any {
	all := map[string]any{}
	for _, a := range st.Accounts {
		if a.Context == c {
			all["account "+a.Username] = a
		} else if a.Previous.Context == c {
			all["copy of "+a.Username] = a.Previous
		}
	}
	for _, p := range st.Places {
		if p.Context == c {
			all["user "+p.Username] = p
		}
	}
	return all
}

// Where users cannot be copied every transfer is held back in the plan, and nobody is
// moved to make room.
func TestWithoutCopies(t *testing.T) {
	t.Parallel()
	const why = "the service is not installed"
	w, p, moved := twoTerms(t, 14)
	st := w.observe()
	st.NoCopies = why
	plan := mustPlan(t, p, st, ida("secondary"), day0.AddDays(1))
	wantSteps(t, plan, nil, []string{"transfer:escada/1"})
	wantWhy(t, plan, why)
	if !hasFinding(plan, "no-copies") {
		t.Error("nobody is told")
	}
	if st.Fingerprint() == w.observe().Fingerprint() {
		t.Error("an approved plan would not notice that the service is gone")
	}
	mustApply(t, w, moved)
	st = w.observe()
	st.NoCopies = why
	undo, err := NewUndo(p, st, delivery(ida("primary")), moved, day0.AddDays(1))
	if err != nil {
		t.Fatal(err)
	}
	wantSteps(t, undo, nil, []string{"transfer:escada/1"})
	wantWhy(t, undo, why)
	// What needs no copy goes on.
	wantSteps(t, mustPlan(t, p, st, ida("secondary"), day0.AddDays(20)), []string{"drop-copy:escada/1"}, nil)

	p = crowdPolicy(-1, 10)
	w, rs := crowd(t, p, 10, 0)
	p.Contexts[1].Capacity = 8 // over it by three, the administrator included
	st = w.observe()
	st.NoCopies = why
	plan = mustPlan(t, p, st, rs, day0.AddDays(1))
	if len(plan.Steps) > 0 {
		t.Errorf("somebody moves: %s", plan.Summary())
	}
	for i := range rs { // nor do those who change
		rs[i].Traits.Birth = fmt.Sprint("born ", i)
	}
	plan = mustPlan(t, p, st, rs, day0.AddDays(1))
	if n := plan.Count(); n[KindChange] != 10 || len(plan.Steps) != 10 || len(plan.Held) > 0 {
		t.Errorf("somebody moves: %s", plan.Summary())
	}
}

// A role and its transfer are held back together where users cannot be copied, and a
// user is not copied back.
func TestWithoutCopiesNothingIsHalfDone(t *testing.T) {
	t.Parallel()
	w, p, _ := twoTerms(t, 14)
	st := w.observe()
	st.NoCopies = "not installed"
	teacher := ida("primary")
	teacher[0].Role = RoleTeacher
	wantSteps(t, mustPlan(t, p, st, teacher, day0.AddDays(1)), nil, []string{"change:escada/1", "transfer:escada/1"})

	w, p = lostPlace(t)
	st = w.observe()
	st.NoCopies = "not installed"
	plan := mustPlan(t, restorePolicy(p, day0.AddDays(9)), st, ida("secondary"), day0.AddDays(2))
	wantSteps(t, plan, nil, []string{"repair:escada/1"})
	wantWhy(t, plan, "not installed")
	plan = mustPlan(t, restorePolicy(p, day0.AddDays(9)), updating(w.observe(), 20), ida("secondary"), day0.AddDays(2))
	wantSteps(t, plan, nil, []string{"repair:escada/1"})
	wantWhy(t, plan, "is being updated")
}

// What an undo would change in a context that is being updated stays, whole.
func TestUndoWhileAContextIsBeingUpdated(t *testing.T) {
	t.Parallel()
	for _, c := range []ContextID{20, 30} {
		w, p, moved := twoTerms(t, 14)
		mustApply(t, w, moved)
		undo, err := NewUndo(p, updating(w.observe(), c), delivery(ida("primary")), moved, day0.AddDays(1))
		if err != nil {
			t.Fatal(err)
		}
		wantSteps(t, undo, nil, []string{"transfer:escada/1"})
		wantWhy(t, undo, "is being updated")
	}
}
