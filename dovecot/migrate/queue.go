package migrate

import (
	"context"
	"slices"
	"sync"
)

// Queue hands out a wave's accounts. The one that a wave has by itself lives in the process;
// others let several machines work at one wave.
type Queue interface {
	// Next waits for an account that nobody works at. It returns [ErrNoneLeft] when all are
	// done, here and on other machines; any other error ends the wave.
	Next(ctx context.Context) (Lease, error)
}

// Lease is the right to work at one account, which nobody else has meanwhile. It ends with Done or Return.
type Lease interface {
	Account() string // its name in the wave
	// Context is for the work: it ends with ctx, or when the lease is lost.
	Context(ctx context.Context) (context.Context, context.CancelFunc)
	// Done says what has become of the account. With again it has failed for a passing reason
	// and gets a second chance, once, when all others have had their first.
	Done(ctx context.Context, res AccountResult, again bool) error
	// Return gives the account back as one that has been interrupted: somebody goes on with it.
	Return(ctx context.Context) error
}

// Checkpointer is a [Lease] that keeps the account's state, beyond this machine, whenever a run is about to
// begin with changes at the target. Who takes the account over from a machine that dies afterwards then knows what was
// at the target before. The state is at rest during the call.
type Checkpointer interface {
	Checkpoint(ctx context.Context)
}

// localQueue hands out the accounts of one process, in the wave's order.
type localQueue struct {
	mu     sync.Mutex
	todo   []string
	again  []string // for the second pass
	second bool     // it has begun
	out    int      // leases
	ended  chan struct{}
}

func newLocalQueue(accounts []string) *localQueue {
	return &localQueue{todo: slices.Clone(accounts), ended: make(chan struct{})}
}

func (q *localQueue) Next(ctx context.Context) (Lease, error) {
	for {
		l, ended, err := q.take(ctx)
		if l != nil || err != nil {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ended:
		}
	}
}

// take returns nothing and a channel when there is something to wait for.
func (q *localQueue) take(ctx context.Context) (Lease, <-chan struct{}, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if len(q.todo)+q.out == 0 && !q.second {
		q.todo, q.again, q.second = q.again, nil, true
	}
	switch {
	case len(q.todo) > 0:
		l := &localLease{q, q.todo[0]}
		q.todo = q.todo[1:]
		q.out++
		return l, nil, nil
	case q.out > 0: // one of them may come back
		return nil, q.ended, nil
	}
	return nil, nil, ErrNoneLeft
}

// give ends a lease.
func (q *localQueue) give(change func()) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
	q.out--
	close(q.ended)
	q.ended = make(chan struct{})
	return nil
}

type localLease struct {
	q       *localQueue
	account string
}

func (l *localLease) Account() string { return l.account }

func (l *localLease) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (l *localLease) Done(_ context.Context, _ AccountResult, again bool) error {
	return l.q.give(func() {
		if again && !l.q.second {
			l.q.again = append(l.q.again, l.account)
		}
	})
}

func (l *localLease) Return(context.Context) error {
	return l.q.give(func() { l.q.todo = slices.Insert(l.q.todo, 0, l.account) })
}
