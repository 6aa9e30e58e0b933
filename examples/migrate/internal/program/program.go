// Package program is the command line of examples/migrate: flags and
// configuration, progress on a terminal or in lines, reports, exit codes. All
// work is done by package dovecot/migrate.
package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/cli/waveflags"
	"github.com/ictmedia/schoolmail/internal/humansize"
)

const usage = `migrate brings mailboxes from one IMAP server to another.

Usage:

  migrate -from URL -to URL [flags]
  migrate -config district.toml [flags]
  migrate -spool DIR -maildir PATTERN [flags]
  migrate
      a demonstration on two servers in the process

URLs are imaps://ADMIN@HOST or imap://ADMIN@HOST (which demands STARTTLS); the
admin acts for the users of the list by SASL PLAIN. Without -users, user and
password of the URLs are those of the one mailbox. Passwords may stand in the
URL, in the configuration, or in the files of -from-password and -to-password.

With -spool the first copy is made from Cyrus' files on disk into Maildirs, with
UIDs and UIDVALIDITY kept; run it as often as you like, and then migrate over
IMAP with the same -state, which brings the rest:

  migrate -spool /var/spool/cyrus/mail -spool-config /var/lib/cyrus \
          -maildir /srv/mail/%u/Maildir -users pilot.txt -state /var/lib/migrate -plan

Without -users it takes everybody in the spool. With -from and -to as well the
folders are planned over IMAP, which knows of special use. The section
[migrate.spool] of the district file has more; -convert does what it says.

To pause, make the file PAUSE in the state directory; remove it to go on. How the
wave stands is in wave.json there, for a monitor. A server that cannot be reached or
asks to wait pauses the wave by itself.
Exit codes: 0 done, 1 failed or interrupted, 2 bad flags or files, 3 done with
failures, missing messages or held-back accounts (see the report).

Flags:

`

type settings struct {
	waveflags.Settings
	plan, verify, noCopy bool
	convert              bool
	sample               float64
	report               string
}

// Main runs the program and returns its exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, status, ok := parse(args, stdout, stderr)
	if !ok {
		return status
	}
	if len(args) == 0 {
		if err := demo(ctx, stdout); err != nil {
			fmt.Fprintln(stderr, err)
			return cli.Failed
		}
		return cli.Done
	}
	if s.convert {
		code, err := convert(ctx, s, stdout)
		if err != nil {
			fmt.Fprintln(stderr, err)
		}
		return code
	}
	from, to, accounts, err := s.sides()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return cli.Usage
	}
	code, err := run(ctx, s, from, to, accounts, stdout)
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return code
}

// parse reads the flags and the district file; if goOn is false the program ends with
// the status.
func parse(args []string, stdout, stderr io.Writer) (s *settings, status int, goOn bool) {
	s = &settings{}
	fs := cli.NewFlags("migrate", usage, stdout, stderr)
	warnings, err := s.Read(args)
	if err != nil {
		return nil, fs.Fail(cli.Usage, err), false
	}
	fs.Warn(warnings...)
	spoolDirs := s.flags(fs)
	if status, ok := fs.Parse(args); !ok {
		return nil, status, false
	}
	if *spoolDirs != "" {
		s.convert = true
		s.Spool.Partitions = strings.Split(*spoolDirs, ",")
	}
	if err := s.check(len(args) > 0); err != nil {
		return nil, fs.Misused("%v", err), false
	}
	return s, 0, true
}

// flags declares the flags, with what the district file says as defaults.
func (s *settings) flags(fs *cli.Flags) (spoolDirs *string) {
	s.Declare(fs)
	fs.StringVar(&s.StateDir, "state", or(s.StateDir, "migrate-state"), "state `directory`")
	fs.StringVar(&s.Wave, "wave", or(s.Wave, "migration"), "`name` of the wave in reports")
	fs.BoolVar(&s.plan, "plan", false, "only show where each folder would go")
	fs.BoolVar(&s.verify, "verify", false, "compare both sides afterwards")
	fs.BoolVar(&s.noCopy, "no-copy", false, "with -verify: compare only")
	fs.Float64Var(&s.sample, "sample", 1, "with -verify: share of messages compared by content")
	fs.StringVar(&s.report, "report", "", "`file` for the report: JSON, or a page if it ends in .html (needs -verify)")
	spoolDirs = fs.String("spool", "", "convert from disk: Cyrus' partition `directory`, several with commas")
	fs.StringVar(&s.Spool.Config, "spool-config", s.Spool.Config,
		"Cyrus' configdirectory: subscriptions, and what users have read before 2.4")
	fs.BoolVar(&s.Spool.OldNames, "spool-old-names", s.Spool.OldNames,
		"unixhierarchysep is off at Cyrus, the default before 3.0")
	fs.StringVar(&s.Spool.Maildir, "maildir", s.Spool.Maildir,
		"`pattern` of the Maildirs: %u is the user, %n and %d its parts")
	fs.StringVar(&s.Spool.Owner, "owner", s.Spool.Owner,
		"`USER:GROUP` of the Maildirs (default: of the directory they are in)")
	fs.BoolVar(&s.convert, "convert", false, "convert from disk as [migrate.spool] of the district file says")
	return spoolDirs
}

// check finds flags that do not go together; given says that there are any.
func (s *settings) check(given bool) error {
	switch {
	case s.convert && (s.verify || s.noCopy || s.CutOver):
		return errors.New("-verify, -no-copy and -cut-over belong to the migration over IMAP, not to the conversion " +
			"from disk")
	case s.convert && strings.HasSuffix(s.report, ".html"):
		return errors.New("the report of a conversion is JSON")
	case s.convert && (s.From == "") != (s.To == ""):
		return errors.New("to plan over IMAP both -from and -to are needed")
	case s.convert:
		_, _, err := spoolConfig(s.Spool).source()
		return err
	case given && (s.From == "" || s.To == ""):
		return errors.New("-from and -to are needed (or -config with both)")
	case strings.HasSuffix(s.report, ".html") && !s.verify:
		return errors.New("a report in HTML needs -verify")
	case s.noCopy && !s.verify:
		return errors.New("-no-copy needs -verify")
	case s.sample <= 0 || s.sample > 1:
		return errors.New("-sample is more than 0 and at most 1")
	}
	return nil
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// sides makes servers and accounts of the settings.
func (s *settings) sides() (from, to migrate.Server, accounts []migrate.Account, err error) {
	if from, to, err = s.Servers(); err != nil {
		return from, to, nil, err
	}
	if s.Users == "" {
		if from.Admin == "" || to.Admin == "" {
			return from, to, nil, errors.New("migrate: without -users both URLs need a user")
		}
		return from, to, []migrate.Account{{
			Name:   to.Admin,
			Source: migrate.Login{User: from.Admin, Password: own(from)},
			Target: migrate.Login{User: to.Admin, Password: own(to)},
		}}, nil
	}
	accounts, err = s.Accounts()
	return from, to, accounts, err
}

// own is the password of the one mailbox, none where a token takes its place.
func own(s migrate.Server) schoolmail.Secret {
	if s.Token != nil {
		return ""
	}
	return s.AdminPassword
}

func run(ctx context.Context, s *settings, from, to migrate.Server, accounts []migrate.Account,
	stdout io.Writer) (int, error) {
	return runWith(ctx, s, from, to, accounts, stdout, newProgress(stdout, cli.IsTerminal(stdout)))
}

func runWith(ctx context.Context, s *settings, from, to migrate.Server, accounts []migrate.Account, stdout io.Writer,
	p *progress) (int, error) {
	defer p.done()
	o, err := s.Options(&from)
	if err != nil {
		return cli.Usage, err
	}
	o.Observer = p
	j := &runner.Job{
		From: from, To: to, State: s.StateDir, NoCopy: s.noCopy, Verify: s.verify, Sample: s.sample, Report: s.report,
		Wave: migrate.Wave{Name: s.Wave, Accounts: accounts, Windows: s.TimeWindows(), Parallel: s.Parallel,
			CutOver: s.CutOver},
		Options: o, Site: s.Site, Language: s.Language,
	}
	if s.plan {
		return plan(ctx, j.Migrator(), accounts, stdout)
	}
	rep, err := j.Run(ctx)
	p.done()
	if rep.Wave != nil {
		summary(stdout, rep.Wave)
	}
	if rep.Certificate != nil {
		certified(stdout, rep.Certificate)
	}
	switch {
	case errors.Is(err, migrate.ErrHeldBack), err == nil && rep.Problems():
		return cli.Held, err
	case err != nil:
		return cli.Failed, err
	}
	return cli.Done, nil
}

func plan(ctx context.Context, m *migrate.Migrator, accounts []migrate.Account, w io.Writer) (int, error) {
	var errs []error
	for _, a := range accounts {
		p, err := m.Plan(ctx, a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		writePlan(w, a.Name, p)
	}
	if len(errs) > 0 {
		return cli.Held, errors.Join(errs...)
	}
	return cli.Done, nil
}

func writePlan(w io.Writer, account string, p *migrate.FolderPlan) {
	fmt.Fprintf(w, "%s\n", account)
	messages, left := 0, 0
	for _, m := range p.Mappings {
		note := ""
		if m.Create {
			note = ", new"
		}
		fmt.Fprintf(w, "  %-28s -> %-24s (%s%s): %d messages%s, %d to copy\n", m.Source, m.Target, m.Why, note, m.Messages,
			size(m.Bytes), m.Remaining)
		messages, left = messages+m.Messages, left+m.Remaining
	}
	fmt.Fprintf(w, "  in all %d messages, %d to copy\n", messages, left)
	for _, s := range p.Skipped {
		fmt.Fprintf(w, "  left behind: %s\n", s)
	}
	for _, f := range p.Findings {
		fmt.Fprintf(w, "  note: %s\n", f)
	}
}

// size is a number of bytes after a comma, nothing where the source does not tell.
func size(bytes int64) string {
	if bytes < 0 {
		return ""
	}
	return ", " + humansize.Bytes(bytes)
}

// certified prints what the comparison has found.
func certified(w io.Writer, sum *migrate.WaveCertificate) {
	fmt.Fprintf(w, "verified: %d of %d mailboxes complete, %d messages, %s, %d missing\n", sum.Complete, sum.Accounts,
		sum.Messages, humansize.Bytes(sum.Bytes), sum.Missing)
	for _, c := range sum.Each {
		if c.Complete {
			continue
		}
		fmt.Fprintf(w, "  %s: %d missing %s\n", c.Account, c.Total().Missing, c.Error)
		for _, d := range c.Doubtful {
			fmt.Fprintf(w, "  %s: in doubt: %s\n", c.Account, d)
		}
		for _, f := range c.Folders { // only where something is wrong
			if f.Missing > 0 {
				fmt.Fprintf(w, "  %s: %q: %d of %d messages missing\n", c.Account, f.Target, f.Missing, f.SourceMessages)
			}
		}
	}
}

// summary prints what is left to look at.
func summary(w io.Writer, r *migrate.WaveResult) {
	for _, a := range r.Accounts {
		if a.Reason != "" {
			fmt.Fprintf(w, "%s: %s\n", a.Account, a.Reason)
		}
		if a.Result == nil {
			continue
		}
		for _, p := range a.Result.Problems {
			fmt.Fprintf(w, "%s: folder %q, UID %d: %s: %s\n", a.Account, p.Folder, p.UID, p.Kind, p.Text)
		}
		for _, f := range a.Result.Findings {
			fmt.Fprintf(w, "%s: %s\n", a.Account, f)
		}
	}
}
