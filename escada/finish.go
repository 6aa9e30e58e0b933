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
	order, ids := f.sorted(), string(f.ids)
	records := make([]schoolmail.Record, f.size)
	var ends [maxParts]int
	var rejected [maxParts][]placedRejection
	bounds := inParts(f.size, func(part, from, to int) {
		m := memberships{folder: f}
		end := from
		for i := from; i < to; i++ {
			p := f.get(order.of(i))
			if !p.known || p.bad {
				continue
			}
			if m.record(&records[end], p, ids); !p.bad {
				end++
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
	r.GivenName, r.FamilyName, r.Language = f.texts.text(p.given), f.texts.text(p.family), f.texts.text(p.language)
	contact := f.contacts[p.contact]
	r.NoticeMail, r.Phone = contact.mail, contact.phone
	r.Traits = f.traits(p)
	r.Memberships = m.of(p)
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
		slices.SortFunc(keys[from:to], compare)
	})
	return mergeOrder(keys, bounds, compare)
}

// sortKey is the beginning of an id, and whose it is.
type sortKey struct {
	head   uint64
	number uint32
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
