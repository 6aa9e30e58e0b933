package dovecottest

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// session is one IMAP connection.
type session struct {
	srv  *Server
	conn net.Conn
	in   *lexer

	outMu sync.Mutex // the session's own goroutine and kick write
	out   *bufio.Writer
	cut   int64 // bytes of output left before the connection is closed; -1 no limit

	pid  int
	ip   string
	user User
	st   *store // nil before login

	box      *mailbox // selected
	readOnly bool
	view     []*message // what the client knows, in order; guarded by st.mu
	recent   map[*message]bool
	dirty    bool                // view and box may differ; guarded by st.mu
	flagged  map[*message]bool   // flags changed by others; guarded by st.mu
	keywords int                 // keywords that the client has been told of
	wake     chan struct{}       // for IDLE
	enabled  map[string]struct{} // CONDSTORE, QRESYNC

	tag   string // of the command under way
	fault IMAPFault
	bye   bool
}

const (
	capsBefore = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN"
	capsAfter  = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE MULTIAPPEND UNSELECT CHILDREN NAMESPACE UIDPLUS " +
		"LIST-EXTENDED CONDSTORE QRESYNC ESEARCH WITHIN LIST-STATUS MOVE STATUS=SIZE SAVEDATE LITERAL+ SPECIAL-USE QUOTA"
)

// ServeIMAP serves one IMAP connection to its end and closes it.
func (s *Server) ServeIMAP(conn net.Conn) {
	x := &session{srv: s, conn: conn, out: bufio.NewWriterSize(conn, 32<<10), cut: -1, wake: make(chan struct{}, 1),
		enabled: map[string]struct{}{}}
	x.in = &lexer{r: bufio.NewReaderSize(conn, 32<<10), x: x}
	x.ip, _, _ = net.SplitHostPort(conn.RemoteAddr().String())
	s.mu.Lock()
	s.nextPID++
	x.pid = s.nextPID
	s.imapConn[conn] = true
	s.mu.Unlock()
	defer func() {
		x.unselect()
		s.mu.Lock()
		delete(s.sessions, x)
		delete(s.imapConn, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	x.line("* OK [CAPABILITY %s] Dovecot ready.", capsBefore)
	for !x.bye && x.flush() == nil {
		if err := x.command(); err != nil {
			return
		}
	}
	x.flush()
}

// IMAPCommands counts the IMAP commands received so far, by name in capitals
// ("UID FETCH").
func (s *Server) IMAPCommands() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.imapSeen)
}

var errCut = errors.New("connection cut by a fault")

// write sends raw bytes, up to where a fault cuts.
func (x *session) write(b []byte) {
	x.outMu.Lock()
	defer x.outMu.Unlock()
	if x.cut >= 0 && int64(len(b)) > x.cut {
		x.out.Write(b[:x.cut])
		x.cut = 0
		x.out.Flush()
		x.conn.Close()
		return
	}
	if x.cut >= 0 {
		x.cut -= int64(len(b))
	}
	x.out.Write(b)
}

func (x *session) line(format string, args ...any) {
	x.write(fmt.Appendf(nil, format+"\r\n", args...))
}

func (x *session) flush() error {
	x.outMu.Lock()
	defer x.outMu.Unlock()
	return x.out.Flush()
}

// kick ends the session from outside.
func (x *session) kick() {
	x.conn.SetWriteDeadline(time.Now().Add(time.Second))
	x.line("* BYE Server shutting down.")
	x.flush()
	x.conn.Close()
	x.srv.mu.Lock()
	delete(x.srv.sessions, x)
	x.srv.mu.Unlock()
}

func (x *session) noteNew(*message)      { x.touch() }
func (x *session) noteExpunged(*message) { x.touch() }

func (x *session) noteFlags(m *message) {
	if x.flagged == nil {
		x.flagged = map[*message]bool{}
	}
	x.flagged[m] = true
	x.touch()
}

func (x *session) touch() {
	x.dirty = true
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// answer is the tagged answer to a command: OK, NO or BAD and its text.
type answer struct{ status, text string }

func ok(format string, args ...any) answer  { return answer{"OK", fmt.Sprintf(format, args...)} }
func no(format string, args ...any) answer  { return answer{"NO", fmt.Sprintf(format, args...)} }
func bad(format string, args ...any) answer { return answer{"BAD", fmt.Sprintf(format, args...)} }

type imapCommand struct {
	run func(*session) (answer, error)
	// state in which it is allowed: 0 any, 1 before login, 2 logged in, 3 selected
	state int
	// quiet commands send no EXPUNGE.
	quiet bool
}

var imapCommands map[string]imapCommand

func init() {
	imapCommands = map[string]imapCommand{
		"CAPABILITY":   {(*session).capability, 0, false},
		"NOOP":         {(*session).noop, 0, false},
		"LOGOUT":       {(*session).logout, 0, false},
		"ID":           {(*session).id, 0, false},
		"LOGIN":        {(*session).login, 1, false},
		"AUTHENTICATE": {(*session).authenticate, 1, false},
		"ENABLE":       {(*session).enable, 2, false},
		"NAMESPACE":    {(*session).namespace, 2, false},
		"SELECT":       {(*session).selectBox, 2, false},
		"EXAMINE":      {(*session).examine, 2, false},
		"CREATE":       {(*session).create, 2, false},
		"DELETE":       {(*session).delete, 2, false},
		"RENAME":       {(*session).rename, 2, false},
		"SUBSCRIBE":    {(*session).subscribe, 2, false},
		"UNSUBSCRIBE":  {(*session).unsubscribe, 2, false},
		"LIST":         {(*session).list, 2, false},
		"LSUB":         {(*session).lsub, 2, false},
		"XLIST":        {(*session).list, 2, false},
		"MYRIGHTS":     {(*session).myRights, 2, false},
		"GETACL":       {(*session).getACL, 2, false},
		"STATUS":       {(*session).status, 2, false},
		"APPEND":       {(*session).append, 2, false},
		"GETQUOTAROOT": {(*session).getQuotaRoot, 2, false},
		"GETQUOTA":     {(*session).getQuota, 2, false},
		"IDLE":         {(*session).idle, 2, false},
		"CHECK":        {(*session).noop, 3, false},
		"CLOSE":        {(*session).close, 3, false},
		"UNSELECT":     {(*session).unselectCommand, 3, false},
		"EXPUNGE":      {(*session).expunge, 3, false},
		"SEARCH":       {(*session).search, 3, true},
		"FETCH":        {(*session).fetch, 3, true},
		"STORE":        {(*session).store, 3, true},
		"COPY":         {(*session).copy, 3, false},
		"MOVE":         {(*session).move, 3, false},
		"UID EXPUNGE":  {(*session).uidExpunge, 3, false},
		"UID SEARCH":   {(*session).uidSearch, 3, false},
		"UID FETCH":    {(*session).uidFetch, 3, false},
		"UID STORE":    {(*session).uidStore, 3, false},
		"UID COPY":     {(*session).uidCopy, 3, false},
		"UID MOVE":     {(*session).uidMove, 3, false},
	}
}

// commandName reads the tag and the name, "UID FETCH" being one.
func (in *lexer) commandName() (tag, name string, err error) {
	if tag, err = in.tag(); err != nil {
		return tag, "", err
	}
	if err = in.space(); err != nil {
		return tag, "", err
	}
	name, err = in.atom()
	name = strings.ToUpper(name)
	if err != nil || name != "UID" {
		return tag, name, err
	}
	if err = in.space(); err != nil {
		return tag, name, err
	}
	sub, err := in.atom()
	return tag, name + " " + strings.ToUpper(sub), err
}

// command reads and runs one command. An error ends the session.
func (x *session) command() error {
	in := x.in
	in.begin()
	tag, name, err := in.commandName()
	if err != nil {
		if err := in.discard(err); err != nil {
			return err
		}
		x.line("%s BAD Error in IMAP command received by server.", cmp.Or(tag, "*"))
		return nil
	}
	if x.gone() {
		x.line("* BYE Selected mailbox was deleted, have to disconnect.")
		x.bye = true
		return in.discard(errSyntax)
	}
	cmd, known := imapCommands[name]
	x.srv.mu.Lock()
	x.srv.imapSeen[name]++
	x.srv.mu.Unlock()
	x.tag = tag
	x.fault = x.srv.faultIMAP(name, x.user.Name)
	if x.fault.Delay > 0 {
		time.Sleep(x.fault.Delay)
	}
	if x.fault.Disconnect {
		return errCut
	}
	if x.fault.CutOutput != 0 {
		x.outMu.Lock()
		x.cut = max(x.fault.CutOutput, 0)
		x.outMu.Unlock()
	}
	var a answer
	switch {
	case !known:
		a, err = bad("Error in IMAP command %s: Unknown command.", name), errSyntax
	case cmd.state == 1 && x.st != nil:
		a, err = bad("Error in IMAP command %s: Unknown command.", name), errSyntax
	case cmd.state >= 2 && x.st == nil:
		a, err = bad("Please login first."), errSyntax
	case cmd.state == 3 && x.box == nil:
		a, err = bad("No mailbox selected."), errSyntax
	case x.fault.No != "" && name != "APPEND":
		a, err = no("%s", x.fault.No), errSyntax
	default:
		a, err = cmd.run(x)
	}
	if err != nil {
		if err = in.discard(err); err != nil {
			return err
		}
		if a.status == "" {
			a = bad("Error in IMAP command %s: Invalid arguments.", name)
		}
	}
	if x.fault.DisconnectAfter {
		return errCut
	}
	if x.box != nil {
		x.update(!cmd.quiet || !known)
	}
	x.line("%s %s %s", tag, a.status, a.text)
	if x.fault.CutOutput != 0 {
		x.flush()
		return errCut
	}
	return nil
}

// gone reports whether the selected mailbox has been deleted.
func (x *session) gone() bool {
	if x.box == nil {
		return false
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	return x.box.deleted
}

// update tells the client what has changed in the selected mailbox.
func (x *session) update(expunges bool) {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if x.box.deleted || !x.dirty {
		return
	}
	recent := len(x.recent)
	if expunges {
		var vanished []uint32
		have := make(map[*message]bool, len(x.box.msgs))
		for _, m := range x.box.msgs {
			have[m] = true
		}
		seq := 1
		x.view = slices.DeleteFunc(x.view, func(m *message) bool {
			if have[m] {
				seq++
				return false
			}
			if x.has("QRESYNC") {
				vanished = append(vanished, m.uid)
			} else {
				x.line("* %d EXPUNGE", seq)
			}
			delete(x.recent, m)
			delete(x.flagged, m)
			return true
		})
		if len(vanished) > 0 {
			x.line("* VANISHED %s", formatSet(vanished))
		}
		x.dirty = false
	}
	known := make(map[*message]bool, len(x.view))
	for _, m := range x.view {
		known[m] = true
	}
	added := false
	for _, m := range x.box.msgs {
		if known[m] {
			continue
		}
		added = true
		x.view = append(x.view, m)
		x.claimRecent(m)
	}
	if added {
		x.line("* %d EXISTS", len(x.view))
	}
	if added || len(x.recent) != recent {
		x.line("* %d RECENT", len(x.recent))
	}
	for i, m := range x.view {
		if x.flagged[m] {
			x.flagsLine(i+1, m, false, false)
		}
	}
	x.flagged = nil
}

// claimRecent gives \Recent to this session, if it may change the mailbox.
func (x *session) claimRecent(m *message) {
	if !m.recent {
		return
	}
	x.recent[m] = true
	if !x.readOnly {
		m.recent = false
	}
}

// condstore switches CONDSTORE on by the use of one of its features.
func (x *session) condstore() {
	if x.has("CONDSTORE") {
		return
	}
	x.enabled["CONDSTORE"] = struct{}{}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if x.box != nil {
		x.box.tracked = true
		x.line("* OK [HIGHESTMODSEQ %d] Highest", x.box.modSeq)
	}
}

func (x *session) has(ext string) bool { _, ok := x.enabled[ext]; return ok }
