package ucs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

func diff(want, got schoolmail.Account) string {
	return cmp.Diff(want, got, accountOpts, cmpopts.EquateEmpty())
}

func read(t *testing.T, c *ucs.Client, username string) schoolmail.Account {
	t.Helper()
	a, err := c.Account(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func create(t *testing.T, c *ucs.Client, a schoolmail.Account, password schoolmail.Secret) {
	t.Helper()
	if err := c.CreateAccount(t.Context(), a, password); err != nil {
		t.Fatal(err)
	}
}

func change(t *testing.T, c *ucs.Client, before, after schoolmail.Account) {
	t.Helper()
	if err := c.ChangeAccount(t.Context(), before, after); err != nil {
		t.Fatal(err)
	}
}

func TestCreate(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		for _, want := range []schoolmail.Account{pupil(), teacher(),
			with(teacher(), func(a *schoolmail.Account) {
				a.Username, a.Key.ID, a.Role, a.Mail = "beat.o", "M-1", schoolmail.RoleStaff, ""
				a.Context, a.Previous, a.State = 0, schoolmail.Previous{Context: 7, UserID: 12,
					Since: schoolmail.NewDate(2026, 8, 10)}, schoolmail.Leaving
				a.NoticedOn, a.NoticeMail, a.Held = schoolmail.NewDate(2026, 10, 1), "a;b%c d@example.org", true
			}),
		} {
			create(t, c, want, "Xy7-ooP2")
			if d := diff(want, read(t, c, want.Username)); d != "" {
				t.Errorf("%s (-want +got):\n%s", want.Username, d)
			}
		}

		dn := "uid=ida.aebel,cn=schueler,cn=users," + gsmitte
		for attr, want := range map[string]string{
			"cn": "Ida Äbel", "sn": "Äbel", "gecos": "Ida Aebel", "uidNumber": "2001",
			"homeDirectory":    "/home/gsmitte/schueler/ida.aebel",
			"departmentNumber": "gsmitte", "krb5PrincipalName": "ida.aebel@SCHULEN.EXAMPLE", "krb5KDCFlags": "126",
			"sambaAcctFlags": "[U          ]", "sambaSID": "S-1-5-21-1111111111-2222222222-3333333333-5002",
			"mail": "ida.aebel@schulen.example", "mailAlternativeAddress": "i.aebel@schulen.example", "isOxUser": "OK",
			"oxContextIDNum": "101",
			"ucsschoolRole":  "student:school:gsmitte", "shadowExpire": "", "univentionObjectType": "users/user",
			"univentionFreeAttribute20": "schoolmail1;state=active",
			"memberOf": strings.Join([]string{groupDN(gsmitte, "Domain Users gsmitte"), classDN(gsmitte, "gsmitte-1a"),
				classDN(gsmitte, "gsmitte-chor"), groupDN(gsmitte, "schueler-gsmitte")}, "|"),
		} {
			if got := b.value(t, dn, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}
		primary := groupDN(gsmitte, "Domain Users gsmitte")
		if got, want := b.value(t, dn, "gidNumber"), b.value(t, primary, "gidNumber"); got != want {
			t.Errorf("gidNumber = %s, want %s", got, want)
		}
		if got, want := b.value(t, primary, "memberUid"), "anna.mueller|beat.o|ida.aebel"; got != want {
			t.Errorf("memberUid = %s, want %s", got, want)
		}
		if got, want := b.value(t, classDN(gsmitte, "gsmitte-1a"), "ucsschoolRole"),
			"school_class:school:gsmitte"; got != want {
			t.Errorf("role of the class = %s, want %s", got, want)
		}
		if !b.canBind(t, dn, "Xy7-ooP2") || b.canBind(t, dn, "xy7-oop2") {
			t.Error("the initial password, and only it, must open the account")
		}
	})
}

// The hash that UCS writes is understood by the servers.
func TestCreateCryptHash(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) { o.Scheme = ucs.Crypt; o.S4Connector = true })
		create(t, c, pupil(), "Grüezi-42")
		dn := read(t, c, "ida.aebel").DN
		if v := b.value(t, dn, "userPassword"); !strings.HasPrefix(v, "{crypt}$6$") {
			t.Errorf("userPassword = %q", v)
		}
		if !b.canBind(t, dn, "Grüezi-42") {
			t.Error("cannot bind with the initial password")
		}
		if got := b.values(t, dn, "krb5Key"); len(got) != 3 || !strings.Contains(got[0], "SCHULEN.EXAMPLEida.aebel") {
			t.Errorf("krb5Key = %q", got)
		}
		if got := b.value(t, dn, "sambaSID"); got != "S-1-4-2001" {
			t.Errorf("sambaSID = %s", got)
		}
		if got := b.value(t, dn, "univentionObjectIdentifier"); len(got) != 36 {
			t.Errorf("univentionObjectIdentifier = %q", got)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) { o.Source = "escada2" })
		create(t, c, pupil(), "x")
		gone := with(pupil(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "gone", "S-9", "gone@schulen.example", []string{"g@schulen.example"}
		})
		create(t, c, gone, "x")
		if err := c.PurgeAccount(t.Context(), gone, schoolmail.NewDate(2026, 11, 1)); err != nil {
			t.Fatal(err)
		}
		b.add(t, groupDN(gsmitte, "theater"), "objectClass", "top|posixGroup|univentionGroup|univentionObject",
			"univentionObjectType", "groups/group", "cn", "theater", "gidNumber", "7001", "mailPrimaryAddress",
			"theater@schulen.example")

		fresh := with(pupil(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "new.one", "S-5000", "new.one@schulen.example", nil
		})
		before := b.value(t, "cn=uidNumber,cn=temporary,cn=univention,"+b.base, "univentionLastUsedValue")
		for _, tc := range []struct {
			name   string
			change func(*schoolmail.Account)
			kind   ucs.Kind
			text   string
		}{
			{"user name of somebody else", func(a *schoolmail.Account) { a.Username = "Ida.Aebel" }, ucs.ErrConflict,
				"user name belongs to somebody else"},
			{"record with another name", func(a *schoolmail.Account) { a.Key.ID = "S-4001" }, ucs.ErrConflict,
				"has an account already"},
			{"address taken", func(a *schoolmail.Account) { a.Mail = "I.aebel@schulen.example" }, ucs.ErrConflict,
				"address belongs"},
			{"alias taken", func(a *schoolmail.Account) { a.Aliases = []string{"ida.aebel@schulen.example"} }, ucs.ErrConflict,
				"address belongs"},
			{"address of a group", func(a *schoolmail.Account) { a.Mail = "theater@schulen.example" }, ucs.ErrConflict,
				"address belongs"},
			{"name of a group", func(a *schoolmail.Account) { a.Username = "theater" }, ucs.ErrConflict, "group has this name"},
			{"retired name", func(a *schoolmail.Account) { a.Username = "gone" }, ucs.ErrConflict, "retired"},
			{"retired address", func(a *schoolmail.Account) { a.Aliases = []string{"g@schulen.example"} }, ucs.ErrConflict,
				"retired"},
			{"no key", func(a *schoolmail.Account) { a.Key = schoolmail.RecordKey{} }, ucs.ErrInvalid, "no record key"},
			{"foreign source", func(a *schoolmail.Account) { a.Key.Source = "other" }, ucs.ErrInvalid, "source"},
			{"unknown role", func(a *schoolmail.Account) { a.Role = "guest" }, ucs.ErrInvalid, "role"},
			{"no school", func(a *schoolmail.Account) { a.Memberships = nil }, ucs.ErrInvalid, "no school"},
			{"no family name", func(a *schoolmail.Account) { a.FamilyName = "" }, ucs.ErrInvalid, "family name"},
			{"unknown school", func(a *schoolmail.Account) { a.Memberships = []schoolmail.Membership{{School: "xyz"}} },
				ucs.ErrInvalid, `school "xyz" does not exist`},
			{"unknown mail domain", func(a *schoolmail.Account) { a.Mail = "a@example.org" }, ucs.ErrInvalid, "not registered"},
			{"phone in umlauts", func(a *schoolmail.Account) { a.Phone = "Büro" }, ucs.ErrInvalid, "syntax"},
		} {
			err := c.CreateAccount(t.Context(), with(fresh, tc.change), "x")
			e, ok := errors.AsType[*ucs.Error](err)
			if !ok || e.Kind != tc.kind || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: error %v, want kind %v with %q", tc.name, err, tc.kind, tc.text)
			}
			if tc.kind == ucs.ErrConflict && !errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("%s: not an ErrConflict: %v", tc.name, err)
			}
		}
		if _, err := c.Account(t.Context(), "new.one"); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("something was written: %v", err)
		}
		if after := b.value(t, "cn=uidNumber,cn=temporary,cn=univention,"+b.base,
			"univentionLastUsedValue"); after != before {
			t.Errorf("the counter went from %s to %s", before, after)
		}
	})
}

// Whoever repeats a creation that was cut off completes it.
func TestCreateAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		want := with(pupil(), func(a *schoolmail.Account) { a.State = schoolmail.Pending })
		create(t, c, want, "first-1")
		dn := read(t, c, want.Username).DN
		// As after a crash between the entry and its groups.
		for _, g := range []string{classDN(gsmitte, "gsmitte-1a"), groupDN(gsmitte, "schueler-gsmitte")} {
			b.modify(t, g, "uniqueMember")
			b.modify(t, g, "memberUid")
		}
		c2 := b.client(t, nil)
		create(t, c2, with(want, func(a *schoolmail.Account) { a.Phone = "031 1" }), "second-2")
		got := read(t, c2, want.Username)
		if d := diff(with(want, func(a *schoolmail.Account) { a.Phone = "031 1" }), got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		for _, g := range []string{classDN(gsmitte, "gsmitte-1a"), groupDN(gsmitte, "schueler-gsmitte")} {
			if got := b.value(t, g, "memberUid"); got != "ida.aebel" {
				t.Errorf("members of %s: %q", g, got)
			}
		}
		if b.canBind(t, dn, "first-1") || !b.canBind(t, dn, "second-2") {
			t.Error("a pending account must have the password given last")
		}

		// Once it is active, the password is the person's own.
		active := with(got, func(a *schoolmail.Account) { a.State = schoolmail.Active })
		change(t, c2, got, active)
		sent := c2.Stats()
		create(t, c2, active, "third-3")
		if !b.canBind(t, dn, "second-2") {
			t.Error("the password of an active account was changed")
		}
		if now := c2.Stats(); now.Modify != sent.Modify || now.Add != sent.Add {
			t.Errorf("creating what is there wrote something: %+v, then %+v", sent, now)
		}
	})
}

func TestChange(t *testing.T) {
	day := schoolmail.NewDate(2026, 10, 1)
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		create(t, c, pupil(), "x")
		cur := pupil()
		for _, tc := range []struct {
			name     string
			requests int64 // modifies expected
			change   func(*schoolmail.Account)
		}{
			{"nothing", 0, func(a *schoolmail.Account) {}},
			{"names", 1, func(a *schoolmail.Account) {
				a.GivenName, a.FamilyName, a.DisplayName = "Íďa", "Abel-Rossi", "Íďa Abel-Rossi"
			}},
			{"only the case", 1, func(a *schoolmail.Account) { a.FamilyName = "ABEL-rossi" }},
			{"rename the address, old one as alias", 1, func(a *schoolmail.Account) {
				a.Aliases = []string{"i.aebel@schulen.example", "ida.aebel@schulen.example"}
				a.Mail = "ida.abel-rossi@schulen.example"
			}},
			{"contact data", 1, func(a *schoolmail.Account) { a.Phone, a.Language = "031 123", "it" }},
			{"other number", 1, func(a *schoolmail.Account) { a.Phone = "031 124" }},
			{"no contact data", 1, func(a *schoolmail.Account) { a.Phone, a.Language = "", "" }},
			{"context", 1, func(a *schoolmail.Account) {
				a.Context = 102
				a.Previous = schoolmail.Previous{Context: 101, UserID: 17, Since: day}
			}},
			{"leaving", 1, func(a *schoolmail.Account) { a.State, a.NoticedOn = schoolmail.Leaving, day }},
			{"returned", 1, func(a *schoolmail.Account) {
				a.State, a.NoticedOn, a.Previous = schoolmail.Active, 0, schoolmail.Previous{}
			}},
			{"no context", 1, func(a *schoolmail.Account) { a.Context = 0 }},
			{"context again", 1, func(a *schoolmail.Account) { a.Context = 101 }},
			{"other class", 2 /* out and in; the entry says nothing of classes */, func(a *schoolmail.Account) {
				a.Memberships = []schoolmail.Membership{{School: "gsmitte", Classes: []string{"2a", "chor"}}}
			}},
		} {
			next := with(cur, tc.change)
			sent := c.Stats().Modify
			change(t, c, cur, next)
			if n := c.Stats().Modify - sent; n != tc.requests {
				t.Errorf("%s: %d modify requests, want %d", tc.name, n, tc.requests)
			}
			if d := diff(next, read(t, c, next.Username)); d != "" {
				t.Fatalf("%s (-want +got):\n%s", tc.name, d)
			}
			sent = c.Stats().Modify
			change(t, c, cur, next) // the answer was lost: again
			if n := c.Stats().Modify - sent; n != 0 {
				t.Errorf("%s: repeating it wrote %d times", tc.name, n)
			}
			cur = next
		}
		dn := read(t, c, cur.Username).DN
		for attr, want := range map[string]string{"cn": "Íďa ABEL-rossi", "gecos": "Ida ABEL-rossi",
			"oxDisplayName": "Íďa Abel-Rossi",
			"mail":          "ida.abel-rossi@schulen.example", "isOxUser": "OK"} {
			if got := b.value(t, dn, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}
	})
}

func TestChangeConflicts(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		before := pupil()
		create(t, c, before, "x")
		dn := read(t, c, before.Username).DN
		b.modify(t, dn, "givenName", "Idina")
		b.modify(t, dn, "telephoneNumber", "1", "2")

		err := c.ChangeAccount(t.Context(), before, with(before, func(a *schoolmail.Account) {
			a.GivenName,
				a.Context = "Idalia", 102
		}))
		if !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("changed by somebody else: %v, want ErrConflict", err)
		}
		if got := b.value(t, dn, "oxContextIDNum"); got != "101" {
			t.Errorf("something was written all the same: context %s", got)
		}
		change(t, c, before, with(before, func(a *schoolmail.Account) { a.Context = 102 }))
		if got := b.value(t, dn, "givenName") + b.value(t, dn, "telephoneNumber"); got != "Idina1|2" {
			t.Errorf("what does not change must stay: %q", got)
		}

		err = c.ChangeAccount(t.Context(), with(before, func(a *schoolmail.Account) { a.Key.ID = "S-1" }),
			with(before, func(a *schoolmail.Account) { a.Key.ID, a.Phone = "S-1", "9" }))
		if !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("another record: %v, want ErrConflict", err)
		}
		nobody := with(before, func(a *schoolmail.Account) { a.Username = "nobody" })
		if err := c.ChangeAccount(t.Context(), nobody, with(nobody,
			func(a *schoolmail.Account) { a.Phone = "9" })); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("nobody: %v, want ErrNotFound", err)
		}
		if err := c.ChangeAccount(t.Context(), before, with(before,
			func(a *schoolmail.Account) { a.Username = "other" })); err == nil {
			t.Error("the user name was changed, and the old one is forgotten")
		}

		b.modify(t, dn, "univentionFreeAttribute20", "schoolmail1;state=active;held=yes;later=1%2C2")
		now := read(t, c, before.Username)
		phone := func(a *schoolmail.Account) { a.Phone = "3" }
		err = c.ChangeAccount(t.Context(), with(now, func(a *schoolmail.Account) { a.Held = false }),
			with(now, func(a *schoolmail.Account) { a.Held = false; phone(a) }))
		if !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("on hold: %v, want ErrConflict", err)
		}
		change(t, c, now, with(now, func(a *schoolmail.Account) { a.Held = false }))
		if got := b.value(t, dn, "univentionFreeAttribute20"); got != "schoolmail1;state=active;later=1%2C2" {
			t.Errorf("state text = %q: unknown fields must stay", got)
		}
	})
}

// Changing school is a move: another unit, other groups, another home.
func TestChangeSchool(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		before := pupil()
		create(t, c, before, "x")
		old := read(t, c, before.Username).DN
		work := "cn=gsmitte-zirkus,cn=schueler,cn=groups," + gsmitte
		b.add(t, work, "objectClass", "top|posixGroup|univentionGroup|univentionObject|ucsschoolGroup",
			"univentionObjectType", "groups/group",
			"cn", "gsmitte-zirkus", "gidNumber", "7002", "ucsschoolRole", "workgroup:school:gsmitte", "uniqueMember", old,
			"memberUid", "ida.aebel")
		global := "cn=alle,cn=groups," + b.base
		b.add(t, global, "objectClass", "top|posixGroup|univentionGroup|univentionObject", "univentionObjectType",
			"groups/group",
			"cn", "alle", "gidNumber", "7003", "uniqueMember", old, "memberUid", "ida.aebel")
		b.modify(t, old, "ucsschoolRole", "student:school:gsmitte", "learner:club:chess")

		after := with(before, func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"7b"}}}
		})
		change(t, c, before, after)
		got := read(t, c, before.Username)
		if d := diff(after, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		dn := "uid=ida.aebel,cn=schueler,cn=users," + seknord
		if got.DN != dn {
			t.Errorf("DN = %s", got.DN)
		}
		for attr, want := range map[string]string{
			"homeDirectory": "/home/sek-nord/schueler/ida.aebel", "departmentNumber": "sek-nord",
			"ucsschoolRole": "learner:club:chess|student:school:sek-nord", "ucsschoolSchool": "sek-nord",
			"gidNumber": b.value(t, groupDN(seknord, "Domain Users sek-nord"), "gidNumber"),
		} {
			if got := b.value(t, dn, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}
		for _, g := range []string{classDN(gsmitte, "gsmitte-1a"), groupDN(gsmitte, "Domain Users gsmitte"), work} {
			if got := b.value(t, g, "memberUid") + b.value(t, g, "uniqueMember"); got != "" {
				t.Errorf("%s still has %q", g, got)
			}
		}
		for _, g := range []string{classDN(seknord, "sek-nord-7b"), groupDN(seknord, "schueler-sek-nord"),
			groupDN(seknord, "Domain Users sek-nord")} {
			if got := b.value(t, g, "memberUid") + b.value(t, g, "uniqueMember"); got != "ida.aebel"+dn {
				t.Errorf("%s has %q", g, got)
			}
		}
		if got := b.value(t, global, "memberUid"); got != "ida.aebel" {
			t.Errorf("a group that is none of ours lost its member: %q", got)
		}

		// From pupil to staff at both schools: the unit stays, the container changes.
		both := with(after, func(a *schoolmail.Account) {
			a.Role = schoolmail.RoleStaff
			a.Memberships = []schoolmail.Membership{{School: "gsmitte"}, {School: "sek-nord"}}
		})
		change(t, c, after, both)
		if got = read(t, c, before.Username); got.DN != "uid=ida.aebel,cn=mitarbeiter,cn=users,"+seknord {
			t.Errorf("DN = %s", got.DN)
		}
		if d := diff(both, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		if got, want := b.value(t, got.DN, "ucsschoolRole"),
			"learner:club:chess|staff:school:gsmitte|staff:school:sek-nord"; got != want {
			t.Errorf("ucsschoolRole = %q, want %q", got, want)
		}
		if got := b.value(t, groupDN(seknord, "schueler-sek-nord"), "memberUid"); got != "" {
			t.Errorf("still among the pupils: %q", got)
		}
	})
}

func TestDeactivate(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		before := pupil()
		create(t, c, before, "Xy7-ooP2")
		dn := read(t, c, before.Username).DN
		off := with(before, func(a *schoolmail.Account) {
			a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
		})
		check := func(want map[string]string) {
			t.Helper()
			for attr, w := range want {
				if got := b.value(t, dn, attr); got != w {
					t.Errorf("%s = %q, want %q", attr, got, w)
				}
			}
		}
		change(t, c, before, off)
		check(map[string]string{"shadowExpire": "1", "krb5KDCFlags": "254", "sambaAcctFlags": "[UD         ]",
			"isOxUser": "OK"})
		if v := b.value(t, dn, "userPassword"); !strings.HasPrefix(v, "{SSHA}!") || b.canBind(t, dn, "Xy7-ooP2") {
			t.Error("a deactivated account can log in")
		}
		if d := diff(off, read(t, c, before.Username)); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}

		b.modify(t, dn, "ucsschoolPurgeTimestamp", "20270122000000Z")
		b.modify(t, dn, "krb5ValidEnd", "20990731000000Z")
		change(t, c, off, before)
		check(map[string]string{"shadowExpire": "47328", "krb5KDCFlags": "126", "sambaAcctFlags": "[U          ]",
			"ucsschoolPurgeTimestamp": ""})
		if !b.canBind(t, dn, "Xy7-ooP2") {
			t.Error("a returned person cannot log in with the old password")
		}

		// A half-open account is somebody's doing: hands off.
		change(t, c, before, off)
		b.modify(t, dn, "sambaAcctFlags", "[U          ]")
		if a := read(t, c, before.Username); !a.Held || a.State != schoolmail.Deactivated {
			t.Errorf("half-open account: held %v, state %s", a.Held, a.State)
		}
		if err := c.PurgeAccount(t.Context(), off, schoolmail.NewDate(2027, 7, 1)); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("purge of a half-open account: %v, want ErrConflict", err)
		}
	})
}

func TestPurge(t *testing.T) {
	today := schoolmail.NewDate(2027, 6, 1)
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		a := with(pupil(), func(a *schoolmail.Account) {
			a.State, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 12, 1)
		})
		create(t, c, a, "x")
		if err := c.PurgeAccount(t.Context(), with(a, func(a *schoolmail.Account) { a.State = schoolmail.Active }),
			today); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("state not as planned: %v, want ErrConflict", err)
		}
		// An address that got lost in between stays reserved as well.
		cur := with(a, func(a *schoolmail.Account) { a.Aliases = nil })
		change(t, c, a, cur)
		for range 2 {
			if err := c.PurgeAccount(t.Context(), cur, today); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.Account(t.Context(), a.Username); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("account after purge: %v", err)
		}
		if got := b.value(t, classDN(gsmitte, "gsmitte-1a"), "memberUid"); got != "" {
			t.Errorf("memberUid of the class: %q", got)
		}
		snap, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []schoolmail.RetiredName
		for _, r := range snap.Retired {
			if strings.Contains(r.Name, "aebel") {
				got = append(got, r)
			}
		}
		want := []schoolmail.RetiredName{{Name: "i.aebel@schulen.example"}, {Name: "ida.aebel", Since: today},
			{Name: "ida.aebel@schulen.example", Since: today}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("retired names (-want +got):\n%s", d)
		}
	})
}
