package ucstest

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// Notifier is a simulator of Univention's directory notifier (protocol version 3)
// in front of a [Server]. From its start on the server keeps a log of changes,
// which bound clients read at reqSession=NUMBER,cn=translog.
//
// Like the real one it closes the connection of who wants an older version, says
// nothing to what it does not like, answers WAIT_ID with the newest number, not
// with that which was waited for, and gives a rename two numbers.
type Notifier struct {
	// Addr is where it listens, host and port.
	Addr string

	s  *Server
	l  net.Listener
	wg sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	over  bool
}

// translog is the log of changes. It is guarded by the server's mu.
type translog struct {
	records []changeRecord
	pruned  int           // numbers that are gone
	grown   chan struct{} // closed at the next change
}

type changeRecord struct {
	dn   string
	kind string // a, m, d, r
}

// StartNotifier starts the log and a notifier on loopback, until Close.
func StartNotifier(s *Server) (*Notifier, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("ucstest: %w", err)
	}
	s.mu.Lock()
	if s.log == nil {
		s.log = &translog{grown: make(chan struct{})}
	}
	s.mu.Unlock()
	n := &Notifier{Addr: l.Addr().String(), s: s, l: l, conns: map[net.Conn]struct{}{}}
	n.wg.Go(n.accept)
	return n, nil
}

// Close ends the listener and all connections. Closing again does nothing.
func (n *Notifier) Close() error {
	n.mu.Lock()
	n.over = true
	n.l.Close()
	n.mu.Unlock()
	n.DropConnections()
	n.wg.Wait()
	return nil
}

// DropConnections closes every open connection.
func (n *Notifier) DropConnections() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		c.Close()
	}
}

// Prune forgets all changes but the newest keep, as a notifier does whose log has
// grown long.
func (s *Server) Prune(keep int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.log != nil && len(s.log.records) > keep {
		cut := len(s.log.records) - keep
		s.log.pruned += cut
		s.log.records = slices.Clone(s.log.records[cut:])
	}
}

func (n *Notifier) accept() {
	for {
		c, err := n.l.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		if n.over {
			c.Close()
		} else {
			n.conns[c] = struct{}{}
			n.wg.Go(func() {
				n.serve(c)
				c.Close()
				n.mu.Lock()
				delete(n.conns, c)
				n.mu.Unlock()
			})
		}
		n.mu.Unlock()
	}
}

// session is one connection to the notifier.
type session struct {
	n       *Notifier
	conn    net.Conn
	greeted bool
	waiting string // MSGID of the WAIT_ID that is not answered yet; "": none
	id      int    // what it waits for
}

// serve answers one connection.
func (n *Notifier) serve(c net.Conn) {
	over := make(chan struct{})
	defer close(over)
	packets := readPackets(c, over)
	s := &session{n: n, conn: c}
	for {
		newest, grown := n.s.newest()
		if s.waiting != "" && newest >= s.id {
			fmt.Fprintf(c, "%s\n%d\n\n", s.waiting, newest)
			s.waiting = ""
		}
		select {
		case <-grown:
		case lines, ok := <-packets:
			if !ok || !s.packet(lines, newest) {
				return
			}
		}
	}
}

// readPackets reads lines, each packet up to an empty one.
func readPackets(c net.Conn, over <-chan struct{}) <-chan []string {
	packets := make(chan []string)
	go func() {
		defer close(packets)
		r := bufio.NewScanner(c)
		var lines []string
		for r.Scan() {
			if l := r.Text(); l != "" {
				lines = append(lines, l)
				continue
			}
			select {
			case packets <- lines:
			case <-over:
				return
			}
			lines = nil
		}
	}()
	return packets
}

// packet answers a packet and reports whether the connection lives on. What it
// does not like it passes over without a word.
func (s *session) packet(lines []string, newest int) bool {
	if !s.greeted {
		v, ok := version(lines)
		if ok && v < 3 {
			return false
		}
		if s.greeted = ok; ok {
			fmt.Fprint(s.conn, "Version: 3\nCapabilities: \n\n")
		}
		return true
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "MSGID: ") {
		return true
	}
	command, arg, _ := strings.Cut(lines[1], " ")
	switch command {
	case "GET_ID":
		fmt.Fprintf(s.conn, "%s\n%d\n\n", lines[0], newest)
	case "ALIVE":
		fmt.Fprintf(s.conn, "%s\nOKAY\n\n", lines[0])
	case "WAIT_ID":
		if id, err := strconv.Atoi(arg); err == nil {
			s.waiting, s.id = lines[0], id // instead of one before
		}
	}
	return true
}

func version(lines []string) (int, bool) {
	for _, l := range lines {
		if v, ok := strings.CutPrefix(l, "Version: "); ok {
			n, err := strconv.Atoi(v)
			return n, err == nil
		}
	}
	return 0, false
}

// newest is the number of the last change, and what is closed at the next.
func (s *Server) newest() (int, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.log.pruned + len(s.log.records), s.log.grown
}

// logged notes a change; s.mu is held for writing. Changes of locks and counters
// are left out, as on UCS.
func (s *Server) logged(kind, dn string) {
	n, err := s.schema.normalizeDN(dn)
	if s.log == nil || err == nil && strings.Contains(n, ",cn=temporary,cn=univention,") {
		return
	}
	s.log.records = append(s.log.records, changeRecord{dn, kind})
	close(s.log.grown)
	s.log.grown = make(chan struct{})
}

// logEntry answers a search for one record of the log.
func (c *conn) logEntry(req *request, q *query) (r *result, found bool) {
	number, ok := strings.CutPrefix(strings.ToLower(q.base), "reqsession=")
	number, suffix, _ := strings.Cut(number, ",")
	if !ok || suffix != "cn=translog" {
		return nil, false
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	id, err := strconv.Atoi(number)
	if log := c.s.log; err == nil && log != nil && id > log.pruned && id <= log.pruned+len(log.records) {
		rec := log.records[id-log.pruned-1]
		c.out = appendEntry(c.out, req.id, q.base, []given{{"objectClass", []string{"auditObject"}},
			{"reqSession", []string{number}}, {"reqDN", []string{rec.dn}}, {"reqType", []string{rec.kind}}}, q.typesOnly)
		return nil, true
	}
	return fail(ldap.LDAPResultNoSuchObject, ""), true
}
