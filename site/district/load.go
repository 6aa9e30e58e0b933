package district

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// Load reads and checks a config file. Its error is [Errors], or that of
// reading the file.
func Load(file string) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := parse(file, data)
	if err != nil {
		return nil, err
	}
	if c.hasSecrets() {
		c.warnReadable(file)
	}
	l := &loader{c: c, file: file, lines: lineIndex(data)}
	l.secrets()
	l.paths()
	l.defaults()
	l.check()
	if len(l.errs) > 0 {
		slices.SortStableFunc(l.errs, func(a, b *Error) int { return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)) })
		return nil, l.errs
	}
	return c, nil
}

// parse reads the TOML alone. The library's own descriptions show lines of the
// file, in which secrets may stand, so only position, key and message are used.
func parse(file string, data []byte) (*Config, error) {
	c := &Config{File: file}
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(c)
	if err == nil {
		return c, nil
	}
	var errs Errors
	add := func(e *toml.DecodeError, message string) {
		line, column := e.Position()
		errs = append(errs, &Error{File: file, Line: line, Column: column, Key: strings.Join(e.Key(), "."), Message: message})
	}
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		for i := range strict.Errors {
			add(&strict.Errors[i], "unknown key or section")
		}
		return nil, errs
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		message := strings.TrimPrefix(e.Error(), "toml: ")
		if strings.Contains(message, "local date") {
			message = `expected the date in quotes, as in "2027-08-02"`
		}
		add(e, message)
		return nil, errs
	}
	return nil, Errors{{File: file, Message: err.Error()}}
}

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
}

// bad notes a mistake at a key; if it is not in the file, at its section.
func (l *loader) bad(key, format string, args ...any) {
	e := &Error{File: l.file, Key: key, Message: fmt.Sprintf(format, args...)}
	for path := key; path != ""; {
		if at, ok := l.lines[path]; ok {
			e.Line, e.Column = at.line, at.column
			break
		}
		i := strings.LastIndexByte(path, '.')
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
		{"directory.password", &c.Directory.Password, &c.Directory.PasswordFile},
		{"ox.master_password", &c.OX.MasterPassword, &c.OX.MasterPasswordFile},
		{"dovecot.api_key", &c.Dovecot.APIKey, &c.Dovecot.APIKeyFile},
		{"dovecot.password", &c.Dovecot.Password, &c.Dovecot.PasswordFile},
		{"smtp.password", &c.SMTP.Password, &c.SMTP.PasswordFile},
	}
	for i := range c.Contexts {
		x := &c.Contexts[i]
		list = append(list, secret{fmt.Sprintf("context[%d].admin_password", i+1), &x.AdminPassword, &x.AdminPasswordFile})
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
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s holds secrets and has mode %04o: expected 0600", file, info.Mode().Perm()))
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
		text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		if text == "" || strings.ContainsAny(text, "\n\x00") {
			l.bad(s.key+"_file", "%s: expected one line, the secret", *s.file)
			continue
		}
		*s.value = schoolmail.Secret(text)
		l.c.warnReadable(*s.file)
	}
}

func (l *loader) paths() {
	c := l.c
	for _, p := range []*string{&c.Export.Dir, &c.State.Dir, &c.State.StatusFile, &c.State.MetricsFile,
		&c.Directory.CAFile, &c.OX.CAFile, &c.Dovecot.CAFile, &c.SMTP.CAFile} {
		*p = l.abs(*p)
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
	if !reflect.DeepEqual(given, Export{}) {
		l.bad("export.profile", "expected no other keys of the profile beside it, but dir and source")
	}
	p, err := escada.Starter(e.Profile)
	if !slices.Contains(escada.Starters(), e.Profile) {
		var text []byte
		if text, err = os.ReadFile(l.abs(e.Profile)); err == nil {
			p, err = escada.ParseProfile(text)
		}
	}
	if err != nil {
		l.each("export.profile", err)
		return
	}
	e.Described, e.Source = p, cmp.Or(e.Source, p.Source, "escada")
}

// defaults fills in what was left out.
func (l *loader) defaults() {
	c := l.c
	text := func(v *string, d string) { *v = cmp.Or(*v, d) }
	number := func(v *int, d int) { *v = cmp.Or(*v, d) }
	text(&c.Site.Name, "schoolmail")
	text(&c.Site.Language, "de")
	number(&c.Site.Parallel, 16)
	if l.profile(); c.Export.Described == nil {
		text(&c.Export.Source, "escada")
		text(&c.Export.Delimiter, ";")
		text((*string)(&c.Export.Encoding), "auto")
		text((*string)(&c.Export.Quoting), "rfc4180")
		text(&c.Export.DateFormat, "dd.mm.yyyy")
	}
	text(&c.Dovecot.Login, "mail")
	text(&c.OX.AdminAccess, "all")
	text(&c.OX.ReadUsers, "soap")

	d := schoolmail.Policy{}.WithDefaults()
	number(&c.Naming.MaxUsername, d.Naming.MaxUsername)
	number(&c.Naming.MaxPupilUsername, d.Naming.MaxPupilUsername)
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
}
