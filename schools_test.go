package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// birkenhof is a school of 30 pupils beside one of 300.
func birkenhof(t *testing.T) (Policy, *world, []Record) {
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-birkenhof", RolePupil, 30), "ps-lindenhof", RolePupil, 300)
	w.run(p, delivery(rs), day0)
	return p, w, rs
}

// A code that is almost that of a school is a mistake until somebody says
// otherwise; one that differs in case only is the school's.
func TestNewSchools(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code    SchoolID
		schools []School
		lifted  bool
		held    int
		finding bool
	}{
		{"ps-birkenhoff", nil, false, 2, true},
		{"ps-birkenhoff", nil, true, 0, true},
		{"ps-birkenhoff", []School{{ID: "ps-birkenhoff"}}, false, 0, false},
		{"PS-BIRKENHOF", nil, false, 0, false},
		{"ps-sonnenberg", nil, false, 2, true},
		{"ps-sonnenberg", nil, true, 0, true},
		{"ps-sonnenberg", []School{{ID: "ps-sonnenberg"}}, false, 0, false},
		{"ps-sonnenberg", []School{{ID: "ps-birkenhof"}}, false, 2, true},
	} {
		t.Run(fmt.Sprint(test.code, len(test.schools), test.lifted), func(t *testing.T) {
			t.Parallel()
			p, w, rs := birkenhof(t)
			p.Schools = test.schools
			if test.lifted {
				p.Overrides = []Override{{Guard: guardNewSchools, School: test.code, Until: day0.AddDays(1), By: "H. Frei",
					Reason: "new"}}
			}
			rs[0].Memberships = []Membership{class(test.code, "primary", "1a")}
			rs = append(rs, person("new", "Noé", "Neuhaus", RolePupil, class(test.code, "primary", "1a")))
			plan := planOf(t, p, w, rs, day0.AddDays(1))
			if len(plan.Held) != test.held || hasFinding(plan, "new-school") != test.finding {
				t.Errorf("%s %v", plan.Summary(), plan.Findings)
			}
			if test.held == 0 && plan.Count()[KindCreate] != 1 {
				t.Errorf("%s", plan.Summary())
			}
			if test.code == "PS-BIRKENHOF" && (plan.Count()[KindChange] != 0 || len(plan.Steps) != 1 ||
				plan.Steps[0].School != "ps-birkenhof") {
				t.Errorf("the same school: %s", plan.Summary())
			}
		})
	}
}

// Schools that the policy says are merged or closed break no limit.
func TestSchoolsThatMergeOrClose(t *testing.T) {
	t.Parallel()
	p, w, rs := birkenhof(t)
	moved := slices.Clone(rs)
	for i := range 30 {
		moved[i].Memberships = []Membership{class("ps-lindenhof", "primary", "7b")}
	}
	day := day0.AddDays(1)
	if plan := planOf(t, p, w, moved, day); !plan.Empty() || len(plan.Held) != 30 {
		t.Errorf("without a word: %s", plan.Summary())
	}
	p.Schools = []School{{ID: "ps-lindenhof", Formerly: []SchoolID{"ps-birkenhof"}}}
	if plan := planOf(t, p, w, moved, day); plan.Count()[KindChange] != 30 || len(plan.Held) != 0 {
		t.Errorf("merged: %s", plan.Summary())
	}
	gone := rs[30:]
	if plan := planOf(t, p, w, gone, day); !plan.Empty() {
		t.Errorf("not closed: %s", plan.Summary())
	}
	p.Schools = []School{{ID: "ps-birkenhof", Closed: day}, {ID: "ps-lindenhof"}}
	if plan := planOf(t, p, w, gone, day.AddDays(-1)); !plan.Empty() {
		t.Errorf("a day before: %s", plan.Summary())
	}
	if plan := planOf(t, p, w, gone, day); plan.Count()[KindNotice] != 30 || len(plan.Held) != 0 {
		t.Errorf("closed: %s", plan.Summary())
	}
}

// A school that delivers nobody at all is not delivered, however small it is.
func TestSmallSchoolsThatDeliverNothing(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3} {
		p := guardPolicy()
		w := newWorld(t, p)
		rs := school(nil, "ps-large", RolePupil, 300)
		for i := range 15 {
			rs = school(rs, SchoolID(fmt.Sprint("ps-tiny-", i)), RolePupil, size)
		}
		w.run(p, delivery(rs), day0)
		plan := planOf(t, p, w, rs[:300], day0.AddDays(1))
		if !plan.Empty() || len(plan.Held) != 15*size || plan.Held[0].Guard != "" {
			t.Errorf("schools of %d: %s", size, plan.Summary())
		}
	}
}

// The only person of a school is let go when the policy says that it has closed, when
// somebody answers for it, and when somebody else is delivered there; a notice that
// stands goes on.
func TestOnlyPersonOfASchool(t *testing.T) {
	t.Parallel()
	day := day0.AddDays(1)
	p := guardPolicy()
	w := newWorld(t, p)
	rs := append(school(nil, "ps-large", RolePupil, 30), person("t", "Tom", "Berg", RoleTeacher, at("ps-a", "primary")))
	w.run(p, delivery(rs), day0)
	gone, other := rs[:30], rs[:30:30]
	other = append(other, person("u", "Udo", "Kern", RoleTeacher, at("ps-a", "primary")))
	notices := func(p Policy, rs []Record, day Date, want int) {
		t.Helper()
		plan := planOf(t, p, w, rs, day)
		if n := plan.Count()[KindNotice]; n != want || len(plan.Held) != 1-want {
			t.Errorf("%d notices, want %d\n%s", n, want, plan.Summary())
		}
		if said := hasFinding(plan, "school-not-delivered"); said != (want == 0) {
			t.Errorf("said that the school is not delivered: %v\n%s", said, plan.Summary())
		}
	}
	for n := range 30 { // however often
		notices(p, gone, day.AddDays(n), 0)
	}
	notices(p, other, day, 1)
	closed := p
	closed.Schools = append(named("ps-large"), School{ID: "ps-a", Closed: day})
	notices(closed, gone, day, 1)
	notices(mayEmpty(p), gone, day, 1)
	w.run(mayEmpty(p), delivery(gone), day)
	if plan := planOf(t, p, w, gone, day.AddDays(56)); plan.Count()[KindDeactivate] != 1 || len(plan.Held) != 0 {
		t.Errorf("after the notice: %s", plan.Summary())
	}
}

// The level of one school flips: its pupils are few among those of the context,
// but all of the school.
func TestTransfersAreLimitedBySchool(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Populations[1].Contexts = []ContextID{30}
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Transfers.DistrictPercent = 50
	w := newWorld(t, p)
	var rs []Record
	for i := range 12 {
		rs = school(rs, SchoolID(fmt.Sprint("ps-", i)), RolePupil, 30)
	}
	w.run(p, delivery(rs), day0)
	for i := range 15 { // 4 % of the context, half of the school
		rs[i].Memberships[0].Level = "secondary"
	}
	if plan := planOf(t, p, w, rs, day0.AddDays(1)); plan.Count()[KindTransfer] != 0 || len(plan.Held) != 15 {
		t.Errorf("%s", plan.Summary())
	}
}

// Nobody makes room for somebody whose coming is held back.
func TestNobodyMakesRoomForWhoIsHeld(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.LifeCycle.TransferGraceDays = -1
	p.Contexts[0].Capacity, p.Contexts[1].Capacity, p.Contexts[2].Capacity = 100, 41, 100
	p.Populations[1].Contexts, p.Populations[2].Contexts = []ContextID{20}, []ContextID{20}
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 40), "ps-b", RoleTeacher, 6)
	w.run(p, delivery(rs), day0)
	if got := len(w.contexts[20].users); got != 41 {
		t.Fatalf("%d users in context 20", got)
	}
	p.Populations[2].Contexts = []ContextID{20, 30} // there is room for those who would have to go
	for i := 40; i < 46; i++ {                      // teachers become pupils of a level that only context 20 takes
		rs[i].Role = RolePupil
		rs[i].Memberships[0].Level = "secondary"
	}
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	if n := plan.Count()[KindTransfer]; n != 0 {
		t.Errorf("%d transfers\n%s", n, plan.Summary())
	}
}

// What an override lets through, and what has become of the others, is told.
func TestOverridesLeaveATrace(t *testing.T) {
	t.Parallel()
	p, w, rs := birkenhof(t)
	until := day0.AddDays(5)
	by := func(guard string, school SchoolID, until Date) Override {
		return Override{Guard: guard, School: school, Until: until, By: "H. Frei", Reason: "moved"}
	}
	p.Overrides = []Override{by("leavers", "", until), by("renames", "", day0.AddDays(1)), by("purges", "", day0),
		by("leavers", "ps-birkenhofff", until)}
	plan := planOf(t, p, w, rs[6:], day0.AddDays(1))
	if plan.Count()[KindNotice] != 6 {
		t.Errorf("%s", plan.Summary())
	}
	want := map[string]string{"override": "leavers is lifted for 6 steps; accepted by H. Frei until " + until.String() +
		" (moved)",
		"override-unused": "number 2", "override-expired": "number 3", "override-school": "number 4"}
	for kind, text := range want {
		if !slices.ContainsFunc(plan.Findings, func(f Finding) bool {
			return f.Kind == kind &&
				strings.Contains(f.Text, text)
		}) {
			t.Errorf("no finding %s with %q: %v", kind, text, plan.Findings)
		}
	}
	apply(t, w, plan)
	if n := slices.IndexFunc(w.journal, func(e JournalEntry) bool {
		return e.Plan == plan.Header.ID && e.Effect == "override" && strings.Contains(e.By, want["override"])
	}); n < 1 || w.journal[n-1].Effect != "plan" {
		t.Errorf("the journal does not say behind the plan's beginning what the override let through")
	}
}

// Who is sent with an end date in the past has not vanished.
func TestEndedMembershipIsSaidSo(t *testing.T) {
	t.Parallel()
	p, w, rs := birkenhof(t)
	rs[0].Memberships[0].Until = NewDate(2026, 8, 10)
	plan := planOf(t, p, w, rs, NewDate(2026, 8, 11))
	if len(plan.Steps) != 1 || !strings.Contains(plan.Steps[0].Reason, "until 2026-08-10;") {
		t.Errorf("%v", plan.Steps)
	}
}

// Accounts without a record id are listed, and two populations that take the
// same person are told.
func TestOrphansAndSeveralPopulations(t *testing.T) {
	t.Parallel()
	p, w, rs := birkenhof(t)
	w.accounts["old.pupil"] = Account{Username: "old.pupil", Role: RolePupil, State: Active, Context: 20,
		Mail: "old.pupil@x.example"}
	p.Populations[1].Levels = nil // secondary takes everybody now, before primary
	rs = append(rs, person("new", "Noé", "Neuhaus", RolePupil, class("ps-birkenhof", "primary", "1a")))
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	if !slices.ContainsFunc(plan.Findings, func(f Finding) bool {
		return f.Kind == "orphan-accounts" &&
			strings.Contains(f.Text, "old.pupil")
	}) ||
		!hasFinding(plan, "several-populations") {
		t.Errorf("%v", plan.Findings)
	}
}

// Ids that differ in case only are one, whether in rows that cannot be read or
// among accounts, and equal calls give equal plans.
func TestIDsInSeveralCases(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := []Record{person("P1", "Ida", "Abel", RolePupil, class("ps-a", "primary", "1a")),
		person("P2", "Udo", "Meier", RolePupil, class("ps-a", "primary", "1a"))}
	w.run(p, delivery(rs), day0)
	d := delivery(rs[1:])
	d.Rejected = []Rejection{{Position: Position{File: "f.csv", Line: 2}, Reason: "no", Key: RecordKey{"escada", "p1"}}}
	plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
	if err != nil || !plan.Empty() || len(plan.Held) != 0 {
		t.Errorf("an unreadable row of p1: %v %s", err, plan.Summary())
	}
	st := w.observe()
	for _, a := range st.Accounts {
		if a.Key.ID == "P1" {
			a.Key.ID, a.Username, a.Mail = "p1", "ida.abel9", "ida.abel9@x.example"
			st.Accounts = append(st.Accounts, a)
			break
		}
	}
	first := ""
	for range 20 {
		plan, err := NewPlan(p, st, delivery(rs), day0.AddDays(1))
		if err != nil {
			t.Fatal(err)
		}
		if !plan.Empty() || !hasFinding(plan, "record-case") {
			t.Fatalf("%s", plan.Summary())
		}
		if first == "" {
			first = plan.Header.ID
		}
		if plan.Header.ID != first {
			t.Fatal("two plans out of equal calls")
		}
	}
}
