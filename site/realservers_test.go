package site_test

import (
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// TestRealServers runs the main job with a real OpenLDAP and a real Dovecot:
// first provisioning, a change of the school year with transfers and leavers,
// deactivation after eight weeks, and after each the same again with nothing
// to do. Only OX is simulated.
func TestRealServers(t *testing.T) {
	t.Parallel()
	ldap := slapd.Start(t, nil)
	imap := dovecotd.Start(t, &dovecotd.Config{})
	s := testlife.Of(sitetest.Start(sitetest.WithPeople(40)))(t)
	model := ucstest.New(ucstest.WithMailDomains("lernende.example"))
	for _, school := range s.District.Schools() {
		if err := model.SeedSchools(school.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := ldap.Load(model.Entries()); err != nil {
		t.Fatal(err)
	}
	set := s.Settings()
	set.DirectoryURL, set.Directory.BindDN, set.Directory.BaseDN, set.Directory.Password = ldap.URL, ldap.BindDN,
		ldap.BaseDN, ldap.Password
	set.DoveadmURL, set.Doveadm.APIKey = imap.URL, schoolmail.Secret(imap.APIKey)
	if missing := set.Preflight(t.Context(), nil, nil); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	open, err := site.Open(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	next := s.District.Next(nil)
	known := map[string]bool{}
	for _, act := range []struct {
		name string
		d    interface {
			Today() schoolmail.Date
		}
		days int
		want schoolmail.Kind
	}{
		{"first", s.District, 0, schoolmail.KindCreate},
		{"next", next, 0, schoolmail.KindTransfer},
		{"later", next, 56, schoolmail.KindDeactivate},
	} {
		day := act.d.Today().AddDays(act.days)
		if act.name == "next" {
			if err := s.Deliver(next); err != nil {
				t.Fatal(err)
			}
		}
		// The mail server's user file has everybody whom the plan creates: a
		// site's Dovecot looks into the directory instead.
		w, err := open.Look(t.Context(), day)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := open.Plan(w)
		if err != nil {
			t.Fatal(err)
		}
		var users []dovecotd.User
		for _, step := range plan.Steps {
			if c, ok := step.Action.(schoolmail.CreateAccount); ok {
				users = append(users, dovecotd.User{Name: c.Account.Mail, Password: "x"})
				known[c.Account.Mail] = true
			}
		}
		if len(users) > 0 {
			imap.SetUsers(users...)
		}
		if plan.Count()[act.want] == 0 {
			t.Errorf("%s: no step of kind %s:\n%s", act.name, act.want, plan.Summary())
		}
		acts, err := open.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
		if err != nil {
			t.Fatal(err)
		}
		if acts[0].Err != nil {
			t.Fatal(acts[0].Err)
		}
		for _, o := range acts[0].Result.Outcomes {
			if o.Status != schoolmail.StatusDone {
				t.Errorf("%s: %s: %s %s", act.name, o.Step, o.Status, o.Error)
			}
		}
		again, err := open.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
		if err != nil || !again[0].Plan.Empty() {
			t.Fatalf("%s: the second run: %v\n%s", act.name, err, again[0].Plan.Summary())
		}
		if act.name == "first" {
			if _, err := s.FillCalendars(); err != nil {
				t.Fatal(err)
			}
		}
		for _, step := range plan.Steps {
			if tr, ok := step.Action.(schoolmail.TransferContext); ok && !s.HasData(tr.After.Context, step.Subject) {
				t.Errorf("%s has lost data", step.Subject)
			}
		}
	}
	if len(known) < 40 {
		t.Errorf("only %d mailboxes", len(known))
	}
}
