package ucs_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

var oneReal sync.Mutex

// onReal runs a test on a real UDM and the directory behind it where the environment
// names them: SCHOOLMAIL_UDM_URL, _USER, _PASSWORD, and _LDAP, _BINDDN, _BINDPW, _BASE.
// The directory has the schools "gsmitte" and "sek-nord", and nothing in them that
// anybody needs: what earlier tests have left is removed.
func onReal(t *testing.T, f func(t *testing.T, b *backend, c *udm.Client)) {
	t.Helper()
	env := func(name string) string { return os.Getenv("SCHOOLMAIL_UDM_" + name) }
	if env("URL") == "" {
		return
	}
	t.Run("real", func(t *testing.T) {
		oneReal.Lock() // one server for all
		defer oneReal.Unlock()
		b := &backend{url: env("LDAP"), base: env("BASE"), bindDN: env("BINDDN"),
			password: schoolmail.Secret(env("BINDPW")), asynchronously: true}
		b.clean(t)
		c, err := udm.New(env("URL"), env("USER"), schoolmail.Secret(env("PASSWORD")), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f(t, b, c)
	})
}

// onUDM runs a test on the simulator of UDM on both directories, and on a real one.
func onUDM(t *testing.T, f func(t *testing.T, b *backend, c *udm.Client)) {
	onBoth(t, func(t *testing.T, b *backend) {
		_, c := b.udmOf(t)
		f(t, b, c)
	})
	onReal(t, f)
}

// clean removes people, classes, locks and counters.
func (b *backend) clean(t *testing.T) {
	t.Helper()
	c := b.conn(t)
	for _, q := range [][2]string{
		{b.base, "(univentionObjectType=users/user)"},
		{b.base, "(&(objectClass=posixGroup)(ucsschoolRole=school_class:*))"},
		{"cn=temporary,cn=univention," + b.base, "(objectClass=lock)"},
		{"cn=univention," + b.base, "(objectClass=ucsschoolUsername)"},
	} {
		res, err := c.Search(ldap.NewSearchRequest(q[0], ldap.ScopeWholeSubtree, 0, 0, 0, false, q[1], []string{"1.1"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range res.Entries {
			if err := c.Del(ldap.NewDelRequest(e.DN, nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// refint takes members out, but leaves their user names: with one of these UDM
	// refuses to take the member in again.
	res, err := c.Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false,
		"(&(objectClass=posixGroup)(memberUid=*))", []string{"1.1"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range res.Entries {
		b.modify(t, e.DN, "memberUid")
	}
}

// everyRole makes somebody of every role, active and in Open-Xchange, and a second
// one of each who has changed school, name, class, place and state. It returns their
// names.
func everyRole(t *testing.T, b *backend, c *ucs.Client) []string {
	t.Helper()
	roles := map[string]func(*schoolmail.Account){
		"pupil":   func(a *schoolmail.Account) {},
		"teacher": func(a *schoolmail.Account) { a.Role, a.Phone = schoolmail.RoleTeacher, "+41 31 1" },
		"staff": func(a *schoolmail.Account) {
			a.Role = schoolmail.RoleStaff
			a.Memberships = []schoolmail.Membership{{School: "gsmitte"}}
		},
		"both": func(a *schoolmail.Account) { a.Role = schoolmail.RoleTeacher },
	}
	var names []string
	for role, as := range roles {
		for _, twice := range []bool{false, true} {
			name := map[bool]string{true: "new.", false: "old."}[twice] + role
			a := with(pupil(), func(a *schoolmail.Account) {
				a.Username, a.Key.ID, a.Mail, a.Aliases = name, "id-"+name, name+"@schulen.example", nil
				a.GivenName, a.FamilyName, a.DisplayName, a.Access = "Ida", strings.ToUpper(role), "Ida "+name, "premium"
				as(a)
			})
			create(t, c, a, "Xy7-ooP2-rr41")
			names = append(names, name)
			if role == "both" {
				b.makeStaffToo(t, read(t, c, name).DN)
			}
			if !twice {
				continue
			}
			for _, next := range []func(*schoolmail.Account){
				func(a *schoolmail.Account) {
					a.Memberships = []schoolmail.Membership{{School: "sek-nord"}}
					if a.Role != schoolmail.RoleStaff {
						a.Memberships[0].Classes = []string{"9z"}
					}
				},
				func(a *schoolmail.Account) { a.FamilyName, a.DisplayName = "Rossi", "Ida Rossi "+role },
				func(a *schoolmail.Account) { a.Context, a.Access = 102, "webmail" },
				func(a *schoolmail.Account) {
					a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
				},
				func(a *schoolmail.Account) { a.State, a.Deactivated = schoolmail.Active, 0 },
			} {
				cur := read(t, c, name)
				change(t, c, cur, with(cur, next))
			}
		}
	}
	slices.Sort(names)
	return names
}

// makeStaffToo makes a teacher one of the staff as well, as UCS@school has it.
func (b *backend) makeStaffToo(t *testing.T, dn string) {
	t.Helper()
	b.addValue(t, dn, "objectClass", "ucsschoolStaff")
	b.addValue(t, dn, "ucsschoolRole", "staff:school:gsmitte")
	b.addValue(t, groupDN(gsmitte, "mitarbeiter-gsmitte"), "uniqueMember", dn)
	b.addValue(t, groupDN(gsmitte, "mitarbeiter-gsmitte"), "memberUid",
		strings.TrimPrefix(strings.Split(dn, ",")[0], "uid="))
	newRDN(t, b, dn, "cn=lehrer und mitarbeiter,cn=users,"+gsmitte)
}

// TestValidator has accounts of every role, as they are made and after all sorts of
// changes, looked at by UCS@school's own validator. SCHOOLMAIL_VALIDATOR names a
// program that gets the DNs of accounts as arguments, reads them by UDM, gives them to
// validate of ucsschool.lib.models.validator, prints what that says and ends with 0 if
// it says nothing.
func TestValidator(t *testing.T) {
	t.Parallel()
	validator := os.Getenv("SCHOOLMAIL_VALIDATOR")
	if validator == "" {
		lacking.SkipAnyway(t, "UCS@school's validator (SCHOOLMAIL_VALIDATOR names it)")
	}
	onReal(t, func(t *testing.T, b *backend, client *udm.Client) {
		for way, opts := range map[string]func(*ucs.Options){
			"ldap": func(*ucs.Options) {},
			"udm": func(o *ucs.Options) {
				o.Write, o.UDM, o.StateProperty = ucs.WriteUDM, client, "schoolmail"
			},
			"auto": func(o *ucs.Options) { o.Write, o.UDM, o.BesideUDM = ucs.WriteAuto, client, true },
		} {
			b.clean(t)
			c := b.client(t, opts)
			var dns []string
			for _, name := range everyRole(t, b, c) {
				dns = append(dns, read(t, c, name).DN)
			}
			out, err := exec.CommandContext(t.Context(), validator, dns...).CombinedOutput()
			t.Logf("%s: %d accounts\n%s", way, len(dns), out)
			if err != nil {
				t.Errorf("%s: %v", way, err)
			}
			b.modify(t, dns[0], "ucsschoolRole", "student:school:nowhere")
			if out, err := exec.CommandContext(t.Context(), validator, dns[0]).CombinedOutput(); err == nil {
				t.Errorf("the validator says nothing of a spoilt account:\n%s", out)
			}
		}
	})
}

// UDM opens, changes, renames and removes what we wrote, and afterwards we have
// nothing to do: what it adds is not taken for a change.
func TestUDMOnOurAccounts(t *testing.T) {
	onUDM(t, func(t *testing.T, b *backend, client *udm.Client) {
		c := b.client(t, nil)
		names := everyRole(t, b, c)
		before := map[string]schoolmail.Account{}
		for _, n := range names {
			before[n] = read(t, c, n)
		}
		same := func(what, name, as string) {
			t.Helper()
			want := before[name]
			want.Username = as
			if d := diff(want, read(t, c, as)); d != "" {
				t.Errorf("%s after %s reads differently (-want +got):\n%s", name, what, d)
			}
		}
		for _, n := range names {
			dn := before[n].DN
			o, err := client.Get(t.Context(), udm.Users, dn)
			if err != nil {
				t.Fatalf("%s: %v", n, err)
			}
			if u := udm.UserOf(o); u.Username != n || !u.OX || u.OXContext != before[n].Context ||
				u.RecordUID != before[n].Key.ID {
				t.Errorf("UDM reads %s as %+v", n, u)
			}
			if _, err := client.Patch(t.Context(), udm.Users, dn, udm.Properties{"description": "by UDM"}, nil); err != nil {
				t.Fatalf("%s: %v", n, err)
			}
			same("a change by UDM", n, n)
			ref, err := client.Patch(t.Context(), udm.Users, dn, udm.Properties{"username": n + ".x"}, nil)
			if err != nil {
				t.Fatalf("%s: %v", n, err)
			}
			same("a new user name by UDM", n, n+".x")
			b.nothingToDo(t, c)
			if err := client.Remove(t.Context(), udm.Users, ref.DN, ""); err != nil {
				t.Fatalf("%s: %v", n, err)
			}
			if _, err := c.Account(t.Context(), n+".x"); !errors.Is(err, schoolmail.ErrNotFound) {
				t.Errorf("%s is still there: %v", n, err)
			}
		}
	})
}

// nothingToDo plans for a world in which every account has a record that says what it
// says itself, and a place.
func (b *backend) nothingToDo(t *testing.T, c *ucs.Client) {
	t.Helper()
	snap, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	policy := schoolmail.Policy{Source: "escada2",
		Contexts: []schoolmail.ContextSpec{{ID: 101, Name: "a", Capacity: 99}, {ID: 102, Name: "b", Capacity: 99}},
		Populations: []schoolmail.Population{{Name: "all", Domain: "schulen.example", Access: "premium",
			Roles:    []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff},
			Contexts: []schoolmail.ContextID{101, 102}}},
	}.WithDefaults()
	w := schoolmail.State{Accounts: snap.Accounts, Retired: snap.Retired,
		Contexts: []schoolmail.Context{{ID: 101, Name: "a"}, {ID: 102, Name: "b"}}}
	d := schoolmail.Delivery{Source: "escada2", Kind: schoolmail.DeliveryFull, Fingerprint: "x"}
	for i, a := range snap.Accounts {
		if a.Key.IsZero() {
			continue
		}
		if a.Access != "premium" { // what was given is what is wanted
			snap.Accounts[i].Access = "premium"
		}
		d.Records = append(d.Records, schoolmail.Record{Key: a.Key, Role: a.Role, GivenName: a.GivenName,
			FamilyName: a.FamilyName, Memberships: a.Memberships, Phone: a.Phone, Language: a.Language,
			NoticeMail: a.NoticeMail})
		snap.Accounts[i].DisplayName = a.GivenName + " " + a.FamilyName + " (" + a.Username + ")"
		w.Places = append(w.Places, schoolmail.Place{Context: a.Context, UserID: schoolmail.UserID(i + 3),
			Username: a.Username, Mail: a.Mail, DisplayName: snap.Accounts[i].DisplayName, GivenName: a.GivenName,
			FamilyName: a.FamilyName, MailEnabled: true})
	}
	plan, err := schoolmail.NewPlan(policy, w, d, schoolmail.NewDate(2027, 1, 10))
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Empty() || len(plan.Held) > 0 {
		t.Errorf("the next plan is not empty:\n%s", plan.Summary())
		for _, s := range plan.Steps {
			t.Logf("%s: %s", s.ID, s.Reason)
		}
	}
}

// Hundreds of our creates race some of a UDM's for the same names: no name and no
// number is given twice, and for each name there is one account.
func TestRaceWithUDMItself(t *testing.T) {
	onUDM(t, func(t *testing.T, b *backend, client *udm.Client) {
		c := b.client(t, besideUDM)
		const ours, theirs = 300, 40
		name := func(i int) string { return fmt.Sprintf("pupil%03d", i) }
		var wg sync.WaitGroup
		for k := range 16 {
			wg.Go(func() {
				for i := k; i < ours; i += 16 {
					err := c.CreateAccount(t.Context(), with(pupil(), func(a *schoolmail.Account) {
						a.Username, a.Key.ID, a.Mail, a.Aliases = name(i), name(i), name(i)+"@schulen.example", nil
					}), "x")
					if err != nil && !errors.Is(err, schoolmail.ErrConflict) {
						t.Error(err)
					}
				}
			})
		}
		for k := range 2 {
			wg.Go(func() {
				for j := k; j < theirs; j += 2 {
					n := name(j * ours / theirs)
					_, err := client.Create(t.Context(), udm.Users, udm.User{Username: n, FirstName: "Ida", LastName: "Abel",
						Password: "Xy7-ooP2-rr41", MailPrimaryAddress: n + "@schulen.example", UnixHome: "/home/" + n,
						PrimaryGroup: groupDN(gsmitte, "Domain Users gsmitte"), School: []string{"gsmitte"},
						SchoolRoles: []string{"student:school:gsmitte"}, Student: true}.Object("cn=schueler,cn=users,"+gsmitte))
					// UDM gives up when a lock goes that it has just found.
					if err != nil && !errors.Is(err, udm.ErrTaken) && !errors.Is(err, udm.ErrRefused) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		res, err := b.conn(t).Search(ldap.NewSearchRequest(b.base, ldap.ScopeWholeSubtree, 0, 0, 0, false,
			"(|(uid=pupil*)(objectClass=posixGroup))", []string{"uid", "uidNumber", "gidNumber", "mailPrimaryAddress"}, nil))
		if err != nil {
			t.Fatal(err)
		}
		seen, people := map[string]int{}, 0
		for _, e := range res.Entries {
			if uid := e.GetAttributeValue("uid"); uid != "" {
				people++
				for _, v := range []string{uid, e.GetAttributeValue("mailPrimaryAddress"), e.GetAttributeValue("uidNumber")} {
					seen[v]++
				}
			} else {
				seen[e.GetAttributeValue("gidNumber")]++
			}
		}
		for v, n := range seen {
			if n > 1 {
				t.Errorf("%s was given %d times", v, n)
			}
		}
		if people != ours {
			t.Errorf("%d people, want %d", people, ours)
		}
	})
}
