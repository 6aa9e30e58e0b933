package escada_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// Many people are read by several goroutines: what comes of them does not depend on
// the order of the rows, and who is not delivered leaves no gap.
func TestManyPeopleInAnyOrder(t *testing.T) {
	t.Parallel()
	const people = 40_000
	var rows []string
	id := func(i int) string { return fmt.Sprintf("p%06d", i) }
	for i := range people {
		rows = append(rows, fmt.Sprintf("%s;S;Müller %c;Anna;ps-%d;P;1a;;;;;\n", id(i), 'A'+i%26, i%7))
		if i%1000 == 999 { // two levels at one school
			rows = append(rows, fmt.Sprintf("%s;S;Müller %c;Anna;ps-%d;S;7a;;;;;\n", id(i), 'A'+i%26, i%7))
		}
	}
	take := func(rows []string) schoolmail.Delivery {
		t.Helper()
		d, err := read(t, nil, map[string]string{"x.csv": head + strings.Join(rows, "")})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	sorted := take(rows)
	if len(sorted.Records) != people-people/1000 || len(sorted.Rejected) != people/1000 {
		t.Fatalf("%d records, %d rejected", len(sorted.Records), len(sorted.Rejected))
	}
	next := 0
	for _, r := range sorted.Records {
		if next%1000 == 999 {
			next++
		}
		if r.Key.ID != id(next) || len(r.Memberships) != 1 || r.Memberships[0].Level != "primary" {
			t.Fatalf("%+v in the place of %s", r, id(next))
		}
		next++
	}
	if !slices.IsSortedFunc(sorted.Rejected, func(a, b schoolmail.Rejection) int { return a.Line - b.Line }) {
		t.Error("mistakes are not in the order of the file")
	}
	other := make([]string, len(rows))
	for i, r := range rows {
		other[i*7_919%len(rows)] = r
	}
	if diff := cmp.Diff(sorted.Records, take(other).Records); diff != "" {
		t.Error(diff)
	}
}
