package migrate_test

import (
	"context"
	"errors"
	"fmt"
	gosync "sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// mailboxes are a source with accounts of one message each, and an empty target.
func mailboxes(t *testing.T, n int) (from, to *dovecottest.Server, accounts []migrate.Account, names []string) {
	t.Helper()
	from, to = testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	for i := range n {
		name := fmt.Sprintf("user%d", i)
		for _, s := range []*dovecottest.Server{from, to} {
			s.SetUsers(dovecottest.User{Name: name, Password: "pw"})
		}
		from.AddMessage(name, "INBOX", dovecottest.Message{Body: []byte(mail(i, ""))})
		accounts, names = append(accounts, account(name)), append(names, name)
	}
	return from, to, accounts, names
}

// countedSlots is a limit that two migrators share, and the most that were in use at a time.
type countedSlots struct {
	free      chan struct{}
	now, most atomic.Int64
}

func (s *countedSlots) Acquire(ctx context.Context) (func(), error) {
	select {
	case s.free <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if n := s.now.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	return func() { s.now.Add(-1); <-s.free }, nil
}

func (s *countedSlots) TryAcquire() (func(), bool) { return nil, false }

// Two machines take the accounts of one wave from one queue: each account is one's, the report of each
// has its own, and together they keep to the limit of connections that they share.
func TestWaveFromASharedQueue(t *testing.T) {
	t.Parallel()
	from, to, accounts, names := mailboxes(t, 12)
	q := migrate.NewLocalQueue(names...)
	slots := &countedSlots{free: make(chan struct{}, 2)}
	var mu gosync.Mutex
	seen := map[string]int{}
	var g errgroup.Group
	for range 2 {
		source := insecure(from.IMAPAddr)
		source.Slots = slots
		m := migrate.New(source, insecure(to.IMAPAddr), t.TempDir(), quick())
		g.Go(func() error {
			res, err := m.RunWave(t.Context(), &migrate.Wave{Accounts: accounts, Parallel: 3}, &migrate.WaveOptions{Queue: q})
			mu.Lock()
			defer mu.Unlock()
			for _, a := range res.Accounts {
				if seen[a.Account]++; a.Reason != "" || a.Result == nil || a.Check == nil {
					t.Errorf("%+v", a)
				}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if n := len(to.Messages(name, "INBOX")); seen[name] != 1 || n != 1 {
			t.Errorf("%s: done %d times, %d messages", name, seen[name], n)
		}
	}
	if n := slots.most.Load(); n < 1 || n > 2 {
		t.Errorf("%d connections at a time, of 2", n)
	}
}

// An account that cannot be finished has failed, and gets its second chance when the reason may pass.
func TestAccountThatCannotBeFinished(t *testing.T) {
	t.Parallel()
	from, to, accounts, _ := mailboxes(t, 2)
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(), quick())
	passing := &migrate.Error{Op: "verify", Kind: migrate.ErrBusy, Err: migrate.ErrBusy}
	for name, c := range map[string]struct {
		err          error
		fails        int
		calls, wrong int
	}{
		"passes":         {passing, 1, 3, 0},
		"does not pass":  {passing, 9, 3, 1},
		"nothing to try": {errors.New("wrong for good"), 1, 2, 1},
	} {
		calls, fails := 0, 0
		res, err := m.RunWave(t.Context(), &migrate.Wave{Accounts: accounts, Parallel: 1}, &migrate.WaveOptions{
			Finish: func(_ context.Context, a migrate.Account, _ *migrate.AccountResult) error {
				if calls++; a.Name == "user0" && fails < c.fails {
					fails++
					return c.err
				}
				return nil
			}})
		if err != nil || calls != c.calls || res.Failed() != c.wrong {
			t.Errorf("%s: finished %d times, want %d; %d failed, want %d; %v", name, calls, c.calls, res.Failed(), c.wrong, err)
		}
	}
}

// An account that another machine has left in the middle is looked at before it is gone on with: the
// target is waited for, and what is there is not brought again.
func TestAccountTakenOver(t *testing.T) {
	t.Parallel()
	from, to, accounts, names := mailboxes(t, 1)
	to.AddMessage(names[0], "INBOX", dovecottest.Message{Body: []byte(mail(0, ""))})
	dir := t.TempDir()
	if err := migrate.TakenOver(dir, names[0]); err != nil {
		t.Fatal(err)
	}
	res := sync(t, migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, quick()), accounts[0])
	if res.Copied != 0 || res.Adopted != 1 || len(to.Messages(names[0], "INBOX")) != 1 {
		t.Errorf("%+v", res)
	}
	if n := to.IMAPCommands()["LIST"]; n < 2 {
		t.Errorf("the target was listed %d times: it was not waited for", n)
	}
}
