package seating

import (
	"cmp"
	"slices"
)

// untangle schedules the hops. When full rooms wait for one another it looks
// for somebody of theirs who may sit elsewhere, where a seat is free or can be
// made free, so that the others can change places one after the other.
func (s *solver) untangle() (done, stuck []hop) {
	done, stuck = s.schedule()
	detour := false
	for len(stuck) > 0 && s.detour(&done, &stuck) {
		detour = true
	}
	for detour && s.regret(&done, &stuck) {
	}
	for _, h := range stuck {
		s.at[h.kind][h.to] -= h.n
		s.at[h.kind][h.from] += h.n
	}
	return done, stuck
}

// shift is one person of a kind who ends in another room than planned.
type shift struct{ kind, from, to int }

// way is a chain of shifts and what it costs.
type way struct {
	shifts []shift
	cost   int64
}

// detour finds the cheapest chain that lets some of the stuck people go, and
// reports whether there is one.
func (s *solver) detour(done, stuck *[]hop) bool {
	now := s.bill(*stuck)
	tangled := make([]bool, len(s.Rooms))
	for _, h := range *stuck {
		tangled[h.from], tangled[h.to] = true, true
	}
	for _, w := range s.ways(tangled) {
		if !s.shift(w.shifts, 1) {
			continue
		}
		d, st := s.schedule()
		if s.bill(st).compare(now) < 0 {
			if k := &s.Kinds[w.shifts[0].kind]; k.stays() {
				s.why[w.shifts[0].kind].untangle++
			}
			*done, *stuck = d, st
			return true
		}
		s.shift(w.shifts, -1)
	}
	return false
}

// regret looks for somebody who need not move any more after a detour, and
// reports whether there is one.
func (s *solver) regret(done, stuck *[]hop) bool {
	now := s.bill(*stuck)
	free := s.spare()
	links := s.links(free)
	for i := range s.Kinds {
		k := &s.Kinds[i]
		for r, n := range s.at[i] {
			if n == 0 || k.Fixed || !k.stays() || r == k.Now {
				continue
			}
			back := shift{i, r, k.Now}
			rest, cost, ok := s.makeRoom(links, i, k.Now, r, nil)
			if !ok || cost+s.price(back) >= 0 {
				continue
			}
			shifts := append([]shift{back}, rest...)
			if !s.shift(shifts, 1) {
				continue
			}
			if d, st := s.schedule(); s.bill(st).compare(now) < 0 {
				*done, *stuck = d, st
				return true
			}
			s.shift(shifts, -1)
		}
	}
	return false
}

// shift lets n people of each kind end elsewhere. It does nothing and reports
// false when there are not enough of them.
func (s *solver) shift(shifts []shift, n int) bool {
	enough := true
	for _, sh := range shifts {
		if sh.from != None {
			s.at[sh.kind][sh.from] -= n
			enough = enough && s.at[sh.kind][sh.from] >= 0
		}
		if sh.to != None {
			s.at[sh.kind][sh.to] += n
		}
	}
	if !enough {
		s.shift(shifts, -n)
	}
	return enough
}

// ways lists, the cheapest first, how somebody who is in a tangled room could
// end outside.
func (s *solver) ways(tangled []bool) []way {
	free := s.spare()
	links := s.links(free)
	var ways []way
	for _, c := range s.classes {
		if c.Now == None || !tangled[c.Now] {
			continue
		}
		for _, w := range c.Allowed {
			if tangled[w] || free[w] < 0 {
				continue
			}
			for x := range s.Rooms {
				// The kinds of a class are alike.
				at := slices.IndexFunc(c.kinds, func(i int) bool { return s.at[i][x] > 0 })
				if at < 0 || x == w {
					continue
				}
				first := shift{c.kinds[at], x, w}
				if rest, cost, ok := s.makeRoom(links, first.kind, w, x, s.live); ok {
					ways = append(ways, way{append([]shift{first}, rest...), cost + s.price(first)})
				}
			}
		}
	}
	slices.SortStableFunc(ways, func(a, b way) int { return cmp.Compare(a.cost, b.cost) })
	return ways
}

// spare returns the seats that are free in the end; below 0 in a room that
// remains over its capacity.
func (s *solver) spare() []int {
	free := make([]int, len(s.Rooms))
	for r, rm := range s.Rooms {
		free[r] = rm.Capacity - rm.Taken + s.listed[r]
	}
	for i := range s.Kinds {
		for r, n := range s.at[i] {
			if !s.Kinds[i].Fixed {
				free[r] -= n
			}
		}
	}
	return free
}

// price is what it costs when somebody ends elsewhere.
func (s *solver) price(sh shift) int64 {
	k := &s.Kinds[sh.kind]
	unseated := aSeat
	if k.First {
		unseated += aFirst
	}
	at := func(r int) int64 {
		switch {
		case r == None || r == k.Now && !k.stays():
			return unseated
		case k.stays() && r != k.Now:
			return aMove
		}
		return 0
	}
	return at(sh.to) - at(sh.from)
}

// nobody is the kind of a shift that moves nobody: it uses a spare seat, or
// leaves one.
const nobody = -1

// link is the cheapest shift from one room to another.
type link struct {
	shift
	cost int64
	ok   bool
	next *link // the cheapest of another kind
}

// but returns the cheapest shift of another kind.
func (l *link) but(kind int) *link {
	if l.ok && l.kind == kind && l.next != nil {
		return l.next
	}
	return l
}

// links lists for each pair of rooms the cheapest shift from one to the other.
// One more column and row stand for those without a seat, and for spare seats.
func (s *solver) links(free []int) [][]link {
	n := len(s.Rooms)
	links := make([][]link, n+1)
	for r := range links {
		links[r] = make([]link, n+1)
		if r < n && free[r] > 0 {
			links[r][n] = link{shift: shift{nobody, r, None}, ok: true}
		}
	}
	for r := range n {
		if free[r] >= 0 {
			links[n][r] = link{shift: shift{nobody, None, r}, ok: true}
		}
	}
	add := func(from, to int, sh shift) {
		l, own := &links[from][to], link{shift: sh, cost: s.price(sh), ok: true}
		switch {
		case !l.ok:
			*l = own
		case own.cost < l.cost:
			if l.kind != sh.kind {
				own.next = &link{shift: l.shift, cost: l.cost, ok: true}
			} else {
				own.next = l.next
			}
			*l = own
		case l.kind != sh.kind && (l.next == nil || own.cost < l.next.cost):
			l.next = &own
		}
	}
	for i := range s.Kinds {
		k := &s.Kinds[i]
		if k.Fixed {
			continue
		}
		unseated := k.N
		for from, m := range s.at[i] {
			unseated -= m
			if m == 0 {
				continue
			}
			for _, to := range k.Allowed {
				if to != from && free[to] >= 0 {
					add(from, to, shift{i, from, to})
				}
			}
			switch {
			case k.Now == None:
				add(from, n, shift{i, from, None})
			case !k.stays() && k.Now != from && free[k.Now] >= 0:
				add(from, k.Now, shift{i, from, k.Now})
			}
		}
		for _, to := range k.Allowed {
			if unseated > 0 && free[to] >= 0 {
				add(n, to, shift{i, None, to})
			}
		}
	}
	return links
}

// makeRoom finds the cheapest chain of shifts that gives room w back the seat
// that somebody of a kind takes who would have ended in room x. With live, the chain must
// pass one of these rooms.
func (s *solver) makeRoom(links [][]link, kind, w, x int, live []bool) ([]shift, int64, bool) {
	const far = int64(1) << 62
	n := len(s.Rooms)
	// A room stands here twice: before and after a live one was passed.
	node := func(r int, passed bool) int { return 2*r + int(digit(passed)) }
	alive := func(r int) bool { return live == nil || r == n || live[r] }
	dist, via, prev := make([]int64, 2*n+2), make([]shift, 2*n+2), make([]int, 2*n+2)
	for i := range dist {
		dist[i] = far
	}
	start := node(w, alive(w))
	dist[start] = 0
	for range 2*n + 2 {
		for from := range dist {
			if dist[from] == far {
				continue
			}
			for to := range links[from/2] {
				l := &links[from/2][to]
				if from == start {
					if l = l.but(kind); l.kind == kind {
						continue // the same as nothing
					}
				}
				v := node(to, from%2 == 1 || alive(to))
				if l.ok && v != start && dist[from]+l.cost < dist[v] {
					dist[v], via[v], prev[v] = dist[from]+l.cost, l.shift, from
				}
			}
		}
	}
	end := node(x, true)
	if none := node(n, true); dist[none] < dist[end] {
		end = none
	}
	if dist[end] == far {
		return nil, 0, false
	}
	var chain []shift
	for v := end; v != start; v = prev[v] {
		if len(chain) > len(dist) {
			return nil, 0, false
		}
		if via[v].kind != nobody {
			chain = append(chain, via[v])
		}
	}
	return chain, dist[end], true
}
