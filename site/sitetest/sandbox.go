// Package sitetest starts all simulators in one process, with a made-up
// district: the directory (ucs/ucstest), Open-Xchange (ox/oxtest), Dovecot
// (dovecot/dovecottest) and a mail relay. They are wired up as at a site: the
// mail server looks its users up in the directory.
//
// The example programs run on it when they are given no configuration, and
// examples/sandbox keeps it running for other programs.
package sitetest

import (
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// Options of a sandbox; the zero value is a small district.
type Options struct {
	People  int           // 0 means 400
	Schools int           // 0 means one per 500 people, between 4 and 60
	Seed    uint64        // of the district; 0 means 1
	Latency time.Duration // of every OX and doveadm request
	// Start is the district's first day; 0 means 10 August 2026.
	Start schoolmail.Date
}

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
	MasterLogin    = "oxadminmaster"
	MasterPassword = "sandbox-master"
	DoveadmKey     = "sandbox-doveadm-key"
	UserPassword   = "sandbox-user" // of the service and probe accounts
	ServiceLogin   = "svc-books"    // in each context, writes address books
	ProbeLogin     = "probe"        // in each context, an ordinary account like the others there
	adminPassword  = "sandbox-admin-%d"
	MailFrom       = "schulinformatik@schulen.example"
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
	imapWG sync.WaitGroup
	close  sync.Once
}

// Start starts everything on loopback ports of the system's choice.
func Start(opt *Options) (_ *Sandbox, err error) {
	var o Options
	if opt != nil {
		o = *opt
	}
	o.People = cmp.Or(o.People, 400)
	o.Seed = cmp.Or(o.Seed, 1)
	o.Schools = cmp.Or(o.Schools, min(max(o.People/500, 4), 60))

	s := &Sandbox{District: escadatest.NewDistrict(o.Seed, &escadatest.Options{Schools: o.Schools, People: o.People, Start: o.Start})}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	s.Policy = Policy(o.People, s.District.Today())
	domains := map[string]bool{} // besides that of the base DN, which is there
	for _, p := range s.Policy.Populations {
		if p.Domain != "schulen.example" {
			domains[p.Domain] = true
		}
	}
	opts := []ucstest.Option{ucstest.WithRecord(1)}
	for d := range domains {
		opts = append(opts, ucstest.WithMailDomains(d))
	}
	if s.LDAP, err = ucstest.Start(opts...); err != nil {
		return s, fmt.Errorf("sandbox: %w", err)
	}
	for _, school := range s.District.Schools() {
		if err := s.LDAP.SeedSchools(school.ID); err != nil {
			return s, fmt.Errorf("sandbox: %w", err)
		}
	}
	s.OX = oxtest.Start(oxtest.WithMaster(MasterLogin, MasterPassword), oxtest.WithLatency(o.Latency), oxtest.WithoutCallLog(),
		oxtest.WithHTTP(oxtest.HTTPOptions{Latency: o.Latency}))
	s.Dovecot = dovecottest.New(dovecottest.WithAPIKey(DoveadmKey), dovecottest.WithLatency(o.Latency), dovecottest.WithUserDB(s.mailUser))
	s.Dovecot.KeepCalls(false)
	s.Doveadm = httptest.NewServer(http.Handler(s.Dovecot))
	if s.imap, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return s, fmt.Errorf("sandbox: %w", err)
	}
	s.imapWG.Go(s.serveIMAP)
	if s.SMTP, err = smtpcapture.Start(); err != nil {
		return s, fmt.Errorf("sandbox: %w", err)
	}
	return s, nil
}

// Close stops everything. It may be called twice.
func (s *Sandbox) Close() {
	s.close.Do(func() {
		if s.SMTP != nil {
			s.SMTP.Close()
		}
		if s.imap != nil {
			s.imap.Close()
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
	})
}

// IMAPAddr is where the mail server speaks IMAP.
func (s *Sandbox) IMAPAddr() string { return s.imap.Addr().String() }

func (s *Sandbox) serveIMAP() {
	for {
		c, err := s.imap.Accept()
		if err != nil {
			return
		}
		go s.Dovecot.ServeIMAP(c)
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
		res, err := s.ldap.Search(ldap.NewSearchRequest(s.LDAP.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, 0, false,
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
