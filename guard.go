package schoolmail

import (
	"cmp"
	"fmt"
	"strings"
)

// guardNames are the guards that a policy limits and an override may lift.
var guardNames = []string{"leavers", "deactivations", "purges", "transfers", "collapse", "repairs", "creates", "copies",
	"restore", "roles", "renames", "schools", "classes", "access", "private-mail", "languages", "telephones"}

// guardWord says what a guard counts.
func guardWord(name string) string {
	for _, g := range changeGuards {
		if g.name == name {
			return g.words
		}
	}
	switch name {
	case "repairs":
		return "users missing in OX"
	case "copies":
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
	for _, o := range g.policy.Overrides {
		if o.Guard == guard && (o.School == s || o.School == "") && g.now <= o.Until {
			return fmt.Sprintf("%s until %s (%s)", o.By, o.Until, o.Reason)
		}
	}
	return ""
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
	case "private-mail", "languages", "telephones":
		return l.Details
	case "renames":
		return renameLimit
	case "repairs":
		return repairLimit
	case "copies": // as many as a change of terms leaves behind, whenever their grace ends
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

func (f *facts) census(guard string) *census {
	c := &census{total: map[headcount]int{}, past: map[headcount]int{}, byRole: map[Role]int{}, pastByRole: map[Role]int{}}
	contexts := map[ContextID]SchoolID{} // as leaving names them
	from := func(c ContextID) SchoolID {
		s, known := contexts[c]
		if !known {
			s = leaving(c, "").school
			contexts[c] = s
		}
		return s
	}
	for i := range f.people {
		a := f.people[i].account
		if a == nil {
			continue
		}
		counted, done := f.counted(guard, a), !a.Held && f.done(guard, a)
		if !counted && !done {
			continue
		}
		h := f.head(guard, a)
		switch {
		case guard == "copies":
			h.school = from(cmp.Or(a.Previous.Context, a.Context))
		case guard == "transfers" && f.recent(a.Previous.Since): // whoever has moved counts where they were
			h.school = from(a.Previous.Context)
		case guard == "transfers":
			h.school = from(a.Context)
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
	if guard == "purges" { // who was purged is known by date only
		for _, r := range f.state.Retired {
			if f.recent(r.Since) && !isAddress(r.Name) {
				c.allPast++
			}
		}
	}
	return c
}

// allow returns the steps that may be done and those that are held back: all of
// a school and role whose limit is broken, and everything of the kind when the
// district's is. What was done within the window counts as well.
//
// waiting are steps that are held back for another reason but count as well.
func (f *facts) allow(name string, steps, waiting []Step) (ok []Step, held []Held) {
	if len(steps) == 0 {
		return nil, nil
	}
	c, window, what := f.census(name), f.window(), guardWord(name)
	hold := func(s *Step, format string, a ...any) { held = append(held, Held{*s, fmt.Sprintf(format, a...), name}) }
	next := map[headcount]int{}
	for i := range waiting {
		next[waiting[i].Action.head(&waiting[i])]++
	}
	heads := make([]headcount, len(steps))
	for i := range steps {
		heads[i] = steps[i].Action.head(&steps[i])
		next[heads[i]]++
	}
	var passed []int // the school's limit
	for i := range steps {
		s, h := &steps[i], heads[i]
		limit := f.limit(name, h.role)
		most := max(limit.Free, c.total[h]*limit.SchoolPercent/100)
		if c.past[h]+next[h] <= most || f.override(name, s.School) != "" || f.override(name, h.school) != "" {
			passed = append(passed, i)
			continue
		}
		hold(s, "%d %s among the %d %s of %s within %d days are more than the %d allowed",
			c.past[h]+next[h], what, c.total[h], h.role.people(), h.school, window, most)
	}
	// The district as a whole, and each role in it.
	lifted := f.override(name, "") != ""
	perRole := map[Role]int{}
	for _, i := range passed {
		perRole[heads[i].role]++
	}
	limit, n := f.limit(name, ""), c.allPast+len(passed)
	most := max(limit.Free, c.all*limit.DistrictPercent/100)
	for _, i := range passed {
		role := heads[i].role
		limit := f.limit(name, role)
		ofRole, mostOfRole := c.pastByRole[role]+perRole[role], max(limit.Free, c.byRole[role]*limit.DistrictPercent/100)
		switch {
		case !lifted && n > most:
			hold(&steps[i], "%d %s in the district within %d days are more than the %d allowed", n, what, window, most)
		case !lifted && ofRole > mostOfRole:
			hold(&steps[i], "%d %s among the %s of the district within %d days are more than the %d allowed",
				ofRole, what, role.people(), window, mostOfRole)
		default:
			ok = append(ok, steps[i])
		}
	}
	return ok, held
}
