package soap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A scanner reads XML 1.0 with namespaces from a stream, one token at a time,
// without building anything for what the caller does not look at. It is made
// for SOAP: documents are UTF-8, have no DTD, and every prefix is declared. Where
// encoding/xml is strict, it is strict too (nesting, names, entities,
// characters); beyond that it refuses document type declarations, undeclared
// prefixes, repeated attributes and anything but white space, comments and
// processing instructions around the root element.
type scanner struct {
	r        io.Reader
	buf      []byte // buf[pos:end] has been read and not yet scanned
	pos, end int
	base     int64 // offset of buf[0] in the document
	readErr  error
	maxToken int // bytes of one text, tag or comment

	// The current token.
	space string // of a start tag
	local []byte // of a start tag; valid until the next token
	isNil bool   // of a start tag: xsi:nil is true
	text  []byte // of a text; valid until the next token

	selfClosed bool // the last start tag was an empty-element tag
	begun      bool // the root element has been seen
	open       []openElement
	names      []byte // qualified names of the open elements, one after the other
	bindings   []binding
	spaces     map[string]string // namespace names seen, to keep one copy of each
	attrs      []attribute
	scratch    []byte

	// nilTail is what followed the name in the last nil element that declared xsi
	// itself, up to its >. OX writes thousands of them that differ in nothing but the name.
	nilTail    []byte
	nilBinding binding
}

type openElement struct {
	name     int // where its qualified name begins in names
	bindings int // number of bindings before it
}

type binding struct{ prefix, space string }

type attribute struct {
	prefix, local []byte
	value         []byte
}

type token uint8

const (
	tokenStart token = iota
	tokenEnd
	tokenText
)

const (
	maxDepth    = 64
	maxTag      = 64 << 10
	minRead     = 32 << 10
	xmlSpace    = "http://www.w3.org/XML/1998/namespace"
	xmlnsSpace  = "http://www.w3.org/2000/xmlns/"
	maxBindings = 1024
	maxSpaces   = 256
)

func newScanner(r io.Reader, maxToken int64) *scanner {
	return &scanner{
		r: r, maxToken: int(min(maxToken, 1<<30)),
		spaces:   map[string]string{envelopeSpace: envelopeSpace, instanceSpace: instanceSpace},
		bindings: []binding{{"", ""}, {"xml", xmlSpace}},
	}
}

// A syntaxError is a document that is not well-formed, or that uses what SOAP
// forbids.
type syntaxError struct {
	offset  int64
	message string
	// stricter marks what encoding/xml would have let through.
	stricter bool
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.message, e.offset)
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

func (s *scanner) fail(format string, args ...any) error {
	return &syntaxError{offset: s.offset(), message: fmt.Sprintf(format, args...)}
}

func (s *scanner) failStricter(format string, args ...any) error {
	return &syntaxError{offset: s.offset(), message: fmt.Sprintf(format, args...), stricter: true}
}

// more reads more bytes behind buf[pos:end], which it may move to the front.
func (s *scanner) more() error {
	if s.readErr != nil {
		return s.readErr
	}
	if s.end-s.pos > s.maxToken {
		return ErrTooLarge
	}
	if len(s.buf)-s.end < minRead/2 {
		if s.pos > 0 {
			s.base += int64(s.pos)
			s.end = copy(s.buf, s.buf[s.pos:s.end])
			s.pos = 0
		}
		if len(s.buf)-s.end < minRead/2 {
			s.buf = append(s.buf, make([]byte, max(len(s.buf), minRead))...)
		}
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if n > 0 {
			s.readErr = err
			return nil
		}
		if err != nil {
			s.readErr = err
			return err
		}
	}
	return io.ErrNoProgress
}

// cutOff turns the end of the stream inside a token into an error.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// need makes sure that n bytes are there, if the document has so many.
func (s *scanner) need(n int) error {
	for s.end-s.pos < n {
		if err := s.more(); err != nil {
			return cutOff(err)
		}
	}
	return nil
}

// next returns the next token, or io.EOF behind the root element. Comments and
// processing instructions are no tokens; a text may come in several pieces.
func (s *scanner) next() (token, error) {
	if s.selfClosed {
		s.selfClosed = false
		s.close()
		return tokenEnd, nil
	}
	for {
		if s.pos == s.end {
			if err := s.more(); err != nil {
				if err == io.EOF && (len(s.open) > 0 || !s.begun) {
					err = io.ErrUnexpectedEOF
				}
				return 0, err
			}
		}
		if s.buf[s.pos] != '<' {
			if err := s.scanText(); err != nil {
				return 0, err
			}
			if len(s.open) > 0 {
				return tokenText, nil
			}
			if err := s.outsideText(); err != nil {
				return 0, err
			}
			continue
		}
		if tok, done, err := s.scanMarkup(); done || err != nil {
			return tok, err
		}
	}
}

// scanMarkup reads what begins with "<". done is false for what is no token.
func (s *scanner) scanMarkup() (tok token, done bool, err error) {
	if err := s.need(2); err != nil {
		return 0, true, err
	}
	switch s.buf[s.pos+1] {
	case '/':
		return tokenEnd, true, s.scanEnd()
	case '?':
		return 0, false, s.scanInstruction()
	case '!':
		isText, err := s.scanBang()
		return tokenText, isText, err
	}
	return tokenStart, true, s.scanStart()
}

func (s *scanner) outsideText() error {
	t := s.text
	if !s.begun {
		t = bytes.TrimPrefix(t, []byte("\uFEFF"))
	}
	if len(trimSpace(t)) > 0 {
		return s.failStricter("text outside the root element")
	}
	return nil
}

// until returns the bytes from pos on up to and without the first occurrence of
// mark behind skip bytes, reading as needed.
func (s *scanner) until(mark string, skip, limit int) ([]byte, error) {
	from := skip
	for {
		window := s.buf[s.pos:s.end]
		if from < len(window) {
			if i := bytes.Index(window[from:], []byte(mark)); i >= 0 {
				return window[:from+i], nil
			}
			from = max(skip, len(window)-len(mark)+1)
		}
		if len(window) > limit {
			return nil, ErrTooLarge
		}
		if err := s.more(); err != nil {
			return nil, cutOff(err)
		}
	}
}

// scanText reads character data up to the next markup.
func (s *scanner) scanText() error {
	from := 0
	var raw []byte
	for {
		window := s.buf[s.pos:s.end]
		if i := bytes.IndexByte(window[from:], '<'); i >= 0 {
			raw = window[:from+i]
			break
		}
		from = len(window)
		if err := s.more(); err == io.EOF && len(s.open) == 0 {
			raw = s.buf[s.pos:s.end]
			break
		} else if err != nil {
			return cutOff(err)
		}
	}
	text, err := s.unescape(raw, false)
	s.text = text
	s.pos += len(raw)
	return err
}

// scanInstruction skips a processing instruction and checks the declaration.
func (s *scanner) scanInstruction() error {
	b, err := s.until("?>", 2, s.maxToken)
	if err != nil {
		return err
	}
	name, rest := splitName(b[2:])
	if !validName(name) {
		return s.failStricter("bad processing instruction")
	}
	if string(name) == "xml" {
		if s.offset() != 0 && (s.offset() != 3 || s.begun) {
			return s.failStricter("declaration that is not at the beginning")
		}
		if v := pseudoAttr(rest, "version"); v != "" && v != "1.0" {
			return s.fail("XML version %q", v)
		}
		if enc := pseudoAttr(rest, "encoding"); enc != "" && !strings.EqualFold(enc, "utf-8") {
			return s.fail("encoding %q is not supported", enc)
		}
	}
	s.pos += len(b) + 2
	return nil
}

// pseudoAttr finds name="value" in a declaration, as encoding/xml does.
func pseudoAttr(b []byte, name string) string {
	_, after, ok := bytes.Cut(b, []byte(name+"="))
	if !ok || len(after) == 0 || after[0] != '"' && after[0] != '\'' {
		return ""
	}
	value, _, ok := bytes.Cut(after[1:], after[:1])
	if !ok {
		return ""
	}
	return string(value)
}

// scanBang reads a comment, which is skipped, or a CDATA section, which is text.
func (s *scanner) scanBang() (isText bool, err error) {
	if err := s.need(4); err != nil {
		return false, err
	}
	if string(s.buf[s.pos:s.pos+4]) == "<!--" {
		b, err := s.until("--", 4, s.maxToken)
		if err != nil {
			return false, err
		}
		n := len(b)
		if err := s.need(n + 3); err != nil {
			return false, err
		}
		if s.buf[s.pos+n+2] != '>' {
			return false, s.fail("-- inside a comment")
		}
		s.pos += n + 3
		return false, nil
	}
	const cdata = "<![CDATA["
	if err := s.need(len(cdata)); err != nil {
		return false, err
	}
	if string(s.buf[s.pos:s.pos+len(cdata)]) != cdata {
		return false, s.failStricter("document type declarations are not allowed")
	}
	if len(s.open) == 0 {
		return false, s.failStricter("text outside the root element")
	}
	b, err := s.until("]]>", len(cdata), s.maxToken)
	if err != nil {
		return false, err
	}
	out := s.scratch[:0]
	for raw := b[len(cdata):]; len(raw) > 0; {
		r, n := utf8.DecodeRune(raw)
		if !isChar(r) || r == utf8.RuneError && n == 1 {
			return false, s.fail("illegal character or broken UTF-8")
		}
		if r == '\r' {
			out = append(out, '\n')
			if len(raw) > 1 && raw[1] == '\n' {
				n = 2
			}
		} else {
			out = append(out, raw[:n]...)
		}
		raw = raw[n:]
	}
	s.scratch, s.text = out, out
	s.pos += len(b) + 3
	return true, nil
}

// skip reads to the end of the element whose start tag was the last token.
func (s *scanner) skip() error {
	depth := len(s.open) - 1
	for {
		tok, err := s.next()
		if err != nil {
			return err
		}
		if tok == tokenEnd && len(s.open) == depth {
			return nil
		}
	}
}

// errElementInText is a child element where only text belongs.
var errElementInText = errors.New("element where text was expected")

// content reads the character data of the element whose start tag was the last
// token, and its end tag. Child elements are skipped, or an error if strict.
// The result is valid until the next token.
func (s *scanner) content(strict bool) ([]byte, error) {
	depth := len(s.open) - 1
	var first, all []byte
	pieces := 0
	for {
		tok, err := s.next()
		if err != nil {
			return nil, err
		}
		switch tok {
		case tokenText:
			if pieces++; pieces == 1 {
				// The text lives in the scanner's buffers; the end tag that nearly
				// always follows may move it, unless it is there already.
				if window := s.buf[s.pos:s.end]; len(window) > 2 && window[0] == '<' && window[1] == '/' &&
					bytes.IndexByte(window, '>') > 0 {
					first = s.text
				} else {
					first, all = nil, append(all, s.text...)
				}
				continue
			}
			if first != nil {
				all = append(all, first...)
				first = nil
			}
			all = append(all, s.text...)
		case tokenStart:
			if strict {
				return nil, errElementInText
			}
			if err := s.skip(); err != nil {
				return nil, err
			}
		case tokenEnd:
			if len(s.open) == depth {
				if first != nil {
					return first, nil
				}
				return all, nil
			}
		}
	}
}
