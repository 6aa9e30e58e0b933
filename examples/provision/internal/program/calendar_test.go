package program_test

import (
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Who was told to leave is in the calendar, with the day on which the mailbox closes,
// and when it has closed, that of the removal; limited to others nothing closes.
func TestCalendar(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	day := s.District.Today()
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatal(errs)
	}
	if exit, out, errs := s.run(t, day, "-calendar"); exit != 0 || out != "Nothing closes.\n" {
		t.Errorf("at first: %d %s%s", exit, out, errs)
	}
	records := s.District.Records()
	e, err := escadatest.NewExport(records[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(t, e)
	for _, c := range []struct {
		day, closes int
		says        string
		lines       int // with the reminders before
	}{{1, 1 + 56, "the mailbox closes", 3}, {1 + 28, 1 + 56, "the mailbox closes", 2},
		{1 + 56, 1 + 56 + 180, "removed for ever", 1}} {
		if exit, _, errs := s.run(t, day.AddDays(c.day), "-apply"); exit != 0 {
			t.Fatal(errs)
		}
		exit, out, errs := s.run(t, day.AddDays(c.day), "-calendar")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		last := lines[len(lines)-1]
		if exit != 0 || len(lines) != c.lines || !strings.HasPrefix(last, day.AddDays(c.closes).String()+"  ") ||
			!strings.Contains(last, records[0].Key.ID) || !strings.Contains(last, c.says) ||
			strings.Count(out, "reminder, 28 days") != max(0, c.lines-2) {
			t.Errorf("day %d: %d %s\n%s", c.day, exit, errs, out)
		}
	}
	exit, out, errs := s.run(t, day.AddDays(57), "-calendar", "-person", records[1].Key.ID)
	if exit != 0 || out != "Nothing closes.\n" {
		t.Errorf("somebody else: %d %s%s", exit, out, errs)
	}
}
