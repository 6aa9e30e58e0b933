// Package limiter bounds the requests in flight at one server. A bound may be fixed,
// or adapt itself to how the server copes.
package limiter

import (
	"context"
	"sync"
	"time"
)

// Limiter bounds the requests in flight at one server. Who tells it of the answers
// ([Limiter.Release]) has it adapt the bound: it grows by one per full round of good answers while
// the bound is in use, and halves when answers fail or become several times slower than usual. What is
// usual is not learned from slow answers, or an overloaded server would soon look
// healthy, except when there is only one request of ours at a time, and a little
// after each cut.
type Limiter struct {
	min, max float64

	mu       sync.Mutex
	limit    float64
	inFlight int
	waiting  []chan struct{} // oldest first; closed to let one in
	lastCut  time.Time
	pace     map[Likeness]*pace
}

// Likeness is what requests have in common whose durations can be compared: the
// operation, and the size of request and answer within a factor of two.
type Likeness struct {
	Op   string
	Size int // binary digits of the kilobytes
}

// pace is how fast requests of a kind usually are and have been lately.
type pace struct {
	usual, lately time.Duration
}

// Outcome is what an answer says about the server's health.
type Outcome int

const (
	Healthy Outcome = iota // an answer
	Trouble                // no answer, or one that shows the server in trouble
	NoSign                 // cancelled, a fault, or an operation of no usual duration
)

const slowerBy = 100 * time.Millisecond // below that, differences in latency are noise

// New returns a limiter that lets start requests in at first and at most max; the
// same number twice is a bound that stays.
func New(start, max int) *Limiter {
	return &Limiter{min: 1, max: float64(max), limit: float64(min(start, max)), pace: make(map[Likeness]*pace)}
}

// Acquire waits for a slot.
func (l *Limiter) Acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.inFlight < int(l.limit) && len(l.waiting) == 0 {
		l.inFlight++
		l.mu.Unlock()
		return nil
	}
	in := make(chan struct{})
	l.waiting = append(l.waiting, in)
	l.mu.Unlock()
	select {
	case <-in:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiting {
		if w == in {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	// Let in at the same moment: pass the slot on.
	l.inFlight--
	l.admit()
	return context.Cause(ctx)
}

// Return gives a slot back that was not used.
func (l *Limiter) Return() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	l.admit()
}

// Release gives a slot back and learns from the answer to a request of a kind that
// was begun at start.
func (l *Limiter) Release(op Likeness, start time.Time, o Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := l.inFlight >= int(l.limit)
	l.inFlight--
	if o == Healthy && l.slow(op, time.Since(start)) {
		o = Trouble
	}
	switch {
	case o == Trouble && !start.Before(l.lastCut):
		// What was under way before the last cut says nothing about it.
		l.limit = max(l.min, l.limit/2)
		l.lastCut = time.Now()
	case o == Healthy && full:
		l.limit = min(l.max, l.limit+1/l.limit)
	}
	l.admit()
}

// admit lets waiters in as far as there is room.
func (l *Limiter) admit() {
	for len(l.waiting) > 0 && l.inFlight < int(l.limit) {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.inFlight++
	}
}

// slow reports whether op has become much slower than usual.
func (l *Limiter) slow(op Likeness, d time.Duration) bool {
	p := l.pace[op]
	if p == nil {
		l.pace[op] = &pace{usual: d, lately: d}
		return false
	}
	p.lately += (d - p.lately) / 4
	switch {
	case d < p.usual:
		p.usual += (d - p.usual) / 4
	case l.limit <= l.min:
		// There is nothing else of ours that could slow the server down.
		p.usual += (d - p.usual) / 8
	case d <= 3*p.usual || d-p.usual <= slowerBy:
		p.usual += (d - p.usual) / 64
	}
	if p.lately > 3*p.usual && p.lately-p.usual > slowerBy {
		p.usual += p.usual / 8 // if it stays so slow with fewer requests, that is usual
		p.lately = p.usual
		return true
	}
	return false
}

// State returns the bound and what is in flight.
func (l *Limiter) State() (limit, inFlight int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.limit), l.inFlight
}
