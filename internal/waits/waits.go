// Package waits keeps count of what a client waits for: who waits longer than a
// moment is told of, once for all who wait for the same, and a wait that has lasted
// too long is too long for those who come later as well.
package waits

import (
	"context"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// Moment is how long a wait may last before anybody is told.
const Moment = 5 * time.Second

// stale is how long after the last pause a wait counts as over, if nobody said so:
// longer than any pause, so that a new wait does not inherit the age of an old one.
const stale = 3 * time.Minute

// Key says what is waited for: the reason, and of whom it is one.
type Key struct{ Reason, Subject string }

// Wait is what is told: when a wait has become noticeable, and when it is over.
type Wait struct {
	Key
	Since time.Time // when the first one began to wait
	Until time.Time // when the wait is given up, or known to end; zero when not known
	Over  bool
}

// Board holds the waits of a client. The zero value works and tells nobody.
type Board struct {
	Tell func(Wait) // may be nil; called without a lock held

	mu    sync.Mutex
	waits map[Key]*wait
}

type wait struct {
	since, last, until time.Time
	told               bool
}

// Pause waits for d because of k, or until ctx ends, whose cause is then the error.
// Nothing is kept of a pause with the zero Key. limit is for how long k is waited for
// before it is given up; 0 when d is all.
func (b *Board) Pause(ctx context.Context, k Key, d, limit time.Duration) error {
	if d <= 0 {
		return context.Cause(ctx)
	}
	if k != (Key{}) {
		b.begin(k, d, limit)
	}
	return retry.Sleep(ctx, d)
}

func (b *Board) begin(k Key, d, limit time.Duration) {
	now := time.Now()
	b.mu.Lock()
	w := b.current(k, now)
	if w == nil {
		if b.waits == nil {
			b.waits = make(map[Key]*wait)
		}
		w = &wait{since: now}
		b.waits[k] = w
	}
	if end := now.Add(d); end.After(w.last) {
		w.last = end
	}
	until := w.last
	if limit > 0 {
		until = w.since.Add(limit)
	}
	tell := !w.told && w.last.Sub(w.since) > Moment
	w.told, w.until = w.told || tell, until
	b.mu.Unlock()
	if tell && b.Tell != nil {
		b.Tell(Wait{Key: k, Since: w.since, Until: until})
	}
}

// current is the wait for k that is going on, or nil.
func (b *Board) current(k Key, now time.Time) *wait {
	w := b.waits[k]
	if w == nil || now.Sub(w.last) > stale {
		return nil
	}
	return w
}

// Spent reports whether k has been waited for longer than limit; with a negative
// limit it always has.
func (b *Board) Spent(k Key, limit time.Duration) bool {
	if limit < 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	w := b.current(k, now)
	return w != nil && now.Sub(w.since) >= limit
}

// Going reports whether k is being waited for.
func (b *Board) Going(k Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current(k, time.Now()) != nil
}

// Free notes that k need not be waited for any more.
func (b *Board) Free(k Key) {
	b.mu.Lock()
	w := b.waits[k]
	delete(b.waits, k)
	b.mu.Unlock()
	if w != nil && w.told && b.Tell != nil {
		b.Tell(Wait{Key: k, Since: w.since, Until: time.Now(), Over: true})
	}
}
