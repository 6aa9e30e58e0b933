package appsuite

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// WriteCSV writes contacts as a CSV file that OX imports: UTF-8 without byte
// order mark, commas, the titles of OX's English mapping in the first line. All
// columns must have a title ([Column.CSVTitle]) and there must be at least two.
// Distribution lists cannot be written and are an error.
//
// The cells are the bare values: OX would store any guard against spreadsheet
// formulas. Do not open the file in a spreadsheet if names come from outside.
func WriteCSV(w io.Writer, cols []Column, contacts iter.Seq[Contact]) error {
	if len(cols) < 2 {
		return errors.New("appsuite: write CSV: OX needs at least two columns")
	}
	titles := make([]string, len(cols))
	for i, c := range cols {
		info := columnsByName[c]
		if info.title == "" || info.kind == structColumn {
			return fmt.Errorf("appsuite: write CSV: column %q has no title", string(c))
		}
		titles[i] = info.title
	}
	cw := csv.NewWriter(w)
	if err := cw.Write(titles); err != nil {
		return fmt.Errorf("appsuite: write CSV: %w", err)
	}
	row := make([]string, len(cols))
	for c := range contacts {
		if c.List {
			return errors.New("appsuite: write CSV: a distribution list cannot be written as CSV")
		}
		for i, col := range cols {
			row[i] = c.Fields[col]
		}
		if err := cw.Write(row); err != nil {
			return fmt.Errorf("appsuite: write CSV: %w", err)
		}
	}
	cw.Flush()
	if err := cw.Error(); err != nil {
		return fmt.Errorf("appsuite: write CSV: %w", err)
	}
	return nil
}

// CSVError says where a CSV file cannot be read.
type CSVError struct {
	Line int // of the start of the row; the first is 1
	Err  error
}

func (e *CSVError) Error() string { return fmt.Sprintf("appsuite: CSV line %d: %v", e.Line, e.Err) }

// Unwrap returns the cause.
func (e *CSVError) Unwrap() error { return e.Err }

// ReadCSV reads a file in OX's titles, such as [Session.ExportCSV] gives. Only
// the fields of the contacts are filled, and List for rows marked as
// distribution lists. Columns with a title that is not OX's are skipped. Like
// OX, it takes the one of comma, semicolon and tab that is most frequent in the
// first line as separator. Reading ends with the first error.
func ReadCSV(r io.Reader) iter.Seq2[Contact, error] {
	return func(yield func(Contact, error) bool) {
		cr, known, err := openCSV(r)
		if err != nil {
			yield(Contact{}, err)
			return
		}
		for {
			row, err := cr.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				line := 0
				if pe, ok := errors.AsType[*csv.ParseError](err); ok {
					line = pe.StartLine
				}
				yield(Contact{}, &CSVError{line, csvCause(err)})
				return
			}
			line, _ := cr.FieldPos(0)
			c, err := contactFromCSV(known, row)
			if err != nil {
				yield(Contact{}, &CSVError{line, err})
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// openCSV reads the first line, and returns the reader of the others and what their
// columns are; nil for those with titles that are not OX's.
func openCSV(r io.Reader) (*csv.Reader, []*columnInfo, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("appsuite: read CSV: %w", err)
	}
	all = bytes.TrimPrefix(all, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(all) {
		return nil, nil, &CSVError{1, errors.New("not UTF-8")}
	}
	first, _, _ := bytes.Cut(all, []byte("\n"))
	cr := csv.NewReader(bytes.NewReader(all))
	cr.Comma = separator(first)
	titles, err := cr.Read()
	if err != nil {
		return nil, nil, &CSVError{1, csvCause(err)}
	}
	byTitle := map[string]columnInfo{}
	for _, info := range columnTable {
		if info.title != "" {
			byTitle[info.title] = info
		}
	}
	known := make([]*columnInfo, len(titles))
	found := false
	for i, t := range titles {
		if info, ok := byTitle[t]; ok {
			known[i], found = &info, true
		}
	}
	if !found {
		return nil, nil, &CSVError{1, errors.New("no title of OX found")}
	}
	return cr, known, nil
}

func contactFromCSV(known []*columnInfo, row []string) (Contact, error) {
	c := Contact{Fields: Fields{}}
	for i, text := range row {
		info := known[i]
		if info == nil || text == "" {
			continue
		}
		switch info.kind {
		case structColumn:
			c.List = true
			continue
		case dateColumn:
			t, err := csvDate(text)
			if err != nil {
				return Contact{}, fmt.Errorf("column %q: no date", info.title)
			}
			text = t.Format(dateFormat)
		case flagColumn:
			if text != "true" {
				continue
			}
		}
		c.Fields[info.name] = text
	}
	return c, nil
}

// csvDate reads the forms that OX reads.
func csvDate(s string) (time.Time, error) {
	for _, layout := range []string{"2006-01-02", "02.01.2006", "01/02/2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("not a date")
}

// csvCause is the bare reason of a csv error, without its position or contents.
func csvCause(err error) error {
	if pe, ok := errors.AsType[*csv.ParseError](err); ok {
		return pe.Err
	}
	if err == io.EOF {
		return errors.New("the file is empty")
	}
	return err
}

func separator(line []byte) rune {
	best, most := ',', strings.Count(string(line), ",")
	for _, r := range []rune{';', '\t'} {
		if n := strings.Count(string(line), string(r)); n > most {
			best, most = r, n
		}
	}
	return best
}
