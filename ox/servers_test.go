package ox

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// counted counts the requests that reach a server.
type counted struct {
	http.RoundTripper
	n atomic.Int64
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// TestSickServerIsLeft: whatever is wrong with a server, what may be repeated goes
// to another one, and what comes next goes there at once.
func TestSickServerIsLeft(t *testing.T) {
	t.Parallel()
	answer := func(f func(*http.Request) (*http.Response, error)) http.RoundTripper { return roundTripper(f) }
	for name, tt := range map[string]struct {
		sick http.RoundTripper
		most time.Duration
	}{
		"hangs": {answer(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}), time.Minute},
		"garbage": {answer(func(*http.Request) (*http.Response, error) {
			return response(200, "text/html", []byte("<html><body>Welcome<br></html>")), nil
		}), 0},
		"starting": {&fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
			return nil, fakeFault{"StorageException", "SRV-0001 Categories=TRY_AGAIN Message='x'; exceptionId 1-2"}, true
		}}, 0},
		"unavailable": {answer(func(*http.Request) (*http.Response, error) { return response(503, "text/html", nil), nil }),
			0},
		"certificate": {answer(func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: errors.New("expired")}
		}), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sick, good := &counted{RoundTripper: tt.sick}, &fakeServer{}
				c, err := New([]string{"http://good/webservices", "http://sick/webservices"}, testAdmin,
					&Options{Timeout: time.Minute, HTTPClient: &http.Client{Transport: hosts{"sick": sick, "good": good}}})
				if err != nil {
					t.Fatal(err)
				}
				users := c.Context(1, testAdmin).Users // at home on the sick one
				start := time.Now()
				for range 3 {
					if err := second(users.Exists(t.Context(), UserRef{ID: 3})); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(start); took != tt.most {
					t.Errorf("took %v, want %v", took, tt.most)
				}
				if n := sick.n.Load(); n != 1 {
					t.Errorf("the sick server was asked %d times", n)
				}
			})
		})
	}
}

// TestQueueLeavesADeadServer: who waits for a slot at a server does not try it
// when it has turned out dead meanwhile.
func TestQueueLeavesADeadServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blackHole := &counted{RoundTripper: roundTripper(func(*http.Request) (*http.Response, error) {
			time.Sleep(30 * time.Second) // what a dialer waits
			return nil, &net.OpError{Op: "dial", Err: errors.New("i/o timeout")}
		})}
		c, err := New([]string{"http://good/webservices", "http://hole/webservices"}, testAdmin,
			&Options{MaxInFlight: 4, HTTPClient: &http.Client{Transport: hosts{"hole": blackHole, "good": &fakeServer{}}}})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				if err := second(c.Context(schoolmail.ContextID(2*i+1), testAdmin).Users.Exists(t.Context(),
					UserRef{ID: 3})); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %v, want the 30 s of one round", took)
		}
		if n := blackHole.n.Load(); n != 4 {
			t.Errorf("the dead server was asked %d times, want 4", n)
		}
	})
}

// TestFailuresTogetherCountOnce: a moment in which all requests under way fail is
// one failure, not a server that keeps failing.
func TestFailuresTogetherCountOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var e endpoint
		start := time.Now()
		time.Sleep(time.Second)
		for range 8 {
			e.failed(start)
		}
		if ok, wait := e.usable(); ok || wait != firstPause {
			t.Errorf("out of service for %v, want %v", wait, firstPause)
		}
		time.Sleep(firstPause)
		e.failed(time.Now())
		if _, wait := e.usable(); wait != 2*firstPause {
			t.Errorf("then for %v, want %v", wait, 2*firstPause)
		}
	})
}

// TestSchemaLockOfOtherCalls: calls that are about no one schema wait as well,
// with growing pauses.
func TestSchemaLockOfOtherCalls(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *Client) error{
		"move": func(ctx context.Context, c *Client) error { return second(c.Contexts.MoveDatabase(ctx, 7, 3)) },
		"everywhere": func(ctx context.Context, c *Client) error {
			return c.Cluster.ChangeAccessEverywhere(ctx, "pim", AccessTasks, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, _ := failing(4, func() (any, error, bool) {
					return nil, fakeFault{"DatabaseUpdateException",
						`Schema "db_5" from database 3 on host "h" is locked or is now being updated, please try again later`}, true
				})
				start := time.Now()
				if err := call(t.Context(), newFake(t, f, nil)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < 10*time.Second || took > 30*time.Second {
					t.Errorf("four pauses took %v", took)
				}
			})
		})
	}
}

// TestUntrustedServer: a certificate does not get better by trying again.
func TestUntrustedServer(t *testing.T) {
	t.Parallel()
	h := httptest.NewUnstartedServer(http.NotFoundHandler())
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	defer h.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, address := range []string{h.URL, strings.Replace(plain.URL, "http:", "https:", 1)} {
		c, err := New([]string{address + "/webservices"}, testAdmin, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = second(c.Context(1, testAdmin).Users.Get(t.Context(), UserRef{ID: 3}))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != ErrUnreachable || !e.NotDone || e.Temporary() {
			t.Errorf("got %v, temporary %v", err, ok && e.Temporary())
		}
		if n := c.Stats().Total.Requests; n != 1 {
			t.Errorf("%d requests", n)
		}
		c.CloseIdleConnections()
	}
}

// TestRedirectsAreNotFollowed: a request carries passwords, so it goes where it
// was meant to go, whatever the HTTP client that was handed in would do.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := &counted{RoundTripper: &fakeServer{}}
	for _, status := range []int{301, 302, 303, 307, 308} {
		moved := roundTripper(func(*http.Request) (*http.Response, error) {
			resp := response(status, "text/html", nil)
			resp.Header.Set("Location", "http://elsewhere/webservices/OXUserService")
			return resp, nil
		})
		c, err := New([]string{"http://ox/webservices"}, testAdmin,
			&Options{HTTPClient: &http.Client{Transport: hosts{"ox": moved, "elsewhere": elsewhere}}})
		if err != nil {
			t.Fatal(err)
		}
		cc := c.Context(1, testAdmin)
		err = second(cc.Users.Get(t.Context(), UserRef{ID: 3}))
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != ErrStatus || e.HTTPStatus != status || !e.NotDone ||
			e.Temporary() {
			t.Errorf("got %v", err)
		}
		if err := second(c.CopyUser(t.Context(), "mia", cc, c.Context(2, testAdmin), nil)); err == nil {
			t.Error("no error")
		}
	}
	if n := elsewhere.n.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

// TestWaitForTheCopyService: whoever waits for another's question whether the
// servers can copy gives up with his own context.
func TestWaitForTheCopyService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c, err := New([]string{"http://ox/webservices"}, testAdmin, &Options{HTTPClient: &http.Client{Transport: slow}})
		if err != nil {
			t.Fatal(err)
		}
		long, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = c.CopyUser(long, "mia", c.Context(1, testAdmin), c.Context(2, testAdmin), nil) })
		synctest.Wait()
		start := time.Now()
		short, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if _, err := c.CopyUser(short, "tom", c.Context(3, testAdmin), c.Context(4, testAdmin), nil); !errors.Is(err,
			ErrCanceled) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		cancel()
		wg.Wait()
	})
}

// TestNamesAreNoDiagnosis: names appear in OX's messages, and some of them look
// like other messages.
func TestNamesAreNoDiagnosis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind, text string
		want       Kind
	}{
		{"NoSuchUserException", "No such user TRY_AGAIN in context 7; exceptionId 1-2", ErrNoSuchUser},
		{"NoSuchUserException", "No such user UCP-0003 in context 7; exceptionId 1-2", ErrNoSuchUser},
		{"InvalidDataException", `Invalid email address: An infostore folder named@x.y; exceptionId 1-2`, ErrInvalidData},
		{"InvalidDataException", `Primary mail address "TRY_AGAIN@s.ch" already exists in context 7 (Already assigned to ` +
			`user 3).; exceptionId 1-2`, ErrAddressUsed},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
				return nil, fakeFault{tt.kind, tt.text}, true
			}}
			_, err := newFake(t, f, &Options{Retries: -1, LockWait: 1}).Context(7, testAdmin).Users.Get(t.Context(),
				UserRef{Name: "mia"})
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != tt.want {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestUnknownLoginInAnotherCase: servers that lower-case logins
// (AUTO_TO_LOWERCASE_UID) name them so in their message.
func TestUnknownLoginInAnotherCase(t *testing.T) {
	t.Parallel()
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return nil, fakeFault{"StorageException", "No such user oxadmin in context 7; exceptionId 1-2"}, true
	}}
	_, err := newFake(t, f, nil).Context(7, Credentials{Login: "OXadmin", Password: "pw"}).Users.Get(t.Context(),
		UserRef{ID: 3})
	if !errors.Is(err, ErrCredentials) || errors.Is(err, ErrNoSuchUser) {
		t.Errorf("got %v", err)
	}
}

// TestEscapedSecrets: a server that throws the request back throws it back with
// its references.
func TestEscapedSecrets(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 400} {
		c, err := New([]string{"http://ox/webservices"}, testAdmin,
			&Options{Retries: -1, HTTPClient: &http.Client{Transport: &fakeServer{
				answer: func(_ *soap.Operation, body []byte, _ *http.Request) (any, error, bool) {
					return nil, fakeFault{"InvalidDataException", string(body)}, true
				}}}})
		if err != nil {
			t.Fatal(err)
		}
		err = c.Context(7, testAdmin).Users.Change(t.Context(), UserRef{ID: 3}, UserChange{Password: `hush<&>"'hush`})
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

// TestAnswersToOtherQuestions: a proxy that mixes answers up makes nobody
// disappear and nobody appear.
func TestAnswersToOtherQuestions(t *testing.T) {
	t.Parallel()
	user := func(id int32, name string) *oxuser.User { return &oxuser.User{Id: &id, Name: &name} }
	for name, list := range map[string][]*oxuser.User{
		"too few":        {user(3, "a")},
		"none":           nil,
		"somebody else":  {user(3, "a"), user(5, "c")},
		"one too many":   {user(3, "a"), user(4, "b"), user(5, "c")},
		"without number": {user(3, "a"), {Name: new("b")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{answer: func(op *soap.Operation, _ []byte, _ *http.Request) (any, error, bool) {
				return &oxuser.GetMultipleDataResponse{Return_: list}, nil, true
			}}
			got, err := Collect(newFake(t, f, &Options{Retries: -1}).Context(7, testAdmin).Users.Load(t.Context(),
				[]schoolmail.UserID{3, 4}))
			if !errors.Is(err, ErrProtocol) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	f := &fakeServer{answer: func(*soap.Operation, []byte, *http.Request) (any, error, bool) {
		return &oxuser.GetDataResponse{Return_: user(5, "Tom")}, nil, true
	}}
	users := newFake(t, f, &Options{Retries: -1}).Context(7, testAdmin).Users
	for _, ref := range []UserRef{{ID: 3}, {Name: "mia"}} {
		if got, err := users.Get(t.Context(), ref); !errors.Is(err, ErrProtocol) {
			t.Errorf("got %v, %v", got.Name, err)
		}
	}
	for _, ref := range []UserRef{{ID: 5}, {Name: "tom"}} { // logins may be lower-cased
		if _, err := users.Get(t.Context(), ref); err != nil {
			t.Error(err)
		}
	}
}
