package migrate

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// item is one message of either side during recognition. There may be some
// 100,000 of them on each side at once, so that it is kept small and without
// pointers: 40 bytes.
type item struct {
	date   int64  // seconds since 1970; 0 if unknown
	size   uint32 // as the server tells, capped at the type's maximum
	uid    uint32
	flags  uint32 // in the flagTable
	digest digest // zero if not known
}

func (i *item) time() time.Time { return time.Unix(i.date, 0).UTC() }

// sizeSet remembers sizes in 256 KiB. It may take another size for one of
// them, which costs a digest too many and nothing else.
type sizeSet [4096 * 8]uint64

func sizeBit(size uint32) (int, uint64) {
	h := size * 2654435761 >> 11 // 21 bits
	return int(h >> 6), 1 << (h & 63)
}

func (s *sizeSet) add(size uint32) {
	word, bit := sizeBit(size)
	s[word] |= bit
}

func (s *sizeSet) has(size uint32) bool {
	word, bit := sizeBit(size)
	return s[word]&bit != 0
}

// all is the index of all items.
func all(items []item) []int32 {
	out := make([]int32, len(items))
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// key orders messages; those it finds equal belong together.
type key func(a, b *item) int

func byContent(a, b *item) int { return bytes.Compare(a.digest[:], b.digest[:]) }

func byContentAndDate(a, b *item) int { return cmp.Or(byContent(a, b), cmp.Compare(a.date, b.date)) }

// bySizeAndDate is for messages whose content is not compared.
func bySizeAndDate(a, b *item) int {
	return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.date, b.date))
}

// pairing is an index in the source's items and one in the target's.
type pairing struct{ src, dst int32 }

// merge pairs messages that are equal by key, as multisets: two sorted
// listings, walked in lock step. left and free are the messages of each side that
// take part; what nobody has taken of them comes back, by UID. Among equals the
// order is by date and UID. A message without a digest equals none, unless the
// key does not look at digests.
func merge(ours, theirs []item, left, free []int32, key key) (pairs []pairing, restOurs, restTheirs []int32) {
	sorted := func(items []item, index []int32) []int32 {
		out := slices.Clone(index)
		slices.SortFunc(out, func(a, b int32) int {
			x, y := &items[a], &items[b]
			return cmp.Or(key(x, y), cmp.Compare(x.date, y.date), cmp.Compare(x.uid, y.uid))
		})
		return out
	}
	a, b := sorted(ours, left), sorted(theirs, free)
	blind := key(&item{digest: digest{1}}, &item{}) == 0
	for len(a) > 0 && len(b) > 0 {
		x, y := &ours[a[0]], &theirs[b[0]]
		switch c := key(x, y); {
		case c < 0 || c == 0 && !blind && x.digest == (digest{}):
			restOurs, a = append(restOurs, a[0]), a[1:]
		case c > 0:
			restTheirs, b = append(restTheirs, b[0]), b[1:]
		default:
			pairs = append(pairs, pairing{a[0], b[0]})
			a, b = a[1:], b[1:]
		}
	}
	restOurs, restTheirs = append(restOurs, a...), append(restTheirs, b...)
	slices.Sort(restOurs)
	slices.Sort(restTheirs)
	return pairs, restOurs, restTheirs
}
