package escada

import (
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

func newDate(y, m, d int) schoolmail.Date { return schoolmail.NewDate(y, time.Month(m), d) }

// daysIn returns the length of a month, 29 February included where it exists.
func daysIn(m, y int) int { return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// entry is one row of an export that could be read.
type entry struct {
	id            string
	role          schoolmail.Role
	family, given string
	school        schoolmail.SchoolID
	level         schoolmail.SchoolLevel
	class         string
	from, until   schoolmail.Date
	mail, phone   string
	language      string
}

// fault is one mistake in a row.
type fault struct {
	column   Column
	reason   string
	harmless bool
}

func (f *fault) kind() schoolmail.RejectionKind {
	switch {
	case f.column == "":
		return schoolmail.RejectedUnreadable
	case strings.HasPrefix(f.reason, "empty"):
		return schoolmail.RejectedMissing
	}
	return schoolmail.RejectedValue
}

// header maps columns to field numbers, -1 if the column is absent.
type header struct {
	index  [len(allColumns)]int
	fields int
}

// rowParser reads the fields of rows; its fault list is reused.
type rowParser struct {
	*layout
	header
	faults []fault
}

func (p *rowParser) fail(c Column, reason string) {
	p.faults = append(p.faults, fault{c, reason, false})
}

// drop reports a mistake in an optional field, whose value is then ignored.
func (p *rowParser) drop(c Column, reason string) {
	p.faults = append(p.faults, fault{c, reason, !p.Strict})
}

// parse reads one row; all that is wrong with it is then in p.faults. What
// could be read is in the entry all the same: an id or school that could not
// is empty.
func (p *rowParser) parse(fields []string) entry {
	p.faults = p.faults[:0]
	var e entry
	get := func(i int) string {
		if n := p.index[i]; n >= 0 {
			return strings.TrimSpace(fields[n])
		}
		return ""
	}
	// The order is that of allColumns.
	switch id := get(0); {
	case id == "":
		p.fail(ColumnID, "empty: expected the person's id")
	case spreadsheetNumber(id):
		p.fail(ColumnID, "a number that a spreadsheet has rounded (as in 1.2E+11): expected the id as text with all its digits")
	case !validID(id):
		p.fail(ColumnID, "expected at most 64 ASCII characters without spaces")
	default:
		e.id = id
	}
	var why string
	e.role = p.roles[foldCode(get(1))]
	if e.role == "" {
		p.fail(ColumnRole, "expected "+codeList(p.Roles))
	}
	if e.family, why = cleanName(get(2)); why != "" {
		p.fail(ColumnFamilyName, why)
	}
	if e.given, why = cleanName(get(3)); why != "" {
		p.fail(ColumnGivenName, why)
	}
	if school := get(4); validSchool(school) {
		e.school = schoolmail.SchoolID(school)
	} else if school == "" {
		p.fail(ColumnSchool, "empty: expected the code of the school")
	} else {
		p.fail(ColumnSchool, "expected the code of a school: at most 63 ASCII letters, digits, - and _, a letter or digit first and last")
	}
	if level := get(5); level != "" {
		if e.level = p.levels[foldCode(level)]; e.level == "" {
			p.fail(ColumnLevel, "expected "+codeList(p.Levels))
		}
	} else if e.role == schoolmail.RolePupil && p.index[5] >= 0 {
		p.fail(ColumnLevel, "empty for a pupil: expected "+codeList(p.Levels))
	}
	if class := get(6); class != "" {
		if e.class, _ = cleanName(class); !validClass(e.class) {
			p.fail(ColumnClass, "expected at most 32 letters, digits, spaces, dots, - and _, a letter or digit first and last")
		}
	} else if e.role == schoolmail.RolePupil && !p.ClassOptional && p.index[6] >= 0 {
		p.fail(ColumnClass, "empty for a pupil: expected the name of the class")
	}
	var ok bool
	if e.from, ok = p.dates.parse(get(7)); !ok {
		p.fail(ColumnFrom, "expected a date as "+p.DateFormat+", or nothing")
	}
	if e.until, ok = p.dates.parse(get(8)); !ok {
		p.fail(ColumnUntil, "expected a date as "+p.DateFormat+", or nothing")
	} else if !e.from.IsZero() && !e.until.IsZero() && e.until < e.from {
		p.fail(ColumnUntil, "before the date in column \""+p.title(ColumnFrom)+"\": expected the last day, not before the first")
	}
	if e.mail = get(9); e.mail != "" && !validMail(e.mail) {
		p.drop(ColumnNoticeMail, "expected one mail address, or nothing")
		e.mail = ""
	}
	if e.role != schoolmail.RolePupil {
		if e.phone = get(10); e.phone != "" && !validPhone(e.phone) {
			p.drop(ColumnPhone, "expected a telephone number, or nothing")
			e.phone = ""
		}
	}
	if language := get(11); language != "" {
		if e.language = languageCodes[foldCode(language)]; e.language == "" {
			p.drop(ColumnLanguage, "expected de, fr, it or en, or nothing")
		}
	}
	return e
}

// fatal reports whether the row must be rejected.
func (p *rowParser) fatal() bool {
	for _, f := range p.faults {
		if !f.harmless {
			return true
		}
	}
	return false
}

// codeList names the written codes: `"L" (teacher), "M" (staff) or "S" (pupil)`.
func codeList[T ~string](codes map[T][]string) string {
	keys := sortedKeys(codes)
	var b strings.Builder
	for i, k := range keys {
		switch {
		case i == 0:
		case i == len(keys)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(`"` + codes[k][0] + `" (` + string(k) + `)`)
	}
	return b.String()
}
