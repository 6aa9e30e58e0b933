package schoolmail

import (
	"math/bits"
	"slices"
)

// Mark remembers a change of an account that a guard counts: which guard, on
// what day, and role and school as they were before. Marks let guards count over
// their window and by what the world was before the day's runs; they live in the
// directory, with the life cycle, so that a lost folder loses none.
type Mark struct {
	Guard  string   `json:"guard"`
	On     Date     `json:"on"`
	Role   Role     `json:"role,omitempty"`
	School SchoolID `json:"school,omitempty"`
}

// changeGuard is a guard on changes of accounts.
type changeGuard struct {
	name   string
	words  string            // what it counts
	fields []string          // those whose changes it counts
	moves  func(m move) bool // or how memberships change; nil: in no way
}

// changeGuards in the order in which they are asked. A change that one of them
// holds back waits whole, and the others do not count it.
var changeGuards = []changeGuard{
	{"roles", "changes of role", []string{"role"}, nil},
	{"renames", "changes of name", []string{"given_name", "family_name", "username", "mail", "called"}, nil},
	{"schools", "changes of school", nil, move.leavesSchools},
	{"memberships", "people who leave one of several schools", nil, move.losesSchools},
	{"classes", "changes of class", nil, func(m move) bool { return m.classes }},
	{"access", "changes of access", []string{"access"}, nil},
	{"private-mail", "changes of private address", []string{"notice_mail"}, nil},
	{"languages", "changes of language", []string{"language"}, nil},
	{"telephones", "changes of telephone", []string{"phone"}, nil},
}

// guardSet says which of the guards on changes count something, a bit for each.
type guardSet uint16

// move says how the memberships of somebody change.
type move struct {
	left, kept int  // schools
	classes    bool // they are others at a school that stays
}

func moveOf(before, after []Membership) (m move) {
	for i := range before {
		stays := false
		for j := range after {
			if after[j].School == before[i].School {
				stays = true
				m.classes = m.classes || !slices.Equal(after[j].Classes, before[i].Classes)
			}
		}
		if stays {
			m.kept++
		} else {
			m.left++
		}
	}
	return m
}

// leavesSchools reports whether none of the schools stays.
func (m move) leavesSchools() bool { return m.left > 0 && m.kept == 0 }

// losesSchools reports whether some of the schools stay, but not all.
func (m move) losesSchools() bool { return m.left > 0 && m.kept > 0 }

// guardsOn returns the guards that count a change of an account.
func guardsOn(before, after *Account, fields []string) (set guardSet) {
	m := moveOf(before.Memberships, after.Memberships)
	for i := range changeGuards {
		g := &changeGuards[i]
		for _, f := range g.fields {
			if slices.Contains(fields, f) {
				set |= 1 << i
			}
		}
		if g.moves != nil && g.moves(m) {
			set |= 1 << i
		}
	}
	return set
}

// marked returns the marks of an account after a change: those that still count,
// and one for each guard that the change concerns.
func (d *decisions) marked(before, after *Account, fields []string) []Mark {
	set := guardsOn(before, after, fields)
	marks := d.marks.take(len(before.Marks) + bits.OnesCount16(uint16(set)))[:0]
	for _, m := range before.Marks {
		if d.now.Sub(m.On) < d.window() {
			marks = append(marks, m)
		}
	}
	for i := range changeGuards {
		if set&(1<<i) != 0 {
			m := Mark{Guard: changeGuards[i].name, On: d.now, Role: before.Role}
			if len(before.Memberships) > 0 {
				m.School = before.Memberships[0].School
			}
			marks = append(marks, m)
		}
	}
	if len(marks) == 0 {
		return nil
	}
	return marks
}

const guardTransfers = "transfers"

// moved returns the marks of an account after a transfer: those that still count, and one
// of the transfer.
func (in *given) moved(a *Account, c *claim) []Mark {
	marks := slices.DeleteFunc(slices.Clone(a.Marks), func(m Mark) bool {
		return in.now.Sub(m.On) >= in.window() || m.Guard == guardTransfers
	})
	return append(marks, Mark{Guard: guardTransfers, On: in.now, Role: c.before.Role, School: c.home})
}

// window is the number of days, up to today, over which guards count: within a
// change of terms at least all of it up to now.
func (in *given) window() int {
	if in.days == 0 {
		in.days = in.windowDays()
	}
	return in.days
}

func (in *given) windowDays() int {
	days := in.policy.Guards.WindowDays
	for _, w := range in.policy.TermChanges {
		if w.From <= in.now && in.now <= w.Until {
			days = max(days, in.now.Sub(w.From)+1)
		}
	}
	return days
}

// recent reports whether a day lies within the window, or in the future: what was
// done while a clock was wrong counts, too.
func (in *given) recent(d Date) bool { return !d.IsZero() && in.now.Sub(d) < in.window() }

// head returns under which school and role a guard counts a person: where the
// change was that it counts, and otherwise as it was before the runs of today.
func (in *given) head(guard string, a *Account) headcount {
	for _, m := range a.Marks {
		if m.On == in.now || m.Guard == guard && in.recent(m.On) {
			return headcount{m.School, m.Role}
		}
	}
	h := headcount{role: a.Role}
	if len(a.Memberships) > 0 {
		h.school = a.Memberships[0].School
	}
	return h
}

// counted reports whether a person is part of what a guard's percentages refer
// to: the people of the kind who were there before the window, not those whom
// the runs of today have made.
func (in *given) counted(guard string, a *Account) bool {
	if a.Held || a.State == Pending || a.Made == in.now {
		return false
	}
	switch guard {
	case "purges":
		return true
	case "deactivations":
		return a.State != Deactivated || in.recent(a.Deactivated)
	case "leavers":
		return a.State == Active || in.recent(a.NoticedOn)
	}
	return a.State != Deactivated || a.Deactivated == in.now
}

// done reports whether an account was, within the window, what a guard counts.
func (in *given) done(guard string, a *Account) bool {
	switch guard {
	case "leavers":
		return in.recent(a.NoticedOn)
	case "deactivations":
		return in.recent(a.Deactivated)
	case "transfers", "transfers by school":
		// Old copies go, and then only the mark tells.
		guard = guardTransfers
		if in.recent(a.Previous.Since) {
			return true
		}
	}
	return slices.ContainsFunc(a.Marks, func(m Mark) bool { return m.Guard == guard && in.recent(m.On) })
}
