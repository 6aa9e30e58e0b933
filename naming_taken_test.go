package schoolmail

import (
	"fmt"
	"strings"
	"testing"
)

// Names of accounts are taken, however they are written, and so are their
// further addresses; a numbered name is no longer than an unnumbered one may be.
func TestNamesThatAreTaken(t *testing.T) {
	t.Parallel()
	namesake := person("2", "Ida", "Abel", RolePupil, at("ps-b", "primary"))
	for _, test := range []struct {
		name                  string
		domain                string
		change                func(*Account)
		as                    string
		wantUser, wantAddress string
	}{
		{"as an alias", "pupils.example", func(a *Account) {
			a.Username, a.Mail, a.Aliases = "old", "old@pupils.example", []string{"ida.abel@pupils.example"}
		}, "old", "ida.abel", "ida.abel2@pupils.example"},
		{"in capitals", "pupils.example", func(a *Account) {
			a.Username, a.Mail = "IDA.ABEL", "Ida.Abel@Pupils.Example"
		}, "IDA.ABEL", "ida.abel2", "ida.abel2@pupils.example"},
		{"in capitals that are not ASCII, in two characters", "schüler.example", func(a *Account) {
			a.Username, a.Mail = "maria", "Ida.Abel@SCHU\u0308LER.example"
		}, "maria", "ida.abel", "ida.abel2@schüler.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			for i := range p.Populations {
				p.Populations[i].Domain = test.domain
			}
			st := State{Contexts: []Context{{ID: 20, Name: "c20", Users: 1}}}
			a := Account{Key: RecordKey{p.Source, "1"}, Role: RolePupil, State: Active, GivenName: "Maria", FamilyName: "Berg",
				DisplayName: "Maria Berg", Context: 20, Memberships: []Membership{at("ps-a", "primary")}}
			test.change(&a)
			st.Accounts = []Account{a}
			maria := person("1", "Maria", "Berg", RolePupil, at("ps-a", "primary"))
			plan, err := NewPlan(p, st, delivery([]Record{maria, namesake}), day0)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range plan.Steps {
				if c, ok := s.Action.(CreateAccount); ok {
					if c.Account.Username != test.wantUser || c.Account.Mail != test.wantAddress {
						t.Errorf("%s, %s; want %s, %s", c.Account.Username, c.Account.Mail, test.wantUser, test.wantAddress)
					}
					return
				}
			}
			t.Errorf("nobody is created: %s %v", plan.Summary(), plan.Findings)
		})
	}
}

func TestNumberedNamesAreNoLonger(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0).WithDefaults()
	long := strings.Repeat("b", 60)
	var rs []Record
	for i := range 6 {
		rs = append(rs, person(fmt.Sprint(i+1), "Maximiliane", long, RolePupil, class("ps-a", "primary", fmt.Sprint(i))))
	}
	w := newWorld(t, p)
	plan := planOf(t, p, w, rs, day0)
	names := map[int]int{}
	for _, s := range append(plan.Steps, heldSteps(plan)...) {
		if c, ok := s.Action.(CreateAccount); ok {
			names[len(c.Account.Username)]++
		}
	}
	if len(names) != 1 {
		t.Errorf("lengths of names: %v, want one", names)
	}
}

func heldSteps(plan *Plan) (out []Step) {
	for _, h := range plan.Held {
		out = append(out, h.Step)
	}
	return out
}
