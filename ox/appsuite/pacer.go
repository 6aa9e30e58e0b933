package appsuite

import (
	"context"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/waits"
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
	held   time.Time // until when waited is counted

	board *waits.Board
	host  string
}

func newPacer(r Rate, board *waits.Board, host string) *pacer {
	if r.Per <= 0 {
		r.Per = defaultWindow
	}
	p := &pacer{per: r.Per + windowMargin, board: board, host: host}
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
		return &Error{Kind: ErrLimited, RetryAfter: start.Sub(now), Err: context.DeadlineExceeded}
	}
	p.take(start)
	reason := Pacing
	if start.Equal(p.paused) {
		reason = RateLimit
	}
	p.hold(now, start)
	p.mu.Unlock()
	for d := start.Sub(now); d > 0; d, reason = p.pausedFor(), RateLimit { // a pause may have come meanwhile
		if err := p.board.Pause(ctx, waits.Key{Reason: string(reason), Subject: p.host}, d, 0); err != nil {
			return ctx.Err()
		}
	}
	p.free()
	return ctx.Err()
}

// free ends the waits that are over.
func (p *pacer) free() {
	p.mu.Lock()
	over := !time.Now().Before(p.held)
	p.mu.Unlock()
	if over {
		p.board.Free(waits.Key{Reason: string(RateLimit), Subject: p.host})
		p.board.Free(waits.Key{Reason: string(Pacing), Subject: p.host})
	}
}

// hold counts the time from now until end as waited, once.
func (p *pacer) hold(now, end time.Time) {
	if p.held.After(now) {
		now = p.held
	}
	if end.After(now) {
		p.waited += end.Sub(now)
		p.held = end
	}
}

// pausedFor is how much is left of a pause. It counts as waited.
func (p *pacer) pausedFor() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold(time.Now(), p.paused)
	return max(0, time.Until(p.paused))
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
