package escada

import (
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
	i, delim := s.pos, uint64(s.delim)*eachOne
	start, closed := s.pos, 0 // of the field; closed: behind its closing quote, or inQuotes
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		x := w ^ delim
		found := ^((x&eachLow + eachLow) | x | eachLow)     // delimiters
		found |= ^((w&eachLow + belowQuote) | w) & eachHigh // and what is at most '"'
		for ; found != 0; found &= found - 1 {
			k := i + bits.TrailingZeros64(found)>>3
			c := b[k]
			switch {
			case c == '"' && c != s.delim && s.quoting == quotingRFC4180:
				if closed == inQuotes {
					closed = k + 1
				} else if closed = inQuotes; k != start {
					return spans[:kept], false
				}
				continue
			case closed == inQuotes && c != '\n', c != s.delim && c != '\n' && c != '\r':
				continue // text
			}
			text := span{uint32(start), uint32(k)}
			if closed != 0 {
				if closed != k {
					return spans[:kept], false // something follows the quote, or it is not closed
				}
				text = span{text.from + 1, text.to - 1}
			}
			if c != s.delim {
				return s.simpleEnd(spans, kept, text, k)
			}
			spans = append(spans, text)
			start, closed = k+1, 0
		}
	}
	return spans[:kept], false
}

// inQuotes stands for the place of a closing quote that is still to come.
const inQuotes = -1

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
