package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
)

// guarded is what may be done, and what is held back and by which limit.
type guarded struct {
	*seats
	notes
	holds
	made   []Step // contexts
	steps  []Step // that take no seat
	frees  []Step // purges and dropped copies
	placed placement
	told   map[string]bool // ids of steps that are held
	used   map[int]bool    // numbers of overrides that let something through

	targets map[RecordKey]ContextID // where people would go if nothing were held back; made when asked for
}

// guard asks the limits. Those that depend on nobody's seat come first; then
// seats are given to who is left, and once more whenever the limit of transfers
// holds somebody, so that nobody makes room for people who do not come.
func (s *seats) guard() *guarded {
	g := &guarded{seats: s, told: map[string]bool{}, used: map[int]bool{},
		holds: holds{claims: map[RecordKey]bool{}, counted: map[int32]int32{}, steps: map[string]bool{},
			rooms: map[ContextID]bool{}}}
	room := len(s.decisions.steps) + len(s.decisions.limited["leavers"]) + len(s.decisions.limited["deactivations"])
	for i := range s.claims {
		room += len(s.claims[i].steps)
	}
	g.steps = append(make([]Step, 0, room), s.decisions.steps...)
	g.frees = append(g.frees, s.decisions.frees...)
	for _, name := range []string{"leavers", "deactivations"} {
		g.steps = append(g.steps, g.limited(name, s.decisions.limited[name])...)
	}
	g.frees = append(g.frees, g.limited("purges", s.decisions.limited["purges"])...)
	for i := range s.claims {
		for _, st := range s.claims[i].steps {
			if st.Action.frees() != 0 {
				g.frees = append(g.frees, st)
			} else {
				g.steps = append(g.steps, st)
			}
		}
	}
	g.keptCopies()
	g.uncopied()
	g.contexts()
	g.creates()
	g.repairs()
	g.changes()
	g.untouched()
	g.transfers()
	for i := range s.decisions.used {
		g.used[i] = true
	}
	for i, o := range g.policy.Overrides { // those that are no limits are told where they are asked for
		g.used[i] = g.used[i] || !slices.Contains(limitedGuards, o.Guard)
	}
	g.findings = append(g.findings, g.overrides(g.used)...)
	return g
}

// limited returns those of some steps that a guard lets through.
func (g *guarded) limited(name string, steps []Step) []Step {
	v := g.ask(name, pointers(steps), nil)
	for _, h := range v.held {
		g.keep(h.Step, name, h.Why)
	}
	if len(v.ok) == len(steps) {
		return steps
	}
	ok := make([]Step, len(v.ok))
	for i, s := range v.ok {
		ok[i] = *s
	}
	return ok
}

func pointers[T any](list []T) []*T {
	ps := make([]*T, len(list))
	for i := range list {
		ps[i] = &list[i]
	}
	return ps
}

// ask asks a guard, and remembers which overrides it took.
func (g *guarded) ask(name string, steps, waiting []*Step) verdict {
	v := g.allow(name, steps, waiting)
	for i := range v.used {
		g.used[i] = true
	}
	for _, f := range v.told {
		if !slices.Contains(g.findings, f) {
			g.findings = append(g.findings, f)
		}
	}
	return v
}

// keep holds a step, once.
func (g *guarded) keep(s Step, guard, why string) {
	if !g.told[s.ID] {
		g.told[s.ID], g.holds.steps[s.ID] = true, true
		g.hold(s, guard, why)
	}
}

// keepClaim holds back the seat of somebody, and what stands or falls with it.
func (g *guarded) keepClaim(c *claim, guard, why string) {
	g.claims[c.key] = true
	g.keep(g.seatStep(c, g.target(c)), guard, why)
	for _, u := range c.unit {
		g.keep(u, guard, "its transfer is held back: "+why)
	}
}

// target is where somebody would go if nothing were held back.
func (g *guarded) target(c *claim) ContextID {
	if g.targets == nil {
		moves := g.place(holds{}).moves
		g.targets = make(map[RecordKey]ContextID, len(moves))
		for _, m := range moves {
			g.targets[m.claim.key] = m.into
		}
	}
	if into, ok := g.targets[c.key]; ok {
		return into
	}
	return c.pin
}

// keptCopies holds transfers of people of whom an old copy is still kept.
func (g *guarded) keptCopies() {
	for i := range g.seats.claims {
		c := g.seats.claims[i]
		if c.transfers() && !c.stays() && c.before.Previous.Context != 0 {
			g.keepClaim(c, "", fmt.Sprintf("the copy of the last transfer is still kept in context %d (since %s)",
				c.before.Previous.Context, c.before.Previous.Since))
		}
	}
}

// contexts holds the creation of contexts in which accounts live already: OX
// does not show what there is.
func (g *guarded) contexts() {
	for _, s := range g.seats.made {
		c := leadsTo(s.Action)
		n := 0
		for i := range g.people {
			if a := g.people[i].account; a != nil && a.Context == c && a.State != Pending {
				n++
			}
		}
		if n == 0 || g.override("repairs", "") != "" {
			g.made = append(g.made, s)
			continue
		}
		g.holds.rooms[c] = true
		g.keep(s, "repairs", fmt.Sprintf("%d accounts live in context %d, which OX does not show: it is not made anew", n, c))
	}
}

// creates holds all newcomers while OX has many users that the directory does not.
func (g *guarded) creates() {
	if g.unknown <= 20 || g.unknown*10 <= g.facts.users || g.override("creates", "") != "" {
		return
	}
	why := fmt.Sprintf("%d of %d users in OX are not in the directory: is it complete?", g.unknown, g.facts.users)
	g.find("directory-incomplete", "%s No accounts are made", why)
	for i := range g.seats.claims {
		if c := g.seats.claims[i]; c.before == nil {
			g.keepClaim(c, "creates", why)
		}
	}
}

// repairs holds what would make users anew that OX does not show, or set them right,
// where there are many of them.
func (g *guarded) repairs() {
	var steps []*Step
	byID := map[string]*claim{}
	for i := range g.seats.claims {
		c := g.seats.claims[i]
		if c.before == nil || c.resume || c.restore || c.place != nil || c.before.Context == 0 || g.claims[c.key] {
			continue
		}
		if into := g.target(c); g.holds.rooms[into] || c.pin != 0 && g.holds.rooms[c.pin] {
			g.keepClaim(c, "repairs", fmt.Sprintf("context %d is not shown by OX", max(into, c.pin)))
			continue
		} else { // a seat that others are kept from may still fall to who has none yet
			s := g.seatStep(c, cmp.Or(into, c.before.Context))
			steps, byID[s.ID] = append(steps, &s), c
		}
	}
	for i := range g.steps {
		if s := &g.steps[i]; s.Action.counts() == guardRepairs {
			steps = append(steps, s)
		}
	}
	for _, h := range g.ask(guardRepairs, steps, nil).held {
		if c := byID[h.Step.ID]; c != nil {
			g.keepClaim(c, guardRepairs, h.Why)
		} else {
			g.keep(h.Step, guardRepairs, h.Why)
		}
	}
	g.steps = slices.DeleteFunc(g.steps, func(s Step) bool { return g.told[s.ID] })
}

// changes holds back changes of accounts when a school, or the district, has
// suspiciously many of a kind: columns were swapped, one was filled down or
// emptied, the codes of the schools are new. With them waits everything that is
// planned for the same people afterwards, since it builds on them.
func (g *guarded) changes() {
	changes, asked := g.concerned()
	waits := map[RecordKey]string{} // -> guard
	steps := make([]*Step, 0, len(changes))
	for i, x := range changeGuards {
		steps = steps[:0]
		for j, s := range changes {
			if asked[j]&(1<<i) != 0 && (len(waits) == 0 || waits[s.Key] == "") {
				steps = append(steps, s)
			}
		}
		for _, h := range g.ask(x.name, steps, nil).held {
			waits[h.Step.Key] = x.name
			g.keep(h.Step, x.name, h.Why)
		}
	}
	if len(waits) == 0 {
		return
	}
	const why = "it comes after a change that is held back"
	later := func(s Step) bool {
		guard := waits[s.Key]
		if guard == "" || s.Action.nature().opens { // what opens comes first
			return false
		}
		g.keep(s, guard, why)
		return true
	}
	g.steps = slices.DeleteFunc(g.steps, later)
	g.frees = slices.DeleteFunc(g.frees, later)
	for key := range waits {
		for i := range g.samePeople(key) {
			if n := g.seated[i]; g.people[i].key() == key && n >= 0 {
				g.claims[key] = true
				g.counted[n]++
			}
		}
	}
	for i := range g.seats.claims {
		c := g.seats.claims[i]
		if guard := waits[c.key]; guard != "" && !g.claims[c.key] {
			g.claims[c.key] = true
			if into := g.target(c); into != 0 && !c.stays() {
				g.keep(g.seatStep(c, into), guard, why)
			}
		}
	}
}

// concerned lists the changes that guards look at, and which of the guards each
// concerns, a bit for each.
func (g *guarded) concerned() (changes []*Step, asked []guardSet) {
	changes, asked = make([]*Step, 0, len(g.steps)), make([]guardSet, 0, len(g.steps))
	add := func(s *Step) {
		if set := s.Action.guards(); set != 0 {
			changes, asked = append(changes, s), append(asked, set)
		}
	}
	for i := range g.steps {
		add(&g.steps[i])
	}
	for _, c := range g.seats.claims {
		if g.claims[c.key] {
			continue
		}
		for i := range c.unit {
			add(&c.unit[i])
		}
		if len(c.fields) > 0 {
			s := g.seatStep(c, g.target(c))
			add(&s)
		}
	}
	return changes, asked
}

// transfers gives seats to everybody who is left, as the limit of transfers allows.
// Who needs a seat is held before those who would make room for somebody.
func (g *guarded) transfers() {
	var before []*Step // held by this guard
	for {
		g.placed = g.place(g.holds)
		var steps []*Step
		byID := map[string]placed{}
		for _, m := range g.placed.moves {
			if m.claim.transfers() {
				s := g.seatStep(m.claim, m.into)
				steps, byID[s.ID] = append(steps, &s), m
			}
		}
		waiting := slices.Clone(before)
		for _, sh := range g.placed.short {
			if sh.claim.transfers() && !sh.over {
				s := g.seatStep(sh.claim, 0)
				waiting = append(waiting, &s)
			}
		}
		held := g.ask("transfers", steps, waiting).held
		if len(held) == 0 {
			break
		}
		need := slices.ContainsFunc(held, func(h Held) bool { return !byID[h.Step.ID].claim.stays() })
		for _, h := range held {
			c := byID[h.Step.ID].claim
			if need && c.stays() {
				continue
			}
			before = append(before, &h.Step)
			g.claims[c.key] = true
			if c.person >= 0 && g.seated[c.person] >= 0 {
				g.counted[g.seated[c.person]]++
			}
			g.keep(h.Step, "transfers", h.Why)
			for _, u := range c.unit {
				g.keep(u, "transfers", "its transfer is held back")
			}
		}
	}
	for _, sh := range g.placed.short {
		switch c := sh.claim; {
		case sh.over:
			g.find("over-capacity", "%s stays in context %d, which is over its capacity: %s", c.username(), c.now, sh.why)
		default:
			g.keepShort(c, sh.why)
		}
	}
}

// keepShort holds somebody for whom there is no seat.
func (g *guarded) keepShort(c *claim, why string) {
	g.keep(g.seatStep(c, c.pin), "", why)
	for _, u := range c.unit {
		g.keep(u, "", "its transfer is held back: "+why)
	}
}
