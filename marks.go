package schoolmail

import "slices"

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
	name    string
	words   string // what it counts
	applies func(c *ChangeAccount) bool
}

// changeGuards in the order in which they are asked. A change that one of them
// holds back waits whole, and the others do not count it.
var changeGuards = []changeGuard{
	{"roles", "changes of role", onFields("role")},
	{"renames", "changes of name", onFields("given_name", "family_name")},
	{"schools", "changes of school", (*ChangeAccount).leavesSchools},
	{"memberships", "people who leave one of several schools", (*ChangeAccount).losesSchools},
	{"classes", "changes of class", (*ChangeAccount).changesClasses},
	{"access", "changes of access", onFields("access")},
	{"private-mail", "changes of private address", onFields("notice_mail")},
	{"languages", "changes of language", onFields("language")},
	{"telephones", "changes of telephone", onFields("phone")},
}

func onFields(names ...string) func(*ChangeAccount) bool {
	return func(c *ChangeAccount) bool {
		return slices.ContainsFunc(c.Fields, func(f string) bool { return slices.Contains(names, f) })
	}
}

// leavesSchools reports whether none of the schools stays.
func (c *ChangeAccount) leavesSchools() bool {
	return len(c.Before.Memberships) > 0 && !slices.ContainsFunc(c.Before.Memberships, func(m Membership) bool {
		return slices.ContainsFunc(c.After.Memberships, func(o Membership) bool { return o.School == m.School })
	})
}

// losesSchools reports whether some of the schools stay, but not all.
func (c *ChangeAccount) losesSchools() bool {
	return !c.leavesSchools() && slices.ContainsFunc(c.Before.Memberships, func(m Membership) bool {
		return !slices.ContainsFunc(c.After.Memberships, func(o Membership) bool { return o.School == m.School })
	})
}

// changesClasses reports whether the classes at a school that stays are others.
func (c *ChangeAccount) changesClasses() bool {
	return slices.ContainsFunc(c.Before.Memberships, func(m Membership) bool {
		return slices.ContainsFunc(c.After.Memberships, func(o Membership) bool {
			return o.School == m.School && !slices.Equal(o.Classes, m.Classes)
		})
	})
}

// marked returns the marks of an account after a change: those that still count,
// and one for each guard that the change concerns.
func (in *given) marked(c *ChangeAccount) []Mark {
	var marks []Mark
	for _, m := range c.Before.Marks {
		if in.now.Sub(m.On) < in.window() {
			marks = append(marks, m)
		}
	}
	for _, g := range changeGuards {
		if g.applies(c) {
			m := Mark{Guard: g.name, On: in.now, Role: c.Before.Role}
			if len(c.Before.Memberships) > 0 {
				m.School = c.Before.Memberships[0].School
			}
			marks = append(marks, m)
		}
	}
	return marks
}

// window is the number of days, up to today, over which guards count: within a
// change of terms at least all of it up to now.
func (in *given) window() int {
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
		return in.recent(a.Previous.Since)
	}
	return slices.ContainsFunc(a.Marks, func(m Mark) bool { return m.Guard == guard && in.recent(m.On) })
}
