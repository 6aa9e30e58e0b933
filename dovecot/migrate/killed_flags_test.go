package migrate_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// assassin is a proxy before the target that kills a run at the nth line that the run sends:
// before the target has it, or after the target has answered and before the run knows.
type assassin struct {
	nth   int64
	after bool
	lines atomic.Int64
	due   atomic.Bool

	started chan struct{} // closed when there is a process to kill
	process *os.Process
}

func (a *assassin) kill() {
	<-a.started
	a.process.Kill()
}

func (a *assassin) proxy() *proxy {
	return &proxy{
		Up: func(line string) (string, string, bool) {
			if a.lines.Add(1) != a.nth {
				return line, "", true
			}
			a.due.Store(true)
			if a.after {
				return line, "", true
			}
			a.kill()
			return "", "", false
		},
		Down: func(line string) (string, bool) {
			if a.due.Load() {
				a.kill()
				return "", false
			}
			return line, true
		},
	}
}

// run is a Sync in a process of its own; it reports whether it was killed.
func (a *assassin) run(t *testing.T, source, target, dir, user string) (killed bool) {
	t.Helper()
	a.started = make(chan struct{})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SCHOOLMAIL_TEST_SYNC="+strings.Join([]string{source,
		a.proxy().start(t, target), dir, user}, "|"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.process = cmd.Process
	close(a.started)
	err := cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !a.due.Load() || err != nil && !ended {
		t.Fatal(err)
	}
	return a.due.Load()
}

// A run is killed at each line that it sends to the target, before and after its effect, while it
// recognises messages that the target has already and brings their flags over. The source
// takes the change back before the next run, which is killed at the same place. In the end
// the target has the source's flags and its user's, and none of those that were taken back.
func TestFlagsOfRecognisedMessagesAfterAKillAnywhere(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			t.Parallel()
			for nth := int64(1); ; nth++ {
				if !killedWhileRecognising(t, &assassin{nth: nth, after: after}) {
					if nth < 5 {
						t.Fatalf("a run of %d lines does not bring flags over", nth)
					}
					return
				}
			}
		})
	}
}

func killedWhileRecognising(t *testing.T, a *assassin) bool {
	t.Helper()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: "pw"})
	}
	const date = "01-Feb-2020 10:00:00 +0100"
	c, there := client(t, from.IMAPAddr, "a"), client(t, to.IMAPAddr, "a")
	for n, flags := range []string{`\Flagged`, `\Draft $Label1`, ``, `\Answered`} {
		put(t, c, "INBOX", flags, date, mail(n, ""))
		if n < 3 { // an earlier tool has brought the others, without flags; the user has read one
			put(t, there, "INBOX", []string{``, `\Seen`, `\Seen`}[n], date, mail(n, ""))
		}
	}
	do(t, c, "SELECT INBOX")
	dir := t.TempDir()
	killed := a.run(t, from.IMAPAddr, to.IMAPAddr, dir, "a")
	do(t, c, `STORE 1 FLAGS (\Answered)`)
	do(t, c, `STORE 2 FLAGS ()`)
	do(t, c, `STORE 3:4 FLAGS (\Draft)`)
	again := &assassin{nth: a.nth, after: a.after}
	again.run(t, from.IMAPAddr, to.IMAPAddr, dir, "a")
	do(t, c, `STORE 1:4 FLAGS ()`)
	do(t, c, `STORE 2 FLAGS (\Flagged)`)
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, &migrate.Options{Settle: settle})
	sync(t, m, account("a"))
	var got [][]string
	for _, m := range to.Messages("a", "INBOX") {
		slices.Sort(m.Flags)
		got = append(got, append([]string{}, m.Flags...))
	}
	want := [][]string{{}, {`\Flagged`, `\Seen`}, {`\Seen`}, {}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("killed at line %d, after=%v: (-want +got)\n%s", a.nth, a.after, d)
	}
	if res := sync(t, m, account("a")); len(res.Folders) != 0 {
		t.Errorf("killed at line %d, after=%v: something to do again: %+v", a.nth, a.after, res.Folders[0])
	}
	return killed
}
