package schoolmail

import (
	"fmt"
	"slices"
	"testing"
)

// school adds n people of a role at a school, each with a class of their own sort.
func school(rs []Record, name SchoolID, role Role, n int) []Record {
	for i := range n {
		r := person(fmt.Sprint(name, "-", role, "-", i), "Ida", surname(i), role,
			class(name, "primary", fmt.Sprint(i/20+1, "a")))
		r.Traits = Traits{Birth: fmt.Sprint(name, role, i)}
		if role != RolePupil {
			r.Memberships[0].Classes = nil
		}
		rs = append(rs, r)
	}
	return rs
}

// A column of roles that was filled down turns no pupils into teachers: neither
// their role nor their place changes, and one pupil a week is the most.
func TestRoleAndTransferAreHeldTogether(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		turned, done int
		from, to     Role
	}{
		{166, 0, RolePupil, RoleTeacher}, {2, 0, RolePupil, RoleTeacher}, {1, 1, RolePupil, RoleTeacher},
		{2, 0, RolePupil, RoleStaff}, {2, 2, RoleTeacher, RoleStaff}, {3, 0, RoleTeacher, RoleStaff},
		{2, 2, RoleTeacher, RolePupil}, {3, 0, RoleTeacher, RolePupil},
	} {
		t.Run(fmt.Sprint(test.turned, test.from, test.to), func(t *testing.T) {
			t.Parallel()
			p := guardPolicy()
			w := newWorld(t, p)
			rs := school(school(nil, "ps-a", RolePupil, 166), "ps-a", RoleTeacher, 20)
			rs = school(rs, "ps-b", RolePupil, 100)
			w.run(p, delivery(rs), day0)
			n := test.turned
			for i := range rs {
				if r := &rs[i]; n > 0 && r.Role == test.from && r.Memberships[0].School == "ps-a" {
					r.Role, n = test.to, n-1
				}
			}
			for day := range 2 {
				plan := w.run(p, delivery(rs), day0.AddDays(1+day))
				changed := 0
				for _, a := range w.accounts {
					i := slices.IndexFunc(rs, func(r Record) bool { return r.Key == a.Key })
					pop := p.population(a.Role, rs[i].Memberships)
					if a.Role == test.to && rs[i].Role == test.to && a.Marks != nil {
						changed++
					}
					if !slices.Contains(pop.Contexts, a.Context) {
						t.Errorf("%s is a %s in context %d", a.Username, a.Role, a.Context)
					}
				}
				if changed != test.done {
					t.Errorf("day %d: %d roles changed, want %d\n%s", day, changed, test.done, plan.Summary())
				}
			}
		})
	}
}

// The base of a guard is the world before the day's runs: who came today does
// not make room for more to go today.
func TestSecondRunReleasesNothing(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 79), "ps-b", RolePupil, 300)
	w.run(p, delivery(rs), day0)
	less := append(slices.Clone(rs[4:]), person("new", "Noé", "Neuhaus", RolePupil, class("ps-a", "primary", "9a")))
	first := w.run(p, delivery(less), day0.AddDays(1))
	if n := first.Count(); n[KindCreate] != 1 || n[KindNotice] != 0 || len(first.Held) != 4 {
		t.Fatalf("%s", first.Summary())
	}
	second := w.run(p, delivery(less), day0.AddDays(1))
	if !second.Empty() || len(second.Held) != 4 {
		t.Errorf("the second run of the day: %s", second.Summary())
	}
	// The next day there are 80.
	if n := w.run(p, delivery(less), day0.AddDays(2)).Count(); n[KindNotice] != 4 {
		t.Errorf("the next day: %v", n)
	}
}

// Whoever changes school today counts where they were, at both schools.
func TestMovedTodayCountWhereTheyWere(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 79), "ps-b", RolePupil, 300)
	w.run(p, delivery(rs), day0)
	rs[100].Memberships = []Membership{class("ps-a", "primary", "1a")} // 80 now
	less := slices.Clone(rs[4:])
	for i := range 2 {
		plan := w.run(p, delivery(less), day0.AddDays(1))
		if n := plan.Count(); n[KindChange] != 1-i || n[KindNotice] != 0 || len(plan.Held) != 4 {
			t.Fatalf("run %d: %s", i+1, plan.Summary())
		}
	}
}

// Deactivated accounts are not part of what percentages refer to.
func TestDeactivatedDoNotCount(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 100), "ps-b", RolePupil, 300)
	w.run(p, delivery(rs), day0)
	n := 0
	for name, a := range w.accounts {
		stays := slices.ContainsFunc(rs[45:100], func(r Record) bool { return r.Key == a.Key })
		if a.Memberships[0].School == "ps-a" && !stays {
			a.State, a.NoticedOn, a.Deactivated = Deactivated, day0.AddDays(1), day0.AddDays(60)
			w.accounts[name] = a
			n++
		}
	}
	if n != 45 {
		t.Fatal(n)
	}
	// 5 % of 100 would be five, of 55 it is two, and three are free.
	plan := planOf(t, p, w, rs[50:], day0.AddDays(100))
	if got := plan.Count()[KindNotice]; got != 0 || len(plan.Held) != 5 {
		t.Errorf("%d notices: %s", got, plan.Summary())
	}
	if got := planOf(t, p, w, rs[48:], day0.AddDays(100)).Count()[KindNotice]; got != 3 {
		t.Errorf("%d notices, want three", got)
	}
}

// In a change of terms everything since its first day counts together.
func TestChangeOfTermsIsCountedAsAWhole(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.TermChanges = []Window{{From: day0.AddDays(10), Until: day0.AddDays(40)}}
	p.Guards.CollapsePercent = 1
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 100), "ps-b", RolePupil, 390)
	w.run(p, delivery(rs), day0)
	for _, test := range []struct{ day, gone, notices int }{{10, 23, 23}, {24, 46, 0}, {24, 45, 22}, {40, 46, 0}} {
		plan := w.run(p, delivery(rs[test.gone:]), day0.AddDays(test.day))
		if n := plan.Count()[KindNotice]; n != test.notices {
			t.Errorf("day %d, %d gone: %d notices, want %d\n%s", test.day, test.gone, n, test.notices, plan.Summary())
		}
	}
}

// Who leaves one of several schools is counted, too: a table of further schools that
// was not delivered takes nobody's membership away.
func TestLostMembershipsAreGuarded(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RoleTeacher, 100), "ps-b", RoleTeacher, 390)
	for i := range rs[:100] {
		rs[i].Memberships = append(rs[i].Memberships, class("ps-c", "primary", "1a"))
	}
	w.run(p, delivery(rs), day0)
	for n, pass := range map[int]int{5: 5, 6: 0} {
		changed := slices.Clone(rs)
		for i := range n {
			changed[i].Memberships = changed[i].Memberships[:1]
		}
		plan := planOf(t, p, w, changed, day0.AddDays(1))
		if got := plan.Count()[KindChange]; got != pass || len(plan.Held) != n-pass {
			t.Errorf("%d lose one of two schools: %d pass\n%s", n, got, plan.Summary())
		}
		for _, h := range plan.Held {
			if h.Guard != "memberships" {
				t.Errorf("held by %q: %s", h.Guard, h.Why)
			}
		}
	}
}

// What was done on a day in the future, under a wrong clock, counts as what was done
// today: a clock that is put right empties no guard.
func TestGuardsCountTheFuture(t *testing.T) {
	t.Parallel()
	for _, ahead := range []int{1, 365} {
		p := guardPolicy()
		w := newWorld(t, p)
		rs := school(school(nil, "ps-a", RoleTeacher, 100), "ps-b", RoleTeacher, 390)
		w.run(p, delivery(rs), day0)
		changed := slices.Clone(rs)
		for i := range 10 { // as many as may
			changed[i].Phone = "+41 31 000 00 00"
		}
		w.run(p, delivery(changed), day0.AddDays(ahead))
		changed[10].Phone = "+41 31 000 00 00"
		if plan := planOf(t, p, w, changed, day0); plan.Count()[KindChange] != 0 || len(plan.Held) != 1 {
			t.Errorf("%d days ahead, the guard is empty: %s", ahead, plan.Summary())
		}
		// Notices of a day to come count, too: after as many as may, no more today.
		leave := func(n int, day Date) *Plan { return planOf(t, p, w, changed[n:], day) }
		limit := 0
		for n := 1; n < 60 && leave(n, day0).Count()[KindNotice] == n; n++ {
			limit = n
		}
		w.run(p, delivery(changed[limit:]), day0.AddDays(ahead))
		if plan := leave(limit+1, day0); limit == 0 || plan.Count()[KindNotice] != 0 {
			t.Errorf("%d days ahead, after %d notices another is sent: %s", ahead, limit, plan.Summary())
		}
	}
}

// One column filled down, emptied or shifted: each field has a guard by school,
// which the change of terms widens.
func TestFieldsHaveGuards(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		guard  string
		few    int // pass on an ordinary day
		change func(*Record)
	}{
		{"classes", 20, func(r *Record) { r.Memberships = []Membership{class("ps-a", "primary", "9z")} }},
		{"private-mail", 10, func(r *Record) { r.NoticeMail = "all@example.org" }},
		{"languages", 10, func(r *Record) { r.Language = "fr" }},
		{"telephones", 10, func(r *Record) { r.Phone = "" }},
		{"schools", 5, func(r *Record) { r.Memberships = []Membership{class("ps-x", "primary", "1a")} }},
		{"renames", 10, func(r *Record) { r.FamilyName = "Wyss" }},
		{"birth-dates", 10, func(r *Record) { r.Traits.Birth += "f" }},
		{"birth-dates", 10, func(r *Record) { r.Traits.Number += "f" }},
	} {
		t.Run(test.guard, func(t *testing.T) {
			t.Parallel()
			p := guardPolicy()
			w := newWorld(t, p)
			rs := school(school(nil, "ps-a", RoleTeacher, 100), "ps-b", RoleTeacher, 390)
			for i := range rs {
				rs[i].Phone, rs[i].Language = "+41 31 000 00 00", "de"
				rs[i].Memberships[0].Classes = []string{"1a"}
				rs[i].Traits.Number = fmt.Sprintf("%04x", i)
			}
			w.run(p, delivery(rs), day0)
			for _, n := range []int{test.few, test.few + 1} {
				changed := slices.Clone(rs)
				for i := range n {
					test.change(&changed[i])
				}
				for run := range 2 { // what the first has held the second holds
					plan := planOf(t, p, w, changed, day0.AddDays(1+run))
					if got := plan.Count()[KindChange]; n == test.few && got != n || n > test.few && got != 0 {
						t.Errorf("%d changes: %d pass\n%s", n, got, plan.Summary())
					}
					for _, h := range plan.Held {
						if h.Guard != test.guard {
							t.Errorf("held by %q: %s", h.Guard, h.Why)
						}
					}
				}
				if n == test.few { // done today, they count tomorrow
					again := newWorld(t, p)
					again.run(p, delivery(rs), day0)
					again.run(p, delivery(changed), day0.AddDays(1))
					test.change(&changed[n])
					if got := planOf(t, p, again, changed, day0.AddDays(2)); got.Count()[KindChange] != 0 || len(got.Held) != 1 {
						t.Errorf("one more on the next day: %s", got.Summary())
					}
				}
			}
		})
	}
}

// Birth dates and numbers that nobody knew before are no changes: a new column of the
// export is taken over for all at once.
func TestBirthDatesThatAreNew(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(nil, "ps-a", RoleTeacher, 100)
	bare := slices.Clone(rs)
	for i := range bare {
		bare[i].Traits = Traits{}
	}
	w.run(p, delivery(bare), day0)
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	if n := plan.Count()[KindChange]; n != 100 || len(plan.Held) != 0 {
		t.Errorf("%s", plan.Summary())
	}
	for i := range rs {
		rs[i].Traits.Number = fmt.Sprintf("%04x", i)
	}
	if n := planOf(t, p, w, rs, day0.AddDays(2)).Count()[KindChange]; n != 100 {
		t.Errorf("%d numbers are taken over, want 100", n)
	}
}

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

// Transfers count over the whole window also where no old copies are kept, which would
// tell of them.
func TestTransfersCountWithoutOldCopies(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.LifeCycle.TransferGraceDays = -1
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	rs := school(nil, "ps-a", RolePupil, 40)
	w.run(p, delivery(rs), day0)
	moved := 0
	for day := range 4 { // three more each day; three a week are allowed
		for i := range 3 {
			rs[3*day+i].Memberships = []Membership{class("ps-a", "secondary", "7a")}
		}
		w.run(p, delivery(rs), day0.AddDays(10+day))
		moved = 0
		for _, a := range w.accounts {
			if a.Context == 30 {
				moved++
			}
		}
	}
	if moved != 3 {
		t.Errorf("%d people were moved within a week, 3 are allowed", moved)
	}
}
