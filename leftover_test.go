package schoolmail

import (
	"slices"
	"strings"
	"testing"
)

// A transfer is cut off after the copy, and then is not wanted any more: what it
// has left behind goes in the next run, since the journal proves it ours.
func TestLeftoverOfAnUnwantedTransferIsDropped(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		rs   []Record
		more string
	}{
		{"the old level is back", ida("primary"), ""},
		{"the record is gone", nil, "notice:escada/1"},
	} {
		for _, answered := range []bool{false, true} {
			w, p, plan := twoTerms(t, 14)
			effect := "change-account"
			if !answered { // not even the id of the copy is on record
				effect = "copy-user"
			}
			powerFails(t, w, plan, effect, !answered)
			if len(w.contexts[30].users) != 2 {
				t.Fatal("no copy was left behind")
			}
			next := w.run(p, delivery(test.rs), day0.AddDays(2))
			want := []string{"drop-leftover-30:escada/1"}
			if test.more != "" {
				want = append(want, test.more)
			}
			wantSteps(t, next, want, nil)
			if hasFinding(next, "second-copy") || !next.Steps[0].Destructive {
				t.Errorf("%s: %s", test.name, next.Summary())
			}
			if len(w.contexts[30].users) != 1 {
				t.Errorf("%s: the copy stays", test.name)
			}
			w.sound()
			wantSteps(t, planOf(t, p, w, test.rs, day0.AddDays(2)), nil, nil)
		}
	}
}

// What the transfer of today needs is not dropped before; what looks like a
// leftover but is not, or is the last user that stands, stays.
func TestLeftoverStays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		rs     []Record
		change func(w *world)
		steps  []string
		held   []string
	}{
		{"the transfer is still wanted", ida("secondary"), func(*world) {}, []string{"transfer:escada/1"}, nil},
		{"another user has the name now", ida("primary"),
			func(w *world) { w.contexts[30].users["ida.abel"] = stranger(true) }, nil, nil},
		{"on hold", ida("primary"),
			func(w *world) { a := w.accounts["ida.abel"]; a.Held = true; w.accounts["ida.abel"] = a }, nil, nil},
		// An empty user made beside the copy would let the next night drop it.
		{"her place is gone", ida("primary"), func(w *world) { delete(w.contexts[20].users, "ida.abel") },
			nil, []string{"repair:escada/1"}},
		{"her place is gone, and she moves after all", ida("secondary"),
			func(w *world) { delete(w.contexts[20].users, "ida.abel") }, nil, []string{"repair:escada/1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 14)
			powerFails(t, w, plan, "change-account", false)
			test.change(w)
			wantSteps(t, planOf(t, p, w, test.rs, day0.AddDays(2)), test.steps, test.held)
		})
	}
	// Between planning and applying the world changes: nothing is deleted.
	for _, test := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"her place is gone", func(w *world) { delete(w.contexts[20].users, "ida.abel") }, "context 20"},
		{"somebody else's user", func(w *world) { w.contexts[30].users["ida.abel"] = stranger(true) }, "does not prove"},
		{"she lives there now", func(w *world) { a := w.accounts["ida.abel"]; a.Context = 30; w.accounts["ida.abel"] = a },
			"planned was"},
		{"on hold", func(w *world) { a := w.accounts["ida.abel"]; a.Held = true; w.accounts["ida.abel"] = a }, ""},
		{"the journal is another one", func(w *world) { w.journal = nil }, "does not prove"},
	} {
		t.Run("applied: "+test.name, func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 14)
			powerFails(t, w, plan, "change-account", false)
			next := planOf(t, p, w, ida("primary"), day0.AddDays(2))
			test.change(w)
			before := len(w.contexts[30].users)
			if o := apply(t, w, next); o.Status != StatusFailed || !strings.Contains(o.Error, test.want) {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			if len(w.contexts[30].users) != before {
				t.Error("something was deleted")
			}
		})
	}
}

// An account that was cut off while it was made, and belongs elsewhere the next
// day, is not finished where it does not belong; its empty user goes like an old
// copy.
func TestPendingAccountOfAnotherPopulation(t *testing.T) {
	t.Parallel()
	p := smallPolicy(14)
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	w.run(p, delivery(nil), day0)
	plan := planOf(t, p, w, ida("primary"), day0)
	dead := false
	w.fault = func(_ int, what string, _ bool) error {
		if dead = dead || what == "ensure-mailbox"; dead {
			return errCrash
		}
		return nil
	}
	if _, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword}); err == nil {
		t.Fatal("no crash")
	}
	w.fault = nil
	if a := w.accounts["ida.abel"]; a.State != Pending || len(w.contexts[20].users) != 2 {
		t.Fatalf("%+v", a)
	}
	wantSteps(t, w.run(p, delivery(ida("secondary")), day0.AddDays(1)), []string{"create:escada/1"}, nil)
	w.sound()
	if a := w.accounts["ida.abel"]; a.State != Active || a.Context != 30 || a.Previous.Context != 20 {
		t.Errorf("%+v", a)
	}
	wantSteps(t, w.run(p, delivery(ida("secondary")), day0.AddDays(1)), nil, nil)
	wantSteps(t, w.run(p, delivery(ida("secondary")), day0.AddDays(15)), []string{"drop-copy:escada/1"}, nil)
	if in := slices.Collect(func(yield func(ContextID) bool) {
		for c, x := range w.contexts {
			if _, ok := x.users["ida.abel"]; ok && !yield(c) {
				return
			}
		}
	}); !slices.Equal(in, []ContextID{30}) {
		t.Errorf("users in contexts %v", in)
	}
}

// A newcomer waits for a context whose own creation is held back.
func TestNewcomerWaitsForAHeldContext(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	w.run(p, delivery(ida("secondary")), day0)
	delete(w.contexts, 30) // OX does not show it
	rs := append(ida("secondary"), person("2", "Beat", "Bär", RolePupil, at("ss-b", "secondary")),
		person("3", "Cora", "Caduff", RolePupil, at("ps-a", "primary")))
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	do, held := steps(plan)
	if !slices.Equal(do, []string{"create:escada/3"}) || !slices.Contains(held, "create:escada/2") ||
		!slices.Contains(held, "create-context:30") {
		t.Errorf("steps %q, held back %q", do, held)
	}
}
