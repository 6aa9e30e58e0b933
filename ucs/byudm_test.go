package ucs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// udmOf starts a simulator of UDM on a backend.
func (b *backend) udmOf(t *testing.T) (*ucstest.UDM, *udm.Client) {
	t.Helper()
	s := testlife.Of(ucstest.StartUDM(b.url, b.bindDN, b.password,
		ucstest.WithExtendedAttribute("schoolmail", "univentionFreeAttribute20", "univentionFreeAttributes")))(t)
	c, err := udm.New(s.URL, s.User, s.Password, &udm.Options{Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return s, c
}

// eachWay runs a test with every way to write that goes over UDM, and on a real one
// where there is one: then there is no simulator.
func eachWay(t *testing.T, f func(t *testing.T, b *backend, sim *ucstest.UDM, c *ucs.Client)) {
	for name, change := range map[string]func(*ucs.Options){
		"udm":                func(o *ucs.Options) { o.Write = ucs.WriteUDM },
		"udm with attribute": func(o *ucs.Options) { o.Write, o.StateProperty = ucs.WriteUDM, "schoolmail" },
		"auto":               func(o *ucs.Options) { o.Write, o.BesideUDM = ucs.WriteAuto, true },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				sim, client := b.udmOf(t)
				f(t, b, sim, b.client(t, func(o *ucs.Options) {
					o.UDM = client
					change(o)
				}))
			})
			onReal(t, func(t *testing.T, b *backend, client *udm.Client) {
				f(t, b, nil, b.client(t, func(o *ucs.Options) {
					o.UDM = client
					change(o)
				}))
			})
		})
	}
}

// A life over UDM: what is written reads as it was meant, and is nothing else than
// over LDAP.
func TestLifeByUDM(t *testing.T) {
	eachWay(t, func(t *testing.T, b *backend, sim *ucstest.UDM, c *ucs.Client) {
		const password = "Xy7-ooP2-rr41"
		clerk := with(teacher(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Role, a.Mail, a.Context, a.Phone = "beat.o", "M-1", schoolmail.RoleStaff, "", 0, ""
			a.Memberships[0].Classes = nil
		})
		for _, a := range []schoolmail.Account{with(pupil(), func(a *schoolmail.Account) {
			a.State, a.Access = schoolmail.Pending, "webmail"
		}), with(teacher(), func(a *schoolmail.Account) { a.Access = "premium" }), clerk} {
			create(t, c, a, password)
			if d := diff(a, read(t, c, a.Username)); d != "" {
				t.Errorf("%s (-want +got):\n%s", a.Username, d)
			}
			create(t, c, a, password) // the answer was lost: nothing more happens
		}
		cur := read(t, c, "ida.aebel")
		step := func(what string, f func(*schoolmail.Account)) {
			t.Helper()
			next := with(cur, f)
			change(t, c, cur, next)
			got := read(t, c, next.Username)
			if d := diff(next, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
			cur = got
		}
		if !b.canBind(t, cur.DN, password) {
			t.Error("the initial password does not open the account")
		}
		step("active", func(a *schoolmail.Account) { a.State = schoolmail.Active })
		step("everything", func(a *schoolmail.Account) {
			a.GivenName, a.FamilyName, a.DisplayName = "Ída", "Rossi", "Ída Rossi"
			a.Mail, a.Aliases = "ida.rossi@schulen.example", []string{"ida.aebel@schulen.example"}
			a.Phone, a.Language, a.NoticeMail = "+41 31 1", "fr", "x@example.org"
		})
		step("context", func(a *schoolmail.Account) { a.Context, a.Access = 102, "premium" })
		step("school", func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"9z"}}}
		})
		if want := "uid=ida.aebel,cn=schueler,cn=users," + seknord; cur.DN != want {
			t.Errorf("DN = %s, want %s", cur.DN, want)
		}
		want := strings.Join([]string{groupDN(seknord, "Domain Users sek-nord"), groupDN(seknord, "schueler-sek-nord"),
			classDN(seknord, "sek-nord-9z")}, "|")
		if got := b.value(t, cur.DN, "memberOf"); got != want {
			t.Errorf("memberOf = %s, want %s", got, want)
		}
		if got, want := b.value(t, cur.DN, "gidNumber"), b.value(t, groupDN(seknord, "Domain Users sek-nord"),
			"gidNumber"); got != want {
			t.Errorf("gidNumber = %s, want %s", got, want)
		}
		step("role", func(a *schoolmail.Account) { a.Role = schoolmail.RoleTeacher })
		step("off", func(a *schoolmail.Account) {
			a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
		})
		if b.canBind(t, cur.DN, password) {
			t.Error("a deactivated account opens")
		}
		step("on", func(a *schoolmail.Account) { a.State, a.Deactivated = schoolmail.Active, 0 })
		if !b.canBind(t, cur.DN, password) {
			t.Error("a reactivated account does not open")
		}
		if err := c.PurgeAccount(t.Context(), cur, schoolmail.NewDate(2027, 6, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Account(t.Context(), cur.Username); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("after the purge: %v", err)
		}
		if sim == nil {
			return
		}
		counts := map[string]int{}
		for _, call := range sim.Calls() {
			counts[call.Method]++
		}
		if counts["POST"] < 4 || counts["DELETE"] != 1 {
			t.Errorf("requests to UDM: %v", counts)
		}
	})
}

// An account that UDM made without our text, as the run was cut off, is completed;
// and what somebody changed meanwhile is not overwritten.
func TestCutOffByUDM(t *testing.T) {
	eachWay(t, func(t *testing.T, b *backend, sim *ucstest.UDM, c *ucs.Client) {
		const password = "Xy7-ooP2-rr41"
		pending := with(pupil(), func(a *schoolmail.Account) { a.State = schoolmail.Pending })
		if sim != nil {
			sim.Inject(ucstest.UDMFault{Method: "POST", Lose: ucstest.LoseAnswer})
		}
		create(t, c, pending, password)
		if d := diff(pending, read(t, c, pending.Username)); d != "" {
			t.Errorf("answer lost (-want +got):\n%s", d)
		}
		dn := read(t, c, pending.Username).DN
		req := ldap.NewModifyRequest(dn, nil)
		req.Delete("univentionFreeAttribute20", nil)
		if err := b.conn(t).Modify(req); err != nil {
			t.Fatal(err)
		}
		create(t, c, pending, password)
		if d := diff(pending, read(t, c, pending.Username)); d != "" {
			t.Errorf("text lost (-want +got):\n%s", d)
		}
		b.modify(t, dn, "preferredLanguage", "it")
		err := c.ChangeAccount(t.Context(), pending, with(pending, func(a *schoolmail.Account) { a.Language = "rm" }))
		if !errors.Is(err, schoolmail.ErrConflict) || b.value(t, dn, "preferredLanguage") != "it" {
			t.Errorf("somebody else's change: %v", err)
		}
		// A lock on a name is no proof that it is taken.
		b.add(t, "cn=locked.one,"+b.temporary("uid"), "objectClass", "top|lock", "cn", "locked.one", "lockTime", "9999999999")
		err = c.CreateAccount(t.Context(), with(pending, func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "locked.one", "S-8", "locked.one@schulen.example", nil
		}), password)
		if e, ok := errors.AsType[*ucs.Error](err); !ok || !e.Temporary() {
			t.Errorf("locked: %v", err)
		}
		// What UDM takes without a word is found before.
		err = c.CreateAccount(t.Context(), with(pending, func(a *schoolmail.Account) {
			a.Username, a.Mail, a.Aliases = "other.one", "other.one@schulen.example", nil
		}), password)
		if !errors.Is(err, ucs.ErrConflict) {
			t.Errorf("a record that has an account: %v", err)
		}
	})
}

// Options that do not go together are refused at once.
func TestWriteOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []ucs.Options{{Write: "fax"}, {Write: ucs.WriteUDM}, {Write: ucs.WriteAuto}, {Stamps: "eat"}} {
		if _, err := ucs.New("ldap://x", &o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
