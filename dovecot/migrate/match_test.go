package migrate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// take, message by message, and then pair for what is left, match as many as
// there are equal ones on both sides, and as many with equal dates as there are.
func TestMatchAsMultisets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, first uint32) []item {
			out := make([]item, rapid.IntRange(0, 40).Draw(t, name))
			for i := range out {
				out[i] = item{uid: first + uint32(i), date: int64(rapid.IntRange(0, 3).Draw(t, "date")), digest: digest{0: byte(rapid.IntRange(0, 4).Draw(t, "digest"))}}
			}
			return out
		}
		ours, theirs := draw("ours", 1), draw("theirs", 1000)
		type dated struct {
			digest digest
			date   int64
		}
		count := func(items []item) (by map[digest]int, dates map[dated]int) {
			by, dates = map[digest]int{}, map[dated]int{}
			for _, i := range items {
				if i.digest != (digest{}) {
					by[i.digest]++
					dates[dated{i.digest, i.date}]++
				}
			}
			return by, dates
		}
		ourBy, ourDates := count(ours)
		theirBy, theirDates := count(theirs)
		want, wantDated := 0, 0
		for k, n := range ourBy {
			want += min(n, theirBy[k])
		}
		for k, n := range ourDates {
			wantDated += min(n, theirDates[k])
		}

		r := &recognition{theirs: theirs}
		r.sort()
		var left []item
		dated1, seen := 0, make([]bool, len(theirs))
		for i := range ours {
			if at, ok := r.take(&ours[i]); !ok {
				left = append(left, ours[i])
			} else if seen[at] || !r.taken[at] || theirs[at].digest != ours[i].digest || theirs[at].date != ours[i].date {
				t.Fatalf("took %+v for %+v", theirs[at], ours[i])
			} else {
				seen[at] = true
				dated1++
			}
		}
		free := slices.DeleteFunc(all(theirs), func(i int32) bool { return r.taken[i] })
		pairs, rest, restTheirs := pair(candidates{left, all(left), byDigest(left)}, candidates{theirs, free, byDigest(theirs)})
		for _, p := range pairs {
			if seen[p.dst] || theirs[p.dst].digest != left[p.src].digest {
				t.Fatalf("paired %+v with %+v", left[p.src], theirs[p.dst])
			}
			seen[p.dst] = true
		}
		if dated1 != wantDated || dated1+len(pairs) != want || len(rest) != len(left)-len(pairs) || len(restTheirs) != len(free)-len(pairs) {
			t.Fatalf("%d with equal dates, want %d; %d in all, want %d; %d and %d left", dated1, wantDated, dated1+len(pairs), want, len(rest), len(restTheirs))
		}
		// All at once pairs as many, and as many with equal dates.
		pairs, _, _ = pair(candidates{ours, all(ours), byDigest(ours)}, candidates{theirs, all(theirs), byDigest(theirs)})
		n := 0
		for _, p := range pairs {
			if ours[p.src].date == theirs[p.dst].date {
				n++
			}
		}
		if len(pairs) != want || n != wantDated {
			t.Fatalf("pair: %d with equal dates, want %d; %d in all, want %d", n, wantDated, len(pairs), want)
		}
	})
}

// A folder full of one and the same message, on purpose or by a mail loop, is
// no slower than others: 300,000 steps, not the square of that.
func TestManyEqualMessages(t *testing.T) {
	t.Parallel()
	const n = 300_000
	r := &recognition{theirs: make([]item, n)}
	for i := range r.theirs {
		r.theirs[i] = item{uid: uint32(i + 1), digest: digest{1}}
	}
	r.sort()
	for i := range n {
		if at, ok := r.take(&item{uid: uint32(i + 1), digest: digest{1}}); !ok || at != int32(i) {
			t.Fatalf("message %d: %d, %v", i, at, ok)
		}
	}
	if _, ok := r.take(&item{digest: digest{1}}); ok {
		t.Error("one more than there are")
	}
}
