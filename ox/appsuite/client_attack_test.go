package appsuite

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail/internal/waits"
)

const refusedLogin = `{"error":"no","error_params":[],"categories":"USER_INPUT","category":1,"code":"LGI-0006",` +
	`"error_id":"1-2"}`

// Many logins at once with wrong passwords must not lock out the address before
// the first is answered.
func TestLoginsAtOnceDoNotLockTheAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
			"login login": func(*http.Request, string) fakeAnswer {
				time.Sleep(time.Second) // all are under way before any is answered
				return ok(refusedLogin)
			},
		}}
		c := f.client(t, Options{MaxFailedLogins: 3})
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if _, err := c.Login(t.Context(), Credentials{fmt.Sprintf("svc@%d", i), "pw"}); !errors.Is(err, ErrLogin) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if n := f.count("login login"); n != 3 {
			t.Errorf("%d logins were sent, want 3", n)
		}
		c = f.client(t, Options{})
		for range 10 {
			wg.Go(func() { _, _ = c.Login(t.Context(), Credentials{"svc@1", "pw"}) })
		}
		wg.Wait()
		if n := f.count("login login"); n != 4 {
			t.Errorf("the same refused login was sent %d times", n-3)
		}
	})
}

// A refusal with a code of an authentication plug-in is a refusal, too.
func TestAnyRefusedLoginIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code, categories string
		sent             int
	}{
		{"LGI-0006", "USER_INPUT", 1},
		{"AUTHORIZATION-0001", "PERMISSION_DENIED", 1},
		{"LGI-0099", "USER_INPUT", 1},
		{"PLUGIN-0007", "ERROR", 1},
		{"LGI-0016", "ERROR", 1},
		{"LGI-0002", "TRY_AGAIN", 3},
		{"DB-0001", "SERVICE_DOWN", 3},
		{"SES-0007", "USER_INPUT", 3}, // too many sessions
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
				"login login": func(*http.Request, string) fakeAnswer {
					return ok(`{"error":"no","categories":"` + tt.categories + `","code":"` + tt.code + `","error_id":"1"}`)
				},
			}}
			c := f.client(t, Options{})
			for range 3 {
				_, err := c.Login(t.Context(), Credentials{"a@1", "pw"})
				if got := errors.Is(err, ErrLogin); got != (tt.sent == 1) {
					t.Errorf("refused: %v (%v)", got, err)
				}
			}
			if n := f.count("login login"); n != tt.sent {
				t.Errorf("sent %d times, want %d", n, tt.sent)
			}
		})
	}
}

// Requests that already wait for their turn keep still when the server asks for
// a pause.
func TestPauseHoldsBackWhoIsWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Rate{Requests: 1, Per: 8 * time.Second}, &waits.Board{}, "ox.example")
		if err := p.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := p.wait(t.Context()); err != nil {
					t.Error(err)
				}
				if d := time.Since(begin); d < time.Minute {
					t.Errorf("a request went out after %v, in the pause", d)
				}
			})
		}
		synctest.Wait() // both wait for their turn, in 10 and 20 seconds
		p.pause(time.Minute)
		wg.Wait()
	})
}

// A page with status 403 is a lost session only where OX answers with pages. A
// proxy that refuses a call must not cost logins and sessions.
func TestForbidden(t *testing.T) {
	t.Parallel()
	forbidden := func(*http.Request, string) fakeAnswer {
		return fakeAnswer{status: 403, header: map[string]string{"Content-Type": "text/html"}, body: "<html>"}
	}
	f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
		"user all": forbidden, "multiple": forbidden, "export CSV": forbidden,
	}}
	s := f.session(t, Options{})
	if _, err := Collect(s.Users(t.Context())); !errors.Is(err, ErrPermission) {
		t.Errorf("users: %v", err)
	}
	if _, err := s.Write(t.Context(), []Op{DeleteFolder{ID: "7"}}); !errors.Is(err, ErrPermission) {
		t.Errorf("multiple: %v", err)
	}
	if n := f.count("login login"); n != 1 {
		t.Errorf("%d logins", n)
	}
	if _, err := s.ExportCSV(t.Context(), "33"); !errors.Is(err, ErrPermission) {
		t.Errorf("export: %v", err)
	}
	if in, out := f.count("login login"), f.count("login logout"); in != 2 || out != 1 {
		t.Errorf("%d logins, %d logouts: the old session is left", in, out)
	}
}

// An answer that has no list is not an empty list.
func TestMissingListsAreNotEmpty(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"data":null}`, `{"timestamp":5}`, `{"data":{}}`, `{"data":"x"}`} {
		f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{}}
		for _, op := range []string{"contacts all", "contacts list", "user all", "group all", "folders list"} {
			f.handle[op] = func(*http.Request, string) fakeAnswer { return ok(body) }
		}
		f.handle["multiple"] = func(*http.Request, string) fakeAnswer { return ok("[" + body + "]") }
		s := f.session(t, Options{})
		_, contacts := Collect(s.Contacts(t.Context(), "33"))
		_, byID := Collect(s.ContactsByID(t.Context(), []ContactRef{{"33", "7"}}))
		_, users := Collect(s.Users(t.Context()))
		_, groups := Collect(s.Groups(t.Context()))
		_, folders := Collect(s.Folders(t.Context(), "2"))
		listings, err := Collect(s.Listings(t.Context(), []FolderID{"33"}))
		if err != nil || len(listings) != 1 {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"contacts": contacts, "list": byID, "users": users, "groups": groups,
			"folders": folders, "listings": listings[0].Err} {
			if !errors.Is(err, ErrProtocol) {
				t.Errorf("%s answered %s: %v", what, body, err)
			}
		}
	}
}
