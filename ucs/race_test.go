package ucs_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

// interfere makes a client during whose next call f runs once, after the
// client has sent n searches: between its looking and its writing.
func interfere(t *testing.T, b *backend) (c *ucs.Client, arm func(n int32, f func())) {
	var left atomic.Int32
	var do atomic.Pointer[func()]
	c = b.client(t, func(o *ucs.Options) {
		o.Observer = ucs.ObserverFunc(func(e ucs.Event) {
			if e.Op == "search" && left.Add(-1) == 0 {
				(*do.Load())()
			}
		})
	})
	return c, func(n int32, f func()) { do.Store(&f); left.Store(n) }
}

// Somebody changes the account between our reading and our writing.
func TestChangeRace(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c, arm := interfere(t, b)
		before := pupil()
		create(t, c, before, "x")
		dn := read(t, c, before.Username).DN
		for _, tc := range []struct {
			name        string
			attr, value string
			change      func(*schoolmail.Account)
			conflict    bool
		}{
			{"the same field", "givenName", "Idina", func(a *schoolmail.Account) { a.GivenName = "Idalia" }, true},
			{"the same field, empty before", "telephoneNumber", "111", func(a *schoolmail.Account) { a.Phone = "222" }, true},
			{"the same value", "preferredLanguage", "it", func(a *schoolmail.Account) { a.Language = "it" }, false},
			{"another field", "title", "Dr.", func(a *schoolmail.Account) { a.Context = 202 }, false},
			{"the state", "univentionFreeAttribute20", "schoolmail1;state=leaving;noticed=2026-10-01",
				func(a *schoolmail.Account) {
					a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
				}, true},
		} {
			cur := read(t, c, before.Username)
			arm(1, func() { b.modify(t, dn, tc.attr, tc.value) })
			err := c.ChangeAccount(t.Context(), cur, with(cur, tc.change))
			if got := errors.Is(err, schoolmail.ErrConflict); got != tc.conflict || !tc.conflict && err != nil {
				t.Errorf("%s: error %v, conflict wanted: %v", tc.name, err, tc.conflict)
			}
			if got := b.value(t, dn, tc.attr); got != tc.value {
				t.Errorf("%s: %s = %q, the other's %q was overwritten", tc.name, tc.attr, got, tc.value)
			}
		}
		if got := b.value(t, dn, "oxContextIDNum") + b.value(t, dn, "sambaAcctFlags"); got != "202[U          ]" {
			t.Errorf("context and flags = %q", got)
		}
	})
}

// Somebody takes the user name between our looking and our adding.
func TestCreateRace(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c, arm := interfere(t, b)
		create(t, c, teacher(), "x") // reads schools and groups once
		a := with(pupil(), func(a *schoolmail.Account) { a.Memberships = []schoolmail.Membership{{School: "gsmitte"}} })
		arm(1, func() {
			b.add(t, "uid=ida.aebel,cn=schueler,cn=users,"+gsmitte, "objectClass", "top|person|inetOrgPerson", "uid",
				"ida.aebel", "cn", "x", "sn", "x")
		})
		if err := c.CreateAccount(t.Context(), a, "x"); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("error = %v, want ErrConflict", err)
		}
		if got := b.value(t, groupDN(gsmitte, "Domain Users gsmitte"), "memberUid"); got != "anna.mueller" {
			t.Errorf("the other's entry was put into our groups: %q", got)
		}
	})
}

// A site that uses other words, another attribute, another container, and
// districts.
func TestOtherSite(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) {
			o.StateAttribute = "univentionFreeAttribute7"
			o.RetiredDN = "cn=names,cn=schoolmail," + b.base
			o.Tree = ucs.Tree{Pupils: "eleves", Classes: "classes"}
			o.BaseDN = b.base
			o.OXAccess, o.MailHomeServer = "groupware", "imap1.schulen.example"
			o.PoolSize = 1 // means 2
		})
		if err := c.EnsureSchool(t.Context(), "ep-nord", "École primaire"); err != nil {
			t.Fatal(err)
		}
		b.add(t, "ou=de,"+b.base, "objectClass", "top|organizationalUnit", "ou", "de")
		b.add(t, "ou=Delemont,ou=de,"+b.base, "objectClass",
			"top|organizationalUnit|ucsschoolOrganizationalUnit|univentionObject",
			"univentionObjectType", "container/ou", "ou", "Delemont", "ucsschoolRole", "school:school:Delemont")
		if _, err := c.Schools(t.Context()); err != nil { // sees it, whereupon it can be completed
			t.Fatal(err)
		}
		if err := c.EnsureSchool(t.Context(), "delemont", ""); err != nil {
			t.Fatal(err)
		}
		a := with(pupil(), func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "Delemont", Classes: []string{"1a"}}, {School: "ep-nord"}}
		})
		create(t, c, a, "x")
		got := read(t, c, a.Username)
		if d := diff(a, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if want := "uid=ida.aebel,cn=eleves,cn=users,ou=Delemont,ou=de," + b.base; got.DN != want {
			t.Errorf("DN = %s, want %s", got.DN, want)
		}
		want := []string{"cn=Delemont-1a,cn=classes,cn=eleves,cn=groups,ou=Delemont,ou=de," + b.base,
			"cn=Domain Users Delemont,cn=groups,ou=Delemont,ou=de," + b.base,
			"cn=Domain Users ep-nord,cn=groups,ou=ep-nord," + b.base,
			"cn=eleves-delemont,cn=groups,ou=Delemont,ou=de," + b.base, "cn=eleves-ep-nord,cn=groups,ou=ep-nord," + b.base}
		if d := cmp.Diff(want, b.values(t, got.DN, "memberOf")); d != "" {
			t.Errorf("memberOf (-want +got):\n%s", d)
		}
		for attr, want := range map[string]string{"univentionFreeAttribute7": "schoolmail1;state=active",
			"oxAccess":                 "groupware",
			"univentionMailHomeServer": "imap1.schulen.example"} {
			if v := b.value(t, got.DN, attr); v != want {
				t.Errorf("%s = %q, want %q", attr, v, want)
			}
		}
		if err := c.PurgeAccount(t.Context(), got, schoolmail.NewDate(2027, 1, 1)); err != nil {
			t.Fatal(err)
		}
		if v := b.value(t, "cn=ida.aebel,cn=names,cn=schoolmail,"+b.base,
			"univentionFreeAttribute7"); v != "schoolmail1;retired=2027-01-01" {
			t.Errorf("tombstone: %q", v)
		}
	})
}
