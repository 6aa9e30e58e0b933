package site

import (
	"net"
	"net/http"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
)

// Load reads the settings from a district file. The warnings are for the operator:
// what does not hinder but should be mended.
func Load(file string) (set *Settings, warnings []string, err error) {
	c, err := district.Load(file)
	if err != nil {
		return nil, nil, err
	}
	set, err = FromDistrict(c)
	return set, c.Warnings, err
}

// FromDistrict returns the settings that a district file describes.
func FromDistrict(c *district.Config) (*Settings, error) {
	d, o, v, m := c.Directory, c.OX, c.Dovecot, c.SMTP
	s := &Settings{
		Name: c.Site.Name, Language: c.Site.Language, Policy: c.Policy(), StateDir: c.State.Dir, Parallel: c.Site.Parallel,
		StatusFile: c.State.StatusFile, MetricsFile: c.State.MetricsFile,
		ExportDir: c.Export.Dir, Profile: c.Profile(),
		DirectoryURL: d.URL,
		Directory: ucs.Options{BindDN: d.BindDN, Password: d.Password, BaseDN: d.BaseDN, Plaintext: d.Plaintext, PoolSize: d.PoolSize,
			PageSize: d.PageSize, Source: c.Export.Source, StateAttribute: d.StateAttribute, CreateSchools: d.CreateSchools,
			OXAccess: d.OXAccess, MailHomeServer: d.MailHomeServer, BesideUDM: d.BesideUDM},
		OXEndpoints: o.SOAPURLs,
		OXMaster:    ox.Credentials{Login: o.MasterLogin, Password: o.MasterPassword},
		OXAdmins:    map[schoolmail.ContextID]ox.Credentials{},
		OX:          ox.Options{MaxInFlight: o.MaxInFlight, CopyWait: time.Duration(o.CopyWaitSeconds) * time.Second},
		Groupware:   ox.GroupwareOptions{AdminAccess: o.AdminAccess, MaxQuota: o.MaxQuotaMB, TimeZone: o.TimeZone},
		DoveadmURL:  v.URL,
		Doveadm: dovecot.Options{APIKey: v.APIKey, Password: v.Password, Hosts: v.Hosts, MailRoot: v.MailRoot, QuotaDict: v.QuotaDict,
			Concurrency: v.Concurrency},
		LoginByUID: v.Login == "username",
		Mail:       dovecot.Want{Mailboxes: v.Mailboxes, QuotaBytes: v.QuotaMB << 20},
		SMTPAddr:   m.Addr, MailFrom: m.From,
		SMTP: notify.Options{Hello: m.Hello, Username: m.Username, Password: m.Password, PlainText: m.Plaintext, Site: c.Site.Name},
	}
	for _, x := range c.Contexts {
		s.OXAdmins[x.ID] = ox.Credentials{Login: x.AdminLogin, Password: x.AdminPassword}
	}
	if o.ReadUsers == "http" {
		s.OXHTTPURL = o.HTTPURL
	}
	var err error
	if d.CAFile != "" {
		if s.Directory.TLS, err = district.TLS(d.CAFile); err != nil {
			return nil, err
		}
	}
	if o.CAFile != "" {
		t, err := district.TLS(o.CAFile)
		if err != nil {
			return nil, err
		}
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.TLSClientConfig, tr.MaxIdleConnsPerHost, tr.Proxy = t, 64, nil
		s.OX.HTTPClient = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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
