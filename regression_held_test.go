package schoolmail

import (
	"fmt"
	"testing"
)

// A change of name that is held back holds what was planned on top of it: a
// transfer that expects the new name would fail every night.
func TestHeldRenameHoldsTheTransfer(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Populations[1].Contexts = []ContextID{30}
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Transfers = Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 1000}
	w, rs := guardDistrict(t, p)
	for i := range 7 { // seven pupils change school and, by swapped columns, name
		rs[i].FamilyName = "Anders"
		rs[i].Memberships = []Membership{{School: "ss-b", Level: "secondary"}}
	}
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	if n := plan.Count(); n[KindTransfer] != 0 || n[KindChange] != 0 || len(plan.Held) != 14 {
		t.Errorf("%s", plan.Summary())
	}
}

// Somebody whose role changes at a school whose old role is not delivered: the
// second run finds nothing that the first has left.
func TestRoleChangeWhileRoleIsNotDelivered(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	record := func(i int, role Role, class string) Record {
		return Record{Key: RecordKey{"escada", fmt.Sprint(i)}, Role: role, GivenName: "Ida",
			FamilyName:  fmt.Sprint("Abel", i),
			Memberships: []Membership{{School: "b", Level: "secondary", Classes: []string{class}}}}
	}
	var rs []Record
	for i := range 5 {
		rs = append(rs, record(i, RoleTeacher, "1a"))
	}
	w.run(p, delivery(rs), day0)
	now := delivery([]Record{record(4, RoleStaff, "2b")})
	w.run(p, now, day0.AddDays(1))
	if plan := w.run(p, now, day0.AddDays(1)); !plan.Empty() {
		t.Errorf("%s", plan.Summary())
	}
}
