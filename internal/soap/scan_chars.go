package soap

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// Characters, references and names.

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
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD ||
		r >= 0x10000 && r <= 0x10FFFF
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
