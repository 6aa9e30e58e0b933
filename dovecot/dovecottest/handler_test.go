package dovecottest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
)

// request hands a request to the handler and returns status and body; a
// dropped connection is status 0.
func request(t *testing.T, s *dovecottest.Server, body string) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequest("POST", "/doveadm/v1", strings.NewReader(body))
	r.Header.Set("Authorization", "X-Dovecot-API dGVzdC1rZXk=")
	return serve(s, r)
}

func serve(s *dovecottest.Server, r *http.Request) (status int, answer string) {
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			status = 0
		}
	}()
	s.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	const key, basic = "X-Dovecot-API dGVzdC1rZXk=", "Basic ZG92ZWFkbTpwdw=="
	both := []dovecottest.Option{dovecottest.WithPassword("pw")}
	for _, tc := range []struct {
		name, method, path, auth string
		opts                     []dovecottest.Option
		status                   int
	}{
		{"key", "GET", "/doveadm/v1", key, nil, 200},
		{"key in other letters", "GET", "/doveadm/v1", "x-dovecot-api dGVzdC1rZXk=", nil, 200},
		{"password", "GET", "/doveadm/v1", basic, both, 200},
		{"password, none set", "GET", "/doveadm/v1", basic, nil, 401},
		{"wrong key", "GET", "/doveadm/v1", "X-Dovecot-API x", nil, 401},
		{"nothing", "POST", "/doveadm/v1", "", nil, 401},
		{"mounts", "GET", "/", key, nil, 200},
		{"query ignored", "GET", "/doveadm/v1?x=y", key, nil, 200},
		{"slash", "POST", "/doveadm/v1/", "", nil, 404},
		{"version", "POST", "/doveadm/v2", key, nil, 404},
		{"put", "PUT", "/doveadm/v1", key, nil, 404},
		{"nothing configured", "GET", "/doveadm/v1", key, []dovecottest.Option{dovecottest.WithAPIKey("")}, 500},
	} {
		r := httptest.NewRequest(tc.method, tc.path, nil)
		r.Header.Set("Authorization", tc.auth)
		w := httptest.NewRecorder()
		dovecottest.New(tc.opts...).ServeHTTP(w, r)
		if w.Code != tc.status || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: status %d, want %d; Connection %q", tc.name, w.Code, tc.status, w.Header().Get("Connection"))
		}
		if n := len(w.Header().Values("WWW-Authenticate")); tc.status == 401 && n != 1+len(tc.opts) {
			t.Errorf("%s: %d schemes offered", tc.name, n)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const create = `[["mailboxCreate",{"user":"anna@s.test","mailbox":["X"]},"t"]]`
	for _, tc := range []struct {
		name   string
		fault  dovecottest.Fault
		status int
		answer string
		done   bool
	}{
		{"exit code", dovecottest.Fault{Command: "mailboxCreate", ExitCode: 75}, 200,
			`[["error",{"type":"exitCode", "exitCode":75},"t"]]`, false},
		{"status", dovecottest.Fault{Status: 503}, 503, "Service Unavailable", false},
		{"drop", dovecottest.Fault{User: "anna@s.test", Disconnect: true}, 0, "", false},
		{"drop after", dovecottest.Fault{DisconnectAfter: true}, 0, "", true},
		{"other command", dovecottest.Fault{Command: "user", Disconnect: true}, 200, `[["doveadmResponse",[],"t"]]`, true},
		{"other user", dovecottest.Fault{User: "bea@s.test", Disconnect: true}, 200, `[["doveadmResponse",[],"t"]]`, true},
		{"later", dovecottest.Fault{Skip: 1, Disconnect: true}, 200, `[["doveadmResponse",[],"t"]]`, true},
	} {
		s := dovecottest.New()
		s.SetUsers(dovecottest.User{Name: "anna@s.test"})
		s.Inject(tc.fault)
		if status, answer := request(t, s, create); status != tc.status || answer != tc.answer && status != 0 {
			t.Errorf("%s: %d %q", tc.name, status, answer)
		}
		if done := len(s.Mailboxes("anna@s.test")) > 0; done != tc.done {
			t.Errorf("%s: carried out: %v", tc.name, done)
		}
	}

	// Twice from the second on.
	s := dovecottest.New()
	s.Inject(dovecottest.Fault{Command: "reload", Skip: 1, Times: 2, ExitCode: 75})
	var got []string
	for range 5 {
		request(t, s, `[["reload",{},"t"]]`)
	}
	for _, c := range s.Calls() {
		got = append(got, c.Result)
	}
	if want := "ok exit 75 exit 75 ok ok"; strings.Join(got, " ") != want {
		t.Errorf("results %q, want %q", got, want)
	}
	s.ResetCalls()
	s.KeepCalls(false)
	request(t, s, `[["reload",{},"t"]]`)
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls recorded", n)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	t.Run("allowed commands", func(t *testing.T) {
		t.Parallel()
		s := dovecottest.New(dovecottest.WithAllowedCommands("auth cache flush", "reload"))
		if _, a := request(t, s, `[["reload",{},"t"],["user",{"userMask":["*"]},"u"]]`); a != `[["doveadmResponse",[],`+
			`"t"]["error",{"type":"unAuthorized", "exitCode":0},"u"]]` {
			t.Errorf("answer %s", a)
		}
	})
	t.Run("auth cache", func(t *testing.T) {
		t.Parallel()
		s := dovecottest.New(dovecottest.WithAuthCache())
		const look = `[["user",{"userMask":["anna@s.test"],"field":"home"},"t"]]`
		const unknown = `[["error",{"type":"exitCode", "exitCode":67},"t"]]`
		if _, a := request(t, s, look); a != unknown {
			t.Errorf("unknown user: %s", a)
		}
		s.SetUsers(dovecottest.User{Name: "anna@s.test"})
		if _, a := request(t, s, look); a != unknown {
			t.Errorf("the cache has forgotten: %s", a)
		}
		request(t, s, `[["authCacheFlush",{"user":["anna@s.test"]},"t"]]`)
		if _, a := request(t, s, look); a != `[["doveadmResponse",{"anna@s.test":{"home":"/srv/mail/anna@s.test"}},"t"]]` {
			t.Errorf("after the flush: %s", a)
		}
	})
	t.Run("separator", func(t *testing.T) {
		t.Parallel()
		s := dovecottest.New(dovecottest.WithSeparator("."), dovecottest.WithMailboxes())
		s.SetUsers(dovecottest.User{Name: "anna@s.test"})
		request(t, s, `[["mailboxCreate",{"user":"anna@s.test","mailbox":["A.B"]},"t"]]`)
		if _, a := request(t, s, `[["mailboxList",{"user":"anna@s.test"},"t"]]`); a != `[["doveadmResponse",`+
			`[{"mailbox":"A"},{"mailbox":"A.B"},{"mailbox":"INBOX"}],"t"]]` {
			t.Errorf("list: %s", a)
		}
		if _, a := request(t, s, `[["mailboxCreate",{"user":"anna@s.test","mailbox":["A/B"]},"t"]]`); !strings.Contains(a,
			`"exitCode":64`) {
			t.Errorf("a slash: %s", a)
		}
	})
	t.Run("2.4", func(t *testing.T) {
		t.Parallel()
		s := dovecottest.New(dovecottest.WithSeries24())
		s.SetUsers(dovecottest.User{Name: "anna@s.test"})
		for _, tc := range [][2]string{
			{`[["noSuch",{},"a"],["reload",{},"b"]]`,
				`[["error",{"type":"unknownMethod","exitCode":0},"a"],["doveadmResponse",[],"b"]]`},
			{`[["kick",{"mask":["zz"]},"t"]]`, `[["doveadmResponse",[{"count":"0"}],"t"]]`},
			{`[["quotaGet",{"user":null},"t"]]`, `[["error",{"type":"exitCode","exitCode":67},"t"]]`},
			{`[["directorStatus",{},"t"]]`, `[["error",{"type":"unknownMethod","exitCode":0},"t"]]`},
			{`[["mailboxList",{"user":"anna@s.test","mutf7":"yes"},"t"]]`, "Parameter `mutf7' must be a boolean"},
		} {
			if _, a := request(t, s, tc[0]); a != tc[1] {
				t.Errorf("%s\n got %s\nwant %s", tc[0], a, tc[1])
			}
		}
		// What 2.4.1 does not survive takes the answers of the whole batch along.
		if status, a := request(t, s,
			`[["mailboxList",{"user":"anna@s.test"},"a"],["authCacheFlush",{"user":["anna@s.test"]},"b"]]`); status != 0 {
			t.Errorf("an answer: %d %s", status, a)
		}
	})
	t.Run("not simulated", func(t *testing.T) {
		t.Parallel()
		s := dovecottest.New()
		request(t, s, `[["statsDump",{},"t"]]`)
		if _, a := request(t, s, `[["logErrors",{},"t"]]`); !strings.Contains(a, "statsDump is not simulated") {
			t.Errorf("log: %s", a)
		}
	})
}
