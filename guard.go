package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
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

func leaving(c ContextID, r Role) headcount {
	return headcount{SchoolID(fmt.Sprintf("context %d", c)), r}
}

// override returns in whose name a guard is lifted for a school today. The
// empty school asks for the district.
func (b *builder) override(guard string, s SchoolID) string {
	for _, o := range b.policy.Overrides {
		if o.Guard == guard && (o.School == s || o.School == "") && b.now <= o.Until {
			return fmt.Sprintf("%s until %s (%s)", o.By, o.Until, o.Reason)
		}
	}
	return ""
}

// limit returns the limit of a guard for a role, "" being all of them.
func (b *builder) limit(guard string, role Role) Limit {
	l := b.policy.Guards.Usual
	for _, w := range b.policy.TermChanges {
		if w.From <= b.now && b.now <= w.Until {
			l = b.policy.Guards.TermChange
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
		return b.policy.Guards.TermChange.Transfers
	}
	return l.Transfers // people move between schools and populations when they move between contexts
}

// Names hardly ever change and users hardly ever vanish; if many do at once
// something is wrong with the export or with what was observed.
var (
	renameLimit = Limit{SchoolPercent: 10, DistrictPercent: 3, Free: 5}
	repairLimit = Limit{SchoolPercent: 5, DistrictPercent: 2, Free: 5}
)

// guards lets those limited steps through that the limits allow.
func (b *builder) guards() {
	b.steps = append(b.steps, b.guard("leavers", b.limited["leavers"], nil)...)
	b.steps = append(b.steps, b.guard("deactivations", b.limited["deactivations"], nil)...)
	b.frees = append(b.frees, b.guard("purges", b.limited["purges"], nil)...)
}

// guard returns the steps that may be done and holds back the others: all of
// a school and role whose limit is broken, and everything of the kind when the
// district's is. What was done within the window counts as well.
//
// waiting are steps that are held back for another reason but count as well.
func (b *builder) guard(name string, steps, waiting []Step) []Step {
	if len(steps) == 0 {
		return nil
	}
	window := b.window()
	total, past, next := map[headcount]int{}, map[headcount]int{}, map[headcount]int{}
	byRole, pastByRole := map[Role]int{}, map[Role]int{}
	all, allPast := 0, 0
	for _, a := range b.accounts {
		counted, done := b.counted(name, a), !a.Held && b.done(name, a)
		if !counted && !done {
			continue
		}
		h := b.head(name, a)
		switch {
		case name == "copies":
			h.school = leaving(cmp.Or(a.Previous.Context, a.Context), a.Role).school
		case name == "transfers" && b.recent(a.Previous.Since): // whoever has moved counts where they were
			h.school = leaving(a.Previous.Context, a.Role).school
		case name == "transfers":
			h.school = leaving(a.Context, a.Role).school
		}
		if counted {
			total[h]++
			all++
			byRole[h.role]++
		}
		if done {
			past[h]++
			allPast++
			pastByRole[h.role]++
		}
	}
	if name == "purges" { // who was purged is known by date only
		for _, r := range b.state.Retired {
			if b.recent(r.Since) && !isAddress(r.Name) {
				allPast++
			}
		}
	}
	head := func(s Step) headcount {
		switch act := s.Action.(type) {
		case TransferContext:
			return leaving(act.Before.Context, act.Before.Role)
		case DropCopy:
			return leaving(act.Before.Previous.Context, act.Before.Role)
		case ChangeAccount: // counts where the person was
			if len(act.Before.Memberships) > 0 {
				return headcount{act.Before.Memberships[0].School, act.Before.Role}
			}
		}
		return headcount{s.School, s.Role}
	}
	what := guardWord(name)
	for _, s := range append(waiting, steps...) {
		next[head(s)]++
	}
	var ok []Step
	for _, s := range steps {
		h := head(s)
		limit := b.limit(name, h.role)
		most := max(limit.Free, total[h]*limit.SchoolPercent/100)
		if past[h]+next[h] <= most || b.override(name, s.School) != "" || b.override(name, h.school) != "" {
			ok = append(ok, s)
			continue
		}
		b.hold(s, name, fmt.Sprintf("%d %s among the %d %s of %s within %d days are more than the %d allowed",
			past[h]+next[h], what, total[h], h.role.people(), h.school, window, most))
	}
	if b.override(name, "") != "" {
		return ok
	}
	// The district as a whole, and each role in it.
	perRole := map[Role]int{}
	for _, s := range ok {
		perRole[head(s).role]++
	}
	limit := b.limit(name, "")
	most := max(limit.Free, all*limit.DistrictPercent/100)
	return slices.DeleteFunc(ok, func(s Step) bool {
		if n := allPast + len(ok); n > most {
			b.hold(s, name, fmt.Sprintf("%d %s in the district within %d days are more than the %d allowed",
				n, what, window, most))
			return true
		}
		role := head(s).role
		limit := b.limit(name, role)
		n, most := pastByRole[role]+perRole[role], max(limit.Free, byRole[role]*limit.DistrictPercent/100)
		if n > most {
			b.hold(s, name, fmt.Sprintf("%d %s among the %s of the district within %d days are more than the %d allowed",
				n, what, role.people(), window, most))
			return true
		}
		return false
	})
}

// doubtful holds back what a wrong picture of the servers would lead to: a
// directory or an OX that shows nothing, or record ids that were all renumbered.
func (b *builder) doubtful(made []Step, takers []taker) ([]Step, []taker) {
	// Contexts that do not exist although accounts live in them.
	gone := map[ContextID]bool{}
	made = slices.DeleteFunc(made, func(s Step) bool {
		c := s.Action.(CreateContext).Spec.ID
		n := 0
		for _, a := range b.accounts {
			if a.Context == c && a.State != Pending {
				n++
			}
		}
		if n > 0 && b.override("repairs", "") != "" {
			return false
		}
		if n > 0 {
			gone[c] = true
			b.hold(s, "repairs", fmt.Sprintf("%d accounts live in context %d, which OX does not show: it is not made anew", n, c))
		}
		return n > 0
	})
	// Users that OX has and the directory does not: is the directory complete?
	users, unknown := 0, 0
	known := map[string]bool{}
	for i := range b.state.Accounts {
		known[b.state.Accounts[i].Username] = true
	}
	for _, p := range b.state.Places {
		if !p.Admin {
			users++
			if !known[p.Username] {
				unknown++
			}
		}
	}
	noCreates := ""
	if unknown > 20 && unknown*10 > users && b.override("creates", "") == "" {
		noCreates = fmt.Sprintf("%d of %d users in OX are not in the directory: is it complete?", unknown, users)
		b.find("directory-incomplete", "%s No accounts are made", noCreates)
	}
	// Newcomers who are called like people whose departure is held back, at the
	// same school: the same people under new ids?
	type person struct {
		name   string
		school SchoolID
	}
	held := map[person]bool{}
	for _, h := range b.plan.Held {
		if n, ok := h.Step.Action.(SendNotice); ok {
			held[person{foldName(n.Before.GivenName + " " + n.Before.FamilyName), h.Step.School}] = true
		}
	}
	var repairs []Step
	takers = slices.DeleteFunc(takers, func(t taker) bool {
		switch act := t.step.Action.(type) {
		case CreateAccount:
			switch {
			case act.Resume:
			case noCreates != "":
				b.hold(t.step, "creates", noCreates)
				return true
			case held[person{foldName(act.Account.GivenName + " " + act.Account.FamilyName), t.step.School}] && b.override("creates", t.step.School) == "":
				b.hold(t.step, "creates", "somebody of this name at this school is missing in the delivery, and that departure is held back: the same person with a new record id?")
				return true
			}
		case RepairPlace, ChangeAccount:
			if r, ok := act.(RepairPlace); ok && r.Restore {
				return false // asked for
			}
			if t.seat && t.who.place == nil && t.who.before != nil && t.who.before.Context != 0 {
				if gone[t.into] {
					b.hold(t.step, "repairs", fmt.Sprintf("context %d is not shown by OX", t.into))
					return true
				}
				repairs = append(repairs, t.step)
			}
		}
		return false
	})
	allowed := map[string]bool{}
	for _, s := range b.guard("repairs", repairs, nil) {
		allowed[s.ID] = true
	}
	for _, s := range repairs {
		if !allowed[s.ID] {
			gone[0] = true
		}
	}
	if gone[0] {
		takers = slices.DeleteFunc(takers, func(t taker) bool {
			return slices.ContainsFunc(repairs, func(s Step) bool { return s.ID == t.step.ID }) && !allowed[t.step.ID]
		})
	}
	return made, takers
}

// guardChanges holds back changes of accounts when a school, or the district,
// has suspiciously many of a kind: columns were swapped, one was filled down or
// emptied, the codes of the schools are new. With them waits everything that is
// planned for the same people afterwards, since it builds on them.
func (b *builder) guardChanges(takers []taker) []taker {
	var changes []Step
	for _, s := range b.steps {
		if _, ok := s.Action.(ChangeAccount); ok {
			changes = append(changes, s)
		}
	}
	for _, t := range takers {
		if _, ok := t.step.Action.(ChangeAccount); ok {
			changes = append(changes, t.step)
		}
		changes = append(changes, t.unit()...)
	}
	waits := map[RecordKey]string{} // -> guard
	for _, g := range changeGuards {
		var steps []Step
		for _, s := range changes {
			if c := s.Action.(ChangeAccount); waits[s.Key] == "" && g.applies(&c) {
				steps = append(steps, s)
			}
		}
		allowed := map[RecordKey]bool{}
		for _, s := range b.guard(g.name, steps, nil) {
			allowed[s.Key] = true
		}
		for _, s := range steps {
			if !allowed[s.Key] {
				waits[s.Key] = g.name
			}
		}
	}
	held := map[string]bool{}
	for _, h := range b.plan.Held {
		held[h.Step.ID] = true
	}
	later := func(s Step) bool {
		guard := waits[s.Key]
		if guard == "" {
			return false
		}
		switch s.Kind() {
		case KindCancelNotice, KindReactivate: // these come first
			return false
		}
		if !held[s.ID] {
			b.hold(s, guard, "it comes after a change that is held back")
		}
		return true
	}
	b.steps = slices.DeleteFunc(b.steps, later)
	b.frees = slices.DeleteFunc(b.frees, later)
	return slices.DeleteFunc(takers, func(t taker) bool { return later(t.step) })
}
