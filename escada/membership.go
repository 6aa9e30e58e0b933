package escada

import (
	"cmp"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// memberships makes memberships of stays, one for each school of a person.
type memberships struct {
	*folder
	rejected []placedRejection
	stays    []stay // room
	room     slab[schoolmail.Membership]
	classes  slab[string]
}

// single makes the membership of a person with one stay.
func (m *memberships) single(p *person) []schoolmail.Membership {
	s, out := &p.first, m.room.take(1)
	x := &out[0]
	x.School, x.Level, x.From, x.Until = m.schools.text(s.school), m.levels.text(s.level), s.from, s.until
	if s.class > 0 {
		x.Classes = m.classes.take(1)
		x.Classes[0] = m.texts.text(s.class)
	}
	return out
}

// of folds a person's stays, one membership a school.
func (m *memberships) of(p *person) []schoolmail.Membership {
	m.stays = m.staysOf(m.stays[:0], p)
	stays := m.stays
	slices.SortFunc(stays, m.compare)
	schools := 0
	for i, s := range stays {
		if i == 0 || s.school != stays[i-1].school {
			schools++
		}
	}
	out := m.room.take(schools)[:0]
	for rest := stays; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].school == rest[0].school {
			n++
		}
		out = append(out, m.one(p, m.current(rest[:n])))
		rest = rest[n:]
	}
	return out
}

func (m *memberships) compare(a, b stay) int {
	switch {
	case a.school != b.school:
		return cmp.Compare(m.schools.text(a.school), m.schools.text(b.school))
	case a.class != b.class:
		return cmp.Compare(m.texts.text(a.class), m.texts.text(b.class))
	case a.level != b.level:
		return cmp.Compare(m.levels.text(a.level), m.levels.text(b.level))
	}
	return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.until, b.until), a.at.compare(b.at))
}

// one makes one membership of stays at one school.
func (m *memberships) one(p *person, stays []stay) schoolmail.Membership {
	first := stays[0]
	level := m.levels.text(first.level)
	out := schoolmail.Membership{School: m.schools.text(first.school), From: first.from, Until: first.until}
	classes := m.classes.take(len(stays))[:0]
	for _, s := range stays {
		if l := m.levels.text(s.level); roleNumbers[p.role] == schoolmail.RolePupil && l != level && l != "" && level != "" {
			p.bad = true
			m.rejected = append(m.rejected, m.rejection(s.at, fault{ColumnLevel, schoolmail.RejectedContradiction,
				"not as in " + m.where(first.at) + ": expected one level for a pupil at a school", false},
				string(m.id(p)), s.school))
		} else if level == "" || l != "" && l < level {
			level = l
		}
		out.From = min(out.From, s.from) // zero, open, is the least
		if s.until.IsZero() || !out.Until.IsZero() && s.until > out.Until {
			out.Until = s.until
		}
		if s.class == 0 {
			continue
		}
		if class := m.texts.text(s.class); !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	if out.Level = level; len(classes) > 0 {
		slices.Sort(classes)
		out.Classes = slices.Clip(classes)
	}
	return out
}

// current picks the stays at one school that count on the day: those that hold
// then, else those that begin next, else those that ended last.
func (m *memberships) current(stays []stay) []stay {
	if m.day.IsZero() || len(stays) == 1 {
		return stays
	}
	var next, last schoolmail.Date
	for _, s := range stays {
		if s.on(m.day) {
			return slices.DeleteFunc(slices.Clone(stays), func(s stay) bool { return !s.on(m.day) })
		}
		if s.from > m.day && (next == 0 || s.from < next) {
			next = s.from
		}
		if s.until < m.day && s.until > last {
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
