package seating

// result writes down what was decided.
func (s *solver) result(hops, stuck []hop) Result {
	n := len(s.Rooms)
	res := Result{Peak: make([]int, n), After: make([]int, n)}
	for r, rm := range s.Rooms {
		res.Peak[r], res.After[r] = rm.Taken, rm.Taken
	}
	for _, h := range hops {
		res.After[h.to] += h.n
		// Whoever enters a room does so before leaving another.
		res.Peak[h.to] = max(res.Peak[h.to], res.After[h.to])
		if h.from != None && !s.Keep {
			res.After[h.from] -= h.n
		}
		s.tell(&res, h)
	}
	s.missing(&res, stuck)
	return res
}

// tell adds a hop to the moves, with why it is made.
func (s *solver) tell(res *Result, h hop) {
	add := func(n int, why Why) {
		if n = min(n, h.n); n <= 0 {
			return
		}
		h.n -= n
		m := Move{Kind: h.kind, To: h.to, N: n, Why: why}
		if last := len(res.Moves) - 1; last >= 0 && same(res.Moves[last], m) {
			res.Moves[last].N += n
			return
		}
		res.Moves = append(res.Moves, m)
	}
	if k := &s.Kinds[h.kind]; !k.stays() {
		add(h.n, Needs)
		return
	}
	why := &s.why[h.kind]
	for _, part := range []struct {
		n   *int
		why Why
	}{{&why.relieve, Relieves}, {&why.untangle, Untangles}, {&why.ahead, MakesAhead}} {
		before := h.n
		add(*part.n, part.why)
		*part.n -= before - h.n
	}
	add(h.n, MakesRoom)
}

func same(a, b Move) bool { return a.Kind == b.Kind && a.To == b.To && a.Why == b.Why }

// missing adds those who find no seat.
func (s *solver) missing(res *Result, stuck []hop) {
	swaps := make(map[int]bool, len(stuck))
	for _, h := range stuck {
		swaps[h.kind] = true
	}
	later := s.later()
	var without []int // of each kind
	for i := range s.Kinds {
		k, n := &s.Kinds[i], 0
		switch {
		case k.Fixed:
		case k.Now == None:
			n = k.N
			for _, m := range s.at[i] {
				n -= m
			}
		case !k.stays():
			n = s.at[i][k.Now]
		}
		without = append(without, n)
	}
	var helps [][]int // by kind, found when needed
	for i := range s.Kinds {
		n, over := without[i], false
		if s.over[i] > 0 {
			n, over = s.over[i], true
		}
		if n == 0 {
			continue
		}
		if helps == nil {
			helps = s.helps()
		}
		sh := Short{Kind: i, N: n, Over: over, Rooms: s.closure(helps, i), Swap: swaps[i]}
		inside := make([]bool, len(s.Rooms))
		for _, r := range sh.Rooms {
			inside[r] = true
			sh.Later += later[r]
		}
		for j := range s.Kinds {
			if without[j]+s.over[j] == 0 || s.Kinds[j].Fixed {
				continue
			}
			if all(s.Kinds[j].Allowed, inside) {
				sh.Seats += without[j] + s.over[j]
			}
		}
		if sh.Swap {
			sh.Seats = 1
		}
		res.Short = append(res.Short, sh)
	}
}

func all(rooms []int, inside []bool) bool {
	for _, r := range rooms {
		if !inside[r] {
			return false
		}
	}
	return true
}

// later is how many seats of each room old copies give back some day.
func (s *solver) later() []int {
	later := make([]int, len(s.Rooms))
	for r, rm := range s.Rooms {
		later[r] = rm.Later
	}
	if s.Keep {
		for i := range s.Kinds {
			if k := &s.Kinds[i]; k.Now != None && !k.Fixed {
				later[k.Now] += k.N - s.at[i][k.Now]
			}
		}
	}
	return later
}

// helps lists for each room the other rooms to which somebody in it could be
// moved to make room.
func (s *solver) helps() [][]int {
	n := len(s.Rooms)
	may := make([]bool, n*n)
	for i := range s.Kinds {
		k := &s.Kinds[i]
		for from, m := range s.at[i] {
			if m == 0 || k.Fixed || !k.may(from) {
				continue
			}
			for _, to := range k.Allowed {
				may[from*n+to] = true
			}
		}
	}
	helps := make([][]int, n)
	for from := range n {
		for to := range n {
			if may[from*n+to] && to != from {
				helps[from] = append(helps[from], to)
			}
		}
	}
	return helps
}

// closure lists the rooms where a seat would help people of a kind.
func (s *solver) closure(helps [][]int, kind int) []int {
	k := &s.Kinds[kind]
	in := make([]bool, len(s.Rooms))
	queue := append([]int(nil), k.Allowed...)
	for _, r := range queue {
		in[r] = true
	}
	for len(queue) > 0 && (!s.Keep || k.ahead(s.Keep)) {
		r := queue[0]
		queue = queue[1:]
		for _, to := range helps[r] {
			if !in[to] {
				in[to] = true
				queue = append(queue, to)
			}
		}
	}
	var rooms []int
	for r := range in {
		if in[r] {
			rooms = append(rooms, r)
		}
	}
	return rooms
}
