// Package traffic is what the calls of a simulated Open-Xchange have in common, by
// whichever interface they come: they are recorded, and some are made to fail.
package traffic

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// Traffic is what the calls of both servers have in common: they are recorded, some are
// made to fail, and those that wait end when the server is closed.
type Traffic struct {
	Log    *Log
	Faults *Injector
	Closed context.Context
	End    context.CancelFunc
}

func New() *Traffic {
	t := &Traffic{Log: newLog(), Faults: &Injector{rng: rand.New(rand.NewPCG(1, 2))}}
	t.Closed, t.End = context.WithCancel(context.Background())
	return t
}

// Sleep waits for d and reports false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	return d <= 0 || retry.Sleep(ctx, d) == nil
}
