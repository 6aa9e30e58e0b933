package ucs

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// TestHeapSortsAsNamesDo: whatever the names are like, accounts come by name and then by
// place, each once and whole.
func TestHeapSortsAsNamesDo(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var h heap
	var want []schoolmail.Account
	for i := range 3000 {
		name := strings.Repeat("a", rng.IntN(12))
		if i%3 > 0 {
			name += string([]rune{'a', 'b', 'z', '.', '1', 'ü', 0}[rng.IntN(7)])
		}
		a := schoolmail.Account{Username: name, DN: fmt.Sprint(i % 1000), Phone: fmt.Sprint(i)}
		h.add(&a)
		want = append(want, a)
	}
	compare := func(a, b schoolmail.Account) int {
		return cmp.Or(strings.Compare(a.Username, b.Username), strings.Compare(a.DN, b.DN))
	}
	got := h.sorted()
	if !slices.IsSortedFunc(got, compare) {
		t.Error("the accounts are in no order")
	}
	byPhone := func(a, b schoolmail.Account) int { return strings.Compare(a.Phone, b.Phone) }
	slices.SortFunc(got, byPhone)
	slices.SortFunc(want, byPhone)
	if d := gocmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
