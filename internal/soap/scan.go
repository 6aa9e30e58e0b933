package soap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
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
		if err := s.need(2); err != nil {
			return 0, err
		}
		switch s.buf[s.pos+1] {
		case '/':
			return tokenEnd, s.scanEnd()
		case '?':
			if err := s.scanInstruction(); err != nil {
				return 0, err
			}
		case '!':
			isText, err := s.scanBang()
			if err != nil || isText {
				return tokenText, err
			}
		default:
			return tokenStart, s.scanStart()
		}
	}
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

// unescape checks characters, resolves references and folds line ends. Without
// anything to change it returns raw itself.
func (s *scanner) unescape(raw []byte, inAttr bool) ([]byte, error) {
	plain := true
	for _, c := range raw {
		if c < ' ' && c != '\n' && c != '\t' || c == '&' || c >= utf8.RuneSelf || c == ']' {
			plain = false
			break
		}
	}
	if plain {
		return raw, nil
	}
	out := s.scratch[:0]
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '&':
			end := bytes.IndexByte(raw[i:], ';')
			if end < 0 {
				return nil, s.fail("reference without end")
			}
			r, ok := resolve(raw[i+1 : i+end])
			if !ok {
				return nil, s.fail("unknown reference")
			}
			out = utf8.AppendRune(out, r)
			i += end + 1
		case c == '\r':
			out = append(out, '\n')
			if i++; i < len(raw) && raw[i] == '\n' {
				i++
			}
		case c == ']' && !inAttr && bytes.HasPrefix(raw[i:], []byte("]]>")):
			return nil, s.fail("]]> in text")
		case c < utf8.RuneSelf:
			if c < ' ' && c != '\n' && c != '\t' {
				return nil, s.fail("illegal character %U", c)
			}
			out = append(out, c)
			i++
		default:
			r, n := utf8.DecodeRune(raw[i:])
			if !isChar(r) || r == utf8.RuneError && n == 1 {
				return nil, s.fail("illegal character or broken UTF-8")
			}
			out = append(out, raw[i:i+n]...)
			i += n
		}
	}
	s.scratch = out
	return out, nil
}

// isChar is the production Char of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// resolve returns the character of a reference, given without & and ;.
func resolve(ref []byte) (rune, bool) {
	switch string(ref) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(ref) < 2 || ref[0] != '#' {
		return 0, false
	}
	digits, base := ref[1:], rune(10)
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	var r rune
	for _, c := range digits {
		var d rune
		switch {
		case c >= '0' && c <= '9':
			d = rune(c - '0')
		case base == 16 && c >= 'a' && c <= 'f':
			d = rune(c-'a') + 10
		case base == 16 && c >= 'A' && c <= 'F':
			d = rune(c-'A') + 10
		default:
			return 0, false
		}
		if r = r*base + d; r > 0x10FFFF {
			return 0, false
		}
	}
	return r, len(digits) > 0 && isChar(r)
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

// scanStart reads a start tag or an empty-element tag.
func (s *scanner) scanStart() error {
	if s.begun && len(s.open) == 0 {
		return s.failStricter("second root element")
	}
	if len(s.open) >= maxDepth {
		return s.failStricter("elements are nested too deeply")
	}
	if s.scanNil() {
		return nil
	}
	n, err := s.tagEnd()
	if err != nil {
		return err
	}
	b := s.buf[s.pos+1 : s.pos+n] // without < and >
	if len(b) > 0 && b[len(b)-1] == '/' {
		s.selfClosed = true
		b = b[:len(b)-1]
	}
	qname, rest := splitName(b)
	prefix, local, ok := splitQName(qname)
	if !ok {
		return s.failStricter("bad element name")
	}
	s.begun = true
	s.open = append(s.open, openElement{name: len(s.names), bindings: len(s.bindings)})
	s.names = append(s.names, qname...)
	s.isNil = false
	if len(rest) > 0 {
		if err := s.scanAttrs(rest); err != nil {
			return err
		}
	}
	if s.space, ok = s.lookup(prefix); !ok {
		return s.failStricter("prefix %q is not declared", prefix)
	}
	s.local = local
	if own := len(s.bindings) - 1; s.isNil && s.selfClosed && len(s.attrs) == 2 && own == s.open[len(s.open)-1].bindings &&
		s.bindings[own].space == instanceSpace && string(s.attrs[1].prefix) == s.bindings[own].prefix {
		s.nilTail = append(s.nilTail[:0], s.buf[s.pos+1+len(qname):s.pos+n+1]...)
		s.nilBinding = s.bindings[own]
	}
	s.pos += n + 1
	return nil
}

// scanNil reads an empty-element tag that is nil in the same words as the last
// one, and reports false, having done nothing, for any other tag.
func (s *scanner) scanNil() bool {
	const longestName = 128
	window := s.buf[s.pos:s.end]
	i := bytes.IndexByte(window[:min(len(window), longestName)], ' ')
	if len(s.nilTail) == 0 || i < 0 || !bytes.HasPrefix(window[i:], s.nilTail) {
		return false
	}
	prefix, local, ok := splitQName(window[1:i])
	if !ok || string(prefix) == s.nilBinding.prefix {
		return false
	}
	space, ok := s.lookup(prefix)
	if !ok || len(s.bindings) >= maxBindings {
		return false
	}
	s.open = append(s.open, openElement{name: len(s.names), bindings: len(s.bindings)})
	s.names = append(s.names, window[1:i]...)
	s.bindings = append(s.bindings, s.nilBinding)
	s.space, s.local, s.isNil, s.selfClosed, s.begun = space, local, true, true, true
	s.pos += i + len(s.nilTail)
	return true
}

// tagEnd returns the distance from pos to the > that ends the tag there.
func (s *scanner) tagEnd() (int, error) {
	i, quote := 1, byte(0)
	for {
		window := s.buf[s.pos:s.end]
		for i < len(window) {
			if quote != 0 {
				j := bytes.IndexByte(window[i:], quote)
				if j < 0 {
					i = len(window)
					break
				}
				i += j + 1
				quote = 0
				continue
			}
			switch window[i] {
			case '>':
				return i, nil
			case '"', '\'':
				quote = window[i]
			case '<':
				return 0, s.fail("< inside a tag")
			}
			i++
		}
		if i > maxTag {
			return 0, ErrTooLarge
		}
		if err := s.more(); err != nil {
			return 0, cutOff(err)
		}
	}
}

// scanAttrs reads the attributes of a start tag: namespace declarations, and
// xsi:nil; others are checked and forgotten.
func (s *scanner) scanAttrs(b []byte) error {
	s.attrs = s.attrs[:0]
	for {
		trimmed := trimLeft(b)
		if len(trimmed) == 0 {
			break
		}
		if len(trimmed) == len(b) && len(s.attrs) > 0 {
			return s.failStricter("attributes are not separated")
		}
		qname, rest := splitName(trimmed)
		prefix, local, ok := splitQName(qname)
		if !ok {
			return s.failStricter("bad attribute name")
		}
		rest = trimLeft(rest)
		if len(rest) == 0 || rest[0] != '=' {
			return s.fail("attribute without value")
		}
		rest = trimLeft(rest[1:])
		if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
			return s.fail("attribute value without quotes")
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return s.fail("attribute value without end")
		}
		raw := rest[1 : end+1]
		b = rest[end+2:]
		if bytes.IndexByte(raw, '<') >= 0 {
			return s.failStricter("< in an attribute value")
		}
		value, err := s.unescape(raw, true)
		if err != nil {
			return err
		}
		if len(value) > 0 && len(raw) > 0 && &value[0] != &raw[0] {
			value = bytes.Clone(value)
		}
		for _, a := range s.attrs {
			if bytes.Equal(a.local, local) && bytes.Equal(a.prefix, prefix) {
				return s.failStricter("attribute %q is repeated", local)
			}
		}
		s.attrs = append(s.attrs, attribute{prefix, local, value})
		isDefault := len(prefix) == 0 && string(local) == "xmlns"
		if !isDefault && string(prefix) != "xmlns" {
			continue
		}
		space, err := s.intern(value)
		if err != nil {
			return err
		}
		if isDefault {
			local = nil
		} else if space == "" || string(local) == "xmlns" || (string(local) == "xml") != (space == xmlSpace) {
			return s.failStricter("bad declaration of prefix %q", local)
		}
		if space == xmlnsSpace {
			return s.failStricter("bad namespace declaration")
		}
		if len(s.bindings) >= maxBindings {
			return s.failStricter("too many namespace declarations")
		}
		s.bindings = append(s.bindings, binding{prefixName(local), space})
	}
	for _, a := range s.attrs {
		if len(a.prefix) == 0 || string(a.prefix) == "xmlns" {
			continue
		}
		space, ok := s.lookup(a.prefix)
		if !ok {
			return s.failStricter("prefix %q is not declared", a.prefix)
		}
		if space == instanceSpace && string(a.local) == "nil" {
			v := trimSpace(a.value)
			s.isNil = string(v) == "true" || string(v) == "1"
		}
	}
	return nil
}

// prefixName avoids an allocation for the prefixes that OX declares again and again.
func prefixName(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "xsi":
		return "xsi"
	case "xs":
		return "xs"
	}
	return string(b)
}

func (s *scanner) intern(b []byte) (string, error) {
	if v, ok := s.spaces[string(b)]; ok {
		return v, nil
	}
	if len(s.spaces) >= maxSpaces {
		return "", s.failStricter("too many namespaces")
	}
	v := string(b)
	s.spaces[v] = v
	return v, nil
}

func (s *scanner) lookup(prefix []byte) (string, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(prefix) {
			return s.bindings[i].space, true
		}
	}
	return "", false
}

// scanEnd reads an end tag.
func (s *scanner) scanEnd() error {
	b, err := s.until(">", 2, maxTag)
	if err != nil {
		return err
	}
	name, rest := splitName(b[2:])
	if len(trimSpace(rest)) > 0 {
		return s.fail("bad end tag")
	}
	if len(s.open) == 0 || !bytes.Equal(name, s.names[s.open[len(s.open)-1].name:]) {
		return s.fail("end tag does not match")
	}
	s.pos += len(b) + 1
	s.close()
	return nil
}

// close takes the innermost element off the stack.
func (s *scanner) close() {
	e := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.names = s.names[:e.name]
	s.bindings = s.bindings[:e.bindings]
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
				if window := s.buf[s.pos:s.end]; len(window) > 2 && window[0] == '<' && window[1] == '/' && bytes.IndexByte(window, '>') > 0 {
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

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func trimLeft(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func trimSpace(b []byte) []byte {
	b = trimLeft(b)
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// splitName cuts b behind the name that it begins with.
func splitName(b []byte) (name, rest []byte) {
	for i, c := range b {
		if c == '=' || c == '>' || c == '/' || isSpace(c) {
			return b[:i], b[i:]
		}
	}
	return b, nil
}

// splitQName cuts a qualified name and checks both parts.
func splitQName(b []byte) (prefix, local []byte, ok bool) {
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		return b[:i], b[i+1:], validName(b[:i]) && validName(b[i+1:])
	}
	return nil, b, validName(b)
}

// validName is the production NCName of Namespaces in XML 1.0.
func validName(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return validUnicodeName(b)
		}
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			return false
		}
	}
	return true
}

// nameStart holds the ranges of NameStartChar in XML 1.0 (fifth edition)
// without the colon.
var nameStart = []rune{'A', 'Z', '_', '_', 'a', 'z', 0xC0, 0xD6, 0xD8, 0xF6, 0xF8, 0x2FF, 0x370, 0x37D, 0x37F, 0x1FFF,
	0x200C, 0x200D, 0x2070, 0x218F, 0x2C00, 0x2FEF, 0x3001, 0xD7FF, 0xF900, 0xFDCF, 0xFDF0, 0xFFFD, 0x10000, 0xEFFFF}

// nameRest holds what NameChar adds.
var nameRest = []rune{'-', '.', '0', '9', 0xB7, 0xB7, 0x300, 0x36F, 0x203F, 0x2040}

func validUnicodeName(b []byte) bool {
	in := func(r rune, ranges []rune) bool {
		for pair := range slices.Chunk(ranges, 2) {
			if r >= pair[0] && r <= pair[1] {
				return true
			}
		}
		return false
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 || !in(r, nameStart) && (i == 0 || !in(r, nameRest)) {
			return false
		}
		i += n
	}
	return true
}
