package escadatest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Each format meets each trap; the table of what came of them is in the log
// (go test -v -run FormatsAndTraps).
func TestFormatsAndTraps(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(7, &escadatest.Options{Schools: 4, People: 120})
	var secrets []string
	for _, r := range d.Records() {
		if len(r.FamilyName) > 5 {
			secrets = append(secrets, r.FamilyName)
		}
	}
	cells := map[string][]string{}
	for _, name := range escada.Starters() {
		profile, err := escada.Starter(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := escadatest.ExportAs(name, d.Records())
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := escadatest.TryNasty(t.Context(), e, &escada.Options{Profile: profile})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tried := 0
		for _, v := range verdicts {
			cell := "-"
			if !v.Skipped {
				tried++
				cell = string(v.Case.Expect)
				if !v.OK {
					cell = "WRONG"
					t.Errorf("%s, %s: expected %s: %s", name, v.Case.Name, v.Case.Expect, v.Outcome)
				}
			}
			if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(v.Outcome, s) }) {
				t.Errorf("%s, %s: a field of a person in the outcome", name, v.Case.Name)
			}
			cells[v.Case.Name] = append(cells[v.Case.Name], cell)
		}
		if tried < 10 {
			t.Errorf("%s: only %d cases could be tried", name, tried)
		}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "trap\t%s\n", strings.Join(escada.Starters(), "\t"))
	for _, n := range escadatest.NastyCases() {
		fmt.Fprintf(w, "%s\t%s\n", n.Name, strings.Join(cells[n.Name], "\t"))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}
