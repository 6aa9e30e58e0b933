package district

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail/escada"
)

// check looks at everything; each mistake has its key.
func (l *loader) check() {
	c := l.c
	l.oneOf("site.language", c.Site.Language, "de", "fr", "it", "en")
	l.between("site.parallel", c.Site.Parallel, 1, 1000)
	l.need("export.dir", c.Export.Dir, "the directory of the export files")
	l.need("state.dir", c.State.Dir, "a directory for journal, plans and reports")
	if c.Export.Profile == "" && utf8.RuneCountInString(c.Export.Delimiter) != 1 {
		l.bad("export.delimiter", "expected one character")
	}
	l.each("export", c.Profile().Validate())

	d := &c.Directory
	l.url("directory.url", d.URL, "ldap", "ldaps")
	if (d.BindDN == "") != (d.Password == "") {
		l.bad("directory.password", "expected bind_dn and a password, or neither")
	}
	if d.UDMURL != "" {
		l.url("directory.udm_url", d.UDMURL, "https", "http")
	}
	l.between("directory.pool_size", d.PoolSize, 0, 1000)
	l.between("directory.page_size", d.PageSize, 0, 100_000)

	o := &c.OX
	if len(o.SOAPURLs) == 0 {
		l.bad("ox.soap_urls", "missing: expected the URL of at least one server")
	}
	for _, u := range o.SOAPURLs {
		if l.url("ox.soap_urls", u, "https", "http") && !strings.HasSuffix(strings.TrimRight(u, "/"), "/webservices") {
			l.bad("ox.soap_urls", "%s: expected a path that ends in /webservices", u)
		}
	}
	if o.HTTPURL != "" {
		l.url("ox.http_url", o.HTTPURL, "https", "http")
	}
	l.need("ox.master_login", o.MasterLogin, "the master administrator's login")
	l.need("ox.master_password", string(o.MasterPassword), "the master administrator's password, or master_password_file")
	l.between("ox.max_quota_mb", o.MaxQuotaMB, 0, 1<<40)
	l.oneOf("ox.read_users", o.ReadUsers, "soap", "http")
	if o.ReadUsers == "http" {
		l.need("ox.http_url", o.HTTPURL, "the URL of the HTTP API, because ox.read_users is http")
	}
	l.between("ox.max_in_flight", o.MaxInFlight, 0, 1000)
	l.between("ox.copy_wait_seconds", o.CopyWaitSeconds, 0, 24*3600)

	v := &c.Dovecot
	l.url("dovecot.doveadm_url", v.URL, "https", "http")
	for _, u := range v.Hosts {
		l.url("dovecot.hosts", u, "https", "http")
	}
	if (v.APIKey == "") == (v.Password == "") {
		l.bad("dovecot.api_key", "expected api_key (or api_key_file) or password (or password_file), one of them")
	}
	l.oneOf("dovecot.login", v.Login, "mail", "username")
	l.between("dovecot.quota_mb", v.QuotaMB, 0, 1<<40)
	if v.QuotaDict != "" && v.QuotaMB == 0 {
		l.bad("dovecot.quota_dict", "expected dovecot.quota_mb beside it, the limit to set")
	}
	l.between("dovecot.concurrency", v.Concurrency, 0, 1000)

	s := &c.SMTP
	if _, port, err := net.SplitHostPort(s.Addr); err != nil {
		l.bad("smtp.addr", "%q: expected host:port", s.Addr)
	} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		l.bad("smtp.addr", "%q: expected a port from 1 to 65535", s.Addr)
	}
	if at := strings.IndexByte(s.From, '@'); at < 1 || at == len(s.From)-1 || strings.ContainsAny(s.From, " \r\n<>,") {
		l.bad("smtp.from", "%q: expected a mail address alone", s.From)
	}
	if (s.Username == "") != (s.Password == "") {
		l.bad("smtp.password", "expected username and a password, or neither")
	}
	for _, f := range []struct{ key, file string }{
		{"directory.ca_file", d.CAFile}, {"ox.ca_file", o.CAFile}, {"dovecot.ca_file", v.CAFile}, {"smtp.ca_file", s.CAFile},
	} {
		if _, err := TLS(f.file); err != nil {
			l.bad(f.key, "%v", err)
		}
	}

	if len(c.Contexts) == 0 {
		l.bad("context", "missing: expected at least one section [[context]]")
	}
	for i, x := range c.Contexts {
		key := fmt.Sprintf("context[%d]", i+1)
		l.need(key+".admin_login", x.AdminLogin, "the login of the context's administrator")
		l.need(key+".admin_password", string(x.AdminPassword), "the password of the context's administrator, or admin_password_file")
	}
	l.each("", c.Policy().Validate())
}

// each notes every error of a joined one. Messages of the policy that begin with
// a section's name are put there.
func (l *loader) each(section string, err error) {
	if err == nil {
		return
	}
	list := []error{err}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		list = j.Unwrap()
	}
	for _, err := range list {
		message := err.Error()
		if e, ok := errors.AsType[*escada.Error](err); ok {
			message = e.Detail
		}
		l.bad(cmp.Or(section, l.section(message)), "%s", strings.TrimPrefix(message, "policy: "))
	}
}

// section finds the section that a message of the policy is about.
func (l *loader) section(message string) string {
	message = strings.TrimPrefix(message, "policy: ")
	for i, q := range l.c.Populations {
		if strings.HasPrefix(message, fmt.Sprintf("population %q", q.Name)) || strings.HasPrefix(message, fmt.Sprintf("population number %d:", i+1)) {
			return fmt.Sprintf("population[%d]", i+1)
		}
	}
	for i, x := range l.c.Contexts {
		if strings.HasPrefix(message, fmt.Sprintf("context %d:", x.ID)) || strings.HasPrefix(message, fmt.Sprintf("context %d ", x.ID)) ||
			strings.HasPrefix(message, fmt.Sprintf("context %q:", x.Name)) {
			return fmt.Sprintf("context[%d]", i+1)
		}
	}
	for i, w := range l.c.TermChanges {
		if strings.HasPrefix(message, fmt.Sprintf("term change %q:", w.Name)) {
			return fmt.Sprintf("term_change[%d]", i+1)
		}
	}
	for i := range l.c.Overrides {
		if strings.HasPrefix(message, fmt.Sprintf("override number %d:", i+1)) {
			return fmt.Sprintf("override[%d]", i+1)
		}
	}
	for i := range max(len(l.c.Links), len(l.c.Distinct)) {
		for _, key := range []string{"link", "distinct"} {
			if strings.HasPrefix(message, fmt.Sprintf("%s number %d:", key, i+1)) {
				return fmt.Sprintf("%s[%d]", key, i+1)
			}
		}
	}
	name, _, ok := strings.Cut(message, ":")
	if ok && slices.Contains([]string{"life_cycle", "naming"}, name) || strings.HasPrefix(name, "guards.") {
		return name
	}
	return ""
}

func (l *loader) need(key, value, what string) {
	if value == "" {
		l.bad(key, "missing: expected %s", what)
	}
}

func (l *loader) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		l.bad(key, "%q: expected one of %s", value, strings.Join(allowed, ", "))
	}
}

func (l *loader) between(key string, value any, least, most int64) {
	var n int64
	switch v := value.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	}
	if n < least || n > most {
		l.bad(key, "%d: expected %d to %d", n, least, most)
	}
}

// url checks a URL; it may hold a host, a port and a path, but no password.
func (l *loader) url(key, text string, schemes ...string) bool {
	if text == "" {
		l.bad(key, "missing: expected a URL, %s://host", schemes[0])
		return false
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "":
		l.bad(key, "expected a URL, %s://host", strings.Join(schemes, "://host or "))
	case u.User != nil:
		l.bad(key, "expected a URL without user and password")
	case u.RawQuery != "" || u.Fragment != "":
		l.bad(key, "expected a URL without query and fragment")
	default:
		return true
	}
	return false
}
