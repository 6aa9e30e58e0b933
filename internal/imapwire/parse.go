package imapwire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	maxLine    = 32 << 20 // one line without literals: a SEARCH of a big folder
	maxLiteral = 4 << 20  // a literal that is kept in memory (names, headers), not a body
	maxDepth   = 16
)

var errSyntax = errors.New("odd response")

// reader reads responses. A response is text segments with literals between
// them; seg is the current segment and lit the size of the literal after it,
// -1 if the response ends with the segment.
type reader struct {
	br  *bufio.Reader
	seg []byte
	pos int
	lit int64
}

// line reads up to CRLF (or LF) and returns the text without it.
func (r *reader) line() ([]byte, error) {
	r.seg = r.seg[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		if len(r.seg)+len(part) > maxLine {
			return nil, errors.New("response line too long")
		}
		r.seg = append(r.seg, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
	}
	r.seg = bytes.TrimRight(r.seg, "\r\n")
	return r.seg, nil
}

// next reads the next segment of a data response and finds its literal.
func (r *reader) next() error {
	if _, err := r.line(); err != nil {
		return err
	}
	r.pos = 0
	r.findLiteral()
	return nil
}

// findLiteral cuts a "{123}" from the end of the segment.
func (r *reader) findLiteral() {
	r.lit = -1
	s := r.seg
	if n := len(s); n < 3 || s[n-1] != '}' {
		return
	}
	open := bytes.LastIndexByte(s, '{')
	if open < 0 {
		return
	}
	digits := bytes.TrimSuffix(s[open+1:len(s)-1], []byte("+"))
	size, err := strconv.ParseInt(string(digits), 10, 63)
	if err != nil || size < 0 {
		return
	}
	if open > 0 && s[open-1] == '~' {
		open-- // literal8
	}
	r.seg, r.lit = s[:open], size
}

// skip reads to the end of the response, literals included.
func (r *reader) skip() error {
	for r.lit >= 0 {
		if _, err := io.CopyN(io.Discard, r.br, r.lit); err != nil {
			return err
		}
		if err := r.next(); err != nil {
			return err
		}
	}
	r.pos = len(r.seg)
	return nil
}

func (r *reader) rest() string { return string(r.seg[r.pos:]) }

// peek returns the next byte of the segment, 0 at its end.
func (r *reader) peek() byte {
	if r.pos < len(r.seg) {
		return r.seg[r.pos]
	}
	return 0
}

func (r *reader) spaces() {
	for r.peek() == ' ' {
		r.pos++
	}
}

// word reads up to a blank or parenthesis.
func (r *reader) word() string {
	start := r.pos
	for r.pos < len(r.seg) {
		if c := r.seg[r.pos]; c == ' ' || c == '(' || c == ')' {
			break
		}
		r.pos++
	}
	return string(r.seg[start:r.pos])
}

// key reads a FETCH item name: brackets may contain blanks and parentheses.
func (r *reader) key() string {
	start, depth := r.pos, 0
	for r.pos < len(r.seg) {
		c := r.seg[r.pos]
		if c == '[' {
			depth++
		} else if c == ']' && depth > 0 {
			depth--
		} else if depth == 0 && (c == ' ' || c == '(' || c == ')') {
			break
		}
		r.pos++
	}
	return strings.ToUpper(string(r.seg[start:r.pos]))
}

// value is an atom, string or list.
type value struct {
	isNil  bool
	isList bool
	text   string
	list   []value
}

func (v value) words() []string {
	var out []string
	for _, e := range v.list {
		if !e.isList && e.text != "" {
			out = append(out, e.text)
		}
	}
	return out
}

// value reads one value, small literals included.
func (r *reader) value(depth int) (value, error) {
	r.spaces()
	if r.pos >= len(r.seg) {
		if r.lit < 0 {
			return value{}, errSyntax
		}
		if r.lit > maxLiteral {
			return value{}, fmt.Errorf("%w: literal of %d bytes", errSyntax, r.lit)
		}
		b := make([]byte, r.lit)
		if _, err := io.ReadFull(r.br, b); err != nil {
			return value{}, err
		}
		return value{text: string(b)}, r.next()
	}
	switch r.peek() {
	case '"':
		return value{text: r.quoted()}, nil
	case '(':
		if depth >= maxDepth {
			return value{}, errSyntax
		}
		r.pos++
		v := value{isList: true}
		for {
			r.spaces()
			if r.peek() == ')' {
				r.pos++
				return v, nil
			}
			e, err := r.value(depth + 1)
			if err != nil {
				return v, err
			}
			v.list = append(v.list, e)
		}
	case ')':
		return value{}, errSyntax
	}
	w := r.word()
	return value{text: w, isNil: strings.EqualFold(w, "NIL")}, nil
}

// quoted reads a quoted string; a missing closing quote ends with the line.
func (r *reader) quoted() string {
	r.pos++
	var b []byte
	for r.pos < len(r.seg) {
		c := r.seg[r.pos]
		r.pos++
		if c == '"' {
			break
		}
		if c == '\\' && r.pos < len(r.seg) {
			c = r.seg[r.pos]
			r.pos++
		}
		b = append(b, c)
	}
	return string(b)
}

// name reads a mailbox name: a string, a literal, or an atom that, against the
// grammar, may contain blanks as long as nothing but the name follows.
func (r *reader) name() (string, error) {
	r.spaces()
	c := r.peek()
	if r.pos >= len(r.seg) || c == '"' {
		v, err := r.value(0)
		return v.text, err
	}
	rest := r.rest()
	if i := strings.Index(rest, " ("); i >= 0 {
		rest = rest[:i]
	}
	r.pos += len(rest)
	return rest, nil
}
