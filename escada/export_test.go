package escada

import (
	"fmt"
	"strings"
	"testing/iotest"
	"unicode/utf8"
)

// Scan gives tests the rows that the scanner finds, without empty lines.
func Scan(text string, delim rune) (rows [][]string, faults bool) {
	s := newScanner(strings.NewReader(text), delim, quotingRFC4180)
	for {
		r, ok := s.next()
		if !ok {
			return rows, faults
		}
		if r.fault != "" {
			faults = true
			continue
		}
		var row []string
		for _, f := range s.current {
			row = append(row, string(f))
		}
		if len(row) == 1 && row[0] == "" && r.ended && r.size <= 2 {
			continue
		}
		rows = append(rows, row)
	}
}

// Encode gives tests text in an encoding.
var Encode = encode

// Cut gives tests the rows of a text in one line each, ahead of them or one by one.
func Cut(text string, q Quoting, inAdvance bool) (out []string) {
	s := newScanner(iotest.HalfReader(strings.NewReader(text)), ';', map[Quoting]quoting{
		QuotingRFC4180: quotingRFC4180, QuotingNone: quotingNone, QuotingBackslash: quotingBackslash}[q])
	var from rows = s
	if inAdvance {
		a := readAhead(s, newDecoder(strings.NewReader(""), EncodingUTF8))
		defer a.close()
		from = a
	}
	for r, ok := from.next(); ok; r, ok = from.next() {
		fields := ""
		if r.fault == "" {
			fields = fmt.Sprintf("%q", from.fields())
		}
		out = append(out, fmt.Sprint(r.line, r.fault, r.ended, r.isBlank, fields))
	}
	return out
}

// WrongTexts has texts remembered and counts those that have the value of another.
func WrongTexts(texts []string) (wrong int) {
	k := newKnown()
	values := map[string]uint32{}
	for round := range 2 {
		for i, text := range texts {
			buf := []byte(text)
			x := span{0, uint32(len(buf))}
			v, ok := k.get(buf, x)
			if ok && v != values[text] {
				wrong++
			}
			if !ok && round == 0 {
				values[text] = uint32(i)
				k.put(buf, x, uint32(i))
			}
		}
	}
	return wrong
}

// ValidMail says whether a text is taken for an address at the first look, and
// whether it is one.
func ValidMail(text []byte) (quick, good bool) { return plainMail(text), validMail(string(text)) }

// DoubleEncoded says whether a text is taken for one that was converted twice, and
// whether it is one in so many words.
func DoubleEncoded(text string) (taken, is bool) {
	b, ok := encode(text, EncodingWindows1252)
	first := strings.ContainsFunc(text, func(r rune) bool { return 'Â' <= r && r <= 'ô' })
	return doubleEncoded(text), first && ok && utf8.Valid(b)
}
