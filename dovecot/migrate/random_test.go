package migrate_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	gosync "sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// TestMain lets the test binary be the process that is killed: with the
// variable set it runs one Sync and ends.
func TestMain(m *testing.M) {
	if v := os.Getenv("SCHOOLMAIL_TEST_SYNC"); v != "" {
		f := strings.Split(v, "|") // source, target, state, user
		mig := migrate.New(insecure(f[0]), insecure(f[1]), f[2], &migrate.Options{Batch: 7, Settle: settle})
		mig.SetFoldersPerLane(2)
		if _, err := mig.Sync(context.Background(), account(f[3])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const settle = 150 * time.Millisecond

// world changes a source account at random.
type world struct {
	tb      testing.TB
	rnd     *rand.Rand
	c       *cyrusd.Conn
	folders []string
	names   map[string]string // source name to target name
	serial  int
}

func (w *world) pick() string { return w.folders[w.rnd.IntN(len(w.folders))] }

func (w *world) message() string {
	w.serial++
	n := w.serial
	if w.rnd.IntN(4) == 0 {
		n = 1 + w.rnd.IntN(w.serial) // a duplicate of an earlier one, perhaps
	}
	r := rand.New(rand.NewPCG(uint64(n), 1))
	switch r.IntN(8) {
	case 0:
		return fmt.Sprintf("Subject: no id %d\r\n\r\nbody\r\n", n%5)
	case 1:
		return fmt.Sprintf("Subject: 8 bit \xe4\xf6\xfc %d\r\n\r\n\xff\xfe\x80 body\r\nlone\rcr\r\n", n)
	case 2:
		return mail(n, strings.Repeat("long line ", 2000)+"\r\n")
	case 3:
		return fmt.Sprintf("Message-ID: <same@school.test>\r\nSubject: x\r\n\r\ndifferent %d\r\n", n)
	}
	return mail(n, strings.Repeat("x", r.IntN(3000))+"\r\n")
}

var someFlags = []string{"", `\Seen`, `\Flagged`, `\Seen \Answered`, `\Deleted`, `$Label1`, `\Draft NonJunk`}

func (w *world) step() {
	w.tb.Helper()
	f := w.pick()
	switch w.rnd.IntN(10) {
	case 0, 1, 2, 3, 4:
		for range 1 + w.rnd.IntN(12) {
			date := time.Unix(1.5e9+w.rnd.Int64N(1e8), 0).In(time.FixedZone("", 3600)).Format("02-Jan-2006 15:04:05 -0700")
			put(w.tb, w.c, f, someFlags[w.rnd.IntN(len(someFlags))], date, w.message())
		}
	case 5:
		do(w.tb, w.c, "SELECT %q", f)
		w.c.Do(`STORE %d:%d %sFLAGS (%s)`, 1+w.rnd.IntN(5), 1+w.rnd.IntN(9), []string{"+", "-"}[w.rnd.IntN(2)],
			someFlags[1+w.rnd.IntN(len(someFlags)-1)])
	case 6:
		do(w.tb, w.c, "SELECT %q", f)
		w.c.Do(`STORE %d +FLAGS (\Deleted)`, 1+w.rnd.IntN(6))
		do(w.tb, w.c, "EXPUNGE")
	case 7, 8:
		do(w.tb, w.c, "SELECT %q", f)
		w.c.Do(`%s %d:%d %q`, []string{"COPY", "MOVE"}[w.rnd.IntN(2)], 1+w.rnd.IntN(4), 1+w.rnd.IntN(6), w.pick())
	case 9:
		if len(w.folders) < 8 {
			name := []string{"Archiv 2020", "Klasse 7b", "Klasse 7b/Noten", "x^y", "Entw&APw-rfe 2"}[w.rnd.IntN(5)]
			if _, err := w.c.Do("CREATE %q", name); err == nil {
				w.folders = append(w.folders, name)
			}
		}
	}
}

// cutting gives connections that end after a random number of bytes, in the
// middle of whatever they carry.
func cutting(s migrate.Server, rnd *rand.Rand) migrate.Server {
	var mu gosync.Mutex // several connections are made at a time
	own := rand.New(rand.NewPCG(rnd.Uint64(), 1))
	s.Dial = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		mu.Lock()
		defer mu.Unlock()
		return &cutConn{Conn: c, left: 500 + own.IntN(60000)}, err
	}
	return s
}

type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(b []byte) (int, error) {
	if len(b) > c.left {
		c.Conn.Write(b[:max(c.left, 0)])
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	c.left -= len(b)
	return c.Conn.Write(b)
}

func (c *cutConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.left -= n; c.left < 0 {
		c.Conn.Close()
	}
	return n, err
}

// Random mailboxes, random changes, runs that are killed or lose their
// connection anywhere: in the end the target is what the source is. More of them, from another
// seed on:
//
//	SCHOOLMAIL_WORLDS=200 SCHOOLMAIL_SEED=3 go test ./dovecot/migrate -run Random -timeout 3h
func TestRandomInterruptedRuns(t *testing.T) {
	t.Parallel()
	const rounds = 3
	worlds, first := number("SCHOOLMAIL_WORLDS", 3), number("SCHOOLMAIL_SEED", 0)
	var users []string
	for i := range worlds {
		users = append(users, fmt.Sprintf("user%d", i))
	}
	cyr := cyrus(t, false, users...)
	dov := dovecot(t, dovecotd.Config{}, users...)
	dov2 := dovecot(t, dovecotd.Config{Mailboxes: []dovecotd.Mailbox{}}, users...)
	for i := range worlds {
		source := cyr.IMAPAddr
		if i%3 == 2 {
			source = dov2.IMAPAddr // Dovecot to Dovecot: no DIGEST=SHA1, so the other digest
		}
		t.Run(users[i], func(t *testing.T) {
			t.Parallel()
			seed := uint64(first+i)*1000 + 7
			rnd := rand.New(rand.NewPCG(seed, 99))
			w := &world{tb: t, rnd: rnd, c: client(t, source, users[i]),
				folders: []string{"INBOX", "Gesendete Objekte", "Papierkorb"},
				names:   map[string]string{"Gesendete Objekte": "Sent", "Papierkorb": "Trash", "Entwürfe 2": "Entwürfe 2"}}
			for _, f := range w.folders[1:] {
				do(t, w.c, "CREATE %q", f)
			}
			dir := t.TempDir()
			for round := range rounds {
				for range 12 {
					w.step()
				}
				for range 3 {
					killed(t, rnd, source, dov.IMAPAddr, dir, users[i])
					for range 3 { // the source goes on between
						w.step()
					}
				}
				cut, stop := context.WithTimeout(t.Context(), 20*time.Second)
				mig := migrate.New(cutting(insecure(source), rnd), cutting(insecure(dov.IMAPAddr), rnd), dir,
					&migrate.Options{Batch: 5, Settle: settle, Attempts: 2})
				mig.SetFoldersPerLane(2)
				mig.Sync(cut, account(users[i])) // fails, or not
				stop()
				mig = migrate.New(insecure(source), insecure(dov.IMAPAddr), dir,
					&migrate.Options{Batch: 5, Settle: settle, MaxDeleted: 1})
				mig.SetFoldersPerLane(2)
				res := sync(t, mig, account(users[i]))
				want := read(t, source, users[i]).renamed(w.names).filled()
				got := read(t, dov.IMAPAddr, users[i]).filled()
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("seed %d, round %d: (-source +target)\n%s\n%+v", seed, round, d, res)
				}
				if res := sync(t, mig, account(users[i])); len(res.Folders) != 0 {
					t.Errorf("seed %d, round %d: something to do again: %+v", seed, round, res.Folders[0])
				}
				// The state is lost: everything is recognised, nothing is doubled.
				if round%2 == 1 {
					if err := os.RemoveAll(dir); err != nil {
						t.Fatal(err)
					}
					killed(t, rnd, source, dov.IMAPAddr, dir, users[i])
					if res := sync(t, mig, account(users[i])); res.Copied != 0 || res.Failed != 0 {
						t.Errorf("seed %d, round %d: after the loss of the state: %+v", seed, round, res)
					}
					if d := cmp.Diff(want, read(t, dov.IMAPAddr, users[i]).filled()); d != "" {
						t.Fatalf("seed %d, round %d: after the loss of the state: (-source +target)\n%s", seed, round, d)
					}
				}
			}
		})
	}
}

// number reads a number from the environment.
func number(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return def
}

// killed runs a Sync in a process of its own and kills it after a while.
func killed(t *testing.T, rnd *rand.Rand, source, target, dir, user string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SCHOOLMAIL_TEST_SYNC="+strings.Join([]string{source, target, dir, user}, "|"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Duration(20+rnd.IntN(350))*time.Millisecond, func() { cmd.Process.Kill() })
	cmd.Wait()
	timer.Stop()
}
