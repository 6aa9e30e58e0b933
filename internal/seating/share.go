package seating

// What the network pays for. Each is more than a path can pay of those below it.
const (
	aMove  = int64(1)       // of somebody who might stay
	aWait  = int64(1) << 10 // of less worth than a seat, of more than a move
	aCrowd = int64(1) << 20 // somebody too many in a room
	aFirst = int64(1) << 30 // somebody without a seat who is First
	aSeat  = int64(1) << 40 // somebody without a seat
)

// share finds out how many of each class get a seat in which room, as a
// minimum-cost flow: source -> class -> room -> sink.
func (s *solver) share(open []bool) bool {
	net := s.network(open)
	people := 0
	for i, c := range s.classes {
		people += c.N
		net.join(s, i, c)
	}
	ok := net.run(source, sink) == people
	for r, e := range net.tooMany {
		net.tooMany[r] = net.used(e)
	}
	for _, c := range s.classes {
		c.left, c.crowd = 0, 0
		if c.Now != None {
			c.crowd = min(net.used(c.over), net.tooMany[c.Now])
			net.tooMany[c.Now] -= c.crowd
		}
		for j, r := range c.Allowed {
			c.into[j] = net.used(c.into[j])
			c.left += c.into[j]
			s.waits[r] += net.used(c.later[j])
		}
	}
	return ok
}

// network is the flow that shares the seats. Its nodes are source and sink, the
// classes, and each room up to three times.
type network struct {
	*flow
	classes, rooms int
	keep           bool
	closed         []bool // rooms that take nobody
	tooMany        []int  // edges of those who are there and too many
}

const source, sink = 0, 1

func (n *network) class(c int) int { return 2 + c }

// room has the seats of now; with Keep for those who come.
func (n *network) room(r int) int { return 2 + n.classes + r }

// long has, with Keep, the seats when old copies have left.
func (n *network) long(r int) int { return 2 + n.classes + n.rooms + r }

// crowd is for those who are there beyond the capacity.
func (n *network) crowd(r int) int { return 2 + n.classes + 2*n.rooms + r }

// home has the seats of those who are there.
func (n *network) home(r int) int {
	if n.keep {
		return n.long(r)
	}
	return n.room(r)
}

// network makes the part from the rooms to the sink.
func (s *solver) network(open []bool) *network {
	n := &network{classes: len(s.classes), rooms: len(s.Rooms), keep: s.Keep}
	n.flow = newFlow(2 + n.classes + 3*n.rooms)
	n.closed, n.tooMany = make([]bool, n.rooms), make([]int, n.rooms)
	for r, rm := range s.Rooms {
		seats := rm.Capacity - (rm.Taken - s.listed[r])
		wait := rm.Later // those beyond the capacity until old copies leave
		if s.Keep {
			n.edge(n.room(r), n.long(r), max(0, rm.Capacity-rm.Taken), 0)
			seats += rm.Later
			wait = 0
		}
		n.closed[r] = !s.Keep && rm.Taken > rm.Capacity && !open[r]
		seats = max(0, seats)
		n.edge(n.home(r), sink, seats, 0)
		n.tooMany[r] = -1
		if more := max(0, s.listed[r]-seats); !open[r] {
			wait = min(more, wait)
			n.edge(n.crowd(r), sink, wait, 0)
			n.tooMany[r] = n.edge(n.crowd(r), sink, more-wait, aCrowd)
		}
	}
	return n
}

// join makes the part from the source to the rooms for a class.
func (n *network) join(s *solver, i int, c *class) {
	node := n.class(i)
	n.edge(source, node, c.N, 0)
	unseated, move := aSeat, int64(0)
	if c.First {
		unseated += aFirst
	}
	c.stay, c.over = -1, -1
	switch {
	case c.Now == None:
		n.edge(node, sink, c.N, unseated)
	case !c.stays():
		c.stay = n.edge(node, n.home(c.Now), c.N, unseated)
		c.over = n.edge(node, n.crowd(c.Now), c.N, unseated)
	default:
		move = aMove
		c.stay = n.edge(node, n.home(c.Now), c.N, 0)
		c.over = n.edge(node, n.crowd(c.Now), c.N, 0)
	}
	c.into, c.later = make([]int, len(c.Allowed)), make([]int, len(c.Allowed))
	for j, r := range c.Allowed {
		c.into[j], c.later[j] = -1, -1
		if r == c.Now || n.closed[r] || c.stays() && !s.mayLeave(c.Now) {
			continue
		}
		c.into[j] = n.edge(node, n.room(r), c.N, move)
		if c.Ahead {
			c.later[j] = n.edge(node, n.long(r), c.N, unseated-aWait)
		}
	}
}

// mayLeave reports whether somebody who may stay in a room may be asked to
// leave it. Where only old copies are too many nobody is.
func (s *solver) mayLeave(r int) bool {
	return s.Keep || s.Rooms[r].Taken <= s.Rooms[r].Capacity || s.crowded(r) > 0
}
