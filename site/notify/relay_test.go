package notify_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/lacking"
	"github.com/ictmedia/schoolmail/internal/smtpcapture"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site/notify"
)

// line stands between mailer and relay and can be cut.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	conns []net.Conn
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &line{Listener: l, to: to}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", to)
			if err != nil {
				down.Close()
				continue
			}
			s.mu.Lock()
			s.conns = append(s.conns, up, down)
			s.mu.Unlock()
			for _, c := range [][2]net.Conn{{up, down}, {down, up}} {
				wg.Go(func() {
					_, _ = io.Copy(c[0], c[1])
					c[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.cut()
		wg.Wait()
	})
	return s
}

// cut ends all connections, as a relay does that has waited for long.
func (s *line) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// A relay that has closed the connection between two notices gets the second one over
// another connection, once.
func TestConnectionThatWasClosed(t *testing.T) {
	t.Parallel()
	relay := testlife.Of(smtpcapture.Start())(t)
	l := newLine(t, relay.Addr())
	m, err := notify.New(l.Addr().String(), "it@schulen.example", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	for n := range 3 {
		if err := m.Notify(t.Context(), notice(schoolmail.NoticeLeaving, "")); err != nil {
			t.Fatalf("notice %d: %v", n+1, err)
		}
		l.cut()
	}
	if relay.Count() != 3 || m.Sent() != 3 {
		t.Errorf("%d came, %d were sent", relay.Count(), m.Sent())
	}
	l.Close()
	if err := m.Notify(t.Context(), notice(schoolmail.NoticeLeaving, "")); err == nil {
		t.Error("nobody is there, and it was sent")
	}
}

// Over a line that others can read, that is to any host but this one without STARTTLS,
// nothing is sent unless the site says so.
func TestNoticesAreNotReadOnTheWay(t *testing.T) {
	t.Parallel()
	const elsewhere = "LOCALHOST" // not spelt as this host is, and yet found
	relay := testlife.Of(smtpcapture.Start())(t)
	_, port, err := net.SplitHostPort(relay.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", net.JoinHostPort(elsewhere, port)); err != nil {
		lacking.SkipAnyway(t, err)
	} else {
		c.Close()
	}
	for _, plain := range []bool{false, true} {
		m, err := notify.New(net.JoinHostPort(elsewhere, port), "it@schulen.example", &notify.Options{PlainText: plain})
		if err != nil {
			t.Fatal(err)
		}
		err = m.Notify(t.Context(), notice(schoolmail.NoticeLeaving, ""))
		if err == nil != plain || err != nil && !strings.Contains(err.Error(), "offers no STARTTLS") {
			t.Errorf("in the clear allowed: %v; %v", plain, err)
		}
		if sent := relay.Count() > 0; sent != plain {
			t.Errorf("in the clear allowed: %v; sent: %v", plain, sent)
		}
		m.Close()
	}
}
