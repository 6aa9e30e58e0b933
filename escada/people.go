package escada

import (
	"bytes"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/ictmedia/schoolmail"
)

// person collects the rows of an id. It is what is held of them: memory grows
// with people and their places, not with rows. Texts are numbers in the
// vocabulary, so that a district of people is one block without pointers. It is as
// large as a line of the processor's cache: in an export that is in no order, what
// a row costs is to get the person's.
type person struct {
	idAt          uint32 // in people.ids
	idLen         uint8
	role          uint8
	language      uint8
	contradict    uint8
	known         bool // fields are set, by the first readable row
	bad           bool // not to be delivered
	clashTold     bool // the first row is already rejected
	manyTold      bool // it is said that there are too many rows
	family, given uint32
	number, birth uint32 // keyed hashes
	contact       uint32 // in people.contacts; 0: none
	more          uint32 // the last of the further stays; 0: the first is the only one
	first         stay   // of the first readable row, of an unreadable one just its place
}

// people finds persons by id. While ids only go up, as in exports that are sorted
// by them, a new one is known by comparing it with the last; after that a hash
// table holds the numbers of the persons.
type people struct {
	blocks  [][]person
	size    int
	ids     []byte
	slots   []uint64 // half of the hash, and the number of a person plus one; 0: free
	seed    maphash.Seed
	touched uint64 // what touch found, so that it is not left out as useless
	contacts

	stays     [][]furtherStay
	stayCount uint32
}

const blockSize = 1 << 12

func newPeople() people {
	return people{seed: maphash.MakeSeed(), contacts: newContacts()}
}

func (p *people) get(i int) *person { return &p.blocks[i/blockSize][i%blockSize] }

func (p *people) id(x *person) []byte { return p.ids[x.idAt : x.idAt+uint32(x.idLen)] }

// hash is that of an id, for find.
func (p *people) hash(id []byte) uint64 { return maphash.Bytes(p.seed, id) }

// touch has the processor get what find needs for these hashes. One by one it would
// wait for the memory each time, so it waits once.
func (p *people) touch(hashes []uint64) {
	if p.slots == nil {
		return
	}
	mask := uint64(len(p.slots) - 1)
	var all uint64
	var numbers, ids [hashesAtOnce]uint32
	for i, h := range hashes {
		if slot := p.slots[h>>32&mask]; slot>>32 == h>>32 {
			numbers[i] = uint32(slot) // somebody who is known, most likely
		}
	}
	for i, n := range numbers[:len(hashes)] {
		if n > 0 {
			ids[i] = p.get(int(n - 1)).idAt
		}
	}
	for _, at := range ids[:len(hashes)] {
		if at > 0 {
			all |= uint64(p.ids[at])
		}
	}
	p.touched = all
}

// hashesAtOnce is the number of ids that are looked for together.
const hashesAtOnce = 128

// find returns the person of the id, and whether it is a new one. The hash is that
// of the id, or 0.
func (p *people) find(id []byte, hash uint64) (x *person, added bool) {
	if p.slots == nil {
		order := 1
		if p.size > 0 {
			order = bytes.Compare(id, p.id(p.get(p.size-1)))
		}
		switch {
		case order == 0:
			return p.get(p.size - 1), false
		case order > 0:
			return p.add(id), true
		}
		p.index()
	}
	if hash == 0 {
		hash = p.hash(id)
	}
	mask := uint64(len(p.slots) - 1)
	at := hash >> 32 & mask
	for ; p.slots[at] != 0; at = (at + 1) & mask {
		if p.slots[at]>>32 != hash>>32 {
			continue
		}
		if x := p.get(int(uint32(p.slots[at]) - 1)); bytes.Equal(p.id(x), id) {
			return x, false
		}
	}
	x = p.add(id)
	p.slots[at] = hash>>32<<32 | uint64(p.size)
	if p.size > len(p.slots)/2 {
		p.widen()
	}
	return x, true
}

func (p *people) add(id []byte) *person {
	if p.size%blockSize == 0 {
		p.blocks = append(p.blocks, make([]person, blockSize))
	}
	p.size++
	x := p.get(p.size - 1)
	x.idAt, x.idLen = uint32(len(p.ids)), uint8(len(id))
	p.ids = append(p.ids, id...)
	return x
}

// index makes the table, four times as large as need be.
func (p *people) index() {
	size := 1 << 10
	for size < 4*p.size {
		size *= 2
	}
	p.slots = make([]uint64, size)
	for i := range p.size {
		p.enter(p.hash(p.id(p.get(i)))>>32<<32 | uint64(i+1))
	}
}

// widen doubles the table.
func (p *people) widen() {
	old := p.slots
	p.slots = make([]uint64, 2*len(old))
	for _, slot := range old {
		if slot != 0 {
			p.enter(slot)
		}
	}
}

// enter puts a slot where it is looked for, or the next place that is free.
func (p *people) enter(slot uint64) {
	mask := uint64(len(p.slots) - 1)
	at := slot >> 32 & mask
	for p.slots[at] != 0 {
		at = (at + 1) & mask
	}
	p.slots[at] = slot
}

// staysOf appends where a person is.
func (p *people) staysOf(stays []stay, x *person) []stay {
	stays = append(stays, x.first)
	for i := x.more; i > 0; i = p.further(i).next {
		stays = append(stays, p.further(i).stay)
	}
	return stays
}

// furtherStay is one of a person with several, linked to the one before it.
type furtherStay struct {
	stay
	next uint32
}

func (p *people) further(i uint32) *furtherStay { return &p.stays[i/blockSize][i%blockSize] }

// addStay adds a further one.
func (p *people) addStay(x *person, s stay) {
	if p.stayCount%blockSize == 0 {
		p.stays = append(p.stays, make([]furtherStay, blockSize))
		p.stayCount = max(1, p.stayCount) // 0 is none
	}
	*p.further(p.stayCount) = furtherStay{s, x.more}
	x.more = p.stayCount
	p.stayCount++
}

// repeated returns the place of a row that says the same as s. If there is none, it
// returns the number of further stays.
func (p *people) repeated(x *person, s stay) (at place, further int, ok bool) {
	same := func(o *stay) bool {
		return s.class == o.class && s.school == o.school && s.from == o.from && s.until == o.until && s.level == o.level
	}
	if same(&x.first) {
		return x.first.at, 0, true
	}
	for i := x.more; i > 0; i = p.further(i).next {
		if f := p.further(i); same(&f.stay) {
			return f.at, 0, true
		}
		further++
	}
	return place{}, further, false
}

// all iterates over the people by id.
func (p *people) all() iter.Seq[*person] {
	order := p.sorted()
	return func(yield func(*person) bool) {
		for i := range p.size {
			if !yield(p.get(order.of(i))) {
				return
			}
		}
	}
}

// roles by number; 0 is none.
var roleNumbers = [...]schoolmail.Role{"", schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff}

const pupilNumber = 1

func roleNumber(r schoolmail.Role) uint8 { return uint8(max(0, slices.Index(roleNumbers[:], r))) }
