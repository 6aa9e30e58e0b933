package escada

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Write writes records as an export file in the profile's layout (nil: the
// default), so that reading it gives the same records back. It is there for
// tests, rehearsals and simulators; lines end with CRLF.
//
// A record that could not be read back (no membership, an invalid name, text
// that the encoding lacks, another source) is an error of kind [ErrRecord].
// All are reported at once, and then nothing is written.
func Write(w io.Writer, records []schoolmail.Record, p *Profile) error {
	l, err := p.compile()
	if err != nil {
		return err
	}
	x := &writer{layout: l, check: rowParser{layout: l, vocabulary: &vocabulary{}}}
	if l.Format != FormatCSV || len(l.Layout) > 0 {
		return Errors{{Kind: ErrProfile, Detail: "Write writes CSV files of one sort"}}
	}
	x.check.header.fields = len(written)
	x.check.index[numNumber], x.check.index[numBirthDate] = -1, -1
	for i, c := range written {
		x.check.index[i] = i
		x.field(i, l.title(c))
	}
	x.out.WriteString("\r\n")
	for _, r := range records {
		x.record(r)
	}
	if l.Trailer != "" {
		fmt.Fprintf(&x.out, "%s%c%d\r\n", l.Trailer, l.Delimiter, x.rows)
	}
	data, ok := encode(x.out.String(), l.Encoding)
	if !ok {
		x.errs.add(schoolmail.Position{}, ErrRecord, "a title cannot be written in %s", l.Encoding)
	}
	if err := x.errs.err(); err != nil {
		return err
	}
	if l.BOM {
		data = append([]byte(utf8BOM), data...)
	}
	_, err = w.Write(data)
	return err
}

type writer struct {
	layout *layout
	check  rowParser
	out    bytes.Buffer
	rows   int
	errs   Errors
	raw    [numNumber][]byte
}

func (x *writer) record(r schoolmail.Record) {
	bad := func(format string, args ...any) {
		x.errs.add(schoolmail.Position{}, ErrRecord, "%s: %s", r.Key, fmt.Sprintf(format, args...))
	}
	if r.Key.Source != x.layout.Source {
		bad("expected source %q", x.layout.Source)
		return
	}
	if len(r.Memberships) == 0 {
		bad("no school, so no row")
		return
	}
	for _, m := range r.Memberships {
		classes := m.Classes
		if len(classes) == 0 {
			classes = []string{""}
		}
		for _, class := range classes {
			if !x.line(r, m, class, bad) {
				return
			}
		}
	}
}

// line writes one row of a record, if it would be read back as it is.
func (x *writer) line(r schoolmail.Record, m schoolmail.Membership, class string, bad func(string, ...any)) bool {
	l := x.layout
	row := [numNumber]string{
		r.Key.ID, firstCode(l.Roles, r.Role), r.FamilyName, r.GivenName, string(m.School), firstCode(l.Levels, m.Level),
		class, l.dates[0].format(m.From), l.dates[0].format(m.Until), r.NoticeMail, r.Phone, r.Language,
	}
	for i, v := range row {
		x.raw[i] = []byte(v)
	}
	e := x.check.parse(x.raw[:])
	for _, f := range x.check.faults {
		bad("column %q: %s", l.title(f.column), f.reason)
	}
	if len(x.check.faults) > 0 {
		return false
	}
	words := x.check.vocabulary
	family, given, language := words.texts.text(e.family), words.texts.text(e.given), words.languages.text(e.language)
	same := string(e.id) == r.Key.ID && e.role == roleNumber(r.Role) && family == r.FamilyName && given == r.GivenName &&
		words.schools.text(e.school) == m.School && words.levels.text(e.level) == m.Level &&
		words.texts.text(e.class) == class && e.from == m.From && e.until == m.Until &&
		string(e.mail) == r.NoticeMail && string(e.phone) == r.Phone && language == r.Language
	if !same {
		bad("has a value that would be read back changed")
		return false
	}
	x.rows++
	for i, v := range row {
		if len(v) > maxField {
			bad("column %q: longer than %d bytes", l.title(allColumns[i]), maxField)
		}
		if _, ok := encode(v, l.Encoding); !ok {
			bad("column %q: cannot be written in %s", l.title(allColumns[i]), l.Encoding)
			return false
		}
		x.field(i, v)
	}
	x.out.WriteString("\r\n")
	return true
}

// field writes one field of a row, in quotes where needed.
func (x *writer) field(i int, v string) {
	if i > 0 {
		x.out.WriteByte(byte(x.layout.Delimiter))
	}
	if !strings.ContainsAny(v, "\\\"\r\n"+string(x.layout.Delimiter)) && !(i == 0 && strings.HasPrefix(v, utf8BOM)) {
		x.out.WriteString(v)
		return
	}
	x.out.WriteByte('"')
	if x.layout.quoting == quotingBackslash {
		x.out.WriteString(strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(v))
	} else {
		x.out.WriteString(strings.ReplaceAll(v, `"`, `""`))
	}
	x.out.WriteByte('"')
}

func firstCode[T ~string](codes map[T][]string, v T) string {
	if c := codes[v]; len(c) > 0 {
		return c[0]
	}
	return ""
}
