package addressbook

import (
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// CSVOptions change how books are written as CSV. The zero value is what
// Open-Xchange imports.
type CSVOptions struct {
	// Spreadsheet puts an apostrophe before cells that a spreadsheet would
	// take for a formula (those beginning with = + - @, a tab or a line break,
	// or with an apostrophe), telephone numbers such as +41 among them. Open-Xchange would
	// import the apostrophe.
	Spreadsheet bool
	// Keys adds the entries' keys (Dynamic Field 19).
	Keys bool
}

func (o *CSVOptions) orDefault() CSVOptions {
	if o == nil {
		return CSVOptions{}
	}
	return *o
}

// csvStore knows how fields and columns belong together.
var csvStore = &oxStore{key: appsuite.UserField19, mark: appsuite.UserField18}

func csvColumns(keys bool) []appsuite.Column {
	cols := csvStore.columns()
	cols = cols[:len(cols)-1] // no mark
	if !keys {
		cols = cols[:len(cols)-1]
	}
	return cols
}

// WriteCSV writes the people of a book in Open-Xchange's titles: UTF-8, commas,
// one line of titles. Distribution lists have no form in CSV and are left out.
//
// Do not import the file into a folder that [Sync] keeps: Open-Xchange 8.19
// adds every row again, 7.x matches by name and overwrites namesakes.
func WriteCSV(w io.Writer, entries []Entry, opts *CSVOptions) error {
	o := opts.orDefault()
	cols := csvColumns(o.Keys)
	return appsuite.WriteCSV(w, cols, func(yield func(appsuite.Contact) bool) {
		for _, e := range entries {
			if e.IsList() {
				continue
			}
			fields := csvStore.fields(e)
			if o.Spreadsheet {
				for col, text := range fields {
					fields[col] = guard(text)
				}
			}
			if !yield(appsuite.Contact{Fields: fields}) {
				return
			}
		}
	})
}

// ReadCSV reads what [WriteCSV] wrote with the same options, or any file in
// Open-Xchange's titles. Reading ends with the first mistake, which says where.
func ReadCSV(r io.Reader, opts *CSVOptions) ([]Entry, error) {
	o := opts.orDefault()
	var entries []Entry
	for c, err := range appsuite.ReadCSV(r) {
		if err != nil {
			return nil, err
		}
		if o.Spreadsheet {
			for col, text := range c.Fields {
				c.Fields[col] = unguard(text)
			}
		}
		if !o.Keys {
			delete(c.Fields, csvStore.key)
		}
		delete(c.Fields, csvStore.mark)
		entries = append(entries, csvStore.entry(c))
	}
	return slices.Clip(entries), nil
}

const formulaStarts = "=+-@\t\r\n'"

func guard(s string) string {
	if s != "" && strings.ContainsRune(formulaStarts, rune(s[0])) {
		return "'" + s
	}
	return s
}

func unguard(s string) string {
	if rest, ok := strings.CutPrefix(s, "'"); ok && rest != "" && strings.ContainsRune(formulaStarts, rune(rest[0])) {
		return rest
	}
	return s
}
