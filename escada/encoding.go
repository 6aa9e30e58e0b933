package escada

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/ictmedia/schoolmail"
)

const utf8BOM = "\xEF\xBB\xBF"

// decode turns the bytes of a file into text. A byte that Windows-1252 does
// not define becomes U+FFFD, which the row that holds it is rejected for.
func decode(file string, data []byte, enc Encoding) (string, *Error) {
	fail := func(line int, detail string) (string, *Error) {
		return "", &Error{Position: schoolmail.Position{File: file, Line: line}, Kind: ErrEncoding, Detail: detail}
	}
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) {
		return fail(0, "the file is UTF-16; expected UTF-8 or Windows-1252")
	}
	if i := bytes.IndexByte(data, 0); i >= 0 && i < 512 && bytes.Count(data, []byte{0}) > len(data)/8 {
		return fail(0, "the file is not a text (or UTF-16); expected UTF-8 or Windows-1252")
	}
	hasBOM := bytes.HasPrefix(data, []byte(utf8BOM))
	if hasBOM {
		data = data[len(utf8BOM):]
	}
	if enc != EncodingWindows1252 || hasBOM {
		bad, multi, at := scanUTF8(data)
		if bad == 0 {
			return string(data), nil
		}
		if bad == len(data)-at && !utf8.FullRune(data[at:]) && (multi > 0 || enc == EncodingUTF8) {
			// Cut off within its last character.
			return string(data[:at]) + string(utf8.RuneError), nil
		}
		line := 1 + bytes.Count(data[:at], []byte{'\n'})
		switch {
		case enc == EncodingUTF8 && multi == 0:
			return fail(line, "byte that is not UTF-8; the file looks like Windows-1252")
		case enc != EncodingAuto || hasBOM:
			return fail(line, "byte that is not UTF-8")
		case multi >= bad:
			return fail(line, "byte that is not UTF-8 in a file that otherwise is; expected one encoding throughout")
		}
	}
	return decode1252(data), nil
}

// scanUTF8 counts the bytes that are not UTF-8 and the characters of several
// bytes, and gives the offset of the first bad byte.
func scanUTF8(data []byte) (bad, multi, at int) {
	if utf8.Valid(data) {
		return 0, 0, 0
	}
	for i := 0; i < len(data); {
		if data[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			if bad == 0 {
				at = i
			}
			bad++
		} else {
			multi++
		}
		i += n
	}
	return bad, multi, at
}

func decode1252(data []byte) string {
	var b strings.Builder
	b.Grow(len(data) + len(data)/16)
	for _, c := range data {
		b.WriteRune(charmap.Windows1252.DecodeByte(c))
	}
	return b.String()
}

// encode is the inverse of decode.
func encode(text string, enc Encoding) ([]byte, bool) {
	if enc != EncodingWindows1252 {
		return []byte(text), true
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := charmap.Windows1252.EncodeRune(r)
		if !ok {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}

// doubleEncoded reports whether s looks like UTF-8 that somebody read as
// Windows-1252 ("MÃ¼ller"). The test is exact enough to reject a row: text that
// is valid UTF-8 when written as Windows-1252 does not occur in names.
func doubleEncoded(s string) bool {
	if !strings.ContainsAny(s, "ÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóô") {
		return false
	}
	b, ok := encode(s, EncodingWindows1252)
	return ok && utf8.Valid(b)
}
