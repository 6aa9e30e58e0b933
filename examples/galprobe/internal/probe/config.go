// Package probe is the program examples/galprobe: configuration, sandbox and run.
package probe

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/galprobe"
	"github.com/ictmedia/schoolmail/site/district"
)

// Config is what to probe.
type Config struct {
	HTTPURL       string
	ControlURL    string // how the control accounts reach OX past a proxy; default: HTTPURL
	DAVRoot       string // where /carddav/ lies; default: the server's root
	ServerVersion string // for the evidence, if the server does not tell
	SOAPURLs      []string
	UpdateWait    time.Duration // for a context whose database is being updated
	HTTPClient    *http.Client  // nil: the default
	Contexts      []Context
	Warnings      []string // of the district file
}

// Context is a context to probe.
type Context struct {
	ID       schoolmail.ContextID
	Name     string
	Book     string // an address book that is to be readable; may be empty
	Control  Login  // the context's administrator
	Accounts []Login
	Exempt   []string // who may see the global address book, by login name
}

// Login is an account, as on the login page: usually user@context.
type Login struct {
	Role     string
	Login    string
	Password schoolmail.Secret
}

func (l Login) credentials() appsuite.Credentials {
	return appsuite.Credentials{Name: l.Login, Password: l.Password}
}

// load reads a district file: the contexts that have a probe.
func load(file string) (*Config, error) {
	d, err := district.Load(file, &district.Options{Program: district.Galprobe})
	if err != nil {
		return nil, err
	}
	g := d.Galprobe
	c := &Config{HTTPURL: d.OX.HTTPURL, ControlURL: g.ControlURL, DAVRoot: g.DAVRoot, ServerVersion: g.ServerVersion,
		SOAPURLs: d.OX.SOAPURLs, UpdateWait: time.Duration(d.OX.UpdateWaitSeconds) * time.Second,
		Warnings: d.Warnings}
	if c.HTTPClient, err = district.HTTPClient(d.OX.CAFile); err != nil {
		return nil, err
	}
	for _, x := range d.Contexts {
		if len(x.Probe) == 0 {
			continue
		}
		t := Context{ID: x.ID, Name: x.Name, Book: g.Book, Control: Login{Login: x.LoginName(x.AdminLogin),
			Password: x.AdminPassword}, Exempt: g.Exempt}
		if x.ServiceLogin != "" {
			name, _, _ := strings.Cut(x.ServiceLogin, "@")
			t.Exempt = append([]string{name}, g.Exempt...)
		}
		for _, p := range x.Probe {
			t.Accounts = append(t.Accounts, Login{Role: p.Role, Login: x.LoginName(p.Login), Password: p.Password})
		}
		c.Contexts = append(c.Contexts, t)
	}
	return c, nil
}

func (c *Config) targets() []galprobe.Target {
	var out []galprobe.Target
	for _, x := range c.Contexts {
		t := galprobe.Target{Name: x.Name, Control: x.Control.credentials(), Book: x.Book}
		for _, a := range x.Accounts {
			t.Accounts = append(t.Accounts, galprobe.Account{Role: a.Role, Credentials: a.credentials()})
		}
		out = append(out, t)
	}
	return out
}

// provisioning connects to the provisioning API as the administrator of x.
func (c *Config) provisioning(x Context, stderr io.Writer) (*ox.ContextClient, error) {
	if len(c.SOAPURLs) == 0 {
		return nil, errors.New("-close needs soap_urls in [ox]")
	}
	admin, _, _ := strings.Cut(x.Control.Login, "@")
	cred := ox.Credentials{Login: admin, Password: x.Control.Password}
	client, err := ox.New(c.SOAPURLs, cred, &ox.Options{HTTPClient: c.HTTPClient, DatabaseUpdateWait: c.UpdateWait,
		Observer: ox.ObserverFunc(func(e ox.Event) { fmt.Fprintln(stderr, e) })})
	if err != nil {
		return nil, err
	}
	return client.Context(x.ID, cred), nil
}
