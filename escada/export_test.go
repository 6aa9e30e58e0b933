package escada

import "strings"

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
