package site_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// closingDistrict is a district of some teachers, of whom Ottilie and Balthasar leave.
type closingDistrict struct {
	sb        *sitetest.Sandbox
	set       *site.Settings
	mail      *dovecot.Client
	all, less people
	first     schoolmail.Date
	closes    schoolmail.Date // when the mailboxes of who leaves close
}

func newClosingDistrict(t *testing.T, rules ...site.AtEnd) *closingDistrict {
	t.Helper()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	d := &closingDistrict{sb: sb, set: sb.Settings(), first: sb.District.Today(),
		all: people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Cornelia Yersin", "4": "Damian Xaver"}}
	d.less = people{"3": d.all["3"], "4": d.all["4"]}
	d.set.AtEnd = rules
	all100 := schoolmail.Limit{SchoolPercent: 100, DistrictPercent: 100, Free: 100}
	for _, g := range []*schoolmail.GuardLimits{&d.set.Policy.Guards.Usual, &d.set.Policy.Guards.TermChange} {
		g.Leavers, g.Deactivations, g.Purges = all100, all100, all100
	}
	var err error
	if d.mail, err = dovecot.New(d.set.DoveadmURL, &d.set.Doveadm); err != nil {
		t.Fatal(err)
	}
	night(t, d.set, d.all, d.first)
	night(t, d.set, d.less, d.first+1)
	d.closes = d.first + 1 + schoolmail.DefaultNoticeDays
	return d
}

const (
	ottilie   = "ottilie.zumthor@schulen.example"
	balthasar = "balthasar.quirin@schulen.example"
)

// scripts are the names of an account's Sieve scripts, with a star at the active one.
func (d *closingDistrict) scripts(t *testing.T, user string, want ...string) {
	t.Helper()
	list, err := d.mail.SieveScripts(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range list {
		if s.Active {
			s.Name += "*"
		}
		got = append(got, s.Name)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("scripts of %s: %v, want %v", user, got, want)
	}
}

// puts is how often a script was written so far.
func (d *closingDistrict) puts() (n int) {
	for _, c := range d.sb.Dovecot.Calls() {
		if c.Command == "sievePut" {
			n++
		}
	}
	return n
}

// Mail to closed mailboxes is answered in the person's language until the day that the
// policy says, the person's own script comes back with the person, and nothing is left when
// the mail is removed.
func TestClosedMailboxesAnswer(t *testing.T) {
	t.Parallel()
	d := newClosingDistrict(t, site.AtEnd{What: site.AtEndAnswer, Days: 90,
		Schools: []schoolmail.SchoolID{"ps-birkenhof"}})
	d.sb.Dovecot.KeepCalls(true)
	if err := d.mail.PutSieve(t.Context(), ottilie, "ferien", "keep;\n", true); err != nil {
		t.Fatal(err)
	}
	night(t, d.set, d.less, d.closes-1)
	d.scripts(t, ottilie, "ferien*") // not yet
	night(t, d.set, d.less, d.closes)
	d.scripts(t, ottilie, "ferien", "schoolmail-closed*")
	d.scripts(t, balthasar, "schoolmail-closed*")
	d.scripts(t, "cornelia.yersin@schulen.example")
	script, err := d.mail.SieveScript(t.Context(), ottilie, "schoolmail-closed")
	until := d.closes.AddDays(90).String()
	if err != nil || !strings.Contains(script, `"lt" "date" "`+until+`"`) ||
		!strings.Contains(script, "ist geschlossen") ||
		!strings.Contains(script, "Schulinformatik (Sandbox)") || !strings.Contains(script, ":addresses [\""+ottilie) ||
		strings.Contains(script, "home.example") {
		t.Errorf("%v\n%s", err, script)
	}
	puts := d.puts()
	night(t, d.set, d.less, d.closes)
	night(t, d.set, d.less, d.closes+1)
	if d.puts() != puts {
		t.Errorf("written again: %d times", d.puts()-puts)
	}

	set := *d.set
	set.PlanOnly = true
	s := testlife.Of(site.Open(&set, &site.Parts{Reader: d.less}))(t)
	defer s.Close()
	w, err := s.Look(t.Context(), d.closes+1)
	if err != nil {
		t.Fatal(err)
	}
	var ends int
	for _, c := range s.Calendar(w, nil) {
		if c.What == "mail is answered automatically no longer" && c.Day.String() == until {
			ends++
		}
	}
	if ends != 2 {
		t.Errorf("%d ends of answers in the calendar, want 2", ends)
	}

	plan, err := s.Plan(w)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := s.Explain(t.Context(), w, plan, ottilie); err != nil ||
		e.AtEnd != "mail is answered automatically until "+until {
		t.Errorf("explained: %v %+v", err, e)
	}

	back := people{"1": d.all["1"], "3": d.all["3"], "4": d.all["4"]}
	night(t, d.set, back, d.closes+2)
	d.scripts(t, ottilie, "ferien*")
	d.scripts(t, balthasar, "schoolmail-closed*")
	d.set.AtEnd = []site.AtEnd{{What: site.AtEndNothing}} // called off: what is there goes all the same
	night(t, d.set, back, d.closes.AddDays(schoolmail.DefaultPurgeDays))
	if n := countCalls(d.sb.Dovecot.Calls(), "sieveDelete", balthasar); n != 1 {
		t.Errorf("the script was removed %d times before the mail was", n)
	}
}

func countCalls(calls []dovecottest.Call, command, user string) (n int) {
	for _, c := range calls {
		if c.Command == command && c.User == user {
			n++
		}
	}
	return n
}

// Mail is forwarded to the private address, if there is one outside of our domains: it must
// not come back. The first rule about somebody holds.
func TestClosedMailboxesForward(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		address string
		rules   []site.AtEnd
		says    string // the script; "": there is none
	}{
		"private":    {"o@home.example", []site.AtEnd{{What: site.AtEndForward, Days: 30}}, `redirect "o@home.example";`},
		"own domain": {"ottilie.zumthor@Schulen.example", []site.AtEnd{{What: site.AtEndForward, Days: 30}}, ""},
		"below it":   {"o@mail.lernende.example", []site.AtEnd{{What: site.AtEndForward, Days: 30}}, ""},
		"none":       {"", []site.AtEnd{{What: site.AtEndForward, Days: 30}}, ""},
		"no address": {"a b@c", []site.AtEnd{{What: site.AtEndForward, Days: 30}}, ""},
		"the first holds": {"o@home.example", []site.AtEnd{{What: site.AtEndNothing,
			Schools: []schoolmail.SchoolID{"ps-birkenhof"}}, {What: site.AtEndForward, Days: 30}}, ""},
		"another school": {"o@home.example", []site.AtEnd{{What: site.AtEndForward, Days: 30,
			Schools: []schoolmail.SchoolID{"sek-rosenfeld"}}}, ""},
		"pupils": {"o@home.example", []site.AtEnd{{What: site.AtEndForward, Days: 30, Populations: []string{"primary"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testlife.Of(site.Open(settingsAtEnd(t, c.rules), &site.Parts{Reader: people{}}))(t)
			defer s.Close()
			a := &schoolmail.Account{Key: schoolmail.RecordKey{Source: "escada", ID: "1"}, Role: schoolmail.RoleTeacher,
				Mail: ottilie, NoticeMail: c.address, State: schoolmail.Deactivated, Deactivated: schoolmail.NewDate(2026, 1, 2),
				Memberships: []schoolmail.Membership{{School: "ps-birkenhof"}}}
			k, _, err := s.AtItsEnd(a)
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" {
				if !k.Until.IsZero() {
					t.Errorf("%+v", k)
				}
				return
			}
			script, err := k.Script("")
			if err != nil || !strings.Contains(script, c.says) || !strings.Contains(script, `"2026-02-01"`) {
				t.Errorf("%v\n%s", err, script)
			}
		})
	}
}

func settingsAtEnd(t *testing.T, rules []site.AtEnd) *site.Settings {
	t.Helper()
	set := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t).Settings()
	set.AtEnd, set.PlanOnly = rules, true
	return set
}

// A mail server that fails in the middle makes the step fail, and the next run sets up what
// is missing; whom the mail server does not know is no failure, and is told.
func TestClosedMailboxesAreSetUpByTheNextRun(t *testing.T) {
	t.Parallel()
	d := newClosingDistrict(t, site.AtEnd{What: site.AtEndAnswer, Days: 10})
	mend := d.sb.Dovecot.Inject(dovecottest.Fault{Command: "sievePut", User: ottilie, Times: -1, ExitCode: 75})
	s := testlife.Of(site.Open(d.set, &site.Parts{Reader: d.less}))(t)
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: d.closes, Apply: true})
	if err != nil || acts[len(acts)-1].Result.Count(schoolmail.StatusFailed) != 1 {
		t.Fatalf("%v: want one step that has failed", err)
	}
	s.Close()
	d.scripts(t, ottilie)
	mend()
	night(t, d.set, d.less, d.closes+1)
	d.scripts(t, ottilie, "schoolmail-closed*")
	d.scripts(t, balthasar, "schoolmail-closed*")

	// The directory fails after the script was written, and the person is there again.
	d = newClosingDistrict(t, site.AtEnd{What: site.AtEndAnswer, Days: 10})
	mend = d.sb.LDAP.Inject(ucstest.Fault{Op: "modify", DN: "uid=ottilie.zumthor", Times: -1,
		Code: ldap.LDAPResultUnwillingToPerform})
	night(t, d.set, d.less, d.closes)
	d.scripts(t, ottilie, "schoolmail-closed*")
	mend()
	night(t, d.set, d.all, d.closes+1)
	d.scripts(t, ottilie)

	d = newClosingDistrict(t, site.AtEnd{What: site.AtEndAnswer, Days: 10})
	d.sb.Dovecot.Inject(dovecottest.Fault{Command: "sieveList", User: ottilie, Times: -1, ExitCode: 67})
	night(t, d.set, d.less, d.closes)
	d.scripts(t, balthasar, "schoolmail-closed*")
}

// plainStore is a mail store that knows no scripts.
type plainStore struct{ schoolmail.Mailstore }

func (plainStore) EnsureMailbox(context.Context, schoolmail.Account) error { return nil }

// Without Sieve, or with a mail store that a program brings and that cannot do it, it is
// said before anything is written, with the key to blame; where the policy says nothing the
// server is not asked.
func TestClosedMailboxesNeedSieve(t *testing.T) {
	t.Parallel()
	rules := []site.AtEnd{{What: site.AtEndAnswer, Days: 10}}
	set := settingsAtEnd(t, rules)
	if _, err := site.Open(set, &site.Parts{Reader: people{}, Mailstore: plainStore{}}); err == nil ||
		!strings.Contains(err.Error(), "notices.at_end") {
		t.Errorf("a mail store without scripts: %v", err)
	}
	d := newClosingDistrict(t, rules...)
	plain := testlife.Of(dovecottest.Start(dovecottest.WithAPIKey(sitetest.DoveadmKey),
		dovecottest.WithUserDB(func(name string) (dovecottest.User, bool) { return dovecottest.User{Name: name}, true })))(t)
	d.set.DoveadmURL = plain.URL
	run := func() error {
		s := testlife.Of(site.Open(d.set, &site.Parts{Reader: d.less}))(t)
		defer s.Close()
		acts, err := s.Run(t.Context(), &site.RunOptions{Day: d.closes, Apply: true, Preflight: true})
		if err == nil {
			err = acts[len(acts)-1].Err
		}
		return err
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "[notices] at_end") ||
		!strings.Contains(err.Error(), "Pigeonhole") {
		t.Errorf("a server without Sieve: %v", err)
	}
	for _, c := range plain.Calls() {
		if c.User == ottilie {
			t.Errorf("called before: %s", c.Command)
		}
	}
	d.set.AtEnd = nil
	if err := run(); err != nil {
		t.Errorf("without a rule: %v", err)
	}
}
