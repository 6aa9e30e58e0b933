package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// Somebody else makes the same person's user in the target between look and
// copy. The server refuses the copy, and what stands there is not ours, however
// alike it looks. Only where nobody can tell whether the copy was made, and the
// directory does not say that the person lives there, it is taken away.
func TestRefusedCopyIsNeverDiscarded(t *testing.T) {
	t.Parallel()
	refused := fmt.Errorf("login name used already: %w", ErrConflict)
	lost := fmt.Errorf("time ran out: %w", ErrLostAnswer)
	for _, test := range []struct {
		name   string
		err    error
		alike  bool
		moves  bool // the other one also switches the directory
		stands bool
	}{
		{"refused", refused, true, false, true},
		{"refused without a kind", errors.New("server fault"), true, false, true},
		{"answer lost", lost, true, false, false},
		{"answer lost, the other one does not look like it", lost, false, false, true},
		{"answer lost, the directory says that she lives there", lost, true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 0)
			w.fault = func(_ int, what string, done bool) error {
				if what != "copy-user" || done {
					return nil
				}
				w.contexts[30].users["ida.abel"] = stranger(test.alike)
				if test.moves {
					a := w.accounts["ida.abel"]
					a.Context = 30
					w.accounts["ida.abel"] = a
				}
				return test.err
			}
			if o := apply(t, w, plan); o.Status != StatusFailed {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			if _, ok := w.contexts[30].users["ida.abel"]; ok != test.stands {
				t.Fatalf("the user in context 30 stands: %v, want %v", ok, test.stands)
			}
			w.fault = nil
			if test.stands && !test.moves { // nor does the next run take it for ours
				if next := planOf(t, p, w, ida("secondary"), day0.AddDays(2)); !next.Empty() {
					apply(t, w, next)
				}
				untouched(t, w)
			}
		})
	}
}

// Somebody has changed the name of the user at the source, so that the copy, which is
// called as the account is, does not look like it. The journal proves it ours
// nevertheless when the answer is lost, with all that comes after it or alone.
func TestLostAnswerWhenTheSourceWasRenamed(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		w, p, plan := twoTerms(t, 0)
		u := w.contexts[20].users["ida.abel"]
		u.spec.DisplayName = "Ida, not at school"
		w.contexts[20].users["ida.abel"] = u
		lost := false
		w.fault = func(_ int, what string, done bool) error {
			if lost = lost || what == "copy-user" && done; lost && (cut || what == "copy-user") {
				return fmt.Errorf("%w: %w", ErrLostAnswer, errCrash)
			}
			return nil
		}
		_, _ = Apply(t.Context(), plan, w.ports(), nil)
		w.fault = nil
		w.run(p, delivery(ida("secondary")), day0.AddDays(2)) // what was left behind goes
		w.run(p, delivery(ida("secondary")), day0.AddDays(3))
		if a := w.accounts["ida.abel"]; !lost || a.Context != 30 {
			t.Errorf("all that comes after it is lost, too: %v: she lives in context %d, want 30", cut, a.Context)
		}
		w.sound()
	}
}

// A copy that was made but could not be completed is ours by its answer.
func TestIncompleteCopyIsTakenAway(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	ports := w.ports()
	ports.Groupware = halfCopies{w}
	res, err := Apply(t.Context(), plan, ports, nil)
	if err != nil || res.Outcomes[0].Status != StatusFailed {
		t.Fatalf("%v %+v", err, res)
	}
	if _, ok := w.contexts[30].users["ida.abel"]; ok {
		t.Error("half a copy stays")
	}
	w.sound()
}

// halfCopies copies, but fails to complete the copy.
type halfCopies struct{ *world }

func (h halfCopies) CopyUser(ctx context.Context, username string, from, to ContextID, spec UserSpec) (Place, error) {
	p, err := h.world.CopyUser(ctx, username, from, to, spec)
	if err == nil {
		err = errors.New("the access cannot be set")
	}
	return p, err
}
