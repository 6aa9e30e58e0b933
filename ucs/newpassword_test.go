package ucs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// Another password opens the account, and the former one nothing any more: no hash and
// no Kerberos key of it is left. Everything else stays.
func TestSetPassword(t *testing.T) {
	for _, scheme := range []ucs.Scheme{ucs.SSHA, ucs.Crypt} {
		t.Run(string(scheme), func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				b.refer(t, b.base, b.pwPolicy(t, "default", "univentionPWHistoryLen", "2"))
				create(t, b.client(t, func(o *ucs.Options) { o.Scheme = ucs.Crypt }), pupil(), "Xy7-first")
				c := b.client(t, func(o *ucs.Options) { o.Scheme = scheme })
				before := read(t, c, "ida.aebel")
				keys, nt := b.value(t, before.DN, "krb5Key"), b.value(t, before.DN, "sambaNTPassword")
				for _, p := range []schoolmail.Secret{"Xy7-second", "Xy7-third"} {
					if err := c.SetPassword(t.Context(), before, p); err != nil {
						t.Fatal(err)
					}
				}
				if d := diff(before, read(t, c, "ida.aebel")); d != "" {
					t.Errorf("the account has changed (-before +after):\n%s", d)
				}
				if scheme == ucs.SSHA { // slapd of the tests knows no crypt of UDM's kind
					if !b.canBind(t, before.DN, "Xy7-third") || b.canBind(t, before.DN, "Xy7-first") {
						t.Error("not the last password opens the account")
					}
				}
				if got := b.value(t, before.DN, "krb5Key"); got == keys || (got == "") != (scheme == ucs.SSHA) {
					t.Errorf("krb5Key has %d bytes; of the former password: %v", len(got), got == keys)
				}
				if got := b.value(t, before.DN, "krb5KeyVersionNumber"); got != "3" {
					t.Errorf("krb5KeyVersionNumber = %s, want 3", got)
				}
				if b.value(t, before.DN, "sambaNTPassword") == nt {
					t.Error("Windows still takes the first password")
				}
				if got := strings.Fields(b.value(t, before.DN, "pwhistory")); len(got) != 2 {
					t.Errorf("%d former passwords are remembered, want 2", len(got))
				}
			})
		})
	}
}

// Over UDM as well, with the request to change it where that is wanted.
func TestSetPasswordByUDM(t *testing.T) {
	eachWay(t, func(t *testing.T, b *backend, sim *ucstest.UDM, c *ucs.Client) {
		create(t, c, pupil(), "Xy7-ooP2-rr41")
		a := read(t, c, "ida.aebel")
		nt := b.value(t, a.DN, "sambaNTPassword")
		if err := c.SetPassword(t.Context(), a, "Zz9-other-pw31"); err != nil {
			t.Fatal(err)
		}
		if b.value(t, a.DN, "sambaNTPassword") == nt {
			t.Error("the password has not changed")
		}
	})
}

func TestSetPasswordToBeChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		create(t, b.client(t, nil), pupil(), "Xy7-first")
		c := b.client(t, func(o *ucs.Options) { o.ChangePassword = true })
		a := read(t, c, "ida.aebel")
		if err := c.SetPassword(t.Context(), a, "Xy7-second"); err != nil {
			t.Fatal(err)
		}
		if got := b.value(t, a.DN, "sambaPwdLastSet"); got != "0" {
			t.Errorf("sambaPwdLastSet = %s, want 0", got)
		}
	})
}

// Nobody is let in by a new password who is shut out, and nobody else gets it.
func TestSetPasswordRefused(t *testing.T) {
	day := schoolmail.NewDate(2026, 10, 1)
	for name, tc := range map[string]struct {
		change func(a *schoolmail.Account)
		behind [2]string // attribute and value, set behind our back
		asked  func(a *schoolmail.Account)
	}{
		"another record": {asked: func(a *schoolmail.Account) { a.Key.ID = "S-9" }},
		"on hold":        {change: func(a *schoolmail.Account) { a.Held = true }},
		"deactivated": {change: func(a *schoolmail.Account) {
			a.State, a.NoticedOn, a.Deactivated = schoolmail.Deactivated, day, day+60
		}},
		"pending":            {change: func(a *schoolmail.Account) { a.State = schoolmail.Pending }},
		"expired":            {behind: [2]string{"shadowExpire", "1"}},
		"no tickets":         {behind: [2]string{"krb5KDCFlags", "254"}},
		"Windows closed":     {behind: [2]string{"sambaAcctFlags", "[UD         ]"}},
		"password locked":    {behind: [2]string{"userPassword", "{SSHA}!abc"}},
		"made by somebody":   {asked: func(a *schoolmail.Account) { a.Key = schoolmail.RecordKey{} }},
		"nobody of the name": {asked: func(a *schoolmail.Account) { a.Username = "nobody.here" }},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				c := b.client(t, nil)
				a := pupil()
				if tc.change != nil {
					tc.change(&a)
				}
				create(t, c, a, "Xy7-first")
				a = read(t, c, "ida.aebel")
				if tc.behind[0] != "" {
					b.modify(t, a.DN, tc.behind[0], tc.behind[1])
				}
				dn, before := a.DN, b.value(t, a.DN, "sambaNTPassword")
				if tc.asked != nil {
					tc.asked(&a)
				}
				err := c.SetPassword(t.Context(), a, "Xy7-second")
				if !errors.Is(err, schoolmail.ErrConflict) && !errors.Is(err, schoolmail.ErrNotFound) &&
					!errors.Is(err, ucs.ErrInvalid) {
					t.Errorf("err = %v", err)
				}
				if b.value(t, dn, "sambaNTPassword") != before {
					t.Error("the password was set all the same")
				}
			})
		})
	}
}
