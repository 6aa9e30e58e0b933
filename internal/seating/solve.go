package seating

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// Solve decides where everybody sits. Rooms that do not exist must not be named.
//
// A room that is over its capacity takes nobody until it is below, which no
// network can say. So both are tried: that it remains closed, and that it is
// below in the end; changed for one and for two rooms at a time, as long as that pays.
func Solve(w World) Result {
	open := make([]bool, len(w.Rooms))
	best, least, _ := attempt(w, open)
	var full []int
	for r, rm := range w.Rooms {
		if !w.Keep && rm.Taken > rm.Capacity {
			full = append(full, r)
		}
	}
	for better := true; better; {
		better = false
		for i, a := range full {
			for _, b := range full[i:] {
				try := slices.Clone(open)
				try[a] = !try[a]
				if b != a {
					try[b] = !try[b]
				}
				if res, cost, ok := attempt(w, try); ok && cost.compare(least) < 0 {
					best, least, open, better = res, cost, try, true
				}
			}
		}
	}
	return best
}

// attempt decides with some of the rooms open that are over their capacity. It
// fails when not everybody who is in one of them can find a seat.
func attempt(w World, open []bool) (Result, bill, bool) {
	s := &solver{World: w}
	s.count()
	if s.calm() {
		return s.result(nil, nil), bill{}, true
	}
	if !s.share(open) {
		return Result{}, bill{}, false
	}
	s.choose()
	s.arrive()
	var moves, stuck []hop
	if s.Keep {
		moves = s.moves()
	} else {
		moves, stuck = s.untangle()
	}
	return s.result(moves, stuck), s.bill(nil), true
}

// solver gathers a result.
type solver struct {
	World
	classes []*class
	listed  []int   // people of kinds that are not fixed, by the room where they are
	at      [][]int // kind -> room -> people who are there in the end, those who stay included
	waits   []int   // people who will come into a room when old copies have left
	over    []int   // kind -> those who stay in a room that is over its capacity
	why     []reasons
	live    []bool // rooms that had a free seat at some time when the hops were put into order
}

// reasons says for how many of a kind who are where they may be there is which
// reason to move; the rest make room.
type reasons struct{ relieve, ahead, untangle int }

// class is all people who are alike for the question who finds a seat.
type class struct {
	Kind
	kinds []int

	into, later []int // edges into Allowed, now and some day; then how many go there
	stay, over  int   // edges

	left  int // people who get another seat
	crowd int // people who stay and are too many
}

// count sorts kinds into classes.
func (s *solver) count() {
	s.listed = make([]int, len(s.Rooms))
	s.waits = make([]int, len(s.Rooms))
	s.at = make([][]int, len(s.Kinds))
	s.over = make([]int, len(s.Kinds))
	s.why = make([]reasons, len(s.Kinds))
	cells := make([]int, len(s.Kinds)*len(s.Rooms))
	index := map[string]*class{}
	var key []byte
	for i := range s.Kinds {
		k := &s.Kinds[i]
		s.at[i] = cells[i*len(s.Rooms) : (i+1)*len(s.Rooms)]
		if k.Now != None {
			s.at[i][k.Now] = k.N
			if !k.Fixed {
				s.listed[k.Now] += k.N
			}
		}
		if k.Fixed || k.N <= 0 {
			continue
		}
		key = key[:0]
		for _, r := range k.Allowed {
			key = binary.AppendVarint(key, int64(r))
		}
		key = binary.AppendVarint(key, -2)
		key = binary.AppendVarint(key, int64(k.Now))
		key = append(key, digit(k.First), digit(k.ahead(s.Keep)))
		c := index[string(key)]
		if c == nil {
			c = &class{Kind: Kind{Allowed: k.Allowed, Now: k.Now, First: k.First, Ahead: k.ahead(s.Keep)}}
			index[string(key)] = c
			s.classes = append(s.classes, c)
		}
		c.N += k.N
		c.kinds = append(c.kinds, i)
	}
}

func digit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// calm reports whether everybody is where they may be and no room is too full.
func (s *solver) calm() bool {
	for r := range s.Rooms {
		if s.crowded(r) > 0 && s.listed[r] > 0 {
			return false
		}
	}
	return !slices.ContainsFunc(s.classes, func(c *class) bool { return !c.stays() })
}

// crowded is how many people are too many in a room at the outset, old copies
// that leave anyway aside.
func (s *solver) crowded(r int) int {
	return s.Rooms[r].Taken - s.Rooms[r].Later - s.Rooms[r].Capacity
}

// bill is what a solution costs, in the order of what counts.
type bill struct{ unseated, first, crowd, moves int }

func (a bill) compare(b bill) int {
	return cmp.Or(cmp.Compare(a.unseated, b.unseated), cmp.Compare(a.first, b.first),
		cmp.Compare(a.crowd, b.crowd), cmp.Compare(a.moves, b.moves))
}

// bill adds up what the solution costs when stuck hops do not happen.
func (s *solver) bill(stuck []hop) bill {
	var b bill
	there := make([]int, len(s.Rooms))
	for r, rm := range s.Rooms {
		there[r] = rm.Taken - rm.Later - s.listed[r]
	}
	for i := range s.Kinds {
		k := &s.Kinds[i]
		if k.Fixed {
			continue
		}
		gone := 0
		for r, n := range s.at[i] {
			there[r] += n
			if r != k.Now {
				gone += n
			}
		}
		switch {
		case k.stays():
			b.moves += gone
		case k.First:
			b.first += k.N - gone
			fallthrough
		default:
			b.unseated += k.N - gone
		}
	}
	for _, h := range stuck {
		there[h.from] += h.n
		there[h.to] -= h.n
		switch k := &s.Kinds[h.kind]; {
		case k.stays():
			b.moves -= h.n
		case k.First:
			b.first += h.n
			fallthrough
		default:
			b.unseated += h.n
		}
	}
	for r, rm := range s.Rooms {
		b.crowd += max(0, there[r]-rm.Capacity)
	}
	return b
}

// choose decides of which kinds those are who get another seat: of those who
// might stay the smallest, so that large cohorts stay whole; of those who need
// one the largest.
func (s *solver) choose() {
	for _, c := range s.classes {
		order := slices.Clone(c.kinds)
		slices.SortStableFunc(order, func(a, b int) int {
			ka, kb := &s.Kinds[a], &s.Kinds[b]
			if c.stays() {
				ka, kb = kb, ka
			}
			if ka.N != kb.N {
				return kb.N - ka.N
			}
			return 0
		})
		leave := c.left
		for _, i := range order {
			n := min(leave, s.Kinds[i].N)
			leave -= n
			if c.Now != None {
				s.at[i][c.Now] -= n
			}
		}
		if c.stays() {
			for over := c.crowd; over > 0 && len(order) > 0; order = order[:len(order)-1] {
				i := order[len(order)-1]
				s.over[i] = min(over, s.at[i][c.Now])
				over -= s.over[i]
			}
		}
	}
	s.excuse()
}

// excuse finds out why those leave who might have stayed.
func (s *solver) excuse() {
	relief := make([]int, len(s.Rooms))
	for r := range s.Rooms {
		relief[r] = max(0, s.crowded(r))
	}
	for i := range s.Kinds {
		if k := &s.Kinds[i]; k.Now != None && !k.Fixed && !k.stays() {
			relief[k.Now] -= k.N - s.at[i][k.Now]
		}
	}
	for i := range s.Kinds {
		if k := &s.Kinds[i]; !k.Fixed && k.stays() {
			n := k.N - s.at[i][k.Now]
			s.why[i].relieve = max(0, min(n, relief[k.Now]))
			relief[k.Now] -= n
			if s.Keep {
				s.why[i].ahead = n - s.why[i].relieve
			}
		}
	}
}
