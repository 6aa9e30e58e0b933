package dovecot_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// serve runs a handler and returns a client of it.
func serve(t *testing.T, h http.HandlerFunc, o *dovecot.Options) *dovecot.Client {
	t.Helper()
	srv := httptest.NewServer(h)
	if o == nil {
		o = &dovecot.Options{APIKey: "secret-key"}
	}
	return newClient(t, srv.URL, o)
}

func TestNew(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "mail.school.test", "ftp://mail.school.test", "http://",
		"https://doveadm:pw@mail.school.test", "http://a b/"} {
		_, err := dovecot.New(bad, nil)
		if err == nil {
			t.Errorf("New(%q) works", bad)
		} else if strings.Contains(err.Error(), "pw@") || strings.Contains(err.Error(), ":pw") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	if _, err := dovecot.New("http://ok", &dovecot.Options{Hosts: []string{"bad"}}); err == nil {
		t.Error("New works with a bad further host")
	}
	c, err := dovecot.New("https://mail.school.test:8443/",
		&dovecot.Options{Hosts: []string{"https://b.school.test/doveadm/v1"}})
	must(t, err)
	wantSame(t, "hosts", c.Hosts(), []string{"mail.school.test:8443", "b.school.test"})
}

func TestRequestForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts dovecot.Options
		auth string
	}{
		{"key", dovecot.Options{APIKey: "k", Password: "p"},
			"X-Dovecot-API " + base64.StdEncoding.EncodeToString([]byte("k"))},
		{"password", dovecot.Options{Password: "p"}, "Basic " + base64.StdEncoding.EncodeToString([]byte("doveadm:p"))},
		{"neither", dovecot.Options{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var method, path, auth, body string
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				method, path, auth, body = r.Method, r.URL.Path, r.Header.Get("Authorization"), string(b)
				io.WriteString(w, `[["doveadmResponse",[],"1"]]`)
			}, &tc.opts)
			must(t, c.Subscribe(t.Context(), "a<b>@s.test", "Entwürfe & mehr"))
			wantSame(t, "method", method, "POST")
			wantSame(t, "path", path, "/doveadm/v1")
			wantSame(t, "authorization", auth, tc.auth)
			wantSame(t, "body", body, `[["mailboxSubscribe",{"mailbox":["Entwürfe & mehr"],"user":"a<b>@s.test"},"1"]]`)
		})
	}
}

// TestFailures maps what can go wrong on the way to kinds, and to the question
// whether to try again.
func TestFailures(t *testing.T) {
	t.Parallel()
	hangUp := func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); io.WriteString(w, body) }
	}
	say := func(body string) http.HandlerFunc { return status(200, body) }
	exit := func(code int) http.HandlerFunc {
		return say(fmt.Sprintf(`[["error",{"type":"exitCode", "exitCode":%d},"1"]]`, code))
	}
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		kind    dovecot.Kind
		create  bool // temporary for a command that changes
		read    bool // temporary for one that reads
	}{
		{"no answer", hangUp, dovecot.ErrUnknownOutcome, false, true},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `[["doveadmResponse",`)
		}, dovecot.ErrUnknownOutcome, false, true},
		{"400", status(400, "JSON parse error: x\r\n"), dovecot.ErrInvalid, false, false},
		{"401", status(401, ""), dovecot.ErrUnauthorized, false, false},
		{"403", status(403, ""), dovecot.ErrForbidden, false, false},
		{"404", status(404, "Path Not Found"), dovecot.ErrProtocol, false, false},
		{"500", status(500, ""), dovecot.ErrConfig, false, false},
		{"502", status(502, ""), dovecot.ErrUnknownOutcome, false, true},
		{"503", status(503, ""), dovecot.ErrUnavailable, true, true},
		{"504", status(504, ""), dovecot.ErrUnknownOutcome, false, true},
		{"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			dovecot.ErrProtocol, false, false},
		{"no JSON", say("<html>"), dovecot.ErrProtocol, false, false},
		{"no answers", say("[]"), dovecot.ErrProtocol, false, false},
		{"another tag", say(`[["doveadmResponse",[],"2"]]`), dovecot.ErrProtocol, false, false},
		{"the missing comma", say(`[["error",{"type":"unknownMethod", "exitCode":0},"1"]["doveadmResponse",[],"2"]]`),
			dovecot.ErrProtocol, false, false},
		{"exit 64", exit(64), dovecot.ErrInvalid, false, false},
		{"exit 66", exit(66), dovecot.ErrServer, false, false},
		{"exit 67", exit(67), dovecot.ErrNoUser, false, false},
		{"exit 68", exit(68), dovecot.ErrNotFound, false, false},
		{"exit 73", exit(73), dovecot.ErrOverQuota, false, false},
		{"exit 75", exit(75), dovecot.ErrTemporary, true, true},
		{"exit 77", exit(77), dovecot.ErrPermission, false, false},
		{"exit 78", exit(78), dovecot.ErrConfig, false, false},
		{"unknownMethod", say(`[["error",{"type":"unknownMethod", "exitCode":67},"1"]]`), dovecot.ErrUnsupported, false,
			false},
		{"invalidRequest", say(`[["error",{"type":"invalidRequest", "exitCode":67},"1"]]`), dovecot.ErrInvalid, false, false},
		{"unAuthorized", say(`[["error",{"type":"unAuthorized", "exitCode":67},"1"]]`), dovecot.ErrForbidden, false, false},
		{"internalError", say(`[["error",{"type":"internalError", "exitCode":67},"1"]]`), dovecot.ErrServer, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, tc.handler, nil)
			_, readErr := c.Status(t.Context(), "a@s.test")
			for what, e := range map[string]struct {
				err       error
				temporary bool
			}{
				"create": {c.CreateMailbox(t.Context(), "a@s.test", "X", nil), tc.create},
				"read":   {readErr, tc.read},
			} {
				wantKind(t, e.err, tc.kind)
				de, ok := errors.AsType[*dovecot.Error](e.err)
				if !ok {
					t.Fatalf("%s: %T is no *Error", what, e.err)
				}
				if de.Temporary() != e.temporary {
					t.Errorf("%s: Temporary() = %v (%v)", what, de.Temporary(), e.err)
				}
				if strings.HasPrefix(tc.name, "exit") != (de.ExitCode != 0) {
					t.Errorf("%s: exit code %d", what, de.ExitCode)
				}
				if strings.Contains(de.Error(), "secret-key") || de.User != "a@s.test" || de.Op == "" || de.Host == "" {
					t.Errorf("%s: %#v", what, de)
				}
			}
		})
	}
}

func TestNotReached(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	l.Close()
	c := newClient(t, "http://"+addr, nil)
	err = c.CreateMailbox(t.Context(), "a@s.test", "X", nil)
	wantKind(t, err, dovecot.ErrUnavailable)
	if e, _ := errors.AsType[*dovecot.Error](err); !e.Temporary() {
		t.Error("nothing was sent, and it is not temporary")
	}

	// TLS that is not trusted: nothing was sent either.
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	wantKind(t, newClient(t, srv.URL, nil).CreateMailbox(t.Context(), "a@s.test", "X", nil), dovecot.ErrUnavailable)
}

func TestTLS(t *testing.T) {
	t.Parallel()
	sim := dovecottest.New()
	sim.SetUsers(dovecottest.User{Name: "a@s.test"})
	srv := httptest.NewTLSServer(sim)
	c := newClient(t, srv.URL, &dovecot.Options{APIKey: "test-key",
		TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig})
	must(t, c.CreateMailbox(t.Context(), "a@s.test", "X", nil))
	wantSame(t, "mailboxes", sim.Mailboxes("a@s.test"), []string{"INBOX", "X"})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan bool, 2), make(chan bool)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- true
		<-release
	}, &dovecot.Options{Concurrency: 1})
	t.Cleanup(func() { close(release) })

	why := errors.New("operator pressed a key")
	ctx, cancel := context.WithCancelCause(t.Context())
	waiting, stop := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	var first, second error
	wg.Go(func() { first = c.CreateMailbox(ctx, "a@s.test", "X", nil) })
	<-arrived
	// The only slot is taken: the second call is not sent at all.
	wg.Go(func() { second = c.CreateMailbox(waiting, "a@s.test", "Y", nil) })
	stop(why)
	cancel(why)
	wg.Wait()
	wantKind(t, first, dovecot.ErrUnknownOutcome)
	wantKind(t, second, dovecot.ErrUnavailable)
	for _, err := range []error{first, second} {
		if !errors.Is(err, why) {
			t.Errorf("the cause is lost: %v", err)
		}
	}
	if len(arrived) != 0 {
		t.Error("the waiting call was sent")
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var now, most int
	gate := make(chan bool)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		<-gate
		mu.Lock()
		now--
		mu.Unlock()
		io.WriteString(w, `[["doveadmResponse",[],"1"]]`)
	}, &dovecot.Options{Concurrency: 3})
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			if err := c.Subscribe(t.Context(), "a@s.test", "X"); err != nil {
				t.Error(err)
			}
		})
	}
	for range 12 {
		gate <- true
	}
	wg.Wait()
	if most > 3 {
		t.Errorf("%d requests at a time, want at most 3", most)
	}
	wantSame(t, "counters", c.Stats(), dovecot.Stats{Requests: 12, Commands: map[string]int64{"mailboxSubscribe": 12}})
}

func TestAnswerLimit(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[["doveadmResponse",[{"mailbox":"`+strings.Repeat("x", 2000)+`"}],"1"]]`)
	}, &dovecot.Options{MaxAnswer: 1000})
	_, err := c.Mailboxes(t.Context(), "a@s.test", nil)
	wantKind(t, err, dovecot.ErrProtocol)
}

// TestLostAnswer: the command was carried out and nobody said so.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	sim := testlife.Of(dovecottest.Start())(t)
	sim.SetUsers(dovecottest.User{Name: "a@s.test"})
	c := newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key"})
	sim.Inject(dovecottest.Fault{Command: "mailboxCreate", DisconnectAfter: true})
	wantKind(t, c.CreateMailbox(t.Context(), "a@s.test", "X", nil), dovecot.ErrUnknownOutcome)
	n := 0
	for _, call := range sim.Calls() {
		if call.Command == "mailboxCreate" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("sent %d times, want once", n)
	}
	// Ensure looks, finds it, and is content.
	s := get[dovecot.State](t)(c.Ensure(t.Context(), "a@s.test", dovecot.Desired{Mailboxes: []string{"X"}}))
	wantSame(t, "missing", s.Missing(dovecot.Desired{Mailboxes: []string{"X"}}), []string(nil))
	before := c.Stats().Requests
	get[dovecot.State](t)(c.Ensure(t.Context(), "a@s.test", dovecot.Desired{Mailboxes: []string{"X"}}))
	if n := c.Stats().Requests - before; n != 2 {
		t.Errorf("%d requests for what is as it should be, want 2: the flush and the questions", n)
	}
}

// TestEnsureFaults: whatever request fails, the next run completes the work.
func TestEnsureFaults(t *testing.T) {
	t.Parallel()
	want := dovecot.Desired{Mailboxes: []string{"Klassen", "Archiv"}, QuotaBytes: 1 << 30}
	for i := 0; ; i++ {
		sim := testlife.Of(dovecottest.Start())(t)
		sim.SetUsers(dovecottest.User{Name: "a@s.test"})
		c := newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key"})
		sim.Inject(dovecottest.Fault{Skip: i, DisconnectAfter: i%2 == 0, Disconnect: i%2 == 1})
		_, err := c.Ensure(t.Context(), "a@s.test", want)
		if err == nil { // the fault was never met
			sim.Close()
			if i < 10 {
				t.Errorf("Ensure made only %d commands", i)
			}
			return
		}
		if _, err := c.Ensure(t.Context(), "a@s.test", want); err != nil {
			t.Errorf("after a failure of command %d: %v", i+1, err)
		}
		wantSame(t, "mailboxes", sim.Mailboxes("a@s.test"), []string{"Archiv", "INBOX", "Klassen"})
		sim.Close()
	}
}

// TestMoveMailNotDone: the server says "done" and it is not.
func TestMoveMailNotDone(t *testing.T) {
	t.Parallel()
	sim := testlife.Of(dovecottest.Start())(t)
	sim.SetUsers(dovecottest.User{Name: "old@s.test"}, dovecottest.User{Name: "new@s.test"})
	sim.AddMessage("old@s.test", "INBOX", dovecottest.Message{Body: []byte(message("x"))})
	c := newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key"})
	before := get[dovecot.State](t)(c.Inspect(t.Context(), "old@s.test"))
	before.Mailboxes[0].Messages = 2 // as if one had been lost on the way
	_, err := c.MoveMail(t.Context(), before, "new@s.test")
	wantKind(t, err, dovecot.ErrIncomplete)

	before.Mailboxes[0].Messages = 1
	sim.Inject(dovecottest.Fault{Command: "sync", ExitCode: 2, Times: 2}) // "run again"
	get[dovecot.State](t)(c.MoveMail(t.Context(), before, "new@s.test"))
	sim.Inject(dovecottest.Fault{Command: "sync", ExitCode: 2, Times: -1})
	_, err = c.MoveMail(t.Context(), before, "new@s.test")
	wantKind(t, err, dovecot.ErrTemporary)
}

// TestSetQuotaFaults: a dict that fails at the moment is temporary, whatever
// was in the log before, and the next try completes the work.
func TestSetQuotaFaults(t *testing.T) {
	t.Parallel()
	sim := testlife.Of(dovecottest.Start(dovecottest.WithQuotaDict("proxy::quota"), dovecottest.WithAuthCache()))(t)
	sim.SetUsers(dovecottest.User{Name: "a@s.test"})
	ctx, c := t.Context(), newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key", QuotaDict: "proxy::quota"})
	wantKind(t, newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key", QuotaDict: "proxy::none"}).SetQuota(ctx,
		"a@s.test", 1<<20), dovecot.ErrUnsupported)
	for _, tc := range []struct {
		name  string
		fault dovecottest.Fault
		kind  dovecot.Kind
	}{
		{"dict down", dovecottest.Fault{Command: "dictSet", ExitCode: 75}, dovecot.ErrTemporary},
		{"lost answer", dovecottest.Fault{Command: "dictSet", DisconnectAfter: true}, dovecot.ErrUnknownOutcome},
		{"flush lost", dovecottest.Fault{Command: "authCacheFlush", Disconnect: true}, dovecot.ErrUnknownOutcome},
		{"look failed", dovecottest.Fault{Command: "quotaGet", ExitCode: 75}, dovecot.ErrTemporary},
	} {
		sim.Inject(tc.fault)
		err := c.SetQuota(ctx, "a@s.test", 7<<20)
		wantKind(t, err, tc.kind)
		if e, _ := errors.AsType[*dovecot.Error](err); !e.Temporary() {
			t.Errorf("%s: not temporary: %v", tc.name, err)
		}
		must(t, c.SetQuota(ctx, "a@s.test", 7<<20))
		must(t, c.SetQuota(ctx, "a@s.test", 8<<20))
	}
	wantSame(t, "limit", get[[]dovecot.Quota](t)(c.Quota(ctx, "a@s.test"))[0].StorageLimit, int64(8<<20))
}

// TestHosts: what every host knows only for itself is asked of all.
func TestHosts(t *testing.T) {
	t.Parallel()
	sims := make([]*dovecottest.Server, 3)
	for i := range sims {
		sims[i] = testlife.Of(dovecottest.Start(dovecottest.WithAuthCache()))(t)

		sims[i].SetUsers(dovecottest.User{Name: "a@s.test", Password: "pw"})
	}
	c := newClient(t, sims[0].URL, &dovecot.Options{APIKey: "test-key", MailRoot: "/srv/mail",
		Hosts: []string{sims[1].URL, sims[2].URL}})
	login(t, simulated{sims[1]}, "a@s.test")
	login(t, simulated{sims[2]}, "a@s.test")
	if x := get[[]dovecot.Session](t)(c.Who(t.Context(), "")); len(x) != 2 || x[0].Host == x[1].Host {
		t.Errorf("sessions: %v", x)
	}
	if n := get[int](t)(c.FlushAuthCache(t.Context(), "a@s.test")); n != 2 {
		t.Errorf("%d cache entries flushed, want the two of the logins", n)
	}
	sims[2].AddMessage("a@s.test", "INBOX", dovecottest.Message{Body: []byte(message("x"))})
	if !get[bool](t)(c.DeleteHome(t.Context(), "/srv/mail/a@s.test")) || len(sims[2].Homes()) != 0 {
		t.Error("the home at the third host is still there")
	}

	// One host is down: the others are served, and the error names it.
	login(t, simulated{sims[2]}, "a@s.test")
	sims[1].Close()
	kicked, err := c.Kick(t.Context(), "a@s.test")
	wantKind(t, err, dovecot.ErrUnavailable)
	if e, _ := errors.AsType[*dovecot.Error](err); !kicked || e.Host != strings.TrimPrefix(sims[1].URL, "http://") {
		t.Errorf("kicked %v, error %v", kicked, err)
	}
	if x, err := c.Who(t.Context(), ""); err == nil || len(x) != 0 {
		t.Errorf("sessions %v, error %v", x, err)
	}
	must(t, c.CreateMailbox(t.Context(), "a@s.test", "X", nil)) // the host for mail is up
}

// TestSeries24: the differences of Dovecot 2.4 that the reference documents.
func TestSeries24(t *testing.T) {
	t.Parallel()
	sim := testlife.Of(dovecottest.Start(dovecottest.WithSeries24()))(t)
	sim.SetUsers(dovecottest.User{Name: "a@s.test", Password: "pw"}, dovecottest.User{Name: "b@s.test"})
	sim.AddMessage("a@s.test", "INBOX", dovecottest.Message{Body: []byte(message("x"))})
	ctx, c := t.Context(), newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key"})
	if info := get[*dovecot.ServerInfo](t)(c.Server(ctx)); info.Series != "2.4" || info.Director {
		t.Errorf("server: %q", info.Series)
	}
	wantSame(t, "location", get[dovecot.User](t)(c.User(ctx, "a@s.test")).MailLocation(),
		"maildir:/srv/mail/a@s.test/Maildir")
	if get[bool](t)(c.Kick(ctx, "a@s.test")) {
		t.Error("kicked nobody")
	}
	login(t, simulated{sim}, "a@s.test")
	if !get[bool](t)(c.Kick(ctx, "a@s.test")) {
		t.Error("kicked, and told nobody")
	}
	must(t, c.Copy(ctx, "b@s.test", "INBOX", "a@s.test", "mailbox", "INBOX", "ALL"))
	must(t, c.Index(ctx, "a@s.test", "*"))
	if n := len(sim.Messages("b@s.test", "INBOX")); n != 1 {
		t.Errorf("%d messages copied", n)
	}
	_, err := c.Backends(ctx)
	wantKind(t, err, dovecot.ErrUnsupported)
	c = newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key", QuotaDict: "proxy::quota"})
	wantKind(t, c.SetQuota(ctx, "a@s.test", 1<<20), dovecot.ErrUnsupported)
}

// TestLog: records of requests carry no names.
func TestLog(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `[["error",{"type":"exitCode", "exitCode":67},"1"]]`)
	}, &dovecot.Options{APIKey: "secret-key", Logger: slog.New(slog.NewJSONHandler(&b,
		&slog.HandlerOptions{Level: slog.LevelDebug}))})
	c.CreateMailbox(t.Context(), "anna@s.test", "Privat", nil)
	var rec map[string]any
	if err := json.Unmarshal([]byte(b.String()), &rec); err != nil {
		t.Fatalf("%v in %q", err, b.String())
	}
	if rec["command"] != "mailboxCreate" || strings.Contains(b.String(), "anna") ||
		strings.Contains(b.String(), "Privat") || strings.Contains(b.String(), "secret-key") {
		t.Errorf("log: %s", b.String())
	}
}
