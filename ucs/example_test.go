package ucs_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// sandbox starts a directory in process. Against a real one only the address,
// the name and the password differ.
func sandbox() (*ucs.Client, func()) {
	s, err := ucstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	if err := s.SeedSchools("gsmitte", "sek-nord"); err != nil {
		log.Fatal(err)
	}
	c, err := ucs.New(s.URL, &ucs.Options{BindDN: s.BindDN, Password: s.Password, Plaintext: true})
	if err != nil {
		log.Fatal(err)
	}
	return c, func() { c.Close(); s.Close() }
}

func Example() {
	c, stop := sandbox()
	defer stop()
	ctx := context.Background()

	err := c.CreateAccount(ctx, schoolmail.Account{
		Key:      schoolmail.RecordKey{Source: "escada2", ID: "S-4001"},
		Username: "ida.abel", Role: schoolmail.RolePupil,
		GivenName: "Ida", FamilyName: "Abel", DisplayName: "Ida Abel", Mail: "ida.abel@schulen.example",
		Memberships: []schoolmail.Membership{{School: "gsmitte", Classes: []string{"6a"}}},
		Context:     101, State: schoolmail.Active,
	}, "Xy7-ooP2-rr41")
	if err != nil {
		log.Fatal(err)
	}

	snap, err := c.Snapshot(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range snap.Accounts {
		fmt.Println(a.Username, a.Mail, a.Memberships[0].School, a.Memberships[0].Classes, a.Context, a.State)
		fmt.Println(a.DN)
	}
	fmt.Println(snap.Schools)
	// Output:
	// ida.abel ida.abel@schulen.example gsmitte [6a] 101 active
	// uid=ida.abel,cn=schueler,cn=users,ou=gsmitte,dc=schulen,dc=example
	// [gsmitte sek-nord]
}

// A change names what was planned on. If the directory says otherwise by now,
// nothing is written.
func ExampleClient_ChangeAccount() {
	c, stop := sandbox()
	defer stop()
	ctx := context.Background()
	before := schoolmail.Account{
		Key: schoolmail.RecordKey{Source: "escada2", ID: "L-7"}, Username: "anna.mueller", Role: schoolmail.RoleTeacher,
		GivenName: "Anna", FamilyName: "Müller", Memberships: []schoolmail.Membership{{School: "gsmitte"}},
		Context: 101, State: schoolmail.Active,
	}
	if err := c.CreateAccount(ctx, before, ""); err != nil {
		log.Fatal(err)
	}

	after := before
	after.Context = 102
	fmt.Println(c.ChangeAccount(ctx, before, after))
	fmt.Println(c.ChangeAccount(ctx, before, after)) // once more: it is so already

	other := before
	other.Context = 103
	err := c.ChangeAccount(ctx, before, other)
	fmt.Println(errors.Is(err, schoolmail.ErrConflict))
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// true
	// ucs: change account "anna.mueller": not as planned: context was changed by somebody else
}

func ExampleClient_PurgeAccount() {
	c, stop := sandbox()
	defer stop()
	ctx := context.Background()
	a := schoolmail.Account{
		Key: schoolmail.RecordKey{Source: "escada2", ID: "S-9"}, Username: "max.gone", Role: schoolmail.RolePupil,
		GivenName: "Max", FamilyName: "Gone", Mail: "max.gone@schulen.example",
		Memberships: []schoolmail.Membership{{School: "sek-nord"}},
		State:       schoolmail.Deactivated, Deactivated: schoolmail.NewDate(2026, 12, 1),
	}
	if err := c.CreateAccount(ctx, a, ""); err != nil {
		log.Fatal(err)
	}
	if err := c.PurgeAccount(ctx, a, schoolmail.NewDate(2027, 6, 1)); err != nil {
		log.Fatal(err)
	}
	// The names are never given to anybody again.
	a.Key.ID, a.State, a.Deactivated = "S-10", schoolmail.Active, 0
	fmt.Println(c.CreateAccount(ctx, a, ""))
	// Output:
	// ucs: create account "max.gone": not as planned: the user name or an address is retired
}
