// Package program is migrate-machines.
package program

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/jetstream"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/cli/waveflags"
)

const usage = `migrate-machines brings mailboxes from one IMAP server to another, as migrate does, on any
number of machines. They share a queue in NATS JetStream: each account is with one machine at a
time, and if that dies or is cut off, another one goes on after -lease. Start the same
command on each machine, with the same -run, rules and list of accounts; one of
them without -nats, which then is the server for the others and has to stay.

Servers, folder rules, limits and windows are those of the section [migrate] of -config, as migrate
reads it, or of the flags, which overrule it.

NATS gets names of accounts, counts, digests, flags and certificates, and no passwords or mail.

Usage:

  migrate-machines -run NAME -listen HOST:PORT -token-file FILE -store DIR -config district.toml -state DIR
                                       the first machine
  migrate-machines -run NAME -nats URL -token-file FILE -config district.toml -state DIR
                                       each other one
  migrate-machines ... -from URL -to URL -users FILE -state DIR
                                       without a district file
  migrate-machines -run NAME -nats URL -token-file FILE -status | -pause | -resume | -report FILE
                                       how all of them stand; pause all; go on; the report over all
  migrate-machines -simulate -machines 4 -rates pilot.json -config district.toml -state DIR
                                       how long the wave would take at a pilot's rates

Without -run-now it only says what it would do.

Exit status: 0 done; 1 failed; 2 bad flags; 3 finished, and some accounts failed or are not complete.

Flags:

`

type options struct {
	waveflags.Settings
	run, nats, listen, store, tokenFile  string
	report, rates                        string
	begin, end                           string
	now, status, pause, resume, simulate bool
	machines, replicas                   int
	lease, settle, patience              time.Duration
	token                                string
	source, target                       migrate.Server
	migration                            migrate.Options
	accounts                             []migrate.Account
	window                               []migrate.Window
}

// Main runs the program and returns its exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := cli.NewFlags("migrate-machines", usage, stdout, stderr)
	warnings, err := o.Read(args)
	if err != nil {
		return f.Fail(cli.Usage, err)
	}
	f.Warn(warnings...)
	o.flags(f)
	if status, ok := f.Parse(args); !ok {
		return status
	}
	if err := o.complete(); err != nil {
		return f.Misused("%v", err)
	}
	held, err := o.do(ctx, stdout, stderr)
	switch {
	case err != nil:
		return f.Fail(cli.Failed, err)
	case held:
		return cli.Held
	}
	return cli.Done
}

func (o *options) flags(f *cli.Flags) {
	f.StringVar(&o.run, "run", "", "`name` of the run, the same on all machines: one wave, one night or weekend")
	f.StringVar(&o.nats, "nats", "", "`URL` of NATS; without it a server in this process is started")
	f.StringVar(&o.listen, "listen", "127.0.0.1:4222", "`address` of the server in this process; not on loopback it "+
		"needs -token-file")
	f.StringVar(&o.store, "store", "", "`directory` of the server in this process")
	f.StringVar(&o.tokenFile, "token-file", "", "`file` with the token that NATS asks for")
	o.Declare(f)
	f.StringVar(&o.StateDir, "state", o.StateDir,
		"`directory` for the accounts that this process works at, and for nobody else")
	f.StringVar(&o.report, "report", "", "`file` for the report over all machines, JSON or .html")
	f.StringVar(&o.begin, "begin", "", "`time` from which on to work, such as 2026-11-28T18:00:00+01:00")
	f.StringVar(&o.end, "end", "", "`time` at which to stop")
	f.BoolVar(&o.now, "run-now", false, "do it")
	f.BoolVar(&o.status, "status", false, "print how the run stands over all machines, and end")
	f.BoolVar(&o.pause, "pause", false, "let all machines pause, and end")
	f.BoolVar(&o.resume, "resume", false, "let all machines go on, and end")
	f.BoolVar(&o.simulate, "simulate", false, "say how long the wave would take on -machines at -rates, and end")
	f.IntVar(&o.machines, "machines", 1, "with -simulate, the `number` of machines")
	f.StringVar(&o.rates, "rates", "", "with -simulate, the report (JSON) of a run that has been, a `file`")
	f.IntVar(&o.FromConnections, "from-connections", o.FromConnections,
		"`number` of connections to the source, of all machines together (default 8)")
	f.IntVar(&o.ToConnections, "to-connections", o.ToConnections,
		"`number` of connections to the target, of all machines together (default 8)")
	f.DurationVar(&o.lease, "lease", 30*time.Second, "how long an account stays with a machine that says nothing")
	f.IntVar(&o.replicas, "replicas", 1, "on how many servers of a NATS cluster everything is kept")
	f.DurationVar(&o.patience, "patience", 5*time.Minute,
		"how long a server may be away before this machine gives its accounts to the others, and ends")
	f.DurationVar(&o.settle, "settle", 3*time.Second,
		"how long the target must be at rest before an account that was left in the middle is gone on with")
}

// control reports that nothing is migrated here.
func (o *options) control() bool {
	return o.status || o.pause || o.resume || o.report != "" && (o.From == "" && o.To == "" || !o.now && o.nats != "")
}

func (o *options) complete() error {
	if o.tokenFile != "" {
		token, err := secret(o.tokenFile)
		if err != nil {
			return err
		}
		o.token = token.Reveal()
	}
	if o.run == "" && !o.simulate {
		return errors.New("-run is missing")
	}
	if o.control() {
		if o.nats == "" {
			return errors.New("-status, -pause, -resume and -report ask a run that is under way: -nats is missing")
		}
		return nil
	}
	if o.nats == "" && o.store == "" && !o.simulate {
		return errors.New("-nats or -store is missing")
	}
	for name, v := range map[string]string{"from": o.From, "to": o.To, "users": o.Users, "state": o.StateDir} {
		if v == "" {
			return fmt.Errorf("-%s is missing (or -config with it)", name)
		}
	}
	for n, otherwise := range map[*int]int{&o.Parallel: 4, &o.FromConnections: 8, &o.ToConnections: 8} {
		*n = cmp.Or(*n, otherwise)
	}
	if o.Parallel < 1 || o.machines < 1 || o.FromConnections < 1 || o.ToConnections < 1 {
		return errors.New("-parallel, -machines, -from-connections and -to-connections are at least 1")
	}
	if o.simulate && o.rates == "" {
		return errors.New("-rates is missing: the report of a pilot")
	}
	return o.sides()
}

// sides reads servers, rules, accounts and the windows.
func (o *options) sides() (err error) {
	if o.source, o.target, err = o.Servers(); err != nil {
		return err
	}
	if o.migration, err = o.Options(&o.source); err != nil {
		return err
	}
	o.migration.Settle, o.migration.Patience = o.settle, o.patience
	if o.accounts, err = o.Accounts(); err != nil {
		return err
	}
	if o.window = o.TimeWindows(); o.begin == "" && o.end == "" {
		return nil
	}
	var w migrate.Window
	for text, to := range map[*string]*time.Time{&o.begin: &w.Begin, &o.end: &w.End} {
		if *text == "" {
			continue
		}
		if *to, err = time.Parse(time.RFC3339, *text); err != nil {
			return fmt.Errorf("%q: want a time such as 2026-11-28T18:00:00+01:00", *text)
		}
	}
	o.window = []migrate.Window{w}
	return nil
}

func secret(file string) (schoolmail.Secret, error) {
	b, err := os.ReadFile(file)
	return schoolmail.Secret(strings.TrimSpace(string(b))), err
}

// do reports whether somebody has to look at accounts.
func (o *options) do(ctx context.Context, stdout, stderr io.Writer) (held bool, err error) {
	if o.simulate {
		return false, o.forecast(ctx, stdout)
	}
	if !o.now && !o.control() {
		fmt.Fprintf(stdout, "would migrate %d accounts in the run %s, %d at a time on this machine, with at most %d "+
			"connections to the source and %d to the target from all machines; -run-now does it\n", len(o.accounts), o.run,
			o.Parallel, o.FromConnections, o.ToConnections)
		return false, nil
	}
	url := o.nats
	if url == "" {
		s, err := jetstream.Embed(o.store, o.listen, o.token)
		if err != nil {
			return false, err
		}
		defer s.WaitForShutdown()
		defer s.Shutdown()
		url = s.ClientURL()
		fmt.Fprintf(stdout, "NATS for the other machines: %s\n", url)
	}
	nc, err := jetstream.Connect(url, o.token)
	if err != nil {
		return false, err
	}
	defer nc.Close()
	q, err := jetstream.Open(ctx, nc, &jetstream.Options{Run: o.run, Dir: o.stateDir(), Lease: o.lease,
		Replicas: o.replicas, Logger: slog.New(slog.NewTextHandler(stderr, nil))})
	if err != nil {
		return false, err
	}
	switch {
	case o.status:
		s, err := q.Status(ctx)
		if err != nil {
			return false, err
		}
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return false, e.Encode(s)
	case o.pause, o.resume:
		return false, q.Pause(ctx, o.pause)
	case o.control():
		return o.over(ctx, q, stdout)
	}
	return o.migrate(ctx, q, stdout)
}

// stateDir is none when nothing is migrated.
func (o *options) stateDir() string {
	if o.control() {
		return ""
	}
	return o.StateDir
}

func (o *options) migrate(ctx context.Context, q *jetstream.Queue, stdout io.Writer) (held bool, err error) {
	names := make([]string, len(o.accounts))
	for i, a := range o.accounts {
		names[i] = a.Name
	}
	if err := q.Add(ctx, names); err != nil {
		return false, err
	}
	o.source.Slots, o.target.Slots = q.Slots("source", o.FromConnections), q.Slots("target", o.ToConnections)
	j := &runner.Job{From: o.source, To: o.target, State: o.StateDir, Verify: true, Queue: q, Paused: q.Paused,
		Wave:    migrate.Wave{Name: o.run, Accounts: o.accounts, Windows: o.window, Parallel: o.Parallel, CutOver: o.CutOver},
		Options: o.migration}
	rep, err := j.Run(ctx)
	fmt.Fprintf(stdout, "this machine: %d accounts\n", len(rep.Wave.Accounts))
	if err != nil {
		return false, err
	}
	return o.over(ctx, q, stdout)
}

// over writes the report over all machines.
func (o *options) over(ctx context.Context, q *jetstream.Queue, stdout io.Writer) (held bool, err error) {
	rep, err := q.Report(ctx)
	if err != nil {
		return false, err
	}
	c := rep.Certificate
	c.Site, c.Language = o.Site, o.Language
	if from, to, err := o.Servers(); err == nil {
		c.From, c.To = from.Addr, to.Addr
	}
	fmt.Fprintf(stdout, "all machines: %d of %d accounts complete, %d messages\n", c.Complete, c.Accounts, c.Messages)
	if o.report != "" {
		if err := rep.Write(o.report); err != nil {
			return false, err
		}
	}
	return rep.Problems(), nil
}

// forecast says how long the wave would take.
func (o *options) forecast(ctx context.Context, stdout io.Writer) error {
	raw, err := os.ReadFile(o.rates)
	if err != nil {
		return err
	}
	var pilot runner.Report
	if err := json.Unmarshal(raw, &pilot); err != nil {
		return fmt.Errorf("%s: %w", o.rates, err)
	}
	rates, ok := jetstream.RatesOf(&pilot)
	if !ok {
		return fmt.Errorf("%s: no account was copied in that run", o.rates)
	}
	m := migrate.New(o.source, o.target, o.StateDir, &o.migration)
	left := make([]int, len(o.accounts))
	var g errgroup.Group
	g.SetLimit(o.Parallel)
	for i, a := range o.accounts {
		g.Go(func() error {
			c, err := m.Check(ctx, a)
			if err == nil {
				left[i] = c.Remaining
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	sum := 0
	for _, n := range left {
		sum += n
	}
	fmt.Fprintf(stdout, "%d accounts, %d messages to copy; an account costs %v and %.3f ms a message (%s)\n", len(left),
		sum,
		rates.Account.Round(time.Millisecond), float64(rates.Message)/float64(time.Millisecond), o.rates)
	for n := 1; ; n = min(2*n, o.machines) {
		most := min(o.FromConnections, o.ToConnections)
		fmt.Fprintf(stdout, "%d machines, %d accounts at a time on each, at most %d at all: %v\n", n, o.Parallel, most,
			jetstream.Simulate(left, rates, n, o.Parallel, most).Round(time.Millisecond))
		if n == o.machines {
			return nil
		}
	}
}
