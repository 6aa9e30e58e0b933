package migrate

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// item is one message of either side during recognition. There may be some
// 100,000 of them on each side at once, so that it is kept small and without
// pointers: 40 bytes.
type item struct {
	date   int64  // seconds since 1970; 0 if unknown
	size   uint32 // as the server tells, capped at the type's maximum
	uid    uint32
	flags  uint32 // in session.flagSets
	digest digest // zero if not known
}

func (i *item) time() time.Time { return time.Unix(i.date, 0).UTC() }

// flagSet gives a list of flags a number: there are few different ones.
func (s *session) flagSet(flags []string) uint32 {
	key := strings.Join(flags, " ")
	n, ok := s.flagIndex[key]
	if !ok {
		if s.flagIndex == nil {
			s.flagIndex = map[string]uint32{}
		}
		n = uint32(len(s.flagSets))
		s.flagIndex[key], s.flagSets = n, append(s.flagSets, flags)
	}
	return n
}

// cleanFlags are an item's flags that may be sent to any server.
func (s *session) cleanFlags(i *item) []string {
	clean, _ := imapwire.CleanFlags(s.flagSets[i.flags])
	return clean
}

// eachItem fetches what recognition needs and calls f for each message. A
// message that the server tells twice comes twice.
func (s *session) eachItem(ctx context.Context, c *imapwire.Client, uids imapwire.Set, items string, f func(item)) error {
	for _, part := range uids.Chunks(fetchCount) {
		if err := c.Fetch(ctx, part, items, "", func(m *imapwire.Message, _ io.Reader, _ int64) error {
			if !part.Contains(m.UID) {
				return nil
			}
			i := item{uid: m.UID, size: size32(m.Size), flags: s.flagSet(m.Flags)}
			if m.HasDate {
				i.date = m.Date.Unix()
			}
			i.digest, _ = parseDigest(m.SHA1)
			f(i)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// items collects what eachItem tells, by ascending UID and each message once.
func (s *session) items(ctx context.Context, c *imapwire.Client, uids imapwire.Set, items string) ([]item, error) {
	out := make([]item, 0, uids.Len())
	if err := s.eachItem(ctx, c, uids, items, func(i item) { out = append(out, i) }); err != nil {
		return nil, err
	}
	slices.SortStableFunc(out, func(a, b item) int { return cmp.Compare(a.uid, b.uid) })
	return slices.CompactFunc(out, func(a, b item) bool { return a.uid == b.uid }), nil
}

// hash reads the content of the wanted items, which are sorted by UID, and
// gives both digests of each to set.
func (s *session) hash(ctx context.Context, c *imapwire.Client, items []item, want func(i int) bool, set func(i int, exact, loose digest)) error {
	var uids imapwire.Set
	for i := range items {
		if want(i) {
			uids.Add(items[i].uid)
		}
	}
	for _, part := range uids.Chunks(fetchCount) {
		if err := c.Fetch(ctx, part, "BODY.PEEK[]", "", func(m *imapwire.Message, body io.Reader, _ int64) error {
			i, ok := slices.BinarySearchFunc(items, m.UID, func(i item, uid uint32) int { return cmp.Compare(i.uid, uid) })
			if !ok || body == nil || !part.Contains(m.UID) {
				return nil
			}
			exact, loose, err := digestBody(s.st.acct.Digest, body)
			if err == nil {
				set(i, exact, loose)
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// hashExact is hash for those items whose digest is not known and whose size
// is among the given ones.
func (s *session) hashExact(ctx context.Context, c *imapwire.Client, items []item, sizes *sizeSet) error {
	return s.hash(ctx, c, items, func(i int) bool { return items[i].digest == digest{} && sizes.has(items[i].size) },
		func(i int, exact, _ digest) { items[i].digest = exact })
}

// hashLoose gives the loose digests of the items of an index, by their place in items.
func (s *session) hashLoose(ctx context.Context, c *imapwire.Client, items []item, index []int32) ([]digest, error) {
	want, out := make([]bool, len(items)), make([]digest, len(items))
	for _, i := range index {
		want[i] = true
	}
	return out, s.hash(ctx, c, items, func(i int) bool { return want[i] }, func(i int, _, loose digest) { out[i] = loose })
}

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

// candidates are items of one side that pair looks at.
type candidates struct {
	items []item
	index []int32               // of items
	key   func(i int32) *digest // what must be equal
}

// byDigest is the key of exact pairing.
func byDigest(items []item) func(int32) *digest {
	return func(i int32) *digest { return &items[i].digest }
}

// compare is the order in which pair walks: by key, date, UID.
func (c *candidates) compare(a, b int32) int {
	return cmp.Or(bytes.Compare(c.key(a)[:], c.key(b)[:]), cmp.Compare(c.items[a].date, c.items[b].date), cmp.Compare(c.items[a].uid, c.items[b].uid))
}

// pairing is an index in the source's items and one in the target's.
type pairing struct{ src, dst int32 }

// pair matches by key, as multisets, preferring equal dates and then the order
// of UIDs. It returns what is left on both sides, in the order it came. A zero
// key matches nothing.
func pair(ours, theirs candidates) (pairs []pairing, restOurs, restTheirs []int32) {
	left, right := slices.Clone(ours.index), slices.Clone(theirs.index)
	slices.SortFunc(left, ours.compare)
	slices.SortFunc(right, theirs.compare)
	takenOurs, takenTheirs := make([]bool, len(ours.items)), make([]bool, len(theirs.items))
	match := func(o, t int32) {
		takenOurs[o], takenTheirs[t] = true, true
		pairs = append(pairs, pairing{o, t})
	}
	for len(left) > 0 && len(right) > 0 {
		k, kr := *ours.key(left[0]), *theirs.key(right[0])
		if c := bytes.Compare(k[:], kr[:]); c < 0 || k == (digest{}) {
			left = left[1:]
			continue
		} else if c > 0 {
			right = right[1:]
			continue
		}
		n, m := 1, 1
		for n < len(left) && *ours.key(left[n]) == k {
			n++
		}
		for m < len(right) && *theirs.key(right[m]) == k {
			m++
		}
		group, other := left[:n], right[:m]
		left, right = left[n:], right[m:]
		for i, j := 0, 0; i < n && j < m; { // both ascend by date
			switch o, t := group[i], other[j]; {
			case ours.items[o].date < theirs.items[t].date:
				i++
			case ours.items[o].date > theirs.items[t].date:
				j++
			default:
				match(o, t)
				i, j = i+1, j+1
			}
		}
		j := 0
		for _, o := range group {
			for j < m && takenTheirs[other[j]] {
				j++
			}
			if !takenOurs[o] && j < m {
				match(o, other[j])
			}
		}
	}
	rest := func(index []int32, taken []bool) (out []int32) {
		for _, i := range index {
			if !taken[i] {
				out = append(out, i)
			}
		}
		return out
	}
	return pairs, rest(ours.index, takenOurs), rest(theirs.index, takenTheirs)
}
