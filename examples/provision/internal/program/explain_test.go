package program_test

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Whoever answers the telephone finds a person by user name, address or record id,
// and sees what was done, what will be done and why something is held.
func TestExplain(t *testing.T) {
	t.Parallel()
	s := start(t, 80)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatalf("apply: %d %s", exit, errs)
	}
	accounts, _ := s.look(t)
	var a schoolmail.Account
	for _, c := range accounts {
		if c.Role == schoolmail.RolePupil && c.Key.ID != "" {
			a = c
			break
		}
	}
	for _, who := range []string{a.Username, strings.ToUpper(a.Mail), a.Key.ID} {
		exit, out, errs := s.run(t, day, "-explain", who)
		if exit != 0 {
			t.Errorf("%s: exit status %d %s", who, exit, errs)
		}
		for _, want := range []string{"record " + a.Key.ID + ": " + a.GivenName, a.Username + ": " + a.DisplayName,
			"mail " + a.Mail, "state: active",
			"What would be done now\n  nothing", "create-account done",
			"Mailbox\n  ", "INBOX: 0 messages", "listed"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: nothing about %q in\n%s", who, want, out)
			}
		}
	}
	// Gone from the export: a notice is to come, and why and when.
	var rest []schoolmail.Record
	for _, r := range s.District.Records() {
		if r.Key.ID != a.Key.ID {
			rest = append(rest, r)
		}
	}
	e, err := escadatest.NewExport(rest, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, e)
	exit, out, errs := s.run(t, day.AddDays(30), "-explain", a.Username)
	for _, want := range []string{"Export\n  not delivered", "notice", day.AddDays(30 + 56).String()} {
		if exit != 0 || !strings.Contains(out, want) {
			t.Errorf("a leaver: exit status %d %s, nothing about %q in\n%s", exit, errs, want, out)
		}
	}
	if exit, out, errs := s.run(t, day, "-explain", "nobody.here"); exit != 2 || out != "" ||
		!strings.Contains(errs, "nobody is called so") {
		t.Errorf("somebody who is not there: %d %s %s", exit, out, errs)
	}
	if exit, _, errs := s.run(t, day, "-explain", a.Username, "-apply"); exit != 2 || !strings.Contains(errs, "-explain") {
		t.Errorf("with -apply: %d %s", exit, errs)
	}
}

// All that is kept about a person is told in one go, address books too; nothing
// about anybody else, and nothing is written.
func TestSubjectIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatalf("apply: %d %s", exit, errs)
	}
	accounts, _ := s.look(t)
	before := s.written()
	for _, a := range accounts {
		if a.Role != schoolmail.RoleTeacher || a.Key.ID == "" {
			continue
		}
		exit, out, errs := s.run(t, day, "-subject", a.Key.ID)
		for _, want := range []string{"record " + a.Key.String(), "mail " + a.Mail, "Kept runs\n", ", with names",
			"create-account done", "initial-passwords", "Address books\n", ": " + a.DisplayName + ", " + a.Mail} {
			if exit != 0 || !strings.Contains(out, want) {
				t.Errorf("exit status %d %s: nothing about %q in\n%s", exit, errs, want, out)
			}
		}
		for _, b := range accounts {
			if b.Username != a.Username && b.Mail != "" && strings.Contains(out, b.Mail) {
				t.Errorf("it tells of %s:\n%s", b.Mail, out)
			}
		}
		break
	}
	if s.written() != before {
		t.Error("something was written")
	}
}
