package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/programtest"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

var call = programtest.Main(Main).Call

func TestDemo(t *testing.T) {
	t.Parallel()
	code, out, errs := call(t)
	if code != cli.Done {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, want := range []string{`"Gesendet" and "Gesendete Objekte" are merged into "Sent"`, "280 copied",
		"nothing to do in 7 folders", "3 of 3 mailboxes complete, 723 messages"} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"one side":     {[]string{"-from", "imaps://h"}, "-from and -to are needed"},
		"unknown flag": {[]string{"-x"}, "not defined: -x; -h explains the flags"},
		"argument":     {[]string{"-from", "imaps://h", "-to", "imaps://h", "x"}, `unexpected argument "x"`},
		"wrong scheme": {[]string{"-from", "http://u:geheim@h", "-to", "imaps://u@h"}, "want imap:// or imaps://"},
		"no user":      {[]string{"-from", "imaps://h", "-to", "imaps://h"}, "both URLs need a user"},
		"page":         {[]string{"-from", "imaps://u@h", "-to", "imaps://u@h", "-report", "x.html"}, "needs -verify"},
		"sample":       {[]string{"-from", "imaps://u@h", "-to", "imaps://u@h", "-sample", "2"}, "-sample"},
		"no list": {[]string{"-from", "imaps://u@h", "-to", "imaps://u@h", "-users", filepath.Join(dir, "none")},
			"no such file"},
		"empty list": {[]string{"-from", "imaps://u@h", "-to", "imaps://u@h", "-users", write("empty", "# nobody\n")},
			"no accounts"},
		"bad config":     {[]string{"-config", write("bad.toml", "frmo = 'x'\n")}, "unknown key"},
		"missing config": {[]string{"-config=" + filepath.Join(dir, "none.toml")}, "no such file"},
		"config, no side": {[]string{"-config", write("half.toml", "[migrate]\nfrom = 'imaps://u@h'\n")},
			"-from and -to are needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := call(t, c.args...)
			if code != cli.Usage || !strings.Contains(errs, c.want) || strings.Contains(errs, "geheim") {
				t.Errorf("exit %d, %q, want 2 and %q", code, errs, c.want)
			}
		})
	}
	if code, out, _ := call(t, "-h"); code != cli.Done || !strings.Contains(out, "Usage:") {
		t.Errorf("-h: exit %d, %s", code, out)
	}
}

// A wave from a configuration file: plan, copy, verify, reports, exit codes.
func TestRun(t *testing.T) {
	t.Parallel()
	from := testlife.Of(dovecottest.Start(dovecottest.WithSeparator("."), dovecottest.WithMailboxes()))(t)
	defer from.Close()
	to := testlife.Of(dovecottest.Start())(t)
	defer to.Close()
	for _, u := range []string{"anna", "beat"} {
		from.SetUsers(dovecottest.User{Name: u, Password: "x"})
		to.SetUsers(dovecottest.User{Name: u, Password: "x"})
		for i := range 10 {
			from.AddMessage(u, "Gesendet", message(i))
		}
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "pilot.txt")
	if err := os.WriteFile(users, []byte("anna\nbeat\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "district.toml")
	text := fmt.Sprintf("[migrate]\nfrom = 'imap://%s@%s'\nfrom_password = '%s'\nto = 'imap://%s@%s'\ninsecure = true\n"+
		"users = 'pilot.txt'\nstate_dir = %q\nwave = 'pilot'\n",
		from.MasterUser, from.IMAPAddr, from.MasterPassword, to.MasterUser, to.IMAPAddr, filepath.Join(dir, "state"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(to.MasterPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-config", config, "-to-password", secret}

	code, out, errs := call(t, append(args, "-plan")...)
	if code != cli.Done || !strings.Contains(out, "Gesendet                     -> Sent") ||
		strings.Count(out, ", 10 to copy\n  in all 10 messages, 10 to copy\n") != 2 {
		t.Fatalf("plan: exit %d\n%s%s", code, out, errs)
	}
	if n := len(to.Messages("anna", "Sent")); n != 0 {
		t.Fatalf("the plan copied %d messages", n)
	}
	report := filepath.Join(dir, "report.json")
	code, out, errs = call(t, append(args, "-verify", "-report", report)...)
	if code != cli.Done || !strings.Contains(out, "anna: 10 copied") ||
		!strings.Contains(out, "2 of 2 mailboxes complete") {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	raw, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var rep Report
	if err := json.Unmarshal(raw, &rep); err != nil || rep.Wave.Accounts[0].Result.Copied != 10 ||
		rep.Certificate.Complete != 2 {
		t.Errorf("report %s, %v", raw, err)
	}
	if strings.Contains(string(raw), to.MasterPassword) {
		t.Error("the report contains a password")
	}
	// What is there already need not be copied, and the plan's numbers say so.
	if code, out, errs := call(t, append(args, "-plan")...); code != cli.Done ||
		strings.Count(out, "  in all 10 messages, 0 to copy\n") != 2 {
		t.Errorf("plan after the copy: exit %d\n%s%s", code, out, errs)
	}
	// One account cannot log in: the other goes on, and the exit code says it.
	from.AddMessage("beat", "INBOX", message(77))
	from.RemoveUsers("anna")
	page := filepath.Join(dir, "report.html")
	code, out, _ = call(t, append(args, "-cut-over", "-verify", "-report", page)...)
	if code != cli.Held || !strings.Contains(out, "beat: 1 copied") ||
		!strings.Contains(out, "anna: migrate: anna: connect") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if raw, err := os.ReadFile(page); err != nil || !strings.Contains(string(raw), "1 von 2 Postfächern vollständig") {
		t.Errorf("page: %v", err)
	}
	// Interrupted before it began.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var o, e bytes.Buffer
	if code := Main(ctx, args, &o, &e); code != cli.Failed {
		t.Errorf("interrupted: exit %d", code)
	}
}

// The bars need no terminal to be drawn.
func TestBars(t *testing.T) {
	t.Parallel()
	from := testlife.Of(dovecottest.Start(dovecottest.WithMailboxes()))(t)
	defer from.Close()
	to := testlife.Of(dovecottest.Start())(t)
	defer to.Close()
	from.SetUsers(dovecottest.User{Name: "anna", Password: "x"})
	to.SetUsers(dovecottest.User{Name: "anna", Password: "x"})
	for i := range 500 {
		from.AddMessage("anna", "INBOX", message(i))
	}
	s := &settings{sample: 1}
	s.From, s.To = "imap://anna:x@"+from.IMAPAddr, "imap://anna:x@"+to.IMAPAddr
	s.Insecure, s.StateDir, s.Wave = true, t.TempDir(), "w"
	f, g, accounts, err := s.sides()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := newProgress(&out, true)
	code, err := runWith(t.Context(), s, f, g, accounts, &out, p)
	if code != cli.Done || err != nil || !strings.Contains(out.String(), "500 copied") {
		t.Errorf("exit %d, %v\n%s", code, err, out.String())
	}
}

// The example configuration is one that the program takes.
func TestExampleConfiguration(t *testing.T) {
	t.Parallel()
	s, _, ok := parse([]string{"-config", "../../migrate.toml"}, io.Discard, os.Stderr)
	if !ok || len(s.Windows) != 2 || s.Rules().Roles["Sent"] != "Gesendete Objekte" ||
		s.Users != filepath.Join("..", "..", "pilot.txt") {
		t.Errorf("%+v", s)
	}
}

// Attempts, timeout and preset reach the migration.
func TestAttemptsAndTimeout(t *testing.T) {
	t.Parallel()
	s, _, ok := parse([]string{"-from", "imaps://u:x@h", "-to", "imaps://u:x@h", "-attempts", "7", "-timeout", "90s",
		"-preset", "exchange"}, io.Discard, os.Stderr)
	if !ok {
		t.Fatal("not taken")
	}
	from, to, _, err := s.sides()
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Options(&from)
	if err != nil || o.Attempts != 7 || from.Timeout != 90*time.Second || to.Timeout != 90*time.Second ||
		from.Connections != 8 || !slices.Contains(o.Folders.Skip, "Kalender") {
		t.Errorf("%+v, %+v, %+v, %v", o, from, to, err)
	}
}
