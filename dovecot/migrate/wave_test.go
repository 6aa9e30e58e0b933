package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	gosync "sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// pair of servers in the process, with n accounts of some mail each. The
// connections are pipes, so that synctest's clock rules.
func simulated(n int) (from, to *dovecottest.Server, fromSide, toSide migrate.Server, accounts []migrate.Account) {
	from, to = dovecottest.New(), dovecottest.New()
	for i := range n {
		user := fmt.Sprintf("user%02d", i)
		from.SetUsers(dovecottest.User{Name: user, Password: password})
		to.SetUsers(dovecottest.User{Name: user, Password: password})
		for k := range 5 + i {
			from.AddMessage(user, "INBOX", dovecottest.Message{Flags: []string{`\Seen`}, Body: []byte(mail(100*i+k, ""))})
		}
		accounts = append(accounts, migrate.Account{Name: user, Source: migrate.Login{User: user},
			Target: migrate.Login{User: user}})
	}
	side := func(s *dovecottest.Server) migrate.Server {
		return migrate.Server{Addr: "simulated:143", Security: migrate.Insecure, Admin: s.MasterUser,
			AdminPassword: schoolmail.Secret(s.MasterPassword),
			Timeout:       24 * time.Hour, Dial: func(context.Context, string, string) (net.Conn, error) {
				c, srv := net.Pipe()
				go s.ServeIMAP(srv)
				return c, nil
			}}
	}
	return from, to, side(from), side(to), accounts
}

// waveStates is told the states that a wave goes through.
func waveStates(see func(state string)) migrate.Observer {
	return migrate.ObserverFunc(func(e migrate.Event) {
		if s, ok := e.(migrate.WaveStatus); ok {
			see(s.State)
		}
	})
}

func TestWaveWindows(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, to, f, g, accounts := simulated(4)
		now := time.Now()
		var states []string
		wave := &migrate.Wave{Name: "pilot", Accounts: accounts, Windows: []migrate.Window{
			{Begin: now.Add(-2 * time.Hour), End: now.Add(-time.Hour)}, // over
			{Begin: now.Add(time.Hour), End: now.Add(2 * time.Hour)},
		}}
		res, err := migrate.New(f, g, dir, &migrate.Options{Observer: waveStates(func(state string) {
			if len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
			}
		})}).RunWave(t.Context(), wave, nil)
		if err != nil || res.Failed() != 0 {
			t.Fatalf("%v %+v", err, res)
		}
		if d := cmp.Diff([]string{"checking", "waiting", "running", "finished"}, states); d != "" {
			t.Error(d)
		}
		if got := res.End.Sub(now); got < time.Hour || got > 2*time.Hour {
			t.Errorf("ended after %v", got)
		}
		if n := len(to.Messages("user03", "INBOX")); n != 8 {
			t.Errorf("%d messages", n)
		}
		// All windows over: nothing runs, and it is said.
		wave.Windows = wave.Windows[:1]
		res, err = migrate.New(f, g, dir, nil).RunWave(t.Context(), wave, nil)
		if !errors.Is(err, migrate.ErrHeldBack) || res.Failed() != 4 {
			t.Errorf("%v %+v", err, res)
		}
	})
}

func TestWavePauses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, to, f, g, accounts := simulated(3)
		begin := time.Now()
		paused := func() bool { d := time.Since(begin); return d > time.Second && d < time.Hour }
		to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", Delay: 10 * time.Second,
			Times: 2}) // under way when the pause comes
		var seen []string
		var mu gosync.Mutex
		res, err := migrate.New(f, g, dir, &migrate.Options{Observer: waveStates(func(state string) {
			mu.Lock()
			defer mu.Unlock()
			if !slices.Contains(seen, state) {
				seen = append(seen, state)
			}
		})}).RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts, Parallel: 2},
			&migrate.WaveOptions{Paused: paused})
		if err != nil || res.Failed() != 0 {
			t.Fatalf("%v %+v", err, res.Accounts)
		}
		if !slices.Contains(seen, "paused") || time.Since(begin) < time.Hour {
			t.Errorf("states %q after %v", seen, time.Since(begin))
		}
		for i, a := range accounts {
			if n := len(to.Messages(a.Name, "INBOX")); n != 5+i {
				t.Errorf("%s: %d messages", a.Name, n)
			}
		}
	})
}

// One account fails, one has no room, the others arrive.
func TestWaveFailures(t *testing.T) {
	t.Parallel()
	from, to, f, g, accounts := simulated(4)
	from.RemoveUsers("user01")
	to.SetUsers(dovecottest.User{Name: "user02", Password: password, QuotaBytes: 8 << 10})
	from.AddMessage("user02", "INBOX", dovecottest.Message{Body: []byte(mail(1, strings.Repeat("x", 20000)))})
	m := migrate.New(f, g, t.TempDir(), &migrate.Options{Attempts: 1})
	res, err := m.RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts, CutOver: true}, nil)
	if err != nil || res.Failed() != 2 {
		t.Fatalf("%v %+v", err, res)
	}
	var got []string
	for _, a := range res.Accounts {
		got = append(got, fmt.Sprintf("%s %s %v", a.Account, a.Stage, a.HeldBack))
	}
	want := []string{"user00 cut over false", "user01 failed false", "user02 waiting true", "user03 cut over false"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(res.Accounts[1].Reason, "login refused") ||
		!strings.Contains(res.Accounts[2].Reason, "free at the target") {
		t.Errorf("reasons %q, %q", res.Accounts[1].Reason, res.Accounts[2].Reason)
	}
}

// After the cut-over late mail still comes, and nothing else is touched.
func TestAfterCutOver(t *testing.T) {
	t.Parallel()
	from, to, f, g, accounts := simulated(1)
	a := accounts[0]
	m := migrate.New(f, g, t.TempDir(), nil)
	if res, err := m.CutOver(t.Context(), a); err != nil || res.Stage != migrate.CutOver {
		t.Fatal(res, err)
	}
	c := pipeClient(t, from, a.Name)
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1 +FLAGS (\Flagged)`)
	do(t, c, `STORE 2 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	from.AddMessage(a.Name, "INBOX", dovecottest.Message{Body: []byte(mail(99, "late"))})
	res := sync(t, m, a)
	if res.Copied != 1 || res.Flags != 0 || res.Deleted != 0 {
		t.Errorf("%+v", res)
	}
	if n := len(to.Messages(a.Name, "INBOX")); n != 6 {
		t.Errorf("%d messages", n)
	}
}

// Deletions of most of an account look like an accident and are held back.
func TestManyDeletionsHeldBack(t *testing.T) {
	t.Parallel()
	from, to, f, g, accounts := simulated(30)
	a := accounts[29]
	dir := t.TempDir()
	sync(t, migrate.New(f, g, dir, nil), a)
	c := pipeClient(t, from, a.Name)
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:25 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	res := sync(t, migrate.New(f, g, dir, nil), a)
	if res.Deleted != 0 || len(res.Problems) != 1 || res.Problems[0].Kind != migrate.ProblemHeldBack {
		t.Errorf("%+v", res)
	}
	res = sync(t, migrate.New(f, g, dir, &migrate.Options{MaxDeleted: 1}), a)
	if n := len(to.Messages(a.Name, "INBOX")); res.Deleted != 25 || n != 9 {
		t.Errorf("%d left, %+v", n, res)
	}
}

// The target accepts everything and the answer is lost, again and again.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	_, to, f, g, accounts := simulated(1)
	a := accounts[0]
	to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", DisconnectAfter: true, Times: 3})
	m := migrate.New(f, g, t.TempDir(), &migrate.Options{Batch: 2, Settle: 10 * time.Millisecond, Attempts: 10})
	res, err := m.Sync(t.Context(), a)
	if err != nil || res.Retries != 3 {
		t.Errorf("%+v, %v", res, err)
	}
	if n := len(to.Messages(a.Name, "INBOX")); n != 5 {
		t.Errorf("%d messages, want 5", n)
	}
}

func TestCertificatePages(t *testing.T) {
	t.Parallel()
	_, to, f, g, accounts := simulated(2)
	m := migrate.New(f, g, t.TempDir(), nil)
	var each []*migrate.Certificate
	for _, a := range accounts {
		if _, err := m.CutOver(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if a.Name == "user01" { // its user works at the target: one flag, one message less, one more
			c := pipeClient(t, to, a.Name)
			do(t, c, "SELECT INBOX")
			do(t, c, `STORE 1 +FLAGS (\Flagged)`)
			do(t, c, `STORE 2 +FLAGS (\Deleted)`)
			do(t, c, "EXPUNGE")
			to.AddMessage(a.Name, "INBOX", dovecottest.Message{Body: []byte(mail(9999, ""))})
		}
		for _, sample := range []float64{1, 0.3} {
			c, err := m.Verify(t.Context(), a, &migrate.VerifyOptions{Sample: sample})
			if err != nil {
				t.Fatal(err)
			}
			sum := c.Total()
			if a.Name == "user01" && (sum.Flags != 1 || sum.Removed != 1 || sum.Extra != 1 || sum.Missing != 0 || !c.Complete) {
				t.Errorf("sample %v: %+v", sample, sum)
			}
			if sample == 1 {
				each = append(each, c)
			}
		}
	}
	w := migrate.SumCertificates("pilot <school>", time.Unix(1.7e9, 0), each)
	if w.Complete != 2 || w.Messages != 11 {
		t.Errorf("%+v", w)
	}
	var page, text bytes.Buffer
	if err := errors.Join(w.WriteHTML(&page), w.WriteJSON(&text)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"pilot &lt;school&gt;", "2 of 2 mailboxes complete", "removed at target", "user01"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("page lacks %q", want)
		}
	}
	var back migrate.WaveCertificate
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(w, &back); d != "" {
		t.Error(d)
	}
	// Lost at the target without its user: that is what must not stay unseen.
	m2 := migrate.New(f, g, t.TempDir(), nil)
	c, err := m2.Verify(t.Context(), accounts[1], nil)
	if err != nil || c.Complete || c.Total().Missing != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestReadAccounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want string
		err  string
	}{
		"names":      {"\ufeff# pilot\nanna\n\n beat \n", "anna:anna:anna beat:beat:beat", ""},
		"columns":    {"name,source,target\na@x,anna,\nb@x,,bb\n", "a@x:anna:a@x b@x:b@x:bb", ""},
		"semicolons": {"Name;Source_Password\na;p;\n", "", "wrong number of fields"},
		"secrets":    {"name;source_password\na;p\n", "a:a:a", ""},
		"all errors": {"a\nb\na\nb\n", "", ":3: \"a\" was on line 1 already"},
		"unknown":    {"name,passwort\n", "", "unknown column \"passwort\""},
		"no name":    {"source,target\nx,y\n", "", "no column"},
	} {
		got, err := migrate.ReadAccounts("f", strings.NewReader(c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", name, err, c.err)
			}
			continue
		}
		var all []string
		for _, a := range got {
			all = append(all, a.Name+":"+a.Source.User+":"+a.Target.User)
		}
		if s := strings.Join(all, " "); err != nil || s != c.want {
			t.Errorf("%s: %q %v", name, s, err)
		}
	}
}

func TestParseServer(t *testing.T) {
	t.Parallel()
	s, err := migrate.ParseServer("imaps://adm:p%40ss@old.example", false)
	if err != nil || s.Addr != "old.example:993" || s.Security != migrate.TLS || s.Admin != "adm" ||
		s.AdminPassword.Reveal() != "p@ss" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := migrate.ParseServer("imap://h:10143", true); err != nil || s.Addr != "h:10143" ||
		s.Security != migrate.Insecure {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []string{"http://x", "imap://", "imap://h/INBOX", "imaps://u:geheim@h/x",
		"imaps://u:geheim@[::1"} {
		if _, err := migrate.ParseServer(bad, false); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The old server is spared: the rate holds for all connections together.
func TestBytesPerSecond(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		from, _, f, g, accounts := simulated(2)
		for _, a := range accounts {
			from.AddMessage(a.Name, "INBOX", dovecottest.Message{Body: []byte(mail(1, strings.Repeat("x", 1<<20)))})
		}
		f.BytesPerSecond = 100_000
		begin := time.Now()
		res, err := migrate.New(f, g, dir, nil).RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts}, nil)
		if err != nil || res.Failed() != 0 {
			t.Fatal(err, res)
		}
		// 2 MiB at 100 kB/s, less the 64 KiB that may come at once.
		if took := time.Since(begin); took < 19*time.Second || took > 30*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// More accounts at a time than the servers allow connections: they take turns.
func TestConnectionLimits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, to, f, g, accounts := simulated(12)
		f.Connections, g.Connections = 2, 1
		dial, open, most := g.Dial, 0, 0
		var mu gosync.Mutex
		g.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			open++
			most = max(most, open)
			c, err := dial(ctx, network, addr)
			return &countedConn{Conn: c, closed: gosync.OnceFunc(func() { mu.Lock(); open--; mu.Unlock() })}, err
		}
		res, err := migrate.New(f, g, dir, nil).RunWave(t.Context(),
			&migrate.Wave{Name: "w", Accounts: accounts, Parallel: 12}, nil)
		if err != nil || res.Failed() != 0 || most != 1 {
			t.Errorf("%v, %d failed, %d connections at once", err, res.Failed(), most)
		}
		if n := len(to.Messages("user11", "INBOX")); n != 16 {
			t.Errorf("%d messages", n)
		}
	})
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// The run is cut off when everything has been sent, and the server stores it a
// while later: the next run waits for that instead of sending it again.
func TestStoredAfterTheCut(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	defer from.Close()
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	for i := range 5 {
		from.AddMessage("a", "INBOX", dovecottest.Message{Body: []byte(mail(i, ""))})
	}
	to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", Delay: 300 * time.Millisecond})
	ctx, cut := context.WithCancel(t.Context())
	target := insecure(to.IMAPAddr)
	target.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return &writeSpy{Conn: c, wrote: func(b []byte) {
			if bytes.Contains(b, []byte("APPEND")) {
				cut()
			}
		}}, err
	}
	dir := t.TempDir()
	o := &migrate.Options{Settle: time.Second}
	if res, err := migrate.New(insecure(from.IMAPAddr), target, dir, o).Sync(ctx, account("a")); err == nil {
		t.Fatalf("not cut off: %+v", res)
	}
	res := sync(t, migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, o), account("a"))
	if n := len(to.Messages("a", "INBOX")); n != 5 || res.Adopted != 5 || res.Copied != 0 {
		t.Errorf("%d messages, want 5: %+v", n, res)
	}
}

// The same, and the source deletes two of the five before the next run: they
// are known for ours and go at the target, too.
func TestStoredAfterTheCutAndDeleted(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	defer from.Close()
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	for i := range 5 {
		from.AddMessage("a", "INBOX", dovecottest.Message{Body: []byte(mail(i, ""))})
	}
	to.AddMessage("a", "INBOX", dovecottest.Message{Body: []byte(mail(99, ""))}) // the user's own
	to.InjectIMAP(dovecottest.IMAPFault{Command: "APPEND", DisconnectAfter: true, Times: 1})
	dir := t.TempDir()
	o := &migrate.Options{Settle: 100 * time.Millisecond, Attempts: 1}
	if res, err := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, o).Sync(t.Context(),
		account("a")); err == nil {
		t.Fatalf("no answer was lost: %+v", res)
	}
	c := client(t, from.IMAPAddr, "a")
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 2:3 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	res := sync(t, migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, o), account("a"))
	if n := len(to.Messages("a", "INBOX")); n != 4 || res.Copied != 0 || res.Adopted != 3 || res.Deleted != 2 {
		t.Errorf("%d messages, want 4: %+v", n, res)
	}
}

type writeSpy struct {
	net.Conn
	wrote func([]byte)
}

func (w *writeSpy) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.wrote(b[:n])
	return n, err
}

// A keyword that the target has not taken before goes ahead of a literal that
// waits for its consent; later ones do not wait.
func TestNewKeywordsWait(t *testing.T) {
	t.Parallel()
	from, to := dovecottest.New(), dovecottest.New()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	for _, flags := range [][]string{{`\Seen`}, {"$Label1"}, {"$Label1"}} {
		from.AddMessage("a", "INBOX", dovecottest.Message{Flags: flags, Body: []byte(mail(1, ""))})
	}
	side := func(s *dovecottest.Server, log *bytes.Buffer) migrate.Server {
		return migrate.Server{Addr: "simulated:143", Security: migrate.Insecure,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				c, srv := net.Pipe()
				go s.ServeIMAP(srv)
				return &writeSpy{Conn: c, wrote: func(b []byte) { log.Write(b) }}, nil
			}}
	}
	var sent, ignored bytes.Buffer
	sync(t, migrate.New(side(from, &ignored), side(to, &sent), t.TempDir(), &migrate.Options{Batch: 1}), account("a"))
	var got []string
	for _, m := range regexp.MustCompile(`\(([^()]*)\) "[^"]*" \{\d+(\+?)\}`).FindAllStringSubmatch(sent.String(), -1) {
		got = append(got, m[1]+m[2])
	}
	if d := cmp.Diff([]string{`\Seen+`, "$Label1", "$Label1+"}, got); d != "" {
		t.Errorf("%s\n%s", d, sent.String())
	}
}
