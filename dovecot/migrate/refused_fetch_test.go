package migrate_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// A server refuses to send messages that are to be recognised, since too much is asked of it, or together:
// they are asked for again, and nothing is copied a second time.
func TestRefusedWhileRecognising(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"source", "target"} {
		for _, answer := range []string{"NO [THROTTLED] wait 300 ms", "NO [SERVERBUG] internal error"} {
			t.Run(side+" "+answer, func(t *testing.T) {
				t.Parallel()
				s := filled(t, 5)
				sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
				var first atomic.Int64
				refused := func(l string) bool {
					if !strings.Contains(l, " FETCH ") || !strings.Contains(l, "BODY.PEEK[]") {
						return false
					}
					first.CompareAndSwap(0, time.Now().UnixNano())
					if strings.Contains(answer, "THROTTLED") {
						return time.Since(time.Unix(0, first.Load())) < 250*time.Millisecond
					}
					return strings.Contains(l, ":") // one by one it sends them
				}
				addr := (&proxy{Up: func(l string) (string, string, bool) {
					if !refused(l) {
						return l, "", true
					}
					tag, _, _ := strings.Cut(l, " ")
					return "", fmt.Sprintf("%s %s\r\n", tag, answer), true
				}}).start(t, s.IMAPAddr)
				from, to := insecure(s.IMAPAddr), insecure(addr)
				if side == "source" {
					from, to = to, from
				}
				res := sync(t, migrate.New(from, to, t.TempDir(), quick()), toB()) // without the state
				if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 5 || res.Adopted != 5 || first.Load() == 0 {
					t.Errorf("%d messages instead of 5: %+v", n, res)
				}
			})
		}
	}
}

// A target that sends no message at all keeps the folder from being copied a second time; it is reported,
// and goes on when the server is well.
func TestNothingToRecogniseBy(t *testing.T) {
	t.Parallel()
	s := filled(t, 25)
	sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
	var ill atomic.Bool
	ill.Store(true)
	to := insecure((&proxy{Up: func(l string) (string, string, bool) {
		if !ill.Load() || !strings.Contains(l, "BODY.PEEK[]") {
			return l, "", true
		}
		tag, _, _ := strings.Cut(l, " ")
		return "", tag + " NO [SERVERBUG] internal error\r\n", true
	}}).start(t, s.IMAPAddr))
	m := migrate.New(insecure(s.IMAPAddr), to, t.TempDir(), quick())
	if res := sync(t, m, toB()); res.Copied != 0 || kinds(res) != migrate.ProblemFolder {
		t.Errorf("%+v", res)
	}
	if cert, err := m.Verify(t.Context(), toB(), nil); err == nil && cert.Complete {
		t.Errorf("%+v", cert)
	}
	ill.Store(false)
	res := sync(t, m, toB())
	if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 25 || res.Adopted != 25 || len(res.Problems) != 0 {
		t.Errorf("%d messages instead of 25: %+v", n, res)
	}
}

// What a source refuses together it may send one by one; only what it does not send then stays behind.
func TestSentOneByOne(t *testing.T) {
	t.Parallel()
	s := filled(t, 6)
	from := insecure((&proxy{Up: func(l string) (string, string, bool) {
		tag, command, _ := strings.Cut(l, " ")
		if !strings.Contains(l, "BODY.PEEK[]") || !strings.Contains(command, ":") && !strings.Contains(command, "FETCH 3 ") {
			return l, "", true
		}
		return "", tag + " NO [SERVERBUG] internal error\r\n", true
	}}).start(t, s.IMAPAddr))
	res := sync(t, migrate.New(from, insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
	if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 5 || res.Failed != 1 || len(res.Problems) != 1 ||
		res.Problems[0].UID != 3 {
		t.Errorf("%d messages instead of 5: %+v", n, res)
	}
}

// What the target lists of itself cannot be read, or contradicts what it counts: nothing is copied into a
// folder of which it is not known what is in it.
func TestTargetThatListsOddly(t *testing.T) {
	t.Parallel()
	search := regexp.MustCompile(`^(\* E?SEARCH).*\r\n`)
	fetch := regexp.MustCompile(`^\* 3 FETCH .*\r\n`)
	for name, rewrite := range map[string]func(l string) string{
		"SEARCH cannot be read": func(l string) string { return search.ReplaceAllString(l, "* ESEARCH (TAG) ALL 1:x\r\n") },
		"SEARCH tells nothing":  func(l string) string { return search.ReplaceAllString(l, "* SEARCH\r\n") },
		"FETCH cannot be read":  func(l string) string { return fetch.ReplaceAllString(l, "* 3 FETCH (UID ?)\r\n") },
		"FETCH leaves one out":  func(l string) string { return fetch.ReplaceAllString(l, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := filled(t, 5)
			sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
			var ill atomic.Bool
			ill.Store(true)
			to := insecure((&proxy{Down: func(l string) (string, bool) {
				if ill.Load() {
					l = rewrite(l)
				}
				return l, true
			}}).start(t, s.IMAPAddr))
			m := migrate.New(insecure(s.IMAPAddr), to, t.TempDir(), quick()) // without the state
			if res := sync(t, m, toB()); res.Copied != 0 || kinds(res) != migrate.ProblemFolder {
				t.Errorf("%+v", res)
			}
			ill.Store(false)
			res := sync(t, m, toB())
			if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 5 || res.Adopted != 5 || len(res.Problems) != 0 {
				t.Errorf("%d messages instead of 5: %+v", n, res)
			}
		})
	}
}

// A message of which the source does not tell while messages are recognised may be at the target already: it
// stays behind, is reported, and is recognised when the source tells of it.
func TestSourceThatTellsOddly(t *testing.T) {
	t.Parallel()
	third := regexp.MustCompile(`^\* 3 FETCH \([^{]*\)\r\n`) // without its content
	content := regexp.MustCompile(`UID FETCH (3|\S*[:,]\S*) .*BODY`)
	for name, instead := range map[string]string{"cannot be read": "* 3 FETCH (UID ?)\r\n", "is left out": "",
		"is not sent": "refused"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := filled(t, 5)
			sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
			var ill atomic.Bool
			ill.Store(true)
			from := insecure((&proxy{Down: func(l string) (string, bool) {
				if ill.Load() && instead != "refused" {
					l = third.ReplaceAllString(l, instead)
				}
				return l, true
			}, Up: func(l string) (string, string, bool) {
				if !ill.Load() || instead != "refused" || !content.MatchString(l) {
					return l, "", true
				}
				tag, _, _ := strings.Cut(l, " ")
				return "", tag + " NO [SERVERBUG] internal error\r\n", true
			}}).start(t, s.IMAPAddr))
			m := migrate.New(from, insecure(s.IMAPAddr), t.TempDir(), quick()) // without the state
			if res := sync(t, m, toB()); res.Copied != 0 || res.Adopted != 4 || kinds(res) != migrate.ProblemMissing {
				t.Errorf("%+v", res)
			}
			ill.Store(false)
			res := sync(t, m, toB())
			if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 5 || res.Adopted != 1 || len(res.Problems) != 0 {
				t.Errorf("%d messages instead of 5: %+v", n, res)
			}
		})
	}
}

// A change of flags that could not be read is brought by the next run.
func TestFlagsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := filled(t, 3)
	var ill atomic.Bool
	from := insecure((&proxy{Down: func(l string) (string, bool) {
		if ill.Load() && strings.HasPrefix(l, "* 2 FETCH") {
			l = "* 2 FETCH (FLAGS (\r\n"
		}
		return l, true
	}}).start(t, s.IMAPAddr))
	m := migrate.New(from, insecure(s.IMAPAddr), t.TempDir(), quick())
	sync(t, m, toB())
	c := client(t, s.IMAPAddr, "a")
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:2 +FLAGS (\Flagged)`)
	ill.Store(true)
	if res := sync(t, m, toB()); res.Flags != 1 || res.Odd != 1 {
		t.Errorf("%+v", res)
	}
	ill.Store(false)
	if res := sync(t, m, toB()); res.Flags != 1 || res.Odd != 0 {
		t.Errorf("the next run: %+v", res)
	}
	if res := sync(t, m, toB()); len(res.Folders) != 0 {
		t.Errorf("something to do again: %+v", res)
	}
}

// refusing refuses what asks for the third message's flags, date and size, alone or among others.
func refusing(ill *atomic.Bool) *proxy {
	return &proxy{Up: func(l string) (string, string, bool) {
		tag, command, _ := strings.Cut(l, " ")
		if !ill.Load() || !strings.Contains(l, "RFC822.SIZE") ||
			!strings.Contains(command, ":") && !strings.Contains(command, "FETCH 3 ") {
			return l, "", true
		}
		return "", tag + " NO [SERVERBUG] internal error\r\n", true
	}}
}

// A message of which a source does not even tell flags, date and size takes nothing with it: the others come, it
// is reported, and comes once when the server is well, whether the target had it before or not.
func TestOneOfWhichNothingIsTold(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{false, true} {
		t.Run(fmt.Sprint("at the target before: ", before), func(t *testing.T) {
			t.Parallel()
			s := filled(t, 6)
			if before {
				sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
			}
			var ill atomic.Bool
			ill.Store(true)
			m := migrate.New(insecure(refusing(&ill).start(t, s.IMAPAddr)), insecure(s.IMAPAddr), t.TempDir(), quick())
			res := sync(t, m, toB()) // without the state
			if res.Copied+res.Adopted != 5 || res.Failed != 1 || len(res.Problems) != 1 || res.Problems[0].UID != 3 {
				t.Errorf("%+v", res)
			}
			if cert, err := m.Verify(t.Context(), toB(), nil); err == nil && cert.Complete {
				t.Errorf("%+v", cert)
			}
			ill.Store(false)
			res = sync(t, m, toB())
			if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 6 || res.Copied+res.Adopted != 1 || len(res.Problems) > 0 {
				t.Errorf("%d messages instead of 6: %+v", n, res)
			}
		})
	}
}

// A target that does not tell of a message that it has: nothing is copied into the folder until it does.
func TestTargetThatDoesNotTellOfOne(t *testing.T) {
	t.Parallel()
	s := filled(t, 6)
	sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick()), toB())
	var ill atomic.Bool
	ill.Store(true)
	m := migrate.New(insecure(s.IMAPAddr), insecure(refusing(&ill).start(t, s.IMAPAddr)), t.TempDir(), quick())
	if res := sync(t, m, toB()); res.Copied != 0 || kinds(res) != migrate.ProblemFolder {
		t.Errorf("%+v", res)
	}
	ill.Store(false)
	res := sync(t, m, toB())
	if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 6 || res.Adopted != 6 || len(res.Problems) > 0 {
		t.Errorf("%d messages instead of 6: %+v", n, res)
	}
}
