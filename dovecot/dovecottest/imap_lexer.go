package dovecottest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// lexer reads IMAP commands, answering synchronising literals on the way.
type lexer struct {
	r *bufio.Reader
	x *session
	// ended is true when the command's CRLF has been read.
	ended bool
	lits  int // literals read so far
}

// errSyntax is a command that the rest of must be thrown away.
var errSyntax = errors.New("syntax")

// maxLiteral limits literals other than messages.
const maxLiteral = 64 << 10

func (l *lexer) begin() { l.ended, l.lits = false, 0 }

// peek returns the next byte, 0 at the end of input.
func (l *lexer) peek() byte {
	b, err := l.r.Peek(1)
	if err != nil {
		return 0
	}
	return b[0]
}

func (l *lexer) byte() (byte, error) { return l.r.ReadByte() }

func (l *lexer) expect(c byte) error {
	b, err := l.r.Peek(1)
	if err != nil {
		return err
	}
	if b[0] != c {
		return errSyntax
	}
	_, err = l.byte()
	return err
}

func (l *lexer) space() error { return l.expect(' ') }

// end reads the end of the command's line.
func (l *lexer) end() error {
	b, err := l.r.Peek(1)
	if err != nil {
		return err
	}
	if b[0] == '\r' {
		l.byte()
	}
	if err := l.expect('\n'); err != nil {
		return err
	}
	l.ended = true
	return nil
}

// discard throws the rest of a faulty command away, unless the connection is
// at fault.
func (l *lexer) discard(err error) error {
	if !errors.Is(err, errSyntax) {
		return err
	}
	for !l.ended {
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return err
		}
		l.ended = true
		// A non-synchronising literal belongs to the command.
		text := strings.TrimRight(string(line), "\r\n")
		if n, plus, ok := literalAtEnd(text); ok && plus {
			if _, err := io.CopyN(io.Discard, l.r, n); err != nil {
				return err
			}
			l.ended = false
		}
	}
	return nil
}

func literalAtEnd(line string) (n int64, plus, ok bool) {
	i := strings.LastIndexByte(line, '{')
	if i < 0 || !strings.HasSuffix(line, "}") {
		return 0, false, false
	}
	num := line[i+1 : len(line)-1]
	num, plus = strings.CutSuffix(num, "+")
	n, err := strconv.ParseInt(num, 10, 63)
	return n, plus, err == nil && n >= 0
}

// rawLine reads a line that is no command.
func (l *lexer) rawLine() (string, error) {
	s, err := l.r.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err
}

func isAtom(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c))
}

func (l *lexer) run(is func(byte) bool) (string, error) {
	var b strings.Builder
	for {
		p, err := l.r.Peek(1)
		if err != nil {
			return "", err
		}
		if !is(p[0]) || b.Len() > 8<<10 {
			break
		}
		b.WriteByte(p[0])
		l.byte()
	}
	if b.Len() == 0 {
		return "", errSyntax
	}
	return b.String(), nil
}

func (l *lexer) tag() (string, error) {
	return l.run(func(c byte) bool { return isAtom(c) && c != '+' || c == ']' })
}

func (l *lexer) atom() (string, error) { return l.run(isAtom) }

// number reads an unsigned number.
func (l *lexer) number() (uint64, error) {
	s, err := l.run(func(c byte) bool { return c >= '0' && c <= '9' })
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, errSyntax
	}
	return n, nil
}

// astring reads an atom (with "]"), a quoted string or a literal.
func (l *lexer) astring() (string, error) {
	switch l.peek() {
	case '"':
		return l.quoted()
	case '{':
		b, err := l.literal(maxLiteral)
		return string(b), err
	}
	return l.run(func(c byte) bool { return isAtom(c) || c == ']' })
}

// mask reads a list mask: an astring that may have wildcards.
func (l *lexer) mask() (string, error) {
	switch l.peek() {
	case '"', '{':
		return l.astring()
	}
	return l.run(func(c byte) bool { return isAtom(c) || c == ']' || c == '*' || c == '%' })
}

func (l *lexer) quoted() (string, error) {
	if err := l.expect('"'); err != nil {
		return "", err
	}
	var b strings.Builder
	for {
		c, err := l.byte()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			return b.String(), nil
		case '\\':
			if c, err = l.byte(); err != nil {
				return "", err
			}
			if c != '"' && c != '\\' {
				return "", errSyntax
			}
		case '\r', '\n':
			l.r.UnreadByte()
			return "", errSyntax
		}
		b.WriteByte(c)
	}
}

// literalHead reads "{n}" or "{n+}" with its CRLF and does not answer it.
func (l *lexer) literalHead() (n int64, plus bool, err error) {
	if err := l.expect('{'); err != nil {
		return 0, false, err
	}
	num, err := l.number()
	if err != nil {
		return 0, false, err
	}
	if l.peek() == '+' {
		plus = true
		l.byte()
	}
	if err := l.expect('}'); err != nil {
		return 0, false, err
	}
	if l.peek() == '\r' {
		l.byte()
	}
	return int64(num), plus, l.expect('\n')
}

// literal reads a whole literal.
func (l *lexer) literal(limit int64) ([]byte, error) {
	n, plus, err := l.literalHead()
	if err != nil {
		return nil, err
	}
	if n > limit {
		l.ended = !plus // the client does not send a literal it is not asked for
		if plus {
			if _, err := io.CopyN(io.Discard, l.r, n); err != nil {
				return nil, err
			}
		}
		return nil, errSyntax
	}
	if !plus {
		l.x.write([]byte("+ OK\r\n"))
		if err := l.x.flush(); err != nil {
			return nil, err
		}
	}
	return l.body(n)
}

// body reads the bytes of a literal, up to where a fault cuts.
func (l *lexer) body(n int64) ([]byte, error) {
	l.lits++
	if c := l.x.fault.CutInput; c != 0 && l.lits == 1 {
		io.CopyN(io.Discard, l.r, min(max(c, 0), n))
		return nil, errCut
	}
	b := make([]byte, n)
	_, err := io.ReadFull(l.r, b)
	return b, err
}

// words reads a parenthesised list of atoms, possibly empty.
func (l *lexer) words() ([]string, error) {
	if err := l.expect('('); err != nil {
		return nil, err
	}
	var list []string
	for l.peek() != ')' {
		if len(list) > 0 {
			if err := l.space(); err != nil {
				return nil, err
			}
		}
		w, err := l.run(func(c byte) bool { return isAtom(c) || c == '\\' || c == ']' })
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, l.expect(')')
}

// skipArguments reads whatever is left of the command.
func (l *lexer) skipArguments() error {
	for {
		switch l.peek() {
		case '\r', '\n', 0:
			return l.end()
		case '"':
			if _, err := l.quoted(); err != nil {
				return err
			}
		case '{':
			if _, err := l.literal(maxLiteral); err != nil {
				return err
			}
		default:
			if _, err := l.byte(); err != nil {
				return err
			}
		}
	}
}

// quote writes a string as a quoted string, or as a literal when it must be.
func quote(s string) string {
	if strings.ContainsAny(s, "\r\n\x00") || strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) {
		return fmt.Sprintf("{%d}\r\n%s", len(s), s)
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quoteMailbox writes a mailbox name in modified UTF-7, bare where it can be.
func quoteMailbox(name string) string {
	s := imapwire.EncodeName(name)
	for i := range len(s) {
		if !isAtom(s[i]) {
			return quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// formatSet writes UIDs as a set, ascending runs as ranges.
func formatSet(uids []uint32) string {
	var b strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		if i == j {
			fmt.Fprintf(&b, "%d", uids[i])
		} else {
			fmt.Fprintf(&b, "%d:%d", uids[i], uids[j])
		}
		i = j + 1
	}
	return b.String()
}
