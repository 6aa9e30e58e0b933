package appsuite

import (
	"context"
	"sync"
	"time"
)

// Rate is the number of requests allowed in any window of that length. The zero
// Rate is OX's default of 1500 requests per five minutes; a negative number of
// Requests switches pacing off, for servers that exempt this address.
//
// OX counts a sliding window, so the client keeps one too: up to Requests go out
// at once, and then each waits until an earlier one leaves the window. (A token
// bucket would either let twice as many through in the first window or slow down
// from the start.) The window is held two seconds longer than the server's, so
// that requests delayed on their way do not overlap it.
type Rate struct {
	Requests int
	Per      time.Duration // default five minutes
}

const (
	defaultRequests = 1500
	defaultWindow   = 5 * time.Minute
	windowMargin    = 2 * time.Second
)

// pacer hands out the times at which requests may start.
type pacer struct {
	per time.Duration

	mu     sync.Mutex
	slots  []time.Time // ring of the last len(slots) starts; nil: no pacing
	next   int
	paused time.Time // nothing starts before, because the server asked so
	waited time.Duration
}

func newPacer(r Rate) *pacer {
	if r.Per <= 0 {
		r.Per = defaultWindow
	}
	p := &pacer{per: r.Per + windowMargin}
	switch {
	case r.Requests == 0:
		p.slots = make([]time.Time, defaultRequests)
	case r.Requests > 0:
		p.slots = make([]time.Time, r.Requests)
	}
	return p
}

// wait blocks until a request may start, or ctx ends. It does not wait at all
// for a start that lies behind ctx's deadline.
func (p *pacer) wait(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	p.mu.Lock()
	start := p.earliest(now)
	if deadline, ok := ctx.Deadline(); ok && start.After(deadline) {
		p.mu.Unlock()
		return &Error{Kind: KindLimited, RetryAfter: start.Sub(now), Err: context.DeadlineExceeded}
	}
	p.take(start)
	p.waited += start.Sub(now)
	p.mu.Unlock()
	for d := start.Sub(now); d > 0; d = p.pausedFor() { // a pause may have come meanwhile
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// pausedFor is how much is left of a pause. It counts as waited.
func (p *pacer) pausedFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := max(0, time.Until(p.paused))
	p.waited += d
	return d
}

// earliest is when the next request may start.
func (p *pacer) earliest(now time.Time) time.Time {
	start := now
	if p.paused.After(start) {
		start = p.paused
	}
	if p.slots != nil {
		if oldest := p.slots[p.next]; !oldest.IsZero() && oldest.Add(p.per).After(start) {
			start = oldest.Add(p.per)
		}
	}
	return start
}

func (p *pacer) take(start time.Time) {
	if p.slots != nil {
		p.slots[p.next] = start
		p.next = (p.next + 1) % len(p.slots)
	}
}

// pause stops all requests for d.
func (p *pacer) pause(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.paused) {
		p.paused = until
	}
}

func (p *pacer) totalWaited() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waited
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
