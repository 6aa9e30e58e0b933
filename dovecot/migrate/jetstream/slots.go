package jetstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// Slots are n connections to a server that all machines share. Those of a machine that dies are
// free again after a lease. Side is "source" or "target", or another name that all machines use.
func (q *Queue) Slots(side string, n int) migrate.Slots { return &slots{q, side, n} }

type slots struct {
	q    *Queue
	side string
	n    int
}

// Acquire implements [migrate.Slots].
func (s *slots) Acquire(ctx context.Context) (release func(), err error) {
	for {
		if err := s.q.connected(ctx); err != nil {
			return nil, err
		}
		release, ok, err := s.try(ctx)
		if ok {
			return release, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.q.opt.Logger.Warn("the limits cannot be asked for", "error", err)
		}
		if err := sleep(ctx, 50*time.Millisecond+rand.N(150*time.Millisecond)); err != nil {
			return nil, err
		}
	}
}

// TryAcquire implements [migrate.Slots].
func (s *slots) TryAcquire() (release func(), ok bool) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	release, ok, _ = s.try(ctx)
	return release, ok
}

func (s *slots) try(ctx context.Context) (release func(), ok bool, err error) {
	for i, first := 0, rand.IntN(s.n); i < s.n; i++ {
		key := fmt.Sprintf("%s.%d", s.side, (first+i)%s.n)
		revision, err := s.q.slots.Create(ctx, key, []byte(s.q.opt.Machine))
		if err == nil {
			return s.keep(key, revision), true, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, false, err
		}
	}
	return nil, false, nil
}

// keep renews a slot until it is released. What could not be renewed in time may be somebody else's: it
// is not taken from them.
func (s *slots) keep(key string, revision uint64) (release func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var over sync.WaitGroup
	over.Go(func() {
		for sleep(ctx, s.q.opt.Lease/4) == nil {
			if next, err := s.q.slots.Update(ctx, key, []byte(s.q.opt.Machine), revision); err == nil {
				revision = next
			}
		}
	})
	return func() {
		cancel()
		over.Wait()
		ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
		defer stop()
		_ = s.q.slots.Delete(ctx, key, jetstream.LastRevision(revision)) // or it runs out by itself
	}
}
