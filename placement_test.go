package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// crowdPolicy has a context for teachers, a full one and one with room.
func crowdPolicy(grace, full int) Policy {
	p := guardPolicy()
	p.LifeCycle.TransferGraceDays = grace
	p.Populations = []Population{
		{Name: "guests", Roles: []Role{RoleTeacher}, Levels: []SchoolLevel{"guest"}, Contexts: []ContextID{20},
			Domain: "teachers.example", Access: "pim"},
		{Name: "teachers", Roles: []Role{RoleTeacher}, Contexts: []ContextID{10}, Domain: "teachers.example", Access: "pim"},
		{Name: "pupils", Roles: []Role{RolePupil}, Contexts: []ContextID{20, 30}, Domain: "pupils.example", Access: "pim"},
	}
	p.Contexts = []ContextSpec{{ID: 10, Name: "c10", Capacity: 300}, {ID: 20, Name: "c20", Capacity: full + 1},
		{ID: 30, Name: "c30", Capacity: 300}}
	return p
}

// crowd fills context 20 with pupils who might live in 30 as well, and returns
// everybody, teachers first.
func crowd(t *testing.T, p Policy, pupils, teachers int) (*world, []Record) {
	t.Helper()
	var rs []Record
	for i := range teachers {
		rs = append(rs, person(fmt.Sprint("t", i), "Jo", surname(i), RoleTeacher, at("ps-a", "")))
	}
	for i := range pupils {
		rs = append(rs, person(fmt.Sprint("p", i), "Ida", surname(i), RolePupil, at("ps-a", "primary")))
	}
	w := newWorld(t, p)
	first := p
	first.Populations = slices.Clone(p.Populations)
	first.Populations[2].Contexts = []ContextID{20}
	w.run(first, delivery(rs), day0)
	return w, rs
}

// Nobody is moved out of a full context for people whose own step is held back,
// be it by a guard or because their seats get free only after the grace.
func TestNobodyMakesRoomForAHeldStep(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		grace     int
		limit     Limit
		seated    int // guests who get a seat
		residents int // pupils who make room
	}{
		{"a guard holds them", -1, Limit{SchoolPercent: 1, DistrictPercent: 100, Free: 5}, 0, 0},
		{"their seats would get free after the grace", 14, Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}, 0, 0},
		{"nothing holds them", -1, Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}, 6, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := crowdPolicy(test.grace, 60)
			p.Guards.Usual = usualLimits
			p.Guards.Usual.Transfers = test.limit
			w, rs := crowd(t, p, 60, 30)
			for i := range 6 {
				rs[i].Memberships = []Membership{at("ps-a", "guest")}
			}
			plan := planOf(t, p, w, rs, day0.AddDays(1))
			guests, residents := 0, 0
			for _, s := range plan.Steps {
				if s.Kind() == KindTransfer {
					if s.Role == RoleTeacher {
						guests++
					} else {
						residents++
					}
				}
			}
			if guests != test.seated || residents != test.residents {
				t.Errorf("%d guests are moved and %d residents, want %d and %d:\n%s", guests, residents, test.seated,
					test.residents, plan.Summary())
			}
			for _, h := range plan.Held {
				if h.Step.Role != RoleTeacher {
					t.Errorf("held: %s: %s", h.Step.ID, h.Why)
				}
			}
		})
	}
}

// Full contexts whose people change places are untangled over one spare seat
// elsewhere, if anybody of theirs may sit there; if not, the reason says what is missing.
func TestFullContextsChangePlaces(t *testing.T) {
	t.Parallel()
	for spare, want := range map[int]int{0: 0, 1: 8} {
		p := guardPolicy()
		all := Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}
		p.Guards.Usual = usualLimits
		p.Guards.Usual.Transfers, p.Guards.Usual.Classes = all, all
		p.LifeCycle.TransferGraceDays = -1
		pop := func(name string, cs ...ContextID) Population {
			return Population{Name: name, Roles: []Role{RolePupil}, Levels: []SchoolLevel{SchoolLevel(name)}, Contexts: cs,
				Domain: "p.example", Access: "pim"}
		}
		p.Populations = []Population{pop("a", 10), pop("b", 20), pop("c", []ContextID{10, 30}[:1+spare]...)}
		p.Contexts = []ContextSpec{{ID: 10, Name: "c10", Capacity: 6}, {ID: 20, Name: "c20", Capacity: 5},
			{ID: 30, Name: "c30", Capacity: 2}}
		var rs []Record
		for i, level := range []SchoolLevel{"a", "a", "a", "a", "b", "b", "b", "b", "c"} {
			rs = append(rs, person(fmt.Sprint(i), "Ida", surname(i), RolePupil, at("ps-a", level)))
		}
		w := newWorld(t, p)
		first := p
		first.Populations = slices.Clone(p.Populations)
		first.Populations[2].Contexts = []ContextID{10}
		w.run(first, delivery(rs), day0)
		for i := range 4 {
			rs[i].Memberships, rs[4+i].Memberships = rs[4+i].Memberships, rs[i].Memberships
		}
		plan := w.run(p, delivery(rs), day0.AddDays(1))
		moved := 0
		for _, s := range plan.Steps {
			if s.Kind() == KindTransfer && s.Key.ID != "8" {
				moved++
			}
		}
		if moved != want {
			t.Errorf("%d spare: %d of 8 change places, want %d:\n%s", spare, moved, want, plan.Summary())
		}
		for _, h := range plan.Held {
			if strings.Contains(h.Why, "old copies") || !strings.Contains(h.Why, "context") {
				t.Errorf("%d spare: held with the reason %q", spare, h.Why)
			}
		}
	}
}

// The limit of transfers holds for each school: in a context of many schools one
// whose level was mistyped does not move as a whole.
func TestTransfersAreLimitedPerSchool(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Populations[1].Contexts = []ContextID{30}
	p.Contexts[1].Capacity, p.Contexts[2].Capacity = 2000, 2000
	var rs []Record
	for school := range 40 {
		for i := range 20 {
			n := school*20 + i
			rs = append(rs, person(fmt.Sprint(n), "Ida", surname(n), RolePupil,
				at(SchoolID(fmt.Sprint("ps-", school)), "primary")))
		}
	}
	w := newWorld(t, p)
	w.run(p, delivery(rs), day0)
	for i := range 20 {
		rs[i].Memberships = []Membership{at("ps-0", "secondary")}
	}
	plan := planOf(t, p, w, rs, day0.AddDays(30))
	if n := plan.Count()[KindTransfer]; n != 0 || len(plan.Held) < 20 {
		t.Errorf("%d transfers and %d held of a school of 20 in a context of 800:\n%s", n, len(plan.Held), plan.Summary())
	}
}

// Who still has an old copy is held for that reason also when no seat is in sight: a
// seat may get free once others are held back, and then nobody asks again.
func TestKeptCopyHoldsAlsoWithoutASeat(t *testing.T) {
	t.Parallel()
	p := smallPolicy(7)
	p.Populations[1].Contexts = []ContextID{30}
	p.Contexts[1].Headroom = 0
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	for _, test := range []struct {
		name     string
		capacity int // of the context to go back to
		held     bool
		day      int
	}{
		{"there is a seat", 9, true, 2}, {"it is full", 2, true, 2},
		{"the last day of the grace", 9, true, 7}, {"the grace is over", 9, false, 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := p
			q.Contexts = slices.Clone(p.Contexts)
			q.Contexts[1].Capacity = test.capacity
			plan := planOf(t, q, w, ida("primary"), day0.AddDays(test.day))
			held := slices.ContainsFunc(plan.Held, func(h Held) bool {
				return h.Step.Kind() == KindTransfer &&
					strings.Contains(h.Why, "copy of the last transfer is still kept in context 20")
			})
			if held != test.held {
				t.Errorf("held %v:\n%+v", held, plan.Held)
			}
			moves := slices.ContainsFunc(plan.Steps, func(s Step) bool { return s.Kind() == KindTransfer })
			if moves && test.held {
				t.Error("is transferred all the same")
			}
		})
	}
}
