package district

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/page"
	"github.com/ictmedia/schoolmail/ucs"
)

// check looks at everything that the program reads; each mistake has its key.
func (l *loader) check() {
	for _, section := range []struct {
		name  string
		check func(*Config)
	}{
		{"site", l.checkSite}, {"export", l.checkExport}, {"directory", l.checkDirectory}, {"ox", l.checkOX},
		{"mail", l.checkMail},
		{"notices", l.checkNotices}, {"state", l.checkState},
		{"passwords", l.checkPasswords}, {"time_limits", l.checkTimeLimits},
		{"context", l.checkContexts}, {"population", l.checkPolicy},
		{"addressbooks", l.checkAddressbooks}, {"migrate", l.checkMigrate}, {"galprobe", l.checkGalprobe},
		{"watch", l.checkWatch},
	} {
		if l.program == "" && !l.given(section.name) && slices.Contains(
			[]string{"addressbooks", "galprobe", "migrate", "watch"},
			section.name) {
			continue // nobody asks for it
		}
		if l.reads(section.name) {
			section.check(l.c)
		}
	}
}

// given reports whether a section is in the file.
func (l *loader) given(section string) bool { _, ok := l.lines[section]; return ok }

// is reports whether the file is loaded for one of these programs, or for all.
func (l *loader) is(programs ...Program) bool {
	return l.program == "" || slices.Contains(programs, l.program)
}

func (l *loader) checkSite(c *Config) {
	l.oneOf("site.language", c.Site.Language, "de", "fr", "it", "en")
	l.oneOf("site.report_language", c.Site.ReportLanguage, page.Languages()...)
	for i, x := range c.Schools {
		if x.Language != "" {
			l.oneOf(fmt.Sprintf("school[%d].language", i+1), x.Language, page.Languages()...)
		}
	}
	l.between("site.parallel", c.Site.Parallel, 1, 1000)
}

func (l *loader) checkExport(c *Config) {
	l.need("export.dir", c.Export.Dir, "the directory of the export files")
	if c.Export.Profile == "" && utf8.RuneCountInString(c.Export.Delimiter) != 1 {
		l.bad("export.delimiter", "expected one character")
	}
	l.each("export", c.Profile().Validate())
	l.between("export.max_age_days", c.Export.MaxAgeDays, 1, 3660)
	l.between("export.settle_seconds", c.Export.SettleSeconds, 0, 86_400)
	if n := len(c.Export.IdentityKey); n > 0 && n < 16 {
		l.bad("export.identity_key", "expected at least 16 characters")
	}
	parts := &escada.Parts{Parts: []escada.Part{{}}}
	for i, x := range c.Sources {
		key := fmt.Sprintf("source[%d]", i+1)
		l.need(key+".dir", x.Dir, "the directory of the export files")
		l.need(key+".prefix", x.Prefix, "what stands before the ids of this source's people")
		if x.Prefix != "" {
			parts.Parts = append(parts.Parts, escada.Part{Prefix: x.Prefix, Roles: x.Roles})
		}
	}
	l.each("source", parts.Validate())
}

func (l *loader) checkState(c *Config) {
	l.need("state.dir", c.State.Dir, "a directory for journal, plans and reports")
	l.between("state.retention_days", c.State.RetentionDays, 1, 36_500)
}

func (l *loader) checkTimeLimits(c *Config) {
	t := &c.TimeLimits
	l.between("time_limits.run_hours", t.RunHours, 0, 24*7)
	l.between("time_limits.ox_long_minutes", t.OXLongMinutes, 0, 24*60)
	l.between("time_limits.directory_seconds", t.Directory, 0, 3600)
	l.between("time_limits.ox_seconds", t.OX, 0, 3600)
	l.between("time_limits.mail_seconds", t.Mail, 0, 3600)
	l.between("time_limits.relay_seconds", t.Relay, 0, 3600)
}

func (l *loader) checkPasswords(c *Config) {
	check := func(key, recipient string) {
		if _, err := age.ParseRecipients(strings.NewReader(recipient)); recipient != "" && err != nil {
			l.bad(key, "expected a public key of age (age1...), as age-keygen prints it")
		}
	}
	check("passwords.key", c.Passwords.Key)
	for id, recipient := range c.Passwords.Keys {
		check("passwords.keys."+string(id), recipient)
	}
}

func (l *loader) checkDirectory(c *Config) {
	d := &c.Directory
	l.url("directory.url", d.URL, "ldap", "ldaps")
	if (d.BindDN == "") != (d.Password == "") {
		l.bad("directory.password", "expected bind_dn and a password, or neither")
	}
	l.between("directory.pool_size", d.PoolSize, 0, 1000)
	l.between("directory.page_size", d.PageSize, 0, 100_000)
	l.certificates("directory.ca_file", d.CAFile)
	if d.Stamps != "" && d.Stamps != ucs.StampsHold && d.Stamps != ucs.StampsAdopt {
		l.bad("directory.stamps", "expected hold or adopt")
	}
	switch d.Write {
	case "", ucs.WriteLDAP:
	case ucs.WriteUDM, ucs.WriteAuto:
		l.web("directory.udm_url", d.UDMURL, "directory", d.Plaintext)
		if d.UDMUser == "" || d.UDMPassword == "" {
			l.bad("directory.udm_password", "expected udm_user and a password, to write by UDM")
		}
	default:
		l.bad("directory.write", "expected ldap, auto or udm")
	}
}

func (l *loader) checkWatch(c *Config) {
	w := &c.Watch
	if w.Notifier != "" {
		if host, port, err := net.SplitHostPort(w.Notifier); err != nil || host == "" || port == "" {
			l.bad("watch.notifier", "expected host:port, such as primary.schulen.example:6669")
		}
	}
	l.between("watch.interval_seconds", w.IntervalSeconds, 0, 86_400)
	l.between("watch.settle_seconds", w.SettleSeconds, 0, 3600)
	l.between("watch.adopt_limit", w.AdoptLimit, 0, 1000)
	for _, r := range w.Adopt {
		if !r.Valid() {
			l.bad("watch.adopt", "expected pupil, teacher or staff")
		}
	}
}

func (l *loader) checkOX(c *Config) {
	o := &c.OX
	if len(o.SOAPURLs) == 0 && l.is(Provision, Watch) {
		l.wrong(ErrMissing, "ox.soap_urls", "missing: expected the URL of at least one server")
	}
	for _, u := range o.SOAPURLs {
		if l.web("ox.soap_urls", u, "ox", o.Plaintext) && !strings.HasSuffix(strings.TrimRight(u, "/"), "/webservices") {
			l.bad("ox.soap_urls", "%s: expected a path that ends in /webservices", u)
		}
	}
	if o.HTTPURL != "" {
		l.web("ox.http_url", o.HTTPURL, "ox", o.Plaintext)
	}
	l.certificates("ox.ca_file", o.CAFile)
	if l.program == Addressbooks || l.program == Galprobe {
		l.need("ox.http_url", o.HTTPURL, "the URL of the HTTP API, such as https://host/appsuite/api/")
	}
	if !l.is(Provision, Watch) {
		return
	}
	l.need("ox.master_login", o.MasterLogin, "the master administrator's login")
	l.need("ox.master_password", string(o.MasterPassword), "the master administrator's password, or master_password_file")
	l.between("ox.max_quota_mb", o.MaxQuotaMB, 0, 1<<40)
	l.oneOf("ox.read_users", o.ReadUsers, "soap", "http", "auto")
	if o.CopyLogin != "" {
		l.need("ox.http_url", o.HTTPURL, "the URL of the HTTP API, because ox.copy_login is given")
		l.need("ox.copy_password", string(o.CopyPassword), "the password of ox.copy_login, or copy_password_file")
		if !strings.Contains(o.CopyLogin, "{username}") {
			l.bad("ox.copy_login", "%q: expected {username} in it", o.CopyLogin)
		}
	}
	if o.ReadUsers == "http" || o.ReadUsers == "auto" {
		l.need("ox.http_url", o.HTTPURL, "the URL of the HTTP API, because ox.read_users is "+o.ReadUsers)
	}
	l.between("ox.max_in_flight", o.MaxInFlight, 0, 1000)
	l.between("ox.copy_wait_seconds", o.CopyWaitSeconds, 0, 24*3600)
	l.between("ox.update_wait_seconds", o.UpdateWaitSeconds, 0, 24*3600)
}

func (l *loader) checkMail(c *Config) {
	v := &c.Mail
	l.web("mail.doveadm_url", v.URL, "mail", v.Plaintext)
	for _, u := range v.Hosts {
		l.web("mail.hosts", u, "mail", v.Plaintext)
	}
	if (v.APIKey == "") == (v.Password == "") {
		l.bad("mail.api_key", "expected api_key (or api_key_file) or password (or password_file), one of them")
	}
	l.oneOf("mail.login", v.Login, "mail", "username")
	l.between("mail.quota_mb", v.QuotaMB, 0, 1<<40)
	if v.QuotaDict != "" && v.QuotaMB == 0 {
		l.bad("mail.quota_dict", "expected mail.quota_mb beside it, the limit to set")
	}
	l.between("mail.concurrency", v.Concurrency, 0, 1000)
	l.certificates("mail.ca_file", v.CAFile)
}

func (l *loader) checkNotices(c *Config) {
	s := &c.Notices
	if _, port, err := net.SplitHostPort(s.Addr); err != nil {
		l.bad("notices.addr", "%q: expected host:port", s.Addr)
	} else if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		l.bad("notices.addr", "%q: expected a port from 1 to 65535", s.Addr)
	}
	if at := strings.IndexByte(s.From, '@'); at < 1 || at == len(s.From)-1 || strings.ContainsAny(s.From, " \r\n<>,") {
		l.bad("notices.from", "%q: expected a mail address alone", s.From)
	}
	if (s.Username == "") != (s.Password == "") {
		l.bad("notices.password", "expected username and a password, or neither")
	}
	l.certificates("notices.ca_file", s.CAFile)
	l.checkAtEnd(c)
	for i, r := range s.AlsoTell {
		key := fmt.Sprintf("notices.also_tell[%d].", i+1)
		if len(r.Whom) == 0 {
			l.bad(key+"whom", "expected some of parents, guardians and class-teacher")
		}
		for _, w := range r.Whom {
			l.oneOf(key+"whom", string(w), string(schoolmail.RelationParents), string(schoolmail.RelationGuardians),
				string(schoolmail.RelationClassTeacher))
		}
		for _, name := range r.Populations {
			i := slices.IndexFunc(c.Populations, func(p Population) bool { return p.Name == name })
			if i < 0 || !slices.Contains(c.Populations[i].Roles, schoolmail.RolePupil) {
				l.bad(key+"populations", "%q: expected the name of a [[population]] with pupils", name)
			}
		}
	}
}

func (l *loader) checkAtEnd(c *Config) {
	for i, r := range c.Notices.AtEnd {
		key := fmt.Sprintf("notices.at_end[%d].", i+1)
		l.oneOf(key+"what", r.What, "answer", "forward", "nothing")
		if last := c.LifeCycle.PurgeDays; r.Days < 1 || r.Days > last {
			l.bad(key+"days", "%d: expected days from 1 to life_cycle.purge_days, which are %d", r.Days, last)
		}
		for _, name := range r.Populations {
			if !slices.ContainsFunc(c.Populations, func(p Population) bool { return p.Name == name }) {
				l.bad(key+"populations", "%q: expected the name of a [[population]]", name)
			}
		}
	}
}

func (l *loader) certificates(key, file string) {
	if _, err := TLS(file); err != nil {
		l.bad(key, "%v", err)
	}
}

func (l *loader) checkContexts(c *Config) {
	if len(c.Contexts) == 0 {
		l.wrong(ErrMissing, "context", "missing: expected at least one section [[context]]")
	}
	seen := map[schoolmail.ContextID]bool{}
	service, probes := 0, 0
	for i, x := range c.Contexts {
		key := fmt.Sprintf("context[%d]", i+1)
		if !l.is(Provision, Watch) { // the policy says it there
			if x.ID <= 0 || seen[x.ID] {
				l.bad(key+".id", "%d: expected a number above 0 that no other context has", x.ID)
			}
			seen[x.ID] = true
		}
		if l.is(Provision, Watch) || l.program == Galprobe && len(x.Probe) > 0 {
			l.need(key+".admin_login", x.AdminLogin, "the login of the context's administrator")
			l.need(key+".admin_password", string(x.AdminPassword),
				"the password of the context's administrator, or admin_password_file")
		}
		if l.is(Addressbooks) && x.ServiceLogin != "" {
			service++
			l.need(key+".service_password", string(x.ServicePassword),
				"the password of the service account, or service_password_file")
		}
		if l.is(Galprobe) {
			probes += len(x.Probe)
			l.checkProbes(key, x)
		}
	}
	if l.program == Addressbooks && service == 0 && len(c.Contexts) > 0 {
		l.bad("context", "expected service_login and service_password in the contexts whose address books are to be written")
	}
	if l.program == Galprobe && probes == 0 && len(c.Contexts) > 0 {
		l.bad("context", "expected probe in the contexts that are to be probed, such as "+
			`probe = [{ role = "pupil", login = "probe", password_file = "probe.secret" }]`)
	}
}

func (l *loader) checkProbes(key string, x Context) {
	for k, p := range x.Probe {
		key := fmt.Sprintf("%s.probe[%d]", key, k+1)
		l.need(key+".role", p.Role, "what the account is, for the report: pupil, teacher or staff")
		l.need(key+".login", p.Login, "its login")
		l.need(key+".password", string(p.Password), "its password, or password_file")
	}
}

func (l *loader) checkPolicy(c *Config) { l.each("", c.Policy().Validate()) }

func (l *loader) checkAddressbooks(c *Config) {
	a := &c.Addressbooks
	l.between("addressbooks.requests_per_5_minutes", a.RequestsPer5Minutes, -1, 1_000_000)
	l.between("addressbooks.provider.port", a.Provider.Port, 0, 65535)
	books := l.program == Addressbooks || l.program == Watch && !c.Watch.NoBooks
	if books && len(a.Salt) < 16 {
		l.bad("addressbooks.salt", "expected a secret of at least 16 characters, or salt_file: "+
			"without one, readers of a book could find out record ids")
	}
	for i, x := range c.Excludes {
		key := fmt.Sprintf("exclude[%d]", i+1)
		if (x.ID == "") == (x.Username == "") {
			l.bad(key, "expected either id or username")
		}
		l.need(key+".by", x.By, "who decided it")
		l.need(key+".reason", x.Reason, "why")
	}
}

func (l *loader) checkGalprobe(c *Config) {
	if u := c.Galprobe.ControlURL; u != "" {
		l.url("galprobe.control_url", u, "https", "http")
	}
}

func (l *loader) checkMigrate(c *Config) {
	m := &c.Migrate
	l.between("migrate.parallel", m.Parallel, 1, 1000)
	l.between("migrate.from_connections", m.FromConnections, 0, 1000)
	l.between("migrate.to_connections", m.ToConnections, 0, 1000)
	l.between("migrate.from_bytes_per_second", m.FromBytesPerSecond, 0, 1<<40)
	if m.MaxDeleted < 0 || m.MaxDeleted > 1 {
		l.bad("migrate.max_deleted", "%v: expected a share from 0 to 1", m.MaxDeleted)
	}
	l.between("migrate.attempts", m.Attempts, 0, 1000)
	l.between("migrate.max_size", m.MaxSize, 0, 1<<50)
	if _, err := time.ParseDuration(cmp.Or(m.Timeout, "5m")); err != nil {
		l.bad("migrate.timeout", "%q: expected a duration such as 5m", m.Timeout)
	}
	if _, err := time.Parse(time.DateOnly, cmp.Or(m.Since, "2020-12-31")); err != nil {
		l.bad("migrate.since", "%q: expected a day such as 2020-12-31", m.Since)
	}
	if _, err := migrate.PresetOf(m.Preset); m.Preset != "" && err != nil {
		l.bad("migrate.preset", "%q: expected gmail or exchange", m.Preset)
	}
	var last time.Time
	for i, w := range m.Windows {
		key := fmt.Sprintf("migrate.window[%d]", i+1)
		switch {
		case w.Begin.IsZero():
			l.wrong(ErrMissing, key+".begin", "missing: expected %s", expected(timeType))
		case !w.End.IsZero() && !w.End.After(w.Begin):
			l.bad(key+".end", "expected a time after begin")
		case w.Begin.Before(last):
			l.bad(key+".begin", "expected a time after the end of the window before")
		}
		last = w.End
	}
	for _, role := range slices.Sorted(maps.Keys(m.Folders.Roles)) {
		if !slices.Contains(migrate.Roles(), migrate.Role(role)) {
			l.bad("migrate.folders.roles."+role, "expected one of %s", list(migrate.Roles()))
		}
	}
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
		if strings.HasPrefix(message, fmt.Sprintf("population %q", q.Name)) ||
			strings.HasPrefix(message, fmt.Sprintf("population number %d:", i+1)) {
			return fmt.Sprintf("population[%d]", i+1)
		}
	}
	for i, x := range l.c.Contexts {
		if strings.HasPrefix(message, fmt.Sprintf("context %d:", x.ID)) ||
			strings.HasPrefix(message, fmt.Sprintf("context %d ", x.ID)) ||
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
	for i := range max(len(l.c.Links), len(l.c.Distinct), len(l.c.Schools), len(l.c.Spellings)) {
		for _, key := range []string{"link", "distinct", "school", "spelling"} {
			if strings.HasPrefix(message, fmt.Sprintf("%s number %d:", key, i+1)) {
				return fmt.Sprintf("%s[%d]", key, i+1)
			}
		}
	}
	if strings.HasPrefix(message, "rekeying") {
		return "export.pairs_files"
	}
	if strings.HasPrefix(message, "life_cycle: remind_days") {
		return "notices.remind_days"
	}
	if strings.HasPrefix(message, "classes of ") {
		return "classes"
	}
	name, _, ok := strings.Cut(message, ":")
	if ok && slices.Contains([]string{"life_cycle", "naming"}, name) || strings.HasPrefix(name, "guards.") {
		return name
	}
	return ""
}

func (l *loader) need(key, value, what string) {
	if value == "" {
		l.wrong(ErrMissing, key, "missing: expected %s", what)
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
		l.wrong(ErrMissing, key, "missing: expected a URL, %s://host", schemes[0])
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

// web is url for servers that are asked over HTTP. Passwords and people's data do
// not travel in the clear, unless the file says so.
func (l *loader) web(key, text, section string, plaintext bool) bool {
	if !l.url(key, text, "https", "http") {
		return false
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "https" || plaintext || loopback(u.Hostname()) {
		return true
	}
	l.bad(key, "passwords would travel in the clear: expected https, or plaintext = true in [%s]", section)
	return false
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
