package dovecottest

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subject is what a search term looks at: a message, in its mailbox.
type subject struct {
	box *mailbox
	msg *message
	// seq is the message's sequence number in an IMAP session, and max the
	// highest, 0 in doveadm.
	seq, max uint32
}

type term func(subject) bool

// query is a parsed search: IMAP SEARCH (RFC 3501 section 6.4.4, with MODSEQ,
// YOUNGER, OLDER and the SAVED keys) and, for doveadm, mailbox and
// mailbox-guid.
type query struct {
	term term
	// mailboxes are the names given on the top level without wildcards, which
	// must exist.
	mailboxes []string
	// safe says what expunge asks for: a mailbox in every branch and something
	// besides.
	hasMailbox, hasOther bool
	modSeq               bool // MODSEQ was used
}

var errSearch = errors.New("unknown search key")

type searchParser struct {
	words   []string
	doveadm bool
	now     time.Time
	sep     string
	q       *query
	depth   int
}

// parseQuery parses words; parentheses are words of their own.
func parseQuery(words []string, doveadm bool, sep string, now time.Time) (*query, error) {
	p := &searchParser{words: words, doveadm: doveadm, now: now, sep: sep, q: &query{}}
	t, err := p.all(false)
	if err != nil {
		return nil, err
	}
	p.q.term = t
	return p.q, nil
}

func (p *searchParser) next() (string, bool) {
	if len(p.words) == 0 {
		return "", false
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, true
}

// all reads terms to the end or a closing parenthesis. They must all hold; in
// doveadm, where OR stands between terms, one OR makes all terms of its level
// alternatives, and what follows it without another OR is an error.
func (p *searchParser) all(nested bool) (term, error) {
	var terms []term
	either, wanted := false, false
	for {
		if len(p.words) == 0 {
			if nested || len(terms) == 0 || wanted {
				return nil, errSearch
			}
			break
		}
		if p.words[0] == ")" {
			if !nested || len(terms) == 0 || wanted {
				return nil, errSearch
			}
			p.words = p.words[1:]
			break
		}
		if p.doveadm && strings.EqualFold(p.words[0], "OR") {
			p.words = p.words[1:]
			either, wanted = true, true
			continue
		}
		if either && !wanted {
			return nil, errSearch
		}
		wanted = false
		t, err := p.one()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return func(s subject) bool {
		for _, t := range terms {
			if t(s) == either {
				return either
			}
		}
		return !either
	}, nil
}

func (p *searchParser) one() (term, error) {
	w, ok := p.next()
	if !ok {
		return nil, errSearch
	}
	key := strings.ToUpper(w)
	if key == "(" {
		p.depth++
		t, err := p.all(true)
		p.depth--
		return t, err
	}
	if p.doveadm && (key == "MAILBOX" || key == "MAILBOX-GUID") {
		name, ok := p.next()
		if !ok {
			return nil, errSearch
		}
		p.q.hasMailbox = true
		if key == "MAILBOX-GUID" {
			return func(s subject) bool { return s.box.guid == name }, nil
		}
		if p.depth == 0 && !strings.ContainsAny(name, "*%") {
			p.q.mailboxes = append(p.q.mailboxes, name)
		}
		mask := foldInbox(name, p.sep)
		return func(s subject) bool { return matchMask(mask, s.box.name, p.sep) }, nil
	}
	p.q.hasOther = true
	switch key {
	case "NOT":
		p.depth++
		t, err := p.one()
		p.depth--
		if err != nil {
			return nil, err
		}
		return func(s subject) bool { return !t(s) }, nil
	case "OR":
		p.depth++
		defer func() { p.depth-- }()
		a, err := p.one()
		if err != nil {
			return nil, err
		}
		b, err := p.one()
		if err != nil {
			return nil, err
		}
		return func(s subject) bool { return a(s) || b(s) }, nil
	case "ALL":
		return func(subject) bool { return true }, nil
	case "ANSWERED", "FLAGGED", "DELETED", "SEEN", "DRAFT":
		return func(s subject) bool { return s.msg.hasFlag(`\` + key) }, nil
	case "UNANSWERED", "UNFLAGGED", "UNDELETED", "UNSEEN", "UNDRAFT":
		return func(s subject) bool { return !s.msg.hasFlag(`\` + key[2:]) }, nil
	case "RECENT":
		return func(s subject) bool { return s.msg.recent }, nil
	case "OLD":
		return func(s subject) bool { return !s.msg.recent }, nil
	case "NEW":
		return func(s subject) bool { return s.msg.recent && !s.msg.hasFlag(`\Seen`) }, nil
	}
	if strings.ContainsAny(key[:min(1, len(key))], "0123456789*") && !p.doveadm {
		set, err := parseSet(key)
		if err != nil {
			return nil, errSearch
		}
		return func(s subject) bool { return set.has(s.seq, s.max) }, nil
	}
	return p.withArgument(key)
}

func (p *searchParser) withArgument(key string) (term, error) {
	arg, ok := p.next()
	if !ok {
		return nil, errSearch
	}
	switch key {
	case "KEYWORD", "UNKEYWORD":
		return func(s subject) bool { return s.msg.hasFlag(arg) == (key == "KEYWORD") }, nil
	case "UID":
		set, err := parseSet(arg)
		if err != nil {
			return nil, errSearch
		}
		return func(s subject) bool { return set.has(s.msg.uid, s.box.lastUID()) }, nil
	case "MODSEQ":
		n, err := strconv.ParseUint(arg, 10, 63)
		if err != nil {
			return nil, errSearch
		}
		p.q.modSeq = true
		return func(s subject) bool { return s.msg.modSeq >= n }, nil
	case "LARGER", "SMALLER":
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, errSearch
		}
		return func(s subject) bool {
			if key == "LARGER" {
				return int64(len(s.msg.body)) > n
			}
			return int64(len(s.msg.body)) < n
		}, nil
	case "YOUNGER", "OLDER":
		n, err := strconv.ParseInt(arg, 10, 32)
		if err != nil {
			return nil, errSearch
		}
		limit := p.now.Add(-time.Duration(n) * time.Second)
		return func(s subject) bool { return s.msg.date.After(limit) == (key == "YOUNGER") }, nil
	case "HEADER":
		value, ok := p.next()
		if !ok {
			return nil, errSearch
		}
		return headerTerm(arg, value), nil
	case "SUBJECT", "FROM", "TO", "CC", "BCC":
		return headerTerm(key, arg), nil
	case "BODY", "TEXT":
		needle := bytes.ToLower([]byte(arg))
		return func(s subject) bool {
			text := s.msg.body
			if key == "BODY" {
				_, text = splitMessage(text)
			}
			return bytes.Contains(bytes.ToLower(text), needle)
		}, nil
	}
	return p.dateTerm(key, arg)
}

func headerTerm(name, value string) term {
	needle := strings.ToLower(value)
	return func(s subject) bool {
		for _, v := range headerValues(s.msg.body, name) {
			if strings.Contains(strings.ToLower(v), needle) {
				return true
			}
		}
		return false
	}
}

// dateTerm handles BEFORE, ON, SINCE and their SENT and SAVED variants. Days
// are compared in UTC.
func (p *searchParser) dateTerm(key, arg string) (term, error) {
	of := func(m *message) time.Time { return m.date }
	rel := key
	switch {
	case strings.HasPrefix(key, "SENT"):
		of = func(m *message) time.Time {
			for _, v := range headerValues(m.body, "Date") {
				if t, err := parseDate(v); err == nil {
					return t
				}
			}
			return m.date
		}
		rel = key[4:]
	case strings.HasPrefix(key, "SAVED"):
		of = func(m *message) time.Time { return m.saved }
		rel = key[5:]
	}
	if !slices.Contains([]string{"BEFORE", "ON", "SINCE"}, rel) {
		return nil, errSearch
	}
	day, err := time.Parse("2-Jan-2006", arg)
	exact := false
	if err != nil && p.doveadm {
		if day, err = time.Parse("2006-01-02", arg); err != nil {
			var d time.Duration
			d, err = interval(arg)
			day, exact = p.now.Add(-d), true
		}
	}
	if err != nil {
		return nil, errSearch
	}
	return func(s subject) bool {
		t := of(s.msg).UTC()
		if !exact {
			t = t.Truncate(24 * time.Hour)
		}
		switch rel {
		case "BEFORE":
			return t.Before(day)
		case "ON":
			return t.Equal(day)
		}
		return !t.Before(day)
	}, nil
}

// interval reads doveadm's "30d", "2 weeks", "1h".
func interval(s string) (time.Duration, error) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i <= 0 {
		return 0, errSearch
	}
	n, err := strconv.Atoi(s[:i])
	if err != nil {
		return 0, errSearch
	}
	unit := strings.TrimSpace(s[i:])
	for prefix, d := range map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if strings.HasPrefix(unit, prefix) {
			return time.Duration(n) * d, nil
		}
	}
	return 0, errSearch
}

func (b *mailbox) lastUID() uint32 {
	if len(b.msgs) == 0 {
		return b.uidNext - 1
	}
	return b.msgs[len(b.msgs)-1].uid
}

// numSet is an IMAP sequence set; 0 stands for "*".
type numSet [][2]uint32

func parseSet(s string) (numSet, error) {
	var set numSet
	num := func(s string) (uint32, error) {
		if s == "*" {
			return 0, nil
		}
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || n == 0 {
			return 0, errors.New("bad number in a set")
		}
		return uint32(n), nil
	}
	for part := range strings.SplitSeq(s, ",") {
		a, b, ranged := strings.Cut(part, ":")
		lo, err := num(a)
		if err != nil {
			return nil, err
		}
		hi := lo
		if ranged {
			if hi, err = num(b); err != nil {
				return nil, err
			}
		}
		set = append(set, [2]uint32{lo, hi})
	}
	return set, nil
}

// has reports whether n is in the set, with max for "*".
func (s numSet) has(n, max uint32) bool {
	for _, r := range s {
		lo, hi := r[0], r[1]
		if lo == 0 {
			lo = max
		}
		if hi == 0 {
			hi = max
		}
		if lo > hi {
			lo, hi = hi, lo
		}
		if n >= lo && n <= hi {
			return true
		}
	}
	return false
}

// splitMessage cuts a message after the blank line that ends its header.
func splitMessage(body []byte) (header, text []byte) {
	if bytes.HasPrefix(body, []byte("\r\n")) {
		return body[:2], body[2:]
	}
	if i := bytes.Index(body, []byte("\r\n\r\n")); i >= 0 {
		return body[:i+4], body[i+4:]
	}
	return body, nil
}

// headerFields returns the raw fields of a message, each with its folded lines.
func headerFields(body []byte) [][]byte {
	header, _ := splitMessage(body)
	var fields [][]byte
	for line := range bytes.Lines(header) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if (line[0] == ' ' || line[0] == '\t') && len(fields) > 0 {
			fields[len(fields)-1] = append(slices.Clip(fields[len(fields)-1]), line...)
			continue
		}
		fields = append(fields, line)
	}
	return fields
}

func headerValues(body []byte, name string) []string {
	var list []string
	for _, f := range headerFields(body) {
		n, v, ok := strings.Cut(string(f), ":")
		if ok && strings.EqualFold(strings.TrimSpace(n), name) {
			v = strings.NewReplacer("\r\n", "", "\n", "").Replace(v)
			list = append(list, strings.TrimSpace(v))
		}
	}
	return list
}

// parseDate reads a Date header field, as far as mail programs agree on it.
func parseDate(s string) (time.Time, error) {
	if i := strings.IndexByte(s, '('); i > 0 {
		s = strings.TrimSpace(s[:i])
	}
	if _, rest, ok := strings.Cut(s, ", "); ok {
		s = rest
	}
	for _, layout := range []string{"2 Jan 2006 15:04:05 -0700", "2 Jan 2006 15:04 -0700", "2 Jan 2006 15:04:05 MST",
		"2 Jan 06 15:04:05 -0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("no date")
}
