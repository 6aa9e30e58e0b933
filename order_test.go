package schoolmail

import (
	"slices"
	"testing"
)

// Each step of a person waits for the one before it.
func TestStepsOfOnePersonDependOnOneAnother(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	rs := ida("primary")
	w.run(p, delivery(rs), day0)
	for n, a := range w.accounts {
		a.State, a.NoticedOn = Leaving, day0
		w.accounts[n] = a
	}
	rs[0].Memberships = []Membership{{School: "ps-a", Level: "primary", Classes: []string{"2b"}}}
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	wantSteps(t, plan, []string{"cancel-notice:escada/1", "change:escada/1"}, nil)
	for i, want := range [][]string{nil, {"cancel-notice:escada/1"}} {
		if i < len(plan.Steps) && !slices.Equal(plan.Steps[i].After, want) {
			t.Errorf("%s waits for %q, want %q", plan.Steps[i].ID, plan.Steps[i].After, want)
		}
	}
}
