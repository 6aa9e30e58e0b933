package escada

import (
	"encoding/binary"
	"math/bits"
)

// known says what became of texts that were read before and had nothing wrong.
// Texts are compared by their first and last eight bytes and their length, which
// are all of them in texts of at most sixteen; longer ones are in a map. It is a
// cache: what is forgotten is read again.
type known struct {
	slots []knownText
	shift uint // of a hash, for a place in slots
	count int
	long  map[string]uint32
}

type knownText struct {
	head, tail uint64
	size       uint32 // 0: the slot is free
	value      uint32
}

const (
	maxKnown    = 1 << 16
	largeKnown  = 1 << 13
	knownProbes = 8
)

// textKey gives the first and last eight bytes of a text in buf, which is not empty.
func textKey(buf []byte, x span) (head, tail uint64) {
	n := x.to - x.from
	if n >= 8 {
		return binary.LittleEndian.Uint64(buf[x.from:]), binary.LittleEndian.Uint64(buf[x.to-8:])
	}
	if int(x.from)+8 <= len(buf) {
		return binary.LittleEndian.Uint64(buf[x.from:]) & (1<<(8*n) - 1), 0
	}
	for i, c := range buf[x.from:x.to] {
		head |= uint64(c) << (8 * i)
	}
	return head, 0
}

func (k *known) place(head, tail uint64) uint64 {
	return (head ^ bits.RotateLeft64(tail, 29)) * 0x9E3779B97F4A7C15 >> k.shift
}

// newKnown makes one with a single slot.
func newKnown() known { return known{slots: make([]knownText, 1), shift: 64} }

// first gives the value of a text of at most sixteen bytes that lies in its own place.
func (k *known) first(buf []byte, x span) (uint32, bool) {
	head, tail := textKey(buf, x)
	t := &k.slots[k.place(head, tail)]
	return t.value, t.head == head && t.tail == tail && t.size == x.to-x.from
}

// get gives the value of a text, wherever it lies.
func (k *known) get(buf []byte, x span) (uint32, bool) {
	size := x.to - x.from
	if size > 16 {
		v, ok := k.long[string(buf[x.from:x.to])]
		return v, ok
	}
	head, tail := textKey(buf, x)
	mask := uint64(len(k.slots) - 1)
	at := k.place(head, tail)
	for range knownProbes {
		t := &k.slots[at&mask]
		if t.head == head && t.tail == tail && t.size == size {
			return t.value, true
		}
		if t.size == 0 {
			break
		}
		at++
	}
	return 0, false
}

// put remembers a text that get does not find.
func (k *known) put(buf []byte, x span, value uint32) {
	size := x.to - x.from
	if size > 16 {
		if k.long == nil || len(k.long) >= maxKnown {
			k.long = map[string]uint32{}
		}
		if size <= memoText {
			k.long[string(buf[x.from:x.to])] = value
		}
		return
	}
	if k.full() {
		k.grow()
	}
	head, tail := textKey(buf, x)
	k.set(knownText{head, tail, size, value})
}

// set puts a text where it is looked for first, or near by where that is taken.
func (k *known) set(text knownText) {
	mask := uint64(len(k.slots) - 1)
	first := k.place(text.head, text.tail)
	for at := first; at < first+knownProbes; at++ {
		if t := &k.slots[at&mask]; t.size == 0 {
			*t = text
			k.count++
			return
		}
	}
	k.slots[first&mask] = text
}

// full reports whether more room is worth it: half full a small table is, so that most
// texts lie in their own places, a large one later, so that it stays in the cache.
func (k *known) full() bool {
	if len(k.slots) < largeKnown {
		return 2*k.count >= len(k.slots)
	}
	return 3*k.count >= 2*len(k.slots) && len(k.slots) < maxKnown
}

func (k *known) grow() {
	old := k.slots
	size := max(64, 2*len(old))
	if len(old) < largeKnown {
		size = max(64, 4*len(old))
	}
	k.slots, k.count = make([]knownText, size), 0
	k.shift = uint(64 - bits.TrailingZeros(uint(size)))
	for _, t := range old {
		if t.size > 0 {
			k.set(t)
		}
	}
}
