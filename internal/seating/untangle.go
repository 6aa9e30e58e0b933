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
			for _, rest := range s.makeRoom(links, i, k.Now, r, nil) {
				shifts := append([]shift{back}, rest.shifts...)
				if rest.cost+s.price(back) >= 0 || !s.shift(shifts, 1) {
					continue
				}
				if d, st := s.schedule(); s.bill(st).compare(now) < 0 {
					*done, *stuck = d, st
					return true
				}
				s.shift(shifts, -1)
			}
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
				for _, rest := range s.makeRoom(links, first.kind, w, x, s.live) {
					ways = append(ways, way{append([]shift{first}, rest.shifts...), rest.cost + s.price(first)})
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

// offer takes a shift if it is the cheapest, or the cheapest of another kind.
func (l *link) offer(sh shift, cost int64) {
	own := link{shift: sh, cost: cost, ok: true}
	switch {
	case !l.ok:
		*l = own
	case cost < l.cost:
		if own.next = l.next; l.kind != sh.kind {
			own.next = &link{shift: l.shift, cost: l.cost, ok: true}
		}
		*l = own
	case l.kind != sh.kind && (l.next == nil || cost < l.next.cost):
		l.next = &own
	}
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
	for i := range s.Kinds {
		if !s.Kinds[i].Fixed {
			s.linkKind(links, free, i)
		}
	}
	return links
}

// linkKind adds the shifts of the people of a kind.
func (s *solver) linkKind(links [][]link, free []int, kind int) {
	n := len(s.Rooms)
	k := &s.Kinds[kind]
	enter := func(from, row int) {
		for _, to := range k.Allowed {
			if to != from && free[to] >= 0 {
				links[row][to].offer(shift{kind, from, to}, s.price(shift{kind, from, to}))
			}
		}
	}
	unseated := k.N
	for from, m := range s.at[kind] {
		unseated -= m
		if m == 0 {
			continue
		}
		enter(from, from)
		switch out := (shift{kind, from, k.Now}); {
		case k.Now == None:
			links[from][n].offer(out, s.price(out))
		case !k.stays() && k.Now != from && free[k.Now] >= 0:
			links[from][k.Now].offer(out, s.price(out))
		}
	}
	if unseated > 0 {
		enter(None, n)
	}
}

// search is for the cheapest chain of shifts. A room stands in it twice: before
// and after a live one was passed.
type search struct {
	links [][]link
	live  []bool // nil: all
	dist  []int64
	via   []shift
	prev  []int
}

func (q *search) node(r int, passed bool) int {
	n := len(q.links) - 1
	return 2*r + int(digit(passed || q.live == nil || r == n || q.live[r]))
}

// relax follows the links of a node; from the start not those of the kind that came.
func (q *search) relax(from, start, kind int) {
	for to := range q.links[from/2] {
		l := &q.links[from/2][to]
		if from == start {
			if l = l.but(kind); l.kind == kind {
				continue // the same as nothing
			}
		}
		v := q.node(to, from%2 == 1)
		if d := q.dist[from] + l.cost; l.ok && v != start && d < q.dist[v] {
			q.dist[v], q.via[v], q.prev[v] = d, l.shift, from
		}
	}
}

// makeRoom finds the cheapest chains of shifts that give room w back the seat
// that somebody of a kind takes who would have ended in room x: one that ends in
// x, and one that ends with a spare seat or somebody without one. With live, the
// chains must pass one of these rooms.
func (s *solver) makeRoom(links [][]link, kind, w, x int, live []bool) []way {
	const far = int64(1) << 62
	n := 2 * len(links)
	q := &search{links: links, live: live, dist: make([]int64, n), via: make([]shift, n), prev: make([]int, n)}
	for i := range q.dist {
		q.dist[i] = far
	}
	start := q.node(w, false)
	q.dist[start] = 0
	for range n {
		for from, d := range q.dist {
			if d < far {
				q.relax(from, start, kind)
			}
		}
	}
	var ways []way
	for _, end := range []int{q.node(len(links)-1, true), q.node(x, true)} {
		if chain, ok := q.chain(start, end); ok && q.dist[end] < far {
			ways = append(ways, way{chain, q.dist[end]})
		}
	}
	return ways
}

// chain lists the shifts on the way to a node, the last first.
func (q *search) chain(start, end int) ([]shift, bool) {
	var chain []shift
	for v, steps := end, 0; v != start; v = q.prev[v] {
		if steps++; steps > len(q.dist) {
			return nil, false
		}
		if q.via[v].kind != nobody {
			chain = append(chain, q.via[v])
		}
	}
	return chain, true
}
