package ucs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

// renamed is the pupil after a marriage in the family.
func renamed(a schoolmail.Account) schoolmail.Account {
	return with(a, func(a *schoolmail.Account) {
		a.Username, a.FamilyName, a.DisplayName = "ida.zoller", "Zoller", "Ida Maria Zoller"
		a.Aliases = append(a.Aliases, a.Mail)
		slices.Sort(a.Aliases)
		a.Former = []schoolmail.Former{{Username: "ida.aebel", Mail: a.Mail, Until: schoolmail.NewDate(2027, 4, 1)}}
		a.Mail, a.Called = "ida.zoller@schulen.example", "Ida Maria Zoller"
	})
}

// holdsRename checks everything that a rename leaves behind.
func holdsRename(t *testing.T, b *backend, want schoolmail.Account, dn string) {
	t.Helper()
	members := func(group string) (dns, names []string) {
		for _, v := range b.values(t, group, "uniqueMember") {
			dns = append(dns, strings.ToLower(v))
		}
		return dns, b.values(t, group, "memberUid")
	}
	for _, g := range []string{groupDN(gsmitte, "Domain Users gsmitte"), classDN(gsmitte, "gsmitte-1a"),
		groupDN(gsmitte, "schueler-gsmitte")} {
		dns, names := members(g)
		if !slices.Contains(dns, strings.ToLower(dn)) || !slices.Contains(names, want.Username) {
			t.Errorf("%s has not the new name: %v %v", g, dns, names)
		}
		if slices.Contains(names, "ida.aebel") {
			t.Errorf("%s has the old name still: %v", g, names)
		}
	}
	for attr, want := range map[string]string{"krb5PrincipalName": "ida.zoller@SCHULEN.EXAMPLE",
		"homeDirectory": "/home/gsmitte/schueler/ida.aebel", "mailPrimaryAddress": "ida.zoller@schulen.example",
		"displayName": "Ida Maria Zoller", "oxDisplayName": "Ida Maria Zoller", "cn": "Ida Zoller", "sn": "Zoller"} {
		if got := b.value(t, dn, attr); got != want {
			t.Errorf("%s = %q, want %q", attr, got, want)
		}
	}
}

// A rename over each way to write: the groups, the principal and the addresses follow,
// the home stays, and nobody else gets the old name.
func TestRename(t *testing.T) {
	try := func(t *testing.T, b *backend, writable func(*testing.T) schoolmail.Directory) {
		c := writable(t)
		if err := c.CreateAccount(t.Context(), pupil(), "Xy7-ooP2-rr41"); err != nil {
			t.Fatal(err)
		}
		before, err := c.Account(t.Context(), "ida.aebel")
		if err != nil {
			t.Fatal(err)
		}
		after := renamed(before)
		for range 2 { // the answer to the first may have been lost
			if err := c.ChangeAccount(t.Context(), before, after); err != nil {
				t.Fatal(err)
			}
		}
		got, err := c.Account(t.Context(), "ida.zoller")
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(after, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if _, err := c.Account(t.Context(), "ida.aebel"); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("the old name: %v", err)
		}
		holdsRename(t, b, after, got.DN)
		other := with(pupil(), func(a *schoolmail.Account) {
			a.Key.ID, a.Mail, a.Aliases = "S-4999", "ida.aebel2@schulen.example", nil
		})
		if err := c.CreateAccount(t.Context(), other, "Xy7-ooP2-rr41"); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("somebody else gets the old name: %v", err)
		}
	}
	onBoth(t, func(t *testing.T, b *backend) {
		try(t, b, func(t *testing.T) schoolmail.Directory { return b.client(t, nil) })
	})
}

// Nobody gets a name that somebody has, a group has, or somebody had.
func TestRenameIntoATakenName(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		create(t, c, pupil(), "x")
		create(t, c, teacher(), "x")
		gone := with(pupil(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "old.name", "S-1", "old.name@schulen.example", nil
			a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 1, 1)
			a.NoticedOn = schoolmail.NewDate(2025, 10, 1)
		})
		create(t, c, gone, "x")
		if err := c.PurgeAccount(t.Context(), read(t, c, "old.name"), schoolmail.NewDate(2026, 8, 1)); err != nil {
			t.Fatal(err)
		}
		before := read(t, c, "ida.aebel")
		for _, name := range []string{"anna.mueller", "schueler-gsmitte", "old.name"} {
			after := renamed(before)
			after.Username = name
			if err := c.ChangeAccount(t.Context(), before, after); !errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		after := renamed(before)
		after.Mail = "anna.mueller@schulen.example"
		if err := c.ChangeAccount(t.Context(), before, after); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("the address of somebody else: %v", err)
		}
	})
}

// Whoever comes after a rename that was cut off at any effect, and has no record of it,
// learns from an entry with the new name that it is one, and completes it.
func TestRenameCutOffIsKnown(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		for _, done := range []bool{false, true} {
			b := newSim(t)
			whole := b.client(t, nil)
			create(t, whole, pupil(), "Xy7-ooP2-rr41")
			before := read(t, whole, "ida.aebel")
			after := renamed(before)
			k := &killer{at: n, done: done}
			ctx, cancel := context.WithCancel(t.Context())
			k.end = cancel
			c := b.client(t, func(o *ucs.Options) { o.Dial = k.dial })
			err := c.ChangeAccount(ctx, before, after)
			c.Close()
			cancel()
			if !k.isDead() {
				if err != nil || n < 5 {
					t.Errorf("%d effects: %v", n, err)
				}
				return
			}
			got, err := whole.Account(t.Context(), after.Username)
			if errors.Is(err, schoolmail.ErrNotFound) {
				continue // nobody has the new name yet
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Former, after.Former) {
				t.Errorf("effect %d, done %v: renamed, and nothing says so: %+v", n, done, got.Former)
				continue
			}
			told := with(got, func(a *schoolmail.Account) { a.Former[0].Told = true })
			if err := whole.ChangeAccount(t.Context(), got, told); err != nil {
				t.Fatal(err)
			}
			holdsRename(t, b, told, got.DN)
		}
	}
}
