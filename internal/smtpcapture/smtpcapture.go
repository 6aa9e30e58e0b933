// Package smtpcapture is an SMTP server in process that keeps what it is sent.
// Tests and the sandbox use it where a site has its mail relay. It speaks the
// commands of RFC 5321 that a submitting program needs, strictly: commands out
// of order, malformed paths and bare line feeds are refused.
package smtpcapture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
)

// Message is one mail as it was accepted.
type Message struct {
	From string
	To   []string
	Data []byte // with CRLF line ends, dots unstuffed
}

// Server accepts mail on a loopback port.
type Server struct {
	// Refuse is asked for each recipient; a non-empty answer such as
	// "550 5.1.1 no such user" is sent instead of accepting it.
	Refuse func(rcpt string) string

	l    net.Listener
	wg   sync.WaitGroup
	mu   sync.Mutex
	msgs []Message
	cs   map[net.Conn]bool
	done bool
}

// Start listens on an ephemeral loopback port.
func Start() (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("smtpcapture: %w", err)
	}
	s := &Server{l: l, cs: map[net.Conn]bool{}}
	s.wg.Go(s.accept)
	return s, nil
}

// Addr returns "127.0.0.1:port".
func (s *Server) Addr() string { return s.l.Addr().String() }

// Count returns how many messages were accepted.
func (s *Server) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.msgs)
}

// Messages returns what was accepted, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.msgs...)
}

// Close ends all connections.
func (s *Server) Close() error {
	s.mu.Lock()
	s.done = true
	for c := range s.cs {
		c.Close()
	}
	s.mu.Unlock()
	err := s.l.Close()
	s.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.done {
			c.Close()
		} else {
			s.cs[c] = true
			s.wg.Go(func() {
				s.serve(c)
				c.Close()
				s.mu.Lock()
				delete(s.cs, c)
				s.mu.Unlock()
			})
		}
		s.mu.Unlock()
	}
}

func (s *Server) serve(c net.Conn) {
	d := &dialogue{server: s, r: bufio.NewReader(c), w: bufio.NewWriter(c)}
	for ok := d.say("220 sandbox ESMTP"); ok; {
		line, err := d.r.ReadString('\n')
		switch {
		case err != nil:
			return
		case !strings.HasSuffix(line, "\r\n"):
			ok = d.say("500 5.5.2 lines end with CRLF")
		default:
			verb, arg, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), " ")
			ok = d.command(strings.ToUpper(verb), arg)
		}
	}
}

// dialogue is one connection.
type dialogue struct {
	server        *Server
	r             *bufio.Reader
	w             *bufio.Writer
	hello, inMail bool
	message       Message
}

func (d *dialogue) say(line string) bool {
	fmt.Fprintf(d.w, "%s\r\n", line)
	return d.w.Flush() == nil
}

// command answers a command and reports whether the connection goes on.
func (d *dialogue) command(verb, arg string) bool {
	switch verb {
	case "EHLO", "HELO":
		return d.greet(verb, arg)
	case "MAIL":
		return d.mail(arg)
	case "RCPT":
		return d.rcpt(arg)
	case "DATA":
		return d.data()
	case "RSET":
		d.inMail, d.message = false, Message{}
		return d.say("250 2.0.0 ok")
	case "NOOP":
		return d.say("250 2.0.0 ok")
	case "QUIT":
		d.say("221 2.0.0 bye")
		return false
	}
	return d.say("502 5.5.1 not implemented")
}

func (d *dialogue) greet(verb, name string) bool {
	if name == "" {
		return d.say("501 5.5.4 EHLO wants a name")
	}
	d.hello, d.inMail, d.message = true, false, Message{}
	if verb == "EHLO" {
		return d.say("250-sandbox\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
	}
	return d.say("250 sandbox")
}

func (d *dialogue) mail(arg string) bool {
	from, good := path(arg, "FROM:")
	switch {
	case !d.hello || d.inMail:
		return d.say("503 5.5.1 out of order")
	case !good:
		return d.say("501 5.1.7 malformed sender")
	}
	d.inMail, d.message = true, Message{From: from}
	return d.say("250 2.1.0 ok")
}

func (d *dialogue) rcpt(arg string) bool {
	to, good := path(arg, "TO:")
	switch {
	case !d.inMail:
		return d.say("503 5.5.1 out of order")
	case !good || !strings.Contains(to, "@"):
		return d.say("501 5.1.3 malformed recipient")
	}
	if d.server.Refuse != nil {
		if no := d.server.Refuse(to); no != "" {
			return d.say(no)
		}
	}
	d.message.To = append(d.message.To, to)
	return d.say("250 2.1.5 ok")
}

func (d *dialogue) data() bool {
	if len(d.message.To) == 0 {
		return d.say("503 5.5.1 no recipient")
	}
	if !d.say("354 end with a dot") {
		return false
	}
	data, err := io.ReadAll(textproto.NewReader(d.r).DotReader())
	if err != nil {
		return false
	}
	d.message.Data = []byte(strings.ReplaceAll(string(data), "\n", "\r\n"))
	d.server.mu.Lock()
	d.server.msgs = append(d.server.msgs, d.message)
	d.server.mu.Unlock()
	d.inMail, d.message = false, Message{}
	return d.say("250 2.0.0 kept")
}

func path(arg, word string) (string, bool) {
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return "", false
	}
	rest, ok := strings.CutPrefix(arg[len(word):], "<")
	if !ok {
		return "", false
	}
	p, after, ok := strings.Cut(rest, ">")
	if !ok || after != "" && !strings.HasPrefix(after, " ") || strings.ContainsAny(p, " <") {
		return "", false
	}
	return p, true
}
