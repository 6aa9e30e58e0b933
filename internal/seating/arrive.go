package seating

import (
	"cmp"
	"slices"
)

// party is everybody of one cohort who needs a seat in the same rooms.
type party struct {
	cohort int
	set    int // index in arrivals.sets
	first  bool
	n      int
	kinds  []int
	need   []int // of each of kinds
}

// arrivals is who still needs a seat, and a way to seat them all.
type arrivals struct {
	sets [][]int // rooms
	plan [][]int // set -> room -> people who could get a seat there
	left []int   // free seats
}

// arrive gives rooms to those who need one: cohort by cohort, first those who
// make room for others, then the largest.
func (s *solver) arrive() {
	a := &arrivals{left: s.free()}
	parties := s.parties(a)
	together := map[int][]int{} // cohort -> room -> people
	for i := range s.Kinds {
		if k := &s.Kinds[i]; k.Now != None && s.at[i][k.Now] > 0 {
			count(together, k.Cohort, len(s.Rooms))[k.Now] += s.at[i][k.Now]
		}
	}
	for _, p := range parties {
		there := count(together, p.cohort, len(s.Rooms))
		rest := p.n
		for _, all := range []bool{false, true} {
			for _, r := range s.preferred(a, p.set, there, rest) {
				free := a.left[r]
				if !all {
					free -= s.Rooms[r].Headroom
				}
				n := a.take(p.set, r, min(free, rest))
				rest -= n
				there[r] += n
				for j := range p.kinds {
					m := min(n, p.need[j])
					p.need[j] -= m
					n -= m
					s.at[p.kinds[j]][r] += m
				}
			}
		}
	}
}

func count(m map[int][]int, cohort, rooms int) []int {
	if m[cohort] == nil {
		m[cohort] = make([]int, rooms)
	}
	return m[cohort]
}

// free returns the seats that are left when those who stay have theirs.
func (s *solver) free() []int {
	left := make([]int, len(s.Rooms))
	stay := make([]int, len(s.Rooms))
	for i := range s.Kinds {
		if k := &s.Kinds[i]; k.Now != None && !k.Fixed {
			stay[k.Now] += s.at[i][k.Now]
		}
	}
	for r, rm := range s.Rooms {
		others := rm.Taken - s.listed[r]
		left[r] = rm.Capacity - others - stay[r]
		if s.Keep {
			left[r] = min(rm.Capacity-rm.Taken, left[r]+rm.Later-s.waits[r])
		}
		left[r] = max(0, left[r])
	}
	return left
}

// parties sorts those who need a seat.
func (s *solver) parties(a *arrivals) []*party {
	type id struct {
		set, cohort int
		first       bool
	}
	index := map[id]*party{}
	var all []*party
	for _, c := range s.classes {
		if c.left == 0 {
			continue
		}
		rooms := slices.Clone(c.Allowed)
		if c.stays() { // anywhere but here
			rooms = slices.DeleteFunc(rooms, func(r int) bool { return r == c.Now })
		}
		set := slices.IndexFunc(a.sets, func(o []int) bool { return slices.Equal(o, rooms) })
		if set < 0 {
			set = len(a.sets)
			a.sets, a.plan = append(a.sets, rooms), append(a.plan, make([]int, len(s.Rooms)))
		}
		for j, n := range c.into {
			a.plan[set][c.Allowed[j]] += n
		}
		// Of newcomers it is not known yet who of the class gets a seat.
		leave := c.left
		for _, i := range s.largest(c) {
			k := &s.Kinds[i]
			n := min(leave, k.N)
			if c.Now != None {
				n = k.N - s.at[i][c.Now]
			}
			if leave -= n; n == 0 {
				continue
			}
			p := index[id{set, k.Cohort, c.stays()}]
			if p == nil {
				p = &party{set: set, cohort: k.Cohort, first: c.stays()}
				index[id{set, k.Cohort, c.stays()}] = p
				all = append(all, p)
			}
			p.n += n
			p.kinds, p.need = append(p.kinds, i), append(p.need, n)
		}
	}
	slices.SortStableFunc(all, func(x, y *party) int {
		return cmp.Or(-cmp.Compare(digit(x.first), digit(y.first)), cmp.Compare(y.n, x.n), cmp.Compare(x.cohort, y.cohort))
	})
	return all
}

// largest lists the kinds of a class, the largest first.
func (s *solver) largest(c *class) []int {
	order := slices.Clone(c.kinds)
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.Kinds[b].N, s.Kinds[a].N) })
	return order
}

// preferred lists the rooms for a party: first where its cohort already is, the
// largest part of it first; then where the whole party fits; then by free seats.
func (s *solver) preferred(a *arrivals, set int, there []int, size int) []int {
	free := func(r int) int { return a.left[r] - s.Rooms[r].Headroom }
	rs := slices.Clone(a.sets[set])
	slices.SortStableFunc(rs, func(x, y int) int {
		return cmp.Or(
			cmp.Compare(there[y], there[x]),
			-cmp.Compare(digit(free(x) >= size), digit(free(y) >= size)),
			cmp.Compare(free(y), free(x)))
	})
	return rs
}

// take gives up to n people of a set a seat in a room, as many as it can
// without leaving anybody of all the others without one.
func (a *arrivals) take(set, room, n int) int {
	for a.plan[set][room] < n && a.swap(set, room, n-a.plan[set][room]) {
	}
	n = max(0, min(n, a.plan[set][room]))
	a.plan[set][room] -= n
	a.left[room] -= n
	return n
}

// spare is how many seats of a room nobody is planned for.
func (a *arrivals) spare(room int) int {
	n := a.left[room]
	for _, p := range a.plan {
		n -= p[room]
	}
	return n
}

// swap changes the plan so that up to n more people of a set sit in a room: by
// the shortest chain of others who change to another room, to one with a spare
// seat or one that the people of the set come from.
func (a *arrivals) swap(set, room, n int) bool {
	from := -1
	for r, m := range a.plan[set] {
		if m > 0 && r != room && from < 0 {
			from = r
		}
	}
	if from < 0 {
		return false
	}
	via := make([]change, len(a.left))
	seen := make([]bool, len(a.left))
	seen[room] = true
	for queue := []int{room}; len(queue) > 0; queue = queue[1:] {
		b := queue[0]
		spare := a.spare(b)
		switch {
		case b != room && a.plan[set][b] > 0:
			from = b
		case spare > 0:
			n = min(n, spare)
		default:
			for o := range a.sets {
				if a.plan[o][b] == 0 || o == set {
					continue
				}
				for _, c := range a.sets[o] {
					if !seen[c] {
						seen[c], via[c] = true, change{b, o}
						queue = append(queue, c)
					}
				}
			}
			continue
		}
		a.follow(via, room, b, set, from, n)
		return true
	}
	return false
}

// change is who came to a room from where.
type change struct{ room, set int }

// follow carries a chain out that ends in room b, for at most n people of a set
// who come from one room into another.
func (a *arrivals) follow(via []change, room, b, set, from, n int) {
	n = min(n, a.plan[set][from])
	for c := b; c != room; c = via[c].room {
		n = min(n, a.plan[via[c].set][via[c].room])
	}
	for c := b; c != room; c = via[c].room {
		a.plan[via[c].set][via[c].room] -= n
		a.plan[via[c].set][c] += n
	}
	a.plan[set][from] -= n
	a.plan[set][room] += n
}
