package schoolmail

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// applyOn applies a plan at two in the morning of its day.
func applyOn(t *testing.T, w *world, plan *Plan) *Result {
	t.Helper()
	h := plan.Header.Now.Time().Add(2 * time.Hour)
	res, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword,
		Clock: func() time.Time { return h }})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// A notice that went out but could not be recorded is not sent again night after
// night; once the directory takes it, the eight weeks count from then.
func TestNobodyIsToldTwice(t *testing.T) {
	t.Parallel()
	w, p, _ := twoTerms(t, 14)
	sent := 0
	w.fault = func(_ int, what string, done bool) error {
		if what == "notify" && done {
			sent++
		}
		if what == "change-account" && !done {
			return errors.New("insufficient access")
		}
		return nil
	}
	for day := 1; day <= 18; day++ {
		plan := planOf(t, p, w, nil, day0.AddDays(day))
		wantSteps(t, plan, []string{"notice:escada/1"}, nil)
		if o := applyOn(t, w, plan).Outcomes[0]; o.Status != StatusFailed {
			t.Errorf("day %d: %+v", day, o)
		}
	}
	if sent != 1 {
		t.Errorf("told %d times", sent)
	}
	refuse := w.fault
	w.fault = func(n int, what string, done bool) error {
		if what == "notify" {
			return refuse(n, what, done)
		}
		return nil
	}
	applyOn(t, w, planOf(t, p, w, nil, day0.AddDays(19)))
	if a := w.accounts["ida.abel"]; sent != 1 || a.State != Leaving || a.NoticedOn != day0.AddDays(19) {
		t.Errorf("told %d times, %s since %s", sent, a.State, a.NoticedOn)
	}
	// Who comes back is told so, and who leaves again as well.
	applyOn(t, w, planOf(t, p, w, ida("primary"), day0.AddDays(20)))
	applyOn(t, w, planOf(t, p, w, nil, day0.AddDays(21)))
	if sent != 3 {
		t.Errorf("told %d times in all, want 3", sent)
	}
	// The directory is set back to before the notice: they know already.
	a := w.accounts["ida.abel"]
	a.State, a.NoticedOn = Active, 0
	w.accounts["ida.abel"] = a
	applyOn(t, w, planOf(t, p, w, nil, day0.AddDays(22)))
	if a := w.accounts["ida.abel"]; sent != 3 || a.State != Leaving {
		t.Errorf("told %d times, %s", sent, a.State)
	}
	// Eight weeks later nobody remembers.
	a.State, a.NoticedOn = Active, 0
	w.accounts["ida.abel"] = a
	applyOn(t, w, planOf(t, p, w, nil, day0.AddDays(21+56)))
	if sent != 4 {
		t.Errorf("told %d times, want 4", sent)
	}
}

// An account that another run has made to its end meanwhile keeps its password and
// is not made again.
func TestAccountMadeByAnotherRun(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	for _, state := range []LifeCycle{Active, Pending} {
		w := newWorld(t, p)
		w.run(p, delivery(nil), day0)
		plan := planOf(t, p, w, ida("primary"), day0)
		other := plan.Steps[0].Action.(CreateAccount).Account
		other.State = state
		w.accounts[other.Username] = other
		w.passwords[other.Username] = "theirs"
		o := apply(t, w, plan)
		if state == Active && (o.Status != StatusFailed || w.passwords[other.Username] != "theirs") {
			t.Errorf("%s: %+v, password %q", state, o, w.passwords[other.Username])
		}
		if state == Pending && (o.Status != StatusDone || w.passwords[other.Username] != "initial") {
			t.Errorf("%s: %+v, password %q", state, o, w.passwords[other.Username])
		}
	}
}

// An account that was cut off while it was made gets, when it is finished, the
// password that this run gives out.
func TestResumedAccountHasThePasswordOfThisRun(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	w.run(p, delivery(nil), day0)
	plan := planOf(t, p, w, ida("primary"), day0)
	powerFailsWith(t, w, plan, "ensure-user")
	w.passwords["ida.abel"] = "of a lost list"
	w.run(p, delivery(ida("primary")), day0.AddDays(1))
	if pw := w.passwords["ida.abel"]; pw != "initial" {
		t.Errorf("password %q", pw)
	}
	w.sound()
}

func powerFailsWith(t *testing.T, w *world, plan *Plan, effect string) {
	t.Helper()
	dead := false
	w.fault = func(_ int, what string, _ bool) error {
		if dead = dead || what == effect; dead {
			return errCrash
		}
		return nil
	}
	if _, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword}); err == nil || !dead {
		t.Fatalf("the power did not fail: %v", err)
	}
	w.fault = nil
}

// What is still needed of a journal says the same as all of it.
func TestNeededSaysTheSame(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 14)
	powerFails(t, w, plan, "change-account", false)
	clock := func(day int) *ApplyOptions {
		return &ApplyOptions{InitialPassword: testPassword,
			Clock: func() time.Time { return day0.AddDays(day).Time().Add(2 * time.Hour) }}
	}
	more := append(ida("primary"), person("2", "Beat", "Bär", RolePupil, at("ps-a", "primary")))
	for day, rs := range [][]Record{more, more[:1], more, more[1:]} {
		next := planOf(t, p, w, rs, day0.AddDays(day+2))
		if _, err := Apply(t.Context(), next, w.ports(), clock(day+2)); err != nil {
			t.Fatal(err)
		}
	}
	w2, _, second := twoTerms(t, 14)
	powerFails(t, w2, second, "copy-user", true)
	w.journal = append(w.journal, w2.journal...)

	all, err := ReadHistory((*worldJournal)(w))
	if err != nil {
		t.Fatal(err)
	}
	needed := all.Needed()
	if len(needed) >= len(w.journal)/2 {
		t.Errorf("%d of %d entries are needed", len(needed), len(w.journal))
	}
	again := NewHistory()
	for i := range needed {
		again.See(&needed[i])
	}
	if again.Empty() || !again.Last().Equal(all.Last()) || again.Copying() != all.Copying() {
		t.Errorf("empty %v, last %s, copying %v", again.Empty(), again.Last(), again.Copying())
	}
	for what, pair := range map[string][2]any{
		"leftovers": {all.Leftovers(), again.Leftovers()}, "told": {all.told, again.told}, "plans": {all.plans, again.plans},
	} {
		if diff := cmp.Diff(pair[0], pair[1], cmp.AllowUnexported(planHistory{}, toldKey{})); diff != "" {
			t.Errorf("%s:\n%s", what, diff)
		}
	}
	if len(all.told) == 0 || len(all.Leftovers()) == 0 || len(all.plans) < 4 {
		t.Error("the journal has too little in it")
	}
}
