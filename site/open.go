package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
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

// Settings say what the policy is and where everything is. [Load] reads them from a
// district file.
type Settings struct {
	Name     string
	Language string // of people whose record names none
	Policy   schoolmail.Policy
	StateDir string // journal, plans, reports and initial passwords
	// StatusFile and MetricsFile tell a monitor of the last run; see package
	// site/monitor. "": status.json in StateDir, and no metrics.
	StatusFile  string
	MetricsFile string
	PlanOnly    bool // do not open the journal: nothing will be applied
	Parallel    int  // people worked on at the same time; 0: 16
	FourEyes    bool // what is applied was approved by another user
	Sandbox     bool // made-up people: plans of other days than today may be applied
	HandOut     HandOut
	Limits      TimeLimits
	Retention   int // days for which the folders of runs are kept; 0: for ever
	Pages       Pages

	ExportDir string
	Profile   *escada.Profile
	Export    escada.Options // beside the profile
	Sources   []escada.Part  // further systems that describe people

	DirectoryURL string
	Directory    ucs.Options
	UDMURL       string // of Directory.UDM, to look at its certificate; "": it is not looked at

	OXEndpoints []string // each ends in /webservices
	OXMaster    ox.Credentials
	OXAdmins    map[schoolmail.ContextID]ox.Credentials
	OX          ox.Options
	OXHTTPURL   string // read users by the HTTP API there; "": by SOAP
	ReadEither  bool   // by SOAP where the HTTP API does not let one
	// CopyLogin is how to log in to the HTTP API as any user, to compare a copy with
	// its source: "{username}*master@{context}" for a master login, for example, with
	// CopyPassword. Empty: copies are not verified beyond the account.
	CopyLogin    string
	CopyPassword schoolmail.Secret
	CopyHTTPURL  string
	Groupware    ox.GroupwareOptions

	DoveadmURL string
	Doveadm    dovecot.Options
	LoginByUID bool // Dovecot knows people by user name, not by address
	Mail       dovecot.Desired

	SMTPAddr string
	MailFrom string
	SMTP     notify.Options
	AlsoTell []AlsoTell
	AtEnd    []AtEnd
}

// Open connects to everything that is not among the parts that the program brings
// along; own may be nil. Nothing is sent yet, but unless only a plan is wanted the
// journal is opened and locked: two runs at the same time are refused.
func Open(set *Settings, own *Parts) (_ *Site, err error) {
	s := &Site{name: set.Name, policy: set.Policy, stateDir: set.StateDir, parallel: set.Parallel, sandbox: set.Sandbox,
		fourEyes: set.FourEyes, retention: set.Retention,
		handOut: set.HandOut, limits: set.Limits, language: set.Language,
		alsoTell: set.AlsoTell, atEnd: set.AtEnd,
		copyWait: cmp.Or(set.OX.CopyWait, 5*time.Minute), // as in package ox
		requests: map[string]func() int64{}, times: map[string]func() time.Duration{}}
	s.settings = set
	if own != nil {
		s.parts, s.brought = *own, *own
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.stateDir == "" {
		return nil, errors.New("site: no folder for the state, which keeps what was begun")
	}
	if err := s.takeHolds(); err != nil {
		return nil, err
	}
	if s.parts.Reader == nil {
		s.parts.Reader = set.reader()
	}
	for _, open := range []func(*Settings) error{s.openJournal, s.openServers, s.openMailstore, s.checkCloser,
		s.openNotifier} {
		if err := open(set); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// reader is the one of the settings' export, or of several sources.
func (set *Settings) reader() Reader {
	o := set.Export
	o.Profile = set.Profile
	first := escada.Dir{Path: set.ExportDir, Options: &o, Language: set.Language,
		State: filepath.Join(set.StateDir, "accepted-export.json")}
	if len(set.Sources) == 0 {
		return first
	}
	parts := &escada.Parts{Source: set.Policy.Source, Parts: []escada.Part{{Dir: first}}}
	for _, x := range set.Sources {
		x.Dir.State = filepath.Join(set.StateDir, fmt.Sprintf("accepted-export-%s.json", url.PathEscape(x.Prefix)))
		parts.Parts = append(parts.Parts, x)
	}
	return parts
}

func (s *Site) closeLater(f func() error) { s.closers = append(s.closers, f) }

func (s *Site) openJournal(set *Settings) error {
	s.names = openJournalNames(set.StateDir)
	opts := &journal.Options{Names: s.names}
	switch {
	case s.parts.Journal != nil:
		return nil
	case set.PlanOnly:
		s.parts.Journal = journal.OpenReader(s.journalFile(), opts)
		return nil
	}
	if err := os.MkdirAll(set.StateDir, 0o700); err != nil {
		return fmt.Errorf("state folder: %w", err)
	}
	file, err := journal.Open(s.journalFile(), opts)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("another run is under way, nothing was done: %w", err)
	}
	if err != nil {
		return err
	}
	s.closeLater(file.Close)
	s.parts.Journal, s.journal = file, file
	return nil
}

// openServers connects to the directory and to Open-Xchange.
func (s *Site) openServers(set *Settings) error {
	closed := &mailOff{}
	if s.parts.Directory == nil {
		var spent atomic.Int64
		client, err := ucs.New(set.DirectoryURL, timed(set.Directory, &spent))
		if err != nil {
			return err
		}
		s.closeLater(client.Close)
		s.parts.Directory = &directory{Client: client, closed: closed}
		s.requests["ldap"] = func() int64 { return int64(client.Stats().Total()) }
		s.times["ldap"] = func() time.Duration { return time.Duration(spent.Load()) }
	}
	if s.parts.Groupware != nil {
		return nil
	}
	own := *set
	set = &own
	s.teller.listen(set)
	client, err := ox.New(set.OXEndpoints, set.OXMaster, &set.OX)
	if err != nil {
		return err
	}
	s.closeLater(func() error { client.CloseIdleConnections(); return nil })
	s.requests["ox-soap"] = func() int64 { return client.Stats().Total.Requests }
	s.times["ox-soap"] = func() time.Duration { return client.Stats().Total.Time }
	opts := set.Groupware
	if set.OXHTTPURL != "" {
		if opts.Reader, err = httpReader(set, s.teller.http()); err != nil {
			return err
		}
		opts.MailOff = closed.in
		s.directoryFirst = true
	}
	if set.CopyLogin != "" {
		if opts.Contents, err = s.contentReader(set); err != nil {
			return err
		}
	}
	opts.Observer = s.groupwareEvents(opts.Observer)
	s.parts.Groupware = ox.NewGroupware(client, set.OXAdmins, &opts)
	return nil
}

func (s *Site) openMailstore(set *Settings) error {
	if s.parts.Mailstore != nil {
		return nil
	}
	client, err := dovecot.New(set.DoveadmURL, &set.Doveadm)
	if err != nil {
		return err
	}
	var login func(schoolmail.Account) string
	if set.LoginByUID {
		login = func(a schoolmail.Account) string { return a.Username }
	}
	s.parts.Mailstore = dovecot.NewMailstore(client, login, set.Mail)
	s.requests["doveadm"] = func() int64 { return int64(client.Stats().Requests) }
	s.times["doveadm"] = func() time.Duration { return time.Duration(s.mailTook.Load()) }
	return nil
}

func (s *Site) openNotifier(set *Settings) error {
	if s.parts.Notifier != nil {
		return nil
	}
	mailer, err := notify.New(set.SMTPAddr, set.MailFrom, &set.SMTP)
	if err != nil {
		return err
	}
	s.closeLater(mailer.Close)
	s.parts.Notifier = mailer
	s.requests["smtp"] = func() int64 { return int64(mailer.Sent()) }
	s.times["smtp"] = func() time.Duration { return time.Duration(s.noticesTook.Load()) }
	return nil
}

// timed returns options with which a client adds up how long its requests take.
func timed(o ucs.Options, spent *atomic.Int64) *ucs.Options {
	next := o.Observer
	o.Observer = ucs.ObserverFunc(func(e ucs.Event) {
		spent.Add(int64(e.Duration))
		if next != nil {
			next.Observe(e)
		}
	})
	return &o
}

// directory is UCS@school over LDAP.
type directory struct {
	*ucs.Client
	closed *mailOff
}

// Observe reads all accounts and retired names.
func (d *directory) Observe(ctx context.Context) (Accounts, error) {
	snap, err := d.Snapshot(ctx)
	if err != nil {
		return Accounts{}, err
	}
	a := Accounts{Accounts: snap.Accounts, Retired: snap.Retired, Closed: snap.Closed}
	for _, w := range snap.Warnings {
		a.Findings = append(a.Findings, schoolmail.Finding{Kind: "odd-account",
			Text: fmt.Sprintf("account %s: %s; it is left alone", w.Username, w.Text)})
	}
	for _, r := range snap.Remarks {
		a.Findings = append(a.Findings, schoolmail.Finding{Kind: "directory-" + string(r.Kind), Text: r.String()})
	}
	d.closed.set(snap.Accounts)
	return a, nil
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
		if old := a.Previous.Context; old != 0 { // the old copy is closed during its grace
			by[old] = append(by[old], a.Username)
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
func httpReader(set *Settings, o appsuite.Observer) (*appsuite.PlaceReader, error) {
	c, err := appsuite.New(set.OXHTTPURL, &appsuite.Options{HTTPClient: set.OX.HTTPClient, Observer: o,
		UpdateWait: set.OX.DatabaseUpdateWait})
	if err != nil {
		return nil, err
	}
	names := map[schoolmail.ContextID]string{}
	for _, s := range set.Policy.Contexts {
		names[s.ID] = s.Name
	}
	return &appsuite.PlaceReader{Client: c, Credentials: func(id schoolmail.ContextID) (appsuite.Credentials, error) {
		a, ok := set.OXAdmins[id]
		if !ok {
			return appsuite.Credentials{}, fmt.Errorf("no administrator is configured for context %d", id)
		}
		// A context can be named by its number as well as by its name.
		return appsuite.Credentials{Name: a.Login + "@" + cmp.Or(names[id], strconv.Itoa(int(id))), Password: a.Password}, nil
	}}, nil
}
