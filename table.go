package schoolmail

import "math/bits"

// table maps hashes to values. Its keys are hashes already, so that it needs none
// of its own, and it never forgets one.
type table[V any] struct {
	slots []slot[V] // a power of two of them; a hash lies at its low bits, or in the next free slot
	used  int
}

type slot[V any] struct {
	value V
	hash  uint64 // 0: free
}

// newTable returns a table with room for n values; it grows by itself.
func newTable[V any](n int) table[V] {
	return table[V]{slots: make([]slot[V], 1<<bits.Len(uint(max(n, 4)*3/2)))}
}

// at returns the slot of a hash, or the free one where it belongs.
func (t *table[V]) at(h uint64) *slot[V] {
	mask := uint64(len(t.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.hash == h || s.hash == 0 {
			return s
		}
	}
}

// get returns the value of a hash, and whether there is one.
func (t *table[V]) get(h uint64) (V, bool) {
	s := t.at(h | 1<<63)
	return s.value, s.hash != 0
}

// entry returns where the value of a hash is kept, and whether there was one.
// It is valid until the next call.
func (t *table[V]) entry(h uint64) (value *V, known bool) {
	h |= 1 << 63
	s := t.at(h)
	if s.hash != 0 {
		return &s.value, true
	}
	if t.used++; t.used*4 > len(t.slots)*3 {
		t.grow()
		s = t.at(h)
	}
	s.hash = h
	return &s.value, false
}

// userTable finds accounts by their user names.
type userTable struct {
	accounts []Account
	numbers  table[int32]
}

// entry returns where the number of an account of a name with a hash is kept, and
// whether there is one.
func (u *userTable) entry(name string, hash uint64) (number *int32, known bool) {
	for h := hash; ; h = mixed(h) {
		number, known = u.numbers.entry(h)
		if !known || u.accounts[*number].Username == name {
			return number, known
		}
	}
}

// number returns the number of the account of a name, and whether there is one.
func (u *userTable) number(name string) (int32, bool) { return u.numberOf(name, hashOf(name)) }

// numberOf is number for a name with a hash.
func (u *userTable) numberOf(name string, hash uint64) (int32, bool) {
	for h := hash; ; h = mixed(h) {
		n, known := u.numbers.get(h)
		if !known || u.accounts[n].Username == name {
			return n, known
		}
	}
}

// entryOf is entry for the key of a record; whose tells the key of an entry's value.
func entryOf[V any](t *table[V], k RecordKey, whose func(V) *RecordKey) (value *V, known bool) {
	h := hashOn(hashOf(k.Source), k.ID)
	for {
		value, known = t.entry(h)
		if !known || *whose(*value) == k {
			return value, known
		}
		h = mixed(h) // two keys with one hash
	}
}

func (t *table[V]) grow() {
	old := t.slots
	t.slots = make([]slot[V], 2*len(old))
	for i := range old {
		if old[i].hash != 0 {
			*t.at(old[i].hash) = old[i]
		}
	}
}

// hashOf hashes a text, everywhere and always to the same number.
func hashOf(s string) uint64 { return hashOn(hashStart, s) }

// hashOn goes on with another text.
func hashOn(h uint64, s string) uint64 {
	h ^= uint64(len(s))
	for ; len(s) >= 8; s = s[8:] {
		h = mixed(h ^ (uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56))
	}
	var tail uint64
	for i := range len(s) {
		tail |= uint64(s[i]) << (8 * i)
	}
	return mixed(h ^ tail)
}

// mixed spreads the bits of a number over all of it.
func mixed(x uint64) uint64 {
	high, low := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return high ^ low
}
