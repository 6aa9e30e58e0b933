package escada

import "slices"

// Scan gives tests the rows that the scanner finds, without empty lines.
func Scan(text string, delim rune) (rows [][]string, faults bool) {
	s := newScanner(text, delim)
	for {
		r, ok := s.next()
		if !ok {
			return rows, faults
		}
		if r.fault != "" {
			faults = true
			continue
		}
		if len(s.fields) == 1 && s.fields[0] == "" && (s.pos < 2 || text[s.pos-1] == '\n' && text[s.pos-2] != '"') {
			continue
		}
		rows = append(rows, slices.Clone(s.fields))
	}
}
