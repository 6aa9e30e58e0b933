package migrate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// By content and date, and then by content alone for what is left, as many are paired as there
// are equal ones on both sides, and as many with equal dates as there are.
func TestMatchAsMultisets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, first uint32) []item {
			out := make([]item, rapid.IntRange(0, 40).Draw(t, name))
			for i := range out {
				out[i] = item{uid: first + uint32(i), date: int64(rapid.IntRange(0, 3).Draw(t, "date")),
					digest: digest{0: byte(rapid.IntRange(0, 4).Draw(t, "digest"))}}
			}
			return out
		}
		ours, theirs := draw("ours", 1), draw("theirs", 1000)
		count := func(items []item, dates bool) map[item]int {
			out := map[item]int{}
			for _, i := range items {
				if i.digest == (digest{}) {
					continue
				}
				k := item{digest: i.digest}
				if dates {
					k.date = i.date
				}
				out[k]++
			}
			return out
		}
		common := func(dates bool) (n int) {
			a, b := count(ours, dates), count(theirs, dates)
			for k, v := range a {
				n += min(v, b[k])
			}
			return n
		}
		exact, left, free := merge(ours, theirs, all(ours), all(theirs), byContentAndDate)
		more, left, free := merge(ours, theirs, left, free, byContent)
		if len(exact) != common(true) || len(exact)+len(more) != common(false) {
			t.Fatalf("%d with equal dates, want %d; %d in all, want %d", len(exact), common(true), len(exact)+len(more),
				common(false))
		}
		usedOurs, usedTheirs := slices.Clone(left), slices.Clone(free)
		for _, p := range append(exact, more...) {
			if ours[p.src].digest != theirs[p.dst].digest {
				t.Fatal("different messages are paired")
			}
			usedOurs, usedTheirs = append(usedOurs, p.src), append(usedTheirs, p.dst)
		}
		slices.Sort(usedOurs)
		slices.Sort(usedTheirs)
		if !slices.Equal(usedOurs, all(ours)) || !slices.Equal(usedTheirs, all(theirs)) {
			t.Fatal("each message is paired once or left over")
		}
	})
}

// A folder full of one and the same message, on purpose or by a mail loop, is
// no slower than others: 300,000 steps, not the square of that.
func TestManyEqualMessages(t *testing.T) {
	t.Parallel()
	const n = 300_000
	items := make([]item, n)
	for i := range items {
		items[i] = item{uid: uint32(i + 1), digest: digest{1}}
	}
	pairs, left, free := merge(items, items[1:], all(items), all(items[1:]), byContentAndDate)
	if len(pairs) != n-1 || len(left) != 1 || len(free) != 0 {
		t.Fatalf("%d pairs, %d and %d left", len(pairs), len(left), len(free))
	}
	for i, p := range pairs {
		if p.src != int32(i) || p.dst != int32(i) {
			t.Fatalf("pair %d: %v, want the order of UIDs", i, p)
		}
	}
}
