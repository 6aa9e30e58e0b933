package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// room is a context with the seats that the people of an assignment may take,
// those who sit there already included.
type room struct {
	id   ContextID
	free int // seats for all of them together
	soft int // of these, seats that newcomers leave free while another room has some
}

// placing is one person who needs a seat. now is the context where the person
// is, 0 for none; somebody who is where allowed stays unless there is need.
type placing struct {
	key     RecordKey
	group   string // population
	school  SchoolID
	allowed []ContextID // sorted
	now     ContextID
}

func (p *placing) stays() bool { return p.now != 0 && slices.Contains(p.allowed, p.now) }

// assign gives every person a context, 0 where there is no seat. It seats as
// many people as possible; among these solutions it moves as few as possible of
// those who are where they are allowed; among these it keeps the people of one
// school and population together, as far as newcomers and movers go.
//
// The first two goals are solved exactly, as a minimum-cost flow over kinds of
// people (who may go where, and where they are) rather than over persons, so
// 32,000 people cost no more than thirty.
func assign(rooms []room, people []placing) []ContextID {
	to := make([]ContextID, len(people))
	at := make(map[ContextID]int, len(rooms)) // index in rooms
	for i, r := range rooms {
		at[r.id] = i
	}

	// Kinds of people: by allowed contexts, and where they sit if they may stay.
	type kind struct {
		allowed []ContextID
		now     ContextID
		members []int
	}
	index := map[string]int{}
	var kinds []kind
	for i := range people {
		p := &people[i]
		now := p.now
		if !p.stays() {
			now = 0
		}
		sig := signature(p.allowed, now)
		k, ok := index[sig]
		if !ok {
			k = len(kinds)
			index[sig] = k
			kinds = append(kinds, kind{allowed: p.allowed, now: now})
		}
		kinds[k].members = append(kinds[k].members, i)
	}
	slices.SortFunc(kinds, func(a, b kind) int {
		return strings.Compare(signature(a.allowed, a.now), signature(b.allowed, b.now))
	})

	// Source -> kind -> room -> sink; kind -> sink stands for "no seat".
	const noSeat = 1 << 20
	g := newFlow(2 + len(kinds) + len(rooms))
	src, sink := 0, 1
	kindNode := func(k int) int { return 2 + k }
	roomNode := func(r int) int { return 2 + len(kinds) + r }
	stay, over := make([]int, len(kinds)), make([]int, len(kinds))
	for k, kd := range kinds {
		g.edge(src, kindNode(k), len(kd.members), 0)
		stay[k] = -1
		for _, c := range kd.allowed {
			r, ok := at[c]
			if !ok {
				continue
			}
			cost := 1
			if c == kd.now || kd.now == 0 {
				cost = 0
			}
			e := g.edge(kindNode(k), roomNode(r), len(kd.members), cost)
			if c == kd.now {
				stay[k] = e
			}
		}
		over[k] = g.edge(kindNode(k), sink, len(kd.members), noSeat)
	}
	for r := range rooms {
		g.edge(roomNode(r), sink, max(rooms[r].free, 0), 0)
	}
	g.run(src, sink)

	// Who stays, and who must make room. Those leave whose schools have the
	// fewest people there, so that large cohorts stay whole.
	left := make([]int, len(rooms))
	for r := range rooms {
		left[r] = rooms[r].free
	}
	type cohortKey struct {
		group  string
		school SchoolID
	}
	cohort := map[cohortKey]map[ContextID]int{}
	var arrivals []int
	displaced := map[int]bool{}
	for k, kd := range kinds {
		if kd.now == 0 {
			arrivals = append(arrivals, kd.members...)
			continue
		}
		// Those beyond the capacity for whom there is no other seat keep theirs.
		leave, stuck := len(kd.members)-g.used(over[k]), g.used(over[k])
		if stay[k] >= 0 {
			leave -= g.used(stay[k])
		}
		members := slices.Clone(kd.members)
		if leave+stuck > 0 {
			size := map[cohortKey]int{}
			for _, i := range members {
				size[cohortKey{people[i].group, people[i].school}]++
			}
			slices.SortFunc(members, func(x, y int) int {
				a, b := &people[x], &people[y]
				return cmp.Or(
					cmp.Compare(size[cohortKey{a.group, a.school}], size[cohortKey{b.group, b.school}]),
					strings.Compare(string(a.school), string(b.school)),
					b.key.Compare(a.key))
			})
		}
		for _, i := range members[:leave] {
			displaced[i] = true
		}
		arrivals = append(arrivals, members[:leave]...)
		for _, i := range members[leave+stuck:] {
			p := &people[i]
			to[i] = kd.now
			left[at[kd.now]]--
			ck := cohortKey{p.group, p.school}
			if cohort[ck] == nil {
				cohort[ck] = map[ContextID]int{}
			}
			cohort[ck][kd.now]++
		}
	}

	// Arrivals by school and population: first those who must make room, whose
	// seats are spoken for, then the largest party.
	type party struct {
		cohortKey
		sig     string
		allowed []ContextID
		first   bool // displaced
		members []int
	}
	byParty := map[string]*party{}
	for _, i := range arrivals {
		p := &people[i]
		allowed := p.allowed
		if displaced[i] { // anywhere but here
			allowed = slices.DeleteFunc(slices.Clone(allowed), func(c ContextID) bool { return c == p.now })
		}
		sig := signature(allowed, 0)
		id := fmt.Sprint(sig, "\x00", p.group, "\x00", p.school, displaced[i])
		if byParty[id] == nil {
			byParty[id] = &party{cohortKey: cohortKey{p.group, p.school}, sig: sig, allowed: allowed, first: displaced[i]}
		}
		byParty[id].members = append(byParty[id].members, i)
	}
	parties := make([]*party, 0, len(byParty))
	demand := map[string]int{}
	allowedOf := map[string][]ContextID{}
	for _, p := range byParty {
		slices.SortFunc(p.members, func(x, y int) int { return people[x].key.Compare(people[y].key) })
		parties = append(parties, p)
		demand[p.sig] += len(p.members)
		allowedOf[p.sig] = p.allowed
	}
	slices.SortFunc(parties, func(a, b *party) int {
		if a.first != b.first {
			return map[bool]int{true: -1, false: 1}[a.first]
		}
		return cmp.Or(cmp.Compare(len(b.members), len(a.members)),
			strings.Compare(string(a.school), string(b.school)), strings.Compare(a.group, b.group), strings.Compare(a.sig, b.sig))
	})
	sigs := make([]string, 0, len(demand))
	for s := range demand {
		sigs = append(sigs, s)
	}
	slices.Sort(sigs)

	// most returns how many of the waiting people find a seat in what is left.
	most := func() int {
		f := newFlow(2 + len(sigs) + len(rooms))
		for s, sig := range sigs {
			f.edge(0, 2+s, demand[sig], 0)
			for _, c := range allowedOf[sig] {
				if r, ok := at[c]; ok {
					f.edge(2+s, 2+len(sigs)+r, demand[sig], 0)
				}
			}
		}
		for r := range rooms {
			f.edge(2+len(sigs)+r, 1, max(left[r], 0), 0)
		}
		return f.run(0, 1)
	}
	best := most()
	for _, p := range parties {
		n := 0 // members seated
		for _, hard := range []bool{false, true} {
			for _, r := range preferred(rooms, left, at, p.allowed, cohort[p.cohortKey], len(p.members)-n) {
				room := left[r]
				if !hard {
					room -= rooms[r].soft
				}
				want := min(room, len(p.members)-n)
				// The largest number that leaves everybody else's best untouched.
				take := 0
				for lo, hi := 1, want; lo <= hi; {
					try := (lo + hi) / 2
					if lo == 1 && hi == want {
						try = want // usually all of them fit
					}
					left[r] -= try
					demand[p.sig] -= try
					ok := most() == best-try
					left[r] += try
					demand[p.sig] += try
					if ok {
						take, lo = try, try+1
					} else {
						hi = try - 1
					}
				}
				if take <= 0 {
					continue
				}
				for _, i := range p.members[n : n+take] {
					to[i] = rooms[r].id
				}
				n += take
				left[r] -= take
				demand[p.sig] -= take
				best -= take
				if cohort[p.cohortKey] == nil {
					cohort[p.cohortKey] = map[ContextID]int{}
				}
				cohort[p.cohortKey][rooms[r].id] += take
			}
		}
		demand[p.sig] -= len(p.members) - n // these find no seat
	}
	return to
}

// preferred lists the rooms for a party: first where its school already is, the
// largest cohort first; then where the whole party fits; then by free seats.
func preferred(rooms []room, left []int, at map[ContextID]int, allowed []ContextID, cohort map[ContextID]int, size int) []int {
	var rs []int
	for _, c := range allowed {
		if r, ok := at[c]; ok {
			rs = append(rs, r)
		}
	}
	fits := func(r int) int {
		if left[r]-rooms[r].soft >= size {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(rs, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(cohort[rooms[b].id], cohort[rooms[a].id]),
			cmp.Compare(fits(a), fits(b)),
			cmp.Compare(left[b]-rooms[b].soft, left[a]-rooms[a].soft),
			cmp.Compare(rooms[a].id, rooms[b].id))
	})
	return rs
}

func signature(allowed []ContextID, now ContextID) string {
	b := make([]byte, 0, 4*len(allowed)+8)
	for _, c := range allowed {
		b = append(b, byte(c>>24), byte(c>>16), byte(c>>8), byte(c))
	}
	return string(append(b, '/', byte(now>>24), byte(now>>16), byte(now>>8), byte(now)))
}
