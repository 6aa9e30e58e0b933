package books

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/provision"
	"github.com/ictmedia/schoolmail/internal/sandbox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
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

// Job is everything that is needed to plan and to sync.
type Job struct {
	Rules    addressbook.Rules
	Accounts []schoolmail.Account
	Today    schoolmail.Date
	Provider addressbook.ProviderOptions
	Observer func(addressbook.Event) // is told of the progress; may be nil
	access   *oxAccess
	cleanup  func()
}

// Open reads the configuration and the people, and logs in to the contexts.
// Without a file it makes a sandbox of that many people instead.
func Open(ctx context.Context, file string, size int) (*Job, error) {
	if file == "" {
		return openSandbox(ctx, size)
	}
	var c Config
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	j := &Job{Rules: addressbook.DefaultRules(), Today: schoolmail.DateOf(time.Now()), Provider: addressbook.ProviderOptions(c.Provider), cleanup: func() {}}
	if c.Rules != "" {
		if j.Rules, err = readRules(filepath.Join(filepath.Dir(file), c.Rules)); err != nil {
			return nil, err
		}
	}
	if j.Accounts, err = c.accounts(ctx); err != nil {
		return nil, err
	}
	cred := map[schoolmail.ContextID]appsuite.Credentials{}
	for _, x := range c.OX.Contexts {
		cred[x.ID] = appsuite.Credentials{Name: x.Login, Password: x.Password}
	}
	j.access, err = openOX(ctx, c.OX.URL, cred, &appsuite.Options{UserAgent: c.OX.UserAgent, Rate: appsuite.Rate{Requests: c.OX.Requests}})
	return j, err
}

func readRules(file string) (rules addressbook.Rules, err error) {
	f, err := os.Open(file)
	if err != nil {
		return addressbook.Rules{}, err
	}
	defer f.Close()
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&rules); err != nil {
		if missing, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return addressbook.Rules{}, fmt.Errorf("%s: unknown names:\n%s", file, missing.String())
		}
		return addressbook.Rules{}, fmt.Errorf("%s: %w", file, err)
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

func openSandbox(ctx context.Context, size int) (_ *Job, err error) {
	p, err := provision.StartPopulated(ctx, &sandbox.Options{People: size})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	j := &Job{Rules: addressbook.DefaultRules(), Accounts: p.Accounts, Today: p.District.Today(), cleanup: p.Close,
		Provider: addressbook.ProviderOptions{Host: "ldap.schulen.example", BaseDN: p.LDAP.BaseDN, BindDN: "uid=ox,cn=users," + p.LDAP.BaseDN},
	}
	for _, school := range p.District.Schools() {
		j.Rules.Schools = append(j.Rules.Schools, addressbook.School{ID: school.ID, Name: school.Name})
	}
	cred := map[schoolmail.ContextID]appsuite.Credentials{}
	for _, c := range p.Policy.Contexts {
		cred[c.ID] = appsuite.Credentials{Name: sandbox.ServiceLogin + "@" + c.Name, Password: sandbox.UserPassword}
	}
	j.access, err = openOX(ctx, p.OX.HTTPURL, cred, nil)
	return j, err
}

// Close logs out and ends the sandbox.
func (j *Job) Close() error {
	err := j.access.close()
	j.cleanup()
	return err
}
