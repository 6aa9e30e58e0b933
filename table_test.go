package schoolmail

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A table knows what a map knows, however small it was at first.
func TestTableIsAMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		tab, want := newTable[int](0), map[uint64]int{}
		for i := range rapid.IntRange(0, 200).Draw(rt, "entries") {
			h := rapid.Uint64Range(0, 1<<62).Draw(rt, "hash")
			if rapid.Bool().Draw(rt, "near") {
				h %= 16
			}
			old, there := want[h]
			if got, known := tab.get(h); known != there || got != old {
				rt.Fatalf("%x: %d, %v; want %d, %v", h, got, known, old, there)
			}
			v, known := tab.entry(h)
			if known != there || *v != old {
				rt.Fatalf("entry of %x: %d, %v; want %d, %v", h, *v, known, old, there)
			}
			*v, want[h] = i, i
		}
	})
}

// Hashes are the same everywhere: the numbers that names get depend on them.
func TestHashOf(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	for i := range 100000 {
		s := fmt.Sprint("anna.muster", i, "@schools.example")
		h := hashOf(s)
		if o, twice := seen[h]; twice {
			t.Fatalf("%s and %s have one hash", s, o)
		}
		seen[h] = s
	}
	for s, want := range map[string]uint64{"": 0xb84c00f31883356e, "anna": 0x857166198bc30cd,
		"anna.muster@schools.example": 0xe7c338039b561469} {
		if got := hashOf(s); got != want {
			t.Errorf("%q: %#x, want %#x", s, got, want)
		}
	}
}

// Two keys with one hash are two people all the same.
func TestEntryOf(t *testing.T) {
	t.Parallel()
	keys := []RecordKey{{"escada", "1"}, {"escada", "2"}}
	tab := newTable[int](4)
	first, _ := entryOf(&tab, keys[0], func(i int) *RecordKey { return &keys[i] })
	*first = 1 // as if the second lay where the first belongs
	second, known := entryOf(&tab, keys[0], func(i int) *RecordKey { return &keys[i] })
	if known || second == first {
		t.Fatal("the entry of another key was taken")
	}
}
