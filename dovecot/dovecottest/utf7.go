package dovecottest

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Modified UTF-7 of mailbox names, RFC 3501 section 5.1.3.

var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

func encodeUTF7(s string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var raw []byte
		for _, u := range utf16.Encode(run) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + utf7Base64.EncodeToString(raw) + "-")
		run = nil
	}
	for _, r := range s {
		switch {
		case r == '&':
			flush()
			b.WriteString("&-")
		case r >= ' ' && r <= '~':
			flush()
			b.WriteRune(r)
		default:
			run = append(run, r)
		}
	}
	flush()
	return b.String()
}

var errUTF7 = errors.New("invalid modified UTF-7")

// decodeUTF7 is strict: raw 8-bit, unfinished and needless encodings are
// errors, as they are to Dovecot.
func decodeUTF7(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return "", errUTF7
		case c != '&':
			b.WriteByte(c)
			i++
		default:
			end := strings.IndexByte(s[i:], '-')
			if end < 0 {
				return "", errUTF7
			}
			chunk := s[i+1 : i+end]
			i += end + 1
			if chunk == "" {
				b.WriteByte('&')
				continue
			}
			raw, err := utf7Base64.DecodeString(chunk)
			if err != nil || len(raw)%2 != 0 || len(raw) == 0 {
				return "", errUTF7
			}
			units := make([]uint16, len(raw)/2)
			for j := range units {
				units[j] = uint16(raw[2*j])<<8 | uint16(raw[2*j+1])
			}
			for _, r := range utf16.Decode(units) {
				if r == utf8.RuneError || r >= ' ' && r <= '~' {
					return "", errUTF7
				}
				b.WriteRune(r)
			}
		}
	}
	if encodeUTF7(b.String()) != s {
		return "", errUTF7
	}
	return b.String(), nil
}
