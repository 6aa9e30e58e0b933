package books

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

var size = flag.Int("people", 0, "measure a district of this size under a virtual clock")

// TestMeasureVirtually prints the table of [Measure] under a virtual clock: the
// times are those of latency and limiter alone. A district of 32,000 must keep an
// ordinary day within two minutes and 5 % of a rewrite's requests.
func TestMeasureVirtually(t *testing.T) {
	if *size == 0 {
		t.Skip("asks for -people N, for example 32000")
	}
	synctest.Test(t, func(t *testing.T) {
		day, rewrite, err := measured(t.Context(), os.Stdout, *size, false)
		if err != nil {
			t.Fatal(err)
		}
		kept, keptRewrite, err := measured(t.Context(), os.Stdout, *size, true)
		if err != nil {
			t.Fatal(err)
		}
		if *size >= 32000 && (day.entries == 0 || kept.free > 2*time.Minute || 20*day.requests >= rewrite.requests) {
			t.Errorf("ordinary day: %+v, with limits %+v, rewrite: %+v", day, kept, rewrite)
		}
		if d := keptRewrite.free - rewrite.limited; d.Abs() > 5*time.Second {
			t.Errorf("rewrite with limits: %v, on paper %v", keptRewrite.free, rewrite.limited)
		}
	})
}

// TestRequestsAtTheChangeOfTerm prints how many requests the first day of term takes
// beyond a run with nothing to do, in batches of 100 as before and as they are packed
// now: at most half as many, also with the server's limit kept.
func TestRequestsAtTheChangeOfTerm(t *testing.T) {
	t.Parallel()
	people := *size
	if people == 0 {
		people = 6000
	}
	synctest.Test(t, func(t *testing.T) {
		beyond := func(batch int) int {
			s, err := newModel(t.Context(), people, oxtest.HTTPOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.server.Close()
			s.batch = batch
			m := &measurement{model: s, out: io.Discard, gap: 6 * time.Minute}
			term := func(d *escadatest.District) *escadatest.District { return d.Day(1, 300) }
			var results []result
			for _, next := range []func(*escadatest.District) *escadatest.District{nil, nil, term, nil} {
				r, err := m.sync(t.Context(), "", next, nil)
				if err != nil {
					t.Fatal(err)
				}
				results = append(results, r)
			}
			unchanged, change, again := results[1], results[2], results[3]
			if unchanged.entries != 0 || change.entries == 0 || again.entries != 0 {
				t.Errorf("entries of an unchanged run, the change, once more: %d, %d, %d", unchanged.entries,
					change.entries, again.entries)
			}
			name := "packed as now"
			if batch != 0 {
				name = fmt.Sprintf("batches of %d", batch)
			}
			fmt.Printf("%d people, %s: first day of term %d requests for %d entries, unchanged run %d: %d beyond it, %v\n",
				people, name, change.requests, change.entries, unchanged.requests, change.requests-unchanged.requests,
				change.free.Round(100*time.Millisecond))
			return change.requests - unchanged.requests
		}
		before, now := beyond(100), beyond(0)
		if 2*now > before {
			t.Errorf("%d requests beyond an unchanged run, want at most half of %d", now, before)
		}
	})
}

// TestReplayIsTheLimiter compares times on paper with those of the real limiter
// under a virtual clock.
func TestReplayIsTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const requests, window = 10, 20 * time.Second
		fill := func(rate appsuite.Rate) (result, []request) {
			s, err := newModel(t.Context(), 600, oxtest.HTTPOptions{Rate: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.server.Close()
			m := &measurement{model: s, out: io.Discard, rate: rate}
			r, rec, err := m.recorded(t.Context(), func(a *oxAccess) (addressbook.Counts,
				error) {
				return m.run(t.Context(), a, nil)
			})
			if err != nil {
				t.Fatal(err)
			}
			return r, rec
		}
		free, rec := fill(appsuite.Rate{Requests: -1})
		real, _ := fill(appsuite.Rate{Requests: requests, Per: window})
		paper := replay(rec, free.free, requests, window+limiterMargin)
		if free.requests != real.requests || free.requests < 3*requests {
			t.Fatalf("%d and %d requests", free.requests, real.requests)
		}
		if d := real.free - paper; d.Abs() > time.Second || real.free < 2*free.free {
			t.Errorf("without limit %v, with the limiter %v, on paper %v", free.free, real.free, paper)
		}
	})
}

// An ordinary day stays within two minutes under Open-Xchange's limits, which
// the simulator enforces here.
func TestOrdinaryDayFitsTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, err := newModel(t.Context(), 1200, oxtest.HTTPOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.server.Close()
		m := &measurement{model: s, out: io.Discard}
		if _, err := m.sync(t.Context(), "fill", nil, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		day, err := m.sync(t.Context(), "day", func(d *escadatest.District) *escadatest.District { return d.Day(1, 2) }, nil)
		if err != nil {
			t.Fatal(err)
		}
		if day.people == 0 || day.entries == 0 || day.free > 2*time.Minute {
			t.Errorf("%d people, %d entries, %v", day.people, day.entries, day.free)
		}
		again, err := m.sync(t.Context(), "again", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again.entries != 0 {
			t.Errorf("the second run changed %d entries", again.entries)
		}
	})
}

func TestJobInTheSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(context.Background(), "", &Options{People: 300})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for range 2 {
		if held, err := j.Run(t.Context(), &out, true, false); err != nil || held {
			t.Fatal(held, err)
		}
	}
	err = j.Write(&out, Outputs{CSV: dir + "/csv", HTML: dir + "/books.html", Provider: dir + "/ldap"})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"done: folders +", "done: folders +0 ~0 hidden 0 -0, entries +0 ~0 -0",
		"wrote " + dir + "/books.html", "contacts-provider-ldap.yml"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
	if entries, err := os.ReadDir(dir + "/csv"); err != nil || len(entries) < 2 {
		t.Errorf("csv: %d contexts, %v", len(entries), err)
	}
}
