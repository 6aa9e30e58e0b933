package oxtest

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// writeLock is the lock under which a context's users are written, one call at
// a time. Whoever finds it taken tries again after a pause, like OX, which
// keeps it in the database: the pauses grow, and after the last one the call
// fails. So parallel writers make a context slower, not faster.
type writeLock struct {
	mu    sync.Mutex
	taken bool
}

func newWriteLock() *writeLock { return &writeLock{} }

func (l *writeLock) try() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken {
		return false
	}
	l.taken = true
	return true
}

func (l *writeLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = false
}

// acquire tries, waits n*pause plus up to one pause at random, and tries again,
// five times. It reports false when all tries failed or ctx ended.
func (l *writeLock) acquire(ctx context.Context, pause time.Duration) bool {
	const retries = 5
	for n := 0; ; n++ {
		if l.try() {
			return true
		}
		if n == retries {
			return false
		}
		wait := time.Duration(n+1) * pause
		if pause > 0 {
			wait += rand.N(pause)
		}
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// sleep waits for d and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
