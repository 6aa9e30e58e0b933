package state

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/traffic"
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

func (l *writeLock) Try() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken {
		return false
	}
	l.taken = true
	return true
}

func (l *writeLock) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = false
}

// Acquire tries, waits n*pause plus up to one pause at random, and tries again,
// five times. It reports false when all tries failed or ctx ended.
func (l *writeLock) Acquire(ctx context.Context, pause time.Duration) bool {
	const retries = 5
	for n := 0; ; n++ {
		if l.Try() {
			return true
		}
		if n == retries {
			return false
		}
		wait := time.Duration(n+1) * pause
		if pause > 0 {
			wait += rand.N(pause)
		}
		if !traffic.Sleep(ctx, wait) {
			return false
		}
	}
}
