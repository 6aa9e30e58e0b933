package schoolmail

import "fmt"

// guardNames are the guards that a policy limits and an override may lift.
var guardNames = []string{"leavers", "deactivations", "purges", "transfers", "collapse"}

// headcount is how people are counted for limits.
type headcount struct {
	school SchoolID
	role   Role
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

func (b *builder) limit(guard string) Limit {
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
	}
	return l.Transfers
}

// guards lets those limited steps through that the limits allow.
func (b *builder) guards() {
	b.steps = append(b.steps, b.guard("leavers", b.limited["leavers"])...)
	b.steps = append(b.steps, b.guard("deactivations", b.limited["deactivations"])...)
	b.frees = append(b.frees, b.guard("purges", b.limited["purges"])...)
}

// guard returns the steps that may be done and holds back the others: all of
// a school and role whose limit is broken, and everything of the kind when the
// district's is. What was done within the window counts as well.
func (b *builder) guard(name string, steps []Step) []Step {
	if len(steps) == 0 {
		return nil
	}
	limit, window := b.limit(name), b.policy.Guards.WindowDays
	total, past, next := map[headcount]int{}, map[headcount]int{}, map[headcount]int{}
	all, allPast := 0, 0
	recent := func(d Date) bool { return !d.IsZero() && d <= b.now && b.now.Sub(d) < window }
	for _, a := range b.accounts {
		if a.Held {
			continue
		}
		h := headcount{role: a.Role}
		if len(a.Memberships) > 0 {
			h.school = a.Memberships[0].School
		}
		total[h]++
		all++
		if name == "leavers" && recent(a.NoticedOn) ||
			name == "deactivations" && recent(a.Deactivated) ||
			name == "transfers" && recent(a.Previous.Since) {
			past[h]++
			allPast++
		}
	}
	if name == "purges" {
		purged := map[Date]int{}
		for _, r := range b.state.Retired {
			if recent(r.Since) && !isAddress(r.Name) {
				purged[r.Since]++
				allPast++
			}
		}
	}
	for _, s := range steps {
		next[headcount{s.School, s.Role}]++
	}
	var ok []Step
	for _, s := range steps {
		h := headcount{s.School, s.Role}
		most := max(limit.Free, total[h]*limit.SchoolPercent/100)
		if past[h]+next[h] <= most || b.override(name, s.School) != "" {
			ok = append(ok, s)
			continue
		}
		b.hold(s, name, fmt.Sprintf("%d %s among the %d %ss of %s within %d days are more than the %d allowed",
			past[h]+next[h], name, total[h], h.role, h.school, window, most))
	}
	most := max(limit.Free, all*limit.DistrictPercent/100)
	if allPast+len(ok) > most && b.override(name, "") == "" {
		for _, s := range ok {
			b.hold(s, name, fmt.Sprintf("%d %s in the district within %d days are more than the %d allowed", allPast+len(ok), name, window, most))
		}
		return nil
	}
	return ok
}
