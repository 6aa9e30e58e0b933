package books

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest"
)

// Latency is what every request of a measurement takes on its way.
const Latency = 20 * time.Millisecond

// Measure lets a district of that size live through a first fill, a run with
// nothing to do, an ordinary day with 0.2 % changes, the first day of a term
// with 30 % and the move to the next school year, and prints what each
// takes, beside a full rewrite of all books. The simulator answers with
// [Latency]. The times without rate limit are measured; those with
// Open-Xchange's default limit come from the same requests, sent again on paper through
// the limiter's rule (see [replay]).
func Measure(ctx context.Context, out io.Writer, size int) error {
	_, _, err := measured(ctx, out, size, false)
	return err
}

// measured is Measure that also gives the ordinary day and the rewrite. With
// limits the simulator enforces its limit and the clients keep to it, so that all
// times are with limits, and six minutes pass between the runs: for a virtual
// clock.
func measured(ctx context.Context, out io.Writer, size int, limits bool) (day, rewrite result, err error) {
	started := time.Now()
	server, m := oxtest.HTTPOptions{Rate: -1}, &measurement{out: out, rate: appsuite.Rate{Requests: -1}}
	if limits {
		server, m = oxtest.HTTPOptions{}, &measurement{out: out, gap: 6 * time.Minute}
	}
	s, err := newModel(ctx, size, server)
	if err != nil {
		return day, rewrite, err
	}
	defer s.server.Close()
	m.model = s
	fmt.Fprintf(out, "%d people, %d schools, %d contexts; simulator set up in %v; latency %v per request\n\n",
		s.district.Len(), len(s.district.Schools()), len(s.contexts), time.Since(started).Round(time.Second), Latency)
	column := "no limit"
	if limits {
		column = "limit kept"
	}
	fmt.Fprintf(out, "%-28s %9s %9s %9s %14s %14s\n", "", "people", "entries", "requests", column, "1500/5 min")

	steps := []struct {
		name string
		next func(*escadatest.District) *escadatest.District
		opts *addressbook.Options
	}{
		{"first fill", nil, nil},
		{"nothing to do", nil, nil},
		{"ordinary day, 0.2 %", func(d *escadatest.District) *escadatest.District { return d.Day(1, 2) }, nil},
		{"first day of term, 30 %", func(d *escadatest.District) *escadatest.District { return d.Day(1, 300) }, nil},
		{"next school year", func(d *escadatest.District) *escadatest.District { return d.Next(nil) }, nil},
	}
	for _, step := range steps {
		r, err := m.sync(ctx, step.name, step.next, step.opts)
		if err != nil {
			return day, rewrite, err
		}
		if step.name == "ordinary day, 0.2 %" {
			day = r
		}
	}
	if rewrite, err = m.rewrite(ctx); err != nil {
		return day, rewrite, err
	}
	fmt.Fprintf(out, "\nordinary day: %.1f %% of the rewrite's requests, %v within the default limit\n",
		100*float64(day.requests)/float64(rewrite.requests), day.limited.Round(10*time.Millisecond))
	return day, rewrite, nil
}

type measurement struct {
	*model
	out  io.Writer
	rate appsuite.Rate
	gap  time.Duration // before each run
}

type result struct {
	people, entries, requests int
	free, limited             time.Duration
}

func (m *measurement) print(name string, r result) {
	fmt.Fprintf(m.out, "%-28s %9d %9d %9d %14v %14v\n", name, r.people, r.entries, r.requests,
		r.free.Round(10*time.Millisecond), r.limited.Round(10*time.Millisecond))
}

// sync measures one run after the district changed.
func (m *measurement) sync(ctx context.Context, name string, next func(*escadatest.District) *escadatest.District,
	opts *addressbook.Options) (result, error) {
	changed := 0
	if next != nil {
		before := m.people.accounts(m.district)
		m.district = next(m.district)
		after := m.people.accounts(m.district)
		changed = differing(before, after)
		if err := m.provision(ctx, after); err != nil {
			return result{}, err
		}
	}
	r, err := m.timed(ctx, func(a *oxAccess) (addressbook.Counts, error) { return m.run(ctx, a, opts) })
	if err != nil {
		return result{}, fmt.Errorf("%s: %w", name, err)
	}
	r.people = changed
	m.print(name, r)
	return r, nil
}

func (m *measurement) run(ctx context.Context, a *oxAccess, opts *addressbook.Options) (addressbook.Counts, error) {
	rules := m.rules()
	want, err := addressbook.Build(rules, m.people.accounts(m.district))
	if err != nil {
		return addressbook.Counts{}, err
	}
	report, err := addressbook.Sync(ctx, rules, want, a.stores, m.district.Today(), opts)
	return report.Done(), errors.Join(err, report.Err())
}

// rewrite measures what this program does not do: it removes all books and
// imports them again, with as few requests as that can be done (whole folders
// removed and made in batches, one upload per book).
func (m *measurement) rewrite(ctx context.Context) (result, error) {
	r, err := m.timed(ctx, func(a *oxAccess) (addressbook.Counts, error) {
		var mu sync.Mutex
		var errs []error
		var wg sync.WaitGroup
		for _, store := range a.stores {
			wg.Go(func() {
				err := removeAll(ctx, store)
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return addressbook.Counts{}, err
		}
		return m.run(ctx, a, &addressbook.Options{ImportFrom: 1})
	})
	if err != nil {
		return result{}, fmt.Errorf("full rewrite: %w", err)
	}
	m.print("full rewrite", r)
	return r, nil
}

func removeAll(ctx context.Context, store addressbook.Store) error {
	have, err := store.Load(ctx)
	if err != nil {
		return err
	}
	var ops []addressbook.Op
	for _, f := range have.Folders {
		if f.CreatedBy == have.Self && f.Parent == addressbook.PublicFolder { // with everything below
			ops = append(ops, addressbook.DeleteFolder{ID: f.ID})
		}
	}
	results, err := store.Write(ctx, ops)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}

// limiterMargin is how much longer than the server's the window of appsuite's
// limiter is.
const limiterMargin = 2 * time.Second

// timed runs work and says what it took.
func (m *measurement) timed(ctx context.Context, work func(*oxAccess) (addressbook.Counts, error)) (result, error) {
	r, _, err := m.recorded(ctx, work)
	return r, err
}

// recorded runs work with sessions of its own and a record of all requests.
func (m *measurement) recorded(ctx context.Context, work func(*oxAccess) (addressbook.Counts, error)) (result,
	[]request, error) {
	time.Sleep(m.gap)
	rec := &recorder{base: m.base}
	start := time.Now()
	a, err := m.login(ctx, m.rate, rec)
	if err != nil {
		return result{}, nil, err
	}
	counts, err := work(a)
	if err := errors.Join(err, a.close()); err != nil {
		return result{}, nil, err
	}
	free := time.Since(start)
	requests := rec.since(start)
	return result{
		entries: counts.Entries(), requests: len(requests), free: free,
		limited: replay(requests, free, 1500, 5*time.Minute+limiterMargin),
	}, requests, nil
}

// differing counts the people who joined, left or are not as they were.
func differing(before, after []schoolmail.Account) int {
	seen := map[schoolmail.RecordKey]string{}
	for _, a := range before {
		seen[a.Key] = fmt.Sprint(a)
	}
	n := 0
	for _, a := range after {
		if seen[a.Key] != fmt.Sprint(a) {
			n++
		}
		delete(seen, a.Key)
	}
	return n + len(seen)
}

// recorder delays requests by the latency and notes when they went out.
type recorder struct {
	base http.RoundTripper
	mu   sync.Mutex
	done []request
}

// request is one request of a lane; a lane sends one after the other.
type request struct {
	lane       string
	start, end time.Duration
	at         time.Time
}

func (r *recorder) RoundTrip(rq *http.Request) (*http.Response, error) {
	started := time.Now()
	select {
	case <-time.After(Latency):
	case <-rq.Context().Done():
		return nil, rq.Context().Err()
	}
	resp, err := r.base.RoundTrip(rq)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, request{lane: rq.URL.Query().Get("session"), at: started, end: time.Since(started)})
	return resp, err
}

func (r *recorder) since(start time.Time) []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.done)
	for i := range out {
		out[i].start = out[i].at.Sub(start)
		out[i].end += out[i].start
	}
	slices.SortFunc(out, func(a, b request) int { return int(a.start - b.start) })
	return out
}

// replay says how long a recorded run takes when no more than most requests
// may go out in any window. Each lane keeps its order, the time that its
// requests take and the pauses between them; a request goes out when its lane
// is ready and the request most places before it is a window ago, which is the rule of
// package appsuite's limiter.
func replay(requests []request, total time.Duration, most int, window time.Duration) time.Duration {
	lanes := map[string][]request{}
	for _, r := range requests {
		lanes[r.lane] = append(lanes[r.lane], r)
	}
	names := slices.Sorted(maps.Keys(lanes))
	ready := map[string]time.Duration{} // when the lane can send its next
	var last time.Duration
	for _, n := range names {
		ready[n] = lanes[n][0].start
	}
	var sent []time.Duration
	for len(sent) < len(requests) {
		lane, found := "", false
		for _, n := range names {
			if len(lanes[n]) > 0 && (!found || ready[n] < ready[lane]) {
				lane, found = n, true
			}
		}
		rq := lanes[lane][0]
		start := ready[lane]
		if k := len(sent) - most; k >= 0 {
			start = max(start, sent[k]+window)
		}
		if len(sent) > 0 {
			start = max(start, sent[len(sent)-1])
		}
		sent = append(sent, start)
		end := start + rq.end - rq.start
		last = max(last, end)
		if lanes[lane] = lanes[lane][1:]; len(lanes[lane]) > 0 {
			ready[lane] = end + lanes[lane][0].start - rq.end
		}
	}
	var lastFree time.Duration
	for _, r := range requests {
		lastFree = max(lastFree, r.end)
	}
	return last + total - lastFree
}
