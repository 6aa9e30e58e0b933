package rehearse_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/monitor"
	"github.com/ictmedia/schoolmail/site/rehearse"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// run is a real run of the sandbox's site.
func run(t *testing.T, set *site.Settings, day schoolmail.Date) *site.Act {
	t.Helper()
	s, err := site.Open(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	acts, err := s.Run(t.Context(), &site.RunOptions{Day: day, Apply: true})
	if err != nil || acts[0].Err != nil {
		t.Fatal(err, acts)
	}
	return acts[len(acts)-1]
}

// A rehearsal does on a copy what the real run does later, and writes nothing to the
// real servers: also where people are leaving, closed, on a new term's way to another
// context or have an old copy.
func TestRehearsalIsWhatThenHappens(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(80)))(t)
	set, d := sb.Settings(), sb.District
	run(t, set, d.Today())
	next := d.Next(nil)
	if err := sb.Deliver(next); err != nil {
		t.Fatal(err)
	}
	first := run(t, set, next.Today()) // leavers, transfers
	if n := first.Plan.Count(); n[schoolmail.KindTransfer] == 0 || n[schoolmail.KindNotice] == 0 {
		t.Fatalf("the district has nobody to look at: %v", n)
	}
	run(t, set, next.Today()+57) // closed
	after := next.Next(nil)
	dir := filepath.Join(t.TempDir(), "export")
	e, err := after.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	day := next.Today() + 62
	if err := set.WriteStatus(&monitor.Status{Requests: []monitor.Requests{{Server: "ox-soap", Microseconds: 90_000},
		{Server: "ldap"}}}); err != nil {
		t.Fatal(err)
	}
	written, tree := sb.Writes(), sb.LDAP.LDIF()
	r, err := rehearse.Run(t.Context(), set, &rehearse.Options{Day: day, ExportDir: dir,
		Latency: map[string]time.Duration{"smtp": 20 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(written, sb.Writes()); diff != "" || sb.LDAP.LDIF() != tree {
		t.Errorf("the real servers were written:\n%s", diff)
	}
	if err := sb.Deliver(after); err != nil {
		t.Fatal(err)
	}
	real := run(t, set, day)
	want, got := map[schoolmail.Kind]int{}, map[schoolmail.Kind]int{}
	for k, n := range real.Plan.Count() {
		if n > 0 {
			want[k] = n
		}
	}
	for _, s := range r.Steps {
		if got[s.Kind] = s.Planned; s.Done != s.Planned {
			t.Errorf("%s: %d of %d done", s.Kind, s.Done, s.Planned)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-real +rehearsed):\n%s", diff)
	}
	held := 0
	for _, h := range r.Held {
		held += h.Count
	}
	if held != len(real.Plan.Held) {
		t.Errorf("%d held, really %d", held, len(real.Plan.Held))
	}
	for _, s := range r.Servers {
		want := map[string]rehearse.Source{"smtp": rehearse.Declared, "ldap": rehearse.ByReading,
			"ox-soap": rehearse.ByLastRun, "doveadm": ""}[s.Name]
		if s.Known != want || want != "" && s.Latency <= 0 || s.Name == "ox-soap" && s.Latency != 90*time.Millisecond {
			t.Errorf("%+v", s)
		}
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), "nothing was written") ||
		!strings.Contains(b.String(), "transfer") || !strings.Contains(b.String(), "20ms") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// The old copies of transfers are on the copy, too: to delete them asks Open-Xchange in
// the rehearsal as often as it does really.
func TestRehearsalDropsOldCopies(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(80)))(t)
	set, d := sb.Settings(), sb.District
	run(t, set, d.Today())
	next := d.Next(nil)
	if err := sb.Deliver(next); err != nil {
		t.Fatal(err)
	}
	first := run(t, set, next.Today())
	day := next.Today().AddDays(set.Policy.WithDefaults().LifeCycle.TransferGraceDays)
	r, err := rehearse.Run(t.Context(), set, &rehearse.Options{Day: day})
	if err != nil {
		t.Fatal(err)
	}
	real := run(t, set, day)
	if n := real.Plan.Count()[schoolmail.KindDropCopy]; n == 0 || n != first.Plan.Count()[schoolmail.KindTransfer] {
		t.Fatalf("%d old copies go", n)
	}
	for _, s := range r.Servers {
		if n := real.Requests[s.Name]; s.Name == "ox-soap" && s.Requests != n {
			t.Errorf("%d requests, really %d", s.Requests, n)
		}
	}
}

// What a rehearsal cannot read ends it, with nothing left behind.
func TestRehearsalOfNoExport(t *testing.T) {
	t.Parallel()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(20)))(t)
	_, err := rehearse.Run(context.Background(), sb.Settings(), &rehearse.Options{Day: sb.District.Today(),
		ExportDir: filepath.Join(t.TempDir(), "none")})
	if err == nil {
		t.Error("an export that is not there is rehearsed")
	}
	if n := sb.Writes(); len(n) != 0 {
		t.Errorf("written: %v", n)
	}
}
