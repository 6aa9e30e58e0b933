package site

import (
	"fmt"
	"net"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// Load reads the settings from a district file. What the program brings along itself
// (own may be nil) need not be in it. The warnings are for the operator: what does
// not hinder but should be mended.
func Load(file string, own *Parts) (set *Settings, warnings []string, err error) {
	c, err := district.Load(file, &district.Options{Program: district.Provision, Without: own.sections()})
	if err != nil {
		return nil, nil, err
	}
	set, err = FromDistrict(c)
	return set, c.Warnings, err
}

// sections are those of a district file that the parts stand in for.
func (p *Parts) sections() (names []string) {
	if p == nil {
		return nil
	}
	for name, there := range map[string]bool{
		"export": p.Reader != nil, "directory": p.Directory != nil, "ox": p.Groupware != nil,
		"mail": p.Mailstore != nil, "notices": p.Notifier != nil,
	} {
		if there {
			names = append(names, name)
		}
	}
	return names
}

// FromDistrict returns the settings that a district file describes.
func FromDistrict(c *district.Config) (*Settings, error) {
	d, o, v, m := c.Directory, c.OX, c.Mail, c.Notices
	s := &Settings{
		Name: c.Site.Name, Language: c.Site.Language, Policy: c.Policy(), StateDir: c.State.Dir, Parallel: c.Site.Parallel,
		Sandbox: c.Site.Sandbox, FourEyes: c.Guards.FourEyes,
		Retention: c.State.RetentionDays,
		Pages:     pages(c),
		Limits: TimeLimits{Run: time.Duration(c.TimeLimits.RunHours) * time.Hour,
			Command: seconds(c.TimeLimits.Mail), Notice: seconds(c.TimeLimits.Relay)},
		HandOut: HandOut{Keys: c.Passwords.Keys, Key: c.Passwords.Key, Letters: c.Passwords.Letters,
			Change: c.Passwords.Change},
		StatusFile: c.State.StatusFile, MetricsFile: c.State.MetricsFile,
		ExportDir: c.Export.Dir, Profile: c.Profile(), Export: c.ExportOptions(), Sources: c.Parts(),
		DirectoryURL: d.URL,
		Directory: ucs.Options{BindDN: d.BindDN, Password: d.Password, BaseDN: d.BaseDN, Plaintext: d.Plaintext,
			PoolSize: d.PoolSize,
			PageSize: d.PageSize, Source: c.Export.Source, StateAttribute: d.StateAttribute, CreateSchools: d.CreateSchools,
			OXAccess: d.OXAccess, MailHomeServer: d.MailHomeServer, BesideUDM: d.BesideUDM,
			S4Connector: d.S4Connector, Stamps: d.Stamps, Write: d.Write, StateProperty: d.StateProperty,
			ClassesInOX: d.ClassesInOX, OXProfiles: d.OXProfiles, Extras: extras(c.Contexts),
			Windows: ucs.Windows{HomePath: d.Windows.HomePath, HomeDrive: d.Windows.HomeDrive,
				ProfilePath: d.Windows.ProfilePath, LogonScript: d.Windows.LogonScript},
			ChangePassword: c.Passwords.Change, Timeout: seconds(c.TimeLimits.Directory)},
		OXEndpoints: o.SOAPURLs,
		OXMaster:    ox.Credentials{Login: o.MasterLogin, Password: o.MasterPassword},
		OXAdmins:    map[schoolmail.ContextID]ox.Credentials{},
		OX: ox.Options{MaxInFlight: o.MaxInFlight, CopyWait: time.Duration(o.CopyWaitSeconds) * time.Second,
			DatabaseUpdateWait: time.Duration(o.UpdateWaitSeconds) * time.Second,
			Timeout:            seconds(c.TimeLimits.OX), LongTimeout: time.Duration(c.TimeLimits.OXLongMinutes) * time.Minute},
		Groupware:  ox.GroupwareOptions{AdminAccess: o.AdminAccess, MaxQuota: o.MaxQuotaMB, TimeZone: o.TimeZone},
		DoveadmURL: v.URL,
		Doveadm: dovecot.Options{APIKey: v.APIKey, Password: v.Password, Hosts: v.Hosts, MailRoot: v.MailRoot,
			QuotaDict:   v.QuotaDict,
			Concurrency: v.Concurrency},
		LoginByUID: v.Login == "username",
		Mail:       dovecot.Desired{Mailboxes: v.Mailboxes, QuotaBytes: v.QuotaMB << 20},
		SMTPAddr:   m.Addr, MailFrom: m.From,
		SMTP: notify.Options{Hello: m.Hello, Username: m.Username, Password: m.Password, PlainText: m.Plaintext,
			Site: c.Site.Name, Timeout: seconds(c.TimeLimits.Relay)},
	}
	if key := s.Export.IdentityKey; len(key) > 0 {
		s.Directory.Birth = func(born schoolmail.Date) string { return escada.BirthHash(key, born) }
	}
	for _, x := range c.Contexts {
		s.OXAdmins[x.ID] = ox.Credentials{Login: x.AdminLogin, Password: x.AdminPassword}
	}
	s.CopyLogin, s.CopyPassword, s.CopyHTTPURL = o.CopyLogin, o.CopyPassword, o.HTTPURL
	switch o.ReadUsers {
	case "http":
		s.OXHTTPURL = o.HTTPURL
	case "auto":
		s.OXHTTPURL, s.ReadEither = o.HTTPURL, true
	}
	for _, r := range m.AlsoTell {
		s.AlsoTell = append(s.AlsoTell, AlsoTell(r))
	}
	for _, r := range m.AtEnd {
		s.AtEnd = append(s.AtEnd, AtEnd{AtEndWhat(r.What), r.Days, r.Populations, r.Schools})
	}
	var err error
	if m.TextsDir != "" {
		if s.SMTP.Texts, err = notify.LoadTexts(m.TextsDir, c.Site.Language); err != nil {
			return nil, fmt.Errorf("%s: notices.texts_dir: %w", c.File, err)
		}
	} else {
		s.SMTP.Texts = notify.DefaultTexts(c.Site.Language)
	}
	if d.CAFile != "" {
		if s.Directory.TLS, err = district.TLS(d.CAFile); err != nil {
			return nil, err
		}
	}
	if d.Write == ucs.WriteUDM || d.Write == ucs.WriteAuto {
		client, err := district.HTTPClient(d.CAFile)
		if err != nil {
			return nil, err
		}
		s.UDMURL = d.UDMURL
		s.Directory.UDM, err = udm.New(d.UDMURL, d.UDMUser, d.UDMPassword, &udm.Options{HTTPClient: client})
		if err != nil {
			return nil, err
		}
	}
	if s.OX.HTTPClient, err = district.HTTPClient(o.CAFile); err != nil {
		return nil, err
	}
	if v.CAFile != "" {
		if s.Doveadm.TLS, err = district.TLS(v.CAFile); err != nil {
			return nil, err
		}
	}
	if m.CAFile != "" {
		if s.SMTP.TLS, err = district.TLS(m.CAFile); err != nil {
			return nil, err
		}
		if s.SMTP.TLS.ServerName, _, err = net.SplitHostPort(m.Addr); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// extras say what else the directory keeps of an account, by the context that it
// lives in; nil: nothing.
func extras(contexts []district.Context) func(schoolmail.Account) ucs.Extras {
	by := map[schoolmail.ContextID]ucs.Extras{}
	for _, x := range contexts {
		e := ucs.Extras{MailHomeServer: x.MailHomeServer, MailQuotaMB: x.MailQuotaMB, OXQuotaMB: x.OXQuotaMB}
		if e != (ucs.Extras{}) {
			by[x.ID] = e
		}
	}
	if len(by) == 0 {
		return nil
	}
	return func(a schoolmail.Account) ucs.Extras { return by[a.Context] }
}
