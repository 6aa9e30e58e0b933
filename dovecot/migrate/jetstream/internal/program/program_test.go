package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/jetstream"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// TestMain lets the test binary be a machine.
func TestMain(m *testing.M) {
	if os.Getenv("SCHOOLMAIL_MACHINE") != "" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// link passes on to an address what comes, until it is cut.
type link struct {
	to string

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func between(t *testing.T, to string) (l *link, addr string) {
	t.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	l = &link{to: to}
	go func() {
		for {
			c, err := in.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", to)
			l.mu.Lock()
			if err != nil || l.cut {
				c.Close()
				if err == nil {
					s.Close()
				}
			} else {
				l.conns = append(l.conns, c, s)
				pass := func(to, from net.Conn) {
					io.Copy(to, from)
					to.Close()
					from.Close()
				}
				go pass(c, s)
				go pass(s, c)
			}
			l.mu.Unlock()
		}
	}()
	return l, in.Addr().String()
}

func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut = cut; cut {
		for _, c := range l.conns {
			c.Close()
		}
		l.conns = nil
	}
}

// site is two mail servers with accounts and what a machine is told of them.
type site struct {
	from, to string // addresses
	names    []string
	users    string // file
}

const password = "pw"

func newSite(t *testing.T, accounts int) *site {
	t.Helper()
	s := &site{users: filepath.Join(t.TempDir(), "users.csv")}
	list := "name,source,target,source_password,target_password\n"
	for i := range accounts {
		name := fmt.Sprintf("user%02d", i)
		s.names = append(s.names, name)
		list += fmt.Sprintf("%s,%s,%s,%s,%s\n", name, name, name, password, password)
	}
	if err := os.WriteFile(s.users, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// simulated fills a site of simulators.
func simulated(t *testing.T, accounts, messages int) (s *site, from, to *dovecottest.Server) {
	t.Helper()
	s, from, to = newSite(t, accounts), testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	s.from, s.to = from.IMAPAddr, to.IMAPAddr
	for _, name := range s.names {
		for _, srv := range []*dovecottest.Server{from, to} {
			srv.SetUsers(dovecottest.User{Name: name, Password: password})
		}
		for n := range messages {
			from.AddMessage(name, "INBOX", dovecottest.Message{Body: []byte(mail(name, n))})
		}
	}
	return s, from, to
}

// real fills a site of Cyrus and Dovecot.
func real(t *testing.T, accounts, messages int) *site {
	t.Helper()
	s := newSite(t, accounts)
	s.from = cyrusd.Start(t, cyrusd.Config{}.With(password, s.names...)).IMAPAddr
	s.to = dovecotd.Start(t, dovecotd.Config{}.With(password, s.names...)).IMAPAddr
	for _, name := range s.names {
		c := cyrusd.Login(t, s.from, name, password)
		for n := range messages {
			cyrusd.Put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0100", mail(name, n))
		}
		c.Close()
	}
	return s
}

func mail(user string, n int) string {
	return fmt.Sprintf("Subject: %d\r\nMessage-ID: <%d.%s@school.test>\r\n\r\ntext of %s\r\n", n, n, user, user)
}

func (s *site) args(t *testing.T, from string, more ...string) []string {
	return append([]string{"-from", "imap://" + from, "-to", "imap://" + s.to, "-insecure", "-users", s.users,
		"-state", t.TempDir(), "-run", "r"}, more...)
}

// inbox is what an independent reader sees: each message's digest and length, sorted.
func inbox(t *testing.T, addr, user string) (out []string) {
	t.Helper()
	cyrusd.Look(t, addr, user, password, func(folder string, _ *imap.SelectData, list []cyrusd.Seen) {
		for _, m := range list {
			out = append(out, fmt.Sprintf("%s: %s %d", folder, m.Digest, m.Length))
		}
	})
	slices.Sort(out)
	return out
}

func call(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = Main(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

// Three machines work at one wave. In the middle of it one is killed, one is cut off from NATS for
// longer than a lease, and one from the mail server for good: every mailbox arrives once, and
// the certificate over all is complete.
func TestThreeMachines(t *testing.T) {
	t.Parallel()
	t.Run("simulators", func(t *testing.T) {
		t.Parallel()
		s, from, to := simulated(t, 18, 5)
		to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", Delay: 700 * time.Millisecond, Times: -1})
		forecast(t, s, from, threeMachines(t, s, 5))
	})
	t.Run("Cyrus to Dovecot", func(t *testing.T) {
		t.Parallel()
		threeMachines(t, real(t, 18, 40), 40)
	})
}

// threeMachines returns the report over all.
func threeMachines(t *testing.T, s *site, messages int) (file string) {
	t.Helper()
	n, err := jetstream.Embed(t.TempDir(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Shutdown()
	toNATS, nats := between(t, strings.TrimPrefix(n.ClientURL(), "nats://"))
	toMail, mail := between(t, s.from)
	common := []string{"-run-now", "-parallel", "2", "-lease", "2s", "-settle", "300ms", "-patience", "2s",
		"-from-connections", "20", "-to-connections", "20", "-nats"}
	var machines []*exec.Cmd
	for _, args := range [][]string{s.args(t, s.from, append(common, n.ClientURL())...),
		s.args(t, s.from, append(common, "nats://"+nats)...),
		s.args(t, mail, append(common, n.ClientURL())...)} {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), "SCHOOLMAIL_MACHINE=1")
		out := new(bytes.Buffer)
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
		machines = append(machines, cmd)
	}
	nc, err := jetstream.Connect(n.ClientURL(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	q, err := jetstream.Open(t.Context(), nc, &jetstream.Options{Run: "r", Dir: t.TempDir(), Lease: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if st, err := q.Status(t.Context()); err == nil && st.Finished >= 3 {
			break
		} else if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
	machines[0].Process.Kill()
	machines[0].Wait()
	toMail.set(true)
	toNATS.set(true)
	again := time.AfterFunc(5*time.Second, func() { toNATS.set(false) })
	defer again.Stop()
	if err := machines[1].Wait(); err != nil {
		t.Errorf("the machine that was cut off from NATS: %v", err)
	}
	if machines[2].Wait(); machines[2].ProcessState.ExitCode() != cli.Failed {
		t.Errorf("the machine that was cut off from the mail: exit %d", machines[2].ProcessState.ExitCode())
	}
	for _, name := range s.names {
		if want, got := inbox(t, s.from, name), inbox(t, s.to, name); !slices.Equal(want, got) || len(got) != messages {
			t.Errorf("%s: %d messages at the target, %d at the source: %q", name, len(got), len(want), got)
		}
	}
	file = filepath.Join(t.TempDir(), "report.json")
	status, out, errs := call(t, "-run", "r", "-nats", n.ClientURL(), "-report", file, "-lease", "2s")
	if status != cli.Done ||
		!strings.Contains(out, fmt.Sprintf("18 of 18 accounts complete, %d messages", 18*messages)) {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	var rep runner.Report
	if b, err := os.ReadFile(file); err != nil || json.Unmarshal(b, &rep) != nil || len(rep.Wave.Accounts) != 18 ||
		rep.Certificate.Complete != 18 {
		t.Errorf("%v, %+v", err, rep.Certificate)
	}
	return file
}

// forecast tells from the rates of a run what machines would need for another one.
func forecast(t *testing.T, s *site, from *dovecottest.Server, file string) {
	t.Helper()
	for i := range 6 {
		from.AddMessage(s.names[i], "INBOX", dovecottest.Message{Body: []byte("Subject: new\r\n\r\n")})
	}
	status, out, errs := call(t, s.args(t, s.from, "-simulate", "-machines", "4", "-rates", file)...)
	for _, want := range []string{"18 accounts, 96 messages", "1 machines, 4 accounts", "4 machines, 4 accounts"} {
		if status != cli.Done || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q\n%s%s", status, want, out, errs)
		}
	}
}

// One machine alone has its server in itself; a dry run does nothing.
func TestAlone(t *testing.T) {
	t.Parallel()
	s, from, to := simulated(t, 2, 1)
	args := s.args(t, s.from, "-store", t.TempDir(), "-listen", "127.0.0.1:0")
	status, out, errs := call(t, args...)
	if status != cli.Done || !strings.Contains(out, "would migrate 2 accounts") || len(inbox(t, s.to, "user00")) > 0 {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	status, out, errs = call(t, append(args, "-run-now")...)
	if status != cli.Done || !strings.Contains(out, "2 of 2 accounts complete, 2 messages") {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", No: "[LIMIT] refused", Times: -1})
	from.AddMessage("user01", "INBOX", dovecottest.Message{Body: []byte("Subject: new\r\n\r\n")})
	status, out, errs = call(t, append(args, "-run-now", "-run", "second")...)
	if status != cli.Held || !strings.Contains(out, "1 of 2 accounts complete") {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
}

// A district file says on any number of machines what it says on one: where folders go, what stays
// behind, whose certificate it is. Flags overrule it.
func TestDistrictFile(t *testing.T) {
	t.Parallel()
	s, from, to := simulated(t, 2, 1)
	for _, folder := range []string{"Werbeprospekte", "Gesendet", "Alt", "Klasse 7b"} {
		from.AddMessage("user01", folder, dovecottest.Message{Body: []byte(mail("user01", len(folder)))})
	}
	from.AddMessage("user01", "Klasse 7b", dovecottest.Message{Body: []byte(strings.Repeat("Subject: large\r\n", 500))})
	config := filepath.Join(t.TempDir(), "district.toml")
	text := fmt.Sprintf(`[site]
name = "Musterstadt"
language = "fr"
[migrate]
from = "imap://%s"
to = "imap://%s"
insecure = true
users = %q
max_size = 2000
[migrate.folders]
skip = ["Alt"]
[migrate.folders.map]
"Werbeprospekte" = "Ablage/Werbung"
`, s.from, s.to, s.users)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	store, page := t.TempDir(), filepath.Join(t.TempDir(), "report.html")
	args := []string{"-run", "r", "-config", config, "-state", t.TempDir(), "-store", store, "-listen", "127.0.0.1:0",
		"-report", page, "-exclude", "Drafts"}
	status, out, errs := call(t, append(args, "-run-now")...)
	if status != cli.Done || !strings.Contains(out, "2 of 2 accounts complete") {
		t.Fatalf("exit %d\n%s%s", status, out, errs)
	}
	for folder, want := range map[string]int{"INBOX": 1, "Sent": 1, "Ablage/Werbung": 1, "Klasse 7b": 1, "Alt": 0,
		"Werbeprospekte": 0} {
		if n := len(to.Messages("user01", folder)); n != want {
			t.Errorf("%s: %d messages, want %d", folder, n, want)
		}
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "Musterstadt") ||
		!strings.Contains(string(b), "2 boîtes") {
		t.Errorf("page: %v", err)
	}
	status, out, errs = call(t, append(args, "-run-now", "-run", "second", "-max-size", "100000")...)
	if n := len(to.Messages("user01", "Klasse 7b")); status != cli.Done || n != 2 {
		t.Errorf("with another limit: exit %d, %d messages\n%s%s", status, n, out, errs)
	}
}

// The district file's state_dir is migrate's: what it has left there, a cut-over for instance, is nowhere else,
// and a machine refuses to work there. Whoever only asks how a run stands does not look.
func TestStatesOfMigrateStay(t *testing.T) {
	t.Parallel()
	s, _, _ := simulated(t, 1, 1)
	dir := t.TempDir()
	config, state := filepath.Join(dir, "district.toml"), filepath.Join(dir, "state")
	text := fmt.Appendf(nil, "[migrate]\nfrom = %q\nto = %q\ninsecure = true\nusers = %q\nstate_dir = %q\n",
		"imap://"+s.from, "imap://"+s.to, s.users, state)
	if err := os.WriteFile(config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server := func(addr string) migrate.Server {
		srv, err := migrate.ParseServer("imap://"+addr, true)
		if err != nil {
			t.Fatal(err)
		}
		return srv
	}
	m := migrate.New(server(s.from), server(s.to), state, nil)
	login := migrate.Login{User: s.names[0], Password: password}
	if _, err := m.CutOver(t.Context(), migrate.Account{Name: s.names[0], Source: login, Target: login}); err != nil {
		t.Fatal(err)
	}
	n, err := jetstream.Embed(t.TempDir(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Shutdown()
	args := []string{"-run", "r", "-config", config, "-nats", n.ClientURL()}
	status, out, errs := call(t, append(args, "-run-now")...)
	if status != cli.Failed || !strings.Contains(errs, "a directory of this machine's own") {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	if stage, _, err := m.Stage(s.names[0]); stage != migrate.CutOver || err != nil {
		t.Errorf("migrate's state says %v, %v", stage, err)
	}
	if status, out, errs := call(t, append(args, "-status")...); status != cli.Done {
		t.Errorf("exit %d\n%s%s", status, out, errs)
	}
	for range 2 { // again in what is its own
		status, out, errs := call(t, append(args, "-run-now", "-state", filepath.Join(dir, "own"))...)
		if status != cli.Done {
			t.Errorf("exit %d\n%s%s", status, out, errs)
		}
	}
}

// Pause, go on and status speak to a run that is under way.
func TestControl(t *testing.T) {
	t.Parallel()
	n, err := jetstream.Embed(t.TempDir(), "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer n.Shutdown()
	for _, what := range []string{"-pause", "-resume", "-status"} {
		status, out, errs := call(t, "-run", "r", "-nats", n.ClientURL(), what)
		if status != cli.Done || what == "-status" && !strings.Contains(out, `"state": "finished"`) {
			t.Errorf("%s: exit %d\n%s%s", what, status, out, errs)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want int
		says string
	}{
		{[]string{"-h"}, cli.Done, "-simulate"},
		{nil, cli.Usage, "-run"},
		{[]string{"-run", "r"}, cli.Usage, "-nats"},
		{[]string{"-run", "r", "-status"}, cli.Usage, "-nats"},
		{[]string{"-run", "r", "-nats", "x"}, cli.Usage, "is missing"},
		{[]string{"-simulate", "-from", "imap://a", "-to", "imap://b", "-users", "u", "-state", "s"}, cli.Usage, "-rates"},
		{[]string{"-run", "r", "-token-file", "/does/not/exist"}, cli.Usage, "exist"},
		{[]string{"-run", "r", "-config", "/does/not/exist"}, cli.Usage, "exist"},
		{[]string{"-run", "r", "-nats", "x", "-from", "imap://a", "-to", "imap://b", "-users", "u", "-state", "s", "-since",
			"yesterday"}, cli.Usage, "-since"},
	} {
		status, out, errs := call(t, c.args...)
		if status != c.want || !strings.Contains(out+errs, c.says) {
			t.Errorf("%q: exit %d, want %d, with %q\n%s%s", c.args, status, c.want, c.says, out, errs)
		}
	}
}
