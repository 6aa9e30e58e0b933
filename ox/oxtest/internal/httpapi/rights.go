package httpapi

import (
	"slices"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// Folder permissions as OX packs them: five levels in one number. The simulator
// keeps the number and reads levels from it; it shares no code with the client.

type rights struct{ folder, read, write, del, admin int }

func unpack(bits int) rights {
	return rights{bits & 127, bits >> 7 & 127, bits >> 14 & 127, bits >> 21 & 127, bits >> 28 & 127}
}

func (r rights) pack() int {
	return r.folder | r.read<<7 | r.write<<14 | r.del<<21 | r.admin<<28
}

func (r rights) max(o rights) rights {
	return rights{max(r.folder, o.folder), max(r.read, o.read), max(r.write, o.write), max(r.del, o.del),
		max(r.admin, o.admin)}
}

// Levels of the folder field, and of the others.
const (
	levelSee       = 1
	levelCreate    = 2
	levelSubfolder = 4
	levelOwn       = 1
	levelAll       = 2
)

// checkLevels normalises a number sent by a client. Level 3 makes the whole
// entry worthless, 5 to 63 and beyond 64 are errors.
func checkLevels(bits int) (int, *failure) {
	if bits < 0 {
		return 0, unexpected("Index out of bounds")
	}
	r := unpack(bits)
	for _, v := range []int{r.folder, r.read, r.write, r.del} {
		switch {
		case v == 3:
			return 0, nil
		case v > 4 && v != 64:
			return 0, unexpected("Index 5 out of bounds for length 5")
		}
	}
	if r.admin > 1 && r.admin != 2 && r.admin != 4 && r.admin != 64 {
		return 0, unexpected("Index 5 out of bounds for length 5")
	}
	return bits, nil
}

// rightsFor is what a user may do: the best of the own entry and those of the
// user's groups.
func rightsFor(perms []state.Permission, user int, groups []int) rights {
	var r rights
	for _, p := range perms {
		switch {
		case !p.Group && p.Entity == user,
			p.Group && p.Entity == 0,
			p.Group && slices.Contains(groups, p.Entity):
			r = r.max(unpack(p.Bits))
		}
	}
	return r
}
