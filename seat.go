package schoolmail

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/seating"
)

// seating says who gets which seat.
type seats struct {
	*decisions
	made  []Step            // contexts that are to be created
	users map[ContextID]int // users of each context before the first step
	rooms []ContextID       // of the numbers that placement knows: declared contexts, then others where people sit
}

// placement is an answer to the question who sits where.
type placement struct {
	moves []placed // in order
	short []shortage
}

// placed is somebody who gets a seat.
type placed struct {
	claim *claim
	into  ContextID
}

// shortage is somebody for whom there is no seat, or who stays in a context that
// is over its capacity because there is no other.
type shortage struct {
	claim *claim
	over  bool
	why   string
}

// seat finds a seat for everybody who needs one.
func (d *decisions) seat() *seats {
	s := &seats{decisions: d, users: map[ContextID]int{}}
	exists := map[ContextID]bool{}
	for _, c := range d.state.Contexts {
		s.users[c.ID], exists[c.ID] = max(c.Users, d.updating[c.ID]), true
	}
	for i := range d.policy.Contexts {
		spec := d.policy.Contexts[i]
		s.rooms = append(s.rooms, spec.ID)
		if !exists[spec.ID] {
			s.users[spec.ID] = 1 // the administrator
			s.made = append(s.made, Step{ID: fmt.Sprintf("%s:%d", KindCreateContext, spec.ID), Subject: spec.Name,
				Reason: "declared in the policy, does not exist yet", Action: CreateContext{Spec: spec}})
		}
	}
	for i := range d.claims {
		if c := d.claims[i].now; c != 0 && !slices.Contains(s.rooms, c) {
			s.rooms = append(s.rooms, c)
		}
	}
	return s
}

// grace reports whether old copies are kept for a while.
func (g *given) grace() bool { return g.policy.LifeCycle.TransferGraceDays > 0 }

// layout says how many of each kind need a seat. members are the claims of
// each kind by key; where there are none the people are those who stay and are
// only counted.
type layout struct {
	seating.World
	members [][]*claim
	counted []int32 // kind among those who are only counted; -1: members say who it is
}

// holds say who and what is held back.
type holds struct {
	claims  map[RecordKey]bool // they neither move nor get a seat
	counted map[int32]int32    // of these, how many are among those who are only counted, by kind
	steps   map[string]bool    // ids of steps that free no seat
	rooms   map[ContextID]bool // contexts that take nobody
}

// place asks for seats for everybody but those who are held.
func (s *seats) place(h holds) placement {
	w := s.layout(h)
	res := seating.Solve(w.World)
	var out placement
	next := make([]int, len(w.Kinds)) // how many of a kind have been told where they go
	lists := make([][]*claim, len(w.Kinds))
	take := func(kind, n int) []*claim {
		if lists[kind] == nil {
			lists[kind] = s.members(&w, kind, h)
		}
		from := next[kind]
		next[kind] += n
		return lists[kind][from:min(from+n, len(lists[kind]))]
	}
	for _, m := range res.Moves {
		for _, c := range take(m.Kind, m.N) {
			out.moves = append(out.moves, placed{c, s.rooms[m.To]})
		}
	}
	for _, sh := range res.Short {
		for _, c := range take(sh.Kind, sh.N) {
			out.short = append(out.short, shortage{c, sh.Over, s.missing(c, &sh)})
		}
	}
	for i := range s.claims { // who has an unfinished copy goes on there
		if c := s.claims[i]; s.pinned(c) && !h.claims[c.key] {
			out.moves = append(out.moves, placed{c, c.pin})
		}
	}
	return out
}

// pinned reports whether the user that a claim shall have exists already, so that it
// takes no seat.
func (s *seats) pinned(c *claim) bool { return c.pin != 0 && s.placeAt(c.username(), c.pin) != nil }

// members lists the people of a kind in the order in which they are told where
// to go: those who need a seat by key, those who would have to leave one from the
// end, so that who came first stays.
func (s *seats) members(w *layout, kind int, h holds) []*claim {
	list := w.members[kind]
	if n := w.counted[kind]; n >= 0 {
		list = slices.Clone(list)
		for i := range s.people {
			if p := &s.people[i]; s.seated[i] == n && !h.claims[p.key()] {
				pop, _, _ := s.kinds.parts(int(n))
				list = append(list, s.staysAs(p, int32(i), &s.policy.Populations[pop]))
			}
		}
	}
	slices.SortFunc(list, func(x, y *claim) int { return x.key.Compare(y.key) })
	if k := &w.Kinds[kind]; k.Now != seating.None && slices.Contains(k.Allowed, k.Now) {
		slices.Reverse(list)
	}
	return list
}

// staysAs is the claim of somebody who is counted and would stay.
func (s *seats) staysAs(p *individual, i int32, pop *Population) *claim {
	a := p.account
	if s.changed != nil && s.changed[i] != nil {
		a = s.changed[i]
	}
	c := claim{key: a.Key, pop: pop, allowed: slices.Sorted(slices.Values(pop.Contexts)), now: a.Context, person: i,
		acc: a, before: a, place: p.place, access: pop.Access, reason: stayReason(a.Context)}
	if len(a.Memberships) > 0 {
		c.school = a.Memberships[0].School
		c.home = c.school
	}
	if len(p.account.Memberships) > 0 {
		c.home = p.account.Memberships[0].School
	}
	return &c
}

// layout describes the rooms and the people without their names.
func (s *seats) layout(h holds) layout {
	w := layout{World: seating.World{Keep: s.grace(), Rooms: make([]seating.Room, len(s.rooms))}}
	room := func(c ContextID) int { return slices.Index(s.rooms, c) }
	for i, c := range s.rooms {
		w.Rooms[i].Taken = s.users[c]
		if spec := s.policy.context(c); spec != nil && !h.rooms[c] {
			w.Rooms[i].Capacity, w.Rooms[i].Headroom = spec.Capacity, spec.Headroom
		}
		if s.beingUpdated(c) != "" { // full, with those who are there
			w.Rooms[i].Capacity, w.Rooms[i].Headroom = s.users[c], 0
		}
	}
	dropped := map[string]bool{}
	drop := func(steps []Step) {
		for _, st := range steps {
			if c := st.Action.frees(); c != 0 && !h.steps[st.ID] {
				if r := room(c); r >= 0 {
					w.Rooms[r].Taken--
				}
				if st.Action.nature().forgets {
					dropped[st.Subject] = true
				}
			}
		}
	}
	drop(s.frees)
	drop(s.limited["purges"])
	for i := range s.claims {
		drop(s.claims[i].steps)
	}
	for i := range s.state.Accounts {
		a := &s.state.Accounts[i]
		c := a.Previous.Context
		if c == 0 || dropped[a.Username] || a.Key.Source != s.policy.Source || s.placeAt(a.Username, c) == nil {
			continue
		}
		if r := room(c); r >= 0 {
			w.Rooms[r].Later++
		}
	}
	s.addCounted(&w, room, h)
	s.addClaims(&w, room, h)
	return w
}

// addCounted adds a kind for all who stay and are only counted.
func (s *seats) addCounted(w *layout, room func(ContextID) int, h holds) {
	allowed := make([][]int, len(s.policy.Populations))
	for i := range s.policy.Populations {
		allowed[i] = roomNumbers(s.policy.Populations[i].Contexts, room)
	}
	for k, n := range s.kinds.n {
		if n == 0 {
			continue
		}
		pop, school, spot := s.kinds.parts(k)
		kind := seating.Kind{Allowed: allowed[pop], Now: room(s.kinds.spots[spot].ID), Cohort: s.cohort(pop, school)}
		fixed := h.counted[int32(k)]
		if s.mayNotMove(s.kinds.spots[spot].ID) {
			fixed = n
		}
		if kind.N = int(n - fixed); kind.N > 0 {
			w.add(kind, int32(k))
		}
		if kind.N, kind.Fixed = int(fixed), true; fixed > 0 {
			w.add(kind, -1)
		}
	}
}

func (w *layout) add(k seating.Kind, counted int32) {
	w.Kinds, w.members, w.counted = append(w.Kinds, k), append(w.members, nil), append(w.counted, counted)
}

// mayNotMove reports whether nobody can leave a context now to make room there.
func (s *seats) mayNotMove(from ContextID) bool {
	return s.state.NoCopies != "" || s.beingUpdated(from) != ""
}

// cohort is the number of a school's people of one population.
func (s *seats) cohort(pop, school int) int { return pop*len(s.kinds.schools) + school }

func roomNumbers(cs []ContextID, room func(ContextID) int) []int {
	rooms := make([]int, 0, len(cs))
	for _, c := range cs {
		rooms = append(rooms, room(c))
	}
	slices.Sort(rooms)
	return rooms
}

// kindKey is what people of one kind have in common.
type kindKey struct {
	now, cohort         int
	fixed, first, ahead bool
	rooms               int // which of the lists of rooms
}

// roomLists turns lists of contexts into lists of rooms, each only once.
type roomLists struct {
	room  func(ContextID) int
	lists [][]ContextID
	rooms [][]int
}

// of returns the number of a list.
func (l *roomLists) of(cs []ContextID) int {
	i := slices.IndexFunc(l.lists, func(o []ContextID) bool { return slices.Equal(o, cs) })
	if i < 0 {
		i = len(l.lists)
		l.lists, l.rooms = append(l.lists, cs), append(l.rooms, roomNumbers(cs, l.room))
	}
	return i
}

// addClaims adds the people who are listed.
func (s *seats) addClaims(w *layout, room func(ContextID) int, h holds) {
	lists := roomLists{room: room}
	index := map[kindKey]int{}
	for i := range w.Kinds { // of those who are only counted
		k := &w.Kinds[i]
		contexts := slices.Sorted(slices.Values(s.policy.Populations[k.Cohort/len(s.kinds.schools)].Contexts))
		index[kindKey{now: k.Now, cohort: k.Cohort, fixed: k.Fixed, rooms: lists.of(contexts)}] = i
	}
	for i := range s.claims {
		c := s.claims[i]
		pop := slices.IndexFunc(s.policy.Populations, func(p Population) bool { return p.Name == c.pop.Name })
		k := kindKey{now: seating.None, cohort: s.cohort(pop, int(s.kinds.school[c.school]))}
		if c.now != 0 {
			k.now = room(c.now)
		}
		allowed := c.allowed
		switch {
		case h.claims[c.key], c.stays() && (c.before.Previous.Context != 0 || s.mayNotMove(c.now)):
			// Two copies of one person are not kept.
			if !c.stays() {
				continue
			}
			k.fixed = true
		case s.pinned(c):
			// The seat is taken already; the old one gets free.
			if c.now != 0 && c.now != c.pin && !w.Keep {
				w.Rooms[k.now].Taken--
			}
			continue
		case c.pin != 0:
			allowed, k.first, k.now = []ContextID{c.pin}, true, seating.None
		case c.before == nil:
			k.ahead = true
		}
		k.rooms = lists.of(allowed)
		n, known := index[k]
		if !known {
			n = len(w.Kinds)
			index[k] = n
			w.add(seating.Kind{Now: k.now, Cohort: k.cohort, Fixed: k.fixed, First: k.first, Ahead: k.ahead,
				Allowed: lists.rooms[k.rooms]}, -1)
		}
		w.Kinds[n].N++
		w.members[n] = append(w.members[n], c)
	}
}

// missing says why there is no seat for somebody.
func (s *seats) missing(c *claim, sh *seating.Short) string {
	if len(c.allowed) == 0 {
		return fmt.Sprintf("in every context that %s may live in somebody else has this user name", c.pop.Name)
	}
	why := fmt.Sprintf("no seat is free in the contexts that %s may live in (%s)", c.pop.Name, ids(c.allowed))
	for _, r := range c.allowed {
		if updating := s.beingUpdated(r); updating != "" {
			why += "; " + updating
		}
	}
	rooms := make([]ContextID, len(sh.Rooms))
	for i, r := range sh.Rooms {
		rooms[i] = s.rooms[r]
	}
	slices.Sort(rooms)
	switch {
	case sh.Swap:
		return why + fmt.Sprintf("; full contexts wait for one another: one spare seat in any of %s would do", ids(rooms))
	case sh.Later > 0:
		return why + fmt.Sprintf("; old copies give %d back when their grace is over", sh.Later)
	case sh.Seats > 0:
		return why + fmt.Sprintf("; %d more would do in %s", sh.Seats, ids(rooms))
	}
	return why
}

// seatStep makes the step that seats somebody in a context, 0 for none.
func (s *seats) seatStep(c *claim, into ContextID) Step {
	after := s.account(c)
	after.Context = into
	if c.before == nil || after.Access != "" || c.place != nil && !c.stays() {
		after.Access = c.access
	}
	if c.before == nil || c.resume {
		id := s.texts.join(string(KindCreate), ":", c.key.Source, "/", c.key.ID)
		return stepOf(id, &after, c.reason,
			CreateAccount{Account: after, Access: c.access, Resume: c.resume, SeatExists: c.place != nil})
	}
	switch {
	case c.place == nil && into == c.before.Context && len(c.fields) == 0:
		return newStep(KindRepair, &after, c.reason,
			RepairPlace{Account: after, Access: c.access, Missing: true, Restore: c.restore})
	case c.place == nil:
		fields := slices.Clone(c.fields)
		if into != c.before.Context {
			fields = append(fields, "context")
		}
		return newStep(KindChange, &after, c.reason, ChangeAccount{Before: *c.before, After: after, Fields: fields,
			Access: c.access, Anew: c.before.Context != 0})
	}
	after.Previous = Previous{Context: c.now, UserID: c.place.UserID, Since: s.now}
	after.Marks = s.moved(&after, c)
	reason := c.reason
	if c.stays() {
		reason = fmt.Sprintf("makes room in context %d", c.now)
	}
	st := newStep(KindTransfer, c.before, reason, TransferContext{Before: *c.before, After: after, Access: c.access,
		KeepCopy: s.grace(), OldCopy: c.place.UserID, SeatExists: c.pin != 0})
	st.School = c.home
	return st
}

// transfers reports whether a seat elsewhere is a transfer for somebody.
func (c *claim) transfers() bool { return c.before != nil && !c.resume && c.place != nil }

func ids(cs []ContextID) string {
	parts := make([]string, len(cs))
	for i, c := range cs {
		parts[i] = fmt.Sprint(int(c))
	}
	return strings.Join(parts, ", ")
}

func sortedIDs[V any](m map[ContextID]V) []ContextID {
	ks := make([]ContextID, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}
