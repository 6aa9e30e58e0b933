package site_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// marriage is a district of three, one of whom is to be renamed and has a mail.
type marriage struct {
	sb  *sitetest.Sandbox
	set *site.Settings
	day schoolmail.Date
	all people
}

func married(t *testing.T, opts ...sitetest.Option) *marriage {
	t.Helper()
	return marriedWith(t, site.HandOut{}, opts...)
}

// marriedWith is married where passwords are handed out in a certain way.
func marriedWith(t *testing.T, out site.HandOut, opts ...sitetest.Option) *marriage {
	t.Helper()
	sb := testlife.Of(sitetest.Start(append(opts, sitetest.WithPeople(20))...))(t)
	m := &marriage{sb: sb, set: sb.Settings(), day: sb.District.Today(),
		all: people{"1": "Ottilie Zumthor", "2": "Balthasar Quirin", "3": "Ottilie Yersin"}}
	m.set.Policy.Naming.ChangeUsernames = true
	m.set.HandOut = out
	night(t, m.set, m.all, m.day)
	if _, err := sb.Dovecot.AddMessage("ottilie.zumthor@schulen.example", "INBOX", dovecottest.Message{
		Body: []byte("Subject: kept\r\n\r\nhello\r\n")}); err != nil {
		t.Fatal(err)
	}
	return m
}

// rename asks for it and does it.
func (m *marriage) rename(t *testing.T, day schoolmail.Date, q schoolmail.RenameRequest, parts site.Parts) (*site.Act,
	error) {
	t.Helper()
	parts.Reader = m.all
	s := testlife.Of(site.Open(m.set, &parts))(t)
	defer s.Close()
	q.By = "frei"
	acts, err := s.Rename(t.Context(), "1", q, &site.RunOptions{Day: day, Apply: true, Preflight: true})
	if err != nil {
		return nil, err
	}
	return acts[len(acts)-1], acts[len(acts)-1].Err
}

// world is what all servers have now.
func (m *marriage) world(t *testing.T, day schoolmail.Date) *site.World {
	t.Helper()
	set := *m.set
	set.PlanOnly = true
	s := testlife.Of(site.Open(&set, &site.Parts{Reader: m.all}))(t)
	defer s.Close()
	w, err := s.Look(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func account(t *testing.T, w *site.World, id string) schoolmail.Account {
	t.Helper()
	for _, a := range w.State.Accounts {
		if a.Key.ID == id {
			return a
		}
	}
	t.Fatalf("record %s has no account", id)
	return schoolmail.Account{}
}

func placesOf(w *site.World, names ...string) (list []schoolmail.Place) {
	for _, p := range w.State.Places {
		if slices.Contains(names, p.Username) {
			list = append(list, p)
		}
	}
	return list
}

// told counts the mails with a word; one that was sent twice with one Message-ID, because
// nobody knows whether it was, is one.
func (m *marriage) told(word string) int {
	ids := map[string]bool{}
	for _, mail := range m.sb.SMTP.Messages() {
		text := strings.ReplaceAll(string(mail.Data), "=\r\n", "")
		_, id, _ := strings.Cut(text, "Message-ID: ")
		id, _, _ = strings.Cut(id, "\r\n")
		if strings.Contains(text, word) {
			ids[id] = true
		}
	}
	return len(ids)
}

// holds checks everything that is the same however the rename came to its end.
func (m *marriage) holds(t *testing.T, before schoolmail.Place) {
	t.Helper()
	w := m.world(t, m.day+1)
	a := account(t, w, "1")
	until := (m.day + 1).AddDays(180)
	want := []schoolmail.Former{{Username: "ottilie.zumthor", Mail: "ottilie.zumthor@schulen.example", Until: until,
		Told: true}}
	if a.Username != "ottilie.abegg" || a.Mail != "ottilie.abegg@schulen.example" || a.DisplayName != "Ottilie Abegg" ||
		!slices.Equal(a.Aliases, []string{"ottilie.zumthor@schulen.example"}) || !slices.Equal(a.Former, want) {
		t.Errorf("account %+v", a)
	}
	places := placesOf(w, "ottilie.zumthor", "ottilie.abegg")
	if len(places) != 1 || places[0].UserID != before.UserID || places[0].Username != "ottilie.abegg" ||
		places[0].Mail != a.Mail || places[0].DisplayName != "Ottilie Abegg" {
		t.Errorf("in Open-Xchange %+v, before %+v", places, before)
	}
	mails := m.sb.Dovecot.Messages(a.Mail, "INBOX")
	if len(mails) != 1 || !strings.Contains(string(mails[0].Body), "kept") {
		t.Errorf("%d mails under the new address", len(mails))
	}
	if act := night(t, m.set, m.all, m.day+1); !act.Plan.Empty() || len(act.Plan.Held) > 0 {
		t.Errorf("planned again: %s", act.Plan.Summary())
	}
}

// A rename reaches the directory, Open-Xchange and the mail store; the old address stays
// an alias, the person is told once, and on its day the address ends everywhere.
func TestRename(t *testing.T) {
	t.Parallel()
	m := married(t, sitetest.WithNewLoginNames())
	m.all["1"] = "Ottilie Abegg"
	before := placesOf(m.world(t, m.day), "ottilie.zumthor")[0]
	act, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{})
	if err != nil || act.Result.Count(schoolmail.StatusDone) != 1 || len(act.Plan.Held) > 0 {
		t.Fatalf("%v\n%s", err, act.Plan.Summary())
	}
	m.holds(t, before)
	if m.told("Abegg") != 1 || m.told("ottilie.zumthor@schulen.example") != 1 {
		t.Errorf("told %d times", m.told("Abegg"))
	}
	end := (m.day + 1).AddDays(180)
	if act := night(t, m.set, m.all, end-1); !act.Plan.Empty() {
		t.Errorf("a day too early: %s", act.Plan.Summary())
	}
	night(t, m.set, m.all, end)
	w := m.world(t, end)
	if a := account(t, w, "1"); len(a.Aliases)+len(a.Former) > 0 || a.Mail != "ottilie.abegg@schulen.example" {
		t.Errorf("after its day: %+v", a)
	}
	// Nobody gets what somebody had.
	m.all["4"] = "Ottilie Zumthor"
	night(t, m.set, m.all, end+1)
	if a := account(t, m.world(t, end+1), "4"); a.Username != "ottilie.zumthor2" ||
		a.Mail != "ottilie.zumthor2@schulen.example" {
		t.Errorf("a newcomer gets %s, %s", a.Username, a.Mail)
	}
}

// Where Open-Xchange changes no login names the user name is held with the reason, and
// the rest of the rename is done.
func TestRenameWithoutNewLogin(t *testing.T) {
	t.Parallel()
	m := married(t)
	m.all["1"] = "Ottilie Abegg"
	act, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	if len(act.Plan.Held) != 1 || !strings.Contains(act.Plan.Held[0].Why, "USERNAME_CHANGEABLE") {
		t.Errorf("held: %+v", act.Plan.Held)
	}
	a := account(t, m.world(t, m.day+1), "1")
	if a.Username != "ottilie.zumthor" || a.Mail != "ottilie.abegg@schulen.example" || a.DisplayName != "Ottilie Abegg" {
		t.Errorf("account %+v", a)
	}
	if mails := m.sb.Dovecot.Messages(a.Mail, "INBOX"); len(mails) != 1 {
		t.Errorf("%d mails under the new address", len(mails))
	}
	m.set.Policy.Naming.ChangeUsernames = false
	m.all["2"] = "Balthasar Abegg"
	s := testlife.Of(site.Open(m.set, &site.Parts{Reader: m.all}))(t)
	defer s.Close()
	acts, err := s.Rename(t.Context(), "2", schoolmail.RenameRequest{By: "frei"}, &site.RunOptions{Day: m.day + 1})
	if err != nil || len(acts[0].Plan.Held) > 0 || len(acts[0].Plan.Steps) != 1 {
		t.Errorf("a site that changes no user names: %v %+v", err, acts)
	}
}

// As given: names for the scheme and to be called by, an address, a user name. Nobody
// gets what somebody else has.
func TestRenameAsGiven(t *testing.T) {
	t.Parallel()
	m := married(t, sitetest.WithNewLoginNames())
	for name, tc := range map[string]struct {
		q    schoolmail.RenameRequest
		held string
		bad  string
	}{
		"address of somebody": {q: schoolmail.RenameRequest{Mail: "balthasar.quirin@schulen.example"},
			held: "somebody else's"},
		"name of somebody": {q: schoolmail.RenameRequest{Username: "balthasar.quirin"}, held: "somebody else's"},
		"a role's address": {q: schoolmail.RenameRequest{Mail: "postmaster@schulen.example"}, held: "somebody else's"},
		"another domain":   {q: schoolmail.RenameRequest{Mail: "x@elsewhere.example"}, bad: "a domain of some population"},
		"capital letters":  {q: schoolmail.RenameRequest{Username: "Otti"}, bad: "small letters"},
	} {
		act, err := m.rename(t, m.day+1, tc.q, site.Parts{})
		switch {
		case tc.bad != "":
			if err == nil || !strings.Contains(err.Error(), tc.bad) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || len(act.Plan.Held) != 1 || !strings.Contains(act.Plan.Held[0].Why, tc.held):
			t.Errorf("%s: %v %+v", name, err, act)
		}
	}
	_, err := m.rename(t, m.day+1, schoolmail.RenameRequest{GivenName: "Otto", FamilyName: "Zumthor",
		Mail: "otto@schulen.example", Username: "otto"}, site.Parts{})
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []schoolmail.Date{m.day + 1, m.day + 2} { // also after another night
		a := account(t, m.world(t, day), "1")
		if a.Username != "otto" || a.Mail != "otto@schulen.example" || a.DisplayName != "Otto Zumthor" ||
			a.GivenName != "Ottilie" {
			t.Errorf("account %+v", a)
		}
		if act := night(t, m.set, m.all, day); !act.Plan.Empty() {
			t.Errorf("planned again: %s", act.Plan.Summary())
		}
	}
}

// Cut off at any entry of the journal, the next run completes the rename: the same
// command, or an ordinary one that has lost the journal and all that was in the folder.
func TestRenameCutOff(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("lost %v, written %v", lost, keep), func(t *testing.T) {
				t.Parallel()
				for fail := 1; ; fail++ {
					m := married(t, sitetest.WithNewLoginNames())
					m.all["1"] = "Ottilie Abegg"
					before := placesOf(m.world(t, m.day), "ottilie.zumthor")[0]
					mem := &journal.Memory{}
					crash := &journal.Faulty{Journal: mem, Fail: fail, Keep: keep}
					_, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{Journal: crash})
					if err == nil {
						if fail < 10 {
							t.Errorf("only %d entries", fail)
						}
						return
					}
					if lost {
						if err := os.RemoveAll(m.set.StateDir); err != nil {
							t.Fatal(err)
						}
						s := testlife.Of(site.Open(m.set, &site.Parts{Reader: m.all}))(t)
						acts, err := s.Run(t.Context(), &site.RunOptions{Day: m.day + 1, Apply: true})
						s.Close()
						if err != nil || acts[0].Err != nil {
							t.Fatalf("entry %d: %v", fail, err)
						}
						if account(t, m.world(t, m.day+1), "1").Username == "ottilie.zumthor" {
							continue // nothing was begun: who asked asks again
						}
					} else if _, err := m.rename(t, m.day+1, schoolmail.RenameRequest{}, site.Parts{Journal: mem}); err != nil {
						t.Fatalf("entry %d: %v", fail, err)
					}
					m.holds(t, before)
					if n := m.told("Abegg"); !lost && n != 1 || n < 1 {
						t.Errorf("entry %d: told %d times", fail, n)
					}
					if t.Failed() {
						t.Fatalf("cut off at entry %d", fail)
					}
				}
			})
		}
	}
}

// Who is renamed again is told again, and both old addresses end on their days. What
// somebody had themselves they can have again.
func TestRenameTwice(t *testing.T) {
	t.Parallel()
	m := married(t, sitetest.WithNewLoginNames())
	for i, q := range []schoolmail.RenameRequest{{FamilyName: "Abegg"}, {FamilyName: "Zumthor"}} {
		day := m.day + 1 + schoolmail.Date(i)
		act, err := m.rename(t, day, q, site.Parts{})
		if err != nil || len(act.Plan.Held) > 0 {
			t.Fatal(err, act)
		}
	}
	a := account(t, m.world(t, m.day+2), "1")
	if a.Username != "ottilie.zumthor" || a.Mail != "ottilie.zumthor@schulen.example" ||
		!slices.Equal(a.Aliases, []string{"ottilie.abegg@schulen.example"}) {
		t.Errorf("account %+v", a)
	}
	if m.told("Abegg") != 1 || m.told("ottilie.abegg@schulen.example") != 2 {
		t.Errorf("told %d and %d times", m.told("Abegg"), m.told("ottilie.abegg@schulen.example"))
	}
	night(t, m.set, m.all, (m.day + 2).AddDays(180))
	if a := account(t, m.world(t, (m.day+2).AddDays(180)), "1"); len(a.Aliases)+len(a.Former) > 0 ||
		a.Mail != "ottilie.zumthor@schulen.example" {
		t.Errorf("after their days: %+v", a)
	}
}
