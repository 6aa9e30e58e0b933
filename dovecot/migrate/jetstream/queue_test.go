package jetstream

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
)

const term = 2 * time.Second // of leases

func embedded(t *testing.T) *server.Server {
	t.Helper()
	s, err := Embed(t.TempDir(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s
}

// machine joins a run; die ends its connection as the end of a machine does.
func machine(t *testing.T, s *server.Server, run string) (q *Queue, die func()) {
	t.Helper()
	nc, err := Connect(s.ClientURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if q, err = Open(t.Context(), nc, &Options{Run: run, Dir: t.TempDir(), Lease: term}); err != nil {
		t.Fatal(err)
	}
	return q, nc.Close
}

func add(t *testing.T, q *Queue, accounts ...string) {
	t.Helper()
	if err := q.Add(t.Context(), accounts); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, q *Queue) *lease {
	t.Helper()
	l, err := q.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l.(*lease)
}

func finish(t *testing.T, l *lease, again bool) {
	t.Helper()
	res := migrate.AccountResult{Account: l.Account(), Stage: migrate.Delta}
	if again {
		res.Stage, res.Reason = migrate.Failed, "a passing reason"
	}
	if err := l.Done(t.Context(), res, again); err != nil {
		t.Fatal(err)
	}
}

// An account is with one machine at a time, also when it has more than one ticket, and done once.
func TestOneHolder(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	a, _ := machine(t, s, "r")
	b, _ := machine(t, s, "r")
	add(t, a, "anna", "bert")
	add(t, b, "anna", "bert")
	for range 2 { // tickets too many, which the server does not know for that
		raw := []byte(`{"key":"` + keyOf("anna") + `","pass":1}`)
		if _, err := b.js.Publish(t.Context(), "migrate-r."+keyOf("anna"), raw); err != nil {
			t.Fatal(err)
		}
	}
	one, two := next(t, a), next(t, b)
	if one.Account() != "anna" || two.Account() != "bert" {
		t.Errorf("%s and %s", one.Account(), two.Account())
	}
	for range 4 {
		if l, err := b.take(t.Context()); l != nil || err != nil {
			t.Fatalf("more than there is: %v, %v", l, err)
		}
	}
	finish(t, one, false)
	finish(t, two, false)
	for _, q := range []*Queue{a, b} {
		if _, err := q.Next(t.Context()); !errors.Is(err, migrate.ErrNoneLeft) {
			t.Errorf("%v", err)
		}
	}
	add(t, a, "anna", "bert") // a machine that comes late
	if _, err := a.Next(t.Context()); !errors.Is(err, migrate.ErrNoneLeft) {
		t.Errorf("done once more: %v", err)
	}
}

// The lease of a machine that works is renewed; that of a dead one runs out: it notices before, and
// another one takes the account over as one that was left in the middle.
func TestTakenOver(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	a, die := machine(t, s, "r")
	b, _ := machine(t, s, "r")
	add(t, a, "anna")
	l := next(t, a)
	ctx, stop := context.WithTimeout(t.Context(), 2*term)
	defer stop()
	if got, err := b.Next(ctx); err == nil {
		t.Fatalf("%s is with two machines", got.Account())
	}
	work, done := l.Context(t.Context())
	defer done()
	if err := os.WriteFile(a.files("anna")[1], []byte("kept\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.Checkpoint(work)
	if err := os.WriteFile(a.files("anna")[1], []byte("learnt afterwards\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	die()
	select {
	case <-work.Done():
	case <-time.After(term):
		t.Fatal("the dead machine goes on")
	}
	if !errors.Is(context.Cause(work), errLost) {
		t.Errorf("%v", context.Cause(work))
	}
	over := next(t, b)
	if over.Account() != "anna" {
		t.Error(over.Account())
	}
	if _, err := os.Stat(b.files("anna")[0]); err != nil {
		t.Errorf("not marked as left in the middle: %v", err)
	}
	if notes, err := os.ReadFile(b.files("anna")[1]); string(notes) != "kept\n" {
		t.Errorf("not what the dead machine kept when it began: %q, %v", notes, err)
	}
	finish(t, l, false) // the dead machine has nothing to say
	if st, err := b.Status(t.Context()); err != nil || st.Finished != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	finish(t, over, false)
	if st, err := b.Status(t.Context()); err != nil || st.Finished != 1 || st.State != "finished" {
		t.Errorf("%+v, %v", st, err)
	}
}

// What is given back goes on at another machine with its state, and is not taken for left.
func TestGivenBack(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	a, _ := machine(t, s, "r")
	b, _ := machine(t, s, "r")
	add(t, a, "anna")
	l := next(t, a)
	for i, file := range a.files("anna") {
		if err := os.WriteFile(file, []byte{'s', byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Return(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.files("anna")[0]); err == nil {
		t.Error("the state stays where nobody works with it")
	}
	l = next(t, b)
	for i, file := range b.files("anna") {
		if got, err := os.ReadFile(file); err != nil || string(got) != string([]byte{'s', byte(i)}) {
			t.Errorf("%q, %v", got, err)
		}
	}
	finish(t, l, false)
}

// Who fails for a passing reason gets a second chance behind all others, and no third.
func TestSecondPass(t *testing.T) {
	t.Parallel()
	q, _ := machine(t, embedded(t), "r")
	add(t, q, "anna", "bert")
	var order []string
	for {
		l, err := q.Next(t.Context())
		if errors.Is(err, migrate.ErrNoneLeft) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, l.Account())
		finish(t, l.(*lease), l.Account() == "anna")
	}
	if len(order) != 3 || order[0] != "anna" || order[1] != "bert" || order[2] != "anna" {
		t.Errorf("%v", order)
	}
	rep, err := q.Report(t.Context())
	if err != nil || rep.Wave.Failed() != 1 || rep.Certificate.Accounts != 2 || rep.Certificate.Complete != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A machine that was ended before it gave the second ticket out loses no account.
func TestSecondTicketIsMissing(t *testing.T) {
	t.Parallel()
	q, _ := machine(t, embedded(t), "r")
	add(t, q, "anna")
	l := next(t, q)
	l.rec.Phase, l.rec.Pass = queued, 2
	if _, err := q.write(t.Context(), l.key, l.rec, l.revision); err != nil {
		t.Fatal(err)
	}
	l.end()
	if again := next(t, q); again.rec.Pass != 2 {
		t.Errorf("%+v", again.rec)
	}
}

// All machines together have no more connections than a server allows; those of a dead one are free
// after a while.
func TestSharedLimit(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	a, die := machine(t, s, "r")
	b, _ := machine(t, s, "another-run")
	of := func(q *Queue) migrate.Slots { return q.Slots("source", 2) }
	one, ok := of(a).TryAcquire()
	if !ok {
		t.Fatal("none of two")
	}
	if _, ok := of(a).TryAcquire(); !ok {
		t.Fatal("one of two")
	}
	if _, ok := of(b).TryAcquire(); ok {
		t.Fatal("three of two")
	}
	if _, ok := b.Slots("target", 1).TryAcquire(); !ok {
		t.Error("the other server has its own")
	}
	one()
	free, ok := of(b).TryAcquire()
	if !ok {
		t.Fatal("what was released is not free")
	}
	if err := sleep(t.Context(), 2*term); err != nil {
		t.Fatal(err)
	}
	if _, ok := of(b).TryAcquire(); ok {
		t.Error("a machine that lives has lost a connection")
	}
	die()
	if _, err := of(b).Acquire(t.Context()); err != nil {
		t.Error(err)
	}
	free()
}

func TestPause(t *testing.T) {
	t.Parallel()
	s := embedded(t)
	a, _ := machine(t, s, "r")
	b, die := machine(t, s, "r")
	add(t, a, "anna")
	for _, want := range []bool{true, false, true} {
		if err := a.Pause(t.Context(), want); err != nil || b.Paused() != want {
			t.Errorf("%v, %v, want %v", b.Paused(), err, want)
		}
	}
	die()
	if !b.Paused() {
		t.Error("a machine that hears nothing goes on")
	}
}

// Nobody but the machines may speak to the server.
func TestToken(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", "example.org:4222", "4222", "127.0.0.1:x"} {
		if s, err := Embed(t.TempDir(), addr, ""); err == nil {
			s.Shutdown()
			t.Errorf("%s without a token", addr)
		}
	}
	s, err := Embed(t.TempDir(), "127.0.0.1:0", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	for token, ok := range map[string]bool{"": false, "wrong": false, "secret": true} {
		nc, err := Connect(s.ClientURL(), token)
		if (err == nil) != ok {
			t.Errorf("token %q: %v", token, err)
		}
		if nc != nil {
			nc.Close()
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"no run": {}, "a dot": {Run: "a.b"}, "short lease": {Run: "a",
		Lease: time.Second}} {
		if err := o.complete(); err == nil {
			t.Errorf("%s: nothing to complain of", name)
		}
	}
	if _, err := Open(t.Context(), nil, nil); err == nil {
		t.Error("no options: a run without a name")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 20, 0, 0, 0, time.UTC)
	all := []record{{Phase: done, Begin: at, Messages: 10}, {Phase: done, Begin: at.Add(time.Minute), Failed: true},
		{Phase: working, Begin: at.Add(2 * time.Minute)}, {Phase: queued}, {Phase: queued}}
	got := statusOf("r", all, at.Add(10*time.Minute))
	want := migrate.WaveStatus{Wave: "r", State: "running", Accounts: 5, Finished: 2, Failed: 1, Messages: 10,
		ETA: 15 * time.Minute}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s := statusOf("r", all[3:], at); s.State != "waiting" || s.ETA != 0 {
		t.Errorf("%+v", s)
	}
}

func TestSimulate(t *testing.T) {
	t.Parallel()
	r := Rates{Account: time.Second, Message: 10 * time.Millisecond}
	many := make([]int, 32000)
	for i := range many {
		many[i] = 900 // ten seconds each
	}
	for _, c := range []struct {
		messages                        []int
		machines, parallel, connections int
		want                            time.Duration
	}{
		{nil, 1, 1, 0, 0},
		{[]int{100}, 5, 5, 0, 2 * time.Second},
		{[]int{100, 100, 100}, 1, 1, 0, 6 * time.Second},
		{[]int{100, 100, 100}, 1, 2, 0, 4 * time.Second},
		{[]int{900, 0, 0, 0}, 1, 2, 0, 10 * time.Second}, // the largest one alone
		{many, 1, 4, 0, 80000 * time.Second},
		{many, 4, 4, 0, 20000 * time.Second},
		{many, 4, 4, 8, 40000 * time.Second}, // the servers' limit
	} {
		if got := Simulate(c.messages, r, c.machines, c.parallel, c.connections); got != c.want {
			t.Errorf("%d accounts, %d machines: %v, want %v", len(c.messages), c.machines, got, c.want)
		}
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	report := func(copied ...int) *runner.Report {
		w := &migrate.WaveResult{}
		for _, n := range copied {
			w.Accounts = append(w.Accounts, migrate.AccountResult{Result: &migrate.Result{Copied: n,
				Duration: time.Second + time.Duration(n)*time.Millisecond}})
		}
		return &runner.Report{Wave: w}
	}
	near := func(got, want time.Duration) bool { return (got - want).Abs() < time.Microsecond }
	if r, ok := RatesOf(report(100, 2000, 500)); !ok || !near(r.Account, time.Second) ||
		!near(r.Message, time.Millisecond) {
		t.Errorf("%+v", r)
	}
	if r, ok := RatesOf(report(1000)); !ok || r.Account != 0 || !near(r.Message, 2*time.Millisecond) {
		t.Errorf("one account: %+v", r)
	}
	for _, rep := range []*runner.Report{{}, report(0)} {
		if _, ok := RatesOf(rep); ok {
			t.Error("rates of nothing")
		}
	}
}

// TestLogsNameNobody: a state that cannot be read or written is told of by its place in the wave, not by its
// file, whose name is the account's.
func TestLogsNameNobody(t *testing.T) {
	t.Parallel()
	q, _ := machine(t, embedded(t), "r")
	var log bytes.Buffer
	q.opt.Logger = slog.New(slog.NewTextHandler(&log, nil))
	add(t, q, "anna")
	l := next(t, q)
	if err := os.MkdirAll(filepath.Join(q.files("anna")[0], "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Checkpoint(t.Context())
	if s := log.String(); !strings.Contains(s, "place=0") || strings.Contains(s, "anna") {
		t.Error(s)
	}
	l.end()
	if err := q.fetchState(t.Context(), l.key, "anna"); err != nil && strings.Contains(err.Error(), "anna") {
		t.Error(err)
	}
	if err := migrate.TakenOver(q.opt.Dir, "anna"); err == nil || strings.Contains(unnamed(err).Error(), "anna") {
		t.Error(err, unnamed(err))
	}
}
