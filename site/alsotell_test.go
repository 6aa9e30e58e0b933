package site_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// family is an export of two pupils and their teachers; who is in it may be taken out.
type family map[string]schoolmail.Record

func newFamily() family {
	f := family{}
	add := func(id, given string, role schoolmail.Role, school schoolmail.SchoolID, level schoolmail.SchoolLevel,
		class string) {
		f[id] = schoolmail.Record{Key: schoolmail.RecordKey{Source: "escada", ID: id}, Role: role, GivenName: given,
			FamilyName: "Muster", NoticeMail: strings.ToLower(given) + "@home.example", Language: "de",
			Memberships: []schoolmail.Membership{{School: school, Level: level, Classes: []string{class}}}}
	}
	add("1", "Ottilie", schoolmail.RolePupil, "ps-birkenhof", "primary", "3a")
	add("2", "Balthasar", schoolmail.RolePupil, "sek-rosenfeld", "secondary", "8b")
	add("3", "Cornelia", schoolmail.RoleTeacher, "ps-birkenhof", "", "3a")
	add("4", "Damian", schoolmail.RoleTeacher, "ps-birkenhof", "", "3b")
	add("5", "Emil", schoolmail.RoleTeacher, "sek-rosenfeld", "", "8b")
	for i := range 4 { // schools are not empty without the two
		add(fmt.Sprint(10+i), fmt.Sprintf("Pirmin%c", 'a'+i), schoolmail.RolePupil, "ps-birkenhof", "primary", "3a")
		add(fmt.Sprint(20+i), fmt.Sprintf("Quirin%c", 'a'+i), schoolmail.RolePupil, "sek-rosenfeld", "secondary", "8b")
	}
	return f
}

func (f family) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	d := schoolmail.Delivery{Source: "escada", Kind: schoolmail.DeliveryFull, Rows: len(f),
		Fingerprint: fmt.Sprint(len(f))}
	for _, r := range f {
		d.Records = append(d.Records, r)
	}
	return d, nil
}

// Of young pupils the parents, the guardians of the directory and the teachers of the
// class are told, each once and in a message of their own; of others nobody is, and the
// private address stays the pupil's own.
func TestOthersAreToldOfYoungPupils(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	set, day := sb.Settings(), sb.District.Today()
	set.AlsoTell = []site.AlsoTell{
		{Whom: []schoolmail.Relation{schoolmail.RelationParents}, Populations: []string{"primary"}},
		{Whom: []schoolmail.Relation{schoolmail.RelationClassTeacher}, Levels: []schoolmail.SchoolLevel{"primary"}},
		{Whom: []schoolmail.Relation{schoolmail.RelationGuardians}, Schools: []schoolmail.SchoolID{"ps-birkenhof"}},
	}
	all100 := schoolmail.Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}
	set.Policy.Guards.Usual.Leavers, set.Policy.Guards.TermChange.Leavers = all100, all100
	all := newFamily()
	run := func(f family, day schoolmail.Date) []string {
		t.Helper()
		before := sb.SMTP.Count()
		s, err := site.Open(set, &site.Parts{Reader: f})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
		if err != nil || acts[0].Err != nil {
			t.Fatal(err, acts)
		}
		for _, h := range acts[0].Plan.Held {
			t.Errorf("%s is held: %s", h.Step.ID, h.Why)
		}
		var to []string
		for _, m := range sb.SMTP.Messages()[before:] {
			to = append(to, strings.Join(m.To, " "))
		}
		slices.Sort(to)
		return to
	}
	run(all, day)
	conn, err := ldap.DialURL(sb.LDAP.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Bind(sb.LDAP.BindDN, sb.LDAP.Password.Reveal()); err != nil {
		t.Fatal(err)
	}
	kim := "uid=kim,cn=users," + sb.LDAP.BaseDN
	if err := sb.LDAP.Add(kim, "objectClass", "inetOrgPerson", "uid", "kim", "cn", "Kim", "sn", "Muster",
		"mail", "kim@home.example"); err != nil {
		t.Fatal(err)
	}
	res, err := conn.Search(ldap.NewSearchRequest(sb.LDAP.BaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false,
		"(uid=ottilie.muster)", []string{"uid"}, nil))
	if err != nil || len(res.Entries) != 1 {
		t.Fatal(res, err)
	}
	req := ldap.NewModifyRequest(res.Entries[0].DN, nil)
	req.Replace("ucsschoolLegalGuardian", []string{kim})
	if err := conn.Modify(req); err != nil {
		t.Fatal(err)
	}
	less := newFamily()
	delete(less, "1")
	delete(less, "2")
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: told\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// One of those to be told has no mailbox any more: the others are told all the same.
	sb.SMTP.Refuse = func(to string) string {
		if to == "ottilie@home.example" {
			return "550 5.1.1 no such user"
		}
		return ""
	}
	same("notice", run(less, day+1), "balthasar.muster@lernende.example balthasar@home.example",
		"cornelia.muster@schulen.example", "kim@home.example", "ottilie.muster@lernende.example")
	same("the same day again", run(less, day+1))
	sb.SMTP.Refuse = nil
	same("reminder", run(less, day+1+28), "balthasar.muster@lernende.example balthasar@home.example",
		"kim@home.example", "ottilie.muster@lernende.example", "ottilie@home.example")
	same("taken back", run(all, day+40), "balthasar.muster@lernende.example balthasar@home.example",
		"kim@home.example", "ottilie.muster@lernende.example", "ottilie@home.example")
}
