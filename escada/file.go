package escada

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// fileReader reads the rows of one file.
type fileReader struct {
	*reader
	layout  *fileLayout
	name    string
	number  int32
	text    *decoder // nil: XML
	ahead   *ahead   // of a text, once its header is read
	rows    rows
	parser  rowParser
	into    *table   // where rows of a table go; nil: they are people
	key     []ref    // of the table
	cells   []int    // fields of the table's cells
	titles  [][]byte // of the header, for headers that are repeated
	seen    int      // rows so far
	last    row
	short   bool // the last row had too few fields or was broken
	trailer int  // row count of the trailer; -1: none so far
	names   suspects
}

// file reads the rows of one file as the layout describes them. The error is one
// of reading or decoding.
func (r *reader) file(number int32, name string, src io.Reader, layout *fileLayout) error {
	f := &fileReader{reader: r, layout: layout, name: name, number: number, trailer: -1}
	f.parser = rowParser{layout: r.layout, vocabulary: &r.fold.vocabulary}
	if layout.Table != "" {
		f.into = r.tables[layout.Table]
	}
	if !f.open(src) {
		return f.rows.failure()
	}
	if scan, ok := f.rows.(*scanner); ok {
		f.ahead = readAhead(scan, f.text)
		f.rows = f.ahead
	}
	for {
		row, ok := f.rows.next()
		if !ok || !f.row(row) {
			break
		}
	}
	if f.ahead != nil {
		f.ahead.close()
	}
	r.rows += f.seen
	if err := f.rows.failure(); err != nil {
		return err
	}
	switch {
	case f.text != nil:
		f.judgeEncoding()
		f.judgeEnd()
	case f.seen == 0:
		f.errs.add(schoolmail.Position{File: f.name}, ErrEmpty, "expected elements %q", f.layout.Element)
	}
	return nil
}

// open begins to read and finds the columns.
func (f *fileReader) open(src io.Reader) bool {
	l := f.reader.layout
	if l.Format == FormatXML {
		titles := f.layout.wanted(l)
		f.rows = newXMLRows(src, f.layout.Element, titles)
		f.parser.header.fields = len(titles)
		return f.bind(schoolmail.Position{File: f.name}, titles)
	}
	f.text = newDecoder(src, l.Encoding)
	scan := newScanner(f.text, l.Delimiter, l.quoting)
	f.rows = scan
	f.parser.suspect = func(name string) {
		if f.ahead.single() && !isASCII(name) {
			f.names.note(name)
		}
	}
	if f.layout.Titles != nil {
		f.parser.header.fields = len(f.layout.Titles)
		return f.bind(schoolmail.Position{File: f.name}, f.layout.Titles)
	}
	return f.header(scan)
}

// row reads one row and reports whether to go on.
func (f *fileReader) row(row row) bool {
	if row.isBlank && row.fault == "" {
		return true
	}
	l := f.reader.layout
	at := place{f.number, int32(row.line)}
	f.last, f.short = row, false
	if f.trailer >= 0 {
		f.unreadable(at, "a row after the trailer: expected the end of the file")
		f.seen++
		return true
	}
	if fields := f.rows.fields(); row.fault == "" && f.text != nil {
		fields[0] = bytes.TrimPrefix(fields[0], []byte(utf8BOM)) // a file was joined to another
		if l.Trailer != "" && string(trim(fields[0])) == l.Trailer {
			f.trailer = trailerCount(fields)
			return true
		}
		if slices.EqualFunc(fields, f.titles, bytes.Equal) {
			return true
		}
		for _, footer := range l.Footers {
			if bytes.HasPrefix(trim(fields[0]), []byte(footer)) {
				return true
			}
		}
	}
	f.seen++
	if f.seen&0xFFF == 0 && (f.ctx.Err() != nil || len(f.fold.rejected) > f.opts.MaxRejected) {
		return false
	}
	f.short = f.take(row, at)
	return true
}

func (f *fileReader) unreadable(at place, reason string) {
	f.fold.reject(at, fault{"", schoolmail.RejectedUnreadable, reason, false}, "", 0)
}

// take takes a row, into the table or as one of a person, and reports whether it
// was too short or broken.
func (f *fileReader) take(row row, at place) (short bool) {
	if row.fault != "" {
		f.unreadable(at, row.fault)
		return true
	}
	p := &f.parser
	fields := f.rows.fields()
	for len(fields) > p.header.fields && len(trim(fields[len(fields)-1])) == 0 {
		fields = fields[:len(fields)-1] // superfluous delimiters, as spreadsheets write them
	}
	for f.reader.layout.ShortRows && len(fields) < p.header.fields {
		fields = append(fields, nil)
	}
	if len(fields) != p.header.fields {
		f.unreadable(at, fmt.Sprintf("%d fields: expected %d as in the header", len(fields), p.header.fields))
		return len(fields) < p.header.fields
	}
	if p.mapping == nil {
		f.person(fields, row, at)
		return false
	}
	verdict, missing := p.mapping.take(fields)
	switch {
	case f.into != nil:
		f.store(fields, verdict)
	case verdict == rowFiltered:
	case verdict == rowDangling:
		e := p.parse(fields)
		f.fold.reject(at, danglingFault(missing), string(e.id), e.school)
		f.fold.refuse(e.id, at)
	default:
		p.mapping.places(f.reader.layout, func() { f.person(fields, row, at) })
	}
	return false
}

// person reads one place of a person.
func (f *fileReader) person(fields [][]byte, row row, at place) {
	p, l := &f.parser, f.reader.layout
	e := p.parse(fields)
	if !row.ended && l.Trailer == "" && !l.OpenEnd {
		// The last field may be cut off; the others are whole.
		p.faults = p.faults[:0]
		if p.mapping != nil || p.index[numID] == p.header.fields-1 {
			e.id = nil
		}
		if p.mapping != nil || p.index[numSchool] == p.header.fields-1 {
			e.school = 0
		}
		p.fail("", schoolmail.RejectedUnreadable, "no line end: expected one, as the row may have been cut off")
	}
	for _, x := range p.faults {
		f.fold.reject(at, x, string(e.id), e.school)
	}
	if p.fatal() {
		f.fold.refuse(e.id, at)
	} else {
		f.fold.add(&e, at)
	}
}

// store keeps a row of a table.
func (f *fileReader) store(fields [][]byte, v verdict) {
	var key string
	for i, r := range f.key {
		if i > 0 {
			key += "\x1f"
		}
		key += string(trim(fields[r.field]))
	}
	if _, known := f.into.rows[key]; known || key == "" {
		return
	}
	if v == rowFiltered {
		f.into.dropped[key] = true
		return
	}
	cells := make([]string, len(f.cells))
	for i, n := range f.cells {
		cells[i] = string(trim(fields[n]))
	}
	f.into.rows[key] = cells
}

// judgeEncoding refuses a file whose names have letters that no name has, where
// another encoding makes sense of them.
func (f *fileReader) judgeEncoding() {
	if better := f.names.better(f.text.enc); len(better) > 0 {
		texts := make([]string, len(better))
		for i, e := range better {
			texts[i] = strconv.Quote(string(e))
		}
		f.errs.add(schoolmail.Position{File: f.name}, ErrEncoding,
			"read as %q, %d names have letters that no name has; as %s they make sense: set the encoding in the profile",
			f.text.enc, f.names.bad, strings.Join(texts, " or "))
	}
}

// judgeEnd says whether the end of the file is there.
func (f *fileReader) judgeEnd() {
	pos := schoolmail.Position{File: f.name, Line: f.last.line}.String()
	l := f.reader.layout
	switch {
	case f.seen == 0 && f.trailer < 0 && f.kind == schoolmail.DeliveryFull:
		f.doubt(f.name + " has no rows")
	case l.Trailer != "" && f.trailer < 0:
		f.doubt(f.name + " has no trailer, so its end may be missing")
	case l.Trailer != "" && f.trailer != f.seen:
		f.doubt(fmt.Sprintf("%s: the trailer counts %d rows, the file has %d", pos, f.trailer, f.seen))
	case l.Trailer != "":
	case f.short:
		f.doubt(pos + ": the last row is not whole, so the file may have been cut off")
	case !l.OpenEnd && f.seen > 0 && !f.last.ended:
		f.doubt(pos + ": the last line has no line end, so the file may have been cut off")
	}
}

func (r *reader) doubt(reason string) { r.incomplete = append(r.incomplete, reason) }

// trailerCount reads the row count of a trailer; a missing or bad one is 0,
// which then fits no file that has rows.
func trailerCount(fields [][]byte) int {
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.Atoi(string(trim(fields[1])))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// header reads the first line that is not blank.
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

// bind finds what the layout names among the titles.
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

// twice lists titles that the layout names and that stand there several times.
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

// bindTable finds the key and the cells of a table.
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

// ownDelimiter understands the line "sep=;" that tells spreadsheets the delimiter:
// the fields are those of the line, cut at delim.
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

// columns finds the columns by the titles of Profile.Columns.
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

// conditions makes a mapping of fields for the sake of Profile.Where.
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

// titleList quotes titles, long ones shortened.
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
