package escada

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// fileReader reads the rows of one file of fields and delimiters.
type fileReader struct {
	*reader
	name    string
	number  int32
	text    *decoder
	scan    *scanner
	parser  rowParser
	titles  [][]byte // of the header, for headers that are repeated
	rows    int
	last    row
	short   bool // the last row had too few fields or was broken
	trailer int  // row count of the trailer; -1: none so far
	names   suspects
}

// file reads the rows of one file. The error is one of reading or decoding.
func (r *reader) file(number int32, name string, text *decoder) error {
	f := &fileReader{
		reader: r, name: name, number: number, text: text, trailer: -1,
		scan: newScanner(text, r.layout.Delimiter, r.layout.quoting),
	}
	f.parser = rowParser{layout: r.layout, vocabulary: &r.fold.vocabulary}
	f.parser.suspect = func(name string) {
		if text.single() && !isASCII(name) {
			f.names.note(name)
		}
	}
	if !f.header() {
		return f.failure()
	}
	for {
		row, ok := f.scan.next()
		if !ok || !f.row(row) {
			break
		}
	}
	r.rows += f.rows
	if err := f.failure(); err != nil {
		return err
	}
	f.judgeEncoding()
	f.judgeEnd()
	return nil
}

// failure is why reading ended before the end of the file.
func (f *fileReader) failure() error {
	if f.scan.err == nil || errors.Is(f.scan.err, io.EOF) {
		return nil
	}
	return f.scan.err
}

// row reads one row and reports whether to go on.
func (f *fileReader) row(row row) bool {
	if row.isBlank && row.fault == "" {
		return true
	}
	at := place{f.number, int32(row.line)}
	f.last, f.short = row, false
	if f.trailer >= 0 {
		f.unreadable(at, "a row after the trailer: expected the end of the file")
		f.rows++
		return true
	}
	if row.fault == "" {
		fields := f.scan.fields
		fields[0] = bytes.TrimPrefix(fields[0], []byte(utf8BOM)) // a file was joined to another
		if f.layout.Trailer != "" && string(trim(fields[0])) == f.layout.Trailer {
			f.trailer = trailerCount(fields)
			return true
		}
		if slices.EqualFunc(fields, f.titles, bytes.Equal) {
			return true
		}
	}
	f.rows++
	if f.rows&0xFFF == 0 && (f.ctx.Err() != nil || len(f.fold.rejected) > f.opts.MaxRejected) {
		return false
	}
	f.short = f.person(row, at)
	return true
}

func (f *fileReader) unreadable(at place, reason string) {
	f.fold.reject(at, fault{"", schoolmail.RejectedUnreadable, reason, false}, "", 0)
}

// person reads the row of a person and reports whether it was too short or broken.
func (f *fileReader) person(row row, at place) (short bool) {
	if row.fault != "" {
		f.unreadable(at, row.fault)
		return true
	}
	p := &f.parser
	fields := f.scan.fields
	for len(fields) > p.header.fields && len(trim(fields[len(fields)-1])) == 0 {
		fields = fields[:len(fields)-1] // superfluous delimiters, as spreadsheets write them
	}
	if len(fields) != p.header.fields {
		f.unreadable(at, fmt.Sprintf("%d fields: expected %d as in the header", len(fields), p.header.fields))
		return len(fields) < p.header.fields
	}
	e := p.parse(fields)
	if !row.ended && f.layout.Trailer == "" && !f.layout.OpenEnd {
		// The last field may be cut off; the others are whole.
		p.faults = p.faults[:0]
		if p.index[numID] == p.header.fields-1 {
			e.id = nil
		}
		if p.index[numSchool] == p.header.fields-1 {
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
	return false
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
	l := f.layout
	switch {
	case f.rows == 0 && f.trailer < 0 && f.kind == schoolmail.DeliveryFull:
		f.doubt(f.name + " has no rows")
	case l.Trailer != "" && f.trailer < 0:
		f.doubt(f.name + " has no trailer, so its end may be missing")
	case l.Trailer != "" && f.trailer != f.rows:
		f.doubt(fmt.Sprintf("%s: the trailer counts %d rows, the file has %d", pos, f.trailer, f.rows))
	case l.Trailer != "":
	case f.short:
		f.doubt(pos + ": the last row is not whole, so the file may have been cut off")
	case !l.OpenEnd && f.rows > 0 && !f.last.ended:
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
func (f *fileReader) header() bool {
	row, ok := f.scan.next()
	for ok && row.isBlank {
		row, ok = f.scan.next()
	}
	if ok && row.fault == "" {
		if d, found := ownDelimiter(f.scan.fields); found {
			f.scan.setDelimiter(d)
			row, ok = f.scan.next()
		}
	}
	pos := schoolmail.Position{File: f.name, Line: row.line}
	if f.failure() != nil {
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
	for _, t := range f.scan.fields {
		f.titles = append(f.titles, bytes.Clone(t))
	}
	return f.columns(pos)
}

// ownDelimiter understands the line "sep=;" that tells spreadsheets the delimiter.
func ownDelimiter(fields [][]byte) (byte, bool) {
	if len(fields) > 2 || !bytes.EqualFold(fields[0][:min(4, len(fields[0]))], []byte("sep=")) {
		return 0, false
	}
	rest := fields[0][4:]
	if len(fields) == 2 && len(rest) == 0 && len(fields[1]) == 0 {
		return 0, false
	}
	if len(rest) == 1 {
		return rest[0], true
	}
	return 0, false
}

// columns finds the columns by the titles.
func (f *fileReader) columns(pos schoolmail.Position) bool {
	h := &f.parser.header
	for i := range h.index {
		h.index[i] = -1
	}
	h.fields = len(f.titles)
	for h.fields > 1 && len(trim(f.titles[h.fields-1])) == 0 {
		h.fields-- // superfluous delimiters
	}
	good, known := true, 0
	var unknown [][]byte
	for i, title := range f.titles[:h.fields] {
		c, ok := f.layout.titles[foldTitle(string(title))]
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
	for i, c := range allColumns {
		if h.index[i] < 0 && !slices.Contains(f.layout.Optional, c) {
			missing = append(missing, strconv.Quote(f.layout.title(c)))
		}
	}
	// What is no header is a row of people: not repeated.
	isHeader := known > 2 && known >= len(unknown) || known == h.fields
	switch {
	case len(missing) > 0 && !isHeader:
		f.errs.add(pos, ErrMissingColumn,
			"no header found: expected the titles %s, separated by %q; found %d fields, %d known titles",
			strings.Join(missing, ", "), f.scan.delim, h.fields, known)
		return false
	case len(missing) > 0:
		f.errs.add(pos, ErrMissingColumn, "%s; found %s", strings.Join(missing, ", "), titleList(f.titles[:h.fields]))
		good = false
	}
	if f.layout.Strict && len(unknown) > 0 {
		f.errs.add(pos, ErrUnknownColumn, "%s", titleList(unknown))
		good = false
	}
	return good
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
