package ucs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// gather combines questions that come at the same time: while one request is
// under way, others that come are kept, and are sent together when it is over.
// Who comes alone is sent alone and at once; where the last request was for
// several, more are expected and waited for, for an instant.
type gather[Q, R any] struct {
	max    int           // most questions in one request
	linger time.Duration // how long to wait for more
	send   func(ctx context.Context, questions []Q) []outcome[R]

	mu      sync.Mutex
	company bool // the last request was for several
	pending []*waiting[Q, R]
	leader  chan struct{} // holds one token while somebody sends
}

// outcome is the answer to one question.
type outcome[R any] struct {
	value R
	err   error
}

type waiting[Q, R any] struct {
	question Q
	done     chan outcome[R]
}

func newGather[Q, R any](max int, linger time.Duration,
	send func(context.Context, []Q) []outcome[R]) *gather[Q, R] {
	return &gather[Q, R]{max: max, linger: linger, send: send, leader: make(chan struct{}, 1)}
}

// errAgain tells who waits that the one who sent for all was cancelled.
var errAgain = errors.New("try again")

// do asks a question and waits for its answer.
func (g *gather[Q, R]) do(ctx context.Context, q Q) (R, error) {
	for {
		w := &waiting[Q, R]{question: q, done: make(chan outcome[R], 1)}
		g.mu.Lock()
		g.pending = append(g.pending, w)
		g.mu.Unlock()
		o := g.await(ctx, w)
		if o.err != errAgain {
			return o.value, o.err
		}
		if ctx.Err() != nil {
			return o.value, context.Cause(ctx)
		}
	}
}

// await waits until somebody has sent w, and sends itself whenever nobody else
// does.
func (g *gather[Q, R]) await(ctx context.Context, w *waiting[Q, R]) outcome[R] {
	select {
	case o := <-w.done:
		return o
	case <-ctx.Done():
		g.mu.Lock()
		g.pending = slices.DeleteFunc(g.pending, func(o *waiting[Q, R]) bool { return o == w })
		g.mu.Unlock()
		return outcome[R]{err: context.Cause(ctx)}
	case g.leader <- struct{}{}:
	}
	defer func() { <-g.leader }()
	select {
	case o := <-w.done:
		return o
	default:
	}
	g.mu.Lock()
	if g.company && len(g.pending) < g.max {
		g.mu.Unlock()
		_ = retry.Sleep(ctx, g.linger) // cut short, it is noticed below
		g.mu.Lock()
	}
	n := min(len(g.pending), g.max)
	batch := g.pending[:n:n]
	g.pending = g.pending[n:]
	g.company = n > 1
	g.mu.Unlock()
	questions := make([]Q, len(batch))
	for i, b := range batch {
		questions[i] = b.question
	}
	for i, o := range g.send(ctx, questions) {
		if o.err != nil && ctx.Err() != nil {
			o.err = errAgain // not theirs: the one who sent has been cancelled
		}
		batch[i].done <- o
	}
	select {
	case o := <-w.done:
		return o
	default:
		return outcome[R]{err: errAgain} // more were before us than fit
	}
}
