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
	r, w := bufio.NewReader(c), bufio.NewWriter(c)
	say := func(line string) bool {
		fmt.Fprintf(w, "%s\r\n", line)
		return w.Flush() == nil
	}
	if !say("220 sandbox ESMTP") {
		return
	}
	hello, inMail := false, false
	var m Message
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasSuffix(line, "\r\n") {
			say("500 5.5.2 lines end with CRLF")
			continue
		}
		line = strings.TrimSuffix(line, "\r\n")
		verb, arg, _ := strings.Cut(line, " ")
		ok := true
		switch strings.ToUpper(verb) {
		case "EHLO", "HELO":
			if arg == "" {
				ok = say("501 5.5.4 EHLO wants a name")
				break
			}
			hello, inMail, m = true, false, Message{}
			if strings.EqualFold(verb, "EHLO") {
				ok = say("250-sandbox\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES")
			} else {
				ok = say("250 sandbox")
			}
		case "MAIL":
			p, good := path(arg, "FROM:")
			switch {
			case !hello || inMail:
				ok = say("503 5.5.1 out of order")
			case !good:
				ok = say("501 5.1.7 malformed sender")
			default:
				inMail, m = true, Message{From: p}
				ok = say("250 2.1.0 ok")
			}
		case "RCPT":
			p, good := path(arg, "TO:")
			no := ""
			if good && s.Refuse != nil {
				no = s.Refuse(p)
			}
			switch {
			case !inMail:
				ok = say("503 5.5.1 out of order")
			case !good || !strings.Contains(p, "@"):
				ok = say("501 5.1.3 malformed recipient")
			case no != "":
				ok = say(no)
			default:
				m.To = append(m.To, p)
				ok = say("250 2.1.5 ok")
			}
		case "DATA":
			if len(m.To) == 0 {
				ok = say("503 5.5.1 no recipient")
				break
			}
			if !say("354 end with a dot") {
				return
			}
			data, err := io.ReadAll(textproto.NewReader(r).DotReader())
			if err != nil {
				return
			}
			m.Data = []byte(strings.ReplaceAll(string(data), "\n", "\r\n"))
			s.mu.Lock()
			s.msgs = append(s.msgs, m)
			s.mu.Unlock()
			inMail, m = false, Message{}
			ok = say("250 2.0.0 kept")
		case "RSET":
			inMail, m = false, Message{}
			ok = say("250 2.0.0 ok")
		case "NOOP":
			ok = say("250 2.0.0 ok")
		case "QUIT":
			say("221 2.0.0 bye")
			return
		default:
			ok = say("502 5.5.1 not implemented")
		}
		if !ok {
			return
		}
	}
}

// path reads "FROM:<a@b> PARAM=..." (RFC 5321 section 4.1.2).
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
