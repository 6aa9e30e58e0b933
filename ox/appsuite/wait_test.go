package appsuite_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// told collects what an observer hears.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (o *told) Observe(e appsuite.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	line := fmt.Sprintf("%s (%s)", e.Reason, e.Subject)
	if e.Over {
		line += " over"
	}
	o.lines = append(o.lines, line)
}

// bubble is a server with context 17 whose clock is the bubble's, and a client.
func bubble(t *testing.T, h oxtest.HTTPOptions, o appsuite.Options) (*oxtest.Server, *appsuite.Client,
	appsuite.Credentials) {
	t.Helper()
	srv := oxtest.New(oxtest.WithHTTP(&h))
	if err := srv.State().AddContext(oxtest.Context{ID: 17, Name: "primar", Access: "all"}); err != nil {
		t.Fatal(err)
	}
	o.HTTPClient = srv.HTTPClient()
	c, err := appsuite.New("http://ox.example/ajax/", &o)
	if err != nil {
		t.Fatal(err)
	}
	return srv, c, appsuite.Credentials{Name: "oxadmin@primar", Password: "secret"}
}

// TestWaits: what is waited for is told once, however many sessions wait, and what
// a call needs that it got no answer to is asked again.
func TestWaits(t *testing.T) {
	t.Parallel()
	const down, locked, limit = "server does not answer (ox.example)", "database schema is being updated (context primar)",
		"the server's rate limit is reached (ox.example)"
	for name, tt := range map[string]struct {
		http    oxtest.HTTPOptions
		options appsuite.Options
		trouble func(*oxtest.Server)
		atLeast time.Duration
		want    []string
	}{
		"restart": {trouble: func(s *oxtest.Server) { s.Restart(2 * time.Minute) }, atLeast: 2 * time.Minute,
			want: []string{down, down + " over"}},
		"locked schema": {trouble: func(s *oxtest.Server) {
			s.EndSessions(0)
			s.State().SetUpdating("oxdatabase_5", true)
			time.AfterFunc(5*time.Minute, func() { s.State().SetUpdating("oxdatabase_5", false) })
		}, atLeast: 5 * time.Minute, want: []string{locked, locked + " over"}},
		"locked under an open session": {trouble: func(s *oxtest.Server) {
			s.State().SetUpdating("oxdatabase_5", true)
			time.AfterFunc(5*time.Minute, func() { s.State().SetUpdating("oxdatabase_5", false) })
		}, atLeast: 5 * time.Minute, want: []string{locked, locked + " over"}},
		"rate limit used up by others": {http: oxtest.HTTPOptions{Rate: 20},
			options: appsuite.Options{Rate: appsuite.Rate{Requests: -1}},
			trouble: func(*oxtest.Server) {}, atLeast: 5 * time.Minute, want: []string{limit, limit + " over"}},
		"a hiccup": {trouble: func(s *oxtest.Server) { s.Restart(2 * time.Second) }, atLeast: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := &told{}
				tt.options.Observer = o
				srv, c, cred := bubble(t, tt.http, tt.options)
				defer srv.Close()
				var sessions []*appsuite.Session
				for range 4 {
					s, err := c.Login(t.Context(), cred)
					if err != nil {
						t.Fatal(err)
					}
					sessions = append(sessions, s)
				}
				start := time.Now()
				tt.trouble(srv)
				var wg sync.WaitGroup
				for _, s := range sessions {
					wg.Go(func() {
						for range 5 {
							if _, err := s.Me(t.Context()); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				took := time.Since(start)
				if took < tt.atLeast || took > tt.atLeast+2*time.Minute {
					t.Errorf("took %v", took)
				}
				if got, want := strings.Join(o.lines, "\n"), strings.Join(tt.want, "\n"); got != want {
					t.Errorf("told:\n%s\nwant:\n%s", got, want)
				}
				// Four sessions that wait side by side for five minutes have waited five minutes.
				if w := c.Stats().Waited; w > took {
					t.Errorf("%v waited in %v", w, took)
				}
			})
		})
	}
}

// TestContextStaysLocked: the error has a kind of its own, the password does not
// count as refused, and another context is not kept waiting.
func TestContextStaysLocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c, cred := bubble(t, oxtest.HTTPOptions{}, appsuite.Options{})
		defer srv.Close()
		if err := srv.State().AddContext(oxtest.Context{ID: 18, Name: "sek", Schema: "oxdatabase_6"}); err != nil {
			t.Fatal(err)
		}
		srv.State().SetUpdating("oxdatabase_5", true)
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := c.Login(t.Context(), cred)
			if !errors.Is(err, appsuite.ErrUpdating) || !errors.Is(err, schoolmail.ErrUpdating) ||
				errors.Is(err, appsuite.ErrLogin) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took < 15*time.Minute || took > 17*time.Minute {
				t.Errorf("gave up after %v", took)
			}
		})
		if _, err := c.Login(t.Context(), appsuite.Credentials{Name: "oxadmin@sek", Password: "secret"}); err != nil ||
			time.Since(start) > time.Second {
			t.Errorf("the other context: %v after %v", err, time.Since(start))
		}
		wg.Wait()
		srv.State().SetUpdating("oxdatabase_5", false)
		if _, err := c.Login(t.Context(), cred); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestWritesAreNotSentTwice: what was not sent is sent when the server is back; a
// write whose answer was lost is not.
func TestWritesAreNotSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv, c, cred := bubble(t, oxtest.HTTPOptions{}, appsuite.Options{})
		defer srv.Close()
		s, err := c.Login(t.Context(), cred)
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.CreateFolder(t.Context(), appsuite.CreateFolder{Parent: appsuite.PublicFolder, Title: "Klassen",
			Permissions: []appsuite.Permission{{Entity: appsuite.UserEntity(s.UserID()), Rights: appsuite.Owner()}}})
		if err != nil {
			t.Fatal(err)
		}
		entry := appsuite.CreateContact{Folder: f, Fields: appsuite.Fields{appsuite.DisplayName: "Eins"}}
		srv.Restart(time.Minute)
		if _, _, err := s.CreateContact(t.Context(), entry); err != nil {
			t.Errorf("after the restart: %v", err)
		}
		remove := srv.Inject(oxtest.Fault{Service: "http", Op: "contacts new", Failure: oxtest.Failure{ResetAfter: true}})
		entry.Fields = appsuite.Fields{appsuite.DisplayName: "Zwei"}
		if _, _, err := s.CreateContact(t.Context(), entry); !errors.Is(err, appsuite.ErrUncertain) {
			t.Errorf("answer lost: %v", err)
		}
		remove()
		all, err := appsuite.Collect(s.Contacts(t.Context(), f, appsuite.DisplayName))
		if err != nil || len(all) != 2 {
			t.Errorf("%v, %d entries of 2", err, len(all))
		}
	})
}
