package schoolmail

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// stranger is a user of Ida's name whom the journal does not know.
func stranger(alike bool) worldUser {
	u := worldUser{id: 77, spec: UserSpec{Username: "ida.abel", DisplayName: "Ida Abel (Gast)", Mail: "guest@x.example"},
		data: "not ours"}
	if alike {
		u.spec.DisplayName, u.spec.Mail = "Ida Abel", "ida.abel@pupils.example"
	}
	return u
}

// untouched checks that the stranger is as before and Ida where she was.
func untouched(t *testing.T, w *world) {
	t.Helper()
	if u := w.contexts[30].users["ida.abel"]; u.id != 77 || u.data != "not ours" {
		t.Errorf("the stranger is now %+v", u)
	}
	if c := w.accounts["ida.abel"].Context; c != 20 || w.contexts[20].users["ida.abel"].data != "data of ida.abel" {
		t.Errorf("Ida is in context %d with %q", c, w.contexts[20].users["ida.abel"].data)
	}
}

// powerFails applies a plan while the power fails at an effect, before or after
// OX or the directory has done it.
func powerFails(t *testing.T, w *world, plan *Plan, effect string, done bool) {
	t.Helper()
	dead := false
	w.fault = func(_ int, what string, d bool) error {
		if dead = dead || what == effect && d == done; dead {
			return errCrash
		}
		return nil
	}
	if _, err := Apply(context.Background(), plan, w.ports(), nil); err == nil || !dead {
		t.Fatalf("the power did not fail: %v", err)
	}
	w.fault = nil
}

// That a copy was once begun proves nothing about a user who came later.
func TestStaleIntentProvesNothing(t *testing.T) {
	t.Parallel()
	for _, alike := range []bool{false, true} {
		t.Run(fmt.Sprint("alike ", alike), func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 0)
			powerFails(t, w, plan, "copy-user", false)

			// The next run is about others and finds no copy of hers.
			if _, err := Apply(context.Background(), &Plan{Header: Header{ID: "others"}}, w.ports(), nil); err != nil {
				t.Fatal(err)
			}
			before := planOf(t, p, w, ida("secondary"), day0.AddDays(2))
			w.contexts[30].users["ida.abel"] = stranger(alike)
			if o := apply(t, w, before); o.Status != StatusFailed || !strings.Contains(o.Error, "does not prove ours") {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			untouched(t, w)

			// The planner sees the stranger as well.
			after := planOf(t, p, w, ida("secondary"), day0.AddDays(3))
			if alike { // she might be our copy: Apply decides
				if o := apply(t, w, after); o.Status != StatusFailed {
					t.Errorf("%s: %s", o.Status, o.Error)
				}
			} else {
				wantSteps(t, after, nil, []string{"transfer:escada/1"})
			}
			untouched(t, w)
		})
	}
}

// Even before any run has looked, a user who does not look like Ida is not
// taken for the copy that the journal says was begun.
func TestBegunCopyMustLookLikeIt(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 0)
	powerFails(t, w, plan, "copy-user", false)
	next := planOf(t, p, w, ida("secondary"), day0.AddDays(2))
	w.contexts[30].users["ida.abel"] = stranger(false)
	if o := apply(t, w, next); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	untouched(t, w)
}

// Somebody who takes the name between the look and the copy is not taken for
// the copy.
func TestNameTakenDuringTheCopy(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	w.fault = func(_ int, what string, done bool) error {
		if what == "copy-user" && !done {
			w.contexts[30].users["ida.abel"] = stranger(false)
		}
		return nil
	}
	if o := apply(t, w, plan); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	untouched(t, w)
}

// A copy that the directory has switched to is the person's place. When the
// directory comes back from a backup of the day before, what was done there
// since is not thrown away as an unfinished copy.
func TestSwitchedCopyIsNoLongerDiscardable(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash ", crash), func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 14)
			backup := w.accounts["ida.abel"]
			if crash {
				powerFails(t, w, plan, "change-account", true)
			} else {
				apply(t, w, plan)
			}
			w.run(p, delivery(ida("secondary")), day0.AddDays(2))
			u := w.contexts[30].users["ida.abel"]
			u.data = "five days of work"
			w.contexts[30].users["ida.abel"] = u
			w.accounts["ida.abel"] = backup
			if o := apply(t, w, planOf(t, p, w, ida("secondary"), day0.AddDays(6))); o.Status != StatusFailed ||
				!strings.Contains(o.Error, "does not prove ours") {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			if got := w.contexts[30].users["ida.abel"].data; got != u.data {
				t.Errorf("in context 30 there is now %q", got)
			}
		})
	}
}
