package ucs_test

import (
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

func TestSnapshot(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, func(o *ucs.Options) { o.PageSize = 2 })
		want := []schoolmail.Account{teacher(), pupil()}
		for _, a := range want {
			create(t, c, a, "x")
		}
		var odd []string
		for i, text := range []string{"schoolmail1;state=sleeping", "schoolmail2;state=active",
			"schoolmail1;state=deactivated;deactivated=2026-12-01"} {
			name := "odd" + string(rune('1'+i))
			a := with(pupil(), func(a *schoolmail.Account) { a.Username, a.Key.ID, a.Mail, a.Aliases = name, name, "", nil })
			create(t, c, a, "x")
			b.modify(t, "uid="+name+",cn=schueler,cn=users,"+gsmitte, "univentionFreeAttribute20", text, "unrelated")
			odd = append(odd, name)
		}
		b.modify(t, "uid=odd1,cn=schueler,cn=users,"+gsmitte, "univentionFreeAttribute20", "schoolmail1;state=sleeping")
		// An exam clone, in all groups of the original and, as with an old
		// blacklist, with its record key.
		clone := "uid=exam-ida.aebel,cn=examusers," + gsmitte
		b.add(t, clone, "objectClass",
			"top|person|inetOrgPerson|univentionMail|univentionObject|ucsschoolStudent|ucsschoolExam",
			"uid", "exam-ida.aebel", "cn", "x", "sn", "x", "univentionObjectType", "users/user", "univentionObjectFlag",
			"temporary",
			"ucsschoolSourceUID", "escada2", "ucsschoolRecordUID", "S-4001", "ucsschoolSchool", "gsmitte")
		class := ldap.NewModifyRequest(classDN(gsmitte, "gsmitte-1a"), nil)
		class.Add("uniqueMember", []string{clone})
		if err := b.conn(t).Modify(class); err != nil {
			t.Fatal(err)
		}
		b.add(t, "uid=Administrator,cn=users,"+b.base, "objectClass",
			"top|person|inetOrgPerson|univentionMail|univentionObject",
			"uid", "Administrator", "cn", "Administrator", "sn", "Administrator", "univentionObjectType", "users/user",
			"mailPrimaryAddress", "Admin@schulen.example")
		b.add(t, "cn=eltern,cn=mail,"+b.base, "objectClass", "top|univentionMailList|univentionObject",
			"univentionObjectType", "mail/lists",
			"cn", "eltern", "mailPrimaryAddress", "eltern@schulen.example")
		// A class of an older release, without a role string.
		b.add(t, classDN(seknord, "sek-nord-9z"), "objectClass", "top|posixGroup|univentionGroup|univentionObject",
			"univentionObjectType", "groups/group", "cn", "sek-nord-9z", "gidNumber", "7009",
			"uniqueMember", "uid=anna.mueller,cn=lehrer,cn=users,"+gsmitte, "memberUid", "anna.mueller")
		want[0].Memberships[1].Classes = []string{"9z"}

		snap, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []schoolmail.Account
		var names, warned []string
		for _, a := range snap.Accounts {
			names = append(names, a.Username)
			switch {
			case slices.Contains(odd, a.Username):
				if !a.Held {
					t.Errorf("%s is not on hold", a.Username)
				}
			case !a.Key.IsZero():
				got = append(got, a)
			case a.Username == "administrator" && a.Mail != "admin@schulen.example":
				t.Errorf("address of the administrator: %q", a.Mail)
			case a.Username == "exam-ida.aebel" && (a.Role != "" || a.Memberships != nil || a.FamilyName != ""):
				t.Errorf("an exam clone reads as a person: %+v", a)
			}
		}
		if d := cmp.Diff(want, got, accountOpts, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("people (-want +got):\n%s", d)
		}
		if w := []string{"administrator", "anna.mueller", "exam-ida.aebel", "ida.aebel", "odd1", "odd2",
			"odd3"}; !slices.Equal(names, w) {
			t.Errorf("names = %q, want %q", names, w)
		}
		for _, w := range snap.Warnings {
			warned = append(warned, w.Username)
		}
		slices.Sort(warned)
		if !slices.Equal(warned, odd) {
			t.Errorf("warnings for %q, want %q", warned, odd)
		}
		if !slices.Contains(snap.Retired, schoolmail.RetiredName{Name: "eltern@schulen.example"}) {
			t.Error("the address of a mailing list is not reserved")
		}
		if w := []schoolmail.SchoolID{"gsmitte", "sek-nord"}; !slices.Equal(snap.Schools, w) {
			t.Errorf("schools = %v", snap.Schools)
		}

		// Accounts reads the same, lazily, and stops on break.
		n := 0
		for a, err := range c.Accounts(t.Context()) {
			if err != nil || a.Username == "" {
				t.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%d accounts before the break", n)
		}
	})
}
