package ox

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// server is a machine that serves some requests at once at full speed and gets
// slower with each one beyond.
func serve(l *limiter, workers int, duration, latency time.Duration, most int, fails func() bool) (served int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	inFlight := 0
	end := time.Now().Add(duration)
	for range workers {
		wg.Go(func() {
			for time.Now().Before(end) {
				if l.acquire(context.Background()) != nil {
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
				o := healthy
				if fails != nil && fails() {
					o = trouble
				}
				l.release(likeness{op: "op"}, start, o)
			}
		})
	}
	wg.Wait()
	return served
}

func TestLimiterGrowsWhileHealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(8, 32)
		serve(l, 64, 10*time.Second, 25*time.Millisecond, 1000, nil)
		if limit, inFlight := l.state(); limit != 32 || inFlight != 0 {
			t.Errorf("limit %d with %d in flight", limit, inFlight)
		}
	})
}

func TestLimiterHalvesOnTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(32, 32)
		start := time.Now()
		for range 8 {
			_ = l.acquire(t.Context())
		}
		time.Sleep(time.Millisecond)
		for range 8 { // they failed together: one cut
			l.release(likeness{op: "op"}, start, trouble)
		}
		if limit, _ := l.state(); limit != 16 {
			t.Errorf("limit %d, want 16", limit)
		}
		for range 10 {
			time.Sleep(time.Millisecond)
			_ = l.acquire(t.Context())
			l.release(likeness{op: "op"}, time.Now(), trouble)
		}
		if limit, _ := l.state(); limit != 1 {
			t.Errorf("limit %d, want 1: there is always one", limit)
		}
	})
}

// TestLimiterFollowsLatency: the bound goes up and down around what the server
// bears, and what counts is where it is on average.
func TestLimiterFollowsLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(2, 64)
		const samples = 600
		sum := 0
		var wg sync.WaitGroup
		wg.Go(func() {
			for range samples {
				time.Sleep(100 * time.Millisecond)
				limit, _ := l.state()
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
		l := newLimiter(8, 32)
		serve(l, 64, 10*time.Second, 50*time.Millisecond, 1000, nil)
		cut := l.lastCut
		serve(l, 64, time.Minute, 500*time.Millisecond, 1000, nil)
		if l.lastCut == cut {
			t.Error("it did not notice")
		}
		if limit, _ := l.state(); limit < 16 {
			t.Errorf("limit %d at a slow server that bears any number", limit)
		}
	})
}

func TestLimiterIdleDoesNotGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(8, 32)
		serve(l, 2, 10*time.Second, 25*time.Millisecond, 1000, nil)
		if limit, _ := l.state(); limit != 8 {
			t.Errorf("limit %d, though only 2 were ever under way", limit)
		}
	})
}

func TestLimiterCancelPassesTheSlotOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(1, 1)
		_ = l.acquire(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.acquire(ctx); err == nil {
				t.Error("no error after cancel")
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if err := l.acquire(t.Context()); err != nil {
				t.Error(err)
			}
			l.release(likeness{op: "op"}, time.Now(), healthy)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		l.release(likeness{op: "op"}, time.Now(), healthy)
		wg.Wait()
		if _, inFlight := l.state(); inFlight != 0 || len(l.waiting) != 0 {
			t.Errorf("%d in flight, %d waiting", inFlight, len(l.waiting))
		}
	})
}

// TestLimiterMindsSizes: a large read takes longer than a small one, which says
// nothing about the server's health.
func TestLimiterMindsSizes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{answer: func(op *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
			if op == oxuser.OpGetMultipleData {
				users := decodeRequest(t, op, body).(*oxuser.GetMultipleData).Users
				time.Sleep(20*time.Millisecond + 100*time.Millisecond*time.Duration(len(users)))
				out := new(oxuser.GetMultipleDataResponse)
				for _, u := range users {
					out.Return_ = append(out.Return_, &oxuser.User{Id: u.Id})
				}
				return out, nil, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				ids := make([]schoolmail.UserID, 1)
				if i%4 == 0 {
					ids = make([]schoolmail.UserID, 12)
				}
				for n := range ids {
					ids[n] = schoolmail.UserID(n + 3)
				}
				for range 8 {
					if err := discard(c.Context(7, testAdmin).Users.Load(t.Context(), ids)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if st := c.Stats().Servers[0]; st.Limit < 9 {
			t.Errorf("limit %d at a healthy server", st.Limit)
		}
	})
}
