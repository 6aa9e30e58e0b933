package escada

import (
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

func newDate(y, m, d int) schoolmail.Date { return schoolmail.NewDate(y, time.Month(m), d) }

// daysIn returns the length of a month, 29 February included where it exists.
func daysIn(m, y int) int { return time.Date(y, time.Month(m)+1, 0, 0, 0, 0, 0, time.UTC).Day() }

// entry is one row of an export that could be read. Numbers are those of the
// vocabulary.
type entry struct {
	id            []byte // valid until the next row
	hash          uint64 // of the id; 0: not known
	role          uint8  // in roleNumbers
	family, given uint32
	school        uint32
	level         uint32
	class         uint32
	from, until   schoolmail.Date
	mail, phone   []byte // as id
	language      uint32
	number, birth uint32 // keyed hashes
}

// vocabulary numbers what stands in many rows.
type vocabulary struct {
	schools numbering[schoolmail.SchoolID]
	levels  numbering[schoolmail.SchoolLevel]
	texts   numbering[string] // names, classes, keyed hashes
	// languages are few enough for their numbers to fit a byte.
	languages numbering[string]
}

// fault is one mistake in a row.
type fault struct {
	column   Column
	kind     schoolmail.RejectionKind
	reason   string
	harmless bool
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
	*vocabulary
	faults  []fault
	fields  [][]byte
	mapping *mapping // nil: columns are fields
	memos   memos
	// suspect takes names of files in a single-byte encoding; nil in others.
	suspect func(name string)
}

// memos are what a file's fields became.
type memos struct {
	role          memo[uint8]
	family, given memo[judged[uint32]]
	school        memo[uint32]
	level         memo[uint32]
	class         memo[uint32]
	from, until   memo[judged[schoolmail.Date]]
	language      memo[uint32]
	birth         memo[judged[schoolmail.Date]]
}

// judged is a value, or what is wrong with the text.
type judged[T any] struct {
	value T
	why   string
}

func (p *rowParser) fail(c Column, kind schoolmail.RejectionKind, reason string) {
	p.faults = append(p.faults, fault{c, kind, reason, false})
}

// drop reports a mistake in an optional field, whose value is then ignored.
func (p *rowParser) drop(c Column, reason string) {
	p.faults = append(p.faults, fault{c, schoolmail.RejectedValue, reason, !p.Strict})
}

// The numbers of columns in allColumns.
const (
	numID = iota
	numRole
	numFamilyName
	numGivenName
	numSchool
	numLevel
	numClass
	numFrom
	numUntil
	numNoticeMail
	numPhone
	numLanguage
	numNumber
	numBirthDate
)

// text returns the text of a column, without spaces around it.
func (p *rowParser) text(column int) []byte {
	if p.mapping != nil {
		return p.mapping.texts[column]
	}
	if n := p.index[column]; n >= 0 {
		return trim(p.fields[n])
	}
	return nil
}

// parse reads one row; all that is wrong with it is then in p.faults. What
// could be read is in the entry all the same: an id or school that could not
// is empty.
func (p *rowParser) parse(fields [][]byte) (e entry) {
	p.faults, p.fields = p.faults[:0], fields
	p.parseID(&e)
	if e.role = p.memos.role.get(p.text(numRole), p.role); e.role == 0 {
		p.fail(ColumnRole, schoolmail.RejectedValue, "expected "+codeList(p.Roles))
	}
	e.family = p.name(numFamilyName, &p.memos.family)
	e.given = p.name(numGivenName, &p.memos.given)
	p.parsePlace(&e)
	e.from = p.date(numFrom, &p.memos.from)
	until := len(p.faults)
	e.until = p.date(numUntil, &p.memos.until)
	if len(p.faults) == until && !e.from.IsZero() && !e.until.IsZero() && e.until < e.from {
		p.fail(ColumnUntil, schoolmail.RejectedValue,
			"before the date in column \""+p.title(ColumnFrom)+"\": expected the last day, not before the first")
	}
	p.parseContact(&e)
	p.parseLanguage(&e)
	if p.key != nil {
		p.parseTraits(&e)
	}
	return e
}

func (p *rowParser) parseID(e *entry) {
	switch id := p.text(numID); {
	case len(id) == 0:
		p.fail(ColumnID, schoolmail.RejectedMissing, "empty: expected the person's id")
	case spreadsheetNumber(id):
		p.fail(ColumnID, schoolmail.RejectedValue,
			"a number that a spreadsheet has rounded (as in 1.2E+11): expected the id as text with all its digits")
	case !validID(id):
		p.fail(ColumnID, schoolmail.RejectedValue, "expected at most 64 ASCII characters without spaces")
	default:
		e.id = id
	}
}

func (p *rowParser) role(text string) uint8 { return roleNumber(p.roles[foldCode(text)]) }

func (p *rowParser) name(column int, m *memo[judged[uint32]]) uint32 {
	v := m.get(p.text(column), p.readName)
	if v.why != "" {
		p.fail(allColumns[column], nameFault(v.why), v.why)
	}
	return v.value
}

// readName gives the number of a name.
func (p *rowParser) readName(text string) (v judged[uint32]) {
	name, why := cleanName(text)
	if p.suspect != nil {
		p.suspect(name)
	}
	if why == "" {
		v.value = p.texts.number(name)
	}
	v.why = why
	return v
}

func nameFault(why string) schoolmail.RejectionKind {
	switch {
	case why == lettersLost, why == strangeLetter, why == encodedTwice:
		return schoolmail.RejectedLettersLost
	case strings.HasPrefix(why, "empty"):
		return schoolmail.RejectedMissing
	}
	return schoolmail.RejectedValue
}

// parsePlace reads school, level and class.
func (p *rowParser) parsePlace(e *entry) {
	school := p.text(numSchool)
	if len(school) == 0 {
		p.fail(ColumnSchool, schoolmail.RejectedMissing, "empty: expected the code of the school")
	} else if e.school = p.memos.school.get(school, p.schoolNumber); e.school == 0 {
		p.fail(ColumnSchool, schoolmail.RejectedValue,
			"expected the code of a school: at most 63 ASCII letters, digits, - and _, a letter or digit first and last")
	}
	pupil := e.role == pupilNumber
	if level := p.text(numLevel); len(level) > 0 {
		if e.level = p.memos.level.get(level, p.levelNumber); e.level == 0 {
			p.fail(ColumnLevel, schoolmail.RejectedValue, "expected "+codeList(p.Levels))
		}
	} else if pupil && len(p.SchoolLevels) > 0 {
		e.level = p.levelOf(e.school)
	} else if pupil && p.index[numLevel] >= 0 {
		p.fail(ColumnLevel, schoolmail.RejectedMissing, "empty for a pupil: expected "+codeList(p.Levels))
	}
	if class := p.text(numClass); len(class) > 0 {
		if e.class = p.memos.class.get(class, p.classNumber); e.class == 0 {
			p.fail(ColumnClass, schoolmail.RejectedValue,
				"expected at most 32 letters, digits, spaces, dots, - and _, a letter or digit first and last")
		}
	} else if pupil && !p.ClassOptional && p.index[numClass] >= 0 {
		p.fail(ColumnClass, schoolmail.RejectedMissing, "empty for a pupil: expected the name of the class")
	}
}

func (p *rowParser) schoolNumber(text string) uint32 {
	school := p.schoolOf(text)
	if !validSchool(string(school)) {
		return 0
	}
	return p.vocabulary.schools.number(school)
}

// levelOf gives the level of a school's pupils who have none of their own.
func (p *rowParser) levelOf(school uint32) uint32 {
	return p.vocabulary.levels.number(p.SchoolLevels[p.vocabulary.schools.text(school)])
}

func (p *rowParser) levelNumber(text string) uint32 {
	return p.vocabulary.levels.number(p.layout.levels[foldCode(text)])
}

func (p *rowParser) classNumber(text string) uint32 {
	class, _ := cleanName(text)
	if !validClass(class) {
		return 0
	}
	return p.texts.number(class)
}

func (p *rowParser) date(column int, m *memo[judged[schoolmail.Date]]) schoolmail.Date {
	text := p.text(column)
	if len(text) == 0 {
		return 0
	}
	v := m.get(text, p.dateOf)
	if v.why != "" {
		p.fail(allColumns[column], schoolmail.RejectedValue, v.why)
	}
	return v.value
}

func (p *rowParser) dateOf(text string) (v judged[schoolmail.Date]) {
	for _, format := range p.dates {
		if d, ok := format.parse(text); ok {
			v.value = d
			return v
		}
	}
	v.why = "expected a date as " + p.DateFormat + ", or nothing"
	return v
}

// parseContact reads what a person can do without.
func (p *rowParser) parseContact(e *entry) {
	if e.mail = p.text(numNoticeMail); len(e.mail) > 0 && !plainMail(e.mail) && !validMail(string(e.mail)) {
		p.drop(ColumnNoticeMail, "expected one mail address, or nothing")
		e.mail = nil
	}
	if e.role == pupilNumber {
		return
	}
	if e.phone = p.text(numPhone); len(e.phone) > 0 && !validPhone(e.phone) {
		p.drop(ColumnPhone, "expected a telephone number, or nothing")
		e.phone = nil
	}
}

// parseLanguage reads the language that a person is written to in.
func (p *rowParser) parseLanguage(e *entry) {
	if language := p.text(numLanguage); len(language) > 0 {
		if e.language = p.memos.language.get(language, p.languageNumber); e.language == 0 {
			p.drop(ColumnLanguage, "expected de, fr, it or en, or nothing")
		}
	}
}

func (p *rowParser) languageNumber(text string) uint32 {
	return p.languages.number(languageCodes[foldCode(text)])
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
