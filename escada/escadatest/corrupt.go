package escadatest

import (
	"bytes"
	"strings"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// The corruptors damage exports in the ways that happen. They work on files
// without quoted fields, as districts give them; a name that the export lacks
// is ignored.

// Truncate cuts a file after n bytes; a negative n counts from its end.
func (e Export) Truncate(name string, n int) {
	data := e[name]
	if n < 0 {
		n = max(0, len(data)+n)
	}
	e[name] = data[:min(n, len(data))]
}

// Empty keeps only the header line of every file.
func (e Export) Empty() {
	for name, data := range e {
		e[name] = data[:bytes.IndexByte(data, '\n')+1]
	}
}

// DropColumn removes the column with this title from every file.
func (e Export) DropColumn(title string) {
	for name := range e {
		e.editRows(name, func(i int, header, fields []string) []string {
			for j, t := range header {
				if t == title {
					return append(append([]string(nil), fields[:j]...), fields[j+1:]...)
				}
			}
			return fields
		})
	}
}

// DoubleIDs gives every nth person's id to the row after it, which then belongs
// to two people.
func (e Export) DoubleIDs(n int) {
	for name := range e {
		last := ""
		e.editRows(name, func(i int, header, fields []string) []string {
			if i > 0 && i%n == 0 && last != "" && len(fields) > 0 {
				fields[0] = last
			}
			last = fields[0]
			return fields
		})
	}
}

// DropSchool removes a share of a school's rows, in per thousand, from the end
// of every file.
func (e Export) DropSchool(school string, perThousand int) {
	for name := range e {
		total := 0
		at := func(header, fields []string) bool {
			for j, t := range header {
				if t == "Schule" && j < len(fields) {
					return fields[j] == school
				}
			}
			return false
		}
		e.editRows(name, func(i int, header, fields []string) []string {
			if i > 0 && at(header, fields) {
				total++
			}
			return fields
		})
		keep := total - (total*perThousand+999)/1000
		e.editRows(name, func(i int, header, fields []string) []string {
			if i > 0 && at(header, fields) {
				if keep--; keep < 0 {
					return nil
				}
			}
			return fields
		})
	}
}

// EncodeWindows1252 converts UTF-8 files; characters that Windows-1252 lacks
// become "?", as careless exports do it.
func (e Export) EncodeWindows1252() {
	for name, data := range e {
		var b []byte
		for _, r := range string(data) {
			c, ok := charmap.Windows1252.EncodeRune(r)
			if !ok {
				c = '?'
			}
			b = append(b, c)
		}
		e[name] = b
	}
}

// EncodeTwice turns UTF-8 files into what comes out when they are taken for
// Windows-1252 and converted to UTF-8 once more.
func (e Export) EncodeTwice() {
	for name, data := range e {
		var b strings.Builder
		for _, c := range data {
			b.WriteRune(charmap.Windows1252.DecodeByte(c))
		}
		e[name] = []byte(b.String())
	}
}

// EncodeUTF16 converts UTF-8 files to little-endian UTF-16 with byte order
// mark, which spreadsheets call "Unicode text".
func (e Export) EncodeUTF16() {
	for name, data := range e {
		out := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(string(data))) {
			out = append(out, byte(u), byte(u>>8))
		}
		e[name] = out
	}
}

// editRows replaces the fields of every line; nil removes the line. Line 0 is the header.
func (e Export) editRows(name string, edit func(i int, header, fields []string) []string) {
	data, ok := e[name]
	if !ok {
		return
	}
	var header []string
	var out strings.Builder
	for i, line := range strings.SplitAfter(string(data), "\n") {
		if line == "" {
			continue
		}
		body := strings.TrimRight(line, "\r\n")
		fields := strings.Split(body, ";")
		if i == 0 {
			header = fields
		}
		if fields = edit(i, header, append([]string(nil), fields...)); fields != nil {
			out.WriteString(strings.Join(fields, ";") + line[len(body):])
		}
	}
	e[name] = []byte(out.String())
}
