// Package probe is the program examples/galprobe: configuration, sandbox and run.
package probe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/galprobe"
)

// Config is the configuration file:
//
//	http_url  = "https://ox.example.net/ajax/"   # or .../appsuite/api/
//	soap_urls = ["https://ox.example.net/webservices"]   # for -close; may be left out
//	control_url = "https://ox-inside.example.net/ajax/"  # past the proxy whose rules are probed; may be left out
//
//	[[context]]
//	id       = 21
//	name     = "primary-1"
//	book     = "Lehrpersonen"                # an address book that is to be readable; may be left out
//	control  = { login = "oxadmin@21", password_file = "admin21.secret" }
//	accounts = [ { role = "pupil", login = "probe-pupil@21", password_file = "pupil21.secret" } ]
//	exempt   = [ "svc-books" ]               # who may see the book, by login name
//
// Each password can stand in the file itself (password) or in a file of its own
// (password_file, relative to this one). For -close the control account must be
// the context's administrator.
type Config struct {
	HTTPURL       string    `toml:"http_url"`
	ControlURL    string    `toml:"control_url"`    // how the control accounts reach OX past a proxy; default: http_url
	DAVRoot       string    `toml:"dav_root"`       // where /carddav/ lies; default: the server's root
	ServerVersion string    `toml:"server_version"` // for the evidence, if the server does not tell
	SOAPURLs      []string  `toml:"soap_urls"`
	Contexts      []Context `toml:"context"`
}

// Context is a context to probe.
type Context struct {
	ID       schoolmail.ContextID `toml:"id"`
	Name     string               `toml:"name"`
	Book     string               `toml:"book"`
	Control  Login                `toml:"control"`
	Accounts []Login              `toml:"accounts"`
	Exempt   []string             `toml:"exempt"`
}

// Login is an account.
type Login struct {
	Role         string            `toml:"role"`
	Login        string            `toml:"login"` // as on the login page, usually user@context
	Password     schoolmail.Secret `toml:"password"`
	PasswordFile string            `toml:"password_file"`
}

func (l Login) credentials() appsuite.Credentials {
	return appsuite.Credentials{Name: l.Login, Password: l.Password}
}

// load reads a configuration and reports all mistakes at once.
func load(file string) (*Config, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var c Config
	if err := toml.NewDecoder(f).DisallowUnknownFields().Decode(&c); err != nil {
		if e, ok := errors.AsType[*toml.StrictMissingError](err); ok && len(e.Errors) > 0 {
			row, col := e.Errors[0].Position()
			return nil, fmt.Errorf("%s:%d:%d: unknown key %s", file, row, col, strings.Join(e.Errors[0].Key(), "."))
		}
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, col := e.Position()
			return nil, fmt.Errorf("%s:%d:%d: %w", file, row, col, err)
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &c, c.check(file)
}

func (c *Config) check(file string) error {
	var mistakes []error
	bad := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: %s", file, fmt.Sprintf(format, args...)))
	}
	if c.HTTPURL == "" {
		bad("http_url is missing")
	}
	if len(c.Contexts) == 0 {
		bad("no [[context]]")
	}
	for i := range c.Contexts {
		x := &c.Contexts[i]
		where := fmt.Sprintf("context %d", x.ID)
		if x.ID <= 0 {
			bad("%s: id is missing", where)
		}
		if len(x.Accounts) == 0 {
			bad("%s: no accounts", where)
		}
		logins := []*Login{&x.Control}
		for k := range x.Accounts {
			logins = append(logins, &x.Accounts[k])
		}
		for k, l := range logins {
			what := "control"
			if k > 0 {
				if what = fmt.Sprintf("account %d", k); l.Role == "" {
					bad("%s: %s: role is missing", where, what)
				}
			}
			if l.Login == "" {
				bad("%s: %s: login is missing", where, what)
			}
			if l.PasswordFile != "" {
				name := l.PasswordFile
				if !filepath.IsAbs(name) {
					name = filepath.Join(filepath.Dir(file), name)
				}
				b, err := os.ReadFile(name)
				if err != nil {
					bad("%s: %s: %v", where, what, err)
				}
				l.Password = schoolmail.Secret(strings.TrimRight(string(b), "\r\n"))
			}
			if l.Password == "" {
				bad("%s: %s: password is missing", where, what)
			}
		}
	}
	return errors.Join(mistakes...)
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
func (c *Config) provisioning(x Context) (*ox.ContextClient, error) {
	if len(c.SOAPURLs) == 0 {
		return nil, errors.New("soap_urls is missing in the configuration")
	}
	admin, _, _ := strings.Cut(x.Control.Login, "@")
	cred := ox.Credentials{Login: admin, Password: x.Control.Password}
	client, err := ox.New(c.SOAPURLs, cred, nil)
	if err != nil {
		return nil, err
	}
	return client.Context(x.ID, cred), nil
}
