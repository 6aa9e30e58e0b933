package imapwire

import (
	"slices"
	"strconv"
	"strings"
)

// A Set is a set of UIDs as ascending, disjoint, non-touching ranges. The nil
// Set is empty. Because ranges are kept, the UIDs of a folder with 200,000
// messages take a few bytes while nothing has been removed from it.
type Set []Range

// Range is the UIDs from First to Last, both included.
type Range struct{ First, Last uint32 }

// Add puts one UID into the set. Adding in ascending order is cheap.
func (s *Set) Add(uid uint32) { s.AddRange(uid, uid) }

// AddRange puts first to last (in either order) into the set.
func (s *Set) AddRange(first, last uint32) {
	if first > last {
		first, last = last, first
	}
	t := *s
	if n := len(t); n == 0 || first > t[n-1].Last && first-t[n-1].Last > 1 {
		*s = append(t, Range{first, last})
		return
	}
	// i is the first range that touches or follows the new one, j the first after it.
	i, _ := slices.BinarySearchFunc(t, first, func(r Range, f uint32) int {
		if r.Last < f && f-r.Last > 1 {
			return -1
		}
		return 1
	})
	j := i
	for j < len(t) && (t[j].First <= last || t[j].First-last == 1) {
		first, last = min(first, t[j].First), max(last, t[j].Last)
		j++
	}
	*s = slices.Replace(t, i, j, Range{first, last})
}

// Contains reports whether uid is in the set.
func (s Set) Contains(uid uint32) bool {
	_, ok := slices.BinarySearchFunc(s, uid, func(r Range, u uint32) int {
		switch {
		case r.Last < u:
			return -1
		case r.First > u:
			return 1
		}
		return 0
	})
	return ok
}

// Len is the number of UIDs.
func (s Set) Len() int {
	n := 0
	for _, r := range s {
		n += int(r.Last-r.First) + 1
	}
	return n
}

// All calls yield with each UID, ascending.
func (s Set) All() func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for _, r := range s {
			for u := uint64(r.First); u <= uint64(r.Last); u++ {
				if !yield(uint32(u)) {
					return
				}
			}
		}
	}
}

// String writes the set as in a command, "1:3,7".
func (s Set) String() string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatUint(uint64(r.First), 10))
		if r.Last != r.First {
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(uint64(r.Last), 10))
		}
	}
	return b.String()
}

// Chunks splits the set so that each part has at most uids members and its text
// stays below some 6,000 bytes: servers limit the length of a command line.
func (s Set) Chunks(uids int) []Set {
	var out []Set
	var cur Set
	n := 0
	for _, r := range s {
		for {
			if n >= uids || len(cur) >= 250 {
				out, cur, n = append(out, cur), nil, 0
			}
			size := int64(r.Last) - int64(r.First) + 1
			if size <= int64(uids-n) {
				cur = append(cur, r)
				n += int(size)
				break
			}
			cut := r.First + uint32(uids-n) - 1
			cur = append(cur, Range{r.First, cut})
			r.First = cut + 1
			n = uids
		}
	}
	if len(cur) > 0 {
		out = append(out, cur)
	}
	return out
}

// ParseSet reads "1:3,7". "*" and zero are refused.
func ParseSet(text string) (Set, bool) {
	var s Set
	if text == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(text, ",") {
		a, b, two := strings.Cut(part, ":")
		if !two {
			b = a
		}
		x, err1 := strconv.ParseUint(a, 10, 32)
		y, err2 := strconv.ParseUint(b, 10, 32)
		if err1 != nil || err2 != nil || x == 0 || y == 0 {
			return nil, false
		}
		s.AddRange(uint32(x), uint32(y))
	}
	return s, true
}

// Without returns the UIDs of s that are not in t.
func (s Set) Without(t Set) Set {
	var out Set
	j := 0
	for _, r := range s {
		first, open := r.First, true
		for ; j < len(t) && t[j].Last < r.First; j++ {
		}
		for k := j; k < len(t) && t[k].First <= r.Last; k++ {
			if t[k].First > first {
				out = append(out, Range{first, t[k].First - 1})
			}
			if t[k].Last >= r.Last {
				open = false
				break
			}
			first = max(first, t[k].Last+1)
		}
		if open {
			out = append(out, Range{first, r.Last})
		}
	}
	return out
}

// From returns the UIDs of s that are at least uid.
func (s Set) From(uid uint32) Set {
	if uid <= 1 {
		return s
	}
	return s.Without(Set{{1, uid - 1}})
}
