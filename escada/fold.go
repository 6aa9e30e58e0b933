package escada

import (
	"cmp"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// place is where a row stands.
type place struct{ file, line int32 }

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
}

// stay is what one row says about a person's presence at a school.
type stay struct {
	school, class, level uint32 // numbers in the vocabulary
	from, until          schoolmail.Date
	at                   place
}

func (s stay) on(d schoolmail.Date) bool {
	return schoolmail.Membership{From: s.from, Until: s.until}.On(d)
}

// maxStays is the number of different rows that a person can have.
const maxStays = 1000

// folder folds rows into persons and collects rejections.
type folder struct {
	vocabulary
	people
	layout   *layout
	day      schoolmail.Date
	files    []string
	rejected []placedRejection
	rows     []int // by number of school

	upper, lower bool // there are ids with capital and with small letters
}

type placedRejection struct {
	at place
	schoolmail.Rejection
}

func newFolder(l *layout, day schoolmail.Date) *folder {
	return &folder{layout: l, day: day, people: newPeople()}
}

func (f *folder) key(id string) schoolmail.RecordKey {
	if id == "" {
		return schoolmail.RecordKey{}
	}
	return schoolmail.RecordKey{Source: f.layout.Source, ID: id}
}

// reject notes what is wrong with a row; whose it is, is told by id and school
// as far as the row tells.
func (f *folder) reject(at place, x fault, id string, school uint32) {
	f.rejected = append(f.rejected, f.rejection(at, x, id, school))
}

func (f *folder) rejection(at place, x fault, id string, school uint32) placedRejection {
	r := schoolmail.Rejection{
		Position: schoolmail.Position{File: f.files[at.file], Line: int(at.line)},
		Kind:     x.kind, Reason: x.reason, Key: f.key(id), School: f.schools.text(school), Harmless: x.harmless,
	}
	if x.column != "" {
		r.Column = f.layout.title(x.column)
	}
	return placedRejection{at, r}
}

func (f *folder) where(p place) string {
	return schoolmail.Position{File: f.files[p.file], Line: int(p.line)}.String()
}

func (f *folder) person(id []byte, hash uint64, at place) *person {
	p, added := f.find(id, hash)
	if !added {
		return p
	}
	p.first.at = at
	for _, c := range id {
		f.upper = f.upper || 'A' <= c && c <= 'Z'
		f.lower = f.lower || 'a' <= c && c <= 'z'
	}
	return p
}

// refuse notes that a row of this id could not be read.
func (f *folder) refuse(id []byte, at place) {
	if len(id) > 0 {
		f.person(id, 0, at).bad = true
	}
}

// add takes a readable row.
func (f *folder) add(e *entry, at place) {
	for int(e.school) >= len(f.rows) {
		f.rows = append(f.rows, 0)
	}
	f.rows[e.school]++
	p := f.person(e.id, e.hash, at)
	s := stay{e.school, e.class, e.level, e.from, e.until, at}
	if !p.known {
		p.known = true
		p.role, p.family, p.given, p.language = e.role, e.family, e.given, uint8(e.language)
		p.number, p.birth = e.number, e.birth
		p.contact = f.keep(e.mail, e.phone)
		p.first = s
		return
	}
	f.compare(p, e, at)
	first, further, ok := f.repeated(p, s)
	if ok {
		if f.layout.RepeatedRows {
			return
		}
		f.reject(at, fault{"", schoolmail.RejectedRepeat, "repeats " + f.where(first), true}, string(e.id), e.school)
		return
	}
	if further == maxStays-1 {
		p.bad = true
		if !p.manyTold {
			p.manyTold = true
			f.reject(at, fault{"", schoolmail.RejectedContradiction,
				"more than 1000 different rows of one person: expected one for each class", false}, string(e.id), e.school)
		}
		return
	}
	f.addStay(p, s)
}

// compare checks a further row of a person against the first one.
func (f *folder) compare(p *person, e *entry, at place) {
	f.preferRole(p, e)
	other := func(a, b uint32) bool { return a != 0 && b != 0 && a != b }
	if p.role != e.role || p.family != e.family || p.given != e.given ||
		other(p.number, e.number) || other(p.birth, e.birth) {
		f.clash(p, e, at)
	}
	p.number, p.birth = cmp.Or(p.number, e.number), cmp.Or(p.birth, e.birth)
	// Contact fields: rows may leave them empty; of two the lesser is taken, so
	// that the order of rows does not matter.
	if uint32(p.language) != e.language {
		language := f.languages.text(uint32(p.language))
		f.merge(p, ColumnLanguage, &language, f.languages.text(e.language), e, at)
		p.language = uint8(f.languages.number(language))
	}
	f.mergeContact(p, e, at)
}

// preferRole lets the first of Profile.PreferRoles count where both roles of a
// person are among them.
func (f *folder) preferRole(p *person, e *entry) {
	have := slices.Index(f.layout.PreferRoles, roleNumbers[p.role])
	next := slices.Index(f.layout.PreferRoles, roleNumbers[e.role])
	if have < 0 || next < 0 {
		return
	}
	if next < have {
		p.role = e.role
	}
	e.role = p.role
}

func (f *folder) merge(p *person, c Column, have *string, v string, e *entry, at place) {
	if v == "" || v == *have {
		return
	}
	if *have == "" {
		*have = v
		return
	}
	*have = min(*have, v)
	told := uint8(1) << slices.Index([]Column{ColumnNoticeMail, ColumnPhone, ColumnLanguage}, c)
	if p.contradict&told != 0 {
		return
	}
	p.contradict |= told
	p.bad = p.bad || f.layout.Strict
	f.reject(at, fault{c, schoolmail.RejectedContradiction,
		"not as in other rows of the person: one of them was taken", !f.layout.Strict}, string(e.id), e.school)
}

// clash rejects two rows of one id that differ in role or name. One of them may
// be about somebody whose own id stands nowhere: without a key the rejection
// shields the whole school.
func (f *folder) clash(p *person, e *entry, at place) {
	p.bad = true
	stranger := func(other place) fault {
		return fault{ColumnID, schoolmail.RejectedDoubleID, "the same id as " + f.where(other) +
			" with another name or role: this row may be about somebody else, nobody of the school counts as gone", false}
	}
	f.reject(at, stranger(p.first.at), "", e.school)
	first := p.first.school
	if first != e.school {
		f.reject(p.first.at, stranger(at), "", first)
	}
	for _, x := range []struct {
		column Column
		same   bool
	}{
		{ColumnRole, p.role == e.role},
		{ColumnFamilyName, p.family == e.family}, {ColumnGivenName, p.given == e.given},
		{ColumnNumber, p.number == e.number || p.number == 0 || e.number == 0},
		{ColumnBirthDate, p.birth == e.birth || p.birth == 0 || e.birth == 0},
	} {
		if !x.same {
			f.reject(at, fault{x.column, schoolmail.RejectedContradiction, "not as in " + f.where(p.first.at) +
				": expected the same in all rows of a person, or another id for another person", false}, string(e.id), e.school)
		}
	}
	if !p.clashTold {
		p.clashTold = true
		f.reject(p.first.at, fault{ColumnID, schoolmail.RejectedDoubleID, "the same id stands at " + f.where(at) +
			" with another name or role: expected one id for one person", false}, string(e.id), first)
	}
}

// refuseCaseTwins rejects people whose ids differ in case only: a directory
// compares record ids without regard to case and would mix them up.
func (f *folder) refuseCaseTwins() {
	lower := make(map[string]*person, f.size)
	for p := range f.all() {
		l := strings.ToLower(string(f.id(p)))
		first, twin := lower[l]
		if !twin {
			lower[l] = p
			continue
		}
		for _, x := range [][2]*person{{first, p}, {p, first}} {
			x[0].bad = true
			f.reject(x[0].first.at, fault{ColumnID, schoolmail.RejectedDoubleID,
				"differs only in case from the id at " + f.where(x[1].first.at) +
					": expected ids that differ otherwise", false},
				string(f.id(x[0])), x[0].first.school)
		}
	}
}
