package escada

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// span is where a field lies in a buffer.
type span struct{ from, to uint32 }

// Bytes of a word, eight at once.
const (
	eachOne  = 0x0101010101010101
	eachLow  = 0x7F7F7F7F7F7F7F7F
	eachHigh = 0x8080808080808080
	// belowQuote added to the low bits of a byte sets its high bit from '"'+1 on:
	// without it a byte is a quote, a line end, a space or another control character.
	belowQuote = (0x80 - ('"' + 1)) * eachOne
)

// simple cuts the row at the position, where its fields can be told by their
// delimiters alone: in quotes or not, but without quotes and line ends in them.
// It appends them to spans and moves on. Of any other row, and of the last ones
// in the buffer, nothing is taken: they are for next.
func (s *scanner) simple(spans []span) ([]span, bool) {
	if s.ends != endsLF || s.quoting == quotingBackslash {
		return spans, false
	}
	kept, b := len(spans), s.buf[:s.end]
	i, start, delim := s.pos, s.pos, uint64(s.delim)*eachOne
	for i+8 <= len(b) {
		w := binary.LittleEndian.Uint64(b[i:])
		x := w ^ delim
		found := ^((x&eachLow + eachLow) | x | eachLow)     // delimiters
		found |= ^((w&eachLow + belowQuote) | w) & eachHigh // and what is at most '"'
		at := i
		i += 8
		for ; found != 0; found &= found - 1 {
			k := at + bits.TrailingZeros64(found)>>3
			switch c := b[k]; {
			case c == s.delim:
				spans = append(spans, span{uint32(start), uint32(k)})
				start = k + 1
				continue
			case c == '\n', c == '\r':
				return s.simpleEnd(spans, kept, span{uint32(start), uint32(k)}, k)
			case c != '"' || s.quoting == quotingNone:
				continue
			}
			closed := -1
			if k == start {
				closed = s.closing(b, k)
			}
			if closed < 0 {
				return spans[:kept], false
			}
			text := span{uint32(k + 1), uint32(closed)}
			if b[closed+1] != s.delim {
				return s.simpleEnd(spans, kept, text, closed+1)
			}
			spans = append(spans, text)
			start = closed + 2
			i = start
			break
		}
	}
	return spans[:kept], false
}

// closing finds the quote that closes the one at b[k], where nothing is special
// between them; -1 if there is none.
func (s *scanner) closing(b []byte, k int) int {
	n := bytes.IndexByte(b[k+1:min(len(b), k+maxField)], '"')
	if n < 0 || bytes.IndexByte(b[k+1:k+1+n], '\n') >= 0 {
		return -1
	}
	k += 1 + n
	if k+1 < len(b) && (b[k+1] == s.delim || b[k+1] == '\n' || b[k+1] == '\r') {
		return k
	}
	return -1
}

// simpleEnd ends a simple row at the line end b[k], with its last field.
func (s *scanner) simpleEnd(spans []span, kept int, last span, k int) ([]span, bool) {
	if s.buf[k] == '\r' {
		if k++; k >= s.end || s.buf[k] != '\n' {
			return spans[:kept], false
		}
	}
	if k-s.pos > maxField { // perhaps a field is too long
		return spans[:kept], false
	}
	s.pos = k + 1
	s.line++
	return append(spans, last), true
}
