package schoolmail

import "testing"

// On the first run for a living site nobody who could have an account gets a second one
// or a notice; with the record ids entered, place and mailbox are theirs.
func TestLivingSiteGetsNoSecondAccounts(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 40), "ps-a", RoleTeacher, 5)
	for i := range rs {
		rs[i].GivenName = []string{"Élodie", "Ida"}[i%2]
	}
	w.run(p, delivery(rs), day0)
	keys, names := map[string]RecordKey{}, map[string]string{}
	for u, a := range w.accounts {
		keys[u], names[u] = a.Key, a.GivenName
		a.Key, a.State, a.Made, a.Access, a.Traits = RecordKey{}, "", 0, "", Traits{}
		if len(keys)%3 == 0 {
			a.GivenName = map[string]string{"Élodie": "ELODIE", "Ida": "ida"}[a.GivenName]
		}
		w.accounts[u] = a
	}
	moved := rs[0].Memberships
	rs[0].Memberships = []Membership{class("ps-b", "primary", "1a")} // the directory does not know it yet
	day := day0.AddDays(1)
	plan := planOf(t, p, w, rs, day)
	if len(plan.Steps) > 0 || len(plan.Held) != 45 {
		t.Errorf("first run: %s %+v", plan.Summary(), plan.Findings)
	}
	for _, h := range plan.Held {
		if h.Guard != guardIdentity {
			t.Errorf("%s: guard %q", h.Step.ID, h.Guard)
		}
	}
	// Somebody else of another name, and somebody declared to be another, come in.
	some := append(rs[:45:45], person("new", "Robin", "Spycher", RolePupil, class("ps-a", "primary", "6b")))
	var first string
	for u, k := range keys {
		if k == rs[0].Key {
			first = u
		}
	}
	p.Distinct = []Distinct{{A: rs[0].Key.ID, B: first, By: "A", Reason: "asked"}}
	if n := planOf(t, p, w, some, day).Count()[KindCreate]; n != 2 {
		t.Errorf("%d accounts are made, want 2", n)
	}
	p.Distinct = nil
	// The ids are entered.
	rs[0].Memberships = moved
	for u, a := range w.accounts {
		a.Key, a.State, a.Made, a.GivenName = keys[u], Active, day, names[u]
		w.accounts[u] = a
	}
	w.run(p, delivery(rs), day)
	plan = planOf(t, p, w, rs, day.AddDays(1))
	if len(plan.Steps)+len(plan.Held) > 0 || len(w.accounts) != 45 {
		t.Errorf("adopted: %d accounts, %s", len(w.accounts), plan.Summary())
	}
}
