// Package program is migrate-machines.
package program

import (
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
)

const usage = `migrate-machines brings mailboxes from one IMAP server to another, as migrate does, on any
number of machines. They share a queue in NATS JetStream: each account is with one machine at a
time, and if that dies or is cut off, another one goes on after -lease. Start the same
command on each machine, with the same -run and the same list of accounts; one of
them without -nats, which then is the server for the others and has to stay.

NATS gets names of accounts, counts, digests, flags and certificates, and no passwords or mail.

Usage:

  migrate-machines -run NAME -listen HOST:PORT -token-file FILE -store DIR -from URL -to URL -users FILE -state DIR
                                       the first machine
  migrate-machines -run NAME -nats URL -token-file FILE -from URL -to URL -users FILE -state DIR
                                       each other one
  migrate-machines -run NAME -nats URL -token-file FILE -status | -pause | -resume | -report FILE
                                       how all of them stand; pause all; go on; the report over all
  migrate-machines -simulate -machines 4 -rates pilot.json -from URL -to URL -users FILE -state DIR
                                       how long the wave would take at a pilot's rates

Without -run-now it only says what it would do.

Exit status: 0 done; 1 failed; 2 bad flags; 3 finished, and some accounts failed or are not complete.

Flags:

`

type options struct {
	run, nats, listen, store, tokenFile string
	from, to, fromFile, toFile          string
	users, state, report, rates         string
	begin, end                          string
	insecure, cutOver, now              bool
	status, pause, resume, simulate     bool
	machines, parallel, fromMax, toMax  int
	lease                               time.Duration
	replicas                            int
	settle, patience                    time.Duration
	token                               string
	source, target                      migrate.Server
	accounts                            []migrate.Account
	window                              []migrate.Window
}

// Main runs the program and returns its exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	f := cli.NewFlags("migrate-machines", usage, stdout, stderr)
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
	f.StringVar(&o.from, "from", "", "source server `URL`")
	f.StringVar(&o.to, "to", "", "target server `URL`")
	f.StringVar(&o.fromFile, "from-password", "", "`file` with the source admin's password")
	f.StringVar(&o.toFile, "to-password", "", "`file` with the target admin's password")
	f.BoolVar(&o.insecure, "insecure", false, "imap:// without STARTTLS, in clear text")
	f.StringVar(&o.users, "users", "", "`file` with the accounts, as migrate reads it")
	f.StringVar(&o.state, "state", "", "`directory` for the accounts that this process works at, and for nobody else")
	f.StringVar(&o.report, "report", "", "`file` for the report over all machines, JSON or .html")
	f.StringVar(&o.begin, "begin", "", "`time` from which on to work, such as 2026-11-28T18:00:00+01:00")
	f.StringVar(&o.end, "end", "", "`time` at which to stop")
	f.BoolVar(&o.cutOver, "cutover", false, "the last run: the target belongs to its users afterwards")
	f.BoolVar(&o.now, "run-now", false, "do it")
	f.BoolVar(&o.status, "status", false, "print how the run stands over all machines, and end")
	f.BoolVar(&o.pause, "pause", false, "let all machines pause, and end")
	f.BoolVar(&o.resume, "resume", false, "let all machines go on, and end")
	f.BoolVar(&o.simulate, "simulate", false, "say how long the wave would take on -machines at -rates, and end")
	f.IntVar(&o.machines, "machines", 1, "with -simulate, the `number` of machines")
	f.StringVar(&o.rates, "rates", "", "with -simulate, the report (JSON) of a run that has been, a `file`")
	f.IntVar(&o.parallel, "parallel", 4, "`number` of accounts at a time on this machine")
	f.IntVar(&o.fromMax, "from-connections", 8, "`number` of connections to the source, of all machines together")
	f.IntVar(&o.toMax, "to-connections", 8, "`number` of connections to the target, of all machines together")
	f.DurationVar(&o.lease, "lease", 30*time.Second, "how long an account stays with a machine that says nothing")
	f.IntVar(&o.replicas, "replicas", 1, "on how many servers of a NATS cluster everything is kept")
	f.DurationVar(&o.patience, "patience", 5*time.Minute,
		"how long a server may be away before this machine gives its accounts to the others, and ends")
	f.DurationVar(&o.settle, "settle", 3*time.Second,
		"how long the target must be at rest before an account that was left in the middle is gone on with")
}

// control reports that nothing is migrated here.
func (o *options) control() bool {
	return o.status || o.pause || o.resume || o.report != "" && o.from == "" && o.to == ""
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
	for name, v := range map[string]string{"from": o.from, "to": o.to, "users": o.users, "state": o.state} {
		if v == "" {
			return fmt.Errorf("-%s is missing", name)
		}
	}
	if o.parallel < 1 || o.machines < 1 || o.fromMax < 1 || o.toMax < 1 {
		return errors.New("-parallel, -machines, -from-connections and -to-connections are at least 1")
	}
	if o.simulate && o.rates == "" {
		return errors.New("-rates is missing: the report of a pilot")
	}
	return o.sides()
}

// sides reads servers, accounts and the window.
func (o *options) sides() (err error) {
	for _, s := range []struct {
		url, file string
		to        *migrate.Server
	}{{o.from, o.fromFile, &o.source}, {o.to, o.toFile, &o.target}} {
		if *s.to, err = migrate.ParseServer(s.url, o.insecure); err != nil {
			return err
		}
		if s.file != "" {
			if s.to.AdminPassword, err = secret(s.file); err != nil {
				return err
			}
		}
	}
	list, err := os.Open(o.users)
	if err != nil {
		return err
	}
	defer list.Close()
	if o.accounts, err = migrate.ReadAccounts(o.users, list); err != nil {
		return err
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
			o.parallel, o.fromMax, o.toMax)
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

// stateDir is where no state comes to lie when nothing is migrated.
func (o *options) stateDir() string {
	if o.state == "" {
		return os.TempDir()
	}
	return o.state
}

func (o *options) migrate(ctx context.Context, q *jetstream.Queue, stdout io.Writer) (held bool, err error) {
	names := make([]string, len(o.accounts))
	for i, a := range o.accounts {
		names[i] = a.Name
	}
	if err := q.Add(ctx, names); err != nil {
		return false, err
	}
	o.source.Slots, o.target.Slots = q.Slots("source", o.fromMax), q.Slots("target", o.toMax)
	j := &runner.Job{From: o.source, To: o.target, State: o.state, Verify: true, Queue: q, Paused: q.Paused,
		Wave:    migrate.Wave{Name: o.run, Accounts: o.accounts, Windows: o.window, Parallel: o.parallel, CutOver: o.cutOver},
		Options: migrate.Options{Settle: o.settle, Patience: o.patience}}
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
	m := migrate.New(o.source, o.target, o.state, nil)
	left := make([]int, len(o.accounts))
	var g errgroup.Group
	g.SetLimit(o.parallel)
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
		fmt.Fprintf(stdout, "%d machines, %d accounts at a time on each, at most %d at all: %v\n", n, o.parallel,
			min(o.fromMax, o.toMax), jetstream.Simulate(left, rates, n, o.parallel, min(o.fromMax, o.toMax)).
				Round(time.Millisecond))
		if n == o.machines {
			return nil
		}
	}
}
