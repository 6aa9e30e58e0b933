package ox_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// told collects what an observer hears.
type told struct {
	mu     sync.Mutex
	events []ox.Event
}

func (o *told) Observe(e ox.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

// lines are the events, with the times as seconds since start.
func (o *told) lines(start time.Time) (out []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		out = append(out, fmt.Sprintf("%s (%s) until %d, over %v", e.Reason, e.Subject, int(e.Until.Sub(start).Seconds()),
			e.Over))
	}
	return out
}

// atOnce calls f for 20 users in two contexts at the same time.
func atOnce(t *testing.T, f func(c schoolmail.ContextID, spec schoolmail.UserSpec) error) (errs []error) {
	t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			spec := mia()
			spec.Username, spec.DisplayName, spec.Aliases = fmt.Sprintf("u%d", i), fmt.Sprintf("U %d", i), nil
			spec.Mail = fmt.Sprintf("u%d@s.example", i)
			if err := f(schoolmail.ContextID(10+10*(i%2)), spec); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return errs
}

// bubble is a district whose clock is the bubble's.
func bubble(t *testing.T, opt ox.Options) (*oxtest.Server, *ox.Groupware) {
	t.Helper()
	srv := oxtest.New(oxtest.WithLatency(20 * time.Millisecond))
	addContexts(t, &oxtest.Instance{Server: srv}, 10, 20)
	return srv, ox.NewGroupware(inProcess(t, srv, opt), map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin,
		30: admin}, nil)
}

// TestRestartOfOX: two minutes without OX cost time, and nothing else.
func TestRestartOfOX(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &told{}
		srv, g := bubble(t, ox.Options{Observer: o})
		defer srv.Close()
		start := time.Now()
		go func() { time.Sleep(50 * time.Millisecond); srv.Restart(2 * time.Minute) }()
		if errs := atOnce(t, func(c schoolmail.ContextID, s schoolmail.UserSpec) error {
			_, err := g.EnsureUser(t.Context(), c, s)
			return err
		}); len(errs) > 0 {
			t.Errorf("%d of 20 users are lost, the first: %v", len(errs), errs[0])
		}
		if n := len(srv.State().Users(10)) + len(srv.State().Users(20)); n != 22 {
			t.Errorf("%d users of 22", n)
		}
		took := int(time.Since(start).Seconds())
		lines := o.lines(start)
		if len(lines) != 2 || lines[0] != "server does not answer (http://ox.example/webservices) until 180, over false" ||
			!strings.HasSuffix(lines[1], "over true") || took < 120 || took > 140 {
			t.Errorf("after %d s: %q", took, lines)
		}
	})
}

// TestOXStaysDown: what waits is given up after three minutes, and what comes later
// does not wait all over again.
func TestOXStaysDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, g := bubble(t, ox.Options{})
		defer srv.Close()
		srv.Restart(time.Hour)
		start := time.Now()
		ensure := func(c schoolmail.ContextID, s schoolmail.UserSpec) error {
			_, err := g.EnsureUser(t.Context(), c, s)
			if !errors.Is(err, ox.ErrUnreachable) {
				t.Errorf("got %v", err)
			}
			return err
		}
		atOnce(t, ensure)
		if took := time.Since(start); took < 3*time.Minute || took > 200*time.Second {
			t.Errorf("gave up after %v", took)
		}
		start = time.Now()
		atOnce(t, ensure)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("a dead server was waited for again: %v", took)
		}
	})
}

// TestLockedSchema: all who need the schema wait for it as one and are told of as
// one; if it stays locked that is an error of its own kind, and what does not need
// it goes on.
func TestLockedSchema(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lasts time.Duration
		fails int
		told  int
	}{
		"for four minutes": {4 * time.Minute, 0, 2},
		"for an hour":      {time.Hour, 20, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := &told{}
				srv, g := bubble(t, ox.Options{Observer: o})
				defer srv.Close()
				srv.State().SetUpdating("oxdatabase_5", true)
				time.AfterFunc(tt.lasts, func() { srv.State().SetUpdating("oxdatabase_5", false) })
				start := time.Now()
				errs := atOnce(t, func(c schoolmail.ContextID, s schoolmail.UserSpec) error {
					_, err := g.EnsureUser(t.Context(), c, s)
					return err
				})
				if len(errs) != tt.fails || len(errs) > 0 && !errors.Is(errs[0], schoolmail.ErrUpdating) {
					t.Errorf("%d failed, the first: %v", len(errs), errs)
				}
				if took := time.Since(start); took > 17*time.Minute {
					t.Errorf("took %v", took)
				}
				lines := o.lines(start)
				if len(lines) != tt.told || lines[0] != "database schema is being updated (oxdatabase_5) until 900, over false" ||
					tt.told == 2 && !strings.HasSuffix(lines[1], "over true") {
					t.Errorf("%q", lines)
				}
				if err := g.EnsureContext(t.Context(), schoolmail.ContextSpec{ID: 30, Name: "other"}); err != nil {
					t.Errorf("a new context lies in another schema: %v", err)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestObserveLockedSchema: a context that stays locked comes without users and says so,
// others come as they are.
func TestObserveLockedSchema(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := oxtest.New()
		defer srv.Close()
		addContexts(t, &oxtest.Instance{Server: srv}, 20)
		if err := srv.State().AddContext(oxtest.Context{ID: 10, Name: "school10", Schema: "oxdatabase_7"}); err != nil {
			t.Fatal(err)
		}
		g := ox.NewGroupware(inProcess(t, srv, ox.Options{DatabaseUpdateWait: time.Minute}),
			map[schoolmail.ContextID]ox.Credentials{10: admin, 20: admin}, nil)
		srv.State().SetUpdating("oxdatabase_7", true)
		start := time.Now()
		contexts, places, err := g.Observe(t.Context(), []schoolmail.ContextID{10, 20})
		if err != nil {
			t.Fatal(err)
		}
		want := []schoolmail.Context{{ID: 10, Name: "school10", Updating: true}, {ID: 20, Name: "school20", Users: 1}}
		if diff := cmp.Diff(want, contexts); diff != "" || len(places) != 1 || places[0].Context != 20 {
			t.Errorf("%s\n%v", diff, places)
		}
		if took := time.Since(start); took < time.Minute || took > 2*time.Minute {
			t.Errorf("waited %v", took)
		}
	})
}

func TestEventIsALine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 2, 10, 0, 0, time.UTC)
	e := ox.Event{Reason: ox.SchemaLocked, Subject: "oxdatabase_5", Since: at, Until: at.Add(15 * time.Minute)}
	if got, want := e.String(),
		"ox: waiting: database schema is being updated (oxdatabase_5); until 02:25:00 at most"; got != want {
		t.Errorf("got %q", got)
	}
	e.Over, e.Until = true, at.Add(80*time.Second)
	if got, want := e.String(), "ox: going on after 1m20s: database schema is being updated (oxdatabase_5)"; got != want {
		t.Errorf("got %q", got)
	}
}
