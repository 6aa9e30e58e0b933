package program_test

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// A leaver on hold is not told; the plan, -explain and the journal say why. Released,
// or when the hold is over, the notice goes out.
func TestHold(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatal(errs)
	}
	records := s.District.Records()
	who := records[0]
	e, err := escadatest.NewExport(records[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, e)
	until := day.AddDays(20).String()
	for _, c := range []struct {
		name string
		day  int
		args []string
		exit int
		says []string
	}{
		{"no reason", 1, []string{"-hold", who.Key.ID, "-until", until}, 2, []string{"needs a reason"}},
		{"no day", 1, []string{"-hold", who.Key.ID, "-reason", "inquiry"}, 2, []string{"expected a day from"}},
		{"nobody", 1, []string{"-hold", "nobody", "-reason", "x", "-until", until}, 2, []string{"nobody is called so"}},
		{"not on hold", 1, []string{"-release", who.Key.ID}, 2, []string{"not on hold"}},
		{"alone", 1, []string{"-reason", "x"}, 2, []string{"-reason goes with -hold"}},
		{"hold", 1, []string{"-hold", who.Key.ID, "-reason", "inquiry", "-until", until, "-by", "frei"}, 0,
			[]string{"is on hold until"}},
		{"plan", 1, nil, 0, []string{"Held back", "on hold until " + until + " by frei: inquiry"}},
		{"apply", 1, []string{"-apply"}, 0, []string{"1 step held back", "by frei: inquiry"}},
		{"explain", 1, []string{"-explain", who.Key.ID}, 0, []string{"On hold\n  since ",
			"by frei: inquiry", "hold done by frei",
			"state: active"}},
		{"release", 1, []string{"-release", who.Key.ID}, 0, []string{"no longer on hold"}},
		{"due again", 1, nil, 0, []string{"1 leaver to notify"}},
		{"hold again", 1, []string{"-hold", who.Key.ID, "-reason", "inquiry", "-until", until}, 0,
			[]string{"is on hold until"}},
		{"over", 21, []string{"-apply"}, 0, []string{"1 leaver to notify", "hold-expired"}},
	} {
		exit, out, errs := s.run(t, day.AddDays(c.day), c.args...)
		if exit != c.exit {
			t.Fatalf("%s: exit status %d, want %d\n%s%s", c.name, exit, c.exit, out, errs)
		}
		for _, want := range c.says {
			if !strings.Contains(out+errs, want) {
				t.Errorf("%s: nothing about %q in\n%s%s", c.name, want, out, errs)
			}
		}
	}
}
