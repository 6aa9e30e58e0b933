package program

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
)

// Without a terminal progress is a line every ten seconds, and failures are
// counted anew in each part of a run.
func TestProgressLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		story := newProgress(&b, false)
		event := func(n int, s schoolmail.Status) {
			story.Observe(site.Event{Stage: site.Stepped, Step: schoolmail.Event{Outcome: schoolmail.Outcome{Status: s},
				Ended: n, Total: 50}})
		}
		for act := range 2 {
			story.say("act")
			for n := 1; n <= 25; n++ {
				time.Sleep(time.Second)
				status := schoolmail.StatusDone
				if act == 0 && n%5 == 0 {
					status = schoolmail.StatusFailed
				}
				event(n, status)
			}
			story.Observe(site.Event{Stage: site.Applied})
			time.Sleep(time.Hour)
		}
		want := "act\n  10 of 50 steps, 2 failed\n  20 of 50 steps, 4 failed\nact\n  10 of 50 steps, 0 failed\n" +
			"  20 of 50 steps, 0 failed\n"
		if b.String() != want {
			t.Errorf("got\n%swant\n%s", b.String(), want)
		}
	})
}
