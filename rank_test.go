package schoolmail

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	gocmp "github.com/google/go-cmp/cmp"
)

// drawTexts are many texts that begin alike, some of them twice, some with what sorts
// before every letter.
func drawTexts(rt *rapid.T) []string {
	text := rapid.Custom(func(rt *rapid.T) string {
		s := strings.Repeat(rapid.SampledFrom([]string{"anna.mu", "noah.", "12345678", ""}).Draw(rt, "head"),
			rapid.IntRange(0, 12).Draw(rt, "times"))
		return s + rapid.StringOfN(rapid.SampledFrom([]rune("abAB1\x00éÉ")), 0, 6, -1).Draw(rt, "tail")
	})
	return rapid.SliceOfN(text, 0, 80).Draw(rt, "texts")
}

func numbersOf(list []ranked) []int32 {
	numbers := make([]int32, len(list))
	for i := range list {
		numbers[i] = list[i].at
	}
	return numbers
}

func sortedNumbers(n int, compare func(i, j int32) int) []int32 {
	numbers := make([]int32, n)
	for i := range numbers {
		numbers[i] = int32(i)
	}
	slices.SortFunc(numbers, compare)
	return numbers
}

// Sorting by the first bytes first makes no difference.
func TestRank(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		texts := drawTexts(rt)
		text := func(i int32) string { return texts[i] }
		backwards := func(i, j int32) int { return cmp.Compare(j, i) } // who has one text
		got := numbersOf(rank(len(texts), text, backwards))
		want := sortedNumbers(len(texts), func(i, j int32) int {
			return cmp.Or(strings.Compare(text(i), text(j)), backwards(i, j))
		})
		if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("%q: (-want +got)\n%s", texts, d)
		}
	})
}

// So it is without regard to case.
func TestRankFold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		texts := drawTexts(rt)
		if rapid.Bool().Draw(rt, "ASCII") {
			for i := range texts {
				texts[i] = strings.Map(func(r rune) rune { return r % 128 }, texts[i])
			}
		} else {
			for i := range texts { // where the first bytes say nothing of the letter
				texts[i] = strings.TrimLeft(texts[i], "éÉ")
			}
		}
		id := func(i int32) string { return texts[i] }
		list := make([]ranked, len(texts))
		for i, s := range texts {
			list[i] = ranked{foldedPrefix(s), int32(i)}
		}
		backwards := func(i, j int32) int { return cmp.Compare(j, i) }
		got := numbersOf(rankFold(list, id, backwards))
		want := sortedNumbers(len(texts), func(i, j int32) int {
			return cmp.Or(compareFold(id(i), id(j)), strings.Compare(id(i), id(j)), backwards(i, j))
		})
		if d := gocmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("%q: (-want +got)\n%s", texts, d)
		}
	})
}

// Users in OX are sorted by context and id, whatever numbers these are.
func TestRankPlaces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		number := rapid.SampledFrom([]int{0, 1, 2, 255, 256, 1 << 20, 1<<31 - 1})
		if rapid.Bool().Draw(rt, "any") {
			number = rapid.SampledFrom([]int{-1, 0, 1, 1 << 20, -1 << 31, 1<<31 - 1})
		}
		st := &State{Places: make([]Place, rapid.IntRange(0, 60).Draw(rt, "places"))}
		for i := range st.Places {
			st.Places[i] = Place{Context: ContextID(number.Draw(rt, "context")), UserID: UserID(number.Draw(rt, "id")),
				Username: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "name")}
		}
		want := sortedNumbers(len(st.Places), func(i, j int32) int {
			a, b := &st.Places[i], &st.Places[j]
			return cmp.Or(cmp.Compare(a.Context, b.Context), cmp.Compare(a.UserID, b.UserID),
				strings.Compare(a.Username, b.Username), cmp.Compare(i, j))
		})
		if d := gocmp.Diff(want, numbersOf(st.rankPlaces()), cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("(-want +got)\n%s", d)
		}
	})
}
