package appsuite

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ictmedia/schoolmail/internal/waits"
)

func TestNewChecks(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		url  string
		opts *Options
	}{
		"no scheme":           {"ox.example/ajax", nil},
		"other scheme":        {"ftp://ox.example/ajax", nil},
		"password in address": {"https://u:p@ox.example/ajax", nil},
		"query":               {"https://ox.example/ajax?x=1", nil},
		"client is agent":     {"https://ox.example/ajax", &Options{UserAgent: "a", ClientName: "a"}},
		"batch too big":       {"https://ox.example/ajax", &Options{BatchSize: 501}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(tc.url, tc.opts); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestPacerKeepsWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		gaps := rapid.SliceOfN(rapid.IntRange(0, 20), 1, 40).Draw(t, "gaps")
		var starts []time.Time
		p := newPacer(Rate{Requests: limit, Per: 10 * time.Second}, &waits.Board{}, "ox.example")
		now := time.Now()
		for _, g := range gaps {
			now = now.Add(time.Duration(g) * time.Second)
			now = p.earliest(now)
			p.take(now)
			starts = append(starts, now)
		}
		for i := range starts {
			if i >= limit && starts[i].Sub(starts[i-limit]) < 10*time.Second {
				t.Fatalf("%d requests within %v", limit+1, starts[i].Sub(starts[i-limit]))
			}
		}
	})
}

func TestPacerWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Rate{Requests: 3, Per: time.Minute}, &waits.Board{}, "ox.example")
		start := time.Now()
		for range 4 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := time.Since(start), time.Minute+windowMargin; got != want {
			t.Errorf("fourth request after %v, want %v", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // two slots are free again
			if err := p.wait(ctx); err != nil {
				t.Fatal(err)
			}
		}
		before := time.Now()
		if err := p.wait(ctx); !errors.Is(err, ErrLimited) {
			t.Errorf("wait beyond the deadline: %v", err)
		}
		if time.Since(before) != 0 {
			t.Error("waited for a start behind the deadline")
		}
	})
}

func TestTooManyRequestsIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
			"contacts new": func(*http.Request, string) fakeAnswer {
				if n++; n == 1 {
					return fakeAnswer{status: 429, header: map[string]string{"Retry-After": "300", "Content-Type": "text/html"},
						body: "<html>"}
				}
				return ok(`{"data":{"id":"7"},"timestamp":5}`)
			},
		}}
		s := f.session(t, Options{})
		start := time.Now()
		id, _, err := s.CreateContact(t.Context(), CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
		if err != nil || id != "7" {
			t.Fatalf("got %q, %v", id, err)
		}
		if got := time.Since(start); got != 5*time.Minute {
			t.Errorf("waited %v", got)
		}
		if st := s.c.Stats(); st.Limited != 1 || st.Waited != 5*time.Minute {
			t.Errorf("stats %+v", st)
		}
		n = 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start = time.Now()
		_, _, err = s.CreateContact(ctx, CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
		if e, ok := errors.AsType[*Error](err); !errors.Is(err, ErrLimited) || !ok || e.RetryAfter != 5*time.Minute ||
			!e.Temporary() {
			t.Errorf("with a short deadline: %v", err)
		}
		if time.Since(start) != 0 {
			t.Error("waited although the deadline comes first")
		}
	})
}

func TestReadsAreRepeatedWritesAreNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reset := fakeAnswer{err: io.ErrUnexpectedEOF}
		reads := 0
		f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
			"contacts all": func(*http.Request, string) fakeAnswer {
				if reads++; reads < 3 {
					return reset
				}
				return ok(`{"data":[]}`)
			},
			"contacts new": func(*http.Request, string) fakeAnswer { return reset },
			"contacts update": func(*http.Request, string) fakeAnswer {
				return fakeAnswer{err: &net.OpError{Op: "dial", Err: errors.New("refused")}}
			},
			"contacts delete": func(*http.Request, string) fakeAnswer { return fakeAnswer{status: 502} },
			"folders new":     func(*http.Request, string) fakeAnswer { return fakeAnswer{status: 503} },
		}}
		s := f.session(t, Options{})
		for _, err := range s.Contacts(t.Context(), "33") {
			t.Errorf("read: %v", err)
		}
		if reads != 3 {
			t.Errorf("%d reads", reads)
		}
		_, _, err := s.CreateContact(t.Context(), CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
		if !errors.Is(err, ErrUncertain) || !errors.Is(err, io.ErrUnexpectedEOF) || f.count("contacts new") != 1 {
			t.Errorf("lost write: %v, sent %d times", err, f.count("contacts new"))
		}
		if e, _ := errors.AsType[*Error](err); e.Temporary() {
			t.Error("an uncertain write must not be taken for temporary")
		}
		_, err = s.UpdateContact(t.Context(), UpdateContact{Folder: "33", ID: "1", Timestamp: 1})
		if !errors.Is(err, ErrUncertain) {
			t.Errorf("write through a transport that tells nothing: %v", err)
		}
		if err := s.DeleteContacts(t.Context(), "33", 1, "1"); !errors.Is(err, ErrUncertain) {
			t.Errorf("502 after a write: %v", err)
		}
		_, err = s.CreateFolder(t.Context(), CreateFolder{Parent: "2", Title: "x",
			Permissions: []Permission{{UserEntity(3), Owner()}}})
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("503: %v", err)
		}
	})
}

func TestNoConnectionIsNotUncertain(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nobody listens there now
	c, err := New("http://"+l.Addr().String()+"/ajax", &Options{ServerWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	s := &Session{c: c, renewing: make(chan struct{}, 1), login: login{id: "x", http: &http.Client{}}}
	_, _, err = s.CreateContact(t.Context(), CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = s.CreateContact(ctx, CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
	if !errors.Is(err, ErrNotSent) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestLoginRefusedIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
		"login login": func(r *http.Request, body string) fakeAnswer {
			if r.URL.Query().Has("password") || !strings.Contains(body, "password=") {
				t.Error("password not in the body")
			}
			return ok(`{"error":"no","error_params":[],"categories":"USER_INPUT","category":1,"code":"LGI-0006",` +
				`"error_id":"1-2"}`)
		},
	}}
	c := f.client(t, Options{MaxFailedLogins: 3})
	for range 3 {
		if _, err := c.Login(t.Context(), Credentials{"a@1", "pw"}); !errors.Is(err, ErrLogin) {
			t.Fatalf("got %v", err)
		}
	}
	if f.logins != 1 {
		t.Errorf("the same refused login was tried %d times", f.logins)
	}
	for _, name := range []string{"b@1", "c@1", "d@1", "e@1"} {
		if _, err := c.Login(t.Context(), Credentials{name, "pw"}); !errors.Is(err, ErrLogin) {
			t.Fatalf("got %v", err)
		}
	}
	if f.logins != 3 {
		t.Errorf("%d logins were tried, want no more than 3", f.logins)
	}
	if _, err := c.Login(t.Context(), Credentials{"", "pw"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("empty name: %v", err)
	}
}

const expired = `{"error":"Your session expired","error_params":[],"categories":"TRY_AGAIN","category":4,` +
	`"code":"SES-0203","error_id":"1-1"}`

func TestExpiredSessionIsRenewedOnce(t *testing.T) {
	t.Parallel()
	f := &fakeServer{}
	var mu sync.Mutex
	valid := "session-1-abcdef"
	f.handle = map[string]func(*http.Request, string) fakeAnswer{
		"login login": func(*http.Request, string) fakeAnswer {
			mu.Lock()
			defer mu.Unlock()
			return ok(`{"session":"` + valid + `","user_id":3,"context_id":17}`)
		},
		"contacts all": func(r *http.Request, _ string) fakeAnswer {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Query().Get("session") != valid {
				return ok(expired)
			}
			return ok(`{"data":[]}`)
		},
	}
	s := f.session(t, Options{})
	mu.Lock()
	valid = "session-2-abcdef"
	mu.Unlock()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for _, err := range s.Contacts(t.Context(), "33") {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if f.count("login login") != 2 {
		t.Errorf("%d logins, want 2", f.count("login login"))
	}
	mu.Lock()
	valid = "never-given-out"
	mu.Unlock()
	f.mu.Lock()
	f.handle["login login"] = func(*http.Request, string) fakeAnswer {
		return ok(`{"error":"no","categories":"PERMISSION_DENIED","category":3,"code":"AUTHORIZATION-0001","error_id":"1"}`)
	}
	f.mu.Unlock()
	for range 3 {
		_, err := Collect(s.Contacts(t.Context(), "33"))
		if !errors.Is(err, ErrLogin) {
			t.Errorf("got %v", err)
		}
	}
	if f.count("login login") != 3 {
		t.Errorf("%d logins, want 3: a refused renewal is not repeated", f.count("login login"))
	}
}

func TestLogoutOnce(t *testing.T) {
	t.Parallel()
	f := &fakeServer{}
	s := f.session(t, Options{})
	for range 2 {
		if err := s.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if f.count("login logout") != 1 {
		t.Errorf("%d logouts", f.count("login logout"))
	}
	if _, err := s.Me(t.Context()); !errors.Is(err, ErrSession) {
		t.Errorf("call after logout: %v", err)
	}
	if f.count("user/me") != 0 {
		t.Error("a call was sent after logout")
	}
}

func TestErrorTextHoldsNoServerTextOrSession(t *testing.T) {
	t.Parallel()
	f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
		"contacts new": func(*http.Request, string) fakeAnswer {
			return ok(`{"error":"The address anna@school.example is wrong","error_params":["anna@school.example"],` +
				`"error_desc":"anna","categories":["USER_INPUT"],"category":1,"code":"CON-0100","error_id":"77-3"}`)
		},
		"contacts all": func(*http.Request, string) fakeAnswer { return fakeAnswer{err: io.EOF} },
	}}
	s := f.session(t, Options{ServerWait: -1})
	_, _, err := s.CreateContact(t.Context(), CreateContact{Folder: "33", Fields: Fields{DisplayName: "x"}})
	if got, want := err.Error(), "appsuite: contacts new folder 33: invalid input (CON-0100, incident 77-3)"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if e, _ := errors.AsType[*Error](err); e.Message == "" || len(e.Params) != 1 {
		t.Errorf("OX's own words are lost: %+v", e)
	}
	_, err = Collect(s.Contacts(t.Context(), "33"))
	if err == nil || strings.Contains(err.Error(), "0123456789abcdef") {
		t.Errorf("session id in %v", err)
	}
}
