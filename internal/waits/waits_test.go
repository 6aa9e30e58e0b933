package waits_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/waits"
)

// board returns a board and what it told, in seconds since now.
func board() (*waits.Board, func() []string) {
	start := time.Now()
	var mu sync.Mutex
	var told []string
	b := &waits.Board{Tell: func(w waits.Wait) {
		mu.Lock()
		defer mu.Unlock()
		at := func(t time.Time) int { return int(t.Sub(start).Seconds()) }
		what := fmt.Sprintf("%d: %s, from %d until %d", at(time.Now()), w.Subject, at(w.Since), at(w.Until))
		if w.Over {
			what += ", over"
		}
		told = append(told, what)
	}}
	return b, func() []string { mu.Lock(); defer mu.Unlock(); return told }
}

var a, z = waits.Key{Reason: "down", Subject: "a"}, waits.Key{Reason: "down", Subject: "z"}

// TestTelling: what lasts longer than five seconds is told once when that is known,
// whether in one pause or in several, by one or by many, and once when it is over.
func TestTelling(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		pauses []time.Duration
		limit  time.Duration
		many   int
		want   []string
	}{
		"short": {pauses: []time.Duration{5 * time.Second}, many: 1},
		"one long pause": {pauses: []time.Duration{300 * time.Second}, many: 1,
			want: []string{"0: a, from 0 until 300", "300: a, from 0 until 300, over"}},
		"several short ones": {pauses: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second,
			8 * time.Second}, limit: time.Minute, many: 1, want: []string{"3: a, from 0 until 60",
			"15: a, from 0 until 15, over"}},
		"many at once, told as one": {pauses: []time.Duration{10 * time.Second}, many: 16,
			want: []string{"0: a, from 0 until 10", "10: a, from 0 until 10, over"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, told := board()
				var wg sync.WaitGroup
				for range tt.many {
					wg.Go(func() {
						for _, d := range tt.pauses {
							if err := b.Pause(t.Context(), a, d, tt.limit); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				b.Free(a)
				b.Free(a)
				b.Free(z)
				if diff := cmp.Diff(tt.want, told()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestSpent: the time is counted from the first who waited, until somebody says
// that it is over, or nobody has waited for a while.
func TestSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, _ := board()
		spent := func(want bool) {
			t.Helper()
			if got := b.Spent(a, time.Minute); got != want {
				t.Errorf("spent is %v", got)
			}
		}
		pause := func(d time.Duration) {
			if err := b.Pause(t.Context(), a, d, time.Minute); err != nil {
				t.Error(err)
			}
		}
		spent(false)
		if !b.Spent(a, -1) {
			t.Error("a negative limit lets one wait")
		}
		pause(59 * time.Second)
		spent(false)
		pause(time.Second)
		spent(true)
		b.Free(a)
		spent(false)
		pause(time.Minute)
		spent(true)
		time.Sleep(10 * time.Minute)
		spent(false)
	})
}

func TestPauseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, enough)
		defer cancel()
		b := &waits.Board{}
		for _, d := range []time.Duration{time.Minute, 0} {
			if err := b.Pause(ctx, a, d, 0); !errors.Is(err, enough) {
				t.Errorf("got %v", err)
			}
		}
	})
}
