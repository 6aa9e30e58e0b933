package district

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Signed is a list that somebody answers for: a CSV file with semicolons. Its first
// rows are "by" with a name, "date" with a day and "reason" with a text; then comes a
// row of titles, then the list. Lines that begin with # are comments.
type Signed struct {
	File   string
	SHA256 string // hex
	By     string
	Date   schoolmail.Date
	Reason string
	Rows   []SignedRow
}

// SignedRow is a row of a signed list; its fields stand in the order that was asked for.
type SignedRow struct {
	Line    int
	Fields  []string
	Columns []int // in which the fields begin, in bytes from 1
}

// ReadSigned reads a signed list with these columns; others are left alone. Without a
// name, a day and, unless it is not needed, a reason it is refused. Its error is
// [Errors], with all mistakes, or that of reading the file.
func ReadSigned(file string, needReason bool, columns ...string) (*Signed, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	s := &Signed{File: file, SHA256: hex.EncodeToString(sum[:])}
	r := &signedReader{csv: csv.NewReader(bytes.NewReader(skipMark(data))), s: s, columns: columns}
	r.csv.Comma, r.csv.Comment, r.csv.FieldsPerRecord = ';', '#', -1
	r.read()
	if len(r.errs) == 0 {
		switch {
		case r.at == nil:
			r.bad(1, "expected a row of titles: %s", strings.Join(columns, ";"))
		case s.By == "" || s.Date.IsZero() || needReason && s.Reason == "":
			r.bad(1, "not signed: expected rows by;NAME and date;YYYY-MM-DD%s before the titles",
				map[bool]string{true: " and reason;TEXT"}[needReason])
		}
	}
	if len(r.errs) > 0 {
		return nil, r.errs
	}
	return s, nil
}

type signedReader struct {
	csv     *csv.Reader
	s       *Signed
	columns []string
	at      []int // the columns' places; nil before the titles
	errs    Errors
}

func (r *signedReader) bad(line int, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.s.File, Line: line, Column: 1, Kind: ErrValue,
		Message: fmt.Sprintf(format, args...)})
}

func (r *signedReader) read() {
	for {
		row, err := r.csv.Read()
		if err == io.EOF {
			return
		}
		if p, ok := errors.AsType[*csv.ParseError](err); ok {
			r.bad(p.Line, "expected fields with semicolons between")
			return
		}
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		line, _ := r.csv.FieldPos(0)
		switch {
		case r.at != nil:
			r.entry(line, row)
		case !r.sign(line, row):
			r.titles(line, row)
		}
	}
}

// sign reads a row before the titles, or reports that it is none.
func (r *signedReader) sign(line int, row []string) bool {
	if len(row) < 2 {
		return false
	}
	switch row[0] {
	case "by":
		r.s.By = row[1]
	case "reason":
		r.s.Reason = row[1]
	case "date":
		if row[1] == "" {
			return true
		}
		if err := r.s.Date.UnmarshalText([]byte(row[1])); err != nil {
			r.bad(line, "date: expected a day, YYYY-MM-DD")
		}
	default:
		return false
	}
	return true
}

func (r *signedReader) titles(line int, row []string) {
	r.at = []int{}
	for _, c := range r.columns {
		i := slices.Index(row, c)
		if i < 0 {
			r.bad(line, "expected a row of titles with a column %q", c)
		}
		r.at = append(r.at, i)
	}
}

func (r *signedReader) entry(line int, row []string) {
	fields, columns := make([]string, len(r.at)), make([]int, len(r.at))
	for i, at := range r.at {
		if at >= 0 && at < len(row) {
			fields[i] = row[at]
			_, columns[i] = r.csv.FieldPos(at)
		}
		if at >= 0 && fields[i] == "" {
			r.bad(line, "column %q is empty", r.columns[i])
		}
	}
	r.s.Rows = append(r.s.Rows, SignedRow{line, fields, columns})
}

// pairs reads the lists of new ids.
func (l *loader) pairs() {
	for i, name := range l.c.Export.PairsFiles {
		file := l.abs(name)
		l.c.Export.PairsFiles[i] = file
		s, err := ReadSigned(file, true, "old", "new")
		if list, ok := errors.AsType[Errors](err); ok {
			l.errs = append(l.errs, list...)
			continue
		}
		if err != nil {
			l.bad("export.pairs_files", "%v", err)
			continue
		}
		k := schoolmail.Rekeying{SHA256: s.SHA256, By: s.By + ", " + s.Date.String(), Reason: s.Reason}
		for _, row := range s.Rows {
			k.Pairs = append(k.Pairs, schoolmail.Pair{Old: row.Fields[0], New: row.Fields[1]})
		}
		l.c.Export.Rekeyings = append(l.c.Export.Rekeyings, k)
	}
}
