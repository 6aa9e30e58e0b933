package escada

import (
	"bytes"

	"github.com/ictmedia/schoolmail"
)

// quick reads the rows of a file that have nothing wrong: nearly all of an export. A
// text that stands in many of them is read once. It takes no row that the fileReader
// would not take just so; every other one is left to it, which says what is wrong.
type quick struct {
	*fileReader
	on      bool
	columns []quickColumn // without ids, addresses and telephone numbers
	// hashes are those of the ids of rows of a batch, from the row first on.
	hashes []uint64
	first  int
	of     int
}

// quickColumn is a column whose texts stand in many rows.
type quickColumn struct {
	number int // of the column
	field  int
	read   func(text string) uint32 // 0: something is wrong
	known
}

// start decides whether rows of the file can be read so.
func (q *quick) start(f *fileReader) {
	q.fileReader = f
	q.on = f.ahead != nil && f.parser.mapping == nil && f.into == nil
	for _, column := range []int{numID, numRole, numFamilyName, numGivenName, numSchool} {
		q.on = q.on && f.parser.index[column] >= 0
	}
	p := &f.parser
	name := func(text string) uint32 { return p.readName(text).value }
	date := func(text string) uint32 { return uint32(p.dateOf(text).value) }
	for _, c := range []quickColumn{
		{number: numRole, read: func(text string) uint32 { return uint32(p.role(text)) }},
		{number: numFamilyName, read: name}, {number: numGivenName, read: name}, {number: numSchool, read: p.schoolNumber},
		{number: numLevel, read: p.levelNumber}, {number: numClass, read: p.classNumber},
		{number: numFrom, read: date}, {number: numUntil, read: date}, {number: numLanguage, read: p.languageNumber},
	} {
		if c.field = p.index[c.number]; c.field >= 0 {
			c.known = newKnown()
			q.columns = append(q.columns, c)
		}
	}
}

// run reads rows until there is one for the fileReader, or no more, and reports
// whether to go on.
func (q *quick) run() bool {
	if !q.on || q.trailer >= 0 {
		return true
	}
	a := q.ahead
	for a.wait() {
		b := a.now
		for ; a.at < len(b.rows); a.at++ {
			r := &b.rows[a.at]
			if r.other >= 0 {
				return true
			}
			spans := b.spans[r.from:r.to]
			e := entry{hash: q.hash()}
			if !q.read(&e, b.buf, spans) {
				return true
			}
			q.last, q.short = row{line: int(r.line), ended: true}, false
			if !q.count() {
				return false
			}
			q.fold.add(&e, place{q.number, r.line})
		}
	}
	return true
}

// hash gives that of the next row's id, where ids are looked for by their hashes, and
// sees to it that nobody waits for the memory of the people table row by row.
func (q *quick) hash() uint64 {
	if q.fold.slots == nil {
		return 0
	}
	a := q.ahead
	if i := a.at - q.first; 0 <= i && i < len(q.hashes) && q.of == a.batches {
		return q.hashes[i]
	}
	b := a.now
	q.first, q.of, q.hashes = a.at, a.batches, q.hashes[:0]
	n := int32(q.parser.index[numID])
	for _, r := range b.rows[a.at:min(len(b.rows), a.at+hashesAtOnce)] {
		h := uint64(0)
		if r.other < 0 && n < r.to-r.from {
			x := b.spans[r.from+n]
			h = q.fold.hash(b.buf[x.from:x.to])
		}
		q.hashes = append(q.hashes, h)
	}
	q.fold.touch(q.hashes)
	return q.hashes[0]
}

// read reads a row, if it can.
func (q *quick) read(e *entry, buf []byte, spans []span) bool {
	p := &q.parser
	for len(spans) > p.header.fields && spans[len(spans)-1].from == spans[len(spans)-1].to {
		spans = spans[:len(spans)-1]
	}
	if len(spans) != p.header.fields || q.marked(buf, spans) {
		return false
	}
	x := spans[p.index[numID]]
	if e.id = buf[x.from:x.to]; !validID(e.id) || spreadsheetNumber(e.id) {
		return false
	}
	var values [numLanguage + 1]uint32
	for i := range q.columns {
		c := &q.columns[i]
		x := spans[c.field]
		if x.from == x.to {
			continue
		}
		var ok bool
		if values[c.number], ok = c.first(buf, x); ok {
			continue
		}
		if values[c.number], ok = c.get(buf, x); !ok {
			if values[c.number], ok = q.learn(c, buf, x); !ok {
				return false
			}
		}
	}
	e.role, e.family, e.given = uint8(values[numRole]), values[numFamilyName], values[numGivenName]
	e.school, e.level, e.class = values[numSchool], values[numLevel], values[numClass]
	e.from, e.until = schoolmail.Date(values[numFrom]), schoolmail.Date(values[numUntil])
	e.language = values[numLanguage]
	return q.whole(e) && q.rest(e, buf, spans)
}

// learn reads a text that was not there before, and remembers it if nothing is wrong.
func (q *quick) learn(c *quickColumn, buf []byte, x span) (uint32, bool) {
	text := trim(buf[x.from:x.to])
	if len(text) == 0 {
		return 0, true
	}
	v := c.read(string(text))
	if v != 0 {
		c.put(buf, x, v)
	}
	return v, v != 0
}

// marked reports whether the row may be a trailer, a footer or a repeated header.
func (q *quick) marked(buf []byte, spans []span) bool {
	if l := q.reader.layout; l.Trailer != "" || len(l.Footers) > 0 {
		first := trim(buf[spans[0].from:spans[0].to])
		if l.Trailer != "" && string(first) == l.Trailer || isFooter(l, first) {
			return true
		}
	}
	n := q.parser.index[numID]
	return n < len(q.titles) && bytes.Equal(buf[spans[n].from:spans[n].to], q.titles[n])
}

// whole reports whether the entry has what it must have.
func (q *quick) whole(e *entry) bool {
	p := &q.parser
	if e.role == 0 || e.family == 0 || e.given == 0 || e.school == 0 ||
		e.from != 0 && e.until != 0 && e.until < e.from {
		return false
	}
	if e.role != pupilNumber {
		return true
	}
	if e.level == 0 {
		if len(p.SchoolLevels) > 0 {
			e.level = p.levelOf(e.school)
		} else if p.index[numLevel] >= 0 {
			return false
		}
	}
	return e.class != 0 || p.ClassOptional || p.index[numClass] < 0
}

// rest reads what is another text in each row.
func (q *quick) rest(e *entry, buf []byte, spans []span) bool {
	p := &q.parser
	given := func(column int) bool {
		n := p.index[column]
		return n >= 0 && spans[n].from < spans[n].to
	}
	traits := p.key != nil && (given(numNumber) || given(numBirthDate))
	if !traits && !given(numNoticeMail) && !given(numPhone) {
		return true
	}
	p.faults, p.fields = p.faults[:0], q.ahead.texts(spans)
	p.parseContact(e)
	if traits {
		p.parseTraits(e)
	}
	return len(p.faults) == 0
}
