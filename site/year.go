package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
)

// SandboxSettings are the settings of a site that is the sandbox.
func SandboxSettings(s *sitetest.Sandbox, exportDir, stateDir string) Settings {
	admins := map[schoolmail.ContextID]ox.Credentials{}
	for _, c := range s.Policy.Contexts {
		admins[c.ID] = ox.Credentials{Login: sitetest.AdminLogin(c.ID), Password: sitetest.AdminPassword(c.ID)}
	}
	return Settings{
		Name: "sandbox", Policy: s.Policy, StateDir: stateDir, ExportDir: exportDir,
		DirectoryURL: s.LDAP.URL,
		Directory: ucs.Options{BindDN: s.LDAP.BindDN, Password: s.LDAP.Password, BaseDN: s.LDAP.BaseDN, Plaintext: true,
			Source: s.Policy.Source, Scheme: ucs.SSHA},
		OXEndpoints: []string{s.OX.SOAPURL},
		OXMaster:    ox.Credentials{Login: sitetest.MasterLogin, Password: sitetest.MasterPassword},
		OXAdmins:    admins,
		DoveadmURL:  s.Doveadm.URL, Doveadm: dovecot.Options{APIKey: sitetest.DoveadmKey},
		SMTPAddr: s.SMTP.Addr(), MailFrom: sitetest.MailFrom, SMTP: notify.Options{Site: "Schulinformatik (Sandbox)"},
	}
}

// Year plays a school year of the sandbox's district: the first provisioning,
// the same again, a change of the school year, and eight weeks later. Each act
// is an ordinary run on the site.
func Year(ctx context.Context, sb *sitetest.Sandbox, p Progress) ([]*Act, error) {
	work, err := os.MkdirTemp("", "schoolmail-year-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	first := sb.District
	next := first.Next(nil)
	later := next.Day(56, 0)
	var acts []*Act
	for i, act := range []struct {
		title string
		d     *escadatest.District
		days  int
	}{
		{"First provisioning", first, 0},
		{"The same again", first, 0},
		{"Change of the school year", next, 0},
		{"The same again", next, 0},
		{"Eight weeks later", later, 0},
	} {
		export := filepath.Join(work, fmt.Sprint("export-", i))
		if err := os.Mkdir(export, 0o700); err != nil {
			return acts, err
		}
		if err := act.d.Export(nil).WriteDir(export); err != nil {
			return acts, err
		}
		site, err := Open(SandboxSettings(sb, export, filepath.Join(work, "state")))
		if err != nil {
			return acts, err
		}
		p.Phase(fmt.Sprintf("\nAct %d, %s: %s, %d people", i+1, act.d.Today(), act.title, act.d.Len()))
		ran, err := Run(ctx, site, Command{Now: act.d.Today(), Apply: true}, p)
		if e := site.Close(); err == nil {
			err = e
		}
		if err != nil {
			return acts, err
		}
		a := ran[0] // every act has a state folder that nothing was cut off in
		a.Title = act.title
		acts = append(acts, a)
		p.Phase(a.Line())
		if line, err := data(sb, a, i == 0); err != nil {
			return acts, err
		} else if line != "" {
			p.Phase(line)
		}
		if a.Err != nil {
			return acts, a.Err
		}
	}
	p.Phase(fmt.Sprintf("\nPeak memory of the process, simulators included: %d MB", peakMemory()>>20))
	return acts, nil
}

// data gives people something to lose after the first act, and looks after
// every transfer whether it has arrived.
func data(sb *sitetest.Sandbox, a *Act, first bool) (string, error) {
	if first {
		n, err := sb.FillCalendars()
		return fmt.Sprintf("  meanwhile %d people enter appointments, tasks and files", n), err
	}
	moved, whole := 0, 0
	for i, s := range a.Plan.Steps {
		t, ok := s.Action.(schoolmail.TransferContext)
		if !ok || a.Result.Outcomes[i].Status != schoolmail.StatusDone {
			continue
		}
		moved++
		if sb.HasData(t.After.Context, s.Subject) {
			whole++
		}
	}
	if moved == 0 {
		return "", nil
	}
	line := fmt.Sprintf("  of %d people transferred, %d have all their appointments, tasks and files", moved, whole)
	if whole != moved {
		return "", errors.New(line)
	}
	return line, nil
}

// Line sums an act up for the terminal.
func (a *Act) Line() string {
	s := a.Plan.Summary()
	if a.Result != nil {
		if n := a.Result.Count(schoolmail.StatusFailed) + a.Result.Count(schoolmail.StatusSkipped); n > 0 {
			s += fmt.Sprintf("%6d of these failed or were skipped\n", n)
		}
	}
	r := a.Report()
	s += "  contexts:"
	for _, f := range r.Contexts {
		s += fmt.Sprintf("  %s %d/%d", f.Name, f.After, f.Capacity)
	}
	s += "\n  requests:"
	for _, q := range r.Requests {
		s += fmt.Sprintf("  %s %d", q.Server, q.Count)
	}
	return s + fmt.Sprintf("\n  time: %s reading, %s planning, %s applying", round(a.World.Read), round(a.Planned), round(a.Applied))
}

// worst returns the exit status of several acts.
func worst(acts []*Act) int {
	var all []int
	for _, a := range acts {
		all = append(all, a.Exit())
	}
	if slices.Contains(all, ExitFailed) {
		return ExitFailed
	}
	if slices.Contains(all, ExitHeld) {
		return ExitHeld
	}
	return ExitDone
}
