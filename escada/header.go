package escada

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

func (f *fileReader) header(scan *scanner) bool {
	row, ok := scan.next()
	for ok && row.isBlank {
		row, ok = scan.next()
	}
	if ok && row.fault == "" {
		if d, found := ownDelimiter(scan.fields(), scan.delim); found {
			scan.setDelimiter(d)
			row, ok = scan.next()
		}
	}
	pos := schoolmail.Position{File: f.name, Line: row.line}
	if scan.failure() != nil {
		return false
	}
	if !ok {
		f.errs.add(schoolmail.Position{File: f.name}, ErrEmpty, "expected a header line")
		return false
	}
	if row.fault != "" {
		f.errs.add(pos, ErrMissingColumn, "expected a header line: %s", row.fault)
		return false
	}
	var titles []string
	for _, t := range scan.fields() {
		f.titles = append(f.titles, bytes.Clone(t))
		titles = append(titles, string(trim(t)))
	}
	n := len(titles)
	for n > 1 && titles[n-1] == "" {
		n-- // superfluous delimiters
	}
	f.parser.header.fields = n
	f.seeColumns(titles[:n])
	if f.layout.File.Match != nil {
		return f.bind(pos, titles[:n])
	}
	return f.columns(pos, scan.delim)
}

func (f *fileReader) bind(pos schoolmail.Position, titles []string) bool {
	m, missing := f.layout.bind(f.name, titles, f.tables)
	if f.into != nil {
		missing = append(missing, f.bindTable(titles)...)
	}
	m.roles = f.reader.layout.roles
	f.parser.mapping = m
	for i := range allColumns {
		f.parser.index[i] = -1
		if slices.ContainsFunc(m.columns, func(b boundField) bool { return b.column == i }) {
			f.parser.index[i] = 0 // it is there
		}
	}
	if twice := f.twice(titles); len(twice) > 0 {
		f.errs.add(pos, ErrDuplicateColumn, "%s", strings.Join(twice, ", "))
		return false
	}
	if len(missing) > 0 {
		found := make([][]byte, len(titles))
		for i, t := range titles {
			found[i] = []byte(t)
		}
		detail := "found " + titleList(found)
		if known := len(titles) - len(missing); known < 1 {
			detail = fmt.Sprintf("found %d fields", len(titles)) // what is no header is a row of people: not repeated
		}
		f.errs.add(pos, ErrMissingColumn, "%s; %s", strings.Join(missing, ", "), detail)
		return false
	}
	if f.into == nil && f.layout.simple && f.text != nil && len(m.where) == 0 {
		// Columns are fields: rows can be read without a mapping.
		for _, b := range m.columns {
			f.parser.index[b.column] = b.refs[0].field
		}
		f.parser.mapping = nil
	}
	return true
}

func (f *fileReader) twice(titles []string) (twice []string) {
	counts := map[string]int{}
	for _, t := range titles {
		counts[foldPath(t)]++
	}
	if f.text == nil {
		return nil
	}
	for _, t := range f.layout.wanted(f.reader.layout) {
		if q := strconv.Quote(t); counts[foldPath(t)] > 1 && !slices.Contains(twice, q) {
			twice = append(twice, q)
		}
	}
	return twice
}

func (f *fileReader) bindTable(titles []string) (missing []string) {
	b := &binder{own: map[string]int{}, m: &mapping{}}
	for i, t := range titles {
		b.own[foldPath(t)] = i
	}
	for _, k := range f.layout.Key {
		r, _ := b.ref(k, false)
		f.key = append(f.key, r)
	}
	for _, t := range f.into.titles {
		r, _ := b.ref(t, false)
		f.cells = append(f.cells, r.field)
	}
	return b.missing
}

func ownDelimiter(fields [][]byte, delim byte) (byte, bool) {
	if len(fields) > 2 || len(fields[0]) < 4 || !bytes.EqualFold(fields[0][:4], []byte("sep=")) {
		return 0, false
	}
	rest := fields[0][4:]
	switch {
	case len(fields) == 1 && len(rest) == 1:
		return rest[0], true
	case len(fields) == 2 && len(rest)+len(fields[1]) == 0:
		return delim, true
	}
	return 0, false
}

func (f *fileReader) columns(pos schoolmail.Position, delim byte) bool {
	h, l := &f.parser.header, f.reader.layout
	for i := range h.index {
		h.index[i] = -1
	}
	good, known := true, 0
	var unknown [][]byte
	for i, title := range f.titles[:h.fields] {
		c, ok := l.titles[foldTitle(string(title))]
		if !ok {
			unknown = append(unknown, title)
			continue
		}
		known++
		n := slices.Index(allColumns[:], c)
		if h.index[n] >= 0 {
			f.errs.add(schoolmail.Position{File: f.name, Line: pos.Line, Column: string(trim(title))}, ErrDuplicateColumn,
				"fields %d and %d both hold the %s", h.index[n]+1, i+1, c)
			good = false
			continue
		}
		h.index[n] = i
	}
	var missing []string
	for i, c := range written {
		if h.index[i] < 0 && !slices.Contains(l.Optional, c) {
			missing = append(missing, strconv.Quote(l.title(c)))
		}
	}
	// What is no header is a row of people: not repeated.
	isHeader := known > 2 && known >= len(unknown) || known == h.fields
	switch {
	case len(missing) > 0 && !isHeader:
		f.errs.add(pos, ErrMissingColumn,
			"no header found: expected the titles %s, separated by %q; found %d fields, %d known titles",
			strings.Join(missing, ", "), delim, h.fields, known)
		return false
	case len(missing) > 0:
		f.errs.add(pos, ErrMissingColumn, "%s; found %s", strings.Join(missing, ", "), titleList(f.titles[:h.fields]))
		good = false
	}
	if l.Strict && len(unknown) > 0 {
		f.errs.add(pos, ErrUnknownColumn, "%s", titleList(unknown))
		good = false
	}
	if good && len(f.layout.where) > 0 {
		return f.conditions(pos)
	}
	return good
}

func (f *fileReader) conditions(pos schoolmail.Position) bool {
	titles := make([]string, f.parser.header.fields)
	for i := range titles {
		titles[i] = string(f.titles[i])
	}
	m, missing := f.layout.bind(f.name, titles, nil)
	if len(missing) > 0 {
		f.errs.add(pos, ErrMissingColumn, "%s of a condition", strings.Join(missing, ", "))
		return false
	}
	m.roles = f.reader.layout.roles
	for column, n := range f.parser.index {
		if n >= 0 {
			m.columns = append(m.columns, boundField{column: column, refs: []ref{{-1, n}}})
		}
	}
	f.parser.mapping = m
	return true
}

func titleList(titles [][]byte) string {
	quoted := make([]string, 0, len(titles))
	for _, title := range titles {
		t := string(trim(title))
		if r := []rune(t); len(r) > 40 {
			t = string(r[:40]) + "..."
		}
		quoted = append(quoted, strconv.Quote(t))
		if len(quoted) == 64 {
			quoted = append(quoted, "...")
			break
		}
	}
	return strings.Join(quoted, ", ")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
