// Package seating decides who gets which seat: how many of each kind of people
// go into which room, in which order, so that no room ever holds more than it may.
//
// It knows no people, only kinds of people and how many there are of each, so
// that a million cost no more than a thousand. The caller sorts people into
// kinds, calls [Solve], and picks the people of a kind in an order of its own.
// What somebody else decided (a limit that was broken, a person on hold) is
// said with [Kind.Fixed]; asking again with more of them is cheap, and nobody is
// moved to make room for them.
//
// What Solve promises:
//   - Capacity: after every single person of every [Move] no room holds more
//     than its capacity; one that held more before takes nobody. Whoever moves
//     sits in both rooms until the move is over, and with [World.Keep] after it.
//   - As many as can be reached find a seat, with [Kind.First] before others.
//     Rooms that are full with people who wait for one another are untangled
//     over a spare seat elsewhere if anybody of theirs may sit there.
//   - Among these solutions as few as possible move who are where they may be,
//     and none because of a copy that leaves anyway.
//   - Among these, cohorts stay together as far as those go who need a seat, and
//     newcomers leave the headroom of a room free while another has seats.
//   - For everybody who finds no seat a [Short] says what room is missing.
//   - The same world gives the same result.
package seating

// None stands for no room.
const None = -1

// Room is one room. Its number is its index in World.Rooms.
type Room struct {
	Capacity int // most people in it
	// Taken is the number of seats taken when the first move begins: everybody
	// who is there, listed as a kind or not, with old copies; without what is
	// taken away before.
	Taken    int
	Later    int // of Taken, old copies that leave some day after these moves
	Headroom int // seats that stay free as long as another room has some
}

// Kind is a number of people who are alike.
type Kind struct {
	N       int
	Allowed []int // rooms they may be in, ascending
	Now     int   // the room they are in and take a seat of; None: they need one
	Cohort  int   // equal for those who belong together: a school's people of one population
	// Fixed people stay as they are, whatever happens. They count for their
	// cohort alone, and for the seats they take.
	Fixed bool
	// First people get a seat before others when not everybody does.
	First bool
	// Ahead is said of people without any room for whom others shall make room
	// now although their seats get free only when old copies leave. It means
	// something with World.Keep only. For everybody else nobody moves unless
	// they come in the same go: who has a place, even one where they may not be,
	// can wait for a seat that gets free by itself.
	Ahead bool
}

func (k *Kind) ahead(keep bool) bool { return k.Ahead && keep && k.Now == None }

// stays reports whether the people are where they may be.
func (k *Kind) stays() bool { return k.Now != None && k.may(k.Now) }

func (k *Kind) may(room int) bool {
	for _, r := range k.Allowed {
		if r == room {
			return true
		}
	}
	return false
}

// World is what is to be decided.
type World struct {
	Rooms []Room
	Kinds []Kind
	// Keep says that a move leaves a copy behind, so that the old seat gets free
	// only later. Otherwise it is free as soon as the move is over.
	Keep bool
}

// Move is a number of people of one kind who go into a room one after the
// other. They come from Kinds[Kind].Now.
type Move struct {
	Kind, To, N int
	// Why is what makes people move who are where they may be.
	Why Why
}

// Why says why somebody gets a seat.
type Why int

// The reasons to move.
const (
	Needs      Why = iota // has no seat yet, or one where they may not be
	Relieves              // the room is over its capacity
	MakesRoom             // for somebody who can sit nowhere else
	MakesAhead            // the same, for somebody who comes when the old copies have left (Kind.Ahead)
	Untangles             // rooms that are full with people who wait for one another
)

// Short is a number of people of one kind for whom there is no seat. Who has
// a place where they may not be keeps it meanwhile; so do those, with Over, who
// are where they may be in a room that is over its capacity.
type Short struct {
	Kind, N int
	Over    bool
	// Rooms are those where more seats would help, ascending: where the people
	// may be, and where those may go who would make room for them.
	Rooms []int
	// Seats is how many more it would take for all who need seats in Rooms alone.
	Seats int
	// Later is how many seats of Rooms old copies give back some day.
	Later int
	// Swap says that the people of full rooms wait for one another: one spare
	// seat in any of Rooms would do for all of them.
	Swap bool
}

// Result is what was decided.
type Result struct {
	Moves []Move  // in order
	Short []Short // by kind
	Peak  []int   // most people in each room at any time
	After []int   // people in each room after the last move
}
