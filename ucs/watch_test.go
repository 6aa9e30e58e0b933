package ucs_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/loopback"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// words writes a change for comparison.
func words(ch ucs.Change) string {
	s := string(ch.Kind) + " "
	if ch.Username != "" {
		s += ch.Username
	} else if ch.DN != "" {
		s += strings.Split(ch.DN, ",")[0]
	}
	if ch.OldDN != "" {
		s += " from " + strings.Split(ch.OldDN, ",")[1]
	}
	return strings.TrimSpace(s)
}

// watching reads changes in the background; next waits for one of them.
func watching(t *testing.T, seq iter.Seq2[ucs.Change, error]) (next func(want string) ucs.Change, end func() error) {
	changes, done := make(chan ucs.Change, 1000), make(chan error, 1)
	go func() {
		var last error
		for ch, err := range seq {
			if err != nil {
				last = err
				break
			}
			changes <- ch
		}
		done <- last
	}()
	return func(want string) ucs.Change {
			t.Helper()
			for {
				select {
				case ch := <-changes:
					if words(ch) == want {
						return ch
					}
					t.Logf("passed over: %s", words(ch))
				case err := <-done:
					t.Fatalf("waiting for %q the watch ended: %v", want, err)
				case <-t.Context().Done():
					t.Fatal(t.Context().Err())
				}
			}
		}, func() error {
			return <-done
		}
}

// Everything that happens to accounts and groups is told, by the notifier and by
// polling.
func TestWatch(t *testing.T) {
	for _, polled := range []bool{false, true} {
		t.Run(map[bool]string{false: "notifier", true: "poll"}[polled], func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *backend) {
				opts := &ucs.WatchOptions{Interval: 20 * time.Millisecond}
				if !polled {
					if b.sim == nil {
						t.Skip("slapd has no notifier")
					}
					n := testlife.Of(ucstest.StartNotifier(b.sim))(t)
					opts.Notifier = n.Addr
				}
				c := b.client(t, nil)
				create(t, c, pupil(), "x")
				// The fourth search of a watch is its first look at the directory.
				ready := make(chan struct{})
				var searches atomic.Int32
				watcher := b.client(t, func(o *ucs.Options) {
					o.Observer = ucs.ObserverFunc(func(e ucs.Event) {
						if e.Op == "search" && searches.Add(1) == 4 {
							close(ready)
						}
					})
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				next, end := watching(t, watcher.Watch(ctx, opts))
				<-ready
				a := teacher()
				create(t, c, a, "x")
				next("changed anna.mueller")
				cur := read(t, c, "ida.aebel")
				change(t, c, cur, with(cur, func(a *schoolmail.Account) { a.Phone = "9" }))
				next("changed ida.aebel")
				// Somebody joins a class by hand: the group says so.
				req := ldap.NewModifyRequest(classDN(gsmitte, "gsmitte-1a"), nil)
				req.Add("memberUid", []string{"by.hand"})
				if err := b.conn(t).Modify(req); err != nil {
					t.Fatal(err)
				}
				next("changed cn=gsmitte-1a")
				moved := newRDN(t, b, read(t, c, "ida.aebel").DN, "cn=schueler,cn=users,"+seknord)
				if ch := next("changed ida.aebel from cn=schueler"); ch.DN != moved {
					t.Errorf("moved to %s, want %s", ch.DN, moved)
				}
				if err := b.conn(t).Del(ldap.NewDelRequest(moved, nil)); err != nil {
					t.Fatal(err)
				}
				ch := next("removed ida.aebel")
				if ch.Position == "" {
					t.Error("no position")
				}
				cause := errors.New("enough")
				cancel(cause)
				if err := end(); !errors.Is(err, cause) {
					t.Errorf("ended with %v", err)
				}
				if polled {
					return
				}
				// What happens while nobody watches is made up for.
				create(t, c, with(pupil(), func(a *schoolmail.Account) {
					a.Username, a.Key.ID, a.Mail, a.Aliases = "meanwhile",
						"S-5", "", nil
				}), "x")
				opts.After = ch.Position
				for ch, err := range watcher.Watch(t.Context(), opts) {
					if err != nil {
						t.Fatal(err)
					}
					if words(ch) == "changed meanwhile" {
						break // breaking off ends it
					}
				}
				b.sim.Prune(1)
				for ch, err := range c.Watch(t.Context(), opts) {
					if err != nil || ch.Kind != ucs.EverythingChanged {
						t.Errorf("after the log was shortened: %s, %v", words(ch), err)
					}
					break
				}
			})
		})
	}
}

// A position of another source, or of a log that has begun anew, means that
// everything may have changed.
func TestWatchPositions(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	n := testlife.Of(ucstest.StartNotifier(b.sim))(t)
	c := b.client(t, nil)
	for _, p := range []ucs.Position{"poll", "notifier:99999", "notifier:x", "nonsense"} {
		for ch, err := range c.Watch(t.Context(), &ucs.WatchOptions{Notifier: n.Addr, After: p}) {
			if err != nil || ch.Kind != ucs.EverythingChanged || ch.Position == "" {
				t.Errorf("%s: %+v, %v", p, ch, err)
			}
			break
		}
	}
	for ch, err := range c.Watch(t.Context(), &ucs.WatchOptions{After: "notifier:3"}) {
		if err != nil || ch.Kind != ucs.EverythingChanged {
			t.Errorf("poll after the notifier: %+v, %v", ch, err)
		}
		break
	}
}

// notifierOf serves a made-up notifier, line by line.
func notifierOf(t *testing.T, serve func(conn net.Conn, line string) bool) string {
	t.Helper()
	return loopback.Serve(t, func(conn net.Conn) {
		for r := bufio.NewScanner(conn); r.Scan() && serve(conn, r.Text()); {
		}
		conn.Close()
	})
}

// A notifier that is silent is asked whether it is there; one that goes away, or
// is none, is an error and no silence.
func TestWatchFails(t *testing.T) {
	t.Parallel()
	b := newSim(t)
	c := b.client(t, nil)
	var alive atomic.Int32
	msg := ""
	silent := notifierOf(t, func(conn net.Conn, line string) bool {
		switch {
		case strings.HasPrefix(line, "MSGID"):
			msg = line
		case line == "Version: 3":
			fmt.Fprint(conn, "Version: 3\nCapabilities: \n\n")
		case line == "GET_ID":
			fmt.Fprintf(conn, "%s\n7\n\n", msg)
		case line == "ALIVE":
			fmt.Fprintf(conn, "%s\nOKAY\n\n", msg)
			return alive.Add(1) < 3
		}
		return true
	})
	old := notifierOf(t, func(net.Conn, string) bool { return false })
	mail := notifierOf(t, func(conn net.Conn, _ string) bool {
		fmt.Fprint(conn, "502 what?\r\n\r\n")
		return true
	})
	n, err := ucstest.StartNotifier(b.sim)
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	for name, addr := range map[string]string{"silent": silent, "another version": old, "mail server": mail,
		"gone": n.Addr} {
		got := 0
		for _, err := range c.Watch(t.Context(), &ucs.WatchOptions{Notifier: addr, Silence: 10 * time.Millisecond}) {
			got++
			if e, ok := errors.AsType[*ucs.Error](err); !ok || !e.Temporary() {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got != 1 {
			t.Errorf("%s: %d errors", name, got)
		}
	}
	if alive.Load() != 3 {
		t.Errorf("asked %d times whether it is there", alive.Load())
	}
}
