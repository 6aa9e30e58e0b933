package spool

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// mailboxHeader is a cyrus.header.
type mailboxHeader struct {
	name     string // "user.anna.Sent"; "" in the old format
	uniqueID string
	kind     string   // "e" or "" for mail; calendars and the like have others
	keywords []string // by number; "" where one has been removed
}

const headerMagic = "\241\002\213\015Cyrus mailbox header\n"

// maxHeaderFile is the largest cyrus.header that is read: 128 keywords and an
// ACL fit many times.
const maxHeaderFile = 1 << 20

// parseMailboxHeader reads a cyrus.header: after the magic and two lines of
// text either, until 3.4, the lines "quotaroot TAB uniqueid", "keyword
// keyword ..." and the ACL, or, since then, one list "%(T e N name I uniqueid
// A %(...) U (keyword ...))".
func parseMailboxHeader(b []byte) (mailboxHeader, error) {
	var h mailboxHeader
	rest, ok := bytes.CutPrefix(b, []byte(headerMagic))
	if !ok {
		return h, fmt.Errorf("%w: no mailbox header", ErrDamaged)
	}
	for range 2 { // a quotation and who said it
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return h, fmt.Errorf("%w: the mailbox header is cut off", ErrDamaged)
		}
		rest = rest[i+1:]
	}
	if bytes.HasPrefix(rest, []byte("%(")) {
		return parseListHeader(string(rest))
	}
	lines := strings.SplitN(string(rest), "\n", 3)
	if len(lines) < 2 {
		return h, fmt.Errorf("%w: the mailbox header is cut off", ErrDamaged)
	}
	if _, id, ok := strings.Cut(lines[0], "\t"); ok {
		// Later versions may add fields behind another TAB.
		h.uniqueID, _, _ = strings.Cut(id, "\t")
	}
	if k := strings.Fields(lines[1]); len(k) > 0 {
		h.keywords = k
	}
	return h, h.check()
}

func (h *mailboxHeader) check() error {
	if len(h.keywords) > 128 {
		return fmt.Errorf("%w: %d keywords in the mailbox header", ErrDamaged, len(h.keywords))
	}
	return nil
}

func parseListHeader(s string) (mailboxHeader, error) {
	var h mailboxHeader
	p := &listParser{s: s}
	v, err := p.value(0)
	if err != nil {
		return h, fmt.Errorf("%w: mailbox header: %w", ErrDamaged, err)
	}
	for i := 0; i+1 < len(v.list); i += 2 {
		switch val := v.list[i+1]; v.list[i].text {
		case "T":
			h.kind = val.text
		case "N":
			h.name = val.text
		case "I":
			h.uniqueID = val.text
		case "U":
			for _, k := range val.list {
				h.keywords = append(h.keywords, k.text)
			}
		}
	}
	if h.name == "" {
		return h, fmt.Errorf("%w: mailbox header without a name", ErrDamaged)
	}
	return h, h.check()
}

// mail reports whether the mailbox holds mail, and not a calendar, an address
// book, or data of Cyrus itself.
func (h *mailboxHeader) mail() bool {
	return h.kind == "" || !slices.ContainsFunc([]byte(h.kind), func(c byte) bool {
		return !strings.ContainsRune("el",
			rune(c))
	})
}

// listValue is an atom, a string or a list; "%(" lists alternate keys and values.
type listValue struct {
	text string
	list []listValue
}

// listParser reads the notation that Cyrus uses in its databases.
type listParser struct {
	s string
	i int
}

func (p *listParser) value(depth int) (listValue, error) {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
	switch {
	case depth > 20:
		return listValue{}, fmt.Errorf("nested too deep")
	case p.i >= len(p.s):
		return listValue{}, fmt.Errorf("unexpected end")
	case strings.HasPrefix(p.s[p.i:], "%("):
		p.i += 2
		return p.rest(depth)
	case p.s[p.i] == '(':
		p.i++
		return p.rest(depth)
	case p.s[p.i] == '"':
		return p.quoted()
	case p.s[p.i] == '{' || strings.HasPrefix(p.s[p.i:], "~{") || strings.HasPrefix(p.s[p.i:], "%{"):
		return p.literal()
	}
	end := p.i + strings.IndexAny(p.s[p.i:]+"\n", " ()\r\n")
	if end == p.i {
		return listValue{}, fmt.Errorf("unexpected %q", p.s[p.i])
	}
	v := listValue{text: p.s[p.i:end]}
	p.i = end
	if v.text == "NIL" {
		v.text = ""
	}
	return v, nil
}

func (p *listParser) rest(depth int) (listValue, error) {
	v := listValue{}
	for {
		for p.i < len(p.s) && p.s[p.i] == ' ' {
			p.i++
		}
		if p.i < len(p.s) && p.s[p.i] == ')' {
			p.i++
			return v, nil
		}
		e, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, e)
	}
}

func (p *listParser) quoted() (listValue, error) {
	var b strings.Builder
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; c {
		case '"':
			p.i++
			return listValue{text: b.String()}, nil
		case '\\':
			if p.i++; p.i < len(p.s) {
				b.WriteByte(p.s[p.i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return listValue{}, fmt.Errorf("unterminated string")
}

// literal reads "{5+}\r\nabcde", with or without the plus.
func (p *listParser) literal() (listValue, error) {
	open := p.i + strings.IndexByte(p.s[p.i:], '{')
	n, i := 0, open+1
	for ; i < len(p.s) && p.s[i] >= '0' && p.s[i] <= '9' && n < 1<<20; i++ {
		n = n*10 + int(p.s[i]-'0')
	}
	rest := strings.TrimPrefix(p.s[i:], "+")
	rest, ok := strings.CutPrefix(rest, "}\r\n")
	if !ok || i == open+1 || n > len(rest) {
		return listValue{}, fmt.Errorf("bad literal")
	}
	p.i = len(p.s) - len(rest) + n
	return listValue{text: rest[:n]}, nil
}
