package program_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Where the site grants a log-in as any user, every copy is compared with its source in
// all modules before the directory is switched, and copies.json says so for each
// person; where it does not, it says "not verified". The old copy is closed during its
// grace, and a transfer that is taken back leaves the person with mail and log-in, and
// all data, where they were.
func TestCopiesAreProvedAndTakenBack(t *testing.T) {
	t.Parallel()
	for name, granted := range map[string]bool{"log-in granted": true, "no log-in": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, 120)
			s.configure(t, `access = "webmail"`, `access = "pim"`) // who moves has a calendar before
			if granted {
				s.configure(t, "\n[ox]\n", "\n[ox]\ncopy_login = \"{username}@{context}\"\ncopy_password = \""+
					sitetest.UserMasterPassword+"\"\n")
			}
			if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 {
				t.Fatalf("status %d\n%s%s", status, out, errs)
			}
			if _, err := s.FillCalendars(); err != nil {
				t.Fatal(err)
			}
			next := s.District.Next(nil)
			s.deliver(t, exported(t, next))
			status, out, errs := s.run(t, next.Today(), "-apply", "-out", filepath.Join(s.dir, "out"))
			if status != 0 {
				t.Fatalf("status %d\n%s%s", status, out, errs)
			}
			text, err := os.ReadFile(filepath.Join(s.dir, "out", "report.txt"))
			says := "Not verified: contents cannot be read (12)."
			if granted {
				says = "compared with their source before the switch: 12 of 12."
			}
			if err != nil || !strings.Contains(string(text), says) {
				t.Errorf("the report, %v:\n%s", err, text)
			}
			moved := checkCopies(t, s, next.Today(), granted)
			s.checkClosed(t, moved, func(a schoolmail.Account) schoolmail.ContextID { return a.Previous.Context })

			run := ""
			for _, f := range s.copyReports(t) {
				run = filepath.Base(filepath.Dir(f))
			}
			if status, out, errs := s.run(t, next.Today(), "-undo", run, "-apply"); status == 1 {
				t.Fatalf("status %d\n%s%s", status, out, errs)
			}
			accounts, places := s.look(t)
			back := 0
			for _, a := range accounts {
				i := slices.IndexFunc(moved, func(c site.CopyReport) bool { return c.Username == a.Key.String() })
				if i < 0 {
					continue
				}
				for _, p := range places {
					if p.Username == a.Username && p.Context == a.Context && a.Context == moved[i].From && p.MailEnabled &&
						s.HasData(p.Context, p.Username) {
						back++
					}
				}
			}
			if back != len(moved) {
				t.Errorf("%d of %d are back with mail and data", back, len(moved))
			}
		})
	}
}

// copyReports are the files of all runs that say what is known of copies.
func (s *playground) copyReports(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "state", "runs", "*", "copies.json"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// checkCopies reads the report of the run's copies.
func checkCopies(t *testing.T, s *playground, day schoolmail.Date, granted bool) []site.CopyReport {
	t.Helper()
	files := s.copyReports(t)
	if len(files) != 1 || !strings.Contains(files[0], day.String()) {
		t.Fatalf("reports of copies: %q", files)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var moved []site.CopyReport
	if err := json.Unmarshal(b, &moved); err != nil {
		t.Fatal(err)
	}
	if len(moved) == 0 {
		t.Fatal("nobody was transferred")
	}
	compared := map[string]int{}
	for _, c := range moved {
		for what := range c.Compared {
			compared[what]++
		}
		switch {
		case !slices.Contains(c.Lost, "settings of the web interface"):
			t.Errorf("the loss report lacks what no copy carries: %q", c.Lost)
		case granted && c.Compared["contacts"] == "", !granted && !strings.Contains(c.NotVerified, "no login as a user"):
			t.Errorf("compared %v, not verified: %s", c.Compared, c.NotVerified)
		}
	}
	for _, what := range []string{"appointments", "tasks", "digest of appointments"} {
		if granted != (compared[what] > 0) {
			t.Errorf("%s were compared for %d of %d", what, compared[what], len(moved))
		}
	}
	return moved
}

// checkClosed holds that the old copies are there, and that nobody gets into them.
func (s *playground) checkClosed(t *testing.T, moved []site.CopyReport,
	old func(schoolmail.Account) schoolmail.ContextID) {
	t.Helper()
	accounts, places := s.look(t)
	closed := 0
	for _, a := range accounts {
		for _, p := range places {
			if p.Username != a.Username || p.Context != old(a) {
				continue
			}
			if p.MailEnabled {
				t.Errorf("an old copy in context %d is open", p.Context)
			}
			closed++
		}
	}
	if closed != len(moved) {
		t.Errorf("%d old copies of %d transfers are kept", closed, len(moved))
	}
}
