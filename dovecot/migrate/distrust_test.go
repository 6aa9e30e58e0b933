package migrate_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// filled is a real server whose user a has n messages in INBOX, and an empty user b.
func filled(tb testing.TB, n int) *dovecotd.Server {
	tb.Helper()
	s := dovecot(tb, dovecotd.Config{}, "a", "b")
	c := client(tb, s.IMAPAddr, "a")
	for i := range n {
		put(tb, c, "INBOX", "", "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	return s
}

// toB migrates a to b on one server.
func toB() migrate.Account {
	a := account("a")
	a.Target.User = "b"
	return a
}

func kinds(r *migrate.Result) string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, p.Kind)
	}
	return strings.Join(out, " ")
}

// A source that writes its numbers in another way, or not at all, is not empty,
// and what it tells is no reason to delete anything.
func TestSourceThatCountsOddly(t *testing.T) {
	t.Parallel()
	exists := regexp.MustCompile(`(?i)^\* (\d+) EXISTS`)
	status := regexp.MustCompile(`(MESSAGES) \d+`)
	search := regexp.MustCompile(`^(\* E?SEARCH).*\r\n`)
	for _, tt := range []struct {
		name     string
		rewrite  func(line string) string
		copied   int    // by the first run
		problem  string // of a run after the first, which was undisturbed
		complete bool
	}{
		{"two blanks", func(l string) string { return exists.ReplaceAllString(l, "*  $1  EXISTS") }, 15, "", true},
		{"no EXISTS", func(l string) string {
			if exists.MatchString(l) {
				return ""
			}
			return l
		}, 0, "folder", false},
		{"EXISTS 0", func(l string) string { return exists.ReplaceAllString(l, "* 0 EXISTS") }, 15, "folder", false},
		{"STATUS 3", func(l string) string { return status.ReplaceAllString(l, "$1 3") }, 15, "folder", false},
		{"SEARCH tells nothing", func(l string) string { return search.ReplaceAllString(l, "* SEARCH\r\n") }, 0, "folder",
			false},
		{"SEARCH cannot be read", func(l string) string {
			return search.ReplaceAllString(l,
				"* ESEARCH (TAG) ALL 1:x\r\n")
		}, 0, "folder", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := filled(t, 15)
			var on atomic.Bool
			addr := (&proxy{Down: func(l string) (string, bool) {
				if on.Load() {
					l = tt.rewrite(l)
				}
				return l, true
			}}).start(t, s.IMAPAddr)
			run := func(dir string) *migrate.Result {
				return sync(t, migrate.New(insecure(addr), insecure(s.IMAPAddr), dir, &migrate.Options{Settle: settle}), toB())
			}
			on.Store(true)
			if res := run(t.TempDir()); res.Copied != tt.copied {
				t.Errorf("first run: %+v", res)
			}
			on.Store(false)
			dir := t.TempDir()
			run(dir)
			on.Store(true)
			put(t, client(t, s.IMAPAddr, "a"), "INBOX", "", "", mail(99, "")) // so that there is something to look at
			if res := run(dir); res.Deleted != 0 || !strings.Contains(kinds(res)+"!", tt.problem) || tt.problem == "" &&
				len(res.Problems) > 0 {
				t.Errorf("second run: %+v", res)
			}
			if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n < 15 {
				t.Errorf("%d of 15 messages are left at the target", n)
			}
			cert, err := migrate.New(insecure(addr), insecure(s.IMAPAddr), dir, nil).Verify(t.Context(), toB(), nil)
			if err == nil && cert.Complete != tt.complete || err != nil && tt.complete {
				t.Errorf("certificate: %+v, %v", cert, err)
			}
		})
	}
}

// After a line that could not be read nothing is deleted in that session, not even an empty folder or
// a subscription, and it is said; a session without such a line does it.
func TestNothingDeletedAfterAnOddLine(t *testing.T) {
	t.Parallel()
	s := filled(t, 15)
	var on atomic.Bool
	addr := (&proxy{Down: func(l string) (string, bool) {
		if on.Load() && (strings.Contains(l, "EXISTS") || strings.HasPrefix(l, "* NAMESPACE")) {
			l += "? what is this\r\n"
		}
		return l, true
	}}).start(t, s.IMAPAddr)
	m := migrate.New(insecure(addr), insecure(s.IMAPAddr), t.TempDir(), &migrate.Options{Settle: settle})
	c := client(t, s.IMAPAddr, "a")
	for _, name := range []string{"empty", "subscribed"} {
		do(t, c, "CREATE %s", name)
		do(t, c, "SUBSCRIBE %s", name)
	}
	sync(t, m, toB())
	do(t, c, "DELETE empty")
	do(t, c, "UNSUBSCRIBE empty")
	do(t, c, "UNSUBSCRIBE subscribed")
	d := client(t, s.IMAPAddr, "b")
	look := func(what string, folders, subscriptions int) {
		t.Helper()
		list, lsub := do(t, d, `LIST "" (empty subscribed)`), do(t, d, `LSUB "" *bscribed`)
		if n, k := strings.Count(list, "* LIST"), strings.Count(lsub, "* LSUB"); n != folders || k != subscriptions {
			t.Errorf("%s: %d folders, %d subscriptions\n%s%s", what, n, k, list, lsub)
		}
	}
	look("before", 2, 1)
	on.Store(true)
	if res := sync(t, m, toB()); len(res.Findings) != 2 {
		t.Errorf("%+v", res)
	}
	look("after an odd line", 2, 1)
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:2 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	if res := sync(t, m, toB()); res.Deleted != 0 || kinds(res) != migrate.ProblemHeldBack {
		t.Errorf("%+v", res)
	}
	look("after another one", 2, 1)
	on.Store(false)
	if res := sync(t, m, toB()); res.Deleted != 2 || len(res.Problems) != 0 {
		t.Errorf("%+v", res)
	}
	look("without one", 1, 0)
}

// The same when the line comes from the target, between the decision and the deletion.
func TestNothingDeletedAfterAnOddLineOfTheTarget(t *testing.T) {
	t.Parallel()
	s := filled(t, 15)
	var on atomic.Bool
	to := (&proxy{Down: func(l string) (string, bool) {
		if on.Load() && strings.Contains(l, "EXISTS") {
			l += "? what is this\r\n"
		}
		return l, true
	}}).start(t, s.IMAPAddr)
	m := migrate.New(insecure(s.IMAPAddr), insecure(to), t.TempDir(), &migrate.Options{Settle: settle})
	sync(t, m, toB())
	c := client(t, s.IMAPAddr, "a")
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:2 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	on.Store(true)
	if res := sync(t, m, toB()); res.Deleted != 0 || kinds(res) != migrate.ProblemHeldBack {
		t.Errorf("%+v", res)
	}
	on.Store(false)
	if res := sync(t, m, toB()); res.Deleted != 2 || len(res.Problems) != 0 {
		t.Errorf("%+v", res)
	}
}

// All or most of a folder is held at any size, until it is allowed. What has
// only moved to another folder goes at once.
func TestMostOfAFolderIsHeld(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		n, gone int
		held    bool
	}{{1, 1, true}, {2, 1, false}, {3, 2, true}, {4, 2, false}} {
		t.Run(fmt.Sprintf("%d of %d", tt.gone, tt.n), func(t *testing.T) {
			t.Parallel()
			s := filled(t, tt.n)
			dir := t.TempDir()
			o := &migrate.Options{Settle: settle}
			sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, o), toB())
			c := client(t, s.IMAPAddr, "a")
			do(t, c, "SELECT INBOX")
			do(t, c, `STORE 1:%d +FLAGS (\Deleted)`, tt.gone)
			do(t, c, "EXPUNGE")
			res := sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, o), toB())
			if held := kinds(res) == migrate.ProblemHeldBack; held != tt.held || held == (res.Deleted > 0) {
				t.Errorf("%+v", res)
			}
			if !tt.held {
				return
			}
			o.AllowDeletions = true
			if res := sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, o), toB()); res.Deleted != tt.gone {
				t.Errorf("allowed: %+v", res)
			}
		})
	}
	s := filled(t, 5)
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), &migrate.Options{Settle: settle})
	sync(t, m, toB())
	c := client(t, s.IMAPAddr, "a")
	do(t, c, "CREATE elsewhere")
	do(t, c, "SELECT INBOX")
	do(t, c, "MOVE 1:5 elsewhere")
	if res := sync(t, m, toB()); res.Deleted != 5 || res.Copied != 5 || len(res.Problems) != 0 {
		t.Errorf("moved: %+v", res)
	}
}

// What somebody has removed at the target before the cut-over is missing, for
// the certificate too, and comes back when asked for. After the cut-over the
// user may remove what they like.
func TestRemovedAtTheTarget(t *testing.T) {
	t.Parallel()
	s := filled(t, 15)
	dir := t.TempDir()
	o := &migrate.Options{Settle: settle}
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, o)
	again := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), dir, &migrate.Options{Settle: settle, Recopy: true})
	remove := func(set string) {
		t.Helper()
		d := client(t, s.IMAPAddr, "b")
		do(t, d, "SELECT INBOX")
		do(t, d, `STORE %s +FLAGS (\Deleted)`, set)
		do(t, d, "EXPUNGE")
	}
	verify := func(what string, missing, removed int) {
		t.Helper()
		cert, err := m.Verify(t.Context(), toB(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if sum := cert.Total(); sum.Missing != missing || sum.Removed != removed || cert.Complete != (missing == 0) {
			t.Errorf("%s: complete %v, %+v", what, cert.Complete, sum)
		}
	}
	sync(t, m, toB())
	remove("1:10")
	verify("10 removed", 10, 0)
	if res := sync(t, m, toB()); res.Copied != 0 {
		t.Errorf("without being asked: %+v", res)
	}
	if res := sync(t, again, toB()); res.Copied != 10 || res.Adopted != 0 {
		t.Errorf("again: %+v", res)
	}
	verify("brought again", 0, 0)
	if res := sync(t, again, toB()); res.Copied != 0 {
		t.Errorf("again, with nothing missing: %+v", res)
	}
	remove("1:3")
	res, err := m.CutOver(t.Context(), toB())
	if err != nil || !strings.Contains(strings.Join(res.Findings, " "),
		"3 messages that had been copied are no longer at the target") {
		t.Errorf("%+v, %v", res, err)
	}
	remove("1:2")
	verify("3 before and 2 after the cut-over", 3, 2)
	if res := sync(t, again, toB()); res.Copied != 3 {
		t.Errorf("again after the cut-over: %+v", res)
	}
	verify("the user's own deletions stay", 0, 2)
}
