package sitetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/ox/oxtest"
	"github.com/ictmedia/schoolmail/site/district"
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

// CreateContexts makes the contexts of the policy, with their administrators, a
// service account that writes address books and an ordinary account to probe
// with, as they are at a site that has run before.
func (s *Sandbox) CreateContexts() error {
	for _, c := range s.Policy.Contexts {
		err := s.OX.State().AddContext(oxtest.Context{ID: c.ID, Name: c.Name, Access: "all",
			Admin: oxtest.User{Name: AdminLogin(c.ID), Password: AdminPassword(c.ID).Reveal()}})
		if err != nil {
			return fmt.Errorf("sandbox: context %d: %w", c.ID, err)
		}
		for _, u := range []oxtest.User{{Name: ServiceLogin, DisplayName: "Adressbuch-Dienst", Access: "groupware_standard"},
			{Name: ProbeLogin, DisplayName: "Probe", Access: s.access(c.ID)}} {
			u.Password = UserPassword
			u.PrimaryEmail = fmt.Sprintf("%s%d@schulen.example", u.Name, c.ID)
			if _, err := s.OX.State().AddUser(c.ID, u); err != nil {
				return fmt.Errorf("sandbox: context %d: %w", c.ID, err)
			}
		}
	}
	return nil
}

// access is the combination of the people of a context.
func (s *Sandbox) access(c schoolmail.ContextID) string {
	for _, p := range s.Policy.Populations {
		if slices.Contains(p.Contexts, c) {
			return p.Access
		}
	}
	return ""
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
func (s *Sandbox) Config(exportDir, stateDir string) *district.Config {
	c := &district.Config{
		Site:   district.Site{Name: "Schulinformatik (Sandbox)", Language: "de", Sandbox: true},
		Export: district.Export{Dir: exportDir},
		Directory: district.Directory{URL: s.LDAP.URL, BindDN: s.LDAP.BindDN, Password: s.LDAP.Password,
			BaseDN:    s.LDAP.BaseDN,
			Plaintext: true, CreateSchools: true},
		OX: district.OX{SOAPURLs: []string{s.OX.SOAPURL}, HTTPURL: s.OX.URL + "/ajax/", MasterLogin: MasterLogin,
			MasterPassword:  MasterPassword,
			CopyWaitSeconds: 1}, // the simulator copies at once
		Mail:    district.Mail{URL: s.Doveadm.URL, APIKey: DoveadmKey, Login: "mail"},
		Notices: district.Notices{Addr: s.SMTP.Addr(), From: MailFrom},
		State:   district.State{Dir: stateDir},

		Addressbooks: district.AddressbooksSection{Salt: Salt},
	}
	c.FromPolicy(s.Policy)
	for i := range c.Contexts {
		x := &c.Contexts[i]
		x.AdminLogin, x.AdminPassword = AdminLogin(x.ID), AdminPassword(x.ID)
		x.ServiceLogin, x.ServicePassword = ServiceLogin, UserPassword
		if s.access(x.ID) != "groupware_standard" { // teachers see the global address book: their access cannot do without
			x.Probe = []district.Probe{{Role: string(schoolmail.RolePupil), Login: ProbeLogin, Password: UserPassword}}
		}
	}
	return c
}

// WriteDir writes what other programs need to work with the running sandbox:
// the export files of day one (export/), district.toml, which runs every program
// unchanged, and last sandbox.json, whose presence says that everything is ready.
func (s *Sandbox) WriteDir(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	ready := filepath.Join(dir, "sandbox.json")
	export := filepath.Join(dir, "export")
	if !exists(ready) && !exists(ready+".new") {
		for _, name := range []string{"export", "district.toml"} {
			if exists(filepath.Join(dir, name)) {
				return fmt.Errorf("sandbox: %s holds %s but no sandbox.json, so it is not a sandbox's folder: it is left alone, "+
					"choose another", dir, name)
			}
		}
	}
	if err := os.Rename(ready, ready+".new"); err != nil && !errors.Is(err,
		fs.ErrNotExist) { // of an earlier sandbox whose ports are gone
		return err
	}
	if err := os.RemoveAll(export); err != nil {
		return err
	}
	if err := os.MkdirAll(export, 0o700); err != nil {
		return err
	}
	e, err := s.District.Export(nil)
	if err != nil {
		return err
	}
	if err := e.WriteDir(export); err != nil {
		return err
	}
	c := s.Config(export, filepath.Join(dir, "state"))
	if c.Migrate, err = s.migrate(dir); err != nil {
		return err
	}
	if err := district.WriteFile(filepath.Join(dir, "district.toml"), c); err != nil {
		return err
	}
	b, err := json.MarshalIndent(s.Info(), "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteBytes(ready, atomicfile.Private, append(b, '\n'))
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// Describe prints where everything is.
func (s *Sandbox) Describe(w io.Writer, dir string) {
	i := s.Info()
	toml := filepath.Join(dir, "district.toml")
	fmt.Fprintf(w, "The sandbox is running: %d people at %d schools, today is %s.\n\n", s.District.Len(),
		len(s.District.Schools()), s.District.Today())
	for _, l := range [][2]string{{"LDAP", i.LDAPURL + "  (" + i.LDAPBindDN + ")"},
		{"OX SOAP", i.OXSOAPURL + "/OXUserService?wsdl"}, {"OX HTTP", i.OXHTTPURL},
		{"doveadm", i.DoveadmURL}, {"IMAP", i.IMAPAddr}, {"SMTP", i.SMTPAddr}} {
		fmt.Fprintf(w, "  %-8s %s\n", l[0], l[1])
	}
	fmt.Fprintf(w, "\n%s holds district.toml, export/ and sandbox.json. In another terminal:\n\n", dir)
	for _, flags := range []string{"", " -any-day -apply"} {
		fmt.Fprintf(w, "  go run ./examples/provision -config %s -now %s%s\n", toml, s.District.Today(), flags)
	}
	fmt.Fprintf(w, "\nand once that is done\n\n  go run ./examples/addressbooks -config %s -apply\n"+
		"  go run ./examples/galprobe -config %[1]s\n  go run ./examples/migrate -config %[1]s -verify\n", toml)
	fmt.Fprintf(w, "\nInterrupt (Ctrl-C) ends it, and everything in it is gone.\n")
}
