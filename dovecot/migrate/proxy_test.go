package migrate_test

import (
	"bufio"
	"io"
	"net"
	gosync "sync"
	"testing"

	"github.com/ictmedia/schoolmail/internal/loopback"
)

// proxy stands between a client and a real server and rewrites lines, message
// contents among them: servers of other makes, without having them.
type proxy struct {
	// Down sees each line of the server with its CRLF and returns what the
	// client gets; with ok false the connection is cut.
	Down func(line string) (out string, ok bool)
	// Up sees each line of the client: what the server gets instead, and what the client is
	// answered by the proxy itself.
	Up func(line string) (server, client string, ok bool)
	// Greet is asked for each connection; what it returns is sent instead of
	// connecting to the server.
	Greet func() string
}

// start listens and returns the address.
func (p *proxy) start(tb testing.TB, server string) string {
	tb.Helper()
	return loopback.Serve(tb, func(c net.Conn) { p.serve(c, server) })
}

func (p *proxy) serve(c net.Conn, server string) {
	defer c.Close()
	if p.Greet != nil {
		if g := p.Greet(); g != "" {
			io.WriteString(c, g)
			return
		}
	}
	s, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer s.Close()
	var toClient gosync.Mutex
	send := func(text string) bool {
		toClient.Lock()
		defer toClient.Unlock()
		_, err := io.WriteString(c, text)
		return err == nil
	}
	go func() {
		defer c.Close()
		defer s.Close()
		for r := bufio.NewReader(c); ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			answer, ok := "", true
			if p.Up != nil {
				line, answer, ok = p.Up(line)
			}
			if !send(answer) || !ok {
				return
			}
			if _, err := io.WriteString(s, line); err != nil {
				return
			}
		}
	}()
	for r := bufio.NewReader(s); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		ok := true
		if p.Down != nil {
			line, ok = p.Down(line)
		}
		if !send(line) || !ok {
			return
		}
	}
}
