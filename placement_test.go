package schoolmail

import (
	"context"
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

// The removal of an old copy that is gone already frees no seat.
func TestGoneCopyFreesNoSeat(t *testing.T) {
	t.Parallel()
	p := smallPolicy(7)
	p.Populations[1].Contexts = []ContextID{30}
	p.Contexts[1].Capacity, p.Contexts[1].Headroom = 3, 0 // the administrator and two more
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	dead := false // the power fails between OX and the directory
	w.fault = func(_ int, what string, done bool) error {
		if dead = dead || what == "delete-user" && done; dead {
			return errCrash
		}
		return nil
	}
	if _, err := Apply(context.Background(), planOf(t, p, w, ida("secondary"), day0.AddDays(8)), w.ports(),
		nil); err == nil {
		t.Fatal("the power did not fail")
	}
	w.fault = nil
	rs := ida("secondary")
	for _, n := range []string{"a", "b", "c"} {
		rs = append(rs, person("n"+n, n, "Neu", RolePupil, at("ps-a", "primary")))
	}
	plan := w.run(p, delivery(rs), day0.AddDays(9))
	wantSteps(t, plan, []string{"forget-copy:escada/1", "create:escada/na", "create:escada/nb"},
		[]string{"create:escada/nc"})
	w.sound()
}

// Somebody who comes back and whose user was deleted in OX by hand waits for a
// seat like everybody else.
func TestReactivationTakesNoUncountedSeat(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		level    SchoolLevel
		do, held []string
	}{
		{"primary", []string{"reactivate:escada/1"}, []string{"repair:escada/1"}},
		{"secondary", []string{"reactivate:escada/1", "change:escada/1"}, nil},
	} {
		t.Run(string(test.level), func(t *testing.T) {
			t.Parallel()
			p := mayEmpty(smallPolicy(0))
			p.Populations[1].Contexts = []ContextID{30}
			p.Contexts[1].Capacity, p.Contexts[1].Headroom = 2, 0
			w := newWorld(t, p)
			other := person("2", "Noé", "Neu", RolePupil, at("ps-a", "primary"))
			w.run(p, delivery(ida("primary")), day0)
			w.run(p, delivery(nil), day0.AddDays(1))
			w.run(p, delivery(nil), day0.AddDays(60))
			delete(w.contexts[20].users, "ida.abel")
			w.run(p, delivery([]Record{other}), day0.AddDays(61))
			wantSteps(t, w.run(p, delivery(append(ida(test.level), other)), day0.AddDays(62)), test.do, test.held)
			if _, there := w.contexts[30].users["ida.abel"]; there != (test.level == "secondary") ||
				len(w.contexts[20].users) != 2 {
				t.Errorf("users in context 20: %d, she is in 30: %v", len(w.contexts[20].users), there)
			}
		})
	}
}

// A stranger of the same name in a context where somebody may live is avoided;
// where there is no other context, the move waits.
func TestStrangerInAnAllowedContext(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		allowed []ContextID
		in      ContextID
	}{
		{"there is another", []ContextID{20, 30}, 20},
		{"there is no other", []ContextID{30}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			p.Populations[2].Contexts = test.allowed
			w := newWorld(t, p)
			w.run(p, delivery([]Record{person("1", "Ida", "Abel", RoleTeacher, at("ps-a", "primary"))}), day0)
			stranger := worldUser{id: 99, spec: UserSpec{Username: "ida.abel", DisplayName: "Guest"}, data: "not ours"}
			w.contexts[30].users["ida.abel"] = stranger
			plan := w.run(p, delivery(ida("primary")), day0.AddDays(1))
			want := map[ContextID]Role{10: RoleTeacher, 20: RolePupil}[test.in] // role and place change together
			if a := w.accounts["ida.abel"]; a.Context != test.in || a.Role != want {
				t.Errorf("%s in context %d, want a %s in %d", a.Role, a.Context, want, test.in)
			}
			if test.in == 10 && (len(plan.Held) != 2 || !strings.Contains(plan.Held[0].Why,
				"somebody else has this user name")) {
				t.Errorf("held back: %+v", plan.Held)
			}
			if got := w.contexts[30].users["ida.abel"]; fingerprint(got) != fingerprint(stranger) ||
				got.data != stranger.data || got.id != stranger.id {
				t.Errorf("the stranger is now %+v", got)
			}
		})
	}
}
