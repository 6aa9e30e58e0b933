package sandbox

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/config"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// Info is what sandbox.json tells other programs.
type Info struct {
	OXSOAPURL        string        `json:"ox_soap_url"` // + "/OXUserService?wsdl" answers
	OXHTTPURL        string        `json:"ox_http_url"`
	OXMasterLogin    string        `json:"ox_master_login"`
	OXMasterPassword string        `json:"ox_master_password"`
	Contexts         []InfoContext `json:"contexts"`
	LDAPURL          string        `json:"ldap_url"`
	LDAPBindDN       string        `json:"ldap_bind_dn"`
	LDAPPassword     string        `json:"ldap_password"`
	LDAPBaseDN       string        `json:"ldap_base_dn"`
	DoveadmURL       string        `json:"doveadm_url"`
	DoveadmAPIKey    string        `json:"doveadm_api_key"`
	IMAPAddr         string        `json:"imap_addr"`
	SMTPAddr         string        `json:"smtp_addr"`
}

// InfoContext is a context in [Info].
type InfoContext struct {
	ID            schoolmail.ContextID `json:"id"`
	Name          string               `json:"name"`
	AdminLogin    string               `json:"admin_login"`
	AdminPassword string               `json:"admin_password"`
}

// CreateContexts makes the contexts of the policy, empty but for their
// administrators, as they are at a site that has run before.
func (s *Sandbox) CreateContexts() error {
	for _, c := range s.Policy.Contexts {
		err := s.OX.State().AddContext(oxtest.Context{ID: int(c.ID), Name: c.Name, Access: "all",
			Admin: oxtest.User{Name: AdminLogin(c.ID), Password: AdminPassword(c.ID).Reveal()}})
		if err != nil {
			return fmt.Errorf("sandbox: context %d: %w", c.ID, err)
		}
	}
	return nil
}

// Info describes the running servers.
func (s *Sandbox) Info() Info {
	i := Info{
		OXSOAPURL: s.OX.SOAPURL, OXHTTPURL: s.OX.URL + "/ajax/", OXMasterLogin: MasterLogin, OXMasterPassword: MasterPassword,
		LDAPURL: s.LDAP.URL, LDAPBindDN: s.LDAP.BindDN, LDAPPassword: s.LDAP.Password.Reveal(), LDAPBaseDN: s.LDAP.BaseDN,
		DoveadmURL: s.Doveadm.URL, DoveadmAPIKey: DoveadmKey, IMAPAddr: s.IMAPAddr(), SMTPAddr: s.SMTP.Addr(),
	}
	for _, c := range s.Policy.Contexts {
		i.Contexts = append(i.Contexts, InfoContext{c.ID, c.Name, AdminLogin(c.ID), AdminPassword(c.ID).Reveal()})
	}
	return i
}

// Config is the configuration file of a site that is this sandbox.
func (s *Sandbox) Config(exportDir, stateDir string) *config.Config {
	c := &config.Config{
		Site:   config.Site{Name: "Schulinformatik (Sandbox)", Language: "de"},
		Export: config.Export{Dir: exportDir},
		Directory: config.Directory{URL: s.LDAP.URL, BindDN: s.LDAP.BindDN, Password: s.LDAP.Password, BaseDN: s.LDAP.BaseDN,
			Plaintext: true, CreateSchools: true},
		OX:      config.OX{SOAPURLs: []string{s.OX.SOAPURL}, HTTPURL: s.OX.URL + "/ajax/", MasterLogin: MasterLogin, MasterPassword: MasterPassword},
		Dovecot: config.Dovecot{URL: s.Doveadm.URL, APIKey: DoveadmKey, Login: "mail"},
		SMTP:    config.SMTP{Addr: s.SMTP.Addr(), From: MailFrom},
		State:   config.State{Dir: stateDir},
	}
	c.FromPolicy(s.Policy)
	for i := range c.Contexts {
		c.Contexts[i].AdminLogin, c.Contexts[i].AdminPassword = AdminLogin(c.Contexts[i].ID), AdminPassword(c.Contexts[i].ID)
	}
	return c
}

// WriteDir writes what other programs need to work with the running sandbox:
// the export files of day one (export/), a complete configuration
// (district.toml), and last sandbox.json, whose presence says that everything
// is ready.
func (s *Sandbox) WriteDir(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	ready := filepath.Join(dir, "sandbox.json")
	os.Remove(ready) // of an earlier sandbox whose ports are gone
	export := filepath.Join(dir, "export")
	if err := os.RemoveAll(export); err != nil {
		return err
	}
	if err := os.MkdirAll(export, 0o700); err != nil {
		return err
	}
	if err := s.District.Export(nil).WriteDir(export); err != nil {
		return err
	}
	if err := config.WriteFile(filepath.Join(dir, "district.toml"), s.Config(export, filepath.Join(dir, "state"))); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s.Info(), "", "  ")
	if err != nil {
		return err
	}
	tmp := ready + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, ready)
}

// Describe prints where everything is.
func (s *Sandbox) Describe(w io.Writer, dir string) {
	i := s.Info()
	toml := filepath.Join(dir, "district.toml")
	fmt.Fprintf(w, "The sandbox is running: %d people at %d schools, today is %s.\n\n", s.District.Len(), len(s.District.Schools()), s.District.Today())
	for _, l := range [][2]string{{"LDAP", i.LDAPURL + "  (" + i.LDAPBindDN + ")"}, {"OX SOAP", i.OXSOAPURL + "/OXUserService?wsdl"}, {"OX HTTP", i.OXHTTPURL},
		{"doveadm", i.DoveadmURL}, {"IMAP", i.IMAPAddr}, {"SMTP", i.SMTPAddr}} {
		fmt.Fprintf(w, "  %-8s %s\n", l[0], l[1])
	}
	fmt.Fprintf(w, "\n%s holds district.toml, export/ and sandbox.json. In another terminal:\n\n", dir)
	for _, flags := range []string{"", " -apply"} {
		fmt.Fprintf(w, "  go run ./examples/provision -config %s -now %s%s\n", toml, s.District.Today(), flags)
	}
	fmt.Fprintf(w, "\nInterrupt (Ctrl-C) ends it, and everything in it is gone.\n")
}
