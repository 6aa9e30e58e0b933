package seating

import "slices"

// hop is a number of people of one kind who go from one room to another.
type hop struct{ kind, from, to, n int }

// hops lists who goes where, by kind and room.
func (s *solver) hops() []hop {
	var hs []hop
	for i := range s.Kinds {
		k := &s.Kinds[i]
		for r, n := range s.at[i] {
			if n > 0 && r != k.Now && !k.Fixed {
				hs = append(hs, hop{i, k.Now, r, n})
			}
		}
	}
	return hs
}

// moves lists who goes where when no seat gets free on the way: first those who
// move, then those who are new.
func (s *solver) moves() []hop {
	hs := s.hops()
	slices.SortStableFunc(hs, func(a, b hop) int {
		return int(digit(a.from == None)) - int(digit(b.from == None))
	})
	return hs
}

// schedule brings hops into an order in which nobody enters a full room.
//
// A free seat of a room travels against the people: whoever takes it leaves
// theirs. A ring of people who change places gives it back at the end, so rings
// are run whenever a free seat comes by one of their rooms; what remains has no
// rings, and its free seats arrive by themselves. A ring that no free seat ever
// comes by cannot move.
type schedule struct {
	seats []int     // free ones
	wait  [][][]hop // from -> to -> who goes
	open  [][]int   // from -> to -> how many who are part of no ring
	rings []ring
	done  []hop
	live  []bool // rooms that have a free seat at some time
}

type ring struct {
	rooms []int // each goes to the next, the last to the first
	n     int
	run   bool
}

// schedule returns the hops in order, and those that cannot happen.
func (s *solver) schedule() (done, stuck []hop) {
	n := len(s.Rooms)
	c := &schedule{seats: make([]int, n), wait: make([][][]hop, n), open: make([][]int, n), live: make([]bool, n)}
	s.live = c.live
	for r, rm := range s.Rooms {
		c.seats[r] = rm.Capacity - rm.Taken
		c.live[r] = c.seats[r] > 0
		c.wait[r], c.open[r] = make([][]hop, n), make([]int, n)
	}
	var newcomers []hop
	for _, h := range s.hops() {
		if h.from == None {
			newcomers = append(newcomers, h)
			continue
		}
		c.wait[h.from][h.to] = append(c.wait[h.from][h.to], h)
		c.open[h.from][h.to] += h.n
	}
	for c.findRing() {
	}
	for again := true; again; {
		for c.next(c.ringFull) {
		}
		for r := range c.seats {
			c.visit(r)
		}
		again = c.next(c.ringFull) || c.next(c.full) || c.next(nil)
	}
	for _, w := range c.wait {
		for _, hs := range w {
			stuck = append(stuck, hs...)
		}
	}
	return append(c.done, newcomers...), stuck
}

// full reports whether a room is over its capacity and could not pass a seat on.
func (c *schedule) full(r int) bool { return c.seats[r] < 0 }

// ringFull reports whether a room is full in this way and a ring waits for it.
func (c *schedule) ringFull(r int) bool {
	return c.full(r) && slices.ContainsFunc(c.rings, func(g ring) bool { return !g.run && slices.Contains(g.rooms, r) })
}

// next lets somebody go who is part of no ring; with full only out of such rooms,
// and no more than are too many there.
func (c *schedule) next(full func(room int) bool) bool {
	for to := range c.seats {
		for from := range c.seats {
			m := min(c.seats[to], c.open[from][to])
			if full != nil {
				if !full(from) {
					continue
				}
				m = min(m, -c.seats[from])
			}
			if m > 0 {
				c.open[from][to] -= m
				c.goes(from, to, m)
				return true
			}
		}
	}
	return false
}

// findRing moves one ring of open hops to the rings.
func (c *schedule) findRing() bool {
	n := len(c.seats)
	const fresh, onPath, dead = 0, 1, 2
	state := make([]int, n)
	var path []int
	var walk func(r int) bool
	walk = func(r int) bool {
		state[r] = onPath
		path = append(path, r)
		for to := range n {
			if c.open[r][to] == 0 {
				continue
			}
			if state[to] == onPath {
				path = path[slices.Index(path, to):]
				return true
			}
			if state[to] == fresh && walk(to) {
				return true
			}
		}
		state[r] = dead
		path = path[:len(path)-1]
		return false
	}
	for r := range n {
		if state[r] != fresh || !walk(r) {
			continue
		}
		m := c.open[path[len(path)-1]][path[0]]
		for i, from := range path[:len(path)-1] {
			m = min(m, c.open[from][path[i+1]])
		}
		for i, from := range path {
			c.open[from][path[(i+1)%len(path)]] -= m
		}
		c.rings = append(c.rings, ring{rooms: path, n: m})
		return true
	}
	return false
}

// visit runs the rings through a room that has a free seat, and those that
// they pass by.
func (c *schedule) visit(room int) {
	for i := range c.rings {
		if c.seats[room] <= 0 {
			return
		}
		g := &c.rings[i]
		at := slices.Index(g.rooms, room)
		if g.run || at < 0 || slices.ContainsFunc(g.rooms, func(r int) bool { return c.seats[r] < 0 }) {
			continue
		}
		g.run = true
		k := len(g.rooms)
		for n := g.n; n > 0; {
			m := min(n, c.seats[room])
			for j := range k {
				to := (at - j + k) % k
				from := (to - 1 + k) % k
				c.goes(g.rooms[from], g.rooms[to], m)
				if n == g.n && j < k-1 {
					c.visit(g.rooms[from])
				}
			}
			n -= m
		}
	}
}

// goes lets n people go from one room to another.
func (c *schedule) goes(from, to, n int) {
	c.seats[to] -= n
	c.seats[from] += n
	c.live[from] = c.live[from] || c.seats[from] > 0
	for hs := &c.wait[from][to]; n > 0; {
		h := (*hs)[0]
		m := min(n, h.n)
		n -= m
		h.n = m
		c.done = append(c.done, h)
		if (*hs)[0].n -= m; (*hs)[0].n == 0 {
			*hs = (*hs)[1:]
		}
	}
}
