package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
)

// Settings say where everything is.
type Settings struct {
	Name     string
	Language string // of people whose record names none
	Policy   schoolmail.Policy
	StateDir string // journal and initial passwords
	PlanOnly bool   // do not open the journal: nothing will be applied
	Parallel int

	ExportDir string
	Profile   *escada.Profile

	DirectoryURL string
	Directory    ucs.Options

	OXEndpoints []string // each ends in /webservices
	OXMaster    ox.Credentials
	OXAdmins    map[schoolmail.ContextID]ox.Credentials
	OX          ox.Options
	OXHTTPURL   string // read users by the HTTP API there; "": by SOAP
	Groupware   ox.GroupwareOptions

	DoveadmURL string
	Doveadm    dovecot.Options
	LoginByUID bool // Dovecot knows people by user name, not by address
	Mail       dovecot.Want

	SMTPAddr string
	MailFrom string
	SMTP     notify.Options
}

// mailOff knows who may have mail switched off in OX: those whose accounts are
// deactivated, or were about to be.
type mailOff struct {
	mu sync.Mutex
	by map[schoolmail.ContextID][]string
}

func (m *mailOff) set(accounts []schoolmail.Account) {
	by := map[schoolmail.ContextID][]string{}
	for _, a := range accounts {
		if a.State == schoolmail.Deactivated || a.State == schoolmail.Leaving {
			by[a.Context] = append(by[a.Context], a.Username)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.by = by
}

func (m *mailOff) in(c schoolmail.ContextID) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.by[c]
}

// httpReader logs in to each context as its administrator.
func httpReader(set Settings) (*ox.HTTPReader, error) {
	c, err := appsuite.New(set.OXHTTPURL, &appsuite.Options{HTTPClient: set.OX.HTTPClient})
	if err != nil {
		return nil, err
	}
	names := map[schoolmail.ContextID]string{}
	for _, s := range set.Policy.Contexts {
		names[s.ID] = s.Name
	}
	return &ox.HTTPReader{Client: c, Credentials: func(id schoolmail.ContextID) (appsuite.Credentials, error) {
		a, ok := set.OXAdmins[id]
		if !ok {
			return appsuite.Credentials{}, fmt.Errorf("no administrator is configured for context %d", id)
		}
		// A context can be named by its number as well as by its name.
		return appsuite.Credentials{Name: a.Login + "@" + cmp.Or(names[id], strconv.Itoa(int(id))), Password: a.Password}, nil
	}}, nil
}

// Open connects to everything. Nothing is sent yet, but unless only a plan is
// wanted the journal is opened and locked: two runs at the same time are refused.
func Open(set Settings) (_ *Site, err error) {
	var closers []func() error
	closeAll := func() error {
		var errs []error
		for i := len(closers) - 1; i >= 0; i-- {
			errs = append(errs, closers[i]())
		}
		closers = nil
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	var j schoolmail.Journal = &journal.Memory{}
	if !set.PlanOnly {
		if err := os.MkdirAll(set.StateDir, 0o700); err != nil {
			return nil, fmt.Errorf("state folder: %w", err)
		}
		file, err := journal.Open(filepath.Join(set.StateDir, "journal.jsonl"))
		if errors.Is(err, journal.ErrLocked) {
			return nil, fmt.Errorf("another run is under way, nothing was done: %w", err)
		}
		if err != nil {
			return nil, err
		}
		closers = append(closers, file.Close)
		j = file
	}
	dir, err := ucs.New(set.DirectoryURL, &set.Directory)
	if err != nil {
		return nil, err
	}
	closers = append(closers, dir.Close)
	oxc, err := ox.New(set.OXEndpoints, set.OXMaster, &set.OX)
	if err != nil {
		return nil, err
	}
	closers = append(closers, func() error { oxc.CloseIdleConnections(); return nil })
	closed := &mailOff{}
	if set.OXHTTPURL != "" {
		reader, err := httpReader(set)
		if err != nil {
			return nil, err
		}
		set.Groupware.Reader, set.Groupware.MailOff = reader, closed.in
	}
	gw := ox.NewGroupware(oxc, set.OXAdmins, &set.Groupware)
	dc, err := dovecot.New(set.DoveadmURL, &set.Doveadm)
	if err != nil {
		return nil, err
	}
	var login func(schoolmail.Account) string
	if set.LoginByUID {
		login = func(a schoolmail.Account) string { return a.Username }
	}
	mailer, err := notify.New(set.SMTPAddr, set.MailFrom, &set.SMTP)
	if err != nil {
		return nil, err
	}
	closers = append(closers, mailer.Close)

	return &Site{
		Name:   set.Name,
		Policy: set.Policy,
		Ports: schoolmail.Ports{Directory: dir, Groupware: gw, Mailstore: dovecot.NewMailstore(dc, login, set.Mail),
			Notifier: mailer, Journal: j},
		Deliver: func(ctx context.Context, now schoolmail.Date) (schoolmail.Delivery, error) {
			d, err := escada.ReadDir(ctx, set.ExportDir, &escada.Options{Profile: set.Profile, Day: now})
			for i := range d.Records {
				if d.Records[i].Language == "" {
					d.Records[i].Language = set.Language
				}
			}
			return d, err
		},
		Directory: func(ctx context.Context) ([]schoolmail.Account, []schoolmail.RetiredName, []schoolmail.Finding, error) {
			snap, err := dir.Snapshot(ctx)
			if err != nil {
				return nil, nil, nil, err
			}
			var odd []schoolmail.Finding
			for _, w := range snap.Warnings {
				odd = append(odd, schoolmail.Finding{Kind: "odd-account", Text: fmt.Sprintf("account %s: %s; it is left alone", w.Username, w.Text)})
			}
			for _, r := range snap.Remarks {
				odd = append(odd, schoolmail.Finding{Kind: "directory-" + string(r.Kind), Text: r.String()})
			}
			closed.set(snap.Accounts)
			return snap.Accounts, snap.Retired, odd, nil
		},
		DirectoryFirst: set.OXHTTPURL != "",
		Groupware:      gw.Observe,
		PlanFile:       filepath.Join(set.StateDir, "current-plan.json"),
		RunsDir:        filepath.Join(set.StateDir, "runs"),
		PasswordDir:    filepath.Join(set.StateDir, "initial-passwords"),
		Parallel:       set.Parallel,
		CopyWait:       cmp.Or(set.OX.CopyWait, 5*time.Minute), // as in package ox
		Requests: func() map[string]int64 {
			m := map[string]int64{"ldap": int64(dir.Stats().Total()), "smtp": int64(mailer.Sent())}
			m["ox-soap"] = oxc.Stats().Total.Requests
			m["doveadm"] = int64(dc.Stats().Requests)
			return m
		},
		Close: closeAll,
	}, nil
}
