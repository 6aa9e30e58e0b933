package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/dovecot/migrate/spool"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site/district"
)

// spoolConfig is the section [migrate.spool]: where Cyrus' files lie and where the
// Maildirs go.
type spoolConfig district.Spool

// source checks the table and makes the package's values of it.
func (c spoolConfig) source() (spool.Source, *spool.Owner, error) {
	src := spool.Source{Config: c.Config, OldNames: c.OldNames}
	var errs []error
	for name, n := range map[string]int{"meta": len(c.Meta), "archive": len(c.Archive)} {
		if n > 0 && n != len(c.Partitions) {
			errs = append(errs, fmt.Errorf("migrate: [migrate.spool] %s names %d directories for %d partitions", name, n,
				len(c.Partitions)))
		}
	}
	if len(c.Partitions) == 0 {
		errs = append(errs, errors.New("migrate: no spool is named (-spool, or partitions in [migrate.spool])"))
	}
	if !filepath.IsAbs(c.Maildir) || !strings.Contains(c.Maildir, "%u") && !strings.Contains(c.Maildir, "%n") {
		errs = append(errs, errors.New("migrate: -maildir is an absolute path with %u (or %n and %d) for the user, such as "+
			"/srv/mail/%u/Maildir"))
	}
	if c.Layout != spool.LayoutMaildir && c.Layout != spool.LayoutFS {
		errs = append(errs, fmt.Errorf("migrate: the layout is empty or %q, not %q", spool.LayoutFS, c.Layout))
	}
	owner, err := c.owner()
	if err := errors.Join(append(errs, err)...); err != nil {
		return src, nil, err
	}
	for i, data := range c.Partitions {
		p := spool.Partition{Data: data}
		if len(c.Meta) > 0 {
			p.Meta = c.Meta[i]
		}
		if len(c.Archive) > 0 {
			p.Archive = c.Archive[i]
		}
		src.Partitions = append(src.Partitions, p)
	}
	return src, owner, nil
}

func (c spoolConfig) owner() (*spool.Owner, error) {
	if c.Owner == "" {
		return nil, nil
	}
	name, group, ok := strings.Cut(c.Owner, ":")
	uid, err1 := strconv.Atoi(name)
	if err1 != nil {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 = strconv.Atoi(u.Uid)
			if !ok {
				group, ok = u.Gid, true
			}
		}
	}
	gid, err2 := strconv.Atoi(group)
	if err2 != nil {
		if g, err := user.LookupGroup(group); err == nil {
			gid, err2 = strconv.Atoi(g.Gid)
		}
	}
	if err1 != nil || err2 != nil || !ok {
		return nil, fmt.Errorf("migrate: the owner %q is not USER:GROUP of this system", c.Owner)
	}
	return &spool.Owner{UID: uid, GID: gid}, nil
}

// maildir fills in the pattern as Dovecot does for mail_location.
func maildir(pattern, name string) (string, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." {
		return "", fmt.Errorf("migrate: the name %q cannot be part of a path", name)
	}
	local, domain, _ := strings.Cut(name, "@")
	return strings.NewReplacer("%%", "%", "%u", name, "%n", local, "%d", domain).Replace(pattern), nil
}

// convert runs the conversion from disk: plan, or copy and report.
func convert(ctx context.Context, s *settings, stdout io.Writer) (int, error) {
	src, owner, err := spoolConfig(s.Spool).source()
	if err != nil {
		return cli.Usage, err
	}
	p := newProgress(stdout, cli.IsTerminal(stdout) && !s.plan)
	defer p.done()
	o := &spool.Options{Folders: s.Rules(), Separator: s.Spool.Separator, Prefix: s.Spool.Prefix, Layout: s.Spool.Layout,
		Owner:       owner,
		KeepDeleted: s.KeepDeleted, MaxDeleted: s.MaxDeleted, Parallel: s.Parallel, NoSync: s.Spool.NoSync}
	logins := map[string]migrate.Account{}
	if s.From != "" {
		from, to, err := s.Servers()
		if err != nil {
			return cli.Usage, err
		}
		m := migrate.New(from, to, s.StateDir, &migrate.Options{Folders: s.Rules()})
		o.FolderPlan = func(ctx context.Context, name string) (*migrate.FolderPlan,
			error) {
			return m.Plan(ctx, logins[name])
		}
	}
	var mu sync.Mutex
	status := migrate.WaveStatus{Wave: s.Wave, State: "running"}
	o.Observer = migrate.ObserverFunc(func(e migrate.Event) {
		p.Observe(e)
		if _, ok := e.(migrate.Finished); ok {
			mu.Lock()
			defer mu.Unlock()
			status.Finished++
			p.wave(status)
		}
	})
	c := spool.New(src, s.StateDir, o)
	accounts, err := s.spoolAccounts(c, logins)
	if err != nil {
		return cli.Usage, err
	}
	if bad, err := c.Unreadable(); err != nil {
		return cli.Failed, err
	} else if len(bad) > 0 {
		fmt.Fprintf(stdout, "mailboxes whose owner cannot be read (reconstruct mends them): %s\n", strings.Join(bad, ", "))
	}
	if s.plan {
		return spoolPlan(ctx, c, accounts, stdout)
	}
	status.Accounts = len(accounts)
	p.wave(status)
	outcomes := c.ConvertAll(ctx, accounts)
	p.done()
	code := spoolSummary(stdout, outcomes)
	if ctx.Err() != nil {
		code, err = cli.Failed, ctx.Err()
	}
	if s.report != "" {
		rep := Report{}
		for _, out := range outcomes {
			r := SpoolReport{Result: out.Result}
			if out.Err != nil {
				r.Error = out.Err.Error()
			}
			if r.Result == nil {
				r.Result = &spool.Result{Account: out.Account.Name}
			}
			rep.Spool = append(rep.Spool, r)
		}
		text, e := json.MarshalIndent(&rep, "", "  ")
		if e = errors.Join(e, atomicfile.WriteBytes(s.report, atomicfile.Private, append(text, '\n'))); e != nil {
			return cli.Failed, errors.Join(err, fmt.Errorf("migrate: report: %w", e))
		}
	}
	return code, err
}

// Report is what -report writes.
type Report struct {
	runner.Report
	Spool []SpoolReport `json:"spool,omitempty"` // of a conversion from disk
}

// SpoolReport is one account of a conversion in a report.
type SpoolReport struct {
	*spool.Result
	Error string `json:"error,omitempty"`
}

// spoolAccounts are those of the list, or all that the spool has.
func (s *settings) spoolAccounts(c *spool.Converter, logins map[string]migrate.Account) ([]spool.Account, error) {
	var list []migrate.Account
	if s.Users != "" {
		f, err := os.Open(s.Users)
		if err != nil {
			return nil, fmt.Errorf("migrate: accounts: %w", err)
		}
		defer f.Close()
		if list, err = migrate.ReadAccounts(s.Users, f); err != nil {
			return nil, err
		}
	} else {
		names, err := c.Accounts()
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			list = append(list, migrate.Account{Name: n, Source: migrate.Login{User: n}, Target: migrate.Login{User: n}})
		}
	}
	if len(list) == 0 {
		return nil, errors.New("migrate: no accounts")
	}
	var out []spool.Account
	var errs []error
	for _, a := range list {
		logins[a.Name] = a
		target := or(a.Target.User, a.Name)
		dir, err := maildir(s.Spool.Maildir, target)
		if err != nil {
			errs = append(errs, err)
		}
		out = append(out, spool.Account{Name: a.Name, Source: a.Source.User, Maildir: dir})
	}
	return out, errors.Join(errs...)
}

func spoolPlan(ctx context.Context, c *spool.Converter, accounts []spool.Account, w io.Writer) (int, error) {
	var errs []error
	for _, a := range accounts {
		p, err := c.Plan(ctx, a)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", a.Name, a.Maildir)
		for _, f := range p.Folders {
			fmt.Fprintf(w, "  %-28s -> %-24s (%s), up to %d messages, UIDVALIDITY %d\n", f.Source, f.Target, f.Why, f.Messages,
				f.UIDValidity)
		}
		writeLeft(w, "  ", p.LeftBehind)
		for _, f := range p.Findings {
			fmt.Fprintf(w, "  note: %s\n", f)
		}
	}
	if len(errs) > 0 {
		return cli.Held, errors.Join(errs...)
	}
	return cli.Done, nil
}

func writeLeft(w io.Writer, indent string, left []spool.LeftBehind) {
	for _, l := range left {
		text := l.Text
		if text != "" {
			text = ": " + text
		}
		fmt.Fprintf(w, "%snot converted: %q, %d messages (%s%s)\n", indent, l.Source, l.Messages, l.Why, text)
	}
}

// spoolSummary prints what is left to look at and chooses the exit code.
func spoolSummary(w io.Writer, outcomes []spool.Outcome) int {
	code := cli.Done
	for _, o := range outcomes {
		if o.Err != nil {
			code = cli.Held
			if o.Result == nil { // else the progress has shown it
				fmt.Fprintln(w, o.Err)
			}
		}
		if o.Result == nil {
			continue
		}
		writeLeft(w, o.Account.Name+": ", o.Result.LeftBehind)
		for _, p := range o.Result.Problems {
			fmt.Fprintf(w, "%s: folder %q, UID %d: %s: %s %s\n", o.Account.Name, p.Folder, p.UID, p.Kind, p.Text, p.Path)
			if p.Kind == spool.ProblemFolder || p.Kind == spool.ProblemHeldBack {
				code = cli.Held
			}
		}
		for _, f := range o.Result.Findings {
			fmt.Fprintf(w, "%s: %s\n", o.Account.Name, f)
		}
		if o.Result.Total.Failed > 0 {
			code = cli.Held
		}
	}
	return code
}
