package program_test

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/site"
)

// Four ways: who is delivered, has an account, a user in Open-Xchange and a mailbox.
func TestDrift(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	exit, out, errs := s.run(t, day, "-drift")
	if exit != 3 || !strings.Contains(out, "export and directory: 60 differences") {
		t.Errorf("before anything is made: %d %s\n%s", exit, errs, out)
	}
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatal(errs)
	}
	same := "export and directory: the same\ndirectory and Open-Xchange: the same\ndirectory and mail store: the same\n"
	if exit, out, errs := s.run(t, day, "-drift"); exit != 0 || out != same {
		t.Errorf("after the first run: %d %s\n%s", exit, errs, out)
	}
	// One is no longer delivered; another has lost the user in OX.
	accounts, places := s.look(t)
	records := s.District.Records()
	e, err := escadatest.NewExport(records[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, e)
	var poor schoolmail.Account
	for _, a := range accounts {
		if a.Key.ID == records[2].Key.ID {
			poor = a
		}
	}
	for _, p := range places {
		if p.Username == poor.Username {
			removeUser(t, s, p)
		}
	}
	before := s.written()
	exit, out, errs = s.run(t, day, "-drift")
	for _, want := range []string{"export and directory: 1 difference",
		`\n .*` + records[0].Key.ID + ` +person +\(none\) `,
		"directory and Open-Xchange: 1 difference", poor.Username + ` +` + poor.Key.ID + ` +user +context [0-9]+ +\(none\)`,
		"directory and mail store: the same"} {
		if exit != 3 || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%d %s: nothing about %s in\n%s", exit, errs, want, out)
		}
	}
	// A folder that the site wants now is missing in the mailbox.
	district, err := os.ReadFile(s.config())
	if err != nil {
		t.Fatal(err)
	}
	district = bytes.Replace(district, []byte("[mail]\n"), []byte("[mail]\nmailboxes = [\"Archiv\"]\n"), 1)
	if err := os.WriteFile(s.config(), district, 0o600); err != nil {
		t.Fatal(err)
	}
	exit, out, errs = s.run(t, day, "-drift", "-person", records[3].Key.ID)
	if exit != 3 || !regexp.MustCompile(records[3].Key.ID+` +mailbox +Archiv +\(none\)`).MatchString(out) {
		t.Errorf("a folder is missing: %d %s\n%s", exit, errs, out)
	}
	if after := s.written(); after != before {
		t.Errorf("something was written: %s, was %s", after, before)
	}
	exit, out, _ = s.run(t, day, "-drift", "-person", records[0].Key.ID)
	if exit != 3 || strings.Contains(out, poor.Username) || !strings.Contains(out, records[0].Key.ID) {
		t.Errorf("one person: %d\n%s", exit, out)
	}
}

// The forecast says which context is full when, and for whom one is to be declared.
func TestForecast(t *testing.T) {
	t.Parallel()
	s := start(t, 80)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-forecast"); exit != 2 || !strings.Contains(errs, "-churn NEW,GONE") {
		t.Errorf("without runs: %d %s", exit, errs)
	}
	if exit, _, errs := s.run(t, day, "-forecast", "-churn", "ten"); exit != 2 ||
		!strings.Contains(errs, "expected two numbers") {
		t.Errorf("a churn that is none: %d %s", exit, errs)
	}
	exit, out, errs := s.run(t, day, "-forecast", "-churn", "5,5")
	if exit != 0 || !strings.Contains(out, "as declared") || !strings.Contains(out, "Everybody finds a seat") {
		t.Errorf("little churn: %d %s\n%s", exit, errs, out)
	}
	exit, out, errs = s.run(t, day, "-forecast", "-churn", "100,0")
	if exit != 3 || !strings.Contains(out, "is full from ") || !strings.Contains(out, "find no seat: declare a context") {
		t.Errorf("twice as many people: %d %s\n%s", exit, errs, out)
	}
	for n := range 2 {
		if exit, _, errs := s.run(t, day.AddDays(n), "-apply"); exit != 0 {
			t.Fatal(errs)
		}
	}
	exit, out, errs = s.run(t, day.AddDays(2), "-forecast")
	if exit != 0 || !strings.Contains(out, "measured in 1 kept runs") {
		t.Errorf("measured: %d %s\n%s", exit, errs, out)
	}
}

// removeUser deletes a user in Open-Xchange behind everybody's back.
func removeUser(t *testing.T, s *playground, p schoolmail.Place) {
	t.Helper()
	set := s.Settings()
	set.StateDir = t.TempDir()
	open, err := site.Open(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	ox := open.Ports().Groupware
	there, err := ox.User(t.Context(), p.Context, p.Username)
	if err == nil {
		err = ox.DeleteUser(t.Context(), there)
	}
	if err != nil {
		t.Fatal(err)
	}
}
