package site

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// byHandWorld has two pupils of a class: one of the export, one entered by hand.
func byHandWorld() (*World, schoolmail.Policy) {
	day := schoolmail.NewDate(2026, 9, 1)
	policy := schoolmail.Policy{Source: "escada",
		Contexts: []schoolmail.ContextSpec{{ID: 10, Name: "ten", Capacity: 100}},
		Populations: []schoolmail.Population{{Name: "primary", Roles: []schoolmail.Role{schoolmail.RolePupil},
			Levels: []schoolmail.SchoolLevel{"primary"}, Contexts: []schoolmail.ContextID{10}, Domain: "schulen.example",
			Access: "webmail"}},
	}.WithDefaults()
	at := func(level schoolmail.SchoolLevel) []schoolmail.Membership {
		return []schoolmail.Membership{{School: "ps-a", Classes: []string{"1a"}, Level: level}}
	}
	account := func(key schoolmail.RecordKey, user, given, family string) schoolmail.Account {
		return schoolmail.Account{Key: key, Username: user, Role: schoolmail.RolePupil, GivenName: given, FamilyName: family,
			DisplayName: given + " " + family, Mail: user + "@schulen.example", Memberships: at(""), Context: 10,
			State: schoolmail.Active, Access: "webmail"}
	}
	key := schoolmail.RecordKey{Source: "escada", ID: "1"}
	w := &World{Day: day,
		Delivery: schoolmail.Delivery{Source: "escada", Kind: schoolmail.DeliveryFull, Fingerprint: "f",
			Records: []schoolmail.Record{{Key: key, Role: schoolmail.RolePupil, GivenName: "Ida", FamilyName: "Abel",
				Memberships: at("primary")}}},
		State: schoolmail.State{
			Accounts: []schoolmail.Account{account(key, "ida.abel", "Ida", "Abel"),
				account(ByHand("escada", "neu.kind"), "neu.kind", "Neu", "Kind")},
			Contexts: []schoolmail.Context{{ID: 10, Name: "ten", Users: 3}},
		}}
	for i, a := range w.State.Accounts {
		w.State.Places = append(w.State.Places, schoolmail.Place{Context: 10, UserID: schoolmail.UserID(3 + i),
			Username: a.Username, Mail: a.Mail, DisplayName: a.DisplayName, GivenName: a.GivenName, FamilyName: a.FamilyName,
			MailEnabled: true})
	}
	return w, policy
}

// What the night makes of people who were entered by hand.
func TestByHand(t *testing.T) {
	t.Parallel()
	brought := schoolmail.Record{Key: schoolmail.RecordKey{Source: "escada", ID: "2"}, Role: schoolmail.RolePupil,
		GivenName: "Neu", FamilyName: "Kind",
		Memberships: []schoolmail.Membership{{School: "ps-a", Classes: []string{"1a"}, Level: "primary"}}}
	for name, c := range map[string]struct {
		closed  []string
		brought bool
		link    bool
		steps   map[schoolmail.Kind]int
		held    []string // guards
	}{
		"there and open: stays": {steps: map[schoolmail.Kind]int{}},
		"closed by hand: has left": {closed: []string{"neu.kind"},
			steps: map[schoolmail.Kind]int{schoolmail.KindNotice: 1}},
		"the export brings the person: both are held": {brought: true, steps: map[schoolmail.Kind]int{},
			held: []string{"identity", "identity"}},
		"a link joins the two: nothing is to be done": {brought: true, link: true, steps: map[schoolmail.Kind]int{}},
		"a link, and the export has not got it yet":   {link: true, steps: map[schoolmail.Kind]int{schoolmail.KindNotice: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, policy := byHandWorld()
			policy.Guards.Usual.Leavers.Free = 5
			if c.brought {
				w.Delivery.Records = append(w.Delivery.Records, brought)
			}
			if c.link {
				policy.Links = []schoolmail.Link{{Old: "hand-neu.kind", New: "2", By: "A. Muster", Reason: "entered by hand"}}
			}
			w.addByHand(&policy, c.closed)
			plan, err := schoolmail.NewPlan(policy, w.State, w.Delivery, w.Day)
			if err != nil {
				t.Fatal(err)
			}
			var held []string
			for _, h := range plan.Held {
				held = append(held, h.Guard)
			}
			if d := cmp.Diff(c.steps, plan.Count()); d != "" {
				t.Errorf("steps: -want +got\n%s%s", d, plan.Summary())
			}
			if !slices.Equal(held, c.held) {
				t.Errorf("held %q, want %q\n%s", held, c.held, plan.Summary())
			}
		})
	}
}

// A run for some plans for them alone, and nobody is missing.
func TestOnly(t *testing.T) {
	t.Parallel()
	w, policy := byHandWorld()
	w.State.Accounts[0].Memberships = []schoolmail.Membership{{School: "ps-a", Classes: []string{"2b"}}}
	w.State.Accounts[1].Memberships = []schoolmail.Membership{{School: "ps-a", Classes: []string{"2b"}}}
	w.State.Accounts[1].Key.ID = "gone"
	w.only(&policy, func(user string) bool { return user == "ida.abel" })
	plan, err := schoolmail.NewPlan(policy, w.State, w.Delivery, w.Day)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[schoolmail.Kind]int{schoolmail.KindChange: 1}, plan.Count()); d != "" || len(plan.Held) > 0 {
		t.Errorf("-want +got\n%s%s", d, plan.Summary())
	}
}
