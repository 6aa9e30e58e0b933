package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// guardDistrict has two schools of 40 pupils and 10 teachers, all active in
// contexts that are large enough.
func guardDistrict(t *testing.T, p Policy) (*world, []Record) {
	w := newWorld(t, p)
	var rs []Record
	for _, school := range []SchoolID{"ps-a", "ps-b"} {
		for i := range 50 {
			r := Record{Key: RecordKey{"escada", fmt.Sprint(school, i)}, Role: RolePupil, GivenName: "Ida",
				FamilyName: surname(i),
				Traits:     Traits{Birth: fmt.Sprint(school, i)}, Memberships: []Membership{{School: school, Level: "primary"}}}
			if i >= 40 {
				r.Role = RoleTeacher
			}
			rs = append(rs, r)
		}
	}
	w.run(p, delivery(rs), day0)
	return w, rs
}

// surname returns the i-th of some family names of which no two are alike.
func surname(i int) string {
	const syllables = "bacedifoguhajekilomunapeqirosutavewixoyuzabecidofugahejikolumaneq"
	s := "Abel"
	for i++; i > 0; i /= 32 {
		s += syllables[i%32*2:][:2]
	}
	return s + "mann"
}

func guardPolicy() Policy {
	p := smallPolicy(7)
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 500
	}
	p.Guards = Guards{}
	p.TermChanges = []Window{{Name: "spring term", From: NewDate(2027, 1, 25), Until: NewDate(2027, 2, 14)}}
	return p
}

func without(rs []Record, n int, role Role, school SchoolID) []Record {
	return slices.DeleteFunc(slices.Clone(rs), func(r Record) bool {
		if n > 0 && r.Role == role && r.Memberships[0].School == school {
			n--
			return true
		}
		return false
	})
}

func TestGuards(t *testing.T) {
	t.Parallel()
	term := NewDate(2027, 2, 1)
	for _, test := range []struct {
		name     string
		gone     int
		now      Date
		override *Override
		notices  int
		held     int
	}{
		{"a few leave on an ordinary day", 2, day0.AddDays(1), nil, 2, 0},
		{"too many of a school's pupils leave", 9, day0.AddDays(1), nil, 0, 9},
		{"as many at the change of term", 9, term, nil, 9, 0},
		{"too many even then", 24, term, nil, 0, 24},
		{"somebody answers for it", 9, day0.AddDays(1), &Override{Guard: "leavers", School: "ps-a", Until: day0.AddDays(1),
			By: "H. Frei", Reason: "school moves"}, 0, 9},
		{"somebody answers for it in the district", 9, day0.AddDays(1),
			&Override{Guard: "leavers", Until: day0.AddDays(1), By: "H. Frei", Reason: "school moves"}, 9, 0},
		{"the override has run out", 9, day0.AddDays(2), &Override{Guard: "leavers", Until: day0.AddDays(1), By: "H. Frei",
			Reason: "school moves"}, 0, 9},
		{"half a school is not delivered", 27, term, &Override{Guard: "leavers", Until: term, By: "H. Frei",
			Reason: "test"}, 0, 27},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := guardPolicy()
			w, rs := guardDistrict(t, p)
			if test.override != nil {
				p.Overrides = append(p.Overrides, *test.override)
			}
			less := without(rs, test.gone, RolePupil, "ps-a")
			plan, err := NewPlan(p, w.observe(), delivery(less), test.now)
			if err != nil {
				t.Fatal(err)
			}
			if n := plan.Count()[KindNotice]; n != test.notices || len(plan.Held) != test.held {
				t.Errorf("%d notices and %d held back, want %d and %d:\n%s", n, len(plan.Held), test.notices, test.held,
					plan.Summary())
			}
		})
	}
}

// What was done on the days before counts, so that nobody is emptied a few
// people a day. A hold on somebody undoes nothing of it.
func TestGuardsAreCumulative(t *testing.T) {
	t.Parallel()
	for _, hold := range []bool{false, true} {
		t.Run(fmt.Sprint("on hold afterwards ", hold), func(t *testing.T) {
			t.Parallel()
			guardsAreCumulative(t, hold)
		})
	}
}

func guardsAreCumulative(t *testing.T, hold bool) {
	p := guardPolicy()
	w, rs := guardDistrict(t, p)
	for day := 1; day <= 4; day++ {
		rs = without(rs, 1, RoleTeacher, "ps-a")
		w.run(p, delivery(rs), day0.AddDays(day))
		for name, a := range w.accounts {
			a.Held = hold && a.State == Leaving
			w.accounts[name] = a
		}
	}
	left := 0
	for _, a := range w.accounts {
		if a.State == Leaving {
			left++
		}
	}
	if left != 3 { // 2 % of 100 in the district would be 2, but 3 are always free
		t.Errorf("%d leavers in four days, want 3", left)
	}
	// The window passes, and the fourth one gets the notice.
	if plan := w.run(p, delivery(rs), day0.AddDays(9)); plan.Count()[KindNotice] != 1 {
		t.Errorf("after the window: %s", plan.Summary())
	}
}

// Creates and changes of a school go on while its leavers are held back.
func TestGuardHoldsOnlyItsOwn(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w, rs := guardDistrict(t, p)
	rs = without(rs, 9, RolePupil, "ps-a")
	rs[len(rs)-1].FamilyName = "Abel-Muster"
	rs = append(rs, Record{Key: RecordKey{"escada", "new"}, Role: RolePupil, GivenName: "Noé", FamilyName: "Neu",
		Memberships: []Membership{{School: "ps-a", Level: "primary"}}})
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	n := plan.Count()
	if n[KindCreate] != 1 || n[KindChange] != 1 || n[KindNotice] != 0 || len(plan.Held) != 9 {
		t.Errorf("%s", plan.Summary())
	}
	for _, h := range plan.Held {
		if h.Guard != "leavers" || !strings.Contains(h.Why, "ps-a") {
			t.Errorf("held: %q %s", h.Guard, h.Why)
		}
	}
}

func TestTransferGuard(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Populations[1].Contexts = []ContextID{30}
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Classes = Limit{SchoolPercent: 100, DistrictPercent: 100}
	w, rs := guardDistrict(t, p)
	for i := range rs {
		if rs[i].Role == RolePupil && rs[i].Memberships[0].School == "ps-a" {
			rs[i].Memberships = []Membership{{School: "ps-a", Level: "secondary", Classes: []string{"7a"}}}
		}
	}
	// On an ordinary day 40 pupils of a school do not change level.
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	if n := plan.Count(); n[KindTransfer] != 0 || len(plan.Held) != 40 || n[KindChange] != 40 {
		t.Errorf("%s", plan.Summary())
	}
}

func TestNewPlanRefuses(t *testing.T) {
	t.Parallel()
	good := delivery(nil)
	for _, test := range []struct {
		name string
		p    func(*Policy)
		d    func(*Delivery)
		now  Date
		want string
	}{
		{"another source", nil, func(d *Delivery) { d.Source = "other" }, day0, "from source"},
		{"no kind", nil, func(d *Delivery) { d.Kind = "" }, day0, "full or delta"},
		{"no day", nil, nil, 0, "no day"},
		{"a short notice", func(p *Policy) { p.LifeCycle.NoticeDays = 55 }, nil, day0, "at least 56"},
		{"nowhere to live", func(p *Policy) { p.Populations[0].Contexts = nil }, nil, day0, "no contexts"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, d := smallPolicy(0), good
			if test.p != nil {
				test.p(&p)
			}
			if test.d != nil {
				test.d(&d)
			}
			_, err := NewPlan(p, State{}, d, test.now)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// People who are waiting for a transfer count in the context they leave, so
// that a held transfer does not slip through on the next day among the many
// people of the new school.
func TestTransferGuardCountsWhereTheyLeave(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ move, transfers int }{{40, 0}, {8, 8}} {
		p := guardPolicy()
		p.Populations[1].Contexts = []ContextID{30}
		p.Guards.Usual = usualLimits
		p.Guards.Usual.Transfers = Limit{SchoolPercent: 20, DistrictPercent: 100, Free: 3}
		w := newWorld(t, p)
		var rs []Record
		for i := range 240 {
			m := at("ss-x", "secondary")
			if i < 40 {
				m = at("ps-a", "primary")
			}
			rs = append(rs, person(fmt.Sprint(i), "Ida", surname(i), RolePupil, m))
		}
		w.run(p, delivery(rs), day0)
		for i := range test.move {
			rs[i].Memberships = []Membership{at("ss-x", "secondary")}
		}
		transfers := 0
		for day := 1; day <= 3; day++ {
			transfers += w.run(p, delivery(rs), day0.AddDays(day)).Count()[KindTransfer]
		}
		if transfers != test.transfers {
			t.Errorf("of 40 pupils %d change school: %d transfers, want %d", test.move, transfers, test.transfers)
		}
	}
}

// Three transfers a day are not allowed every day.
func TestTransferGuardIsCumulative(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.LifeCycle.TransferGraceDays = 14
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Transfers.DistrictPercent = 100
	p.Populations[1].Contexts = []ContextID{30}
	w, rs := guardDistrict(t, p)
	moved := 0
	for day := range 6 {
		for i := range 3 { // each day to another school
			rs[3*day+i].Memberships = []Membership{at(SchoolID(fmt.Sprint("ss-new", day)), "secondary")}
		}
		moved += w.run(p, delivery(rs), day0.AddDays(day+1)).Count()[KindTransfer]
	}
	if moved != 3 {
		t.Errorf("%d transfers within 6 days, want 3", moved)
	}
}
