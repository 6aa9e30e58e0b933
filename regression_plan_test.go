package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func person(id, given, family string, role Role, ms ...Membership) Record {
	return Record{Key: RecordKey{"escada", id}, Role: role, GivenName: given, FamilyName: family, Memberships: ms}
}

func at(s SchoolID, l SchoolLevel) Membership { return Membership{School: s, Level: l} }

// ida is the only pupil of many of these stories.
func ida(l SchoolLevel) []Record {
	return []Record{person("1", "Ida", "Abel", RolePupil, at("ps-a", l))}
}

func planOf(t *testing.T, p Policy, w *world, rs []Record, now Date) *Plan {
	t.Helper()
	plan, err := NewPlan(p, w.observe(), delivery(rs), now)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// steps lists the ids of the steps and of what is held back.
func steps(plan *Plan) (do, held []string) {
	for _, s := range plan.Steps {
		do = append(do, s.ID)
	}
	for _, h := range plan.Held {
		held = append(held, h.Step.ID)
	}
	return do, held
}

func wantSteps(t *testing.T, plan *Plan, do, held []string) {
	t.Helper()
	if d, h := steps(plan); !slices.Equal(d, do) || !slices.Equal(h, held) {
		t.Errorf("steps %q, held back %q; want %q and %q", d, h, do, held)
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
			p := smallPolicy(0)
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

// A wrong picture of the people or the servers must not be acted upon: what it
// would lead to is held back under a guard that somebody can lift.
func TestWrongPictures(t *testing.T) {
	t.Parallel()
	term := NewDate(2027, 2, 1) // the widest limits
	each := func(f func(*Record)) func([]Record, *State) []Record {
		return func(rs []Record, _ *State) []Record {
			for i := range rs {
				f(&rs[i])
			}
			return rs
		}
	}
	for _, test := range []struct {
		name   string
		change func([]Record, *State) []Record
		given  string // override that does not help
		held   map[Kind]int
		lift   string // override that lets it through
		kind   Kind   // what comes then
		n      int
	}{
		{"the record ids are new", each(func(r *Record) { r.Key.ID = "new-" + r.Key.ID }), "",
			map[Kind]int{KindCreate: 100, KindNotice: 100}, "", "", 0},
		{"the columns of the names are swapped", each(func(r *Record) {
			r.GivenName, r.FamilyName = r.FamilyName,
				r.GivenName
		}), "", map[Kind]int{KindChange: 100}, "renames", KindChange, 100},
		{"the codes of the schools are new", each(func(r *Record) {
			r.Memberships = []Membership{{School: "x-" + r.Memberships[0].School, Level: "primary"}}
		}),
			"transfers", map[Kind]int{KindChange: 100}, "schools", KindChange, 100},
		{"the teachers' file is missing", func(rs []Record, _ *State) []Record {
			return slices.DeleteFunc(rs, func(r Record) bool { return r.Role == RoleTeacher })
		}, "leavers", map[Kind]int{KindNotice: 20}, "collapse", KindNotice, 20},
		{"the directory is empty", func(rs []Record, st *State) []Record { st.Accounts = nil; return rs }, "",
			map[Kind]int{KindCreate: 100}, "creates", KindCreate, 100},
		{"OX shows no users", func(rs []Record, st *State) []Record { st.Places = nil; return rs }, "",
			map[Kind]int{KindRepair: 100}, "repairs", KindRepair, 100},
		{"OX shows no contexts", func(rs []Record, st *State) []Record { st.Places, st.Contexts = nil, nil; return rs },
			"", map[Kind]int{KindCreateContext: 2, KindRepair: 100}, "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := guardPolicy()
			w, rs := guardDistrict(t, p)
			st := w.observe()
			rs = test.change(slices.Clone(rs), &st)
			lift := func(guard string) {
				if guard != "" {
					p.Overrides = append(p.Overrides, Override{Guard: guard, Until: term, By: "H. Frei", Reason: "it is so"})
				}
			}
			lift(test.given)
			plan, err := NewPlan(p, st, delivery(rs), term)
			if err != nil {
				t.Fatal(err)
			}
			held := map[Kind]int{}
			for _, h := range plan.Held {
				held[h.Step.Kind()]++
			}
			// Context 30 is empty: it may be made.
			if n := plan.Count(); fmt.Sprint(held) != fmt.Sprint(test.held) || len(plan.Steps) != n[KindCreateContext] {
				t.Errorf("steps %v, held back %v, want none and %v", n, held, test.held)
			}
			if test.lift == "" {
				return
			}
			lift(test.lift)
			if plan, err = NewPlan(p, st, delivery(rs), term); err != nil {
				t.Fatal(err)
			}
			if n := plan.Count()[test.kind]; n != test.n {
				t.Errorf("somebody answers for it, but: %v", plan.Count())
			}
		})
	}
}

// Directories match record ids without regard to case: an id that comes back in
// another case is neither a newcomer nor a leaver, and of two records that
// differ in nothing else none is believed, in whatever order they come.
func TestRecordIDsInAnotherCase(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	for _, known := range []bool{true, false} {
		w := newWorld(t, p)
		upper, lower := ida("primary")[0], ida("primary")[0]
		upper.Key.ID, lower.Key.ID = "P1", "p1"
		if known {
			w.run(p, delivery([]Record{upper}), day0)
			plan := planOf(t, p, w, []Record{lower}, day0.AddDays(1))
			if len(plan.Steps) != 0 || len(plan.Findings) != 1 || plan.Findings[0].Kind != "record-case" {
				t.Errorf("%v %+v", plan.Count(), plan.Findings)
			}
		}
		var ids []string
		for _, rs := range [][]Record{{upper, lower}, {lower, upper}} {
			d := delivery(rs)
			d.Fingerprint = "" // of the bytes, which differ
			plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Steps) != plan.Count()[KindCreateContext] {
				t.Errorf("known %v: %v", known, plan.Count())
			}
			ids = append(ids, plan.Header.ID)
		}
		if ids[0] != ids[1] {
			t.Errorf("known %v: the order of the records changes the plan", known)
		}
	}
}

// An account that lives where its old copy is said to be (an operator took a
// transfer back in the directory) loses neither user.
func TestOldCopyWhereTheAccountLives(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 7)
	apply(t, w, plan)
	a := w.accounts["ida.abel"]
	old := a.Previous
	a.Context = old.Context
	w.accounts["ida.abel"] = a

	// A plan that would delete her there is refused.
	after := a
	after.Previous = Previous{}
	drop := &Plan{Header: Header{ID: "by hand"}, Steps: []Step{{ID: "drop-copy:escada/1", Subject: a.Username,
		Key: a.Key, Action: DropCopy{Before: a, After: after}}}}
	writes := w.writes
	if _, err := Apply(t.Context(), drop, w.ports(), nil); !errors.Is(err, ErrForbidden) || w.writes != writes {
		t.Errorf("%v, %d writes", err, w.writes-writes)
	}
	for day := 2; day < 12; day++ {
		w.run(p, delivery(ida("primary")), day0.AddDays(day))
	}
	if len(w.contexts[20].users) != 2 || len(w.contexts[30].users) != 2 ||
		w.accounts["ida.abel"].Previous != (Previous{}) {
		t.Errorf("%d users in context 20, %d in 30, remembered: %+v", len(w.contexts[20].users), len(w.contexts[30].users),
			w.accounts["ida.abel"].Previous)
	}
}

// Nobody is called like a role or a system, and what cannot be seen makes no
// difference between two names.
func TestNamesOfStrangePeople(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, family, username, mail, display string }{
		{"", "Admin", "admin2", "admin2@teachers.example", "Admin (admin2)"}, // the context has an Admin
		{"Postmaster", "", "postmaster2", "postmaster2@teachers.example", "Postmaster"},
		{"", "Abuse", "abuse2", "abuse2@teachers.example", "Abuse"},
		{"", "12345", "k12345", "12345@teachers.example", "12345"},
		{"李", "小龙", "konto2", "konto2@teachers.example", "李 小龙"},
		{"Anna\u200b", "Muster\u00ad", "anna.muster2", "anna.muster2@teachers.example", "Anna Muster (anna.muster2)"},
		{"A\u202enna", "MUSTER", "anna.muster2", "anna.muster2@teachers.example", "Anna MUSTER (anna.muster2)"},
		{"Anna\u00a0", " Muster", "anna.muster2", "anna.muster2@teachers.example", "Anna Muster (anna.muster2)"},
		{"Zoe\u0301", "Mu\u0308ller", "zoe.mueller", "zoe.mueller@teachers.example", "Zoé Müller"},
		{"Jo\x00e", "Frei\n", "joe.frei", "joe.frei@teachers.example", "Joe Frei"},
	} {
		p := smallPolicy(0)
		w := newWorld(t, p)
		rs := []Record{person("1", "Anna", "Muster", RoleTeacher, at("a", "primary"))}
		w.run(p, delivery(rs), day0)
		w.run(p, delivery(append(rs, person("2", test.given, test.family, RoleTeacher, at("c", "primary")))), day0)
		a := w.accounts[test.username]
		if a.Mail != test.mail || a.DisplayName != test.display || a.Key.ID != "2" {
			t.Errorf("%q %q: account %q %q %q, want %q %q %q", test.given, test.family, a.Username, a.Mail, a.DisplayName,
				test.username, test.mail, test.display)
		}
	}
}

// The old copy of a person is purged with the person, however long its grace.
func TestPurgeRemovesTheOldCopy(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 400)
	apply(t, w, plan)
	for _, days := range []int{2, 60, 260} {
		w.run(p, delivery(nil), day0.AddDays(days))
	}
	if len(w.accounts) != 0 || len(w.boxes) != 0 {
		t.Errorf("accounts %v, mailboxes %v", w.accounts, w.boxes)
	}
	for c, x := range w.contexts {
		if len(x.users) != 1 {
			t.Errorf("context %d still has %d users besides the administrator", c, len(x.users)-1)
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

// Somebody whose old copy vanished from OX and whose class changes on the day
// on which the grace ends has two changes, and the plan can be applied.
func TestGoneCopyAndChange(t *testing.T) {
	t.Parallel()
	p := smallPolicy(7)
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(ida("secondary")), day0.AddDays(1))
	delete(w.contexts[20].users, "ida.abel")
	rs := ida("secondary")
	rs[0].FamilyName = "Abel-Muster"
	if n := w.run(p, delivery(rs), day0.AddDays(8)).Count(); n[KindChange] != 2 {
		t.Errorf("%v", n)
	}
	w.sound()
}

// Who returns to another school, whatever its name, is first brought back and
// then changed.
func TestReturnToAnotherSchool(t *testing.T) {
	t.Parallel()
	for _, days := range []int{10, 80} { // notice; deactivated
		p := smallPolicy(0)
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
