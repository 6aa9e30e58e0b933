package migrate_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	gosync "sync"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// A folder that is not listed because a backend is down is not a folder that
// has been removed.
func TestUnlistedFolder(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	defer from.Close()
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	c := client(t, from.IMAPAddr, "a")
	do(t, c, "CREATE box")
	put(t, c, "box", "", "", mail(1, ""))
	dir := t.TempDir()
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, nil)
	sync(t, m, account("a"))
	do(t, c, "DELETE box")
	for _, no := range []string{"[UNAVAILABLE] backend is down", "Server(s) unavailable to complete operation",
		"[NOPERM] Permission denied"} {
		from.InjectIMAP(dovecottest.IMAPFault{Command: "STATUS", No: no, Times: 1})
		if res := sync(t, m, account("a")); len(to.Messages("a", "box")) != 1 ||
			!strings.Contains(strings.Join(res.Findings, " "), "nothing is deleted") {
			t.Errorf("%q: %d messages, %+v", no, len(to.Messages("a", "box")), res)
		}
	}
	if res := sync(t, m, account("a")); res.Deleted != 0 || len(res.Problems) != 1 ||
		res.Problems[0].Kind != migrate.ProblemHeldBack {
		t.Errorf("a whole folder without anybody's leave: %+v", res)
	}
	m = migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, &migrate.Options{AllowDeletions: true})
	if res := sync(t, m, account("a")); res.Deleted != 1 {
		t.Errorf("removed in truth: %+v", res)
	}
}

// While a run is under way the user removes a target folder and makes another
// of that name. The UIDs that were noted now belong to other messages, which
// must not be deleted.
func TestTargetFolderRemadeMeanwhile(t *testing.T) {
	t.Parallel()
	s := dovecot(t, dovecotd.Config{Mailboxes: []dovecotd.Mailbox{}}, "a", "b")
	c, d := client(t, s.IMAPAddr, "a"), client(t, s.IMAPAddr, "b")
	do(t, c, "CREATE box")
	for i := range 5 {
		put(t, c, "box", "", "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	a := account("a")
	a.Target.User = "b"
	var armed gosync.Once
	arm := false
	o := &migrate.Options{Settle: settle, Observer: migrate.ObserverFunc(func(e migrate.Event) {
		if _, ok := e.(migrate.Started); !ok || !arm {
			return
		}
		armed.Do(func() {
			do(t, d, "DELETE box")
			do(t, d, "CREATE box")
			for i := range 5 {
				put(t, d, "box", "", "01-Feb-2020 10:00:00 +0100", mail(100+i, ""))
			}
		})
	})}
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), o)
	sync(t, m, a)
	do(t, c, "SELECT box")
	do(t, c, `STORE 2:3 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	arm = true
	sync(t, m, a)
	var own int
	for _, l := range read(t, s.IMAPAddr, "b")["box"] {
		for i := range 5 {
			if strings.HasPrefix(l, lineOf(mail(100+i, ""))) {
				own++
			}
		}
	}
	if own != 5 {
		t.Errorf("%d of the user's own 5 messages are left", own)
	}
}

// After the cut-over what the user has thrown away does not come back, also
// when they have made a folder of the same name anew.
func TestRemadeFolderAfterCutOver(t *testing.T) {
	t.Parallel()
	s := dovecot(t, dovecotd.Config{Mailboxes: []dovecotd.Mailbox{}}, "a", "b")
	c, d := client(t, s.IMAPAddr, "a"), client(t, s.IMAPAddr, "b")
	do(t, c, "CREATE box")
	for i := range 5 {
		put(t, c, "box", "", "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	a := account("a")
	a.Target.User = "b"
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), &migrate.Options{Settle: settle})
	if _, err := m.CutOver(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	do(t, d, "DELETE box")
	do(t, d, "CREATE box")
	put(t, c, "box", "", "01-Feb-2020 10:00:00 +0100", mail(77, "")) // late mail
	if res := sync(t, m, a); res.Copied != 1 || res.Adopted != 0 {
		t.Errorf("%+v", res)
	}
	if n := len(read(t, s.IMAPAddr, "b")["box"]); n != 1 {
		t.Errorf("%d messages, want the late one alone", n)
	}
	if res := sync(t, m, a); res.Copied+res.Adopted != 0 {
		t.Errorf("again: %+v", res)
	}
}

// A state that cannot be opened is not a lost one: a missing right must not
// bring back what users have deleted.
func TestStateThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	defer from.Close()
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	from.AddMessage("a", "INBOX", dovecottest.Message{Body: []byte(mail(1, ""))})
	dir := t.TempDir()
	file := filepath.Join(dir, "a.db")
	if err := os.Mkdir(file, 0o700); err != nil { // also for root a thing that does not open
		t.Fatal(err)
	}
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, nil)
	if _, err := m.Sync(t.Context(), account("a")); err == nil || len(to.Messages("a", "INBOX")) != 0 {
		t.Errorf("went on without its state: %v", err)
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, []byte(strings.Repeat("no database ", 2000)),
		0o600)); err != nil {
		t.Fatal(err)
	}
	res := sync(t, m, account("a"))
	if res.Copied != 1 || !strings.Contains(strings.Join(res.Findings, " "), "damaged") {
		t.Errorf("a damaged state: %+v", res)
	}
}

// Mail that moves at the source while it is compared may be seen in neither
// folder: such a certificate is no proof.
func TestVerifyWhileTheSourceChanges(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	defer from.Close()
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: password})
	}
	c := client(t, from.IMAPAddr, "a")
	do(t, c, "CREATE box")
	put(t, c, "box", "", "", mail(1, ""))
	source := insecure(from.IMAPAddr)
	var move func()
	source.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		nc, err := net.Dial(network, addr)
		return &writeSpy{Conn: nc, wrote: func(b []byte) {
			if move != nil && strings.Contains(string(b), "EXAMINE") && strings.Contains(string(b), "box") {
				f := move
				move = nil
				f()
			}
		}}, err
	}
	m := migrate.New(source, insecure(to.IMAPAddr), t.TempDir(), nil)
	sync(t, m, account("a"))
	cert, err := m.Verify(t.Context(), account("a"), nil)
	if err != nil || !cert.Complete || len(cert.Changed) != 0 {
		t.Fatalf("at rest: %+v, %v", cert, err)
	}
	put(t, c, "box", "", "", mail(2, "")) // not at the target
	do(t, c, "SELECT box")
	move = func() { // INBOX has been read
		do(t, c, "COPY 2 INBOX")
		do(t, c, `STORE 2 +FLAGS (\Deleted)`)
		do(t, c, "EXPUNGE")
	}
	if cert, err = m.Verify(t.Context(), account("a"), nil); err != nil {
		t.Fatal(err)
	}
	if cert.Complete || cert.Total().Missing == 0 && len(cert.Changed) == 0 {
		t.Errorf("a proof without the message that moved: %+v", cert)
	}
}
