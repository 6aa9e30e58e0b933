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
	quick   quick
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
	f.quick.start(f)
	for f.quick.run() {
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
		if isFooter(l, trim(fields[0])) {
			return true
		}
	}
	if !f.count() {
		return false
	}
	f.short = f.take(row, at)
	return true
}

// count counts a row of data and reports whether to go on.
func (f *fileReader) count() bool {
	f.seen++
	return f.seen&0xFFF != 0 || f.ctx.Err() == nil && len(f.fold.rejected) <= f.opts.MaxRejected
}

func isFooter(l *layout, first []byte) bool {
	for _, footer := range l.Footers {
		if bytes.HasPrefix(first, []byte(footer)) {
			return true
		}
	}
	return false
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
		r := f.fold.rejection(at, x, string(e.id), e.school)
		if len(e.id) == 0 { // then by the name, if by anything
			r.GivenName, r.FamilyName = p.texts.text(e.given), p.texts.text(e.family)
		}
		f.fold.rejected = append(f.fold.rejected, r)
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
// bind finds what the layout names among the titles.
// twice lists titles that the layout names and that stand there several times.
// bindTable finds the key and the cells of a table.
// ownDelimiter understands the line "sep=;" that tells spreadsheets the delimiter:
// the fields are those of the line, cut at delim.
// columns finds the columns by the titles of Profile.Columns.
// conditions makes a mapping of fields for the sake of Profile.Where.
// titleList quotes titles, long ones shortened.
