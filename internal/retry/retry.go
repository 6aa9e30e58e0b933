// Package retry has the one way in which this module waits before it tries
// something again: how pauses grow, how they are spread, and how a wait is called
// off. What is tried again, and how often, is each server's own matter.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Grow returns the pause after one that lasted for last: twice as long, at least
// first and at most most. last is 0 before the first pause.
func Grow(last, first, most time.Duration) time.Duration {
	return min(max(2*last, first), most)
}

// Spread varies a pause by a quarter, so that those who met once do not meet again.
func Spread(d time.Duration) time.Duration {
	if d <= 1 {
		return d
	}
	return d*3/4 + rand.N(d/2)
}

// Sleep waits for d, or until ctx ends, whose cause is then the error. A ctx that
// has ended is an error also where there is nothing to wait for.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
