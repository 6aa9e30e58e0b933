package lease

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// board is a directory's notes in memory.
type board struct {
	mu    sync.Mutex
	text  string
	swaps int
	// fault is asked before (done false) and after every swap; an error is what
	// the caller gets, and before the swap it is not done.
	fault func(swap int, done bool) error
	// down makes every call fail.
	down bool
}

var errDown = errors.New("the directory does not answer")

func (b *board) Note(ctx context.Context, name string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down || ctx.Err() != nil {
		return "", errors.Join(errDown, ctx.Err())
	}
	return b.text, nil
}

func (b *board) SwapNote(ctx context.Context, name, old, text string) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down || ctx.Err() != nil {
		return false, errors.Join(errDown, ctx.Err())
	}
	b.swaps++
	n := b.swaps
	if b.fault != nil {
		if err := b.fault(n, false); err != nil {
			return false, err
		}
	}
	done := b.text == old
	if done {
		b.text = text
	}
	if b.fault != nil {
		if err := b.fault(n, true); err != nil {
			return false, err
		}
	}
	return done, nil
}

func (b *board) set(f func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

// now is what stands on the board.
func (b *board) now() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text
}

// renewals is how often a lease has been renewed.
func renewals(l *Lease) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.self.Counter
}

// elsewhere is a lease of a holder on another machine.
func elsewhere(counter int) string {
	return encode(Holder{Program: "provision", Host: "ox9", Process: 4711,
		Start: time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC), Counter: counter, Nonce: "x"})
}

func acquire(t *testing.T, b *board, opts *Options) *Lease {
	t.Helper()
	l, err := Acquire(t.Context(), b, "provision", opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func release(t *testing.T, l *Lease) {
	t.Helper()
	if err := errors.Join(l.Release(), l.Release()); err != nil {
		t.Error(err)
	}
}

// Of many who start at the same time one gets the lease, and the others are told
// who has it, soon.
func TestOneOfManyGetsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		begin := time.Now()
		var mu sync.Mutex
		var held []*Lease
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				l, err := Acquire(t.Context(), b, fmt.Sprint("provision ", i), nil)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					held = append(held, l)
					return
				}
				if _, ok := errors.AsType[*HeldError](err); !ok || !strings.Contains(err.Error(),
					"another run is under way: provision ") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(held) != 1 {
			t.Fatalf("%d hold the lease", len(held))
		}
		if d := time.Since(begin); d > 75*time.Second {
			t.Errorf("the others were told after %s", d)
		}
		release(t, held[0])
		next := acquire(t, b, nil)
		release(t, next)
		if !free(b.now()) {
			t.Errorf("after all: %s", b.now())
		}
	})
}

// A lease that does not change for five minutes of the watching side's own clock
// is taken over; one that changes, however late, is not.
func TestStale(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change time.Duration // when the holder renews; 0: never
		taken  bool
	}{{0, true}, {4*time.Minute + 50*time.Second, false}, {10 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{text: elsewhere(7)}
			begin := time.Now()
			if test.change > 0 {
				time.AfterFunc(test.change, func() { b.set(func(b *board) { b.text = elsewhere(8) }) })
			}
			var waited Holder
			l, err := Acquire(t.Context(), b, "provision", &Options{Observer: ObserverFunc(func(e Event) { waited = e.Holder })})
			if (err == nil) != test.taken {
				t.Fatalf("renewed after %s: %v", test.change, err)
			}
			if waited.Host != "ox9" {
				t.Errorf("waited for %+v", waited)
			}
			if !test.taken {
				if !strings.Contains(err.Error(), "provision on ox9, process 4711, since 2026-11-28 02:00:00 UTC") {
					t.Error(err)
				}
				return
			}
			if d := time.Since(begin); d < 5*time.Minute || d > 5*time.Minute+15*time.Second {
				t.Errorf("taken over after %s", d)
			}
			release(t, l)
		})
	}
}

// The holder renews for as long as it works, and nobody else gets the lease.
func TestRenewed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		l := acquire(t, b, nil)
		for range 5 {
			time.Sleep(17 * time.Minute)
			if _, err := Acquire(t.Context(), b, "other", nil); err == nil {
				t.Fatal("two hold the lease")
			}
		}
		if l.Context().Err() != nil || renewals(l) < 80 {
			t.Errorf("%v, renewed %d times", context.Cause(l.Context()), renewals(l))
		}
		release(t, l)
	})
}

// A holder that cannot renew stops before anybody may take the lease over; a short
// interruption does no harm.
func TestDirectoryAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		away time.Duration
		lost bool
	}{{2 * time.Minute, false}, {10 * time.Minute, true}} {
		synctest.Test(t, func(t *testing.T) {
			b := &board{}
			l := acquire(t, b, nil)
			time.Sleep(10*time.Minute + 30*time.Second) // the last renewal was 30 s ago
			begin := time.Now()
			b.set(func(b *board) { b.down = true })
			time.AfterFunc(test.away, func() { b.set(func(b *board) { b.down = false }) })
			select {
			case <-l.Context().Done():
				if d := time.Since(begin); d > 4*time.Minute || !test.lost {
					t.Errorf("away for %s: stopped after %s", test.away, d)
				}
				if err := context.Cause(l.Context()); !errors.Is(err, ErrLost) || !errors.Is(err, errDown) {
					t.Error(err)
				}
			case <-time.After(20 * time.Minute):
				if test.lost {
					t.Errorf("away for %s: it goes on", test.away)
				}
			}
			_ = l.Release()
		})
	}
}

// Whatever answer gets lost, done or not, the holder knows whether it is one.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for n := 1; n <= 4; n++ { // to take it, to renew it, ...
			synctest.Test(t, func(t *testing.T) {
				b := &board{fault: func(swap int, done bool) error {
					if swap == n && done == after {
						return errDown
					}
					return nil
				}}
				l, err := Acquire(t.Context(), b, "provision", nil)
				if n == 1 && !after {
					if !errors.Is(err, errDown) || b.now() != "" {
						t.Errorf("%v, %q", err, b.now())
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				if err := context.Cause(l.Context()); err != nil || renewals(l) < 8 {
					t.Errorf("answer %d lost (done %v): %v, renewed %d times", n, after, err, renewals(l))
				}
				release(t, l)
				if !free(b.now()) {
					t.Errorf("answer %d lost (done %v): it stays", n, after)
				}
			})
		}
	}
}

// Somebody who knows that the holder is gone breaks the lease; if it was not gone,
// it stops and gives nothing back that is not its own.
func TestBreak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		first := acquire(t, b, nil)
		time.Sleep(7 * time.Second) // between two looks
		begin := time.Now()
		second := acquire(t, b, &Options{Break: true})
		if err := context.Cause(first.Context()); !errors.Is(err, ErrLost) || time.Since(begin) != 10*time.Second {
			t.Errorf("when the second may begin, after %s, the first goes on: %v", time.Since(begin), err)
		}
		time.Sleep(90 * time.Second)
		release(t, first)
		if second.Context().Err() != nil || free(b.now()) {
			t.Error("the second has lost it")
		}
		release(t, second)
		other := acquire(t, &board{text: "of another version"}, &Options{Break: true})
		release(t, other)
	})
}

// Between two renewals a holder only looks, and a directory that does not answer then is
// no reason to stop. Who is called off while it waits for a broken lease gives it back.
func TestLookingBetweenRenewals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		l := acquire(t, b, nil)
		b.set(func(b *board) { b.down = true })
		time.Sleep(50 * time.Second)
		b.set(func(b *board) { b.down = false })
		time.Sleep(9 * time.Second)
		if b.set(func(b *board) {}); l.Context().Err() != nil || b.swaps != 1 {
			t.Errorf("%v, %d swaps", l.Context().Err(), b.swaps)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		if _, err := Acquire(ctx, b, "provision", &Options{Break: true}); !errors.Is(err, context.DeadlineExceeded) ||
			!free(b.now()) {
			t.Errorf("called off: %v, %s", err, b.now())
		}
		release(t, l)
	})
}

// Who ran on this machine and is known to have ended need not be waited for.
func TestDeadHolderOnThisMachine(t *testing.T) {
	t.Parallel()
	if system() == "" {
		t.Skip("this system does not tell")
	}
	dead := self("provision")
	dead.Process = 1 << 30 // no system has such a number
	alive := self("provision")
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		release(t, acquire(t, &board{text: encode(dead)}, nil))
		if d := time.Since(begin); d != 0 {
			t.Errorf("waited %s for a dead process", d)
		}
		elsewhere := dead
		elsewhere.System = "another"
		for _, h := range []Holder{alive, elsewhere} {
			begin := time.Now()
			release(t, acquire(t, &board{text: encode(h)}, nil))
			if d := time.Since(begin); d < 5*time.Minute {
				t.Errorf("%+v: taken over after %s", h, d)
			}
		}
	})
}

// The run that is cancelled gives the lease back.
func TestReleasedAfterCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		ctx, cancel := context.WithCancel(t.Context())
		l, err := Acquire(ctx, b, "provision", nil)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		release(t, l)
		if !free(b.now()) {
			t.Errorf("it stays: %s", b.now())
		}
		cancelled, end := context.WithCancel(t.Context())
		b.text = elsewhere(1)
		time.AfterFunc(time.Minute, end)
		if _, err := Acquire(cancelled, b, "provision", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled while it waits: %v", err)
		}
	})
}

func TestDecodeOtherVersions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"rubbish":                           "a program that this version does not know",
		`{"program":"sync","more":{"a":1}}`: "sync",
	} {
		if h, _ := decode(text); !strings.HasPrefix(h.String(), want) {
			t.Errorf("%s: %s", text, h)
		}
	}
}

// Whoever comes to give a lease back that somebody else has taken over leaves it alone.
func TestReleaseLeavesTheLeaseOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		l := acquire(t, b, nil)
		other := elsewhere(1)
		b.set(func(b *board) { b.text = other })
		l.Release()
		if now := b.now(); now != other {
			t.Errorf("the lease of somebody else is now %q", now)
		}
	})
}

// Who has looked at the free lease and then gets it knows whether anybody has held it
// in between, however short; of one that nobody has ever held it is not known.
func TestSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		look := func(b *board) Sight {
			t.Helper()
			s, err := Look(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		used := func() *board {
			b := &board{}
			release(t, acquire(t, b, nil))
			return b
		}
		for _, c := range []struct {
			name    string
			board   *board
			between func(*board)
			free    bool
			want    bool
		}{
			{"never held", &board{}, func(*board) {}, true, false},
			{"nobody in between", used(), func(*board) {}, true, true},
			{"somebody in between", used(), func(b *board) { release(t, acquire(t, b, nil)) }, true, false},
			{"the only one in between", &board{}, func(b *board) { release(t, acquire(t, b, nil)) }, true, false},
			{"somebody who died in between", used(), func(b *board) { b.text = elsewhere(1) }, true, false},
			{"held and stale", &board{text: elsewhere(1)}, func(*board) {}, false, false},
			{"held and ended", &board{text: elsewhere(1)}, func(b *board) { b.text = "" }, false, false},
			{"of another version", &board{text: "rubbish"}, func(*board) {}, false, false},
		} {
			swaps := c.board.swaps
			seen := look(c.board)
			if c.board.swaps != swaps || seen.Free() != c.free {
				t.Errorf("%s: free %v, %d writes", c.name, seen.Free(), c.board.swaps-swaps)
			}
			c.between(c.board)
			changed := look(c.board) != seen
			l := acquire(t, c.board, nil)
			if got := l.Since(seen); got != c.want || got && changed {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
			release(t, l)
		}
	})
}

// A look that fails says so.
func TestLookFails(t *testing.T) {
	t.Parallel()
	if _, err := Look(t.Context(), &board{down: true}); !errors.Is(err, errDown) {
		t.Error(err)
	}
}
