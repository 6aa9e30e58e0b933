package migrate_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	gosync "sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/loopback"
)

// migrateTo is a migrator between two servers on loopback.
func migrateTo(from, to, dir string) *migrate.Migrator {
	return migrate.New(insecure(from), insecure(to), dir, quick())
}

// quick are options for tests in which servers fail again and again.
func quick() *migrate.Options { return &migrate.Options{Settle: 10 * time.Millisecond} }

// One message at which a server ends the session, or that it answers with BAD,
// stays behind and is named; the other 39 arrive.
func TestOneMessageThatEndsTheSession(t *testing.T) {
	t.Parallel()
	bad := "Subject: message 17\r\n"
	command := regexp.MustCompile(`^(s\d+) APPEND `)
	for _, tt := range []struct {
		name  string
		proxy func() *proxy
		side  string
	}{
		{"source ends", func() *proxy {
			return &proxy{Down: func(l string) (string, bool) { return l, l != bad }}
		}, "source"},
		{"target says BYE", func() *proxy {
			return &proxy{Up: func(l string) (string, string, bool) {
				if l == bad {
					return "", "* BYE internal error\r\n", false
				}
				return l, "", true
			}}
		}, "target"},
		{"target says BAD", func() *proxy {
			var tags gosync.Map // of the APPEND under way; there is one connection at a time
			return &proxy{Up: func(l string) (string, string, bool) {
				if m := command.FindStringSubmatch(l); m != nil {
					tags.Store("tag", m[1])
				}
				if l != bad {
					return l, "", true
				}
				tag, _ := tags.Load("tag")
				return "", fmt.Sprintf("%v BAD what is this\r\n", tag), false
			}}
		}, "target"},
		{"target says BAD and has stored it", func() *proxy {
			var hit, eat atomic.Bool
			return &proxy{Up: func(l string) (string, string, bool) {
				if l == bad {
					hit.Store(true)
				}
				return l, "", true
			}, Down: func(l string) (string, bool) {
				if _, answer, ok := strings.Cut(l, " "); ok && hit.Load() && strings.HasPrefix(answer, "OK [APPENDUID") {
					hit.Store(false)
					l = l[:strings.Index(l, " ")] + " BAD cannot do this\r\n"
				}
				return l, !eat.Load()
			}}
		}, "target, which has stored it all the same"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := filled(t, 30)
			c := client(t, s.IMAPAddr, "a")
			for i := range 5 {
				put(t, c, "Sent", "", "01-Feb-2020 10:00:00 +0100", mail(100+i, ""))
				put(t, c, "Trash", "", "01-Feb-2020 10:00:00 +0100", mail(200+i, ""))
			}
			addr := tt.proxy().start(t, s.IMAPAddr)
			from, to := insecure(addr), insecure(s.IMAPAddr)
			if tt.side != "source" {
				from, to = to, from
			}
			m := migrate.New(from, to, t.TempDir(), quick())
			res, err := m.Sync(t.Context(), toB())
			if err != nil {
				t.Fatalf("%+v, %v", res, err)
			}
			b := read(t, s.IMAPAddr, "b")
			n := len(b["INBOX"]) + len(b["Sent"]) + len(b["Trash"])
			if strings.Contains(tt.side, "stored") {
				if n != 40 || res.Failed != 0 {
					t.Errorf("%d messages, %+v", n, res)
				}
				return
			}
			if n != 39 || res.Failed != 1 || len(res.Problems) != 1 || res.Problems[0].UID != 18 {
				t.Errorf("%d messages, %+v", n, res)
			}
			cert, err := m.Verify(t.Context(), toB(), nil)
			if err != nil || cert.Complete || cert.Total().Missing != 1 {
				t.Errorf("certificate %+v, %v", cert, err)
			}
		})
	}
}

// A server that is away pauses the wave; nothing fails for good.
func TestServerAwayForAWhile(t *testing.T) {
	t.Parallel()
	for _, greeting := range []string{"", "* BYE maintenance, come back later\r\n"} {
		t.Run(fmt.Sprintf("%q", greeting), func(t *testing.T) {
			t.Parallel()
			from, to, accounts := many(t, 12)
			var begin atomic.Int64
			p := &proxy{Greet: func() string {
				begin.CompareAndSwap(0, time.Now().UnixNano())
				if time.Since(time.Unix(0, begin.Load())) > 2*time.Second {
					return ""
				}
				if greeting == "" {
					return "\r\n"
				}
				return greeting
			}}
			res, err := migrate.New(insecure(from.IMAPAddr), insecure(p.start(t, to.IMAPAddr)), t.TempDir(),
				quick()).RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts}, nil)
			if err != nil || res.Failed() != 0 {
				t.Fatalf("%v, %d failed", err, res.Failed())
			}
			for _, a := range accounts {
				if n := len(read(t, to.IMAPAddr, a.Name)["INBOX"]); n != 1 {
					t.Errorf("%s: %d messages", a.Name, n)
				}
			}
		})
	}
}

// many are accounts with one message each on a real Cyrus, and on an empty Dovecot.
func many(t *testing.T, n int) (from *cyrusd.Server, to *dovecotd.Server, accounts []migrate.Account) {
	t.Helper()
	var users []string
	for i := range n {
		users = append(users, fmt.Sprintf("user%02d", i))
		accounts = append(accounts, account(users[i]))
	}
	from, to = cyrus(t, false, users...), dovecot(t, dovecotd.Config{}, users...)
	for i, u := range users {
		put(t, client(t, from.IMAPAddr, u), "INBOX", "", "", mail(i, ""))
	}
	return from, to, accounts
}

// The wait that a server asks for is kept by all accounts, whatever command it
// answers so: of those that copy and, after the first round, of those that recognise.
func TestThrottlingServer(t *testing.T) {
	t.Parallel()
	from, to, accounts := many(t, 8)
	for _, command := range []string{"LIST", "EXAMINE", "FETCH", "AUTHENTICATE"} {
		for _, answer := range []string{"NO [THROTTLED] wait 700 ms",
			"BAD Request is throttled. Suggested Backoff Time: 700 milliseconds"} {
			t.Run(command+" "+answer[:3], func(t *testing.T) {
				var mu gosync.Mutex
				var first time.Time
				early := 0
				p := &proxy{Up: func(l string) (string, string, bool) {
					if !strings.Contains(l, " "+command) {
						return l, "", true
					}
					mu.Lock()
					defer mu.Unlock()
					if first.IsZero() {
						first = time.Now()
					}
					if time.Since(first) > 650*time.Millisecond {
						return l, "", true
					}
					early++
					tag, _, _ := strings.Cut(l, " ")
					return "", tag + " " + answer + "\r\n", true
				}}
				res, err := migrate.New(insecure(p.start(t, from.IMAPAddr)), insecure(to.IMAPAddr), t.TempDir(),
					quick()).RunWave(t.Context(), &migrate.Wave{Name: "w", Accounts: accounts, Parallel: 2}, nil)
				if err != nil || res.Failed() != 0 {
					t.Fatalf("%v, %d failed: %+v", err, res.Failed(), res.Accounts[0])
				}
				if early == 0 || early > 4 { // two at a time
					t.Errorf("asked %d times while it wanted to be left alone", early)
				}
			})
		}
	}
}

// A wrong admin password is not tried for everybody: the wave stops, with an
// error. Single accounts that are refused stop nothing.
func TestRefusedLoginsStopTheWave(t *testing.T) {
	t.Parallel()
	from, to, accounts := many(t, 16)
	for i := range accounts {
		accounts[i].Target.Password = "wrong"
	}
	res, err := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(), quick()).RunWave(t.Context(),
		&migrate.Wave{Name: "w", Accounts: accounts, Parallel: 2}, nil)
	if !errors.Is(err, migrate.ErrLogin) || errors.Is(err, migrate.ErrHeldBack) {
		t.Errorf("%v", err)
	}
	tried := 0
	for _, a := range res.Accounts {
		if a.Stage == migrate.Failed {
			tried++
		}
	}
	if tried == 0 || tried > 6 {
		t.Errorf("%d accounts have been tried", tried)
	}
	for i := range accounts {
		if i%2 == 0 {
			accounts[i].Target.Password = password
		}
	}
	res, err = migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(), quick()).RunWave(t.Context(),
		&migrate.Wave{Name: "w", Accounts: accounts, Parallel: 1}, nil)
	if err != nil || res.Failed() != 8 {
		t.Errorf("every other one: %v, %d failed", err, res.Failed())
	}
}

// A keyword that the target refuses does not keep the message from arriving.
func TestRefusedKeyword(t *testing.T) {
	t.Parallel()
	s := filled(t, 3)
	c := client(t, s.IMAPAddr, "a")
	put(t, c, "INBOX", `\Seen $Odd`, "01-Feb-2020 10:00:00 +0100", mail(10, ""))
	put(t, c, "INBOX", `\Seen $Odd $Good`, "01-Feb-2020 10:00:00 +0100", mail(11, ""))
	put(t, c, "INBOX", `$Good`, "01-Feb-2020 10:00:00 +0100", mail(12, ""))
	p := &proxy{Up: func(l string) (string, string, bool) {
		tag, command, _ := strings.Cut(l, " ")
		if !strings.Contains(l, "$Odd") {
			return l, "", true
		}
		if !strings.HasPrefix(command, "APPEND") {
			tag = "s9" // never first in a command here
		}
		return "", tag + " NO [CANNOT] keyword refused\r\n", true
	}}
	to := insecure(p.start(t, s.IMAPAddr))
	o := quick()
	o.Batch = 1
	res, err := migrate.New(insecure(s.IMAPAddr), to, t.TempDir(), o).Sync(t.Context(), toB())
	if err != nil || res.Copied != 6 || res.Failed != 0 || !strings.Contains(kinds(res), migrate.ProblemKeyword) {
		t.Errorf("%+v, %v", res, err)
	}
	if n := len(read(t, s.IMAPAddr, "b")["INBOX"]); n != 6 {
		t.Errorf("%d messages", n)
	}
}

// The source closes connections that are idle, while the target's messages are
// read: digests outlive an attempt, so that the run ends.
func TestIdleSourceCloses(t *testing.T) {
	t.Parallel()
	s := filled(t, 200)
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), quick())
	sync(t, m, toB())
	slow := &proxy{Down: func(l string) (string, bool) { time.Sleep(2 * time.Millisecond); return l, true }}
	idle := &idleProxy{after: 1500 * time.Millisecond}
	o := quick()
	for _, keep := range []time.Duration{200 * time.Millisecond, time.Hour} {
		o.KeepAlive = keep
		res, err := migrate.New(insecure(idle.start(t, s.IMAPAddr)), insecure(slow.start(t, s.IMAPAddr)), t.TempDir(),
			o).Sync(t.Context(), toB())
		if err != nil || res.Adopted != 200 || res.Copied != 0 {
			t.Errorf("%v: %+v, %v", keep, res, err)
		}
		if keep < time.Second && res.Retries > 0 {
			t.Errorf("%d attempts although the idle side was kept alive", res.Retries+1)
		}
	}
}

// idleProxy closes connections on which the client is silent.
type idleProxy struct{ after time.Duration }

func (p *idleProxy) start(tb testing.TB, server string) string {
	tb.Helper()
	return loopback.Serve(tb, func(c net.Conn) { p.serve(c, server) })
}

func (p *idleProxy) serve(c net.Conn, server string) {
	defer c.Close()
	s, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, err := s.Read(b)
			if n > 0 {
				c.Write(b[:n])
			}
			if err != nil {
				c.Close()
				return
			}
		}
	}()
	b := make([]byte, 1<<16)
	for {
		c.SetReadDeadline(time.Now().Add(p.after))
		n, err := c.Read(b)
		if n > 0 {
			s.Write(b[:n])
		}
		if err != nil {
			return
		}
	}
}
