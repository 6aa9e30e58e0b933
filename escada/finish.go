package escada

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// chunk is the least number of people for whom a further goroutine is worth its
// while, of which there are at most maxParts.
const (
	chunk    = 1 << 13
	maxParts = 16
)

// inParts calls f for parts of 0 to n-1, in as many goroutines as there are
// processors, and waits for them. It returns the bounds of the parts.
func inParts(n int, f func(part, from, to int)) (bounds []int) {
	parts := max(1, min(runtime.GOMAXPROCS(0), n/chunk, maxParts))
	for i := range parts + 1 {
		bounds = append(bounds, n*i/parts)
	}
	var all sync.WaitGroup
	for i := range parts {
		all.Go(func() { f(i, bounds[i], bounds[i+1]) })
	}
	all.Wait()
	return bounds
}

// finish makes records of what was collected, sorted by id.
func (f *folder) finish() []schoolmail.Record {
	if f.upper && f.lower {
		f.refuseCaseTwins()
	}
	order, ids, texts := f.sorted(), string(f.ids), string(f.text)
	records := make([]schoolmail.Record, f.size)
	var ends [maxParts]int
	var rejected [maxParts][]placedRejection
	bounds := inParts(f.size, func(part, from, to int) {
		m := memberships{folder: f}
		end := from
		var together [64]person
		var contacts [64]contact
		for ; from < to; from += len(together) {
			n := f.collect(together[:], contacts[:], order, from, to)
			for i := range n {
				p := &together[i]
				if !p.known || p.bad {
					continue
				}
				if p.contact > 0 {
					records[end].NoticeMail, records[end].Phone = contactIn(texts, contacts[i])
				}
				if m.record(&records[end], p, ids); p.bad {
					records[end] = schoolmail.Record{} // nothing of it is for the next one
				} else {
					end++
				}
			}
		}
		clear(records[end:to])
		ends[part], rejected[part] = end, m.rejected
	})
	// Close the gaps that people leave who are not delivered.
	n := ends[0]
	for i := 1; i < len(bounds)-1; i++ {
		if n < bounds[i] {
			copy(records[n:], records[bounds[i]:ends[i]])
		}
		n += ends[i] - bounds[i]
	}
	clear(records[n:])
	for _, r := range rejected {
		f.rejected = append(f.rejected, r...)
	}
	slices.SortStableFunc(f.rejected, func(a, b placedRejection) int { return a.at.compare(b.at) })
	return records[:n]
}

// record makes the record of a person, who is bad if that cannot be done.
func (m *memberships) record(r *schoolmail.Record, p *person, ids string) {
	f := m.folder
	r.Key = schoolmail.RecordKey{Source: f.layout.Source, ID: ids[p.idAt : p.idAt+uint32(p.idLen)]}
	r.Role = roleNumbers[p.role]
	r.GivenName, r.FamilyName = f.texts.text(p.given), f.texts.text(p.family)
	r.Language = f.languages.text(uint32(p.language))
	if p.number > 0 || p.birth > 0 {
		r.Traits = f.traits(p)
	}
	if p.more == 0 {
		r.Memberships = m.single(p)
	} else {
		r.Memberships = m.of(p)
	}
}

// collect copies people in order from a number on, as many as there is room for,
// with their contacts, and returns how many. People who came in no order lie anywhere
// in memory: to get many at once takes not much longer than one.
func (p *people) collect(room []person, contacts []contact, o order, from, to int) int {
	n := min(len(room), to-from)
	for i := range n {
		room[i] = *p.get(o.of(from + i))
	}
	if len(p.list) > 1 {
		for i := range n {
			contacts[i] = p.list[room[i].contact]
		}
	}
	return n
}

// order is that of people by id; nil: they came so.
type order []uint32

func (o order) of(i int) int {
	if o == nil {
		return i
	}
	return int(o[i])
}

// sorted gives the order of the people. Most ids of a source begin alike, so the
// eight bytes after that decide nearly always.
func (p *people) sorted() order {
	if p.slots == nil {
		return nil
	}
	common := p.id(p.get(0))
	for i := range p.size {
		for !bytes.HasPrefix(p.id(p.get(i)), common) {
			common = common[:len(common)-1]
		}
	}
	keys := make([]sortKey, p.size)
	compare := func(a, b sortKey) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(p.id(p.get(int(a.number))), p.id(p.get(int(b.number))))
	}
	bounds := inParts(p.size, func(_, from, to int) {
		for i := from; i < to; i++ {
			var head uint64
			rest := p.id(p.get(i))[len(common):]
			for j := range 8 {
				head <<= 8
				if j < len(rest) {
					head |= uint64(rest[j])
				}
			}
			keys[i] = sortKey{head, uint32(i)}
		}
		sortKeys(keys[from:to], compare)
	})
	return mergeOrder(keys, bounds, compare)
}

// sortKey is the beginning of an id, and whose it is.
type sortKey struct {
	head   uint64
	number uint32
}

// sortKeys sorts keys by their heads, byte by byte from the last on, and those of
// one head by the whole ids.
func sortKeys(keys []sortKey, compare func(a, b sortKey) int) {
	var counts [8][256]uint32
	for i := range keys {
		for head, j := keys[i].head, 0; j < 8; head, j = head>>8, j+1 {
			counts[j][uint8(head)]++
		}
	}
	a, b := keys, make([]sortKey, len(keys))
	for j := range 8 {
		if len(keys) == 0 || counts[j][uint8(keys[0].head>>(8*j))] == uint32(len(keys)) {
			continue // all have the same
		}
		var at [256]uint32
		sum := uint32(0)
		for c, n := range counts[j] {
			at[c] = sum
			sum += n
		}
		for _, k := range a {
			c := uint8(k.head >> (8 * j))
			b[at[c]] = k
			at[c]++
		}
		a, b = b, a
	}
	if len(a) > 0 && &a[0] != &keys[0] {
		copy(keys, a)
	}
	for from, to := 0, 1; from < len(keys); from, to = to, to+1 {
		for to < len(keys) && keys[to].head == keys[from].head {
			to++
		}
		if to > from+1 {
			slices.SortFunc(keys[from:to], compare)
		}
	}
}

// mergeOrder takes keys that are sorted within the bounds.
func mergeOrder(keys []sortKey, bounds []int, compare func(a, b sortKey) int) order {
	out := make(order, 0, len(keys))
	at := slices.Clone(bounds[:len(bounds)-1])
	for len(out) < len(keys) {
		least := -1
		for i, k := range at {
			if k < bounds[i+1] && (least < 0 || compare(keys[k], keys[at[least]]) < 0) {
				least = i
			}
		}
		out = append(out, keys[at[least]].number)
		at[least]++
	}
	return out
}
