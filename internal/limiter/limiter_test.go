package limiter

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// server is a machine that serves some requests at once at full speed and gets
// slower with each one beyond.
func serve(l *Limiter, workers int, duration, latency time.Duration, most int, fails func() bool) (served int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	inFlight := 0
	end := time.Now().Add(duration)
	for range workers {
		wg.Go(func() {
			for time.Now().Before(end) {
				if l.Acquire(context.Background()) != nil {
					return
				}
				mu.Lock()
				inFlight++
				d := latency
				if inFlight > most {
					d = latency * time.Duration(1+4*(inFlight-most))
				}
				mu.Unlock()
				start := time.Now()
				time.Sleep(d)
				mu.Lock()
				inFlight--
				served++
				mu.Unlock()
				o := Healthy
				if fails != nil && fails() {
					o = Trouble
				}
				l.Release(Likeness{Op: "op"}, start, o)
			}
		})
	}
	wg.Wait()
	return served
}

func TestLimiterGrowsWhileHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(8, 32)
		serve(l, 64, 10*time.Second, 25*time.Millisecond, 1000, nil)
		if limit, inFlight := l.State(); limit != 32 || inFlight != 0 {
			t.Errorf("limit %d with %d in flight", limit, inFlight)
		}
	})
}

func TestLimiterHalvesOnTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(32, 32)
		start := time.Now()
		for range 8 {
			_ = l.Acquire(t.Context())
		}
		time.Sleep(time.Millisecond)
		for range 8 { // they failed together: one cut
			l.Release(Likeness{Op: "op"}, start, Trouble)
		}
		if limit, _ := l.State(); limit != 16 {
			t.Errorf("limit %d, want 16", limit)
		}
		for range 10 {
			time.Sleep(time.Millisecond)
			_ = l.Acquire(t.Context())
			l.Release(Likeness{Op: "op"}, time.Now(), Trouble)
		}
		if limit, _ := l.State(); limit != 1 {
			t.Errorf("limit %d, want 1: there is always one", limit)
		}
	})
}

// TestLimiterFollowsLatency: the bound goes up and down around what the server
// bears, and what counts is where it is on average.
func TestLimiterFollowsLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(2, 64)
		const samples = 600
		sum := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for range samples {
				time.Sleep(100 * time.Millisecond)
				limit, _ := l.State()
				sum += limit
			}
		})
		serve(l, 64, time.Minute, 50*time.Millisecond, 10, nil)
		wg.Wait()
		t.Logf("limit %d on average", sum/samples)
		if mean := sum / samples; mean < 5 || mean > 15 {
			t.Errorf("limit %d on average at a server that bears 10", mean)
		}
	})
}

// TestLimiterGetsUsedToASlowerServer: one that has become slower for good is not
// taken for overloaded for ever.
func TestLimiterGetsUsedToASlowerServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(8, 32)
		serve(l, 64, 10*time.Second, 50*time.Millisecond, 1000, nil)
		cut := l.lastCut
		serve(l, 64, time.Minute, 500*time.Millisecond, 1000, nil)
		if l.lastCut == cut {
			t.Error("it did not notice")
		}
		if limit, _ := l.State(); limit < 16 {
			t.Errorf("limit %d at a slow server that bears any number", limit)
		}
	})
}

func TestLimiterIdleDoesNotGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(8, 32)
		serve(l, 2, 10*time.Second, 25*time.Millisecond, 1000, nil)
		if limit, _ := l.State(); limit != 8 {
			t.Errorf("limit %d, though only 2 were ever under way", limit)
		}
	})
}

func TestLimiterCancelPassesTheSlotOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := New(1, 1)
		_ = l.Acquire(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.Acquire(ctx); err == nil {
				t.Error("no error after cancel")
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := l.Acquire(t.Context()); err != nil {
				t.Error(err)
			}
			l.Release(Likeness{Op: "op"}, time.Now(), Healthy)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		l.Release(Likeness{Op: "op"}, time.Now(), Healthy)
		wg.Wait()
		if _, inFlight := l.State(); inFlight != 0 || len(l.waiting) != 0 {
			t.Errorf("%d in flight, %d waiting", inFlight, len(l.waiting))
		}
	})
}
