package dovecot_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// soon bounds what would otherwise wait for ever when it is broken.
func soon[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("%s: still waiting", what)
		panic("unreachable")
	}
}

// TestTags: answers belong to the command whose tag they bear, whatever their
// order; too few, too many, doubled and unknown ones are none.
func TestTags(t *testing.T) {
	t.Parallel()
	const a, b = `["doveadmResponse",[{"mailbox":"A"}],"1"]`, `["error",{"type":"exitCode","exitCode":67},"2"]`
	for _, tc := range []struct {
		name, body string
		ok         bool
	}{
		{"in order", "[" + a + "," + b + "]", true},
		{"out of order", "[" + b + "," + a + "]", true},
		{"missing", "[" + a + "]", false},
		{"doubled", "[" + a + "," + a + "]", false},
		{"too many", "[" + a + "," + b + "," + a + "]", false},
		{"unknown", "[" + a + `,["doveadmResponse",[],"3"]]`, false},
		{"not a number", "[" + a + `,["doveadmResponse",[],"x"]]`, false},
		{"negative", "[" + a + `,["doveadmResponse",[],"-1"]]`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					io.WriteString(w, `[{"command":"mailboxList","parameters":[{"name":"user","type":"string"},{"name":"allUsers",`+
						`"type":"boolean"}]}]`)
					return
				}
				io.WriteString(w, tc.body)
			}, nil)
			call := func(user string) dovecot.Call {
				return dovecot.Call{Command: "mailboxList", Params: dovecot.Params{"user": user}}
			}
			list, err := c.Batch(t.Context(), call("a"), call("b"))
			if !tc.ok {
				wantKind(t, err, dovecot.ErrProtocol)
				return
			}
			must(t, err)
			wantSame(t, "first", list[0].Rows, []dovecot.ResultRow{{"mailbox": "A"}})
			wantKind(t, list[1].Err, dovecot.ErrNoUser)
		})
	}
}

// TestOddAnswers: an answer that is not one of this command is an error, never
// an empty list: "no mailboxes" would be acted upon.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	const fine = `"mailbox":"INBOX","messages":"1","recent":"0","unseen":"0","uidnext":"2","uidvalidity":"1",` +
		`"highestmodseq":"1","vsize":"10","guid":"0123456789abcdef0123456789abcdef","firstsaved":"never"`
	for _, tc := range []struct {
		name, answer string
		ok           bool
	}{
		{"as it is", `[{` + fine + `}]`, true},
		{"unknown field", `[{` + fine + `,"new":"x","deleted":"0"}]`, true},
		{"object", `{}`, false},
		{"object of a user", `{"a@s.test":{}}`, false},
		{"no name", `[{` + strings.Replace(fine, "mailbox", "box", 1) + `}]`, false},
		{"no count", `[{` + strings.Replace(fine, "messages", "msgs", 1) + `}]`, false},
		{"null count", `[{` + strings.Replace(fine, `"messages":"1"`, `"messages":null`, 1) + `}]`, false},
		{"negative count", `[{` + strings.Replace(fine, `"messages":"1"`, `"messages":"-1"`, 1) + `}]`, false},
		{"huge count", `[{` + strings.Replace(fine, `"messages":"1"`, `"messages":"4294967296"`, 1) + `}]`, false},
		{"nested", `[{` + fine + `,"x":{"y":[1]}}]`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintf(w, `[["doveadmResponse",%s,"1"]]`, tc.answer)
			}, nil)
			list, err := c.Status(t.Context(), "a@s.test")
			if !tc.ok {
				wantKind(t, err, dovecot.ErrProtocol)
				return
			}
			must(t, err)
			if len(list) != 1 || list[0].Messages != 1 {
				t.Errorf("%+v", list)
			}
		})
	}
	t.Run("rows for a user", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `[["doveadmResponse",[],"1"]]`) }, nil)
		_, err := c.User(t.Context(), "a@s.test")
		wantKind(t, err, dovecot.ErrProtocol)
		for _, err := range c.Users(t.Context(), "*") {
			wantKind(t, err, dovecot.ErrProtocol)
		}
		must(t, c.Subscribe(t.Context(), "a@s.test", "X"))
	})
}

// TestServerListCancel: who waits for another call's question to the server can
// still be called off.
func TestServerListCancel(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan bool, 1), make(chan bool)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-release
		io.WriteString(w, `[]`)
	}, nil)
	first := make(chan error, 1)
	go func() {
		_, err := c.Server(t.Context())
		first <- err
	}()
	t.Cleanup(func() { close(release) })
	soon(t, "the first call", arrived)
	why := errors.New("operator pressed a key")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	second := make(chan error, 1)
	go func() {
		_, err := c.Server(ctx)
		second <- err
	}()
	err := soon(t, "the call that was called off", second)
	if !errors.Is(err, why) || !errors.Is(err, dovecot.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if e, ok := errors.AsType[*dovecot.Error](err); !ok || e.Temporary() {
		t.Errorf("a call that was called off is temporary: %v", err)
	}
	release <- true
	must(t, soon(t, "the first call", first))
}

// TestAuthentication: key and password, in the clear and with TLS, right and
// wrong, and a certificate that is not trusted.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS() // for its certificate
	trust := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	pair := srv.TLS.Certificates[0]
	check := func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, tc := range []struct {
			name string
			o    dovecot.Options
			kind dovecot.Kind
		}{
			{"key", dovecot.Options{APIKey: "the key"}, ""},
			{"password", dovecot.Options{Password: "the password"}, ""},
			{"key before password", dovecot.Options{APIKey: "the key", Password: "wrong"}, ""},
			{"wrong key", dovecot.Options{APIKey: "the password"}, dovecot.ErrUnauthorized},
			{"wrong password", dovecot.Options{Password: "the key"}, dovecot.ErrUnauthorized},
			{"nothing", dovecot.Options{}, dovecot.ErrUnauthorized},
		} {
			tc.o.TLS = &tls.Config{RootCAs: trust}
			found, err := newClient(t, url, &tc.o).Exists(ctx, "a@s.test")
			switch {
			case tc.kind != "":
				wantKind(t, err, tc.kind)
			case err != nil || !found:
				t.Errorf("%s: %v, %v", tc.name, found, err)
			}
		}
		if strings.HasPrefix(url, "https") {
			_, err := newClient(t, url, &dovecot.Options{APIKey: "the key"}).Exists(ctx, "a@s.test")
			wantKind(t, err, dovecot.ErrUnavailable) // not a certificate of the system's
		}
	}
	t.Run("simulator", func(t *testing.T) {
		t.Parallel()
		sim := dovecottest.New(dovecottest.WithAPIKey("the key"), dovecottest.WithPassword("the password"))
		sim.SetUsers(dovecottest.User{Name: "a@s.test"})
		plain := httptest.NewServer(sim)
		t.Cleanup(plain.Close)
		check(t, plain.URL)
		secure := httptest.NewUnstartedServer(sim)
		secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
		secure.StartTLS()
		t.Cleanup(secure.Close)
		check(t, secure.URL)
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
		der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
		must(t, err)
		must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o644))
		must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
		for _, cfg := range []dovecotd.Config{{}, {CertFile: cert, KeyFile: key}} {
			cfg.APIKey, cfg.DoveadmPassword = "the key", "the password"
			cfg.Users = []dovecotd.User{{Name: "a@s.test", Password: "pw"}}
			check(t, dovecotd.Start(t, &cfg).URL)
		}
	})
}

// TestKickReachesAll: a host that hangs keeps no other from being asked.
func TestKickReachesAll(t *testing.T) {
	t.Parallel()
	sim := testlife.Of(dovecottest.Start())(t)
	sim.SetUsers(dovecottest.User{Name: "a@s.test", Password: "pw"})
	r := login(t, simulated{sim}, "a@s.test")
	release := make(chan bool)
	c := serve(t, func(http.ResponseWriter, *http.Request) {
		<-release
		panic(http.ErrAbortHandler)
	}, &dovecot.Options{APIKey: "test-key", Hosts: []string{sim.URL}})
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	var kicked bool
	done, gone := make(chan error, 1), make(chan error, 1)
	go func() {
		k, err := c.Kick(t.Context(), "a@s.test")
		kicked = k
		done <- err
	}()
	go func() {
		_, err := io.Copy(io.Discard, r)
		gone <- err
	}()
	soon(t, "the session at the other host", gone)
	free()
	wantKind(t, soon(t, "kick", done), dovecot.ErrUnknownOutcome)
	if !kicked {
		t.Error("kicked, and not told")
	}
}

// TestSecrets: neither the key nor the password is in anything that is printed.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const key, password = "k3y-of-the-kingdom", "p4ss-of-the-realm"
	elsewhere := make(chan string, 8)
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r.Header.Get("Authorization") }, nil)
	for name, o := range map[string]dovecot.Options{"key": {APIKey: key}, "password": {Password: password}} {
		// The server sends the client away, and repeats what it was given.
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/doveadm/v1" && r.Method == http.MethodPost {
				w.Header().Set("Location", "http://"+other.Hosts()[0]+"/doveadm/v1")
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
			fmt.Fprintln(w, r.Header)
		}, &o)
		_, err := c.Status(t.Context(), "a@s.test")
		wantKind(t, err, dovecot.ErrProtocol)
		_, listErr := c.Server(t.Context())
		secrets := []string{key, password, base64.StdEncoding.EncodeToString([]byte(key)),
			base64.StdEncoding.EncodeToString([]byte("doveadm:" + password))}
		for what, text := range map[string]string{
			"error": fmt.Sprintf("%v %+v %#v", err, err, err), "error of GET": fmt.Sprintf("%v %#v", listErr, listErr),
			"client": fmt.Sprintf("%v %+v %#v", c, c, c), "options": fmt.Sprintf("%v %+v %#v", o, o, o),
		} {
			for _, s := range secrets {
				if strings.Contains(text, s) {
					t.Errorf("%s: the %s shows %q", name, what, s)
				}
			}
		}
	}
	if len(elsewhere) > 0 {
		t.Errorf("a redirect was followed, with the header %q", <-elsewhere)
	}
}
