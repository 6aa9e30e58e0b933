// Package waveflags is what the programs that carry out a wave of a migration are told alike: the
// section [migrate] of a district file, and flags that overrule it. examples/migrate and
// migrate-machines read the same file, so that a wave does not change with the number of machines.
package waveflags

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site/district"
)

// Settings are the section with what the flags say instead.
type Settings struct {
	district.MigrateSection
	Site, Language string // for the certificate

	allowDeletions, recopy bool
	fromFile, toFile       string
}

// Read reads the district file that args name, if they name one: the servers, the rules, one wave, and
// [site] for the certificate. It comes before the flags are declared, so that they overrule it.
func (s *Settings) Read(args []string) (warnings []string, err error) {
	for i, a := range args {
		name, value, ok := strings.Cut(strings.TrimLeft(a, "-"), "=")
		if name != "config" || !strings.HasPrefix(a, "-") {
			continue
		}
		if !ok && i+1 < len(args) {
			value = args[i+1]
		}
		c, err := district.Load(value, &district.Options{Program: district.Migrate})
		if err != nil {
			return nil, err
		}
		s.MigrateSection, s.Site, s.Language = c.Migrate, c.Site.Name, c.Site.ReportLanguage
		warnings = append(warnings, c.Warnings...)
	}
	return warnings, nil
}

// Declare declares the flags, with what the district file says as defaults.
func (s *Settings) Declare(fs *cli.Flags) {
	fs.String("config", "", "district `file` of the site, section [migrate]; flags overrule it")
	fs.StringVar(&s.From, "from", s.From, "source server `URL`")
	fs.StringVar(&s.To, "to", s.To, "target server `URL`")
	fs.StringVar(&s.fromFile, "from-password", "", "`file` with the source admin's password")
	fs.StringVar(&s.toFile, "to-password", "", "`file` with the target admin's password")
	fs.BoolVar(&s.Insecure, "insecure", s.Insecure, "imap:// without STARTTLS, in clear text")
	for _, side := range []struct {
		name, of          string
		ca, file, command *string
	}{
		{"from", "source", &s.FromCAFile, &s.FromTokenFile, &s.FromTokenCommand},
		{"to", "target", &s.ToCAFile, &s.ToTokenFile, &s.ToTokenCommand}} {
		fs.StringVar(side.ca, side.name+"-ca-file", *side.ca,
			"PEM `file` with the authority that the "+side.of+" server's certificate is trusted by, or the certificate itself")
		fs.StringVar(side.file, side.name+"-token-file", *side.file,
			"`file` with an OAuth token for the "+side.of+", read at each login")
		fs.StringVar(side.command, side.name+"-token-command", *side.command,
			"`command` that prints an OAuth token for the "+side.of+" user MIGRATE_USER, run at each login")
	}
	fs.StringVar(&s.Preset, "preset", s.Preset, "what is known of the source: gmail or exchange")
	fs.IntVar(&s.Attempts, "attempts", s.Attempts,
		"at an account whose connections break without any progress (default 5)")
	fs.StringVar(&s.Timeout, "timeout", s.Timeout, "`duration` of silence until a connection is given up (default 5m)")
	fs.Func("include", "`pattern` of source folders that are taken, with what is below them; may be repeated",
		list(&s.Folders.Only))
	fs.Func("exclude", "`pattern` of source folders that stay behind, with what is below them; may be repeated",
		list(&s.Folders.Skip))
	fs.StringVar(&s.Since, "since", s.Since, "`day`: older messages stay behind, such as 2020-12-31")
	fs.Int64Var(&s.MaxSize, "max-size", s.MaxSize, "`bytes`: larger messages stay behind")
	fs.BoolVar(&s.CopyQuota, "copy-quota", s.CopyQuota,
		"set the source's storage limit at the target, where that allows it")
	fs.StringVar(&s.Users, "users", s.Users, "`file` with accounts: a name on each line, or CSV with a heading")
	fs.IntVar(&s.Parallel, "parallel", s.Parallel, "accounts at a time (default 4)")
	fs.BoolVar(&s.CutOver, "cut-over", s.CutOver, "make it the last run: later ones only bring late mail")
	fs.BoolVar(&s.allowDeletions, "allow-deletions", false,
		"carry out deletions that an earlier run has held back, in this run")
	fs.BoolVar(&s.recopy, "recopy", false,
		"copy again what had been copied before the cut-over and is no longer at the target")
}

// list is a flag that may be repeated.
func list(to *[]string) func(string) error {
	return func(v string) error {
		*to = append(*to, v)
		return nil
	}
}

// Rules returns the folder rules of the section.
func (s *Settings) Rules() migrate.FolderRules {
	f := s.Folders
	r := migrate.FolderRules{Map: f.Map, Skip: f.Skip, Only: f.Only, Virtual: f.Virtual, Forbidden: f.Forbidden,
		NoNameTable: f.NoNameTable, Roles: map[migrate.Role]string{}}
	for k, v := range f.Roles {
		r.Roles[migrate.Role(k)] = v
	}
	return r
}

// TimeWindows returns when the wave may run.
func (s *Settings) TimeWindows() []migrate.Window {
	var list []migrate.Window
	for _, w := range s.Windows {
		list = append(list, migrate.Window{Begin: w.Begin, End: w.End})
	}
	return list
}

// Servers makes servers of the settings.
func (s *Settings) Servers() (from, to migrate.Server, err error) {
	from, err1 := s.server(s.From, s.FromPassword, s.fromFile, s.FromCAFile, s.FromTokenFile, s.FromTokenCommand)
	to, err2 := s.server(s.To, s.ToPassword, s.toFile, s.ToCAFile, s.ToTokenFile, s.ToTokenCommand)
	from.Connections, to.Connections, from.BytesPerSecond = s.FromConnections, s.ToConnections, s.FromBytesPerSecond
	return from, to, errors.Join(err1, err2)
}

func (s *Settings) server(url string, password schoolmail.Secret, file, ca, tokenFile,
	tokenCommand string) (migrate.Server, error) {
	srv, err := migrate.ParseServer(url, s.Insecure)
	if err != nil {
		return srv, err
	}
	if password != "" {
		srv.AdminPassword = password
	}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return srv, fmt.Errorf("migrate: password: %w", err)
		}
		srv.AdminPassword = schoolmail.Secret(strings.TrimRight(string(b), "\r\n"))
	}
	if ca != "" {
		if srv.TLSConfig, err = runner.CAFile(ca); err != nil {
			return srv, err
		}
	}
	switch {
	case tokenFile != "":
		srv.Token = runner.TokenFromFile(tokenFile)
	case tokenCommand != "":
		srv.Token = runner.TokenFromCommand(tokenCommand)
	}
	if s.Timeout != "" {
		if srv.Timeout, err = time.ParseDuration(s.Timeout); err != nil || srv.Timeout <= 0 {
			return srv, fmt.Errorf("migrate: -timeout %q: want a duration such as 5m", s.Timeout)
		}
	}
	return srv, nil
}

// Options makes the migration's options of the settings, with what the preset
// knows of the source.
func (s *Settings) Options(from *migrate.Server) (migrate.Options, error) {
	o := migrate.Options{Folders: s.Rules(), KeepDeleted: s.KeepDeleted, MaxDeleted: s.MaxDeleted,
		AllowDeletions: s.allowDeletions, Recopy: s.recopy, Attempts: s.Attempts, Quota: s.CopyQuota, Flags: s.Flags,
		Limits: migrate.Limits{MaxSize: s.MaxSize}}
	if s.Since != "" {
		day, err := time.Parse(time.DateOnly, s.Since)
		if err != nil {
			return o, fmt.Errorf("migrate: -since %q: want a day such as 2020-12-31", s.Since)
		}
		o.Limits.Since = day
	}
	if s.Preset != "" {
		p, err := migrate.PresetOf(s.Preset)
		if err != nil {
			return o, err
		}
		p.Apply(&o.Folders, from)
	}
	return o, nil
}

// Accounts reads the list of accounts.
func (s *Settings) Accounts() ([]migrate.Account, error) {
	f, err := os.Open(s.Users)
	if err != nil {
		return nil, fmt.Errorf("migrate: accounts: %w", err)
	}
	defer f.Close()
	accounts, err := migrate.ReadAccounts(s.Users, f)
	if err == nil && len(accounts) == 0 {
		err = fmt.Errorf("migrate: %s: no accounts", s.Users)
	}
	return accounts, err
}
