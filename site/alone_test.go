package site_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs"
)

// meanwhile is an export that, each time it is read, lets something else happen.
type meanwhile struct {
	escada.Dir
	reads int
	then  func(read int)
}

func (m *meanwhile) Read(ctx context.Context, day schoolmail.Date) (schoolmail.Delivery, error) {
	m.reads++
	if m.then != nil {
		m.then(m.reads)
	}
	return m.Dir.Read(ctx, day)
}

// aloneDistrict is a made-up one whose people have everything, its lease, and a way to run
// the main job in a state folder of its own.
type aloneDistrict struct {
	*sitetest.Sandbox
	notes   *ucs.Client
	renamed int // accounts so far
}

func newAloneDistrict(t *testing.T) *aloneDistrict {
	t.Helper()
	sb := testlife.Of(sitetest.Start(sitetest.WithPeople(40)))(t)
	notes, err := ucs.New(sb.LDAP.URL, &ucs.Options{BindDN: sb.LDAP.BindDN, Password: sb.LDAP.Password,
		BaseDN: sb.LDAP.BaseDN, Plaintext: true, Source: sb.Policy.Source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = notes.Close() })
	d := &aloneDistrict{Sandbox: sb, notes: notes}
	if _, acts, err := d.run(t, nil, nil); err != nil || acts[0].Plan.Empty() {
		t.Fatal(err)
	}
	return d
}

// run is a night; it returns how often the export was read.
func (d *aloneDistrict) run(t *testing.T, then func(read int), opts *site.RunOptions) (int, []*site.Act, error) {
	t.Helper()
	set := d.Settings()
	if opts == nil {
		opts = &site.RunOptions{}
	}
	opts.Day, opts.Apply = d.District.Today(), opts.Approved == nil
	r := &meanwhile{Dir: escada.Dir{Path: set.ExportDir, Options: &escada.Options{}}, then: then}
	open, err := site.Open(set, &site.Parts{Reader: r})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	acts, err := open.Run(t.Context(), opts)
	for _, a := range acts {
		if err == nil {
			err = a.Err
		}
	}
	return r.reads, acts, err
}

// change gives somebody another display name by hand, which the next run mends.
func (d *aloneDistrict) change(t *testing.T) {
	t.Helper()
	w, err := d.notes.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := w.Accounts[d.renamed]
	d.renamed++
	after := before
	after.DisplayName += " (by hand)"
	if err := d.notes.ChangeAccount(t.Context(), before, after); err != nil {
		t.Fatal(err)
	}
}

func (d *aloneDistrict) taken(t *testing.T) *lease.Lease {
	t.Helper()
	l, err := lease.Acquire(t.Context(), d.notes, "other", &lease.Options{Renew: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A night without changes asks no server to change anything, not even the lease. A
// night with a single change does.
func TestNightWithoutChangesWritesNothing(t *testing.T) {
	t.Parallel()
	d := newAloneDistrict(t)
	before := d.Writes()
	for range 2 {
		reads, acts, err := d.run(t, nil, nil)
		if err != nil || reads != 1 || !acts[0].Idle() || acts[0].Result == nil {
			t.Fatalf("%d reads: %v", reads, err)
		}
	}
	if diff := cmp.Diff(before, d.Writes()); diff != "" {
		t.Errorf("a night without changes has written (-before +after):\n%s", diff)
	}
	d.change(t)
	between := d.Writes()
	if _, acts, err := d.run(t, nil, nil); err != nil || len(acts[0].Plan.Steps) != 1 {
		t.Fatal(err)
	}
	if cmp.Equal(between, d.Writes()) {
		t.Error("a night with a change has written nothing")
	}
}

// What was planned before the lease was taken is carried out only if nobody has held
// it since; otherwise all is looked at anew.
func TestPlannedBeforeTheLease(t *testing.T) {
	t.Parallel()
	d := newAloneDistrict(t)
	d.change(t)
	if reads, acts, err := d.run(t, nil, nil); err != nil || reads != 1 || len(acts[0].Plan.Steps) != 1 {
		t.Errorf("nobody in between: read %d times, %v", reads, err)
	}
	d.change(t)
	reads, acts, err := d.run(t, func(read int) {
		if read == 1 { // before the servers are read, that is beside the look
			l := d.taken(t)
			d.change(t)
			_ = l.Release()
		}
	}, nil)
	if err != nil || reads != 2 || len(acts) != 1 || len(acts[0].Plan.Steps) != 2 {
		t.Errorf("another run in between: read %d times, %d acts, %v", reads, len(acts), err)
	}
	// The first run of a district cannot know whether a lease that nobody has left a
	// trace in was held in between.
	text, err := d.notes.Note(t.Context(), lease.Name)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := d.notes.SwapNote(t.Context(), lease.Name, text, ""); err != nil || !ok {
		t.Fatal(ok, err)
	}
	d.change(t)
	if reads, _, err := d.run(t, nil, nil); err != nil || reads != 2 {
		t.Errorf("no trace: read %d times, %v", reads, err)
	}
}

// A run beside another one does nothing and says so, whether it finds the other when
// it starts or the other begins while it looks, even if it sees nothing to do.
func TestBesideAnotherRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		begins int // the other: 0 before this run, 1 while it looks
		change bool
		reads  int
	}{
		{"before, nothing to do", 0, false, 0}, {"meanwhile, nothing to do", 1, false, 1},
		{"before, a change", 0, true, 0}, {"meanwhile, a change", 1, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newAloneDistrict(t)
			if c.change {
				d.change(t)
			}
			var other *lease.Lease
			if c.begins == 0 {
				other = d.taken(t)
			}
			reads, acts, err := d.run(t, func(read int) {
				if read == c.begins {
					other = d.taken(t)
				}
			}, nil)
			if held, ok := errors.AsType[*lease.HeldError](err); !ok || held.Holder.Program != "other" || len(acts) > 0 ||
				reads != c.reads {
				t.Errorf("read %d times, %d acts, %v", reads, len(acts), err)
			}
			if other.Context().Err() != nil {
				t.Error("the other has lost the lease")
			}
			if err := other.Release(); err != nil {
				t.Error(err)
			}
			if _, acts, err := d.run(t, nil, nil); err != nil || acts[0].Plan.Empty() == c.change {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// Of an approved plan that no longer fits, and of an export that is of no use, a run
// learns without a trace in the directory.
func TestRefusedWithoutTheLease(t *testing.T) {
	t.Parallel()
	d := newAloneDistrict(t)
	_, acts, err := d.run(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.change(t)
	before := d.Writes()
	if _, _, err := d.run(t, nil, &site.RunOptions{Approved: acts[0].Plan}); err == nil ||
		!strings.Contains(err.Error(), "no longer fits") {
		t.Errorf("a stale plan: %v", err)
	}
	if diff := cmp.Diff(before, d.Writes()); diff != "" {
		t.Error(diff)
	}
}
