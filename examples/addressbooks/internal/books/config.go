package books

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
)

// Config is the configuration file.
type Config struct {
	Rules string `toml:"rules"` // file with the rules, relative to this one; empty: the default rules
	LDAP  struct {
		URL       string            `toml:"url"`
		BindDN    string            `toml:"bind_dn"`
		Password  schoolmail.Secret `toml:"password"`
		BaseDN    string            `toml:"base_dn"`
		Plaintext bool              `toml:"plaintext"`
	} `toml:"ldap"`
	OX struct {
		URL       string `toml:"url"` // such as https://ox.example/ajax/
		UserAgent string `toml:"user_agent"`
		Requests  int    `toml:"requests_per_5_minutes"` // 0: 1500, -1: no limit
		Contexts  []struct {
			ID       schoolmail.ContextID `toml:"id"`
			Login    string               `toml:"login"` // as in the login page, usually user@context
			Password schoolmail.Secret    `toml:"password"`
		} `toml:"contexts"`
	} `toml:"ox"`
	Provider struct {
		Host         string            `toml:"host"`
		Port         int               `toml:"port"`
		BaseDN       string            `toml:"base_dn"`
		BindDN       string            `toml:"bind_dn"`
		BindPassword schoolmail.Secret `toml:"bind_password"`
		Filter       string            `toml:"filter"`
	} `toml:"provider"`
}

// check reports all mistakes that can be seen without asking anybody.
func (c *Config) check(file string) error {
	var mistakes []error
	bad := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: %s", file, fmt.Sprintf(format, args...)))
	}
	if c.LDAP.URL == "" {
		bad("ldap: url is missing")
	}
	if c.OX.URL == "" {
		bad("ox: url is missing")
	}
	if len(c.OX.Contexts) == 0 {
		bad("no [[ox.contexts]]")
	}
	seen := map[schoolmail.ContextID]bool{}
	for _, x := range c.OX.Contexts {
		switch {
		case x.ID <= 0:
			bad("ox.contexts: id %d: expected a number above 0", x.ID)
		case seen[x.ID]:
			bad("ox.contexts: context %d is there twice", x.ID)
		case x.Login == "":
			bad("ox.contexts: context %d: login is missing", x.ID)
		case x.Password == "":
			bad("ox.contexts: context %d: password is missing", x.ID)
		}
		seen[x.ID] = true
	}
	return errors.Join(mistakes...)
}

// Job is everything that is needed to plan and to sync.
type Job struct {
	Rules    addressbook.Rules
	Accounts []schoolmail.Account
	Today    schoolmail.Date
	Provider addressbook.ProviderOptions
	Observer func(addressbook.Event) // is told of the progress; may be nil

	url     string // of the HTTP API
	cred    map[schoolmail.ContextID]appsuite.Credentials
	options *appsuite.Options
	access  *oxAccess // nil before the login
	cleanup func()
}

// login opens a session in each context, unless that is done. A context that
// refuses it does not keep the others from being synced.
func (j *Job) login(ctx context.Context) (err error) {
	if j.access == nil {
		j.access, err = openOX(ctx, j.url, j.cred, j.options)
	}
	return err
}

// Open reads the configuration and the people. Without a file it makes a sandbox
// of that many people instead.
func Open(ctx context.Context, file string, size int) (*Job, error) {
	if file == "" {
		return openSandbox(ctx, size)
	}
	var c Config
	if err := decode(file, &c); err != nil {
		return nil, usageError{err}
	}
	if err := c.check(file); err != nil {
		return nil, usageError{err}
	}
	j := &Job{Rules: addressbook.DefaultRules(), Today: schoolmail.DateOf(time.Now()), Provider: addressbook.ProviderOptions(c.Provider), cleanup: func() {}}
	var err error
	if c.Rules != "" {
		name := c.Rules
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(file), name)
		}
		if j.Rules, err = readRules(name); err != nil {
			return nil, usageError{err}
		}
	}
	if j.Accounts, err = c.accounts(ctx); err != nil {
		return nil, err
	}
	j.url, j.cred = c.OX.URL, map[schoolmail.ContextID]appsuite.Credentials{}
	for _, x := range c.OX.Contexts {
		j.cred[x.ID] = appsuite.Credentials{Name: x.Login, Password: x.Password}
	}
	j.options = &appsuite.Options{UserAgent: c.OX.UserAgent, Rate: appsuite.Rate{Requests: c.OX.Requests}}
	return j, nil
}

// decode reads a TOML file that has no names but those of into's fields. Errors
// say where.
func decode(file string, into any) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = toml.NewDecoder(f).DisallowUnknownFields().Decode(into)
	if err == nil {
		return nil
	}
	if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var mistakes []error
		for _, e := range missing.Errors {
			row, col := e.Position()
			mistakes = append(mistakes, fmt.Errorf("%s:%d:%d: unknown name %s", file, row, col, strings.Join(e.Key(), ".")))
		}
		return errors.Join(mistakes...)
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, col := e.Position()
		return fmt.Errorf("%s:%d:%d: %w", file, row, col, err)
	}
	return fmt.Errorf("%s: %w", file, err)
}

func readRules(file string) (rules addressbook.Rules, err error) {
	if err := decode(file, &rules); err != nil {
		return addressbook.Rules{}, err
	}
	if err := rules.Validate(); err != nil {
		return addressbook.Rules{}, fmt.Errorf("%s: %w", file, err)
	}
	return rules, nil
}

func (c *Config) accounts(ctx context.Context) (accounts []schoolmail.Account, err error) {
	client, err := ucs.New(c.LDAP.URL, &ucs.Options{BindDN: c.LDAP.BindDN, Password: c.LDAP.Password, BaseDN: c.LDAP.BaseDN, Plaintext: c.LDAP.Plaintext})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	for a, err := range client.Accounts(ctx) {
		if err != nil {
			return nil, err
		}
		accounts = append(accounts, a)
	}
	return accounts, nil
}

func openSandbox(ctx context.Context, size int) (*Job, error) {
	p, err := sitetest.StartPopulated(ctx, sitetest.WithPeople(size))
	if err != nil {
		return nil, err
	}
	j := &Job{Rules: addressbook.DefaultRules(), Accounts: p.Accounts, Today: p.District.Today(), cleanup: func() { p.Close() },
		Provider: addressbook.ProviderOptions{Host: "ldap.schulen.example", BaseDN: p.LDAP.BaseDN, BindDN: "uid=ox,cn=users," + p.LDAP.BaseDN},
	}
	for _, school := range p.District.Schools() {
		j.Rules.Schools = append(j.Rules.Schools, addressbook.School{ID: school.ID, Name: school.Name})
	}
	j.url, j.cred = p.OX.HTTPURL, map[schoolmail.ContextID]appsuite.Credentials{}
	for _, c := range p.Policy.Contexts {
		j.cred[c.ID] = appsuite.Credentials{Name: sitetest.ServiceLogin + "@" + c.Name, Password: sitetest.UserPassword}
	}
	return j, nil
}

// Close logs out and ends the sandbox.
func (j *Job) Close() (err error) {
	if j.access != nil {
		err = j.access.close()
	}
	j.cleanup()
	return err
}
