package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The periods of the life cycle end on their day, not one before.
func TestPeriodsEndOnTheirDay(t *testing.T) {
	t.Parallel()
	const never = 9999
	for _, test := range []struct {
		name  string
		grace int
		gone  []int // days on which a delivery without her is applied
		back  int   // day on which she is delivered as a secondary pupil; never: not
		day   int   // of the plan
		want  []string
	}{
		{"55 days after the notice", 0, []int{1}, never, 56, nil},
		{"56 days after the notice", 0, []int{1}, never, 57, []string{"deactivate:escada/1"}},
		{"57 days after the notice", 0, []int{1}, never, 58, []string{"deactivate:escada/1"}},
		{"179 days after the deactivation", 0, []int{1, 57}, never, 57 + 179, nil},
		{"180 days after the deactivation", 0, []int{1, 57}, never, 57 + 180, []string{"purge:escada/1"}},
		{"6 days after a transfer with 7 days of grace", 7, nil, 1, 1 + 6, nil},
		{"7 days after a transfer with 7 days of grace", 7, nil, 1, 1 + 7, []string{"drop-copy:escada/1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := mayEmpty(smallPolicy(test.grace))
			p.Populations[1].Contexts = []ContextID{30}
			w := newWorld(t, p)
			w.run(p, delivery(ida("primary")), day0)
			for _, day := range test.gone {
				w.run(p, delivery(nil), day0.AddDays(day))
			}
			var now []Record
			if test.back != never {
				now = ida("secondary")
				w.run(p, delivery(now), day0.AddDays(test.back))
			}
			if do, held := steps(planOf(t, p, w, now, day0.AddDays(test.day))); !slices.Equal(do, test.want) || len(held) > 0 {
				t.Errorf("steps %q, held %q, want %q", do, held, test.want)
			}
		})
	}
}

// Memberships hold from their first day to their last.
func TestMembershipsHoldFromFirstToLastDay(t *testing.T) {
	t.Parallel()
	m := at("ps-a", "primary")
	m.From, m.Until = day0.AddDays(3), day0.AddDays(100)
	rs := []Record{person("1", "Ida", "Abel", RolePupil, m)}
	for _, test := range []struct {
		day   int
		known bool
		want  string
	}{
		{2, false, ""}, {3, false, "create:escada/1"}, {100, false, "create:escada/1"}, {101, false, ""},
		{100, true, ""}, {101, true, "notice:escada/1"},
	} {
		p := smallPolicy(0)
		w := newWorld(t, p)
		w.run(p, delivery(nil), day0) // the contexts
		if test.known {
			w.run(p, delivery(rs), day0.AddDays(50))
		}
		do, held := steps(planOf(t, p, w, rs, day0.AddDays(test.day)))
		if strings.Join(do, " ") != test.want || len(held) > 0 {
			t.Errorf("day %d, known %v: steps %q, held %q, want %q", test.day, test.known, do, held, test.want)
		}
	}
}

// Windows and overrides hold on their first and on their last day.
func TestWindowsHoldFromFirstToLastDay(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	first, last := p.TermChanges[0].From, p.TermChanges[0].Until
	w, rs := guardDistrict(t, p)
	less := without(rs, 9, RolePupil, "ps-a") // more than on an ordinary day, fewer than at a change of terms
	for _, test := range []struct {
		name     string
		now      Date
		override Date // last day of an override of the guard; 0: none
		notices  int
	}{
		{"the day before the window", first.AddDays(-1), 0, 0},
		{"its first day", first, 0, 9},
		{"its last day", last, 0, 9},
		{"the day after", last.AddDays(1), 0, 0},
		{"last day of the override", first.AddDays(-9), first.AddDays(-9), 9},
		{"the day after it", first.AddDays(-8), first.AddDays(-9), 0},
	} {
		q := p
		if test.override != 0 {
			q.Overrides = []Override{{Guard: "leavers", Until: test.override, By: "H. Frei", Reason: "they do"}}
		}
		plan := planOf(t, q, w, less, test.now)
		if n := plan.Count()[KindNotice]; n != test.notices || n+len(plan.Held) != 9 {
			t.Errorf("%s: %d notices and %d held back, want %d", test.name, n, len(plan.Held), test.notices)
		}
	}
}

// At a limit steps are done, one above it none is.
func TestAtTheLimit(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Leavers = Limit{SchoolPercent: 10, DistrictPercent: 100, Free: 1} // 4 of 40 pupils
	w, rs := guardDistrict(t, p)
	for gone, want := range map[int]int{3: 3, 4: 4, 5: 0} {
		plan := planOf(t, p, w, without(rs, gone, RolePupil, "ps-a"), day0.AddDays(30))
		if n := plan.Count()[KindNotice]; n != want || n+len(plan.Held) != gone {
			t.Errorf("%d leave: %d notices, %d held back, want %d notices", gone, n, len(plan.Held), want)
		}
	}
}

// The limit of the district counts all roles together, also where each by itself is
// within its own.
func TestAtTheLimitOfTheDistrict(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	p.Guards.Usual = usualLimits
	p.Guards.Usual.Leavers = Limit{SchoolPercent: 100, DistrictPercent: 1, Free: 5}
	w, rs := guardDistrict(t, p)
	for teachers, want := range map[int]int{1: 4, 2: 5, 3: 0} {
		less := without(without(rs, 3, RolePupil, "ps-a"), teachers, RoleTeacher, "ps-b")
		plan := planOf(t, p, w, less, day0.AddDays(30))
		if n := plan.Count()[KindNotice]; n != want || n+len(plan.Held) != 3+teachers {
			t.Errorf("3 pupils, %d teachers leave: %d notices, %d held back, want %d notices", teachers, n, len(plan.Held), want)
		}
	}
}

// From the fourth who is missing on it may be a collapse.
func TestFourMayBeACollapse(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Guards.CollapsePercent = 50
	for _, test := range []struct{ all, gone, want int }{{5, 3, 3}, {7, 4, 0}, {8, 4, 4}} {
		w := newWorld(t, p)
		rs := school(nil, "ps-a", RolePupil, test.all)
		w.run(p, delivery(rs), day0)
		plan := planOf(t, p, w, rs[test.gone:], day0.AddDays(1))
		if n := plan.Count()[KindNotice]; n != test.want {
			t.Errorf("%d of %d are missing: %d notices, want %d\n%s", test.gone, test.all, n, test.want, plan.Summary())
		}
	}
}

// Twenty users whom the directory does not know are no reason to doubt it.
func TestUsersThatNobodyKnows(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	for unknown, want := range map[int]int{20: 1, 21: 0} {
		w := newWorld(t, p)
		w.run(p, delivery(ida("primary")), day0)
		st := w.observe()
		for i := range unknown {
			st.Places = append(st.Places, Place{Context: 20, UserID: UserID(1000 + i), Username: fmt.Sprint("unknown", i)})
		}
		rs := append(ida("primary"), person("2", "Udo", "Boll", RolePupil, at("ps-a", "primary")))
		plan, err := NewPlan(p, st, delivery(rs), day0.AddDays(1))
		if err != nil || plan.Count()[KindCreate] != want {
			t.Errorf("%d unknown users: %v, want %d accounts\n%s", unknown, err, want, plan.Summary())
		}
	}
}

// What was done six days ago counts, what was done seven days ago does not.
func TestTheWindowOfGuardsIsSevenDays(t *testing.T) {
	t.Parallel()
	for days, want := range map[int]int{6: 0, 7: 3} {
		p := guardPolicy()
		p.Guards.Usual = usualLimits
		p.Guards.Usual.Leavers = Limit{Free: 3}
		w, rs := guardDistrict(t, p)
		rs = without(rs, 3, RolePupil, "ps-a")
		if n := w.run(p, delivery(rs), day0.AddDays(30)).Count()[KindNotice]; n != 3 {
			t.Fatalf("the first three: %d notices", n)
		}
		rs = without(rs, 3, RolePupil, "ps-a")
		if n := planOf(t, p, w, rs, day0.AddDays(30+days)).Count()[KindNotice]; n != want {
			t.Errorf("%d days later: %d notices, want %d", days, n, want)
		}
	}
}

// A school that sends half of its people is delivered, one that sends fewer is not.
func TestHalfASchoolIsDelivered(t *testing.T) {
	t.Parallel()
	for gone, want := range map[int]int{20: 20, 21: 0} { // of 40 pupils
		p := guardPolicy()
		all := Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}
		p.Guards.Usual = GuardLimits{Leavers: all, Deactivations: all, Purges: all, Transfers: all}
		w, rs := guardDistrict(t, p)
		plan := planOf(t, p, w, without(rs, gone, RolePupil, "ps-a"), day0.AddDays(1))
		if n := plan.Count()[KindNotice]; n != want {
			t.Errorf("%d of 40 missing: %d notices, want %d:\n%s", gone, n, want, plan.Summary())
		}
	}
}

// People whose whole source is missing are not counted as missing at their school: a
// pupil who leaves meanwhile is told so.
func TestMissingSourceDoesNotHoldTheOthers(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	pupils := school(nil, "ps-a", RolePupil, 6)
	w.run(p, delivery(school(slices.Clone(pupils), "ps-a", RoleTeacher, 9)), day0)
	d := delivery(pupils[1:])
	d.Suspended = []Suspension{{IDPrefix: "ps-a-teacher", Reason: "missing"}}
	plan := w.run(p, d, day0.AddDays(1))
	if n := plan.Count()[KindNotice]; n != 1 || plan.Steps[0].Key != pupils[0].Key {
		t.Errorf("%d notices, want that of the pupil:\n%s", n, plan.Summary())
	}
}

// An unreadable row shields everybody it may be about, and nobody else.
func TestUnreadableRowsShield(t *testing.T) {
	t.Parallel()
	everybody := []Record{
		person("1", "Ida", "Abel", RolePupil, at("ps-a", "primary")),
		person("2", "Udo", "Boll", RolePupil, at("ps-a", "primary")),
		person("3", "Jo", "Cuny", RolePupil, at("ps-b", "primary")),
		person("4", "Al", "Dick", RoleTeacher, at("ps-b", ""), at("ps-a", "")),
	}
	for _, test := range []struct {
		name  string
		rows  []Rejection
		other func(*Delivery)
		want  []string // who is noticed
	}{
		{"all rows were read", nil, nil, []string{"1", "2", "3", "4"}},
		{"a row of hers was not", []Rejection{{Key: RecordKey{"escada", "1"}}}, nil, []string{"2", "3", "4"}},
		{"a row of the school was not", []Rejection{{School: "ps-a"}}, nil, []string{"3"}},
		{"a row of the other school was not", []Rejection{{School: "ps-b"}}, nil, []string{"1", "2"}},
		{"a row of whatever school was not", []Rejection{{}}, nil, nil},
		{"a field that nobody needs was not", []Rejection{{Harmless: true}}, nil, []string{"1", "2", "3", "4"}},
		{"the file is cut off", nil, func(d *Delivery) { d.Incomplete = "cut off" }, nil},
		{"a source is missing", nil, func(d *Delivery) {
			d.Suspended = []Suspension{{IDPrefix: "9", Reason: "missing"}, {IDPrefix: "1", Reason: "missing"}}
		}, []string{"2", "3", "4"}},
		{"a source without a prefix is missing", nil, func(d *Delivery) {
			d.Suspended = []Suspension{{Except: []string{"1", "3"}, Reason: "missing"}}
		}, []string{"1", "3"}},
		{"only changes are delivered", nil, func(d *Delivery) { d.Kind = DeliveryDelta }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			p.Guards.CollapsePercent = 1
			w := newWorld(t, p)
			// Others stay, so that the schools are delivered.
			var stay []Record
			for i, s := range []SchoolID{"ps-a", "ps-b"} {
				stay = append(stay, person(fmt.Sprint("s", i), "Noé", "Zahn"+string(rune('a'+i))+"er", RolePupil, at(s, "primary")))
			}
			w.run(p, delivery(slices.Concat(everybody, stay)), day0)
			d := delivery(stay)
			for _, r := range test.rows {
				r.Reason = "unreadable"
				d.Rejected = append(d.Rejected, r)
			}
			if test.other != nil {
				test.other(&d)
			}
			plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range plan.Steps {
				if s.Kind() == KindNotice {
					got = append(got, s.Key.ID)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, test.want) {
				t.Errorf("noticed: %q, want %q", got, test.want)
			}
		})
	}
}

// The names of somebody who was purged are never given again.
func TestNamesOfPurgedPeopleAreNotFree(t *testing.T) {
	t.Parallel()
	p := mayEmpty(smallPolicy(0))
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	for _, day := range []int{1, 60, 300} {
		w.run(p, delivery(nil), day0.AddDays(day))
	}
	if len(w.accounts) != 0 {
		t.Fatalf("still there: %v", w.accounts)
	}
	next := person("2", "Ida", "Abel", RolePupil, at("ps-a", "primary"))
	w.run(p, delivery([]Record{next}), day0.AddDays(301))
	a, ok := w.accounts["ida.abel2"]
	if !ok || a.Mail != "ida.abel2@pupils.example" || len(w.accounts) != 1 {
		t.Errorf("accounts %v", slices.Collect(maps.Keys(w.accounts)))
	}
	// Also where only the address was retired.
	plan, err := NewPlan(p, State{Retired: []RetiredName{{Name: "ida.abel@pupils.example"}}}, delivery([]Record{next}),
		day0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		if c, ok := s.Action.(CreateAccount); ok && c.Account.Mail != "ida.abel2@pupils.example" {
			t.Errorf("the address is %s", c.Account.Mail)
		}
	}
}

// newPupils makes some pupils of a school who may live in contexts 20 and 30.
func newPupils(school SchoolID, from, n int) []Record {
	var rs []Record
	for i := range n {
		rs = append(rs, person(fmt.Sprint(school, from+i), "Ida", surname(from+i), RolePupil, at(school, "secondary")))
	}
	return rs
}

// livesIn counts the accounts of a school by context.
func livesIn(w *world, school SchoolID) map[ContextID]int {
	n := map[ContextID]int{}
	for _, a := range w.accounts {
		if a.Memberships[0].School == school {
			n[a.Context]++
		}
	}
	return n
}

// Seats: the last one is given, one more person waits.
func TestTheLastSeat(t *testing.T) {
	t.Parallel()
	for more, held := range map[int]int{0: 0, 1: 1} {
		p := smallPolicy(0)
		p.Contexts[1].Capacity, p.Contexts[1].Headroom = 5, 0 // the administrator and four
		p.Populations[1].Contexts = []ContextID{20}
		w := newWorld(t, p)
		plan := w.run(p, delivery(newPupils("ss-b", 0, 4+more)), day0)
		if n := plan.Count()[KindCreate]; n != 4 || len(plan.Held) != held {
			t.Errorf("%d people for 4 seats: %d created, %d held", 4+more, n, len(plan.Held))
		}
	}
}

// Newcomers leave the headroom of a context free as long as another has room.
func TestNewcomersLeaveTheHeadroom(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Contexts[1].Capacity, p.Contexts[1].Headroom = 12, 5 // 20: 11 seats, of which 6 for newcomers
	p.Contexts[2].Capacity = 4                             // 30: 3 seats
	w := newWorld(t, p)
	for _, test := range []struct{ people, in20, in30 int }{{6, 6, 0}, {9, 6, 3}, {10, 7, 3}} {
		w.run(p, delivery(newPupils("ss-b", 0, test.people)), day0)
		if n := livesIn(w, "ss-b"); n[20] != test.in20 || n[30] != test.in30 {
			t.Errorf("%d people: %v, want %d and %d", test.people, n, test.in20, test.in30)
		}
	}
}

// Newcomers go where their school is, however empty another context is.
func TestNewcomersFollowTheirSchool(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Contexts[1].Capacity, p.Contexts[2].Capacity = 40, 100
	w := newWorld(t, p)
	first := newPupils("ss-b", 0, 5)
	p.Populations[1].Contexts = []ContextID{20}
	w.run(p, delivery(first), day0)
	p.Populations[1].Contexts = []ContextID{20, 30}
	other := newPupils("ss-c", 50, 3)
	w.run(p, delivery(slices.Concat(first, newPupils("ss-b", 5, 7), other)), day0.AddDays(1))
	if n := livesIn(w, "ss-b"); n[20] != 12 {
		t.Errorf("ss-b: %v, want all in 20", n)
	}
	if n := livesIn(w, "ss-c"); n[30] != 3 {
		t.Errorf("a school that is nowhere yet goes where most seats are: %v", n)
	}
}

// Nothing outside happens without an intent on record before, and its result after.
func TestIntentBeforeEveryEffect(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{0, 7} {
		w, p, plan := twoTerms(t, grace)
		effects := 0
		w.fault = func(_ int, what string, done bool) error {
			if what == "read" || what == "journal" {
				return nil
			}
			last := JournalEntry{}
			if len(w.journal) > 0 {
				last = w.journal[len(w.journal)-1]
			}
			if last.Phase != Intent || last.Effect == "plan" {
				t.Errorf("grace %d: %s (done %v) comes after %s %s", grace, what, done, last.Effect, last.Phase)
			}
			effects++
			return nil
		}
		apply(t, w, plan)
		for _, day := range []int{2, 9, 70, 300} {
			d := delivery(nil)
			if day == 9 {
				d = delivery(ida("secondary"))
			}
			next, err := NewPlan(p, w.observe(), d, day0.AddDays(day))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Apply(context.Background(), next, w.ports(), &ApplyOptions{InitialPassword: testPassword,
				Parallel: 1}); err != nil {
				t.Fatal(err)
			}
		}
		if effects < 20 {
			t.Errorf("grace %d: only %d effects", grace, effects)
		}
		open := map[string]int{}
		for _, e := range w.journal {
			switch e.Phase {
			case Intent:
				open[e.Effect]++
			case Done:
				open[e.Effect]--
			}
		}
		for e, n := range open {
			if n > 0 {
				t.Errorf("grace %d: %d of %s have no result on record", grace, n, e)
			}
		}
	}
}

// lossyCopies is an OX whose copies lack something.
type lossyCopies struct{ *world }

func (l lossyCopies) CopyUser(ctx context.Context, username string, from, to ContextID, spec UserSpec) (Place, error) {
	p, err := l.world.CopyUser(ctx, username, from, to, spec)
	if err == nil {
		x := l.contexts[to]
		u := x.users[username]
		u.data = "half of it"
		x.users[username] = u
	}
	return p, err
}

// A copy that is not complete is not moved into: the person stays, and the copy goes.
func TestCopiesAreVerified(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 7)
	ports := w.ports()
	ports.Groupware = lossyCopies{w}
	res, err := Apply(context.Background(), plan, ports, &ApplyOptions{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	if o := res.Outcomes[len(res.Outcomes)-1]; o.Status != StatusFailed || !strings.Contains(o.Error, "not complete") {
		t.Errorf("%s %s", o.Status, o.Error)
	}
	a := w.accounts["ida.abel"]
	if _, copied := w.contexts[30].users["ida.abel"]; copied || a.Context != 20 ||
		w.contexts[20].users["ida.abel"].data != "data of ida.abel" {
		t.Errorf("she lives in context %d, the copy is there: %v", a.Context, copied)
	}
	w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	if a := w.accounts["ida.abel"]; a.Context != 30 {
		t.Errorf("with OX in order again she lives in context %d", a.Context)
	}
	w.sound()
}

// A server that fails for one person does not end the run, and what failed is
// said with its cause.
func TestOneFailureIsOnePersons(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	n := 0
	w.fault = func(_ int, what string, done bool) error {
		if what == "ensure-mailbox" && !done {
			if n++; n == 2 {
				return errors.New("quota exceeded")
			}
		}
		return nil
	}
	plan := planOf(t, p, w, newPupils("ss-b", 0, 4), day0)
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	if res.Count(StatusFailed) != 1 || res.Count(StatusDone) != len(plan.Steps)-1 {
		t.Errorf("%+v", res.Outcomes)
	}
	w.fault = nil
	w.run(p, delivery(newPupils("ss-b", 0, 4)), day0)
	w.sound()
}

// A shield also keeps a deactivated account from being purged.
func TestShieldedAccountsAreNotPurged(t *testing.T) {
	t.Parallel()
	p := mayEmpty(smallPolicy(0))
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(nil), day0.AddDays(1))
	w.run(p, delivery(nil), day0.AddDays(57))
	for _, test := range []struct {
		name string
		row  []Rejection
		want string
	}{
		{"all rows were read", nil, "purge:escada/1"},
		{"a row of hers was not", []Rejection{{Reason: "bad", Key: RecordKey{"escada", "1"}}}, ""},
		{"a row of her school was not", []Rejection{{Reason: "bad", School: "ps-a"}}, ""},
		{"a row of some school was not", []Rejection{{Reason: "bad"}}, ""},
	} {
		d := delivery(nil)
		d.Rejected = test.row
		plan, err := NewPlan(p, w.observe(), d, day0.AddDays(300))
		if err != nil {
			t.Fatal(err)
		}
		if do, _ := steps(plan); strings.Join(do, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, do, test.want)
		}
	}
}

// Somebody who is leaving without a recorded notice is not deactivated, but told.
func TestNobodyIsDeactivatedWithoutARecordedNotice(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	a := w.accounts["ida.abel"]
	a.State = Leaving
	w.accounts["ida.abel"] = a
	plan := planOf(t, p, w, nil, day0.AddDays(400))
	if len(plan.Steps) > 0 || !hasFinding(plan, "no-notice-date") {
		t.Errorf("%s %+v", plan.Summary(), plan.Findings)
	}
}
