package dovecottest

import (
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// maxMessage limits a message, so that a test's mistake does not eat the
// memory.
const maxMessage = 256 << 20

// append is APPEND, also with several messages (MULTIAPPEND, RFC 3502): all or
// none are stored. As with Dovecot, what is wrong with the mailbox or the
// flags is said before the literal is asked for; a client that sends it
// unasked ("{n+}") after flags that are refused finds its message taken for
// commands.
func (x *session) append() (answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil {
		return a, err
	}
	x.st.mu.Lock()
	box := x.st.open(name)
	x.st.mu.Unlock()
	var refusal answer
	switch {
	case x.fault.No != "":
		refusal = no("%s", x.fault.No)
	case box == nil:
		refusal = no("[TRYCREATE] Mailbox doesn't exist: %s", imapwire.EncodeName(name))
	}
	var list []*message
	var size int64
	for {
		if x.in.peek() != ' ' {
			if len(list) == 0 && refusal.status == "" {
				return answer{}, errSyntax
			}
			break
		}
		m, a, err := x.appendOne(refusal, size)
		if err != nil {
			return a, err
		}
		if a.status != "" {
			refusal = a
			continue
		}
		size += int64(len(m.body))
		list = append(list, m)
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	if refusal.status != "" {
		return refusal, nil
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	if box.deleted {
		return no("[TRYCREATE] Mailbox doesn't exist: %s", imapwire.EncodeName(name)), nil
	}
	if !x.srv.room(x.user, x.st, int(size)) {
		return no("[OVERQUOTA] Quota exceeded (mailbox for user is full)"), nil
	}
	var uids []uint32
	for _, m := range list {
		x.st.add(box, m)
		uids = append(uids, m.uid)
	}
	return ok("[APPENDUID %d %s] Append completed.", box.validity, formatSet(uids)), nil
}

// appendOne reads one message of an APPEND. With a refusal, or one found on
// the way, the message is read where it cannot be helped, and thrown away.
func (x *session) appendOne(refusal answer, before int64) (*message, answer, error) {
	in := x.in
	if err := in.space(); err != nil {
		return nil, answer{}, err
	}
	m := &message{date: x.srv.cfg.now()}
	if in.peek() == '(' {
		flags, err := in.words()
		if err != nil {
			return nil, answer{}, err
		}
		for _, f := range flags {
			switch a := checkFlag(f); {
			case a.status == "BAD":
				return nil, a, x.endEarly()
			case a.status != "" && refusal.status == "":
				refusal = a
			}
		}
		m.flags = cleanFlags(flags)
		if err := in.space(); err != nil {
			return nil, answer{}, err
		}
	}
	if a, err := x.appendDate(m); a.status != "" || err != nil {
		return nil, a, err
	}
	n, plus, err := in.literalHead()
	if err != nil {
		return nil, answer{}, err
	}
	if refusal.status == "" && n == 0 {
		refusal = no("Can't save a zero byte message.")
	}
	if n > maxMessage {
		refusal = no("[TOOBIG] Message is too large.")
	}
	if refusal.status == "" && !x.fits(before+n) {
		refusal = no("[OVERQUOTA] Quota exceeded (mailbox for user is full)")
	}
	if refusal.status != "" && !plus {
		in.ended = true // answered before the literal, which is not sent then
		return nil, refusal, errSyntax
	}
	if !plus {
		x.write([]byte("+ OK\r\n"))
		if err := x.flush(); err != nil {
			return nil, answer{}, err
		}
	}
	if n > maxMessage {
		return nil, refusal, errCut
	}
	body, err := in.body(n)
	if err != nil {
		return nil, answer{}, err
	}
	m.body = normalise(body)
	return m, refusal, nil
}

// appendDate reads a message's date, if there is one.
func (x *session) appendDate(m *message) (answer, error) {
	if x.in.peek() != '"' {
		return answer{}, nil
	}
	s, err := x.in.quoted()
	if err != nil {
		return answer{}, err
	}
	t, ok := parseInternalDate(s)
	if !ok {
		return bad("Error in IMAP command APPEND: Invalid internal date."), x.endEarly()
	}
	if !t.IsZero() && !t.After(x.srv.cfg.now().Add(2*time.Hour)) {
		m.date = t
	}
	return answer{}, x.in.space()
}

// endEarly ends an APPEND whose flags or date are wrong at the end of its
// line, as Dovecot does: a literal sent along unasked is read as commands.
func (x *session) endEarly() error {
	_, err := x.in.rawLine()
	x.in.ended = true
	return orSyntax(err)
}

// fits reports whether that many bytes are left under the quota.
func (x *session) fits(n int64) bool {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	return x.srv.room(x.user, x.st, int(n))
}

func orSyntax(err error) error {
	if err != nil {
		return err
	}
	return errSyntax
}

// checkFlag answers what Dovecot says to a flag it does not take.
func checkFlag(f string) answer {
	if strings.HasPrefix(f, `\`) {
		if len(cleanFlags([]string{f})) == 0 {
			return bad("Invalid system flag %s", f)
		}
		return answer{}
	}
	if len(f) > 50 {
		return no("[CANNOT] Keyword length too long")
	}
	for i := range len(f) {
		if !isAtom(f[i]) {
			return no("[CANNOT] Invalid characters in keyword")
		}
	}
	return answer{}
}

// parseInternalDate reads "02-Jan-2006 15:04:05 -0700" with one or two digits
// of day. The zero time stands for an impossible date, which Dovecot replaces
// by now; ok is false for what is no date at all.
func parseInternalDate(s string) (t time.Time, ok bool) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse("2-Jan-2006 15:04:05 -0700", s); err == nil {
		return t, true
	}
	day, rest, ok := strings.Cut(s, "-")
	if !ok || len(day) == 0 || len(day) > 2 {
		return time.Time{}, false
	}
	if _, err := time.Parse("2-Jan-2006 15:04:05 -0700", "1-"+rest); err != nil {
		return time.Time{}, false
	}
	return time.Time{}, true // 31-Feb
}
