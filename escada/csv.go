package escada

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxField is the longest field in bytes; a longer one is a quote that was
// never closed, or rubbish.
const maxField = 4096

// scanner cuts a text into rows and fields after RFC 4180. Unlike encoding/csv
// it goes on after a quote that is never closed: that row alone is broken, and
// reading resumes in the line after the one where it began. So a single
// lost quote cannot make the rest of a file disappear. Fields are substrings
// of the text where possible.
type scanner struct {
	text   string
	delim  byte
	pos    int
	line   int      // line of pos
	fields []string // of the current row, valid until the next call
}

// row is what next found.
type row struct {
	line    int    // where it begins
	fault   string // why it cannot be read; empty: fields are good
	ended   bool   // a line end follows it
	isBlank bool   // nothing but delimiters and spaces
}

func newScanner(text string, delim rune) *scanner {
	return &scanner{text: text, delim: byte(delim), line: 1}
}

// next returns the next row; false at the end of the text.
func (s *scanner) next() (row, bool) {
	if s.pos >= len(s.text) {
		return row{}, false
	}
	start := s.pos
	r := row{line: s.line, isBlank: true}
	s.fields = s.fields[:0]
	for {
		field, fault := s.field()
		if fault != "" {
			// Skip the line in which the row began.
			if s.line == r.line {
				n := utf8.RuneCountInString(s.text[start:min(s.pos, len(s.text))])
				fault = fmt.Sprintf("near character %d: %s", n+1, fault)
			}
			s.pos, s.line, r.fault, r.isBlank = start, r.line, fault, false
			r.ended = s.skipLine()
			return r, true
		}
		if r.isBlank && strings.TrimSpace(field) != "" {
			r.isBlank = false
		}
		s.fields = append(s.fields, field)
		if s.pos < len(s.text) && s.text[s.pos] == s.delim {
			s.pos++
			continue
		}
		r.ended = s.lineEnd()
		return r, true
	}
}

// field reads one field and leaves pos at the delimiter, line end or end of text after it.
func (s *scanner) field() (field, fault string) {
	if s.pos < len(s.text) && s.text[s.pos] == '"' {
		return s.quoted()
	}
	start := s.pos
	for s.pos < len(s.text) {
		c := s.text[s.pos]
		if c == s.delim || c == '\n' || c == '\r' && s.atCRLF() {
			break
		}
		if c == '"' {
			return "", "a quote in the middle of a field: expected the whole field in quotes and quotes in it doubled"
		}
		s.pos++
	}
	if s.pos-start > maxField {
		return "", "a field is longer than 4096 bytes"
	}
	return s.text[start:s.pos], ""
}

func (s *scanner) quoted() (field, fault string) {
	s.pos++ // the opening quote
	start, parts := s.pos, ""
	for {
		n := strings.IndexByte(s.text[s.pos:min(len(s.text), s.pos+maxField+1)], '"')
		if n < 0 {
			return "", "a quoted field is not closed (or longer than 4096 bytes): expected a closing quote"
		}
		s.line += strings.Count(s.text[s.pos:s.pos+n], "\n")
		s.pos += n + 1
		if s.pos < len(s.text) && s.text[s.pos] == '"' { // doubled: a quote
			parts += s.text[start:s.pos]
			s.pos++
			start = s.pos
			if len(parts) > maxField {
				return "", "a field is longer than 4096 bytes"
			}
			continue
		}
		field = parts + s.text[start:s.pos-1]
		break
	}
	if len(field) > maxField {
		return "", "a field is longer than 4096 bytes"
	}
	if s.pos < len(s.text) {
		if c := s.text[s.pos]; c != s.delim && c != '\n' && !(c == '\r' && s.atCRLF()) {
			return "", "text after a closing quote: expected a delimiter or the end of the line, and quotes in a field doubled"
		}
	}
	return field, ""
}

// atCRLF reports whether the "\r" at pos belongs to a line end. A lone "\r" at
// the very end counts as one, as files cut in the middle of a line end have it.
func (s *scanner) atCRLF() bool {
	return s.pos+1 >= len(s.text) || s.text[s.pos+1] == '\n'
}

// lineEnd skips a line end at pos and reports whether there was one.
func (s *scanner) lineEnd() bool {
	if s.pos < len(s.text) && s.text[s.pos] == '\r' {
		s.pos++
	}
	if s.pos < len(s.text) && s.text[s.pos] == '\n' {
		s.pos++
		s.line++
		return true
	}
	return false
}

// skipLine moves behind the next line end and reports whether there was one.
func (s *scanner) skipLine() bool {
	n := strings.IndexByte(s.text[s.pos:], '\n')
	if n < 0 {
		s.pos = len(s.text)
		return false
	}
	s.pos += n + 1
	s.line++
	return true
}
