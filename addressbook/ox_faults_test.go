package addressbook

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// roundTripper is a function as a transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// syncThrough syncs context 1 with a client of its own.
func (w *world) syncThrough(transport http.RoundTripper, rules Rules, want Desired) error {
	s, err := w.newClient(transport).Login(w.t.Context(), appsuite.Credentials{Name: "svc-books@c1",
		Password: somePassword})
	if err != nil {
		return err
	}
	st, err := NewStore(s, nil)
	if err != nil {
		return err
	}
	r, err := Sync(w.t.Context(), rules, want, map[schoolmail.ContextID]Store{1: st}, someDay, &Options{ImportFrom: 4})
	return errors.Join(err, r.Err())
}

// One connection breaks, at any request, or the server forgets its sessions:
// the run goes on and nothing is doubled.
func TestOpenXchangeFaultAtEveryRequest(t *testing.T) {
	t.Parallel()
	people := everyone("tina teacher 1 au", "anna pupil 1 au:3a", "ben pupil 1 au:3a", "cleo pupil 1 au:3b")
	rules := exactRules()
	want := mustBuild(t, rules, people)
	undisturbed := newWorld(t, people, oxtest.HTTPOptions{})
	if err := undisturbed.syncThrough(nil, rules, want); err != nil {
		t.Fatal(err)
	}
	wantShape := undisturbed.shape()
	faults := map[string]func(*world, http.RoundTripper, *http.Request) (*http.Response, error){
		"lost before": func(*world, http.RoundTripper, *http.Request) (*http.Response, error) {
			return nil, errors.New("connection refused")
		},
		"lost after": func(_ *world, base http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := base.RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil, errors.New("connection reset")
		},
		"sessions ended": func(w *world, base http.RoundTripper, r *http.Request) (*http.Response, error) {
			w.server.EndSessions(0)
			return base.RoundTrip(r)
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the client pauses before it tries again
				hits := 0
				for n := int64(2); ; n++ { // the first is the login
					w := newWorld(t, people, oxtest.HTTPOptions{})
					base := w.server.HTTPClient().Transport
					var count atomic.Int64
					hit := false
					err := w.syncThrough(roundTripper(func(r *http.Request) (*http.Response, error) {
						if count.Add(1) == n {
							hit = true
							return fault(w, base, r)
						}
						return base.RoundTrip(r)
					}), rules, want)
					if err != nil {
						t.Fatalf("request %d: %v", n, err)
					}
					if diff := cmp.Diff(wantShape, w.shape()); diff != "" {
						t.Fatalf("request %d: -undisturbed +disturbed\n%s", n, diff)
					}
					w.server.Close()
					if !hit {
						break
					}
					hits++
				}
				if hits < 10 {
					t.Errorf("only %d faults", hits)
				}
			})
		})
	}
}

// A server with a tighter limit than the client knows of is obeyed.
func TestOpenXchangeTightLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		people := bigVillage()
		rules := exactRules()
		want := mustBuild(t, rules, people)
		free := newWorld(t, people, oxtest.HTTPOptions{})
		mustSync(t, rules, want, free.stores, someDay, nil)
		tight := newWorld(t, people, oxtest.HTTPOptions{Rate: 15, RateWindow: time.Minute})
		start := time.Now()
		mustSync(t, rules, want, tight.stores, someDay, nil)
		if d := time.Since(start); d < time.Minute {
			t.Errorf("the limit was not met: done after %v", d)
		}
		time.Sleep(time.Hour / 2)
		if diff := cmp.Diff(fmt.Sprint(free.shape()), tight.shape()); diff != "" {
			t.Errorf("-free +limited\n%s", diff)
		}
	})
}
