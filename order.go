package schoolmail

import (
	"cmp"
	"slices"
	"strings"
)

// order lists the steps: contexts, what opens, what frees seats, what takes
// seats as they get free, and what closes.
func (g *guarded) order() *Plan {
	p := &Plan{Held: []Held{}, Findings: []Finding{}}
	p.Steps = append(make([]Step, 0, len(g.made)+len(g.steps)+len(g.frees)+len(g.placed.moves)), g.made...)
	var closing []Step
	for _, s := range bySchool(g.steps) {
		if s.Action.nature().closes {
			closing = append(closing, s)
		} else {
			p.Steps = append(p.Steps, s)
		}
	}
	slices.SortStableFunc(g.frees, func(x, y Step) int { return x.Key.Compare(y.Key) })
	p.Steps = append(p.Steps, g.frees...)
	users := map[ContextID]int{}
	for c, n := range g.seats.users {
		users[c] = n
	}
	for _, s := range g.frees {
		if c := s.Action.frees(); c != 0 {
			users[c]--
		}
	}
	peak := map[ContextID]int{}
	for c, n := range g.seats.users {
		peak[c] = n
	}
	for some := range slices.Chunk(g.sequence(users), few) {
		fetchMoves(some)
		for _, m := range some {
			s := g.seatStep(m.claim, m.into)
			if m.claim.transfers() {
				p.Steps = append(p.Steps, m.claim.unit...)
			}
			p.Steps = append(p.Steps, s)
			if g.takesSeat(m) {
				users[m.into]++
				peak[m.into] = max(peak[m.into], users[m.into])
			}
			if m.claim.transfers() && !g.grace() {
				users[m.claim.now]--
			}
		}
	}
	p.Steps = append(p.Steps, closing...)
	for _, c := range sortedIDs(g.seats.users) {
		f := Forecast{Context: c, Before: g.seats.users[c], Peak: peak[c], After: users[c]}
		if spec := g.policy.context(c); spec != nil {
			f.Name, f.Capacity = spec.Name, spec.Capacity
		}
		p.Forecast = append(p.Forecast, f)
	}
	for _, n := range []*notes{&g.facts.notes, &g.decisions.notes, &g.notes} {
		p.Held = append(p.Held, n.held...)
		p.Findings = append(p.Findings, n.findings...)
	}
	slices.SortStableFunc(p.Findings, func(x, y Finding) int {
		return cmp.Or(strings.Compare(x.Kind, y.Kind), strings.Compare(x.Text, y.Text))
	})
	slices.SortStableFunc(p.Held, func(x, y Held) int { return strings.Compare(x.Step.ID, y.Step.ID) })
	g.mark(p.Steps)
	depend(p.Steps)
	return p
}

// bySchool orders steps school by school: whoever writes group members can then
// write many at once. But the steps of one person stay together and in order,
// also of somebody who comes back to another school.
func bySchool(steps []Step) []Step {
	first := newTable[int](len(steps)) // of each person, the number of a step
	whose := func(i int) *RecordKey { return &steps[i].Key }
	type place struct {
		school SchoolID
		at     int
	}
	order := make([]place, len(steps))
	for i := range steps {
		at, known := entryOf(&first, steps[i].Key, whose)
		if !known {
			*at = i
		}
		order[i] = place{steps[*at].School, i}
	}
	slices.SortFunc(order, func(x, y place) int {
		return cmp.Or(strings.Compare(string(x.school), string(y.school)), steps[x.at].Key.Compare(steps[y.at].Key),
			cmp.Compare(x.at, y.at))
	})
	out := make([]Step, len(steps))
	for i, o := range order {
		out[i] = steps[o.at]
	}
	return out
}

// inOrder returns the moves by number, transfers first, by school and key.
func (g *guarded) inOrder() []ranked {
	moves := g.placed.moves
	order := make([]ranked, len(moves))
	for i := range moves {
		order[i] = ranked{prefix(moves[i].claim.key.ID), int32(i)}
	}
	order = byPrefix(order)
	sortRuns(order, func(x, y ranked) int { // all keys are of one source
		return cmp.Or(moves[x.at].claim.key.Compare(moves[y.at].claim.key), cmp.Compare(x.at, y.at))
	})
	for i := range order {
		c := moves[order[i].at].claim
		order[i].prefix = uint64(len(g.kinds.schools)) + uint64(g.kinds.school[c.school])
		if c.transfers() {
			order[i].prefix = uint64(g.kinds.school[c.home])
		}
	}
	return byPrefix(order) // which leaves those of one school in their order
}

// takesSeat reports whether somebody's seat is one more in the context.
func (g *guarded) takesSeat(m placed) bool { return !g.pinned(m.claim) }

// sequence orders the moves by school and key, transfers first, as seats get
// free; if that leads nowhere it takes the order in which they were found.
func (g *guarded) sequence(users map[ContextID]int) []placed {
	waiting := make([]placed, len(g.placed.moves))
	for i, m := range g.inOrder() {
		waiting[i] = g.placed.moves[m.at]
	}
	free := map[ContextID]int{}
	for i := range g.policy.Contexts {
		c := &g.policy.Contexts[i]
		free[c.ID] = c.Capacity - users[c.ID]
	}
	out := make([]placed, 0, len(waiting))
	blocked := map[ContextID][]placed{}
	var ready []placed // those for whom a seat got free
	for len(waiting) > 0 || len(ready) > 0 {
		var m placed
		if n := len(ready); n > 0 {
			m, ready = ready[n-1], ready[:n-1]
		} else {
			m, waiting = waiting[0], waiting[1:]
		}
		if g.takesSeat(m) {
			if free[m.into] <= 0 {
				blocked[m.into] = append(blocked[m.into], m)
				continue
			}
			free[m.into]--
		}
		out = append(out, m)
		if from := m.claim.now; m.claim.transfers() && !g.grace() {
			free[from]++
			if w := blocked[from]; len(w) > 0 {
				ready, blocked[from] = append(ready, w[0]), w[1:]
			}
		}
	}
	if len(out) < len(g.placed.moves) {
		return g.placed.moves
	}
	return out
}

// depend fills in what each step depends on: the step before it for the same
// person, and the creation of the context it goes into.
func depend(steps []Step) {
	making := map[ContextID][]string{} // the id of one step
	last := newTable[int](len(steps))  // of each person, the number of the step before
	whose := func(i int) *RecordKey { return &steps[i].Key }
	var ids chunk[string]
	for i := range steps {
		s := &steps[i]
		to := leadsTo(s.Action)
		if s.Key.IsZero() {
			making[to] = []string{s.ID}
			continue
		}
		s.After = nil
		before, known := entryOf(&last, s.Key, whose)
		if known {
			s.After = ids.take(1)
			s.After[0] = steps[*before].ID
		}
		*before = i
		if made := making[to]; made != nil && s.After == nil {
			s.After = made
		} else {
			s.After = append(s.After, made...)
		}
	}
}
