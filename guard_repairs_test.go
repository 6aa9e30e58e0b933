package schoolmail

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// repairable is a district of a large school, a larger one and a small one, whose pupils
// all live in context 20.
func repairable(t *testing.T) (Policy, *world, []Record) {
	t.Helper()
	p := guardPolicy()
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 1000
	}
	p.Schools = named("ps-a", "ps-b", "ps-c")
	w := newWorld(t, p)
	rs := school(school(school(nil, "ps-a", RolePupil, 200), "ps-b", RolePupil, 380), "ps-c", RolePupil, 20)
	w.run(p, delivery(rs), day0)
	return p, w, rs
}

// Users hardly ever vanish from OX. If more than 5 in 100 of a school's people or 2 in
// 100 of the district's are missing, what was observed is wrong, or somebody has to
// look: nobody's user is made anew, and empty.
func TestMissingUsersAreGuarded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		missing map[SchoolID]int
		lifted  *SchoolID // for which somebody answers, "" being the district
		made    int
	}{
		{map[SchoolID]int{"ps-a": 10}, nil, 10},
		{map[SchoolID]int{"ps-a": 11}, nil, 0},
		{map[SchoolID]int{"ps-c": 5}, nil, 5}, // so many are always free
		{map[SchoolID]int{"ps-c": 6}, nil, 0},
		{map[SchoolID]int{"ps-a": 6, "ps-b": 6}, nil, 12},
		{map[SchoolID]int{"ps-a": 6, "ps-b": 7}, nil, 0}, // few of each school, many of the district
		{map[SchoolID]int{"ps-a": 11, "ps-c": 1}, nil, 1},
		{map[SchoolID]int{"ps-a": 11}, new(SchoolID("ps-a")), 11},
		{map[SchoolID]int{"ps-a": 11}, new(SchoolID("ps-b")), 0},
		{map[SchoolID]int{"ps-a": 60, "ps-b": 60}, new(SchoolID("")), 120},
	} {
		name := fmt.Sprint(test.missing)
		if test.lifted != nil {
			name += fmt.Sprintf(" lifted for %q", *test.lifted)
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, w, rs := repairable(t)
			all := 0
			left := maps.Clone(test.missing)
			for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
				if s := w.accounts[name].Memberships[0].School; left[s] > 0 {
					delete(w.contexts[20].users, name)
					left[s]--
					all++
				}
			}
			if test.lifted != nil {
				p.Overrides = []Override{{Guard: "repairs", School: *test.lifted, Until: day0.AddDays(1), By: "H. Frei",
					Reason: "deleted by mistake"}}
			}
			plan := planOf(t, p, w, rs, day0.AddDays(1))
			if n := plan.Count()[KindRepair]; n != test.made || len(plan.Held) != all-test.made {
				t.Errorf("%d users are made anew, want %d of %d\n%s", n, test.made, all, plan.Summary())
			}
			for _, h := range plan.Held {
				if h.Guard != "repairs" {
					t.Errorf("held by %q: %s", h.Guard, h.Why)
				}
			}
		})
	}
}

// Few users are missing, but so is their context: neither it nor they are made anew.
func TestFewMissingUsersOfAMissingContext(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Schools = named("ps-a")
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 3), "ps-a", RoleTeacher, 30)
	w.run(p, delivery(rs), day0)
	st := w.observe()
	st.Contexts = slices.DeleteFunc(st.Contexts, func(c Context) bool { return c.ID == 20 })
	st.Places = slices.DeleteFunc(st.Places, func(p Place) bool { return p.Context == 20 })
	plan := mustPlan(t, p, st, rs, day0.AddDays(1))
	n := map[string]int{}
	for _, h := range plan.Held {
		n[fmt.Sprint(h.Step.Kind(), " ", h.Guard)]++
	}
	if want := map[string]int{"create-context repairs": 1, "repair repairs": 3}; !maps.Equal(n, want) ||
		plan.Count()[KindRepair] != 0 {
		t.Errorf("held %v, want %v\n%s", n, want, plan.Summary())
	}
}

// What people may do in OX follows their population. Where a level flips for many of a
// school, or the combination of a population is another one, nobody's rights change
// before somebody has answered for it; what was done within the window counts.
func TestChangesOfAccessAreGuarded(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	p.Schools = named("ps-a", "ps-b")
	rs := school(school(nil, "ps-a", RolePupil, 100), "ps-b", RolePupil, 380)
	w.run(p, delivery(rs), day0)
	flipped := func(n int) []Record {
		changed := slices.Clone(rs)
		for i := range n {
			changed[i].Memberships = slices.Clone(changed[i].Memberships)
			changed[i].Memberships[0].Level = "secondary" // which may stay in context 20
		}
		return changed
	}
	see := func(what string, plan *Plan, done, held int) {
		t.Helper()
		if n := plan.Count()[KindChange]; n != done || len(plan.Steps) != done || len(plan.Held) != held {
			t.Errorf("%s: %d changes, want %d; %d held, want %d\n%s", what, n, done, len(plan.Held), held, plan.Summary())
		}
		for _, s := range plan.Steps {
			if c, ok := s.Action.(ChangeAccount); !ok || c.Access != "pim" {
				t.Errorf("%s: %s gives the access %q", what, s.ID, c.Access)
			}
		}
		for _, h := range plan.Held {
			if h.Guard != "access" {
				t.Errorf("%s: held by %q: %s", what, h.Guard, h.Why)
			}
		}
	}
	day := day0.AddDays(1)
	see("as many as may", planOf(t, p, w, flipped(5), day), 5, 0)
	see("one more", planOf(t, p, w, flipped(6), day), 0, 6)
	lifted := p
	lifted.Overrides = []Override{{Guard: "access", School: "ps-a", Until: day, By: "H. Frei", Reason: "new level"}}
	see("somebody answers for it", planOf(t, lifted, w, flipped(6), day), 6, 0)
	other := p
	other.Populations = slices.Clone(p.Populations)
	other.Populations[2].Access = "pim"
	see("another combination for all", planOf(t, other, w, rs, day), 0, 480)
	w.run(p, delivery(flipped(5)), day)
	see("one more on the next day", planOf(t, p, w, flipped(6), day.AddDays(1)), 0, 1)
	see("one more after the window", planOf(t, p, w, flipped(6), day.AddDays(7)), 1, 0)
	for _, a := range w.accounts {
		if got := w.contexts[20].users[a.Username].spec.Access; got != a.Access {
			t.Errorf("%s has the access %q, the directory says %q", a.Username, got, a.Access)
		}
	}
}

// Of two accounts of one user name, each is compared with the user of that name.
func TestAccountsOfOneUserNameAreBothCompared(t *testing.T) {
	t.Parallel()
	p, w, rs := repairable(t)
	st := w.observe()
	a, b := &st.Accounts[0], &st.Accounts[1]
	st.Places = slices.DeleteFunc(st.Places, func(p Place) bool { return p.Username == a.Username })
	a.Username = b.Username
	key := a.Key
	for range 2 {
		plan, err := NewPlan(p, st, delivery(rs), day0.AddDays(1))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(plan.Steps, func(s Step) bool { return s.Key == key }) {
			t.Errorf("%s: %v: nothing is said of the account whose user is the other's", plan.Summary(), plan.Findings)
		}
		st.Accounts[0], st.Accounts[1] = st.Accounts[1], st.Accounts[0]
	}
}
