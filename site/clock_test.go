package site

import (
	"strings"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
)

// A clock that was set back, or a journal from the future, stops a run before it
// writes; the same day and later ones do not.
func TestClockBehindTheJournal(t *testing.T) {
	t.Parallel()
	seen := time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	for _, test := range []struct {
		day     schoolmail.Date
		sandbox bool
		fits    bool
	}{
		{schoolmail.NewDate(2026, 11, 27), false, false},
		{schoolmail.NewDate(2026, 11, 27), true, true},
		{schoolmail.NewDate(2026, 11, 28), false, true},
		{schoolmail.NewDate(2026, 11, 29), false, true},
	} {
		history, err := schoolmail.ReadHistory(memJournal{{Time: seen, Effect: "plan", Phase: schoolmail.Done}})
		if err != nil {
			t.Fatal(err)
		}
		s := &Site{sandbox: test.sandbox}
		err = s.clockFits(&World{Day: test.day, history: history})
		if (err == nil) != test.fits || err != nil && !strings.Contains(err.Error(), "is the clock of this machine right") {
			t.Errorf("%s, sandbox %v: %v", test.day, test.sandbox, err)
		}
	}
	empty, err := schoolmail.ReadHistory(memJournal{})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Site{}).clockFits(&World{Day: schoolmail.NewDate(2026, 1, 1), history: empty}); err != nil {
		t.Errorf("a new journal: %v", err)
	}
}
