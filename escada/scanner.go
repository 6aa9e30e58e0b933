package escada

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// maxField is the longest field in bytes; a longer one is a quote that was
	// never closed, or rubbish.
	maxField = 4096
	// maxRow is the longest row in bytes, and so the most that is held of a file.
	maxRow = 256 << 10
	// firstBuffer is what is held of a file with rows of ordinary length.
	firstBuffer = 64 << 10
	// leastRead is the room that is worth a reading.
	leastRead = 512
)

// quoting says how a delimiter or a quote is written within a field.
type quoting uint8

const (
	quotingRFC4180   quoting = iota // fields in quotes, quotes in them doubled
	quotingBackslash                // a backslash before a quote, a delimiter or a backslash
	quotingNone                     // quotes are text
)

// scanner cuts a stream of valid UTF-8 into rows and fields after RFC 4180. Unlike
// encoding/csv it goes on after a quote that is never closed: that row alone is
// broken, and reading resumes in the line after the one where it began. So a
// single lost quote cannot make the rest of a file disappear. It holds one
// buffer of the file, never the file.
type scanner struct {
	src     io.Reader
	err     error // why src ended; io.EOF at its end
	buf     []byte
	pos     int // start of the next row in buf
	end     int // end of what was read
	line    int // line of pos
	delim   byte
	quoting quoting
	ends    lineEnds
	special [256]bool
	lent    bool     // rows that were given out lie in buf, of which nothing may change
	spare   []byte   // what then follows it
	scratch []byte   // fields that had to be rewritten
	current [][]byte // fields of the current row, valid until the next call
}

// rows gives the rows of a file one by one.
type rows interface {
	next() (row, bool)
	fields() [][]byte // of the current row, valid until the next
	failure() error   // why there are no more; nil at the end of the file
}

// lineEnds says what ends lines; the first line decides.
type lineEnds uint8

const (
	endsUnknown lineEnds = iota
	endsLF               // "\n" or "\r\n"; a lone "\r" is text
	endsCR               // "\r", as old Macintosh programs write it
)

// row is what next found.
type row struct {
	line    int    // where it begins
	fault   string // why it cannot be read; empty: fields are good
	ended   bool   // a line end follows it
	isBlank bool   // nothing but delimiters and spaces
	size    int    // in bytes, with its line end
}

func (s *scanner) fields() [][]byte { return s.current }

func (s *scanner) failure() error {
	if errors.Is(s.err, io.EOF) {
		return nil
	}
	return s.err
}

func newScanner(src io.Reader, delim rune, q quoting) *scanner {
	s := &scanner{src: src, line: 1, quoting: q, buf: make([]byte, firstBuffer)}
	s.setDelimiter(byte(delim))
	return s
}

// setDelimiter is for the beginning of a file, which may name its delimiter itself.
func (s *scanner) setDelimiter(delim byte) {
	s.delim = delim
	s.special = [256]bool{'\n': true, '\r': true}
	s.special['"'] = s.quoting != quotingNone
	s.special['\\'] = s.quoting == quotingBackslash
	s.special[delim] = true
}

// next returns the next row; false at the end of the stream, where s.err tells
// whether it was reached or reading failed.
func (s *scanner) next() (row, bool) {
	for {
		if s.pos == s.end && !s.more() {
			return row{}, false
		}
		r, size, whole := s.scan(s.buf[s.pos:s.end])
		if whole {
			s.pos += size
			return r, true
		}
		if s.end-s.pos >= maxRow {
			r = row{line: s.line, fault: "a row is longer than 262144 bytes"}
			r.ended = s.skipLine()
			return r, true
		}
		s.more()
	}
}

// more reads further and reports whether there is more.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	switch {
	case s.lent && len(s.buf)-s.end < leastRead:
		s.renew()
	case s.pos > 0 && !s.lent:
		s.end = copy(s.buf, s.buf[s.pos:s.end])
		s.pos = 0
	}
	if s.end == len(s.buf) {
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for s.err == nil {
		n, err := s.src.Read(s.buf[s.end:])
		s.end += n
		s.err = err
		if n > 0 {
			return true
		}
	}
	return false
}

// lend gives away the buffer, in which nothing changes any more; what is read once
// it is full goes to another one, the spare if there is one.
func (s *scanner) lend(spare []byte) []byte {
	s.lent, s.spare = true, spare
	return s.buf
}

// renew moves what was not given out yet from a lent buffer to one of our own.
func (s *scanner) renew() {
	rest := s.buf[s.pos:s.end]
	buf := s.spare
	if len(buf) < 2*len(rest) || len(buf) < firstBuffer {
		buf = make([]byte, max(firstBuffer, 2*len(rest)))
	}
	s.end = copy(buf, rest)
	s.buf, s.pos, s.lent, s.spare = buf, 0, false, nil
}

// scan finds the row at the beginning of b. It is not whole when b ends before
// it can be told where the row ends, and more can be read.
func (s *scanner) scan(b []byte) (r row, size int, whole bool) {
	r.line = s.line
	s.scratch = s.scratch[:0]
	fields, special := s.current[:0], &s.special
	i, start, lines := 0, 0, 0
	for {
		// The hot loop: nearly all bytes of an export pass through here.
		for i < len(b) && !special[b[i]] {
			i++
		}
		field := b[start:i]
		switch {
		case i == len(b):
		case b[i] == s.delim:
			fields = append(fields, field)
			i++
			start = i
			continue
		case b[i] == '\n':
		case b[i] == '\r':
			if n, known := s.lineEnd(b[i:]); known && n == 0 { // in the text
				i++
				continue
			}
		case b[i] == '"' && i > start:
			return s.broken(b, i, lines, quoteInside)
		default: // an opening quote, or a backslash
			text, n, inner, fault := s.escaped(b[start:])
			if fault == needMore {
				return r, 0, false
			}
			if fault != "" {
				return s.broken(b, start+n, lines+inner, fault)
			}
			field, i, lines = text, start+n, lines+inner
		}
		fields = append(fields, field)
		if i == len(b) || b[i] != s.delim {
			s.current = fields
			return s.rowEnd(r, b, i, lines)
		}
		i++
		start = i
	}
}

// rowEnd ends a row that ends at b[i].
func (s *scanner) rowEnd(r row, b []byte, i, lines int) (row, int, bool) {
	if i == len(b) {
		if s.err == nil {
			return r, 0, false
		}
		return s.finish(r, i, lines)
	}
	n, known := s.lineEnd(b[i:])
	if !known {
		return r, 0, false
	}
	r.ended = b[i] == '\n' || n == 2 || s.ends == endsCR // else cut off within its line end
	return s.finish(r, i+n, lines+1)
}

// What scan says of rows that it cannot read; needMore is not said.
const (
	needMore    = "more"
	quoteInside = "a quote in the middle of a field: expected the whole field in quotes and quotes in it doubled"
	quoteAfter  = "text after a closing quote: expected a delimiter or the end of the line, and quotes in a field doubled"
	quoteOpen   = "a quoted field is not closed (or longer than 4096 bytes): expected a closing quote"
	fieldLong   = "a field is longer than 4096 bytes"
)

// finish ends a row of size bytes.
func (s *scanner) finish(r row, size, lines int) (row, int, bool) {
	for _, f := range s.current {
		if len(f) > maxField {
			// The line where it began is skipped, no more.
			return s.broken(s.buf[s.pos:s.end], size, 0, fieldLong)
		}
	}
	r.isBlank, r.size = isBlank(s.current), size
	s.line += lines
	return r, size, true
}

// broken gives up a row, of which only the first line is skipped.
func (s *scanner) broken(b []byte, at, lines int, fault string) (row, int, bool) {
	r := row{line: s.line, fault: fault}
	if lines == 0 && fault != fieldLong {
		r.fault = fmt.Sprintf("near character %d: %s", utf8.RuneCount(b[:min(at, len(b))])+1, fault)
	}
	r.ended = s.skipLine()
	return r, 0, true
}

// skipLine moves behind the next line end and reports whether there was one.
func (s *scanner) skipLine() bool {
	for {
		if n := bytes.IndexByte(s.buf[s.pos:s.end], s.lineByte()[0]); n >= 0 {
			s.pos += n + 1
			s.line++
			return true
		}
		s.pos = s.end
		if !s.more() {
			return false
		}
	}
}

// lineEnd gives the length of the line end at the beginning of b, 0 if there is
// none; not known if b is too short to tell.
func (s *scanner) lineEnd(b []byte) (n int, known bool) {
	if b[0] == '\n' {
		if s.ends == endsUnknown {
			s.ends = endsLF
		}
		return 1, true
	}
	if s.ends == endsCR {
		return 1, true
	}
	if len(b) == 1 {
		if s.err == nil {
			return 0, false
		}
		return 1, true // cut off between "\r" and "\n"
	}
	if b[1] == '\n' {
		s.ends = endsLF
		return 2, true
	}
	if s.ends == endsUnknown {
		s.ends = endsCR
		return 1, true
	}
	return 0, true
}

// escaped reads a field with quotes or backslashes at the beginning of b: its
// text, its length in b with quotes, and the line ends within it.
func (s *scanner) escaped(b []byte) (text []byte, n, lines int, fault string) {
	inQuotes := b[0] == '"' && s.quoting != quotingNone
	if inQuotes && s.quoting == quotingRFC4180 {
		// Most quoted fields have no quotes in them and need no copy.
		k := bytes.IndexByte(b[1:min(len(b), maxField+2)], '"')
		if k >= 0 && k+2 < len(b) && b[k+2] != '"' {
			return s.closed(b, b[1:k+1], k+2, bytes.Count(b[1:k+1], s.lineByte()))
		}
	}
	from, lineByte := len(s.scratch), s.lineByte()[0]
	i := 0
	if inQuotes {
		i = 1
	}
	for ; i < len(b); i++ {
		c := b[i]
		switch {
		case len(s.scratch)-from > maxField:
			return nil, i, lines, quoteOpen
		case c == '\\' && s.quoting == quotingBackslash && i+1 < len(b):
			i++
			c = b[i]
		case c == '"' && inQuotes:
			if i+1 == len(b) && s.err == nil {
				return nil, 0, 0, needMore
			}
			if i+1 == len(b) || b[i+1] != '"' || s.quoting != quotingRFC4180 {
				return s.closed(b, s.scratch[from:len(s.scratch):len(s.scratch)], i+1, lines)
			}
			i++
		case inQuotes:
		case s.special[c] && c != '\\':
			if c == '"' {
				return nil, i, lines, quoteInside
			}
			return s.scratch[from:len(s.scratch):len(s.scratch)], i, lines, ""
		}
		if c == lineByte {
			lines++
		}
		s.scratch = append(s.scratch, c)
	}
	switch {
	case s.err == nil:
		return nil, 0, 0, needMore
	case inQuotes:
		return nil, i, lines, quoteOpen
	}
	return s.scratch[from:len(s.scratch):len(s.scratch)], i, lines, ""
}

// lineByte is the byte that every line end has.
func (s *scanner) lineByte() []byte {
	if s.ends == endsCR {
		return []byte{'\r'}
	}
	return []byte{'\n'}
}

// closed checks what follows a closing quote, which ends at b[n].
func (s *scanner) closed(b, text []byte, n, lines int) ([]byte, int, int, string) {
	if n == len(b) || b[n] == s.delim {
		return text, n, lines, ""
	}
	if b[n] == '\n' || b[n] == '\r' {
		size, known := s.lineEnd(b[n:])
		if !known {
			return nil, 0, 0, needMore
		}
		if size > 0 {
			return text, n, lines, ""
		}
	}
	return nil, n, lines, quoteAfter
}

// isBlank reports whether fields hold nothing but spaces.
func isBlank(fields [][]byte) bool {
	for _, f := range fields {
		if len(trim(f)) > 0 {
			return false
		}
	}
	return true
}

// trim is bytes.TrimSpace, quick for what needs no trimming.
func trim(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	first, last := b[0], b[len(b)-1]
	if ' ' < first && first < utf8.RuneSelf && ' ' < last && last < utf8.RuneSelf {
		return b
	}
	return bytes.TrimSpace(b)
}
