package district

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/page"
)

// Options of [Load]; nil is the zero value.
type Options struct {
	// Program is the one that the file is loaded for: sections that it does not read
	// are left alone. Empty: all sections are read.
	Program Program
	// Without names sections that need not be there, since the program brings along
	// what they describe.
	Without []string
}

// Load reads and checks a district file. Its error is [Errors], or that of
// reading the file.
func Load(file string, opts *Options) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("district: %w", err)
	}
	l := newLoader(file, data, opts)
	if l.parse(data); len(l.errs) > 0 {
		return nil, l.sorted()
	}
	if l.c.hasSecrets() {
		l.c.warnReadable(file)
	}
	l.lists()
	if l.reads("export") {
		l.pairs()
	}
	l.secrets()
	l.paths()
	l.defaults()
	l.check()
	if len(l.errs) > 0 {
		return nil, l.sorted()
	}
	return l.c, nil
}

// Decode reads another TOML file of a site, such as the rules of its address books,
// into a struct whose fields have toml tags. Its error is [Errors], as that of Load,
// or that of reading the file; what the values mean is not checked.
func Decode(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	data = skipMark(data)
	l := &loader{c: &Config{}, file: file, other: true}
	t, bad := tree(file, data)
	if bad != nil {
		return Errors{bad}
	}
	l.lines = lineIndex(data)
	l.assignTable("", t, reflect.ValueOf(into).Elem())
	if len(l.errs) > 0 {
		return l.sorted()
	}
	return nil
}

func newLoader(file string, data []byte, opts *Options) *loader {
	l := &loader{c: &Config{File: file}, file: file}
	if opts != nil {
		l.program, l.without = opts.Program, opts.Without
	}
	return l
}

// parse reads the sections of the program.
func (l *loader) parse(data []byte) {
	data = skipMark(data)
	t, err := tree(l.file, data)
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.lines = lineIndex(data)
	l.assignTable("", t, reflect.ValueOf(l.c).Elem())
}

// sorted are the mistakes in the order of the lines.
func (l *loader) sorted() Errors {
	slices.SortStableFunc(l.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return l.errs
}

// lists reads the files that long lists stand in. A mistake there is told with the
// name of that file; what is wrong with an entry as such, with the list's own number.
func (l *loader) lists() {
	for i, name := range l.c.Site.ListFiles {
		file := l.abs(name)
		l.c.Site.ListFiles[i] = file
		data, err := os.ReadFile(file)
		if err != nil {
			l.bad("site.list_files", "%v", err)
			continue
		}
		m := newLoader(file, data, &Options{Program: l.program, Without: l.without})
		m.onlyLists = true
		m.parse(data)
		l.errs = append(l.errs, m.errs...)
		into, from := reflect.ValueOf(l.c).Elem(), reflect.ValueOf(m.c).Elem()
		for i := range into.NumField() {
			if f := into.Type().Field(i); slices.Contains(listSections, f.Tag.Get("toml")) {
				into.Field(i).Set(reflect.AppendSlice(into.Field(i), from.Field(i)))
			}
		}
	}
}

// listSections may stand in files of their own.
var listSections = []string{"link", "distinct", "spelling", "override", "exclude"}

// place is where a key stands.
type place struct{ line, column int }

// lineIndex finds the places of all keys and sections, "context[2].id". Text
// that parse accepted has no syntax errors.
func lineIndex(data []byte) map[string]place {
	index := map[string]place{}
	counts := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	section := ""
	number := func(parts []string) string { // gives array sections their number
		path := ""
		for _, part := range parts {
			if path != "" {
				path += "."
			}
			path += part
			if n := counts[path]; n > 0 {
				path = fmt.Sprintf("%s[%d]", path, n)
			}
		}
		return path
	}
	for p.NextExpression() {
		e := p.Expression()
		var parts []string
		var at place
		for it := e.Key(); it.Next(); {
			if start := p.Shape(it.Node().Raw).Start; at.line == 0 {
				at = place{start.Line, start.Column}
			}
			parts = append(parts, string(it.Node().Data))
		}
		switch e.Kind {
		case unstable.ArrayTable:
			last := len(parts) - 1
			path := parts[last]
			if outer := number(parts[:last]); outer != "" {
				path = outer + "." + path
			}
			counts[path]++
			section = fmt.Sprintf("%s[%d]", path, counts[path])
			index[section] = at
		case unstable.Table:
			section = number(parts)
			index[section] = at
		case unstable.KeyValue:
			key := strings.Join(parts, ".")
			if section != "" {
				key = section + "." + key
			}
			index[key] = at
		}
	}
	return index
}

// loader completes and checks what was parsed.
type loader struct {
	c     *Config
	file  string
	lines map[string]place
	errs  Errors

	program   Program // "": all
	without   []string
	onlyLists bool // the file is one of list_files
	other     bool // the file is none of a district's
}

// bad notes a value that does not do at a key; if it is not in the file, at its
// section.
func (l *loader) bad(key, format string, args ...any) { l.wrong(ErrValue, key, format, args...) }

// wrong notes a mistake of any kind.
func (l *loader) wrong(kind Kind, key, format string, args ...any) {
	e := &Error{File: l.file, Key: key, Kind: kind, Message: fmt.Sprintf(format, args...)}
	for path := key; path != ""; {
		at, ok := l.lines[path]
		if !ok {
			at, ok = l.lines[path+"[1]"] // of array sections each has a place
		}
		if ok {
			e.Line, e.Column = at.line, at.column
			break
		}
		i := max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['))
		path = path[:max(0, i)]
	}
	l.errs = append(l.errs, e)
}

// secret is a secret that may stand in a file of its own.
type secret struct {
	key   string
	value *schoolmail.Secret
	file  *string
}

func (c *Config) secretFields() []secret {
	list := []secret{
		{"export.identity_key", &c.Export.IdentityKey, &c.Export.IdentityKeyFile},
		{"directory.password", &c.Directory.Password, &c.Directory.PasswordFile},
		{"directory.udm_password", &c.Directory.UDMPassword, &c.Directory.UDMPasswordFile},
		{"ox.master_password", &c.OX.MasterPassword, &c.OX.MasterPasswordFile},
		{"ox.copy_password", &c.OX.CopyPassword, &c.OX.CopyPasswordFile},
		{"mail.api_key", &c.Mail.APIKey, &c.Mail.APIKeyFile},
		{"mail.password", &c.Mail.Password, &c.Mail.PasswordFile},
		{"notices.password", &c.Notices.Password, &c.Notices.PasswordFile},
		{"addressbooks.salt", &c.Addressbooks.Salt, &c.Addressbooks.SaltFile},
		{"addressbooks.provider.bind_password", &c.Addressbooks.Provider.BindPassword,
			&c.Addressbooks.Provider.BindPasswordFile},
		{"migrate.from_password", &c.Migrate.FromPassword, &c.Migrate.FromPasswordFile},
		{"migrate.to_password", &c.Migrate.ToPassword, &c.Migrate.ToPasswordFile},
	}
	for i := range c.Contexts {
		x := &c.Contexts[i]
		key := fmt.Sprintf("context[%d].", i+1)
		list = append(list, secret{key + "admin_password", &x.AdminPassword, &x.AdminPasswordFile},
			secret{key + "service_password", &x.ServicePassword, &x.ServicePasswordFile})
		for k := range x.Probe {
			list = append(list, secret{fmt.Sprintf("%sprobe[%d].password", key, k+1), &x.Probe[k].Password,
				&x.Probe[k].PasswordFile})
		}
	}
	return list
}

func (c *Config) hasSecrets() bool {
	return slices.ContainsFunc(c.secretFields(), func(s secret) bool { return *s.value != "" })
}

// warnReadable notes that others can read a file with secrets.
func (c *Config) warnReadable(file string) {
	if runtime.GOOS == "windows" {
		return
	}
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s holds secrets and has mode %04o: expected 0600", file,
			info.Mode().Perm()))
	}
}

// abs makes a path of the config relative to its directory.
func (l *loader) abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(l.file), path)
}

func (l *loader) secrets() {
	for _, s := range l.c.secretFields() {
		if *s.file == "" {
			continue
		}
		if *s.value != "" {
			l.bad(s.key, "given here and in %s_file: expected one of them", s.key)
			continue
		}
		*s.file = l.abs(*s.file)
		data, err := os.ReadFile(*s.file)
		*s.value = "?" // if it cannot be read that is told once, here
		switch {
		case err != nil:
			l.bad(s.key+"_file", "%v", err)
			continue
		case len(data) > 4096:
			l.bad(s.key+"_file", "%s has more than 4096 bytes: expected a secret alone", *s.file)
			continue
		}
		text := strings.TrimSuffix(strings.TrimSuffix(string(skipMark(data)), "\n"), "\r")
		if text == "" || strings.ContainsAny(text, "\n\x00") {
			l.bad(s.key+"_file", "%s: expected one line, the secret", *s.file)
			continue
		}
		if text != strings.TrimSpace(text) {
			l.c.Warnings = append(l.c.Warnings,
				fmt.Sprintf("%s_file: the secret in %s begins or ends with a blank, which belongs to it", s.key, *s.file))
		}
		*s.value = schoolmail.Secret(text)
		l.c.warnReadable(*s.file)
	}
}

func (l *loader) paths() {
	c := l.c
	for _, p := range []*string{&c.Export.Dir, &c.State.Dir, &c.State.StatusFile, &c.State.MetricsFile,
		&c.Directory.CAFile, &c.OX.CAFile, &c.Mail.CAFile, &c.Notices.CAFile, &c.Notices.TextsDir,
		&c.Addressbooks.Rules, &c.Migrate.Users, &c.Migrate.StateDir,
		&c.Migrate.FromCAFile, &c.Migrate.ToCAFile, &c.Migrate.FromTokenFile, &c.Migrate.ToTokenFile} {
		*p = l.abs(*p)
	}
	for i := range c.Sources {
		c.Sources[i].Dir = l.abs(c.Sources[i].Dir)
	}
}

// profile reads the profile that [export] names.
func (l *loader) profile() {
	e := &l.c.Export
	if e.Profile == "" {
		return
	}
	given := *e
	given.Dir, given.Profile, given.Source = "", "", ""
	given.MaxAgeDays, given.SettleSeconds, given.AcceptOlder, given.AcceptColumns = 0, 0, false, false
	given.IdentityKey, given.IdentityKeyFile, given.Budget = "", "", Budget{}
	given.PairsFiles, given.Rekeyings = nil, nil
	if !reflect.DeepEqual(given, Export{}) {
		l.bad("export.profile", "expected no other keys of the profile beside it, but dir and source")
	}
	if p := l.named("export.profile", e.Profile); p != nil {
		e.Described, e.Source = p, cmp.Or(e.Source, p.Source, "escada")
	}
}

// named returns the profile of a name or file; nil if there is none.
func (l *loader) named(key, name string) *escada.Profile {
	p, err := escada.Starter(name)
	if !slices.Contains(escada.Starters(), name) {
		var text []byte
		if text, err = os.ReadFile(l.abs(name)); err == nil {
			p, err = escada.ParseProfile(text)
		}
	}
	if err != nil {
		l.each(key, err)
		return nil
	}
	return p
}

// defaults fills in what was left out.
func (l *loader) defaults() {
	c := l.c
	text := func(v *string, d string) { *v = cmp.Or(*v, d) }
	number := func(v *int, d int) { *v = cmp.Or(*v, d) }
	text(&c.Site.Name, "schoolmail")
	text(&c.Site.Language, "de")
	text(&c.Site.ReportLanguage, page.Of(c.Site.Language))
	number(&c.Site.Parallel, 16)
	number(&c.Export.MaxAgeDays, 14)
	number(&c.Export.Budget.Rows, 50)
	number(&c.Export.Budget.School, 20)
	number(&c.Export.Budget.Codes, 10)
	number(&c.Export.Budget.Least, 10)
	if l.profile(); c.Export.Described == nil {
		text(&c.Export.Source, "escada")
		text(&c.Export.Delimiter, ";")
		text((*string)(&c.Export.Encoding), "auto")
		text((*string)(&c.Export.Quoting), "rfc4180")
		text(&c.Export.DateFormat, "dd.mm.yyyy")
	}
	number(&c.State.RetentionDays, DefaultRetentionDays)
	if _, given := l.lines["notices.remind_days"]; !given {
		c.Notices.RemindDays = DefaultRemindDays()
	}
	for i := range c.Notices.AtEnd {
		number(&c.Notices.AtEnd[i].Days, DefaultAtEndDays)
	}
	text(&c.Mail.Login, "mail")
	text(&c.OX.AdminAccess, "all")
	text(&c.OX.ReadUsers, "soap")
	text(&c.Migrate.Wave, "migration")
	number(&c.Migrate.Parallel, 4)

	d := schoolmail.Policy{}.WithDefaults()
	number(&c.Naming.MaxUsername, d.Naming.MaxUsername)
	number(&c.Naming.MaxPupilUsername, d.Naming.MaxPupilUsername)
	text((*string)(&c.Naming.FollowFamilyName), string(schoolmail.FollowNo))
	number(&c.Naming.OldAddressDays, schoolmail.DefaultOldAddressDays)
	number(&c.LifeCycle.NoticeDays, d.LifeCycle.NoticeDays)
	number(&c.LifeCycle.PurgeDays, d.LifeCycle.PurgeDays)
	if _, given := l.lines["life_cycle.transfer_grace_days"]; given && c.LifeCycle.TransferGraceDays == 0 {
		l.bad("life_cycle.transfer_grace_days", "0: expected a number of days, or -1 to delete the old copy at once")
	}
	number(&c.LifeCycle.TransferGraceDays, d.LifeCycle.TransferGraceDays)
	number(&c.Guards.WindowDays, d.Guards.WindowDays)
	number(&c.Guards.CollapsePercent, d.Guards.CollapsePercent)
	limits := func(have *Limits, d Limits) {
		have.Leavers, have.Deactivations = cmp.Or(have.Leavers, d.Leavers), cmp.Or(have.Deactivations, d.Deactivations)
		have.Purges, have.Transfers = cmp.Or(have.Purges, d.Purges), cmp.Or(have.Transfers, d.Transfers)
		have.Roles, have.PupilRoles = cmp.Or(have.Roles, d.Roles), cmp.Or(have.PupilRoles, d.PupilRoles)
		have.Classes, have.Details = cmp.Or(have.Classes, d.Classes), cmp.Or(have.Details, d.Details)
	}
	limits(&c.Guards.Usual, fromLimits(d.Guards.Usual))
	limits(&c.Guards.TermChange, fromLimits(d.Guards.TermChange))
	for i := range c.Contexts {
		number(&c.Contexts[i].Capacity, schoolmail.DefaultCapacity)
	}
	for i := range c.Sources {
		if x := &c.Sources[i]; x.Profile != "" {
			x.Described = l.named(fmt.Sprintf("source[%d].profile", i+1), x.Profile)
		}
	}
}
