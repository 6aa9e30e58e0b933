package seating

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rooms(capacityTaken ...int) []Room {
	var rs []Room
	for i := 0; i < len(capacityTaken); i += 2 {
		rs = append(rs, Room{Capacity: capacityTaken[i], Taken: capacityTaken[i+1]})
	}
	return rs
}

// a is n people who are in a room and may be in others.
func a(n, now int, allowed ...int) Kind { return Kind{N: n, Now: now, Allowed: allowed} }

func of(cohort int, k Kind) Kind { k.Cohort = cohort; return k }

func fixed(k Kind) Kind { k.Fixed = true; return k }

func TestSolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		world World
		moves []Move
		short []Short
	}{
		{name: "who may stay stays, even in a full room",
			world: World{Rooms: rooms(3, 3, 9, 0), Kinds: []Kind{a(3, 0, 0, 1)}}},
		{name: "one too many, one goes",
			world: World{Rooms: rooms(3, 4, 9, 0), Kinds: []Kind{a(4, 0, 0, 1)}},
			moves: []Move{{0, 1, 1, Relieves}}},
		{name: "the last seat is the last",
			world: World{Rooms: rooms(4, 2), Kinds: []Kind{a(2, None, 0)}},
			moves: []Move{{0, 0, 2, Needs}}},
		{name: "one more than seats",
			world: World{Rooms: rooms(4, 2), Kinds: []Kind{a(3, None, 0)}},
			moves: []Move{{0, 0, 2, Needs}},
			short: []Short{{Kind: 0, N: 1, Rooms: []int{0}, Seats: 1}}},
		{name: "newcomers leave the headroom free as long as there is room elsewhere",
			world: World{Rooms: []Room{{Capacity: 10, Taken: 5, Headroom: 4}, {Capacity: 3}}, Kinds: []Kind{a(6, None, 0, 1)}},
			moves: []Move{{0, 0, 3, Needs}, {0, 1, 3, Needs}}},
		{name: "also those whose cohort is there",
			world: World{Rooms: []Room{{Capacity: 10, Taken: 1, Headroom: 5}, {Capacity: 5}},
				Kinds: []Kind{of(1, a(1, 0, 0, 1)), of(1, a(7, None, 0, 1))}},
			moves: []Move{{1, 0, 4, Needs}, {1, 1, 3, Needs}}},
		{name: "headroom is used when nothing else is left",
			world: World{Rooms: []Room{{Capacity: 5, Headroom: 5}}, Kinds: []Kind{a(5, None, 0)}},
			moves: []Move{{0, 0, 5, Needs}}},
		{name: "newcomers go where their cohort is, not where most seats are",
			world: World{Rooms: rooms(9, 2, 99, 1),
				Kinds: []Kind{of(7, a(2, 0, 0, 1)), of(7, a(3, None, 0, 1)), of(8, a(1, 1, 0, 1))}},
			moves: []Move{{1, 0, 3, Needs}}},
		{name: "a cohort that does not fit in the smaller room goes whole into the larger",
			world: World{Rooms: rooms(2, 0, 3, 0), Kinds: []Kind{of(1, a(3, None, 0, 1))}},
			moves: []Move{{0, 1, 3, Needs}}},
		{name: "cohesion leaves nobody else without a seat",
			world: World{Rooms: rooms(3, 1, 3, 0),
				Kinds: []Kind{of(1, a(1, 0, 0, 1)), of(1, a(2, None, 0, 1)), of(2, a(2, None, 0))}},
			moves: []Move{{1, 1, 2, Needs}, {2, 0, 2, Needs}}},
		{name: "the smallest cohort makes room",
			world: World{Rooms: rooms(5, 5, 5, 0), Kinds: []Kind{of(1, a(3, 0, 0, 1)), of(2, a(2, 0, 0, 1)), a(1, None, 0)}},
			moves: []Move{{1, 1, 1, MakesRoom}, {2, 0, 1, Needs}}},
		{name: "nobody makes room for those whose step is held",
			world: World{Rooms: rooms(5, 5, 9, 1), Kinds: []Kind{a(5, 0, 0, 1), fixed(a(1, 1, 0)), fixed(a(3, None, 0))}}},
		{name: "nobody makes room for who cannot come before the old copies leave",
			world: World{Keep: true, Rooms: rooms(5, 5, 9, 1), Kinds: []Kind{a(5, 0, 0, 1), a(1, 1, 0)}},
			short: []Short{{Kind: 1, N: 1, Rooms: []int{0}, Seats: 1}}},
		{name: "unless they are without any place",
			world: World{Keep: true, Rooms: rooms(5, 5, 9, 0),
				Kinds: []Kind{a(5, 0, 0, 1), {N: 1, Now: None, Allowed: []int{0}, Ahead: true}}},
			moves: []Move{{0, 1, 1, MakesAhead}},
			short: []Short{{Kind: 1, N: 1, Rooms: []int{0, 1}, Seats: 1, Later: 1}}},
		{name: "and enough old copies leave anyway",
			world: World{Keep: true, Rooms: []Room{{Capacity: 5, Taken: 5, Later: 1}, {Capacity: 9}},
				Kinds: []Kind{a(4, 0, 0, 1), {N: 1, Now: None, Allowed: []int{0}, Ahead: true}}},
			short: []Short{{Kind: 1, N: 1, Rooms: []int{0, 1}, Seats: 1, Later: 1}}},
		{name: "old copies drive nobody out",
			world: World{Keep: true, Rooms: []Room{{Capacity: 4, Taken: 5, Later: 1}, {Capacity: 9}},
				Kinds: []Kind{a(4, 0, 0, 1)}}},
		{name: "two full rooms change places over a spare seat of one",
			world: World{Rooms: rooms(3, 2, 2, 2), Kinds: []Kind{a(2, 0, 1), a(2, 1, 0)}},
			moves: []Move{{1, 0, 1, Needs}, {0, 1, 1, Needs}, {1, 0, 1, Needs}, {0, 1, 1, Needs}}},
		{name: "and over a spare seat elsewhere, if somebody may sit there",
			world: World{Rooms: rooms(2, 2, 3, 3, 1, 0), Kinds: []Kind{a(2, 0, 1), a(2, 1, 0), a(1, 1, 1, 2)}},
			moves: []Move{{2, 2, 1, Untangles}, {0, 1, 1, Needs}, {1, 0, 1, Needs}, {0, 1, 1, Needs}, {1, 0, 1, Needs}}},
		{name: "who went out of the way and need not any more stays",
			world: World{Rooms: rooms(2, 2, 1, 1, 1, 1, 1, 0, 1, 1),
				Kinds: []Kind{a(1, 4, 1, 3), a(1, 0, 2), a(1, None, 3), a(1, 2, 0), a(1, 0, 0, 4), a(1, 1, 0, 1)}},
			moves: []Move{{0, 3, 1, Needs}, {4, 4, 1, MakesRoom}, {3, 0, 1, Needs}, {1, 2, 1, Needs}},
			short: []Short{{Kind: 2, N: 1, Rooms: []int{0, 1, 3}, Seats: 1}}},
		{name: "if nobody may, one spare seat is missing for all of them",
			world: World{Rooms: rooms(2, 2, 2, 2, 1, 0), Kinds: []Kind{a(2, 0, 1), a(2, 1, 0)}},
			short: []Short{{Kind: 0, N: 2, Rooms: []int{1}, Seats: 1, Swap: true},
				{Kind: 1, N: 2, Rooms: []int{0}, Seats: 1, Swap: true}}},
		{name: "what is missing counts everybody who competes for it",
			world: World{Rooms: rooms(2, 2, 1, 1), Kinds: []Kind{a(2, 0, 0, 1), a(1, None, 0), a(2, None, 1)}},
			short: []Short{{Kind: 1, N: 1, Rooms: []int{0, 1}, Seats: 3}, {Kind: 2, N: 2, Rooms: []int{1}, Seats: 2}}},
		{name: "first come those who are first",
			world: World{Rooms: rooms(1, 0), Kinds: []Kind{a(3, None, 0), {N: 1, Now: None, Allowed: []int{0}, First: true}}},
			moves: []Move{{1, 0, 1, Needs}},
			short: []Short{{Kind: 0, N: 3, Rooms: []int{0}, Seats: 3}}},
		{name: "who may be nowhere is told so",
			world: World{Rooms: rooms(1, 0), Kinds: []Kind{a(1, None)}},
			short: []Short{{Kind: 0, N: 1, Seats: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			res := Solve(tt.world)
			if diff := cmp.Diff(tt.moves, res.Moves); diff != "" {
				t.Errorf("moves (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.short, res.Short); diff != "" {
				t.Errorf("short (-want +got):\n%s", diff)
			}
		})
	}
}

// district is a world of many people: 60 schools whose people of three
// populations sit in eight rooms, and a part of them who want something.
func district(people, newcomers, movers int) World {
	w := World{Keep: true, Rooms: make([]Room, 8)}
	add := func(k Kind) {
		if k.Now != None {
			w.Rooms[k.Now].Taken += k.N
		}
		w.Kinds = append(w.Kinds, k)
	}
	allowed := [][]int{{0}, {1, 2, 3, 4}, {4, 5, 6, 7}}
	for school := range 60 {
		for pop, rs := range allowed {
			c := school*3 + pop
			for _, now := range rs {
				add(Kind{N: people / 60 / 3 / len(rs), Allowed: rs, Now: now, Cohort: c})
			}
			add(Kind{N: newcomers / 180, Allowed: rs, Now: None, Cohort: c})
			add(Kind{N: movers / 180, Allowed: rs, Now: allowed[(pop+1)%3][0], Cohort: c})
		}
	}
	for r := range w.Rooms {
		w.Rooms[r].Capacity = w.Rooms[r].Taken * 11 / 10
		w.Rooms[r].Headroom = w.Rooms[r].Capacity / 100
	}
	return w
}

func BenchmarkSolve(b *testing.B) {
	for _, tt := range []struct {
		name                      string
		people, newcomers, movers int
		free                      bool
	}{
		{"nothing", 1_000_000, 0, 0, false},
		{"term", 1_000_000, 80_000, 40_000, false},
		{"tight", 1_000_000, 120_000, 60_000, false},
		{"swap", 1_000_000, 80_000, 40_000, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			w := district(tt.people, tt.newcomers, tt.movers)
			w.Keep = !tt.free
			for b.Loop() {
				Solve(w)
			}
		})
	}
}
