package rehearse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/monitor"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// The copy's own log-ins.
const (
	master   = "rehearsal"
	password = "rehearsal-on-loopback-only"
)

// Run rehearses a run of a district. The settings are those of the district, and stay
// as they are.
func Run(ctx context.Context, set *site.Settings, opts *Options) (_ *Result, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Day = cmp.Or(o.Day, schoolmail.DateOf(time.Now()))
	world, policy, measured, err := look(ctx, set, o.Day)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "schoolmail-rehearsal-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := start(world, policy)
	if err != nil {
		return nil, fmt.Errorf("rehearsal: %w", err)
	}
	defer func() { err = errors.Join(err, c.close()) }()
	policy.Naming.Reserved = append(slices.Clone(policy.Naming.Reserved), taken(world, policy)...)
	on := c.settings(set, policy, dir)
	if o.ExportDir != "" {
		on.ExportDir = o.ExportDir
	}
	s, err := site.Open(on, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	r := &Result{Day: o.Day}
	if r.People, err = c.fill(ctx, s, world, policy); err != nil {
		return nil, fmt.Errorf("rehearsal: the copy: %w", err)
	}
	acts, err := s.Run(ctx, &site.RunOptions{Day: o.Day, Apply: true})
	if err != nil {
		return nil, err
	}
	act := acts[len(acts)-1]
	if act.Err != nil {
		return nil, act.Err
	}
	r.count(act.Plan, act.Result)
	for _, name := range slices.Sorted(maps.Keys(act.Requests)) {
		d := measured[name]
		if t, declared := o.Latency[name]; declared {
			d = Server{Latency: t, Known: Declared}
		}
		d.Name, d.Requests = name, act.Requests[name]
		r.Servers = append(r.Servers, d)
	}
	return r, nil
}

// look reads the real servers, and says what a request to them takes: as the last run
// has measured it or, where there was none, as reading them does now.
func look(ctx context.Context, set *site.Settings, day schoolmail.Date) (*site.World, *schoolmail.Policy,
	map[string]Server, error) {
	own := *set
	own.PlanOnly = true
	s, err := site.Open(&own, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	defer s.Close()
	w, err := s.Look(ctx, day)
	if err != nil {
		return nil, nil, nil, err
	}
	measured := map[string]Server{}
	for name := range s.Requests() {
		if t := s.RequestTime(name); t > 0 {
			measured[name] = Server{Latency: t, Known: ByReading}
		}
	}
	if st, err := monitor.Read(set.StatusPath()); err == nil {
		for _, r := range st.Requests {
			if r.Microseconds > 0 {
				measured[r.Server] = Server{Latency: time.Duration(r.Microseconds) * time.Microsecond, Known: ByLastRun}
			}
		}
	}
	policy := s.Policy()
	return w, &policy, measured, nil
}

// copied are the simulated servers.
type copied struct {
	ldap    *ucstest.Server
	ox      *oxtest.Instance
	dovecot *dovecottest.Server
	doveadm *httptest.Server
	smtp    *smtpcapture.Server
}

// start starts servers that know the domains and schools of a world.
func start(w *site.World, policy *schoolmail.Policy) (_ *copied, err error) {
	c := &copied{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	domains := map[string]bool{}
	for _, p := range policy.Populations {
		domains[p.Domain] = true
	}
	schools := map[schoolmail.SchoolID]bool{}
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		for _, address := range append(slices.Clone(a.Aliases), a.Mail) {
			if _, domain, ok := strings.Cut(address, "@"); ok {
				domains[domain] = true
			}
		}
		for _, m := range a.Memberships {
			schools[m.School] = true
		}
	}
	opts := []ucstest.Option{ucstest.WithRecord(1)}
	for _, d := range slices.Sorted(maps.Keys(domains)) {
		if d != "schulen.example" { // that of the simulator itself
			opts = append(opts, ucstest.WithMailDomains(d))
		}
	}
	if c.ldap, err = ucstest.Start(opts...); err != nil {
		return nil, err
	}
	if err := c.ldap.SeedSchools(slices.Sorted(maps.Keys(schools))...); err != nil {
		return nil, err
	}
	if c.ox, err = oxtest.Start(oxtest.WithMaster(master, password), oxtest.WithoutCallLog()); err != nil {
		return nil, err
	}
	c.dovecot = dovecottest.New(dovecottest.WithSieve(), dovecottest.WithAPIKey(password), dovecottest.WithUserDB(
		func(name string) (dovecottest.User, bool) { return dovecottest.User{Name: name}, true }))
	c.dovecot.KeepCalls(false)
	c.doveadm = httptest.NewServer(c.dovecot)
	c.smtp, err = smtpcapture.Start()
	return c, err
}

func (c *copied) close() error {
	var errs []error
	if c.smtp != nil {
		errs = append(errs, c.smtp.Close())
	}
	if c.doveadm != nil {
		c.doveadm.Close()
		errs = append(errs, c.dovecot.Close())
	}
	if c.ox != nil {
		errs = append(errs, c.ox.Close())
	}
	if c.ldap != nil {
		errs = append(errs, c.ldap.Close())
	}
	return errors.Join(errs...)
}

// settings are those of the district, on the copy.
func (c *copied) settings(set *site.Settings, policy *schoolmail.Policy, dir string) *site.Settings {
	on := &site.Settings{Name: set.Name, Language: set.Language, Policy: *policy, StateDir: filepath.Join(dir, "state"),
		Sandbox: true, Parallel: set.Parallel, ExportDir: set.ExportDir, Profile: set.Profile, Export: set.Export,
		Sources: set.Sources, AlsoTell: set.AlsoTell, AtEnd: set.AtEnd, LoginByUID: set.LoginByUID,
		DirectoryURL: c.ldap.URL,
		Directory: ucs.Options{BindDN: c.ldap.BindDN, Password: c.ldap.Password, BaseDN: c.ldap.BaseDN, Plaintext: true,
			Source: policy.Source, Scheme: ucs.SSHA, CreateSchools: set.Directory.CreateSchools},
		OXEndpoints: []string{c.ox.SOAPURL}, OXMaster: ox.Credentials{Login: master, Password: password},
		OXAdmins:   map[schoolmail.ContextID]ox.Credentials{},
		DoveadmURL: c.doveadm.URL, Doveadm: dovecot.Options{APIKey: password}, Mail: dovecot.Desired{
			Mailboxes: set.Mail.Mailboxes},
		SMTPAddr: c.smtp.Addr(), MailFrom: set.MailFrom, SMTP: set.SMTP}
	on.OX.CopyWait = time.Second // the simulator copies at once
	on.SMTP.TLS, on.SMTP.Username, on.SMTP.Password = nil, "", ""
	on.Groupware = ox.GroupwareOptions{AdminMail: set.Groupware.AdminMail, AdminAccess: set.Groupware.AdminAccess,
		MaxQuota: set.Groupware.MaxQuota, Locales: set.Groupware.Locales, TimeZone: set.Groupware.TimeZone}
	for _, x := range policy.Contexts {
		on.OXAdmins[x.ID] = ox.Credentials{Login: cmp.Or(set.OXAdmins[x.ID].Login, "oxadmin"), Password: password}
	}
	return on
}

// fill copies what was observed of accounts that are ours, and returns how many.
func (c *copied) fill(ctx context.Context, s *site.Site, w *site.World, policy *schoolmail.Policy) (int, error) {
	ports := s.Ports()
	exists := map[schoolmail.ContextID]bool{}
	for _, x := range w.State.Contexts {
		exists[x.ID] = true
	}
	for _, spec := range policy.Contexts {
		if exists[spec.ID] {
			if err := ports.Groupware.EnsureContext(ctx, spec); err != nil {
				return 0, err
			}
		}
	}
	type where struct {
		context schoolmail.ContextID
		user    string
	}
	places := map[where]*schoolmail.Place{}
	for i := range w.State.Places {
		p := &w.State.Places[i]
		places[where{p.Context, p.Username}] = p
	}
	user := func(ctx context.Context, a *schoolmail.Account, id schoolmail.ContextID) (schoolmail.Place, error) {
		p := places[where{id, a.Username}]
		if p == nil || !exists[id] {
			return schoolmail.Place{}, nil
		}
		return ports.Groupware.EnsureUser(ctx, id, schoolmail.UserSpec{Username: a.Username, GivenName: p.GivenName,
			FamilyName: p.FamilyName, DisplayName: p.DisplayName, Mail: p.Mail, Aliases: a.Aliases, Language: a.Language,
			Access: access(policy, a), MailEnabled: p.MailEnabled})
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	n := 0
	for i := range w.State.Accounts {
		a := w.State.Accounts[i]
		if a.Key.Source != policy.Source || a.Key.ID == "" || a.Mail == "" {
			continue
		}
		n++
		g.Go(func() error {
			if _, err := user(ctx, &a, a.Context); err != nil {
				return err
			}
			if a.Previous.Context != 0 {
				old, err := user(ctx, &a, a.Previous.Context)
				if err != nil {
					return err
				}
				a.Previous.UserID = cmp.Or(old.UserID, a.Previous.UserID)
			}
			a.DN = ""
			if err := ports.Directory.CreateAccount(ctx, a, password); err != nil {
				return err
			}
			return ports.Mailstore.EnsureMailbox(ctx, a)
		})
	}
	return n, g.Wait()
}

// taken are the names that the copy does not know to be somebody's: of accounts that
// are not ours, and of people who are gone.
func taken(w *site.World, policy *schoolmail.Policy) []string {
	names := map[string]bool{}
	for i := range w.State.Accounts {
		if a := &w.State.Accounts[i]; a.Key.Source != policy.Source || a.Key.ID == "" || a.Mail == "" {
			for _, name := range append(slices.Clone(a.Aliases), a.Username, a.Mail) {
				names[name] = true
			}
		}
	}
	for _, r := range w.State.Retired {
		names[r.Name] = true
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		local, _, _ := strings.Cut(strings.ToLower(name), "@")
		if local != "" && strings.Trim(local, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == "" {
			list = append(list, local)
		}
	}
	return slices.Compact(list)
}

// access is the combination that an account has or, where that is not known, that of its
// population.
func access(policy *schoolmail.Policy, a *schoolmail.Account) string {
	if a.Access != "" {
		return a.Access
	}
	for _, p := range policy.Populations {
		if slices.Contains(p.Contexts, a.Context) && slices.Contains(p.Roles, a.Role) {
			return p.Access
		}
	}
	return ""
}
