// Package sitetest starts all simulators in one process, with a made-up
// district: the directory (ucs/ucstest), Open-Xchange (ox/oxtest), Dovecot
// (dovecot/dovecottest) and a mail relay. They are wired up as at a site: the
// mail server looks its users up in the directory.
//
//	err := sitetest.Run(func(ctx context.Context, sb *sitetest.Sandbox) error {
//		s, err := site.Open(sb.Settings(), nil)
//		...
//	}, sitetest.WithPeople(60))
//
// Programs that use package site are tested with it; the example programs run on it
// when they are given no configuration, and examples/sandbox keeps it running for
// other programs.
package sitetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// Option changes what [Start] makes.
type Option func(*options)

type options struct {
	people, schools int
	seed            uint64
	latency         time.Duration
	start           schoolmail.Date
	newLogins       bool
}

// WithPeople sets the number of people of the district; the default is 400.
func WithPeople(n int) Option { return func(o *options) { o.people = n } }

// WithSchools sets the number of schools; the default is one per 500 people, but
// at least 4 and at most 60.
func WithSchools(n int) Option { return func(o *options) { o.schools = n } }

// WithSeed sets what the district is made from; the default is 1.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithLatency sets how long every request to Open-Xchange and doveadm takes.
func WithLatency(d time.Duration) Option { return func(o *options) { o.latency = d } }

// WithNewLoginNames sets Open-Xchange up to change login names (USERNAME_CHANGEABLE),
// which as shipped it does not.
func WithNewLoginNames() Option { return func(o *options) { o.newLogins = true } }

// WithFirstDay sets the district's first day; the default is 10 August 2026.
func WithFirstDay(day schoolmail.Date) Option { return func(o *options) { o.start = day } }

// FirstDay returns a day to start a district on for programs that plan for
// today: 10 August 2026, or where the clock has not got so far yet, the last
// 10 August. People come to their schools on it, and nobody gets an account
// before.
func FirstDay(today schoolmail.Date) schoolmail.Date {
	day := schoolmail.NewDate(2026, time.August, 10)
	for y := 2026; day > today && y > 1; y-- {
		day = schoolmail.NewDate(y, time.August, 10)
	}
	return day
}

// Credentials are of the simulated servers only.
const (
	MasterLogin        = "oxadminmaster"
	MasterPassword     = "sandbox-master"
	DoveadmKey         = "sandbox-doveadm-key"
	UserPassword       = "sandbox-user"     // of the service and probe accounts
	UserMasterPassword = "sandbox-any-user" // with which anybody logs in to the HTTP API
	Salt               = schoolmail.Secret("sandbox salt of the address books")
	ServiceLogin       = "svc-books" // in each context, writes address books
	ProbeLogin         = "probe"     // in each context, an ordinary account like the others there
	adminPassword      = "sandbox-admin-%d"
	MailFrom           = "schulinformatik@schulen.example"
)

// Sandbox is the running simulators.
type Sandbox struct {
	LDAP     *ucstest.Server
	OX       *oxtest.Instance
	Dovecot  *dovecottest.Server
	Doveadm  *httptest.Server
	SMTP     *smtpcapture.Server
	District *escadatest.District
	Policy   schoolmail.Policy

	ldapMu sync.Mutex
	ldap   *ldap.Conn
	imap   net.Listener
	// The mail server that the district comes from; nil before WriteDir.
	oldMail *dovecottest.Server
	oldIMAP net.Listener
	imapWG  sync.WaitGroup
	close   sync.Once
	closed  error
	// Requests to doveadm so far.
	doveadmRequests atomic.Int64
	folder          string // of its own: export and state
}

// Deliver replaces the export that the sandbox's own [Settings] name by that of a
// district, of today or of another day: s.District.Next(nil) is a school year later.
func (s *Sandbox) Deliver(d *escadatest.District) error {
	dir := s.exportDir()
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	e, err := d.Export(nil)
	if err != nil {
		return err
	}
	return e.WriteDir(dir)
}

func (s *Sandbox) exportDir() string { return filepath.Join(s.folder, "export") }

// Run starts a sandbox, calls the function with it, and stops it.
func Run(f func(context.Context, *Sandbox) error, opts ...Option) (err error) {
	s, err := Start(opts...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return f(context.Background(), s)
}

// Start starts everything on loopback ports of the system's choice. The export of
// the first day is delivered; nobody has an account yet.
func Start(opts ...Option) (_ *Sandbox, err error) {
	o := options{people: 400, seed: 1}
	for _, opt := range opts {
		opt(&o)
	}
	o.schools = cmp.Or(o.schools, min(max(o.people/500, 4), 60))

	s := &Sandbox{District: escadatest.NewDistrict(o.seed, &escadatest.Options{Schools: o.schools, People: o.people,
		Start: o.start})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.folder, err = os.MkdirTemp("", "schoolmail-sandbox-*"); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if err := s.Deliver(s.District); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.Policy = Policy(o.people, s.District.Today())
	domains := map[string]bool{} // besides that of the base DN, which is there
	for _, p := range s.Policy.Populations {
		if p.Domain != "schulen.example" {
			domains[p.Domain] = true
		}
	}
	directory := []ucstest.Option{ucstest.WithRecord(1)}
	for d := range domains {
		directory = append(directory, ucstest.WithMailDomains(d))
	}
	if s.LDAP, err = ucstest.Start(directory...); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	for _, school := range s.District.Schools() {
		if err := s.LDAP.SeedSchools(school.ID); err != nil {
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	ox := []oxtest.Option{oxtest.WithMaster(MasterLogin, MasterPassword), oxtest.WithLatency(o.latency),
		oxtest.WithoutCallLog(),
		oxtest.WithHTTP(&oxtest.HTTPOptions{Latency: o.latency, MasterPassword: UserMasterPassword})}
	if o.newLogins {
		ox = append(ox, oxtest.WithUsernameChangeable())
	}
	s.OX, err = oxtest.Start(ox...)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.Dovecot = dovecottest.New(dovecottest.WithAPIKey(DoveadmKey), dovecottest.WithLatency(o.latency),
		dovecottest.WithUserDB(s.mailUser), dovecottest.WithSieve())
	s.Dovecot.KeepCalls(false)
	s.Doveadm = httptest.NewServer(counted(s.Dovecot, &s.doveadmRequests))
	if s.imap, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.imapWG.Go(func() { serveIMAP(s.imap, s.Dovecot) })
	if s.SMTP, err = smtpcapture.Start(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return s, nil
}

// Close stops everything and removes the sandbox's own folder. It may be called
// twice.
func (s *Sandbox) Close() error {
	s.close.Do(func() { s.closed = s.stop() })
	return s.closed
}

func (s *Sandbox) stop() error {
	if s.SMTP != nil {
		s.SMTP.Close()
	}
	for _, l := range []net.Listener{s.imap, s.oldIMAP} {
		if l != nil {
			l.Close()
		}
	}
	if s.oldMail != nil {
		s.oldMail.Close()
	}
	if s.Doveadm != nil {
		s.Doveadm.CloseClientConnections()
		s.Doveadm.Close()
	}
	if s.Dovecot != nil {
		s.Dovecot.Close()
	}
	if s.OX != nil {
		s.OX.Close()
	}
	s.ldapMu.Lock()
	if s.ldap != nil {
		s.ldap.Close()
	}
	s.ldapMu.Unlock()
	if s.LDAP != nil {
		s.LDAP.Close()
	}
	s.imapWG.Wait()
	if s.folder == "" {
		return nil
	}
	return os.RemoveAll(s.folder)
}

// IMAPAddr is where the mail server speaks IMAP.
func (s *Sandbox) IMAPAddr() string { return s.imap.Addr().String() }

func serveIMAP(l net.Listener, server *dovecottest.Server) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go server.ServeIMAP(c)
	}
}

// AdminLogin and AdminPassword are of the administrator of a context.
func AdminLogin(c schoolmail.ContextID) string { return fmt.Sprintf("oxadmin-context%d", c) }

// AdminPassword is of the simulated server only.
func AdminPassword(c schoolmail.ContextID) schoolmail.Secret {
	return schoolmail.Secret(fmt.Sprintf(adminPassword, c))
}

// mailUser is the mail server's user database: the directory, by address.
func (s *Sandbox) mailUser(name string) (dovecottest.User, bool) {
	s.ldapMu.Lock()
	defer s.ldapMu.Unlock()
	for range 2 {
		if s.ldap == nil {
			c, err := ldap.DialURL(s.LDAP.URL)
			if err != nil {
				return dovecottest.User{}, false
			}
			if err := c.Bind(s.LDAP.BindDN, s.LDAP.Password.Reveal()); err != nil {
				c.Close()
				return dovecottest.User{}, false
			}
			s.ldap = c
		}
		res, err := s.ldap.Search(ldap.NewSearchRequest(s.LDAP.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, 0,
			false,
			"(mailPrimaryAddress="+ldap.EscapeFilter(name)+")", []string{"uid"}, nil))
		if err != nil {
			s.ldap.Close()
			s.ldap = nil
			continue
		}
		if len(res.Entries) != 1 {
			return dovecottest.User{}, false
		}
		return dovecottest.User{Name: name}, true
	}
	return dovecottest.User{}, false
}
