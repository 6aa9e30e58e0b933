package schoolmail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// guardNames are the guards that a policy limits and an override may lift.
var guardNames = []string{"leavers", "deactivations", "purges", "transfers", "collapse", "repairs", "creates", "copies",
	"restore", "new-schools", "roles", "renames", "schools", "memberships", "classes", "access", "private-mail",
	"languages", "telephones", "birth-dates"}

// limitedGuards are those that count against a limit.
var limitedGuards = []string{"leavers", "deactivations", "purges", "transfers", "repairs", "copies",
	"roles", "renames", "schools", "memberships", "classes", "access", "private-mail", "languages", "telephones",
	"birth-dates"}

// guardWord says what a guard counts.
func guardWord(name string) string {
	for _, g := range changeGuards {
		if g.name == name {
			return g.words
		}
	}
	switch name {
	case guardRepairs:
		return "users to repair in OX"
	case guardCopies:
		return "old copies to delete"
	}
	return name
}

// headcount is how people are counted for limits: by school and role, and
// transfers by the context they leave and role.
type headcount struct {
	school SchoolID
	role   Role
}

func (h headcount) compare(o headcount) int {
	return cmp.Or(strings.Compare(string(h.school), string(o.school)), strings.Compare(string(h.role), string(o.role)))
}

func leaving(c ContextID, r Role) headcount {
	return headcount{SchoolID(fmt.Sprintf("context %d", c)), r}
}

// override returns in whose name a guard is lifted for a school today. The
// empty school asks for the district.
func (g *given) override(guard string, s SchoolID) string {
	i := g.lifted(guard, s)
	if i < 0 {
		return ""
	}
	o := &g.policy.Overrides[i]
	return fmt.Sprintf("%s until %s (%s)", o.By, o.Until, o.Reason)
}

// lifted returns the number of the override that lifts a guard for one of some
// schools, or -1.
func (in *given) lifted(guard string, schools ...SchoolID) int {
	return slices.IndexFunc(in.policy.Overrides, func(o Override) bool {
		return o.Guard == guard && (o.School == "" || slices.Contains(schools, o.School)) && in.now <= o.Until
	})
}

// limit returns the limit of a guard for a role, "" being all of them.
func (g *given) limit(guard string, role Role) Limit {
	l := g.policy.Guards.Usual
	for _, w := range g.policy.TermChanges {
		if w.From <= g.now && g.now <= w.Until {
			l = g.policy.Guards.TermChange
		}
	}
	switch guard {
	case "leavers":
		return l.Leavers
	case "deactivations":
		return l.Deactivations
	case "purges":
		return l.Purges
	case "roles":
		if role == RolePupil {
			return l.PupilRoles
		}
		return l.Roles
	case "classes":
		return l.Classes
	case "private-mail", "languages", "telephones", "birth-dates":
		return l.Details
	case "renames":
		return renameLimit
	case guardRepairs:
		return repairLimit
	case guardCopies: // as many as a change of terms leaves behind, whenever their grace ends
		return g.policy.Guards.TermChange.Transfers
	}
	return l.Transfers // people move between schools and populations when they move between contexts
}

// Names hardly ever change and users hardly ever vanish; if many do at once
// something is wrong with the export or with what was observed.
var (
	renameLimit = Limit{SchoolPercent: 10, DistrictPercent: 3, Free: 5}
	repairLimit = Limit{SchoolPercent: 5, DistrictPercent: 2, Free: 5}
)

// census is what a guard's percentages refer to, and what was done within its
// window.
type census struct {
	total, past        map[headcount]int
	byRole, pastByRole map[Role]int
	all, allPast       int
}

// contextNames are contexts as leaving names them.
type contextNames map[ContextID]SchoolID

func (n contextNames) of(c ContextID) SchoolID {
	s, known := n[c]
	if !known {
		s = leaving(c, "").school
		n[c] = s
	}
	return s
}

// whence is the context under which transfers and old copies count somebody.
func (f *facts) whence(guard string, a *Account, done bool, names contextNames) SchoolID {
	if m := f.recentMark(guard, a); m != nil && m.From != 0 {
		return names.of(m.From)
	}
	switch {
	case guard == guardCopies:
		return names.of(cmp.Or(a.Previous.Context, a.Context))
	case f.recent(a.Previous.Since): // whoever has moved counts where they were
		return names.of(a.Previous.Context)
	case done: // an earlier version did not remember from where
		return ""
	}
	return names.of(a.Context)
}

// usual are the people who count alike for every guard, with nothing that any of them
// counts as done: most. They are counted once for all guards.
type usual struct {
	schools, contexts heads      // by school and role, by context and role
	others            []*Account // everybody else
}

func (f *facts) usualPeople(contexts contextNames) *usual {
	if f.usual != nil {
		return f.usual
	}
	f.usual = &usual{schools: heads{}, contexts: heads{}}
	for i := range f.people {
		switch a := f.people[i].account; {
		case a == nil:
		case a.State == Active && !a.Held && a.Made != f.now && a.NoticedOn.IsZero() && a.Deactivated.IsZero() &&
			a.Previous == Previous{} && len(a.Marks) == 0 && len(a.Memberships) > 0 && a.Role.Valid():
			f.usual.schools.add(a.Memberships[0].School, a.Role)
			f.usual.contexts.add(contexts.of(a.Context), a.Role)
		default:
			f.usual.others = append(f.usual.others, a)
		}
	}
	return f.usual
}

func (f *facts) census(guard string) *census {
	c := &census{total: map[headcount]int{}, past: map[headcount]int{}, byRole: map[Role]int{}, pastByRole: map[Role]int{}}
	contexts := contextNames{}
	plain := guard != guardCopies && guard != guardTransfers
	most := f.usualPeople(contexts)
	for _, a := range most.others {
		counted, done := f.counted(guard, a), f.done(guard, a)
		if !counted && !done {
			continue
		}
		h := f.head(guard, a)
		if !plain {
			h.school = f.whence(guard, a, done, contexts)
		}
		if counted {
			c.total[h]++
			c.all++
			c.byRole[h.role]++
		}
		if done {
			c.past[h]++
			c.allPast++
			c.pastByRole[h.role]++
		}
	}
	counted := most.contexts
	if plain {
		counted = most.schools
	}
	for _, h := range counted.sorted() {
		if h.role != "" {
			n := counted.of(h)
			c.total[h] += n
			c.all += n
			c.byRole[h.role] += n
		}
	}
	if guard == "purges" { // who was purged is known by date only
		for _, r := range f.state.Retired {
			if f.recent(r.Since) && !isAddress(r.Name) {
				c.allPast++
			}
		}
	}
	return c
}

// verdict is what a guard says about some steps.
type verdict struct {
	ok   []*Step
	held []Held
	used map[int]int // by number of the override: steps that it let through although a limit was broken
	told []Finding   // about the overrides that were used
}

// allow divides steps into those that may be done and those that are held back:
// all of a school and role whose limit is broken, and everything of the kind when
// the district's is. What was done within the window counts as well.
//
// waiting are steps that are held back for another reason but count as well.
func (f *facts) allow(name string, steps, waiting []*Step) verdict {
	v := verdict{used: map[int]int{}}
	if len(steps) == 0 {
		return v
	}
	j := judgement{facts: f, verdict: &v, name: name, what: guardWord(name), window: f.window(), steps: steps,
		heads: make([]headcount, len(steps)), next: map[headcount]int{}, again: make([]bool, len(steps))}
	passed := make([]int, 0, len(steps))
	for i, s := range steps {
		j.heads[i] = s.Action.head(s)
		if f.declared(name, s.School) != "" || f.declared(name, j.heads[i].school) != "" {
			v.ok = append(v.ok, s)
			continue
		}
		passed = append(passed, i)
		j.again[i] = f.countedAlready(name, s)
		j.count(i)
	}
	for _, s := range waiting {
		j.next[s.Action.head(s)]++
	}
	c := f.census(name)
	v.ok = slices.Grow(v.ok, len(passed))
	passed = j.schools(c, passed)
	if name == guardTransfers || name == guardCopies { // a context is emptied by many schools, a school by one
		heads := j.heads
		j.heads, j.next = make([]headcount, len(steps)), map[headcount]int{}
		for _, i := range passed {
			j.heads[i] = ownHead(steps[i])
			j.count(i)
		}
		passed = j.schools(f.census(name+ofSchools), passed)
		j.heads = heads
	}
	j.district(c, passed)
	for _, i := range slices.Sorted(maps.Keys(v.used)) {
		o := f.policy.Overrides[i]
		v.told = append(v.told, Finding{Kind: "override", School: o.School, Text: fmt.Sprintf(
			"the limit of %s is lifted for %d steps; accepted by %s until %s (%s)", name, v.used[i], o.By, o.Until, o.Reason)})
	}
	return v
}

// judgement is what the parts of allow share.
type judgement struct {
	*facts
	*verdict
	name, what string
	window     int
	steps      []*Step
	heads      []headcount       // under which each of the steps is counted
	next       map[headcount]int // how many of the steps are counted there, those that wait included
	again      []bool            // which of the steps are counted among what was done
}

// count counts one of the steps, unless it is counted among what was done.
func (j *judgement) count(i int) {
	if !j.again[i] {
		j.next[j.heads[i]]++
	}
}

func (j *judgement) hold(s *Step, format string, a ...any) {
	j.verdict.held = append(j.verdict.held, Held{*s, fmt.Sprintf(format, a...), j.name})
}

// schools returns those of the steps that the limits by school and role, or by
// context and role, let through.
func (j *judgement) schools(c *census, steps []int) (passed []int) {
	next := j.next
	for _, i := range steps {
		s, h := j.steps[i], j.heads[i]
		limit := j.limit(j.name, h.role)
		most := max(limit.Free, c.total[h]*limit.SchoolPercent/100)
		if c.past[h]+next[h] <= most {
			passed = append(passed, i)
			continue
		}
		if o := j.lifted(j.name, s.School, h.school); o >= 0 {
			j.used[o]++
			passed = append(passed, i)
			continue
		}
		j.hold(s, "%d %s among the %d %s of %s within %d days are more than the %d allowed",
			c.past[h]+next[h], j.what, c.total[h], h.role.people(), h.school, j.window, most)
	}
	return passed
}

// district looks at the district as a whole, and at each role in it.
func (j *judgement) district(c *census, steps []int) {
	lifted := j.lifted(j.name)
	perRole := map[Role]int{}
	limit, n := j.limit(j.name, ""), c.allPast
	for _, i := range steps {
		if !j.again[i] {
			perRole[j.heads[i].role]++
			n++
		}
	}
	most := max(limit.Free, c.all*limit.DistrictPercent/100)
	for _, i := range steps {
		s, role := j.steps[i], j.heads[i].role
		limit := j.limit(j.name, role)
		ofRole, mostOfRole := c.pastByRole[role]+perRole[role], max(limit.Free, c.byRole[role]*limit.DistrictPercent/100)
		switch {
		case n <= most && ofRole <= mostOfRole:
			j.verdict.ok = append(j.verdict.ok, s)
		case lifted >= 0:
			j.used[lifted]++
			j.verdict.ok = append(j.verdict.ok, s)
		case n > most:
			j.hold(s, "%d %s in the district within %d days are more than the %d allowed", n, j.what, j.window, most)
		default:
			j.hold(s, "%d %s among the %s of the district within %d days are more than the %d allowed",
				ofRole, j.what, role.people(), j.window, mostOfRole)
		}
	}
}
