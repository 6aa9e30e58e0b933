package escada

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// place is where a row stands.
type place struct{ file, line int }

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line))
}

// stay is what one row says about a person's presence at a school.
type stay struct {
	school      schoolmail.SchoolID
	class       string
	level       schoolmail.SchoolLevel
	from, until schoolmail.Date
	at          place
}

func (s stay) compare(o stay) int {
	return cmp.Or(cmp.Compare(s.school, o.school), cmp.Compare(s.class, o.class), cmp.Compare(s.level, o.level),
		cmp.Compare(s.from, o.from), cmp.Compare(s.until, o.until), s.at.compare(o.at))
}

func (s stay) on(d schoolmail.Date) bool {
	return schoolmail.Membership{From: s.from, Until: s.until}.On(d)
}

// person collects the rows of an id.
type person struct {
	entry      // of the first readable row: role and names; contact fields of all
	at         place
	known      bool // entry is set
	bad        bool // not to be delivered
	clashTold  bool // the first row is already rejected
	stays      []stay
	contradict []Column // contact columns already reported as contradicting
}

// folder folds rows into persons and collects rejections.
type folder struct {
	layout   *layout
	day      schoolmail.Date
	files    []string
	people   map[string]*person
	rejected []placedRejection
	rows     map[schoolmail.SchoolID]int
}

type placedRejection struct {
	at place
	schoolmail.Rejection
}

func (f *folder) key(id string) schoolmail.RecordKey {
	if id == "" {
		return schoolmail.RecordKey{}
	}
	return schoolmail.RecordKey{Source: f.layout.Source, ID: id}
}

// reject notes a mistake. column may be empty.
func (f *folder) reject(at place, c Column, id string, school schoolmail.SchoolID, harmless bool, m schoolmail.RejectionKind, reason string) {
	r := schoolmail.Rejection{
		Position: schoolmail.Position{File: f.files[at.file], Line: at.line},
		Kind:     m, Reason: reason, Key: f.key(id), School: school, Harmless: harmless,
	}
	if c != "" {
		r.Column = f.layout.title(c)
	}
	f.rejected = append(f.rejected, placedRejection{at, r})
}

func (f *folder) where(p place) string {
	return schoolmail.Position{File: f.files[p.file], Line: p.line}.String()
}

func (f *folder) person(id string, at place) *person {
	p := f.people[id]
	if p == nil {
		p = &person{at: at}
		f.people[id] = p
	}
	return p
}

// refuse notes that a row of this id could not be read.
func (f *folder) refuse(id string, at place) {
	if id != "" {
		f.person(id, at).bad = true
	}
}

// add takes a readable row.
func (f *folder) add(e entry, at place) {
	f.rows[e.school]++
	p := f.person(e.id, at)
	if !p.known {
		p.entry, p.at, p.known = e, at, true
	} else {
		f.compare(p, e, at)
	}
	p.stays = append(p.stays, stay{e.school, e.class, e.level, e.from, e.until, at})
}

// compare checks a further row of a person against the first one.
func (f *folder) compare(p *person, e entry, at place) {
	stranger := false
	clash := func(c Column, same bool) {
		if same {
			return
		}
		p.bad = true
		if !stranger {
			// One of the two rows may be about somebody whose own id stands
			// nowhere: without a key the rejection shields the whole school.
			stranger = true
			f.reject(at, ColumnID, "", e.school, false, schoolmail.RejectedDoubleID, "the same id as "+f.where(p.at)+
				" with another name or role: this row may be about somebody else, nobody of the school counts as gone")
			if p.school != e.school {
				f.reject(p.at, ColumnID, "", p.school, false, schoolmail.RejectedDoubleID, "the same id as "+f.where(at)+
					" with another name or role: this row may be about somebody else, nobody of the school counts as gone")
			}
		}
		f.reject(at, c, e.id, e.school, false, schoolmail.RejectedContradiction, "not as in "+f.where(p.at)+
			": expected the same in all rows of a person, or another id for another person")
		if !p.clashTold {
			p.clashTold = true
			f.reject(p.at, ColumnID, p.id, p.school, false, schoolmail.RejectedDoubleID, "the same id stands at "+f.where(at)+
				" with another name or role: expected one id for one person")
		}
	}
	clash(ColumnRole, p.role == e.role)
	clash(ColumnFamilyName, p.family == e.family)
	clash(ColumnGivenName, p.given == e.given)

	// Contact fields: rows may leave them empty; of two the lesser is taken, so
	// that the order of rows does not matter.
	merge := func(c Column, have *string, v string) {
		if v == "" || v == *have {
			return
		}
		if *have == "" {
			*have = v
			return
		}
		*have = min(*have, v)
		if !slices.Contains(p.contradict, c) {
			p.contradict = append(p.contradict, c)
			if f.layout.Strict {
				p.bad = true
			}
			f.reject(at, c, e.id, e.school, !f.layout.Strict, schoolmail.RejectedContradiction, "not as in other rows of the person: one of them was taken")
		}
	}
	merge(ColumnNoticeMail, &p.mail, e.mail)
	merge(ColumnPhone, &p.phone, e.phone)
	merge(ColumnLanguage, &p.language, e.language)
}

// finish folds what was collected.
func (f *folder) finish() []schoolmail.Record {
	f.refuseCaseTwins()
	ids := sortedKeys(f.people)
	records := make([]schoolmail.Record, 0, len(ids))
	for _, id := range ids {
		p := f.people[id]
		if !p.known || p.bad {
			continue
		}
		r := schoolmail.Record{
			Key: f.key(id), Role: p.role, GivenName: p.given, FamilyName: p.family,
			NoticeMail: p.mail, Phone: p.phone, Language: p.language,
		}
		if r.Memberships = f.memberships(p); !p.bad {
			records = append(records, r)
		}
	}
	slices.SortStableFunc(f.rejected, func(a, b placedRejection) int { return a.at.compare(b.at) })
	return records
}

// refuseCaseTwins rejects people whose ids differ in case only: a directory
// compares record ids without regard to case and would mix them up.
func (f *folder) refuseCaseTwins() {
	lower := make(map[string]string, len(f.people))
	for _, id := range sortedKeys(f.people) {
		l := strings.ToLower(id)
		first, twin := lower[l]
		if !twin {
			lower[l] = id
			continue
		}
		a, b := f.people[first], f.people[id]
		for _, x := range []struct {
			id      string
			p, twin *person
		}{{first, a, b}, {id, b, a}} {
			x.p.bad = true
			f.reject(x.p.at, ColumnID, x.id, x.p.school, false, schoolmail.RejectedDoubleID, "differs only in case from the id at "+f.where(x.twin.at)+
				": expected ids that differ otherwise")
		}
	}
}

// memberships folds a person's stays, one membership a school.
func (f *folder) memberships(p *person) []schoolmail.Membership {
	slices.SortFunc(p.stays, stay.compare)
	kept := p.stays[:0]
	for i, s := range p.stays {
		if i > 0 {
			last := kept[len(kept)-1]
			first := last.at
			if last.at = s.at; last == s {
				f.reject(s.at, "", p.id, s.school, true, schoolmail.RejectedRepeat, "repeats "+f.where(first))
				continue
			}
		}
		kept = append(kept, s)
	}
	var out []schoolmail.Membership
	for len(kept) > 0 {
		n := 1
		for n < len(kept) && kept[n].school == kept[0].school {
			n++
		}
		out = append(out, f.membership(p, f.current(kept[:n])))
		kept = kept[n:]
	}
	return out
}

// membership makes one membership of stays at one school.
func (f *folder) membership(p *person, stays []stay) schoolmail.Membership {
	first := stays[0]
	m := schoolmail.Membership{School: first.school, Level: first.level, From: first.from, Until: first.until}
	for _, s := range stays {
		if s.level != m.Level {
			if p.role == schoolmail.RolePupil {
				p.bad = true
				f.reject(s.at, ColumnLevel, p.id, s.school, false, schoolmail.RejectedContradiction, fmt.Sprintf("not as in %s: expected one level for a pupil at a school", f.where(first.at)))
			} else if m.Level == "" || s.level != "" && s.level < m.Level {
				m.Level = s.level
			}
		}
		if s.from < m.From { // zero, open, is the least
			m.From = s.from
		}
		if s.until.IsZero() || !m.Until.IsZero() && s.until > m.Until {
			m.Until = s.until
		}
		if s.class != "" && !slices.Contains(m.Classes, s.class) {
			m.Classes = append(m.Classes, s.class)
		}
	}
	slices.Sort(m.Classes)
	return m
}

// current picks the stays at one school that count on the day: those that hold
// then, else those that begin next, else those that ended last.
func (f *folder) current(stays []stay) []stay {
	if f.day.IsZero() || len(stays) == 1 {
		return stays
	}
	var next, last schoolmail.Date
	for _, s := range stays {
		if s.on(f.day) {
			return slices.DeleteFunc(slices.Clone(stays), func(s stay) bool { return !s.on(f.day) })
		}
		if s.from > f.day && (next == 0 || s.from < next) {
			next = s.from
		}
		if s.until < f.day && s.until > last {
			last = s.until
		}
	}
	return slices.DeleteFunc(slices.Clone(stays), func(s stay) bool {
		if next != 0 {
			return s.from != next
		}
		return s.until != last
	})
}
