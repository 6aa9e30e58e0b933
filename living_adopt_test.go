package schoolmail

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is proposed as sure, and what somebody has to ask for.
func TestAdoptionsSortSureFromAsk(t *testing.T) {
	t.Parallel()
	account := func(user, given, family string, role Role, ms ...Membership) Account {
		for i := range ms {
			ms[i].Level = ""
		}
		return Account{Username: user, GivenName: given, FamilyName: family, Role: role, Mail: user + "@school.example",
			Memberships: ms}
	}
	born := func(a Account, birth string) Account { a.Traits.Birth = birth; return a }
	bornOn := func(r Record, birth string) Record { r.Traits.Birth = birth; return r }
	at1a := func() Membership { return class("ps-a", "primary", "1a") }
	at2b := func() Membership { return class("ps-a", "primary", "2b") }
	other := func() Membership { return class("ps-b", "primary", "1a") }
	staffRoom := func() Membership { return at("ps-a", "primary") }
	for name, c := range map[string]struct {
		accounts []Account
		records  []Record
		want     []string
	}{
		"names, school, class": {
			[]Account{account("x1", "MIA", "Frei", RolePupil, at1a())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 sure: names, school, class alike"}},
		"a teacher of the school": {
			[]Account{account("x1", "Mia", "Frei", RoleTeacher, staffRoom())},
			[]Record{person("1", "Mia", "Frei", RoleTeacher, staffRoom())},
			[]string{"x1 1 sure: names, school alike"}},
		"a pupil without classes": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, staffRoom())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 ask: names, school alike; but nothing but names and school to go by"}},
		"a pupil without classes, the address made of the names": {
			[]Account{account("mia.frei2", "Mia", "Frei", RolePupil, staffRoom())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"mia.frei2 1 sure: names, school, address alike"}},
		"another class": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, at2b())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 ask: names, school alike; but no class in common"}},
		"another class, the same birth date": {
			[]Account{born(account("x1", "Mia", "Frei", RolePupil, at2b()), "b1")},
			[]Record{bornOn(person("1", "Mia", "Frei", RolePupil, at1a()), "b1")},
			[]string{"x1 1 sure: names, birth date or number, school alike; but no class in common"}},
		"another birth date": {
			[]Account{born(account("x1", "Mia", "Frei", RolePupil, at1a()), "b1")},
			[]Record{bornOn(person("1", "Mia", "Frei", RolePupil, at1a()), "b2")},
			[]string{"x1 1 ask: names, school, class alike; but another birth date or number"}},
		"another school": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, other())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 ask: names alike; but no school in common"}},
		"a new family name, the same birth date": {
			[]Account{born(account("x1", "Mia", "Frei", RolePupil, at1a()), "b1")},
			[]Record{bornOn(person("1", "Mia", "Keller", RolePupil, at1a()), "b1")},
			[]string{"x1 1 ask: birth date or number, school, class alike; but another name"}},
		"a given name cut short, the address made of the names": {
			[]Account{account("mia.frei", "M.", "Frei", RolePupil, at1a())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"mia.frei 1 ask: school, class, address alike; but another name"}},
		"two accounts": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, at1a()), account("x2", "Mia", "Frei", RolePupil, at1a())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 ask: names, school, class alike; but 2 accounts could be this record's",
				"x2 1 ask: names, school, class alike; but 2 accounts could be this record's"}},
		"two people of one school": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, at1a())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a()), person("2", "Mia", "Frei", RolePupil, at2b())},
			[]string{"x1 1 ask: names, school, class alike; but 2 records could be this account's",
				"x1 2 ask: names, school alike; but no class in common, 2 records could be this account's"}},
		"namesakes of two schools": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, at1a()), account("x2", "Mia", "Frei", RolePupil, other())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a()), person("2", "Mia", "Frei", RolePupil, other())},
			[]string{"x1 1 sure: names, school, class alike", "x1 2 ask: names alike; but no school in common",
				"x2 1 ask: names alike; but no school in common", "x2 2 sure: names, school, class alike"}},
		"two records that look like one": {
			[]Account{account("x1", "Mia", "Frei", RolePupil, other())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a()), person("2", "Mia", "Frei", RolePupil, at1a())},
			[]string{"x1 1 ask: names alike; but no school in common",
				"x1 2 ask: names alike; but no school in common, the record itself is held"}},
		"a pupil is no teacher": {
			[]Account{account("x1", "Mia", "Frei", RoleTeacher, staffRoom())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())}, nil},
		"somebody else": {
			[]Account{account("x1", "Lea", "Kunz", RolePupil, at1a())},
			[]Record{person("1", "Mia", "Frei", RolePupil, at1a())}, nil},
	} {
		p := guardPolicy()
		list, err := Adoptions(p, State{Accounts: c.accounts}, delivery(c.records), day0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		held := map[string]bool{}
		for _, x := range list {
			how := map[bool]string{true: "sure", false: "ask"}[x.Sure]
			got = append(got, fmt.Sprintf("%s %s %s: %s", x.Username, x.Key.ID, how, x.Why))
			held[x.Key.ID] = true
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
		// Who is listed gets no account meanwhile.
		plan, err := NewPlan(p, State{Accounts: c.accounts}, delivery(c.records), day0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range plan.Steps {
			if held[s.Key.ID] {
				t.Errorf("%s: %s", name, s.ID)
			}
		}
	}
}

// An account does not get the record of somebody else, whoever says so.
func TestRefuseAdoption(t *testing.T) {
	t.Parallel()
	a := Account{Username: "x1", GivenName: "Mia", FamilyName: "Frei", Role: RolePupil,
		Memberships: []Membership{{School: "ps-a", Classes: []string{"1a"}}}, Traits: Traits{Birth: "b1"}}
	for name, c := range map[string]struct {
		r    Record
		want string
	}{
		"the person":          {person("1", "Mia", "Frei", RolePupil, class("ps-b", "primary", "4a")), ""},
		"a new family name":   {person("1", "Mia", "Keller", RolePupil, class("ps-a", "primary", "1a")), ""},
		"a new name, far off": {person("1", "Mia", "Keller", RolePupil, class("ps-b", "primary", "1a")), "two people"},
		"somebody else":       {person("1", "Lea", "Kunz", RolePupil, class("ps-a", "primary", "1a")), "two people"},
		"a teacher":           {person("1", "Mia", "Frei", RoleTeacher, at("ps-a", "primary")), "pupil"},
	} {
		if got := RefuseAdoption(&a, &c.r, day0); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Somebody whose account is taken over keeps the place that they had, also where the
// directory did not know it, and where it is not the one of their population.
func TestAdoptedAccountsKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"the directory knows the context": true, "it does not": false} {
		for _, level := range []SchoolLevel{"primary", "secondary"} {
			p := guardPolicy()
			p.Populations[1].Contexts = []ContextID{30}
			w := newWorld(t, p)
			rs := ida("primary")
			w.run(p, delivery(rs), day0)
			var a Account
			for _, a = range w.accounts {
			}
			home := a.Context
			user := w.contexts[home].users[a.Username]
			a.Made, a.Access, a.State = 0, "", Active // as it is just after the adoption
			if !known {
				a.Context = 0
			}
			w.accounts[a.Username] = a
			for i := range p.Contexts { // full with them
				if p.Contexts[i].ID == home {
					p.Contexts[i].Capacity, p.Contexts[i].Headroom = 2, 0
				}
			}
			for day := range 2 {
				w.run(p, delivery(ida(level)), day0.AddDays(1+day))
			}
			now := w.observe()
			if len(now.Accounts) != 1 || now.Accounts[0].Context == 0 {
				t.Fatalf("%s, %s: %+v", name, level, now.Accounts)
			}
			b := now.Accounts[0]
			x := w.contexts[home].users[a.Username]
			if level == "primary" && (b.Context != home || user.id != x.id || user.data != x.data) {
				t.Errorf("%s: from context %d to %d, %+v", name, home, b.Context, x)
			}
			if level == "secondary" && (b.Context == home || b.Previous.Context != home) {
				t.Errorf("%s: from context %d: %+v", name, home, b)
			}
		}
	}
}
