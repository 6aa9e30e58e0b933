package schoolmail

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestUndo plays random districts, applies a plan and then its undo: whoever
// has no step that stays is as before the plan, and the others have lost nothing.
func TestUndo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		p := smallPolicy(rapid.SampledFrom([]int{0, 7}).Draw(rt, "grace"))
		w := newWorld(rapidTB{t, rt}, p)
		now := day0
		for _, records := range drawTerms(rt) {
			st := w.observe()
			plan := w.run(p, delivery(records), now)
			if rapid.Bool().Draw(rt, "undo") {
				after := w.observe()
				undo, err := NewUndo(p, after, delivery(records), plan, now)
				if err != nil {
					rt.Fatal(err)
				}
				prefixes(rt, p, after, undo)
				shuffle(rt, after.Accounts)
				shuffle(rt, after.Places)
				if again, err := NewUndo(p, after, delivery(records), plan, now); err != nil || again.Header.ID != undo.Header.ID {
					rt.Fatalf("the order of the state changed the undo: %v", err)
				}
				w.carryOut(undo)
				w.sound()
				asBefore(rt, w, st, undo)
			}
			now = now.AddDays(rapid.SampledFrom([]int{1, 8, 56, 300}).Draw(rt, "days"))
		}
	})
}

func asBefore(rt *rapid.T, w *world, st State, undo *Plan) {
	held := map[RecordKey]bool{}
	for _, h := range undo.Held {
		held[h.Step.Key] = true
	}
	now := w.observe()
	places := func(st *State, a *Account) []Place {
		var ps []Place
		for _, p := range st.Places {
			if p.Username == a.Username && p.Context != a.Previous.Context {
				p.UserID = 0
				ps = append(ps, p)
			}
		}
		return ps
	}
	for _, was := range st.Accounts {
		if held[was.Key] {
			continue
		}
		is, ok := w.accounts[was.Username]
		if !ok {
			rt.Fatalf("%s is gone", was.Username)
		}
		if diff := cmp.Diff(places(&st, &was), places(&now, &is)); diff != "" {
			rt.Fatalf("place of %s (-before +undone):\n%s", was.Username, diff)
		}
		was.Previous, is.Previous = Previous{}, Previous{} // the newer copy is kept for the grace
		was.Marks, is.Marks = nil, nil                     // guards go on counting what was done
		if diff := cmp.Diff(was, is); diff != "" {
			rt.Fatalf("%s (-before +undone):\n%s", was.Username, diff)
		}
	}
}

// carryOut applies a plan that must succeed as a whole.
func (w *world) carryOut(plan *Plan) {
	w.t.Helper()
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 4})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range res.Outcomes {
		if o.Status != StatusDone {
			w.t.Errorf("%s: %s: %s", o.Step, o.Status, o.Error)
		}
	}
}

// What is no longer as the plan left it is left alone, and said.
func TestUndoOfWhatHasChanged(t *testing.T) {
	t.Parallel()
	p := smallPolicy(7)
	p.Populations[1].Contexts = []ContextID{30}
	edit := func(f func(*Account)) func(*world) {
		return func(w *world) { a := w.accounts["ida.abel"]; f(&a); w.accounts["ida.abel"] = a }
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		steps  int // that are taken back
		why    string
	}{
		{"nothing", func(*world) {}, 3, ""},
		{"the name", edit(func(a *Account) { a.FamilyName = "Abel-Frei" }), 2, since},
		{"another field", edit(func(a *Account) { a.Phone = "1" }), 3, ""},
		{"the context", edit(func(a *Account) { a.Context = 10 }), 1, since},
		{"the old copy", func(w *world) { delete(w.contexts[20].users, "ida.abel") }, 1, since},
		{"on hold", edit(func(a *Account) { a.Held = true }), 0, "on hold"},
		{"gone", func(w *world) { delete(w.accounts, "ida.abel") }, 0, "does not exist"},
		{"the name is somebody else's", func(w *world) {
			w.accounts["x"] = Account{Username: "x",
				DisplayName: "IDA abel"}
		}, 2, "belongs to x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, p)
			w.run(p, delivery(ida("primary")), day0)
			rs := ida("secondary")
			rs[0].FamilyName = "Muster"
			plan := w.run(p, delivery(rs), day0.AddDays(1))
			test.change(w)
			undo, err := NewUndo(p, w.observe(), delivery(rs), plan, day0.AddDays(2))
			if err != nil {
				t.Fatal(err)
			}
			if len(undo.Steps) != test.steps || test.why == "" && len(undo.Held) > 0 {
				t.Errorf("%d steps, want %d:\n%s", len(undo.Steps), test.steps, undo.Summary())
			}
			for _, h := range undo.Held {
				if !strings.Contains(h.Why, test.why) {
					t.Errorf("%s: %s, want %q", h.Step.ID, h.Why, test.why)
				}
			}
		})
	}
}
