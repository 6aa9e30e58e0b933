package schoolmail

import (
	"math/bits"
	"slices"
	"strings"
)

// Mark remembers what a guard counts of an account: which guard, on what day, and
// role and school as they were before. Marks let guards count over their window and
// by what the world was before the day's runs; they live in the directory, with the
// life cycle, so that a lost folder loses none. What is done in Open-Xchange alone, a
// repair or the removal of an old copy, is marked before it is done: whatever is cut
// off after that is counted although it may not have happened, and counted once when
// it is done in the next run.
type Mark struct {
	Guard  string    `json:"guard"`
	On     Date      `json:"on"`
	Role   Role      `json:"role,omitempty"`
	School SchoolID  `json:"school,omitempty"`
	From   ContextID `json:"from,omitempty"` // transfers and copies: the context that they are counted in
}

// changeGuard is a guard on changes of accounts.
type changeGuard struct {
	name   string
	words  string            // what it counts
	fields []string          // those whose changes it counts
	moves  func(m move) bool // or how memberships, or what is known as hashes, change; nil: in no way
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
	{"birth-dates", "changes of birth date or number", nil, func(m move) bool { return m.traits }},
}

// guardSet says which of the guards on changes count something, a bit for each.
type guardSet uint16

// move says how the memberships of somebody change.
type move struct {
	left, kept int  // schools
	classes    bool // they are others at a school that stays
	traits     bool // another birth date or number than was known
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
	m.traits = before.Traits != after.Traits && before.Traits.contradicts(after.Traits)
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

const (
	guardTransfers = "transfers"
	guardRepairs   = "repairs"
	guardCopies    = "copies"
)

// ofSchools is put behind the name of a guard that counts by context, too: transfers and
// old copies.
const ofSchools = " by school"

// with returns marks and one more: those that still count, without an earlier one of
// the same guard, since it is people who are counted.
func (in *given) with(marks []Mark, m Mark) []Mark {
	marks = slices.DeleteFunc(slices.Clone(marks), func(o Mark) bool {
		return in.now.Sub(o.On) >= in.window() || o.Guard == m.Guard
	})
	return append(marks, m)
}

// moved returns the marks of an account after a transfer.
func (in *given) moved(a *Account, c *claim) []Mark {
	return in.with(a.Marks, Mark{Guard: guardTransfers, On: in.now, Role: c.before.Role, School: c.home, From: c.now})
}

// markOf returns the mark that a step leaves before anything else is done, of the
// person as they were observed; without a guard if it leaves none.
func (f *facts) markOf(s *Step) (m Mark) {
	guard := s.Action.counts()
	if guard == "" {
		return m
	}
	a := f.accountAt(s)
	if a == nil {
		return m
	}
	m = Mark{Guard: guard, On: f.now, Role: a.Role, From: s.Action.frees()}
	if ms := a.Memberships; len(ms) > 0 {
		m.School = ms[0].School
	}
	return m
}

// countedAlready reports whether a step is counted among what was done within the
// window: a run has marked it and was cut off, or did the same to the person before.
func (f *facts) countedAlready(guard string, s *Step) bool {
	m := f.markOf(s)
	return m.Guard == guard && guard != "" && slices.ContainsFunc(f.accountAt(s).Marks, func(o Mark) bool {
		return o.Guard == m.Guard && o.From == m.From && f.recent(o.On)
	})
}

// accountAt is the account of a step's person as observed; nil: there is none.
func (f *facts) accountAt(s *Step) *Account {
	if n, known := f.byUser.number(s.Subject); known && f.state.Accounts[n].Key == s.Key {
		return &f.state.Accounts[n]
	}
	if p := f.personOf(s.Key); p != nil { // called otherwise by then
		return p.account
	}
	return nil
}

// mark gives the steps that leave no other trace their marks, and hands them on to what
// comes later for the same person.
func (f *facts) mark(steps []Step) {
	given := map[RecordKey][]Mark{} // so far
	for i := range steps {
		if steps[i].Action.counts() != "" {
			given[steps[i].Key] = nil
		}
	}
	if len(given) == 0 {
		return
	}
	latest := map[RecordKey]*Account{}
	for i := range steps {
		s := &steps[i]
		before, concerned := given[s.Key]
		if !concerned {
			continue
		}
		after := before
		if m := f.markOf(s); m.Guard != "" {
			after = append(slices.Clip(before), m)
			given[s.Key] = after
		}
		if a := latest[s.Key]; a != nil && s.Action.nature().beside {
			same := func(o *Account) { *o = *a }
			s.Action = s.Action.edit(same, same)
			before, after = nil, after[len(before):]
		}
		s.Action = s.Action.edit(f.add(before), f.add(after))
		_, latest[s.Key] = states(s.Action)
	}
}

// add returns what adds marks to an account.
func (in *given) add(marks []Mark) func(*Account) {
	return func(a *Account) {
		for _, m := range marks {
			a.Marks = in.with(a.Marks, m)
		}
	}
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
	guard, _ = strings.CutSuffix(guard, ofSchools)
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
	guard, _ = strings.CutSuffix(guard, ofSchools)
	switch guard {
	case "leavers":
		return in.recent(a.NoticedOn)
	case "deactivations":
		return in.recent(a.Deactivated)
	case guardTransfers:
		// Old copies go, and then only the mark tells.
		if in.recent(a.Previous.Since) {
			return true
		}
	}
	return in.recentMark(guard, a) != nil
}

// recentMark returns what an account has of a guard within the window, or nil.
func (in *given) recentMark(guard string, a *Account) *Mark {
	i := slices.IndexFunc(a.Marks, func(m Mark) bool { return m.Guard == guard && in.recent(m.On) })
	if i < 0 {
		return nil
	}
	return &a.Marks[i]
}
