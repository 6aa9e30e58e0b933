package runner_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

func job(t testing.TB, n int) (j *runner.Job, from, to *dovecottest.Server) {
	from, to = testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	j = &runner.Job{State: t.TempDir(), Verify: true, Sample: 1, Wave: migrate.Wave{Name: "pilot"}}
	for i := range n {
		user := fmt.Sprintf("user%d", i)
		for _, s := range []*dovecottest.Server{from, to} {
			s.SetUsers(dovecottest.User{Name: user, Password: "pw"})
		}
		from.AddMessage(user, "INBOX", dovecottest.Message{Body: []byte("Subject: a\r\n\r\ntext\r\n")})
		l := migrate.Login{User: user, Password: "pw"}
		j.Wave.Accounts = append(j.Wave.Accounts, migrate.Account{Name: user, Source: l, Target: l})
	}
	j.From = migrate.Server{Addr: from.IMAPAddr, Security: migrate.Insecure}
	j.To = migrate.Server{Addr: to.IMAPAddr, Security: migrate.Insecure}
	return j, from, to
}

// A run leaves the report and the wave's state for a monitor.
func TestRun(t *testing.T) {
	t.Parallel()
	j, from, _ := job(t, 3)
	j.Report = filepath.Join(t.TempDir(), "report.json")
	var seen atomic.Int64
	j.Options.Observer = migrate.ObserverFunc(func(e migrate.Event) {
		if _, ok := e.(migrate.WaveStatus); ok {
			seen.Add(1)
		}
	})
	rep, err := j.Run(t.Context())
	if err != nil || rep.Problems() || rep.Certificate.Complete != 3 || seen.Load() == 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	var back runner.Report
	var state runner.State
	for file, v := range map[string]any{j.Report: &back, filepath.Join(j.State, runner.WaveStateFile): &state} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, v); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
	if back.Certificate.Messages != 3 || state.State != "finished" || state.Finished != 3 || state.Time.IsZero() {
		t.Errorf("%+v, %+v", back.Certificate, state)
	}
	from.AddMessage("user0", "INBOX", dovecottest.Message{Body: []byte("Subject: b\r\n\r\n")})
	j.NoCopy, j.Report = true, filepath.Join(t.TempDir(), "page.html")
	if rep, err := j.Run(t.Context()); err != nil || !rep.Problems() {
		t.Errorf("something is missing: %+v, %v", rep, err)
	}
	j.Verify = false
	if _, err := j.Run(t.Context()); err == nil {
		t.Error("a page without a certificate was written")
	}
}

// Tokens come from a file or a command, anew each time.
func TestTokens(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	for _, f := range []func(context.Context, string) (schoolmail.Secret, error){runner.TokenFromFile(file),
		runner.TokenFromCommand("cat " + file)} {
		for _, want := range []string{"first", "second"} {
			if err := os.WriteFile(file, []byte(want+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := f(t.Context(), "a"); err != nil || got.Reveal() != want {
				t.Errorf("%q, %v, want %q", got.Reveal(), err, want)
			}
		}
		if err := os.WriteFile(file, []byte("two words"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := f(t.Context(), "a"); err == nil || strings.Contains(err.Error(), "words") {
			t.Errorf("no token: %v", err)
		}
	}
	if got, err := runner.TokenFromCommand("printenv MIGRATE_USER")(t.Context(), "anna"); err != nil ||
		got.Reveal() != "anna" {
		t.Errorf("%q, %v", got.Reveal(), err)
	}
	if _, err := runner.TokenFromCommand("")(t.Context(), "anna"); err == nil {
		t.Error("an empty command")
	}
}

// A private authority is trusted when its certificate is given, and nobody else then.
func TestCAFile(t *testing.T) {
	t.Parallel()
	h := httptest.NewTLSServer(nil)
	defer h.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}),
		0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := runner.CAFile(file)
	if err != nil {
		t.Fatal(err)
	}
	j, _, _ := job(t, 1)
	j.From = migrate.Server{Addr: h.Listener.Addr().String(), Security: migrate.TLS}
	j.From.Timeout = 500 * time.Millisecond // a web server does not greet
	j.Options.Attempts, j.Options.Patience = 1, 1
	if _, err := j.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %v", err)
	}
	j.From.TLSConfig = conf // the handshake succeeds; a web server is no IMAP server
	if _, err := j.Run(t.Context()); err == nil || strings.Contains(err.Error(), "certificate") ||
		!errors.Is(err, migrate.ErrUnreachable) {
		t.Errorf("the site's own authority: %v", err)
	}
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.CAFile(file); err == nil {
		t.Error("a file without a certificate")
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "runner")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	old, err := dovecottest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer old.Close()
	target, err := dovecottest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	login := migrate.Login{User: "anna", Password: "pw"}
	for _, s := range []*dovecottest.Server{old, target} {
		s.SetUsers(dovecottest.User{Name: "anna", Password: "pw"})
	}
	old.AddMessage("anna", "INBOX", dovecottest.Message{Body: []byte("Subject: hello\r\n\r\n")})

	j := &runner.Job{
		From:  migrate.Server{Addr: old.IMAPAddr, Security: migrate.Insecure},
		To:    migrate.Server{Addr: target.IMAPAddr, Security: migrate.Insecure},
		Wave:  migrate.Wave{Name: "pilot", Accounts: []migrate.Account{{Name: "anna", Source: login, Target: login}}},
		State: dir, Verify: true, Sample: 1,
	}
	rep, err := j.Run(context.Background())
	fmt.Println(rep.Wave.Accounts[0].Result.Copied, "copied,", rep.Certificate.Complete, "complete,", err)
	// Output: 1 copied, 1 complete, <nil>
}
