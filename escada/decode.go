package escada

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const utf8BOM = "\xEF\xBB\xBF"

// singleByte are the encodings of one byte a character.
var singleByte = map[Encoding]*charmap.Charmap{
	EncodingWindows1252: charmap.Windows1252,
	EncodingISO8859_1:   charmap.ISO8859_1,
	EncodingISO8859_2:   charmap.ISO8859_2,
	EncodingISO8859_15:  charmap.ISO8859_15,
	EncodingMacRoman:    charmap.Macintosh,
	EncodingCP850:       charmap.CodePage850,
}

// encodingError says that the bytes of a file are not in the encoding.
type encodingError struct {
	line   int // 0: the file as a whole
	detail string
}

func (e *encodingError) Error() string { return e.detail }

// decoder turns the bytes of a file into valid UTF-8 while they are read.
// A byte that a single-byte encoding does not define becomes U+FFFD, which the
// row that holds it is rejected for.
type decoder struct {
	src  io.Reader
	enc  Encoding // as told, EncodingAuto until found out
	err  error
	line int // line ends so far, plus one
	// begun says that the beginning of the file was looked at.
	begun bool
	raw   []byte // read and not yet given out
	hold  []byte // room of raw
	table *[256]string
	multi int // characters of several bytes, or what looks like them
	bad   int // bytes that are no part of UTF-8
	badAt int // line of the first
	mark  bool
	wide  bool // UTF-16
}

func newDecoder(src io.Reader, enc Encoding) *decoder {
	return &decoder{src: src, enc: enc, line: 1, hold: make([]byte, 32<<10)}
}

// single reports whether the file turned out to be in a single-byte encoding.
func (d *decoder) single() bool { return d.table != nil }

// Read gives text. Its error is an *encodingError, or that of the source.
func (d *decoder) Read(p []byte) (int, error) {
	if len(p) < utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	if !d.begun {
		d.begun = true
		if err := d.begin(); err != nil {
			d.err = err
		}
	}
	for {
		if d.table == nil && d.err == nil {
			// UTF-8: straight into the caller's buffer.
			n := copy(p, d.raw)
			d.raw = d.raw[n:]
			if n == 0 || n < utf8.UTFMax {
				var m int
				m, d.err = d.src.Read(p[n:])
				n += m
			}
			if n = d.valid(p[:n]); n > 0 {
				return n, nil
			}
			continue
		}
		if len(d.raw) == 0 && d.err == nil {
			var n int
			n, d.err = d.src.Read(d.hold)
			d.raw = d.hold[:n]
		}
		switch {
		case len(d.raw) > 0 && d.table != nil:
			return d.translate(p), nil
		case len(d.raw) > 0 && errors.Is(d.err, io.EOF):
			return d.tail(p)
		case d.err != nil:
			return 0, d.ended()
		}
	}
}

// begin looks at the first bytes: byte order marks, texts of two bytes a character.
func (d *decoder) begin() error {
	n, err := io.ReadFull(d.src, d.hold[:512])
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	head := d.hold[:n]
	d.raw = head
	wide := func(order textunicode.Endianness, mark textunicode.BOMPolicy) {
		source := io.MultiReader(bytes.NewReader(slices.Clone(head)), d.src)
		d.src = transform.NewReader(source, textunicode.UTF16(order, mark).NewDecoder())
		d.raw, d.enc, d.wide = nil, EncodingUTF8, true
	}
	switch {
	case d.enc == EncodingUTF16 || d.enc == EncodingAuto && isWide(head):
		if !isWide(head) {
			return &encodingError{0, "the file is not UTF-16"}
		}
		if bytes.HasPrefix(head, []byte("\xFE\xFF")) || n > 1 && head[0] == 0 {
			wide(textunicode.BigEndian, textunicode.UseBOM)
		} else {
			wide(textunicode.LittleEndian, textunicode.UseBOM)
		}
		return nil
	case isWide(head):
		return &encodingError{0, "the file is UTF-16; expected " + string(d.enc)}
	case bytes.Count(head, []byte{0}) > n/8:
		return &encodingError{0, "the file is not a text"}
	}
	d.mark = bytes.HasPrefix(head, []byte(utf8BOM))
	if d.mark {
		d.raw = head[len(utf8BOM):]
	}
	switch {
	case d.mark, d.enc == EncodingUTF8:
		d.enc = EncodingUTF8
	case d.enc != EncodingAuto:
		d.table = tableOf(d.enc)
	}
	return nil
}

// isWide recognises UTF-16, by its mark or by every other byte being zero.
func isWide(head []byte) bool {
	if bytes.HasPrefix(head, []byte("\xFF\xFE")) || bytes.HasPrefix(head, []byte("\xFE\xFF")) {
		return true
	}
	if len(head) < 8 {
		return false
	}
	var zeros [2]int
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	half := len(head) / 2
	return zeros[0] == 0 && zeros[1] > half*3/4 || zeros[1] == 0 && zeros[0] > half*3/4
}

// valid keeps the characters that are whole and UTF-8 and holds back the rest.
// It gives the number of bytes to give out.
func (d *decoder) valid(p []byte) int {
	const high = 0x8080808080808080
	i := 0
	for i < len(p) {
		if i+8 <= len(p) && binary.LittleEndian.Uint64(p[i:])&high == 0 {
			i += 8
			continue
		}
		if p[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRune(p[i:])
		if size == 1 {
			break
		}
		d.multi++
		i += size
	}
	d.line += bytes.Count(p[:i], []byte{'\n'})
	if i < len(p) {
		d.putBack(p[i:])
		if utf8.FullRune(d.raw) {
			d.notUTF8()
		}
	}
	return i
}

// putBack keeps bytes for the next time.
func (d *decoder) putBack(p []byte) {
	rest := append(slices.Clone(p), d.raw...)
	d.raw = rest
}

// notUTF8 decides what a byte means that is not UTF-8.
func (d *decoder) notUTF8() {
	fail := func(detail string) { d.err = &encodingError{d.line, detail} }
	switch {
	case d.enc == EncodingUTF8 && d.multi == 0 && !d.mark:
		fail("byte that is not UTF-8; the file looks like Windows-1252")
	case d.enc != EncodingAuto:
		fail("byte that is not UTF-8")
	case d.multi > 0:
		fail(mixedEncodings)
	default:
		d.enc, d.table, d.badAt = EncodingWindows1252, tableOf(EncodingWindows1252), d.line
	}
}

// translate gives text of a single-byte encoding, as much as p has room for.
func (d *decoder) translate(p []byte) int {
	n := 0
	for i, c := range d.raw {
		if c < utf8.RuneSelf {
			if n == len(p) {
				d.raw = d.raw[i:]
				return n
			}
			p[n] = c
			n++
			continue
		}
		s := d.table[c]
		if n+len(s) > len(p) {
			d.raw = d.raw[i:]
			return n
		}
		n += copy(p[n:], s)
		if d.badAt > 0 { // it was found out, not told
			d.weigh(d.raw[i:])
		}
	}
	d.raw = nil
	return n
}

// weigh counts what speaks for and against UTF-8 at a byte above 127.
func (d *decoder) weigh(b []byte) {
	if !utf8.RuneStart(b[0]) {
		return // counted with the byte before, or none
	}
	if _, size := utf8.DecodeRune(b); size > 1 {
		d.multi++
	} else {
		d.bad++
	}
}

// tail gives the end of a file that was cut off within a character.
func (d *decoder) tail(p []byte) (int, error) {
	if d.multi == 0 && d.enc == EncodingAuto {
		d.notUTF8()
		return d.translate(p), nil
	}
	d.raw = nil
	return copy(p, string(utf8.RuneError)), nil
}

const mixedEncodings = "byte that is not UTF-8 in a file that otherwise is; expected one encoding throughout"

// ended gives the error at the end of the file.
func (d *decoder) ended() error {
	if errors.Is(d.err, io.EOF) && d.badAt > 0 && d.multi > 0 && d.multi >= d.bad {
		return &encodingError{d.badAt, mixedEncodings}
	}
	return d.err
}

// tableOf gives the characters of a single-byte encoding.
func tableOf(enc Encoding) *[256]string {
	var t [256]string
	for i := range t {
		r := singleByte[enc].DecodeByte(byte(i))
		if i >= 0x80 && i < 0xA0 && unicode.IsControl(r) {
			r = utf8.RuneError // C1 controls are in no text
		}
		t[i] = string(r)
	}
	return &t
}

// encode is the inverse of decoding.
func encode(text string, enc Encoding) ([]byte, bool) {
	if enc == EncodingUTF16 {
		b, err := textunicode.UTF16(textunicode.LittleEndian, textunicode.UseBOM).NewEncoder().Bytes([]byte(text))
		return b, err == nil
	}
	m := singleByte[enc]
	if m == nil {
		return []byte(text), true
	}
	out := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := m.EncodeRune(r)
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
	// The first byte of a character of several bytes is one of these, and another one
	// that is beyond ASCII too follows it.
	first, before := false, rune(0)
	for _, r := range s {
		if 'À' <= before && before <= 'ÿ' && r < utf8.RuneSelf {
			return false
		}
		first = first || 'Â' <= r && r <= 'ô'
		before = r
	}
	if !first || 'À' <= before && before <= 'ÿ' {
		return false
	}
	b, ok := encode(s, EncodingWindows1252)
	return ok && utf8.Valid(b)
}
