package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestGrow(t *testing.T) {
	t.Parallel()
	var last time.Duration
	for _, want := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second,
		3 * time.Second} {
		if last = Grow(last, 500*time.Millisecond, 3*time.Second); last != want {
			t.Errorf("%v, want %v", last, want)
		}
	}
}

func TestSpreadStaysWithinAQuarter(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 200 {
		d := Spread(time.Second)
		if d < 750*time.Millisecond || d >= 1250*time.Millisecond {
			t.Fatal(d)
		}
		seen[d] = true
	}
	if len(seen) < 2 {
		t.Error("all pauses are the same")
	}
	for _, d := range []time.Duration{-1, 0, 1} {
		if got := Spread(d); got != d {
			t.Errorf("%v of %v", got, d)
		}
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := Sleep(t.Context(), time.Minute); err != nil || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		why := errors.New("called off")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			_ = Sleep(t.Context(), time.Second)
			cancel(why)
		}()
		start = time.Now()
		if err := Sleep(ctx, time.Hour); !errors.Is(err, why) || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := Sleep(ctx, 0); !errors.Is(err, why) {
			t.Errorf("nothing to wait for, and called off: %v", err)
		}
	})
}
