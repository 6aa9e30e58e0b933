package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// class returns a membership with one class.
func class(s SchoolID, l SchoolLevel, name string) Membership {
	return Membership{School: s, Level: l, Classes: []string{name}}
}

// twoSchools is a primary school with a class of eleven and a secondary one
// with teachers, all with accounts.
func twoSchools(t *testing.T) (Policy, *world, []Record) {
	p := guardPolicy()
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	var rs []Record
	given := []string{"Robin", "Lea", "Noah", "Lea", "Urs", "Mia", "Elin", "Kai", "Nino", "Ava", "Tim"}
	for i, g := range given {
		rs = append(rs, person(fmt.Sprint(100147+i), g, surname(i), RolePupil, class("ps-birkenhof", "primary", "6b")))
	}
	for i := range 20 {
		rs = append(rs, person(fmt.Sprint(200000+i), "Boris", surname(40+i), RoleTeacher, at("ss-z", "secondary")))
	}
	w.run(p, delivery(rs), day0)
	return p, w, rs
}

// heldFor returns the subjects that are held under the guard "identity", and
// checks that they are the only thing the plan has.
func heldFor(t *testing.T, plan *Plan) []string {
	t.Helper()
	var out []string
	for _, h := range plan.Held {
		if h.Guard != guardIdentity {
			t.Errorf("%s is held under guard %q: %s", h.Step.ID, h.Guard, h.Why)
		}
		out = append(out, string(h.Step.Kind())+" "+h.Step.Subject)
	}
	if !plan.Empty() {
		t.Errorf("the plan has steps:\n%s", plan.Summary())
	}
	slices.Sort(out)
	return out
}

// An id that is sent for somebody else hands nobody's mailbox over.
func TestReissuedIDIsHeld(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	rs[0].GivenName, rs[0].FamilyName = "Gerold", "Wyss"
	rs[0].Memberships = []Membership{class("sek-rosenfeld", "secondary", "7a")}
	plan := w.run(p, delivery(rs), day0.AddDays(1))
	if got := heldFor(t, plan); len(got) != 1 || got[0] != "change r.abelcemann" {
		t.Errorf("held %v", got)
	}
	var text strings.Builder
	if err := plan.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Robin " + surname(0), "Gerold Wyss"} {
		if strings.Count(text.String(), name) < 2 { // with the step, and in the finding
			t.Errorf("the plan does not name %s:\n%s", name, text.String())
		}
	}
	// The right person under the id: nothing is left of it.
	rs[0] = person("100147", "Robin", surname(0), RolePupil, class("ps-birkenhof", "primary", "6b"))
	if plan := w.run(p, delivery(rs), day0.AddDays(2)); !plan.Empty() || len(plan.Held) > 0 {
		t.Errorf("%s", plan.Summary())
	}
}

// One column sorted in a spreadsheet: each name belongs to somebody else of the
// same delivery.
func TestRotatedIDsAreHeld(t *testing.T) {
	t.Parallel()
	for shift := 1; shift < 11; shift++ {
		p, w, rs := twoSchools(t)
		names := slices.Clone(rs[:11])
		for i := range 11 {
			o := names[(i+shift)%11]
			rs[i].GivenName, rs[i].FamilyName = o.GivenName, o.FamilyName
		}
		if got := heldFor(t, w.run(p, delivery(rs), day0.AddDays(1))); len(got) != 11 {
			t.Errorf("rotated by %d: held are %v", shift, got)
		}
	}
	// Only the family names, or only the given names, of two who are called Lea
	// or of one family.
	p, w, rs := twoSchools(t)
	rs[1].FamilyName, rs[3].FamilyName = rs[3].FamilyName, rs[1].FamilyName
	if got := heldFor(t, w.run(p, delivery(rs), day0.AddDays(1))); len(got) != 2 {
		t.Errorf("swapped family names: held are %v", got)
	}
}

// An id that comes back after a while, for somebody of another role at another
// school, brings nobody back.
func TestReturningIDOfSomebodyElseIsHeld(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	gone := rs[1:]
	if plan := w.run(p, delivery(gone), day0.AddDays(1)); plan.Count()[KindNotice] != 1 {
		t.Fatalf("%s", plan.Summary())
	}
	for _, day := range []int{30, 70, 150, 400} {
		again := append(slices.Clone(gone), person("100147", "Boris", "Favre", RoleTeacher, at("ss-z", "secondary")))
		plan := planOf(t, p, w, again, day0.AddDays(day))
		if got := heldFor(t, plan); len(got) != 1 {
			t.Errorf("day %d: held are %v", day, got)
		}
	}
}

// Who keeps all but one name stays who they are.
func TestMarriageIsNoOtherPerson(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Record)
		told   bool
		held   bool
	}{
		{"another family name", func(r *Record) { r.FamilyName = "Wyss" }, true, false},
		{"a double name", func(r *Record) { r.FamilyName += "-Wyss" }, false, false},
		{"another first name", func(r *Record) { r.GivenName = "Alex" }, true, false},
		{"a second first name", func(r *Record) { r.GivenName += " Maria" }, false, false},
		{"a mistake of one letter", func(r *Record) {
			r.FamilyName = strings.Replace(r.FamilyName, "mann", "man", 1)
		}, false, false},
		{"family and given name have changed places", func(r *Record) {
			r.GivenName, r.FamilyName = r.FamilyName, r.GivenName
		}, false, false},
		{"another school", func(r *Record) {
			r.Memberships = []Membership{class("ps-c", "primary", "1a")}
		}, false, false},
		{"another family name and class", func(r *Record) {
			r.FamilyName, r.Memberships = "Wyss", []Membership{class("ps-birkenhof", "primary", "6c")}
		}, false, true},
		{"both names", func(r *Record) { r.GivenName, r.FamilyName = "Alex", "Wyss" }, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, w, rs := twoSchools(t)
			test.change(&rs[0])
			plan := w.run(p, delivery(rs), day0.AddDays(1))
			told := hasFinding(plan, "renamed-person")
			if n := plan.Count()[KindChange]; n != 1 && !test.held || len(plan.Held) != n^1 || told != test.told {
				t.Errorf("told %v: %s", told, plan.Summary())
			}
		})
	}
}

// Birth date and insurance number decide where names and places cannot.
func TestTraitsDecide(t *testing.T) {
	t.Parallel()
	ms := []Membership{class("ps-a", "primary", "1a")}
	elsewhere := []Membership{class("ps-b", "primary", "1a")}
	for _, test := range []struct {
		name          string
		given, family string
		was, is       Traits
		ms            []Membership
		want          likeness
	}{
		{"married and moved, of one birthday", "Anna", "Wyss", Traits{Birth: "1"}, Traits{Birth: "1"}, elsewhere, samePerson},
		{"everything but the birthday differs", "Urs", "Wyss", Traits{Birth: "1"}, Traits{Birth: "1"}, ms, otherPerson},
		{"the same class, another birthday", "Anna", "Wyss", Traits{Birth: "1"}, Traits{Birth: "2"}, ms, otherPerson},
		{"a birthday is put right", "Anna", "Muster", Traits{Birth: "1"}, Traits{Birth: "2"}, ms, samePerson},
		{"a namesake at another school", "Anna", "Muster", Traits{Birth: "1"}, Traits{Birth: "2"}, elsewhere, otherPerson},
		{"the number outweighs the birthday", "Anna", "Wyss", Traits{"1", "7"}, Traits{"1", "8"}, ms, otherPerson},
		{"no birthday yet", "Anna", "Muster", Traits{}, Traits{Birth: "2"}, elsewhere, samePerson},
	} {
		a := Account{GivenName: "Anna", FamilyName: "Muster", Memberships: ms, Traits: test.was}
		r := Record{GivenName: test.given, FamilyName: test.family, Traits: test.is}
		if got := compareIdentity(&a, &r, test.ms); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// A new id for somebody whose old one is missing makes no second account and
// no leaver, until somebody says what is the case.
func TestRekeyedPersonIsHeld(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"999001", "00100147", "100147.0"} {
		p, w, rs := twoSchools(t)
		user := ""
		for n, a := range w.accounts {
			if a.Key.ID == "100147" {
				user = n
			}
		}
		rs[0].Key.ID = id
		plan := w.run(p, delivery(rs), day0.AddDays(1))
		if got := heldFor(t, plan); len(got) != 2 || got[0] != "create "+user || got[1] != "notice "+user {
			t.Errorf("%s: held %v, want the new and the old %s", id, got, user)
		}
		linked := p
		linked.Links = []Link{{Old: "100147", New: id, By: "H. Frei", Reason: "re-keyed"}}
		rs[0].Memberships = []Membership{class("ps-birkenhof", "primary", "6a")}
		plan = planOf(t, linked, w, rs, day0.AddDays(2))
		if len(plan.Held) > 0 || len(plan.Steps) != 1 || plan.Steps[0].Kind() != KindChange || plan.Steps[0].Subject != user {
			t.Errorf("%s: linked: %s %v", id, plan.Summary(), plan.Findings)
		}
		two := p
		two.Distinct = []Distinct{{A: id, B: "100147", By: "H. Frei", Reason: "two people"}}
		plan = planOf(t, two, w, rs, day0.AddDays(2))
		if len(plan.Held) > 0 || plan.Count()[KindCreate] != 1 || plan.Count()[KindNotice] != 1 {
			t.Errorf("%s: distinct: %s", id, plan.Summary())
		}
	}
}

// A second record of one name, school and class is not made into a second
// account while the first is there, on the first day or later.
func TestDoubledRecordIsHeld(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	twin := rs[0]
	twin.Key.ID = "300000"
	more := append(slices.Clone(rs), twin)
	for range 2 {
		plan := w.run(p, delivery(more), day0.AddDays(1))
		if got := heldFor(t, plan); len(got) != 1 || !strings.HasPrefix(got[0], "create ") {
			t.Errorf("held %v", got)
		}
		if !hasFinding(plan, "double-person") {
			t.Error("no finding")
		}
	}
	fresh := newWorld(t, p)
	for range 2 {
		fresh.run(p, delivery(more), day0)
		if len(fresh.accounts) != len(rs) {
			t.Errorf("%d accounts for %d people", len(fresh.accounts), len(rs))
		}
	}
	p.Distinct = []Distinct{{A: "100147", B: "300000", By: "H. Frei", Reason: "cousins"}}
	if plan := planOf(t, p, w, more, day0.AddDays(1)); plan.Count()[KindCreate] != 1 {
		t.Errorf("%s", plan.Summary())
	}
}

// A link with old and new alike lets through what looks like somebody else, for
// a while.
func TestLinkToItself(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	rs[0].GivenName, rs[0].FamilyName = "Gerold", "Wyss"
	p.Links = []Link{{Old: "100147", New: "100147", Until: day0.AddDays(3), By: "H. Frei", Reason: "new names"}}
	if plan := planOf(t, p, w, rs, day0.AddDays(4)); plan.Count()[KindChange] != 0 || len(plan.Held) != 1 {
		t.Errorf("a day late: %s", plan.Summary())
	}
	if plan := planOf(t, p, w, rs, day0.AddDays(3)); plan.Count()[KindChange] != 1 || len(plan.Held) != 0 {
		t.Errorf("on the last day: %s", plan.Summary())
	}
}

// Links that cannot be followed are refused, or leave both records alone.
func TestLinksAreChecked(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	both := p
	both.Links = []Link{{Old: "100147", New: "100148", By: "x", Reason: "y"}}
	plan := planOf(t, both, w, rs, day0.AddDays(1))
	if !plan.Empty() || !hasFinding(plan, "link-conflict") {
		t.Errorf("%s", plan.Summary())
	}
	for _, links := range [][]Link{
		{{Old: "1", New: "2"}},
		{{Old: "1", New: "1", By: "x", Reason: "y"}},
		{{Old: "1", New: "2", By: "x", Reason: "y"}, {Old: "2", New: "1", By: "x", Reason: "y"}},
		{{Old: "1", New: "2", By: "x", Reason: "y"}, {Old: "3", New: "2", By: "x", Reason: "y"}},
	} {
		bad := p
		bad.Links = links
		if err := bad.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "link") {
			t.Errorf("%v: %v", links, err)
		}
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

// Who has left and comes back under another family name may be somebody else
// who was given the id: it is asked, even in the same class.
func TestReturnUnderAnotherNameIsAsked(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	if plan := w.run(p, delivery(rs[1:]), day0.AddDays(1)); plan.Count()[KindNotice] != 1 {
		t.Fatalf("%s", plan.Summary())
	}
	rs[0].FamilyName = "Wyss"
	if got := heldFor(t, planOf(t, p, w, rs, day0.AddDays(2))); len(got) != 1 {
		t.Errorf("held are %v", got)
	}
}

// Somebody whose names are sent under the id of another person, while their own
// id is missing, is there: no notice goes to them.
func TestSentUnderAnotherIDIsThere(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	rs[0].GivenName, rs[0].FamilyName = rs[5].GivenName, rs[5].FamilyName
	rest := slices.Delete(slices.Clone(rs), 5, 6)
	if got := heldFor(t, planOf(t, p, w, rest, day0.AddDays(1))); len(got) != 2 {
		t.Errorf("held are %v", got)
	}
}
