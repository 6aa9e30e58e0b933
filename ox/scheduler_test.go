package ox

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

// gauge counts what is under way and remembers the most.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() (leave func()) {
	n := g.now.Add(1)
	for {
		m := g.most.Load()
		if n <= m || g.most.CompareAndSwap(m, n) {
			break
		}
	}
	return func() { g.now.Add(-1) }
}

// contextOf finds the context a request is about.
func contextOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), ":id>")
	id, _, _ := strings.Cut(rest, "<")
	return id
}

// TestOneWriterPerContext: user writes of one context go one after the other
// without gaps, contexts side by side, reads and group calls beside them.
func TestOneWriterPerContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var perContext sync.Map
		var writes, all gauge
		f := &fakeServer{answer: func(op *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
			defer all.enter()()
			if traitsOf(op)&userWrite != 0 {
				g, _ := perContext.LoadOrStore(contextOf(body), new(gauge))
				defer g.(*gauge).enter()()
				defer writes.enter()()
			}
			time.Sleep(25 * time.Millisecond)
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		start := time.Now()
		var wg sync.WaitGroup
		const contexts, each = 4, 20
		for id := range contexts {
			users := c.Context(schoolmail.ContextID(10+id), testAdmin).Users
			for i := range each {
				wg.Go(func() {
					var err error
					switch i % 4 {
					case 0:
						err = users.Change(t.Context(), UserRef{ID: 3}, UserChange{Note: new("x")})
					case 1:
						err = users.SetAccessName(t.Context(), UserRef{ID: 3}, "pim")
					case 2:
						err = users.Delete(t.Context(), Reassign{}, UserRef{ID: 3})
					case 3:
						err = users.SetMailPersonal(t.Context(), UserRef{ID: 3}, "x")
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		for range 4 {
			wg.Go(func() {
				cc := c.Context(10, testAdmin)
				for range 5 {
					if err := second(cc.Users.Get(t.Context(), UserRef{ID: 3})); err != nil {
						t.Error(err)
					}
					if err := cc.Groups.AddMembers(t.Context(), GroupRef{ID: 5}, 3); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		perContext.Range(func(id, g any) bool {
			if n := g.(*gauge).most.Load(); n != 1 {
				t.Errorf("context %v had %d user writes at once", id, n)
			}
			return true
		})
		if n := writes.most.Load(); n != contexts {
			t.Errorf("%d user writes at once, want one in each of %d contexts", n, contexts)
		}
		if all.most.Load() <= contexts {
			t.Error("no reads beside the writes")
		}
		if took := time.Since(start); took != each*25*time.Millisecond {
			t.Errorf("%d writes per context took %v: the lanes had gaps", each, took)
		}
	})
}

// TestOneCopyAtATime holds for the whole installation.
func TestOneCopyAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var copies gauge
		f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
			switch op {
			case oxuser.OpExists:
				return &oxuser.ExistsResponse{Return_: new(false)}, nil, true
			case oxuser.OpGetData:
				return &oxuser.GetDataResponse{Return_: &oxuser.User{Id: new(int32(3)), Name: new("mia")}}, nil, true
			case oxusercopy.OpCopyUser:
				defer copies.enter()()
				time.Sleep(time.Second)
			}
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		opt := &CopyOptions{AddressFree: func(context.Context, string) (bool, error) { return true, nil }}
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				from, to := c.Context(schoolmail.ContextID(2*i+1), testAdmin), c.Context(schoolmail.ContextID(2*i+2), testAdmin)
				if err := second(c.CopyUser(t.Context(), "mia", from, to, opt)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := copies.most.Load(); n != 1 {
			t.Errorf("%d copies at once", n)
		}
	})
}

// failing answers the first n requests with what fail gives.
func failing(n int64, fail func() (any, error, bool)) (*fakeServer, *atomic.Int64) {
	var count atomic.Int64
	return &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		if count.Add(1) <= n {
			return fail()
		}
		return nil, nil, false
	}}, &count
}

func TestRepeating(t *testing.T) {
	t.Parallel()
	fault := func(kind, text string) func() (any, error, bool) {
		return func() (any, error, bool) { return nil, fakeFault{kind, text}, true }
	}
	lock := fault("StorageException",
		"User update conflict: Another process is currently modifying user data. Please try again later.; exceptionId 1-2")
	update := fault("DatabaseUpdateException",
		`Schema "db_5" from database 3 on host "h" is locked or is now being updated, please try again later; `+
			`exceptionId 1-2`)
	starting := fault("StorageException", "SRV-0001 Categories=TRY_AGAIN Message='x'; exceptionId 1-2")
	reset := func() (any, error, bool) { return nil, io.ErrUnexpectedEOF, true }
	busy := func() (any, error, bool) { return 503, nil, true }
	change := func(ctx context.Context, cc *ContextClient) error {
		return cc.Users.Change(ctx, UserRef{ID: 3}, UserChange{Note: new("x")})
	}
	get := func(ctx context.Context, cc *ContextClient) error { return second(cc.Users.Get(ctx, UserRef{ID: 3})) }
	move := func(ctx context.Context, cc *ContextClient) error {
		return second(cc.Users.MoveToContextFilestore(ctx, UserRef{ID: 3}))
	}
	for _, tt := range []struct {
		name  string
		n     int64
		fail  func() (any, error, bool)
		call  func(context.Context, *ContextClient) error
		want  error // nil: succeeds in the end
		least time.Duration
		most  time.Duration
	}{
		{"lock conflict is waited for", 3, lock, change, nil, 500 * time.Millisecond, 10 * time.Second},
		{"but not for ever", 1000, lock, change, ErrLockConflict, 5 * time.Minute, 6 * time.Minute},
		{"schema update is waited for", 5, update, change, nil, 20 * time.Second, time.Minute},
		{"but not for ever either", 1000, update, get, ErrDatabaseUpdate, 15 * time.Minute, 17 * time.Minute},
		{"a starting server", 2, starting, move, nil, 500 * time.Millisecond, 10 * time.Second},
		{"lost answer of a read", 2, reset, get, nil, 0, 10 * time.Second},
		{"lost answer of a change, which can be made twice", 2, reset, change, nil, 0, 10 * time.Second},
		{"lost answer of a move, which cannot", 1, reset, move, ErrLostAnswer, 0, 0},
		{"unavailable", 2, busy, get, nil, 0, 10 * time.Second},
		{"unavailable, not safe to repeat", 1, busy, move, ErrStatus, 0, 0},
		{"too often", 1000, reset, get, ErrLostAnswer, time.Second, time.Minute},
		{"the caller's own mistake", 1, fault("InvalidDataException", "no"), change, ErrInvalidData, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, count := failing(tt.n, tt.fail)
				c := newFake(t, f, nil)
				start := time.Now()
				err := tt.call(t.Context(), c.Context(7, testAdmin))
				took := time.Since(start)
				if tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				if tt.want == nil && count.Load() != tt.n+1 {
					t.Errorf("%d requests, want %d", count.Load(), tt.n+1)
				}
				if took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
				if st := c.Stats(); st.Total.Requests != count.Load() || st.Total.Retries != count.Load()-1 {
					t.Errorf("counted %+v, %d requests were made", st.Total, count.Load())
				}
			})
		})
	}
}

// TestCancelEndsEveryWait: for the lane, for the lock, for the schema, for a slot
// and for the answer.
func TestCancelEndsEveryWait(t *testing.T) {
	t.Parallel()
	hang := func(_ *soap.Operation, _ []byte, r *http.Request) (any, error, bool) {
		<-r.Context().Done()
		return nil, r.Context().Err(), true
	}
	always := func(kind, text string) func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
			return nil, fakeFault{kind, text}, true
		}
	}
	for name, answer := range map[string]func(*soap.Operation, []byte, *http.Request) (any, error, bool){
		"answer": hang,
		"lock":   always("StorageException", "User update conflict: x"),
		"schema": always("DatabaseUpdateException",
			`Schema "db_5" from database 3 on host "h" is locked or is now being updated, please try again later`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newFake(t, &fakeServer{answer: answer}, &Options{MaxInFlight: 1})
				users := c.Context(7, testAdmin).Users
				ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
				defer cancel()
				start := time.Now()
				var wg sync.WaitGroup
				for range 3 { // the second and third wait for the lane, or for a slot
					wg.Go(func() {
						err := users.Change(ctx, UserRef{ID: 3}, UserChange{Note: new("x")})
						if !errors.Is(err, ErrCanceled) || !errors.Is(err, context.DeadlineExceeded) {
							t.Errorf("got %v", err)
						}
					})
					wg.Go(func() {
						if err := second(users.Exists(ctx, UserRef{ID: 3})); err == nil {
							t.Error("no error")
						}
					})
				}
				wg.Wait()
				if took := time.Since(start); took != 700*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestSchemaPausesTogether: one context's refusal holds back the others of the
// same schema, and the pause grows once per round, not once per call.
func TestSchemaPausesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(10 * time.Second)
		var refused atomic.Int64
		f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
			time.Sleep(10 * time.Millisecond)
			if time.Now().Before(until) {
				refused.Add(1)
				return nil, fakeFault{"DatabaseUpdateException",
					`Schema "db_5" from database 3 on host "h" is locked or is now being updated, please try again later`}, true
			}
			return nil, nil, false
		}}
		c := newFake(t, f, nil)
		var wg sync.WaitGroup
		for id := range 5 {
			wg.Go(func() {
				if err := second(c.Context(schoolmail.ContextID(id+1), testAdmin).Users.Get(t.Context(),
					UserRef{ID: 3})); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// Pauses of 1, 2, 4 and 8 seconds: four rounds of five refusals.
		if n := refused.Load(); n != 4*5 {
			t.Errorf("%d refusals, want 20", n)
		}
	})
}

// cluster of fake servers by host name.
type hosts map[string]http.RoundTripper

func (h hosts) RoundTrip(r *http.Request) (*http.Response, error) { return h[r.URL.Host].RoundTrip(r) }

// down refuses connections.
type down struct{ asked atomic.Int64 }

func (d *down) RoundTrip(*http.Request) (*http.Response, error) {
	d.asked.Add(1)
	return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b, dead := &fakeServer{}, &fakeServer{}, &down{}
		c, err := New([]string{"http://a/webservices", "http://dead/webservices", "http://b/webservices"}, testAdmin,
			&Options{HTTPClient: &http.Client{Transport: hosts{"a": a, "b": b, "dead": dead}}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range 5 {
			for id := range 3 {
				cc := c.Context(schoolmail.ContextID(id), testAdmin)
				if id == 0 {
					cc = c.Context(3, testAdmin)
				}
				// Nothing was sent to the dead one, so even a move may go elsewhere.
				if err := second(cc.Users.MoveToContextFilestore(t.Context(), UserRef{ID: 3})); err != nil {
					t.Fatal(err)
				}
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %v: there were servers to go to at once", took)
		}
		if n := dead.asked.Load(); n != 1 {
			t.Errorf("the dead server was asked %d times", n)
		}
		// Context 3 stays with a, context 1 moves from the dead one to b, context 2 stays with b.
		for _, r := range a.requests {
			if id := contextOf(r.body); id != "3" {
				t.Errorf("server a was asked about context %s", id)
			}
		}
		if len(a.requests) != 5 || len(b.requests) != 10 {
			t.Errorf("%d and %d requests", len(a.requests), len(b.requests))
		}
		if st := c.Stats().Servers; st[0].Usable != true || st[1].Usable != false {
			t.Errorf("got %+v", st)
		}
		// After its pause the dead one gets another chance.
		time.Sleep(firstPause)
		_ = second(c.Context(1, testAdmin).Users.Get(t.Context(), UserRef{ID: 3}))
		if n := dead.asked.Load(); n != 2 {
			t.Errorf("the dead server was asked %d times in all", n)
		}
	})
}

func TestAllServersDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dead := &down{}
		c, err := New([]string{"http://a/webservices", "http://b/webservices"}, testAdmin,
			&Options{HTTPClient: &http.Client{Transport: hosts{"a": dead, "b": dead}}})
		if err != nil {
			t.Fatal(err)
		}
		err = second(c.Context(1, testAdmin).Users.Get(t.Context(), UserRef{ID: 3}))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != ErrUnreachable || !e.NotDone || !e.Temporary() {
			t.Errorf("got %v", err)
		}
	})
}

func TestNewRefusesBadEndpoints(t *testing.T) {
	t.Parallel()
	for _, endpoints := range [][]string{nil, {"ox.example"}, {"ftp://ox.example"}, {"http://u:hush@"}} {
		_, err := New(endpoints, testAdmin, nil)
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v: got %v", endpoints, err)
		}
	}
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
