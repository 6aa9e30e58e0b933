package seating

import (
	"cmp"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// score is what is to be as large as possible, the first first.
type score struct{ seated, first, crowd, ahead, moves int }

func (a score) compare(b score) int {
	return cmp.Or(cmp.Compare(a.seated, b.seated), cmp.Compare(a.first, b.first), cmp.Compare(a.crowd, b.crowd),
		cmp.Compare(a.ahead, b.ahead), cmp.Compare(a.moves, b.moves))
}

// play is a world in which people go one by one.
type play struct {
	w     *World
	at    [][]int // kind -> room -> people, in the last column those without a seat
	taken []int
}

func newPlay(w *World) *play {
	p := &play{w: w}
	for _, k := range w.Kinds {
		row := make([]int, len(w.Rooms)+1)
		if k.Now == None {
			row[len(w.Rooms)] = k.N
		} else {
			row[k.Now] = k.N
		}
		p.at = append(p.at, row)
	}
	for _, r := range w.Rooms {
		p.taken = append(p.taken, r.Taken)
	}
	return p
}

// start is the column of those of a kind who have not gone yet.
func (p *play) start(kind int) int {
	if now := p.w.Kinds[kind].Now; now != None {
		return now
	}
	return len(p.w.Rooms)
}

// may reports whether one of a kind may go into a room now.
func (p *play) may(kind, to int) error {
	k := &p.w.Kinds[kind]
	switch {
	case k.Fixed:
		return fmt.Errorf("kind %d is fixed", kind)
	case !k.may(to) || to == k.Now:
		return fmt.Errorf("kind %d may not go into room %d", kind, to)
	case p.at[kind][p.start(kind)] == 0:
		return fmt.Errorf("nobody of kind %d is left to go", kind)
	case p.taken[to] >= p.w.Rooms[to].Capacity:
		return fmt.Errorf("room %d is full when kind %d comes", to, kind)
	}
	if p.w.Keep || !k.stays() {
		return nil
	}
	if r := p.w.Rooms[k.Now]; r.Taken > r.Capacity && r.Taken-r.Later <= r.Capacity {
		return fmt.Errorf("kind %d moves because of old copies", kind)
	}
	return nil
}

func (p *play) move(kind, to, n int) {
	p.at[kind][p.start(kind)] -= n
	p.at[kind][to] += n
	p.taken[to] += n
	if now := p.w.Kinds[kind].Now; now != None && !p.w.Keep {
		p.taken[now] -= n
	}
}

func (p *play) score() score {
	var s score
	long := make([]int, len(p.w.Rooms)) // people in the long run
	for r, rm := range p.w.Rooms {
		long[r] = p.taken[r] - rm.Later
	}
	var waiting []int
	for i := range p.w.Kinds {
		k := &p.w.Kinds[i]
		left := p.at[i][p.start(i)]
		if k.Fixed {
			continue
		}
		if k.Now != None && p.w.Keep {
			long[k.Now] -= k.N - left
		}
		if k.stays() {
			s.moves -= k.N - left
			continue
		}
		s.seated += k.N - left
		if k.First {
			s.first += k.N - left
		}
		for range left {
			if k.ahead(p.w.Keep) {
				waiting = append(waiting, i)
			}
		}
	}
	free := make([]int, len(long))
	for r, rm := range p.w.Rooms {
		s.crowd -= max(0, long[r]-rm.Capacity)
		free[r] = rm.Capacity - long[r]
	}
	s.ahead = match(p.w, waiting, free)
	return s
}

// match is how many of the kinds find a seat among those that get free.
func match(w *World, kinds, free []int) int {
	if len(kinds) == 0 {
		return 0
	}
	best := match(w, kinds[1:], free)
	for _, r := range w.Kinds[kinds[0]].Allowed {
		if free[r] > 0 {
			free[r]--
			best = max(best, 1+match(w, kinds[1:], free))
			free[r]++
		}
	}
	return best
}

// best tries everything.
func best(w *World) score {
	p := newPlay(w)
	top := p.score()
	seen := map[string]bool{}
	var try func()
	try = func() {
		var key []byte
		for _, row := range p.at {
			for _, n := range row {
				key = binary.AppendUvarint(key, uint64(n))
			}
		}
		if seen[string(key)] {
			return
		}
		seen[string(key)] = true
		if s := p.score(); s.compare(top) > 0 {
			top = s
		}
		for i := range w.Kinds {
			for _, to := range w.Kinds[i].Allowed {
				if p.may(i, to) == nil {
					p.move(i, to, 1)
					try()
					p.move(i, to, -1)
				}
			}
		}
	}
	try()
	return top
}

// smallWorld makes up a world: some are tight, some full, some over their capacity.
func smallWorld(r *rand.Rand) World {
	rooms := 2 + r.IntN(3)
	w := World{Keep: r.IntN(3) == 0}
	perm := r.Perm(rooms)
	people := 0
	for range 2 + r.IntN(4) {
		if people >= 7 {
			break
		}
		k := Kind{N: 1 + r.IntN(2), Now: r.IntN(rooms+1) - 1, Cohort: r.IntN(3),
			First: r.IntN(6) == 0, Ahead: r.IntN(3) == 0, Fixed: r.IntN(12) == 0}
		k.Allowed = append(k.Allowed, perm[:1+r.IntN(2)+r.IntN(rooms-1)/2]...)
		if r.IntN(2) == 0 {
			perm = r.Perm(rooms)
		}
		slices.Sort(k.Allowed)
		people += k.N
		w.Kinds = append(w.Kinds, k)
	}
	loose := r.IntN(3)
	for i := range rooms {
		rm := Room{Headroom: r.IntN(2)}
		for _, k := range w.Kinds {
			if k.Now == i {
				rm.Taken += k.N
			}
		}
		if r.IntN(3) == 0 {
			others := 1 + r.IntN(2)
			rm.Taken += others
			rm.Later = r.IntN(others + 1)
		}
		rm.Capacity = rm.Taken + r.IntN(1+loose)
		if r.IntN(8) == 0 {
			rm.Capacity = max(0, rm.Capacity-1-r.IntN(2))
		}
		w.Rooms = append(w.Rooms, rm)
	}
	return w
}

// tangledWorld makes up a world of full rooms whose people want to change places.
func tangledWorld(r *rand.Rand) World {
	rooms := 3 + r.IntN(3)
	w := World{Rooms: make([]Room, rooms)}
	for range 4 + r.IntN(4) {
		k := Kind{N: 1 + r.IntN(5)/4, Now: r.IntN(rooms), Cohort: r.IntN(3)}
		to := r.IntN(rooms)
		k.Allowed = []int{to}
		if o := r.IntN(rooms); o != to && r.IntN(3) == 0 {
			k.Allowed = []int{min(to, o), max(to, o)}
		}
		if r.IntN(8) == 0 {
			k.Now = None
		} else {
			w.Rooms[k.Now].Taken += k.N
		}
		w.Kinds = append(w.Kinds, k)
	}
	for i := range w.Rooms {
		w.Rooms[i].Capacity = w.Rooms[i].Taken
	}
	for range r.IntN(3) {
		w.Rooms[r.IntN(rooms)].Capacity++
	}
	return w
}

// check plays a result and compares it with everything that could be.
func check(w World) error {
	p := newPlay(&w)
	res := Solve(w)
	peak := slices.Clone(p.taken)
	for _, m := range res.Moves {
		for range m.N {
			if err := p.may(m.Kind, m.To); err != nil {
				return err
			}
			p.taken[m.To]++ // there, and not gone yet
			peak[m.To] = max(peak[m.To], p.taken[m.To])
			p.taken[m.To]--
			p.move(m.Kind, m.To, 1)
		}
		if k := &w.Kinds[m.Kind]; k.stays() == (m.Why == Needs) {
			return fmt.Errorf("kind %d goes into room %d because of %d", m.Kind, m.To, m.Why)
		}
	}
	if !slices.Equal(p.taken, res.After) || !slices.Equal(peak, res.Peak) {
		return fmt.Errorf("after the moves %v, at most %v; the result says %v and %v", p.taken, peak, res.After, res.Peak)
	}
	short := make([]int, len(w.Kinds))
	for _, s := range res.Short {
		if !s.Over {
			short[s.Kind] += s.N
		}
		if len(s.Rooms) == 0 && len(w.Kinds[s.Kind].Allowed) > 0 || s.Seats < 1 {
			return fmt.Errorf("nothing is said about what room kind %d is missing: %+v", s.Kind, s)
		}
	}
	for i, k := range w.Kinds {
		left := p.at[i][p.start(i)]
		if k.Fixed || k.stays() {
			left = 0
		}
		if left != short[i] {
			return fmt.Errorf("%d of kind %d find no seat, %d are told so", left, i, short[i])
		}
	}
	if got, want := p.score(), best(&w); got.compare(want) != 0 {
		return fmt.Errorf("got %+v, the best is %+v", got, want)
	}
	return nil
}

var worlds = flag.Int("worlds", 3000, "small worlds that TestBest compares")

// TestBest compares with an exhaustive search: capacity after every single
// person, as many seated as can be reached, and fewest moves.
func TestBest(t *testing.T) {
	t.Parallel()
	for seed := range uint64(*worlds) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := smallWorld(r)
		if seed%3 == 0 {
			w = tangledWorld(r)
		}
		if err := check(w); err != nil {
			t.Fatalf("world %d: %v\nkeep %v\nrooms %+v\nkinds %+v\nresult %+v", seed, err, w.Keep, w.Rooms, w.Kinds, Solve(w))
		}
	}
}
