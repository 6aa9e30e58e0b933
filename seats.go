package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// seek registers somebody who needs, or has, a seat.
func (b *builder) seek(s seeker, pop *Population) {
	s.key, s.group = s.acc.Key, pop.Name
	s.allowed = slices.Sorted(slices.Values(pop.Contexts))
	if len(s.acc.Memberships) > 0 {
		s.school = s.acc.Memberships[0].School
	}
	s.home = s.school
	if a := b.accounts[s.key]; a != nil && len(a.Memberships) > 0 {
		s.home = a.Memberships[0].School
	}
	if s.place != nil {
		s.now = s.place.Context
	}
	b.seekers = append(b.seekers, s)
}

// taker is a step that needs a seat.
type taker struct {
	step Step
	into ContextID
	from ContextID // seat that gets free afterwards; 0: none, or only after the grace
	seat bool      // false: its seat is counted already
	who  *seeker
}

// unit returns the steps that stand or fall with a transfer.
func (t taker) unit() []Step {
	if t.who == nil || t.step.Kind() != KindTransfer {
		return nil
	}
	return t.who.with
}

// holdUnit holds a transfer and what stands or falls with it.
func (b *builder) holdUnit(s *seeker, transfer Step, why string) {
	b.hold(transfer, "", why)
	for _, w := range s.with {
		b.hold(w, "", "its transfer is held back: "+why)
	}
}

// place gives everybody a context and turns the result into steps in an order
// in which no context ever holds more than its capacity.
func (b *builder) place() {
	users := map[ContextID]int{}
	exists := map[ContextID]bool{}
	for _, c := range b.state.Contexts {
		users[c.ID], exists[c.ID] = c.Users, true
	}
	var made []Step
	for i := range b.policy.Contexts {
		spec := b.policy.Contexts[i]
		if !exists[spec.ID] {
			users[spec.ID] = 1 // the administrator
			made = append(made, Step{ID: fmt.Sprintf("%s:%d", KindCreateContext, spec.ID), Subject: spec.Name,
				Reason: "declared in the policy, does not exist yet", Action: CreateContext{Spec: spec}})
		}
	}
	before := map[ContextID]int{}
	for c, n := range users {
		before[c] = n
	}

	// Seats that remain taken in the long run, and those taken now. The
	// difference, old copies that leave after their grace, must not make
	// anybody move: who needs such a seat waits for it.
	grace := b.policy.LifeCycle.TransferGraceDays > 0
	taken, later := map[ContextID]int{}, map[ContextID]int{}
	for c, n := range users {
		taken[c] = n
	}
	dropped := map[string]bool{}
	drop := func(steps []Step) {
		for _, s := range steps {
			if c := freed(s); c != 0 {
				taken[c]--
				d, ok := s.Action.(DropCopy)
				dropped[s.Subject] = dropped[s.Subject] || ok && d.Leftover == nil
			}
		}
	}
	drop(b.frees)
	for i := range b.seekers {
		drop(b.seekers[i].step)
	}
	for i := range b.state.Accounts {
		a := &b.state.Accounts[i]
		if c := a.Previous.Context; c != 0 && !dropped[a.Username] && a.Key.Source == b.policy.Source && b.placeAt(a.Username, c) != nil {
			taken[c]--
			later[c]++
		}
	}
	for i := range b.seekers {
		s := &b.seekers[i]
		switch {
		case s.pin != 0 && b.placeAt(s.acc.Username, s.pin) == nil:
			taken[s.pin]++
		case s.pin != 0:
		case s.now != 0:
			taken[s.now]--
			if grace && !s.stays() {
				later[s.now]++
			}
		}
	}
	var rooms []room
	for _, c := range b.policy.Contexts {
		rooms = append(rooms, room{id: c.ID, free: c.Capacity - taken[c.ID], soft: c.Headroom + later[c.ID]})
	}
	var open []placing
	var who []int
	for i := range b.seekers {
		if b.seekers[i].pin == 0 {
			open = append(open, b.seekers[i].placing)
			who = append(who, i)
		}
	}
	to := make([]ContextID, len(b.seekers))
	for i := range b.seekers {
		to[i] = b.seekers[i].pin
	}
	for j, c := range assign(rooms, open) {
		to[who[j]] = c
	}

	var transfers []Step
	moving := map[string]taker{}
	var others []taker
	for i := range b.seekers {
		s := &b.seekers[i]
		b.steps = append(b.steps, slices.DeleteFunc(slices.Clone(s.step), func(p Step) bool { return freed(p) != 0 })...)
		b.frees = append(b.frees, slices.DeleteFunc(slices.Clone(s.step), func(p Step) bool { return freed(p) == 0 })...)
		t, ok := b.taker(s, to[i], grace)
		t.who = s
		switch {
		case !ok:
		case t.step.Kind() == KindTransfer:
			transfers = append(transfers, t.step)
			moving[t.step.ID] = t
		default:
			others = append(others, t)
		}
	}
	var takers []taker
	for _, s := range b.guard("transfers", transfers, b.seatless) {
		takers = append(takers, moving[s.ID])
		delete(moving, s.ID)
	}
	for _, s := range transfers {
		for _, w := range moving[s.ID].unit() {
			b.hold(w, "transfers", "its transfer is held back")
		}
	}
	// School by school: whoever writes group members can then write many at once.
	bySchool := func(x, y taker) int {
		return cmp.Or(strings.Compare(string(x.step.School), string(y.step.School)), x.step.Key.Compare(y.step.Key))
	}
	slices.SortStableFunc(takers, bySchool)
	slices.SortStableFunc(others, bySchool)
	takers = append(takers, others...)
	made, takers = b.doubtful(made, takers)
	takers = b.guardChanges(takers)

	b.schedule(made, takers, users, before, grace)
}

// elsewhere returns a context with a free seat for somebody who is not where
// they are allowed, the emptiest first, or 0.
func (b *builder) elsewhere(s *seeker, users map[ContextID]int) ContextID {
	best, room := ContextID(0), 0
	if s.stays() || s.pin != 0 {
		return 0
	}
	for _, c := range s.allowed {
		if n := b.policy.context(c).Capacity - users[c]; n > room {
			best, room = c, n
		}
	}
	return best
}

// freed returns the context in which a step frees a seat, or 0.
func freed(s Step) ContextID {
	switch a := s.Action.(type) {
	case Purge:
		if a.UserID != 0 {
			return a.Account.Context
		}
	case DropCopy:
		if a.Leftover != nil {
			return a.Leftover.Context
		}
		return a.Before.Previous.Context
	}
	return 0
}

// taker makes the step that seats somebody in context c.
func (b *builder) taker(s *seeker, c ContextID, grace bool) (taker, bool) {
	none := func(what string) string {
		if len(s.allowed) == 0 {
			return fmt.Sprintf("in every context that %s may live in somebody else has this user name", what)
		}
		return fmt.Sprintf("no seat is free in the contexts that %s may live in (%s)", what, ids(s.allowed))
	}
	after := s.acc
	after.Context = c
	if s.before == nil || after.Access != "" || s.place != nil && !s.stays() {
		after.Access = s.access
	}
	switch {
	case s.before == nil || s.resume:
		act := CreateAccount{Account: after, Access: s.access, Resume: s.resume, SeatExists: s.place != nil}
		st := b.step(KindCreate, &after, s.reason, act)
		if c == 0 {
			b.hold(st, "", none(s.group))
			return taker{}, false
		}
		return taker{step: st, into: c, seat: s.place == nil}, true
	case s.stays() && s.pin == 0 && (c == s.now || c == 0):
		if c == 0 {
			b.find("over-capacity", "%s stays in context %d, which is over its capacity: %s", after.Username, s.now, none(s.group))
		}
		return taker{}, false
	case s.place == nil:
		var st Step
		if c == s.before.Context && len(s.fields) == 0 {
			st = b.step(KindRepair, &after, s.reason, RepairPlace{Account: after, Access: s.access, Missing: true, Restore: s.restore})
		} else {
			fields := slices.Clone(s.fields)
			if c != s.before.Context {
				fields = append(fields, "context")
			}
			st = b.step(KindChange, &after, s.reason, ChangeAccount{Before: *s.before, After: after, Fields: fields, Access: s.access})
		}
		if c == 0 {
			b.hold(st, "", none(s.group))
			return taker{}, false
		}
		return taker{step: st, into: c, seat: true}, true
	}
	after.Previous = Previous{Context: s.now, UserID: s.place.UserID, Since: b.now}
	act := TransferContext{Before: *s.before, After: after, Access: s.access, KeepCopy: grace, OldCopy: s.place.UserID, SeatExists: s.pin != 0}
	reason := s.reason
	if s.stays() {
		reason = fmt.Sprintf("makes room in context %d", s.now)
	}
	st := b.step(KindTransfer, s.before, reason, act)
	st.School = s.home
	if c == 0 {
		b.holdUnit(s, st, none(s.group))
		b.seatless = append(b.seatless, st)
		return taker{}, false
	}
	if s.before.Previous.Context != 0 {
		b.holdUnit(s, st, fmt.Sprintf("the copy of the last transfer is still kept in context %d (since %s)",
			s.before.Previous.Context, s.before.Previous.Since))
		return taker{}, false
	}
	t := taker{step: st, into: c, seat: s.pin == 0}
	if !grace {
		t.from = s.now
	}
	return t, true
}

func ids(cs []ContextID) string {
	parts := make([]string, len(cs))
	for i, c := range cs {
		parts[i] = fmt.Sprint(int(c))
	}
	return strings.Join(parts, ", ")
}

// schedule orders the steps: contexts, what opens, what frees seats, what takes
// seats as they get free, and what closes. Whoever finds no seat on the way is held back.
func (b *builder) schedule(made []Step, takers []taker, users, before map[ContextID]int, grace bool) {
	b.plan.Steps = append(b.plan.Steps, made...)
	var closing []Step
	// School by school, but the steps of one person stay together and in order,
	// also of somebody who comes back to another school.
	school := map[RecordKey]SchoolID{}
	for _, s := range b.steps {
		if _, ok := school[s.Key]; !ok {
			school[s.Key] = s.School
		}
	}
	slices.SortStableFunc(b.steps, func(x, y Step) int {
		return cmp.Or(strings.Compare(string(school[x.Key]), string(school[y.Key])), x.Key.Compare(y.Key))
	})
	for _, s := range b.steps {
		if k := s.Kind(); k == KindNotice || k == KindDeactivate {
			closing = append(closing, s)
		} else {
			b.plan.Steps = append(b.plan.Steps, s)
		}
	}
	slices.SortStableFunc(b.frees, func(x, y Step) int { return x.Key.Compare(y.Key) })
	for _, s := range b.frees {
		b.plan.Steps = append(b.plan.Steps, s)
		if c := freed(s); c != 0 {
			users[c]--
		}
	}
	peak := map[ContextID]int{}
	for c, n := range before {
		peak[c] = n
	}
	waiting := map[ContextID][]taker{}
	var ready []taker // those for whom a seat got free
	for again := true; again; {
		again = false
		for len(takers) > 0 || len(ready) > 0 {
			var t taker
			if n := len(ready); n > 0 {
				t, ready = ready[n-1], ready[:n-1]
			} else {
				t, takers = takers[0], takers[1:]
			}
			capacity := 0
			if spec := b.policy.context(t.into); spec != nil {
				capacity = spec.Capacity
			}
			if t.seat && users[t.into] >= capacity {
				waiting[t.into] = append(waiting[t.into], t)
				continue
			}
			if t.seat {
				users[t.into]++
				peak[t.into] = max(peak[t.into], users[t.into])
			}
			b.plan.Steps = append(append(b.plan.Steps, t.unit()...), t.step)
			if t.from != 0 {
				users[t.from]--
				if w := waiting[t.from]; len(w) > 0 {
					ready, waiting[t.from] = append(ready, w[0]), w[1:]
				}
			}
		}

	search:
		for _, c := range sortedIDs(waiting) {
			for i, t := range waiting[c] {
				if other := b.elsewhere(t.who, users); other != 0 {
					waiting[c] = slices.Delete(waiting[c], i, i+1)
					if t, again = b.taker(t.who, other, grace); again {
						ready = append(ready, t)
					}
					break search
				}
			}
		}
	}
	for _, c := range sortedIDs(waiting) {
		for _, t := range waiting[c] {
			b.holdUnit(t.who, t.step, fmt.Sprintf("context %d is full until old copies or purged accounts leave it", c))
		}
	}
	b.plan.Steps = append(b.plan.Steps, closing...)
	for _, c := range sortedIDs(before) {
		f := Forecast{Context: c, Before: before[c], Peak: peak[c], After: users[c]}
		if spec := b.policy.context(c); spec != nil {
			f.Name, f.Capacity = spec.Name, spec.Capacity
		}
		b.plan.Forecast = append(b.plan.Forecast, f)
	}
}

func sortedIDs[V any](m map[ContextID]V) []ContextID {
	ks := make([]ContextID, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// order fills in what each step depends on: the step before it for the same
// person, and the creation of the context it goes into.
func (b *builder) order() {
	making := map[ContextID]string{}
	last := map[RecordKey]string{}
	for i := range b.plan.Steps {
		s := &b.plan.Steps[i]
		if a, ok := s.Action.(CreateContext); ok {
			making[a.Spec.ID] = s.ID
			continue
		}
		if id, ok := last[s.Key]; ok {
			s.After = append(s.After, id)
		}
		last[s.Key] = s.ID
		if id, ok := making[target(s.Action)]; ok {
			s.After = append(s.After, id)
		}
	}
	if b.plan.Steps == nil {
		b.plan.Steps = []Step{}
	}
	if b.plan.Held == nil {
		b.plan.Held = []Held{}
	}
	if b.plan.Findings == nil {
		b.plan.Findings = []Finding{}
	}
}

// target returns the context an action puts a user into, or 0.
func target(a Action) ContextID {
	switch a := a.(type) {
	case CreateAccount:
		return a.Account.Context
	case ChangeAccount:
		return a.After.Context
	case RepairPlace:
		return a.Account.Context
	case TransferContext:
		return a.After.Context
	}
	return 0
}
