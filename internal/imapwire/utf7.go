package imapwire

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
	WithPadding(base64.NoPadding)

// EncodeName writes a mailbox name in modified UTF-7 (RFC 3501, section 5.1.3).
// Bytes that are not UTF-8 become U+FFFD.
func EncodeName(s string) string {
	var b strings.Builder
	var pending []rune
	flush := func() {
		if len(pending) == 0 {
			return
		}
		units := utf16.Encode(pending)
		raw := make([]byte, 0, 2*len(units))
		for _, u := range units {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteByte('&')
		b.WriteString(utf7.EncodeToString(raw))
		b.WriteByte('-')
		pending = pending[:0]
	}
	for _, r := range s {
		switch {
		case r == '&':
			flush()
			b.WriteString("&-")
		case r >= 0x20 && r <= 0x7e:
			flush()
			b.WriteRune(r)
		default:
			pending = append(pending, r)
		}
	}
	flush()
	return b.String()
}

// DecodeName reads a mailbox name as servers send it. What is not valid
// modified UTF-7 stays as it is: UTF-8 is taken for what it means, other
// eight-bit bytes are read as ISO 8859-1, a lone "&" is an "&". exact tells
// whether [EncodeName] would give the same bytes again: whether s was valid and
// nothing in it encoded without need.
func DecodeName(s string) (name string, exact bool) {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] == '&' {
			if end := strings.IndexByte(s[i:], '-'); end == 1 {
				b.WriteByte('&')
				i += 2
				continue
			} else if end > 1 {
				if text, ok := decodeRun(s[i+1 : i+end]); ok {
					b.WriteString(text)
					i += end + 1
					continue
				}
			}
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = rune(s[i])
		}
		b.WriteRune(r)
		i += n
	}
	name = b.String()
	return name, EncodeName(name) == s
}

func decodeRun(s string) (string, bool) {
	raw, err := utf7.DecodeString(s)
	if err != nil || len(raw)%2 != 0 || len(raw) == 0 {
		return "", false
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	runes := utf16.Decode(units)
	for _, r := range runes {
		if r == utf8.RuneError {
			return "", false
		}
	}
	return string(runes), true
}
