package schoolmail

import (
	"slices"
	"testing"
)

// What a plan can change about an account an undo can set back: each field by
// itself is seen, and is gone after it was copied.
func TestAccountFields(t *testing.T) {
	t.Parallel()
	full := Account{GivenName: "a", FamilyName: "b", DisplayName: "c", Role: RoleStaff, Phone: "d", NoticeMail: "e",
		Language: "fr", Access: "pim",
		Memberships: []Membership{{School: "s", Classes: []string{"1a"}}}, Traits: Traits{Birth: "f"}}
	var empty Account
	names := changes(&empty, &full)
	if len(names) != len(accountFields) {
		t.Fatalf("of %d fields differ %v", len(accountFields), names)
	}
	for _, name := range names {
		a := empty
		setField(&a, &full, name)
		if got := changes(&empty, &a); !slices.Equal(got, []string{name}) {
			t.Errorf("setting %s changes %v", name, got)
		}
		setField(&a, &empty, name)
		if got := changes(&empty, &a); len(got) > 0 {
			t.Errorf("%s set back: %v still differ", name, got)
		}
	}
}

// Somebody whose transfer is held back keeps the rights of the context they are
// in; the rights of the new population come with the new context.
func TestAccessWaitsForTheTransfer(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Guards.Usual.Transfers = Limit{}
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	p.Populations[1].Contexts = []ContextID{30}
	rs := ida("secondary")
	rs[0].Memberships[0].Classes = []string{"7a"}
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	wantSteps(t, plan, []string{"change:escada/1"}, []string{"transfer:escada/1"})
	if c := plan.Steps[0].Action.(ChangeAccount); c.Access != "" || w.contexts[20].users["ida.abel"].spec.Access == "pim" {
		t.Errorf("the change gives the access %q", c.Access)
	}
	p.Overrides = []Override{{Guard: "transfers", Until: day0.AddDays(2), By: "H. Frei", Reason: "seventh year"}}
	wantSteps(t, w.run(p, delivery(rs), day0.AddDays(2)), []string{"transfer:escada/1"}, nil)
	if a := w.contexts[30].users["ida.abel"].spec.Access; a != "pim" {
		t.Errorf("in the new context the access is %q", a)
	}
}

// Whoever becomes part of another population in the same context gets its
// access; accounts whose access was not given by schoolmail keep theirs.
func TestAccessFollowsThePopulation(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	access := func() string { return w.contexts[20].users["ida.abel"].spec.Access }
	if got := access(); got != "webmail" {
		t.Fatal(got)
	}
	plan := w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	if len(plan.Steps) != 1 || plan.Steps[0].Reason != "access from webmail to pim" || access() != "pim" ||
		w.accounts["ida.abel"].Access != "pim" {
		t.Errorf("access %q after\n%s", access(), plan.Summary())
	}
	a := w.accounts["ida.abel"]
	a.Access = ""
	w.accounts["ida.abel"] = a
	if plan := planOf(t, p, w, ida("primary"), day0.AddDays(2)); !plan.Empty() {
		t.Errorf("an adopted account:\n%s", plan.Summary())
	}
}
