package schoolmail

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// partsPlan is for two schools with people in a context, one of whom changes school.
func partsPlan(t *testing.T) *Plan {
	t.Helper()
	p := Policy{Source: "escada", Contexts: []ContextSpec{{ID: 10, Name: "pupils", Capacity: 6}},
		Populations: []Population{{Name: "pupils", Roles: []Role{RolePupil}, Contexts: []ContextID{10},
			Domain: "pupils.example", Access: "webmail"}}}
	rec := func(id, given string, school SchoolID) Record {
		return Record{Key: RecordKey{"escada", id}, Role: RolePupil, GivenName: given, FamilyName: "Abel",
			Memberships: []Membership{{School: school}}}
	}
	acc := func(id, given string, school SchoolID) Account {
		return Account{Key: RecordKey{"escada", id}, Role: RolePupil, GivenName: given, FamilyName: "Abel",
			Username: strings.ToLower(given) + ".abel", DisplayName: given + " Abel",
			Mail:  strings.ToLower(given) + ".abel@pupils.example",
			State: Active, Context: 10, Access: "webmail", Memberships: []Membership{{School: school}}}
	}
	st := State{Accounts: []Account{acc("1", "Ida", "ps-a"), acc("2", "Udo", "ps-a"), acc("3", "Lea", "ps-b")}}
	for i, a := range st.Accounts {
		st.Places = append(st.Places, Place{Context: 10, UserID: UserID(3 + i), Username: a.Username, Mail: a.Mail,
			DisplayName: a.DisplayName, GivenName: a.GivenName, FamilyName: a.FamilyName, MailEnabled: true})
	}
	st.Places[2].DisplayName = "Lea A."
	st.Contexts = []Context{{ID: 10, Name: "pupils", Users: 4}}
	plan, err := NewPlan(p, st, Delivery{Source: "escada", Kind: DeliveryFull, Records: []Record{
		rec("1", "Ida", "ps-b"), rec("2", "Udo", "ps-a"), rec("3", "Lea", "ps-b"),
		rec("4", "Max", "ps-a"), rec("5", "Eva", "ps-b"),
	}}, NewDate(2026, 8, 10))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func stepIDs(steps []Step) (list []string) {
	for _, s := range steps {
		list = append(list, s.ID)
	}
	return list
}

func TestSelection(t *testing.T) {
	t.Parallel()
	plan := partsPlan(t)
	for _, c := range []struct {
		name string
		sel  Selection
		want []string
	}{
		{"all", Selection{}, []string{"change:escada/1", "repair:escada/3", "create:escada/4", "create:escada/5"}},
		{"the school somebody leaves", Selection{Schools: []SchoolID{"ps-a"}},
			[]string{"change:escada/1", "create:escada/4"}},
		{"the school somebody comes to", Selection{Schools: []SchoolID{"ps-b"}},
			[]string{"change:escada/1", "repair:escada/3", "create:escada/5"}},
		{"user name", Selection{People: []string{"IDA.abel"}}, []string{"change:escada/1"}},
		{"address", Selection{People: []string{"lea.abel@pupils.example"}}, []string{"repair:escada/3"}},
		{"record", Selection{People: []string{"4", "escada/5"}}, []string{"create:escada/4", "create:escada/5"}},
		{"kind and school", Selection{Kinds: []Kind{KindCreate}, Schools: []SchoolID{"ps-b"}}, []string{"create:escada/5"}},
		{"role", Selection{Roles: []Role{RoleTeacher}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []Step
			for _, s := range plan.Steps {
				if c.sel.Has(&s) {
					got = append(got, s)
				}
			}
			if diff := cmp.Diff(c.want, stepIDs(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is shown of a part has the steps of the part alone, each with what it changes.
func TestWriteSelected(t *testing.T) {
	t.Parallel()
	plan := partsPlan(t)
	var b strings.Builder
	if err := plan.WriteSelected(&b, &Selection{People: []string{"ida.abel", "lea.abel"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"only person ida.abel, lea.abel is shown", "ps-b\n", "Ida Abel  escada/1",
		"memberships: ps-a -> ps-b", "display_name in context 10: Lea A. -> Lea Abel"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("nothing about %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "Max") {
		t.Errorf("somebody else is shown:\n%s", b.String())
	}
}

// A limited plan leaves the others alone: nobody is gone for it, and what it needs is
// in it.
func TestOnly(t *testing.T) {
	t.Parallel()
	whole := partsPlan(t)
	plan := whole.Only(Selection{Schools: []SchoolID{"ps-a"}})
	if diff := cmp.Diff([]string{"change:escada/1", "create:escada/4"}, stepIDs(plan.Steps)); diff != "" {
		t.Error(diff)
	}
	if plan.Header.LeftOut != 2 || plan.Header.ID == whole.Header.ID || plan.Forecast[0].After != 5 {
		t.Errorf("header %+v, forecast %+v", plan.Header, plan.Forecast)
	}
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodePlan(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan, again); diff != "" {
		t.Errorf("written and read: %s", diff)
	}
}

// Whoever would get the seat of somebody who is left out waits; the context that a
// chosen one needs is made.
func TestOnlyIsClosed(t *testing.T) {
	t.Parallel()
	mover := Account{Key: RecordKey{"escada", "1"}, Username: "a", Context: 10, State: Active,
		Memberships: []Membership{{School: "ps-a"}}}
	there := mover
	there.Context = 20
	newcomer := Account{Key: RecordKey{"escada", "2"}, Username: "b", Context: 10, State: Active,
		Memberships: []Membership{{School: "ps-b"}}}
	plan := &Plan{Header: Header{Format: PlanFormat}, Held: []Held{}, Findings: []Finding{},
		Steps: []Step{
			{ID: "create-context:20", Subject: "c20", Action: CreateContext{Spec: ContextSpec{ID: 20, Capacity: 9}}},
			newStep(KindTransfer, &there, "", TransferContext{Before: mover, After: there}),
			newStep(KindCreate, &newcomer, "", CreateAccount{Account: newcomer}),
		},
		Forecast: []Forecast{{Context: 10, Capacity: 5, Before: 5, Peak: 5, After: 5}, {Context: 20, Capacity: 9, After: 1}}}
	depend(plan.Steps)
	one := plan.Only(Selection{Schools: []SchoolID{"ps-b"}})
	if len(one.Steps) != 0 || len(one.Held) != 1 || !strings.Contains(one.Held[0].Why, "no seat is free in context 10") {
		t.Errorf("steps %v, held %+v", stepIDs(one.Steps), one.Held)
	}
	other := plan.Only(Selection{Schools: []SchoolID{"ps-a"}})
	if diff := cmp.Diff([]string{"create-context:20", "transfer:escada/1"}, stepIDs(other.Steps)); diff != "" {
		t.Error(diff)
	}
	if f := other.Forecast[0]; f.After != 4 {
		t.Errorf("after %d in context 10, want 4", f.After)
	}
}
