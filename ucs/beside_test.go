package ucs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

// The tests of this file are about accounts on which UCS's own tools work, too.

func newRDN(t *testing.T, b *backend, dn, parent string) string {
	t.Helper()
	rdn, _, _ := strings.Cut(dn, ",")
	if err := b.conn(t).ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, parent)); err != nil {
		t.Fatal(err)
	}
	return rdn + "," + parent
}

// addValue puts a value beside those that an attribute has.
func (b *backend) addValue(t *testing.T, dn, attr string, values ...string) {
	t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Add(attr, values)
	if err := b.conn(t).Modify(req); err != nil {
		t.Fatalf("modify %s: %v", dn, err)
	}
}

// A teacher who is also staff keeps both roles, with strings, groups and
// container of both, when the school changes.
func TestTeacherAndStaffChangesSchool(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		before := with(teacher(), func(a *schoolmail.Account) { a.Memberships = a.Memberships[:1] })
		create(t, c, before, "x")
		dn := read(t, c, before.Username).DN
		// UCS@school's console makes her staff, too.
		dn = newRDN(t, b, dn, "cn=lehrer und mitarbeiter,cn=users,"+gsmitte)
		b.addValue(t, dn, "objectClass", "ucsschoolStaff", "ucsschoolType")
		b.addValue(t, dn, "ucsschoolRole", "staff:school:gsmitte", "custom:of:somebody")
		b.addValue(t, groupDN(gsmitte, "mitarbeiter-gsmitte"), "uniqueMember", dn)
		b.addValue(t, groupDN(gsmitte, "mitarbeiter-gsmitte"), "memberUid", "anna.mueller")

		change(t, c, before, with(before, func(a *schoolmail.Account) {
			a.Memberships = []schoolmail.Membership{{School: "sek-nord", Classes: []string{"9z"}}}
		}))
		dn = "uid=anna.mueller,cn=lehrer und mitarbeiter,cn=users," + seknord
		for attr, want := range map[string]string{
			"ucsschoolRole": "custom:of:somebody|staff:school:sek-nord|teacher:school:sek-nord", "ucsschoolSchool": "sek-nord",
			"homeDirectory": "/home/sek-nord/lehrer/anna.mueller",
			"memberOf": strings.Join([]string{groupDN(seknord, "Domain Users sek-nord"), groupDN(seknord, "lehrer-sek-nord"),
				groupDN(seknord, "mitarbeiter-sek-nord"), classDN(seknord, "sek-nord-9z")}, "|"),
		} {
			if got := b.value(t, dn, attr); got != want {
				t.Errorf("%s = %q, want %q", attr, got, want)
			}
		}
		if classes := strings.Join(b.values(t, dn, "objectClass"), " "); !strings.Contains(classes, "ucsschoolStaff") ||
			!strings.Contains(classes, "ucsschoolTeacher") {
			t.Errorf("classes = %s", classes)
		}
		// Who becomes a pupil's clerk only is no teacher any more.
		cur := read(t, c, "anna.mueller")
		change(t, c, cur, with(cur,
			func(a *schoolmail.Account) { a.Role = schoolmail.RoleStaff; a.Memberships[0].Classes = nil }))
		dn = "uid=anna.mueller,cn=mitarbeiter,cn=users," + seknord
		if got := b.value(t, dn, "ucsschoolRole"); got != "custom:of:somebody|staff:school:sek-nord" {
			t.Errorf("role strings of staff: %s", got)
		}
	})
}

// An account with our key and a role that is not ours is left alone and told
// once, not once for each account and not as somebody who leaves.
func TestOtherRolesAreLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		for _, a := range []schoolmail.Account{pupil(), teacher()} {
			create(t, c, a, "x")
		}
		var wards []schoolmail.Account
		for _, name := range []string{"admin.one", "admin.two"} {
			a := with(teacher(), func(a *schoolmail.Account) { a.Username, a.Key.ID, a.Mail = name, name, "" })
			create(t, c, a, "x")
			dn := read(t, c, name).DN
			b.addValue(t, dn, "objectClass", "ucsschoolAdministrator")
			req := ldap.NewModifyRequest(dn, nil)
			req.Delete("objectClass", []string{"ucsschoolTeacher"})
			if err := b.conn(t).Modify(req); err != nil {
				t.Fatal(err)
			}
			wards = append(wards, a)
		}
		// A teacher who is administrator, too, is a teacher.
		b.addValue(t, read(t, c, "anna.mueller").DN, "objectClass", "ucsschoolAdministrator")

		snap, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range snap.Accounts {
			if want := strings.HasPrefix(a.Username, "admin."); a.Held != want || a.Key.IsZero() {
				t.Errorf("%s: held %v, key %v", a.Username, a.Held, a.Key)
			}
		}
		want := []ucs.Remark{{Kind: ucs.RemarkOtherRole, Usernames: []string{"admin.one", "admin.two"}}}
		if d := cmp.Diff(want, snap.Remarks); d != "" || len(snap.Warnings) != 0 {
			t.Errorf("remarks (-want +got):\n%s\nwarnings: %v", d, snap.Warnings)
		}
		err = c.ChangeAccount(t.Context(), wards[0], with(wards[0], func(a *schoolmail.Account) { a.GivenName = "X" }))
		if !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("changing an administrator: %v", err)
		}
		if err := c.PurgeAccount(t.Context(), wards[1], schoolmail.NewDate(2026, 11, 1)); !errors.Is(err,
			schoolmail.ErrConflict) {
			t.Errorf("purging an administrator: %v", err)
		}
	})
}

// Who is pupil and teacher at once is on hold: UCS@school forbids it.
func TestPupilAndTeacherIsOdd(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		create(t, c, pupil(), "x")
		b.addValue(t, read(t, c, "ida.aebel").DN, "objectClass", "ucsschoolTeacher")
		snap, err := c.Snapshot(t.Context())
		if err != nil || len(snap.Warnings) != 1 || !snap.Accounts[0].Held {
			t.Errorf("warnings %v, %v", snap.Warnings, err)
		}
	})
}

// oxAccess is that of the population: written with the account, when access or
// context changes, where it is missing, and read back if another tool wrote it.
func TestAccessProfile(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) {
			o.OXProfiles = map[string]string{"pim": "webmail",
				"groupware_plus": "premium"}
		})
		acct := with(pupil(), func(a *schoolmail.Account) { a.Access = "pim" })
		create(t, c, acct, "x")
		dn := read(t, c, "ida.aebel").DN
		check := func(when, want, access string) {
			t.Helper()
			if got := b.value(t, dn, "oxAccess"); got != want {
				t.Errorf("%s: oxAccess = %q, want %q", when, got, want)
			}
			if got := read(t, c, "ida.aebel").Access; got != access {
				t.Errorf("%s: access reads as %q, want %q", when, got, access)
			}
		}
		check("created", "webmail", "pim")
		step := func(f func(*schoolmail.Account)) {
			t.Helper()
			cur := read(t, c, "ida.aebel")
			change(t, c, cur, with(cur, f))
		}
		step(func(a *schoolmail.Account) { a.Context, a.Access = 102, "groupware_standard" })
		check("transferred", "groupware_standard", "groupware_standard")
		b.modify(t, dn, "oxAccess", "premium") // UDM's hook
		check("changed by UDM", "premium", "groupware_plus")
		step(func(a *schoolmail.Account) { a.Language = "fr" })
		check("another change", "premium", "groupware_plus")
		step(func(a *schoolmail.Account) { a.Access = "pim" })
		check("repaired", "webmail", "pim")
		b.modify(t, dn, "oxAccess")
		check("absent", "", "pim")
		step(func(a *schoolmail.Account) { a.Language = "it" })
		check("filled in", "webmail", "pim")
	})
}

// Quota and mail server follow the place; what somebody set by hand stays.
func TestExtras(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		extras := func(a schoolmail.Account) ucs.Extras {
			return ucs.Extras{MailHomeServer: "imap" + a.Access + ".example", MailQuotaMB: int(a.Context) * 10,
				OXQuotaMB: int(a.Context)}
		}
		plain := b.client(t, nil)
		c := b.client(t, func(o *ucs.Options) { o.Extras = extras })
		old := with(pupil(), func(a *schoolmail.Account) { a.Access = "a" })
		create(t, plain, old, "x")
		fresh := with(teacher(), func(a *schoolmail.Account) { a.Access = "a" })
		create(t, c, fresh, "x")
		dns := []string{read(t, c, "ida.aebel").DN, read(t, c, "anna.mueller").DN}
		check := func(when, dn, want string) {
			t.Helper()
			got := b.value(t, dn, "univentionMailHomeServer") + " " + b.value(t, dn,
				"univentionMailUserQuota") + " " + b.value(t, dn, "oxUserQuota")
			if got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		remarks := func() string {
			snap, err := c.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, r := range snap.Remarks {
				b.WriteString(string(r.Kind) + ":" + strings.Join(r.Usernames, ","))
			}
			return b.String()
		}
		check("made before", dns[0], "  ")
		check("made", dns[1], "imapa.example 1020 102")
		change(t, c, old, with(old, func(a *schoolmail.Account) { a.Language = "fr" }))
		check("filled in", dns[0], "imapa.example 1010 101")
		change(t, c, fresh, with(fresh, func(a *schoolmail.Account) { a.Context, a.Access = 103, "b" }))
		check("transferred", dns[1], "imapa.example 1030 103")
		if got := remarks(); got != "place:anna.mueller" {
			t.Errorf("the mail server stays where the mail is, and is told: %q", got)
		}
		b.modify(t, dns[0], "univentionMailUserQuota", "5000")
		cur := read(t, c, "ida.aebel")
		change(t, c, cur, with(cur, func(a *schoolmail.Account) { a.Context = 104 }))
		check("set by hand", dns[0], "imapa.example 5000 104")
		if got := remarks(); got != "place:anna.mueller,ida.aebel" {
			t.Errorf("remarks: %q", got)
		}
	})
}

// What UCS@school's importer has marked for deletion is never silently adopted.
func TestStamps(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		hold := b.client(t, nil)
		adopt := b.client(t, func(o *ucs.Options) { o.Stamps = ucs.StampsAdopt })
		day := schoolmail.NewDate(2027, 1, 22)
		open, closed := pupil(), teacher()
		ours := with(pupil(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "our.one", "S-7", "",
				nil
		})
		for _, a := range []schoolmail.Account{open, closed, ours} {
			create(t, hold, a, "pw")
		}
		cur := read(t, hold, "our.one")
		change(t, hold, cur, with(cur, func(a *schoolmail.Account) {
			a.State, a.NoticedOn, a.Deactivated = schoolmail.Deactivated, schoolmail.NewDate(2026, 8, 1),
				schoolmail.NewDate(2026, 10, 1)
		}))
		for _, a := range []schoolmail.Account{open, closed, ours} {
			b.modify(t, read(t, hold, a.Username).DN, "ucsschoolPurgeTimestamp", "20270122000000Z")
		}
		dn := read(t, hold, closed.Username).DN
		b.modify(t, dn, "shadowExpire", "1")
		b.modify(t, dn, "krb5KDCFlags", "254")
		b.modify(t, dn, "sambaAcctFlags", "[UD         ]")

		for _, c := range []*ucs.Client{hold, adopt} {
			snap, err := c.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := []ucs.Remark{{Kind: ucs.RemarkStamped, Usernames: []string{"anna.mueller", "ida.aebel", "our.one"},
				First: day}}
			if d := cmp.Diff(want, snap.Remarks); d != "" {
				t.Errorf("remarks (-want +got):\n%s", d)
			}
			if a := read(t, c, "ida.aebel"); !a.Held || a.State != schoolmail.Active {
				t.Errorf("open and marked: held %v, %s", a.Held, a.State)
			}
			if a := read(t, c, "our.one"); a.Held || a.Deactivated != schoolmail.NewDate(2026, 10, 1) {
				t.Errorf("deactivated by us: held %v, %s", a.Held, a.Deactivated)
			}
		}
		if a := read(t, hold, "anna.mueller"); !a.Held {
			t.Error("closed and marked: not on hold")
		}
		a := read(t, adopt, "anna.mueller")
		if a.Held || a.State != schoolmail.Deactivated || a.Deactivated != day {
			t.Errorf("adopted: held %v, %s on %s", a.Held, a.State, a.Deactivated)
		}
		for _, name := range []string{"anna.mueller", "ida.aebel"} {
			for _, want := range []bool{true, false} {
				if done, err := adopt.CallOff(t.Context(), name); err != nil || done != want {
					t.Errorf("call off %s: %v, %v", name, done, err)
				}
			}
		}
		if got := b.value(t, dn, "univentionFreeAttribute20"); got != "schoolmail1;state=deactivated;deactivated=2027-01-22" {
			t.Errorf("text of the adopted account: %q", got)
		}
		if a := read(t, hold, "ida.aebel"); a.Held || a.State != schoolmail.Active {
			t.Errorf("called off: held %v, %s", a.Held, a.State)
		}
		// The record of the adopted one comes back.
		cur = read(t, hold, "anna.mueller")
		change(t, hold, cur, with(cur, func(a *schoolmail.Account) { a.State, a.Deactivated = schoolmail.Active, 0 }))
		if !b.canBind(t, dn, "pw") {
			t.Error("the reactivated account does not open")
		}
		b.modify(t, read(t, hold, "ida.aebel").DN, "univentionFreeAttribute20", "schoolmail1;state=active;held=yes")
		b.modify(t, read(t, hold, "ida.aebel").DN, "ucsschoolPurgeTimestamp", "20270122000000Z")
		if _, err := adopt.CallOff(t.Context(), "ida.aebel"); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("called off on an account that an operator holds: %v", err)
		}
		if _, err := adopt.CallOff(t.Context(), "nobody"); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("called off on nobody: %v", err)
		}
	})
}

// Exams under way are told, by school.
func TestExamsAreTold(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		for _, x := range []string{"gsmitte exam-b", "gsmitte exam-a", "sek-nord exam-c"} {
			school, uid, _ := strings.Cut(x, " ")
			b.add(t, "uid="+uid+",cn=examusers,ou="+school+","+b.base, "objectClass",
				"top|person|inetOrgPerson|univentionObject|ucsschoolStudent|ucsschoolExam",
				"uid", uid, "cn", "x", "sn", "x", "univentionObjectType", "users/user", "univentionObjectFlag", "temporary",
				"ucsschoolSchool", school)
		}
		snap, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []ucs.Remark{{Kind: ucs.RemarkExam, School: "gsmitte", Usernames: []string{"exam-a", "exam-b"}},
			{Kind: ucs.RemarkExam, School: "sek-nord", Usernames: []string{"exam-c"}}}
		if d := cmp.Diff(want, snap.Remarks); d != "" {
			t.Errorf("remarks (-want +got):\n%s", d)
		}
	})
}

// An address that somebody else got since the plan was made is not given a
// second time: the server would take it.
func TestChangedAddressIsFree(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		for name, c := range map[string]*ucs.Client{"alone": b.client(t, nil), "beside UDM": b.client(t, besideUDM)} {
			t.Run(name, func(t *testing.T) {
				id := strings.ToLower(strings.ReplaceAll(name, " ", ""))
				a := with(pupil(), func(a *schoolmail.Account) {
					a.Username, a.Key.ID, a.Mail, a.Aliases = id, id,
						id+"@schulen.example", nil
				})
				create(t, c, a, "x")
				other := "uid=other" + id + ",cn=users," + b.base
				b.add(t, other, "objectClass", "top|person|inetOrgPerson|univentionMail", "uid", "other"+id, "cn", "x", "sn", "x",
					"mailAlternativeAddress", "Wanted."+id+"@schulen.example")
				for _, change := range []func(*schoolmail.Account){
					func(a *schoolmail.Account) { a.Mail = "wanted." + id + "@schulen.example" },
					func(a *schoolmail.Account) { a.Aliases = []string{"wanted." + id + "@schulen.example"} },
				} {
					if err := c.ChangeAccount(t.Context(), a, with(a, change)); !errors.Is(err, ucs.ErrConflict) {
						t.Errorf("taken by an alias: %v", err)
					}
				}
				after := with(a, func(a *schoolmail.Account) {
					a.Mail, a.Aliases = "new."+id+"@schulen.example", []string{id + "@schulen.example"}
				})
				change(t, c, a, after)
				if d := diff(after, read(t, c, id)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				if left := b.children(t, b.temporary("mailPrimaryAddress")); len(left) != 0 {
					t.Errorf("locks left: %q", left)
				}
			})
		}
	})
}
