package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

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

// A teacher who has left one school gets no notice as long as the row of the
// other one may be among those that could not be read.
func TestEndedMembershipIsNoDeparture(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		spoil   func(*Delivery)
		notices int
	}{
		{"all rows were read", func(d *Delivery) {}, 1},
		{"a row of the other school was not", func(d *Delivery) { d.Rejected = []Rejection{{Reason: "bad", School: "b"}} },
			0},
		{"a row of some school was not", func(d *Delivery) { d.Rejected = []Rejection{{Reason: "bad"}} }, 0},
		{"a row of hers was not", func(d *Delivery) { d.Rejected = []Rejection{{Reason: "bad", Key: d.Records[0].Key}} }, 0},
		{"the file was cut off", func(d *Delivery) { d.Incomplete = "truncated" }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			w := newWorld(t, p)
			w.run(p, delivery([]Record{person("1", "Ida", "Abel", RoleTeacher, at("a", "primary"), at("b", "primary"))}), day0)
			ended := at("a", "primary")
			ended.Until = day0.AddDays(10)
			d := delivery([]Record{person("1", "Ida", "Abel", RoleTeacher, ended)})
			test.spoil(&d)
			plan, err := NewPlan(p, w.observe(), d, day0.AddDays(11))
			if err != nil {
				t.Fatal(err)
			}
			if n := plan.Count()[KindNotice]; n != test.notices || len(plan.Steps) != test.notices {
				t.Errorf("%d notices, want %d:\n%s", n, test.notices, plan.Summary())
			}
		})
	}
}

// A school that counts as not delivered takes nothing from people who are
// delivered by another school; once somebody answers for it, it does.
func TestCollapsedSchoolKeepsMemberships(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Guards.CollapsePercent = 50
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 100
	}
	w := newWorld(t, p)
	var rs []Record
	for i := range 10 {
		rs = append(rs, person(fmt.Sprint("p", i), "Ida", surname(i), RolePupil, at("b", "primary")))
	}
	rs = append(rs, person("t", "Jo", "Frei", RoleTeacher, at("a", "primary"), at("b", "primary")))
	w.run(p, delivery(rs), day0)
	alone := []Record{person("t", "Jo", "Frei", RoleTeacher, at("a", "primary"))}
	if plan := planOf(t, p, w, alone, day0.AddDays(1)); len(plan.Steps) != 0 {
		t.Errorf("the school is not delivered:\n%s", plan.Summary())
	}
	p.Overrides = []Override{{Guard: "collapse", Until: day0.AddDays(1), By: "H. Frei", Reason: "school closed"}}
	if n := planOf(t, p, w, alone, day0.AddDays(1)).Count(); n[KindChange] != 1 || n[KindNotice] != 10 {
		t.Errorf("the school is closed: %v", n)
	}
}

// Of an export that lost most pupils of a school nobody knows what it lost of
// the teachers: nothing is taken from them either.
func TestCollapsedRoleShieldsTheSchool(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Guards.CollapsePercent = 50
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 100
	}
	w := newWorld(t, p)
	var rs []Record
	for i := range 10 {
		rs = append(rs, person(fmt.Sprint("p", i), "Ida", surname(i), RolePupil, at("b", "primary")))
	}
	for i := range 5 {
		rs = append(rs, person(fmt.Sprint("t", i), "Jo", surname(i), RoleTeacher, at("a", "primary"), at("b", "primary")))
	}
	w.run(p, delivery(rs), day0)
	// Six of ten pupils are missing, one of five teachers, and the place of another.
	less := slices.Clone(rs[6:14])
	less[7].Memberships = []Membership{at("a", "primary")}
	plan := planOf(t, p, w, less, day0.AddDays(1))
	held := 0
	for _, h := range plan.Held {
		if h.Step.Kind() == KindNotice && strings.Contains(h.Why, "4 of 10 pupils") {
			held++
		}
	}
	if len(plan.Steps) != 0 || held != 7 {
		t.Errorf("%d notices are held back:\n%s", held, plan.Summary())
	}
}

// Who comes later, or has come and gone, gets no account today, and an operator
// who wonders why is told.
func TestPeopleOfOtherDays(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	soon, later, gone := at("a", "primary"), at("a", "primary"), at("a", "primary")
	soon.From, later.From, gone.Until = day0.AddDays(3), day0.AddDays(9), day0.AddDays(-1)
	d := delivery([]Record{person("1", "Ida", "Abel", RolePupil, later), person("2", "Udo", "Abel", RolePupil, soon),
		person("3", "Jo", "Abel", RolePupil, gone)})
	plan, err := NewPlan(p, newWorld(t, p).observe(), d, day0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range plan.Findings {
		got = append(got, f.Text)
	}
	want := []string{"1 person in the export whose time at school is over never had an account: none is made",
		"2 people in the export will be at a school later, first on 2026-08-13: no account is made before"}
	if diff := cmp.Diff(want, got); diff != "" || plan.Count()[KindCreate] != 0 {
		t.Errorf("(-want +got)\n%s%s", diff, plan.Summary())
	}
}

// Who returns to another school, whatever its name, is first brought back and
// then changed.
func TestReturnToAnotherSchool(t *testing.T) {
	t.Parallel()
	for _, days := range []int{10, 80} { // notice; deactivated
		p := mayEmpty(smallPolicy(0))
		p.Schools = named("a", "z")
		w := newWorld(t, p)
		d := delivery([]Record{person("1", "Ida", "Abel", RolePupil, at("m", "primary"))})
		w.run(p, d, day0)
		for _, gone := range []int{1, 70} {
			if gone < days {
				w.run(p, delivery(nil), day0.AddDays(gone))
			}
		}
		for i, school := range []SchoolID{"a", "z"} {
			back := delivery([]Record{person("1", "Ida", "Abel", RolePupil, at(school, "primary"))})
			plan := planOf(t, p, w, back.Records, day0.AddDays(days))
			if len(plan.Steps) != 2 || plan.Steps[1].Kind() != KindChange {
				t.Errorf("after %d days back at %s:\n%s", days, school, plan.Summary())
			}
			if i == 1 {
				w.run(p, back, day0.AddDays(days))
				w.sound()
			}
		}
	}
}
