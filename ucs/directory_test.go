package ucs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// newDirectory starts a directory with two schools and a client of it.
func newDirectory(t *testing.T) (*ucstest.Server, *ucs.Client) {
	t.Helper()
	s, err := ucstest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.SeedSchools("gsmitte", "sek-nord"); err != nil {
		t.Fatal(err)
	}
	return s, newClient(t, s, nil)
}

func newClient(t *testing.T, s *ucstest.Server, change func(*ucs.Options)) *ucs.Client {
	t.Helper()
	o := &ucs.Options{BindDN: s.BindDN, Password: s.Password, Plaintext: true, Scheme: ucs.SSHA}
	if change != nil {
		change(o)
	}
	c, err := ucs.New(s.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func pupil() schoolmail.Account {
	return schoolmail.Account{
		Key: schoolmail.RecordKey{Source: "escada2", ID: "S-4001"}, Username: "ida.abel", Role: schoolmail.RolePupil,
		GivenName: "Ida", FamilyName: "Äbel", DisplayName: "Ida Äbel",
		Mail: "ida.abel@schulen.example", Aliases: []string{"i.abel@schulen.example"}, Language: "de",
		Memberships: []schoolmail.Membership{{School: "gsmitte", Classes: []string{"1a", "chor"}}},
		Context:     101, State: schoolmail.Pending,
	}
}

var ignoreDN = cmpopts.IgnoreFields(schoolmail.Account{}, "DN")

func TestCreateAndRead(t *testing.T) {
	t.Parallel()
	_, c := newDirectory(t)
	ctx := t.Context()
	want := pupil()
	if err := c.CreateAccount(ctx, want, "Xy7-ooP2"); err != nil {
		t.Fatal(err)
	}
	got, err := c.Account(ctx, "ida.abel")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, ignoreDN, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("account differs (-want +got):\n%s", d)
	}
	if got.DN != "uid=ida.abel,cn=schueler,cn=users,ou=gsmitte,dc=schulen,dc=example" {
		t.Errorf("DN = %q", got.DN)
	}
	if _, err := c.Account(ctx, "nobody"); !errors.Is(err, schoolmail.ErrNotFound) {
		t.Errorf("unknown account: %v, want ErrNotFound", err)
	}
	if err := c.ChangeAccount(ctx, want, func() schoolmail.Account {
		a := want
		a.State = schoolmail.Active
		a.Role = schoolmail.RolePupil
		a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"7b"}}}
		a.Context = 102
		return a
	}()); err != nil {
		t.Fatal(err)
	}
	got, err = c.Account(ctx, "ida.abel")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	got2 := got
	got2.State = schoolmail.Deactivated
	got2.Deactivated = schoolmail.NewDate(2027, 1, 2)
	if err := c.ChangeAccount(ctx, got, got2); err != nil {
		t.Fatal(err)
	}
	if err := c.PurgeAccount(ctx, got2, schoolmail.NewDate(2027, 7, 2)); err != nil {
		t.Fatal(err)
	}
	snap, err := c.Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", snap)
	t.Logf("%+v", c.Stats())
	_ = context.Background
}
