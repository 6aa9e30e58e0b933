package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

func entry(i int) schoolmail.JournalEntry {
	return schoolmail.JournalEntry{
		Time: time.Date(2026, 8, 10, 2, 0, i, 0, time.UTC), Plan: "p1", Step: fmt.Sprint("create:", i),
		Effect: "create-account",
		Phase:  schoolmail.Intent, Subject: "a.muster", From: 1, To: 2, UserID: schoolmail.UserID(i),
		Error: "line\nbreak \"ü\"",
	}
}

func open(t *testing.T, path string) *File {
	t.Helper()
	j, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	return j
}

func all(t *testing.T, j schoolmail.Journal) []schoolmail.JournalEntry {
	t.Helper()
	var list []schoolmail.JournalEntry
	if err := j.Entries(func(e schoolmail.JournalEntry) bool { list = append(list, e); return true }); err != nil {
		t.Fatal(err)
	}
	return list
}

func TestAppendAndReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	var want []schoolmail.JournalEntry
	for round := range 3 {
		j, err := Open(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, all(t, j)); diff != "" || j.Recovered() != 0 || j.Len() != len(want) {
			t.Errorf("round %d: recovered %d, %d entries\n%s", round, j.Recovered(), j.Len(), diff)
		}
		for i := range 5 {
			e := entry(10*round + i)
			if err := j.Append(e); err != nil {
				t.Fatal(err)
			}
			want = append(want, e)
		}
		if err := errors.Join(j.Close(), j.Close()); err != nil {
			t.Fatal(err)
		}
		if err := j.Append(entry(1)); !errors.Is(err, ErrClosed) {
			t.Errorf("append to a closed journal: %v", err)
		}
	}
	j := open(t, path)
	if diff := cmp.Diff(want, all(t, j)); diff != "" {
		t.Error(diff)
	}
	n := 0
	if err := j.Entries(func(schoolmail.JournalEntry) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("stopped after %d entries, %v", n, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	if _, err := Open(path, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	if err := j.Append(entry(1)); err != nil {
		t.Errorf("the refused open disturbed the first: %v", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, path); again.Len() != 1 {
		t.Errorf("%d entries", again.Len())
	}
}

// stuck is a file whose Sync waits until it may go on.
type stuck struct {
	storage
	gate    chan struct{}
	waiting chan struct{}
}

func (s *stuck) Sync() error {
	s.waiting <- struct{}{}
	<-s.gate
	return s.storage.Sync()
}

// Appends that come while a sync is under way share the next one.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	s := &stuck{storage: j.out, gate: make(chan struct{}), waiting: make(chan struct{})}
	j.out = s
	var wg sync.WaitGroup
	add := func(i int) {
		wg.Go(func() {
			if err := j.Append(entry(i)); err != nil {
				t.Error(err)
			}
		})
	}
	add(0)
	<-s.waiting
	const n = 50
	for i := range n {
		add(1 + i)
	}
	for j.Len() < n+1 { // all are in the batch that waits
		runtime.Gosched()
	}
	if got := len(all(t, j)); got != 0 {
		t.Errorf("%d entries are said to be stable before the first sync", got)
	}
	s.gate <- struct{}{}
	<-s.waiting
	s.gate <- struct{}{}
	wg.Wait()
	if j.syncs != 2 {
		t.Errorf("%d syncs for %d entries, want 2", j.syncs, n+1)
	}
	seen := map[string]bool{}
	for _, e := range all(t, j) {
		seen[e.Step] = true
	}
	if len(seen) != n+1 {
		t.Errorf("%d different entries, want %d", len(seen), n+1)
	}
}

// broken is a file that takes so many bytes and then fails.
type broken struct {
	storage
	room    int
	syncErr error
}

var errDisk = errors.New("disk full")

func (b *broken) Write(p []byte) (int, error) {
	if len(p) > b.room {
		n, _ := b.storage.Write(p[:b.room])
		b.room = 0
		return n, errDisk
	}
	b.room -= len(p)
	return b.storage.Write(p)
}

func (b *broken) Sync() error { return b.syncErr }

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*broken{"write": {room: 60}, "sync": {room: 1 << 20, syncErr: errDisk}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			j := open(t, path)
			if err := j.Append(entry(1)); err != nil {
				t.Fatal(err)
			}
			fault.storage = j.out
			j.out = fault
			if err := j.Append(entry(2)); !errors.Is(err, errDisk) {
				t.Errorf("append: %v", err)
			}
			j.out = fault.storage // the disk has room again: too late
			if err := j.Append(entry(3)); !errors.Is(err, errDisk) {
				t.Errorf("append after a failure: %v", err)
			}
			if got := all(t, j); len(got) != 1 {
				t.Errorf("%d entries are said to be stable, want 1", len(got))
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			again := open(t, path)
			if got := all(t, again); len(got) < 1 || len(got) > 2 || !cmp.Equal(got[0], entry(1)) {
				t.Errorf("after reopening: %v", got)
			}
		})
	}
}

func TestManyWriters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j := open(t, path)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				if err := j.Append(entry(100*w + i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	last := map[int]int{}
	for _, e := range all(t, open(t, path)) {
		w, i := int(e.UserID)/100, int(e.UserID)%100
		if i != last[w] {
			t.Errorf("writer %d: entry %d after %d", w, i, last[w]-1)
		}
		last[w] = i + 1
	}
	for w := range 8 {
		if last[w] != 25 {
			t.Errorf("writer %d has %d entries", w, last[w])
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(t.TempDir(), "no", "journal"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("a directory was opened")
	}
	j := open(t, filepath.Join(t.TempDir(), "journal"))
	if err := j.Append(schoolmail.JournalEntry{Error: strings.Repeat("x", maxEntry)}); err == nil {
		t.Error("an endless entry was taken")
	}
	if err := j.Append(entry(1)); err != nil || j.Len() != 1 {
		t.Errorf("after an endless entry: %v", err)
	}
}

func TestMemoryAndFaulty(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		m := &Memory{}
		f := &Faulty{Journal: m, Fail: 2, Keep: keep}
		first, second, third := f.Append(entry(1)), f.Append(entry(2)), f.Append(entry(3))
		if first != nil || !errors.Is(second, ErrCrash) || !errors.Is(third, ErrCrash) || !f.Failed() || f.Count() != 3 {
			t.Errorf("%v, %v, %v", first, second, third)
		}
		want := []schoolmail.JournalEntry{entry(1)}
		if keep {
			want = append(want, entry(2))
		}
		if diff := cmp.Diff(want, all(t, f)); diff != "" || m.Len() != len(want) {
			t.Errorf("keep %v:\n%s", keep, diff)
		}
	}
	f := &Faulty{Journal: &Memory{}}
	if err := f.Append(entry(1)); err != nil || f.Failed() {
		t.Errorf("no fault: %v", err)
	}
	crashed := false
	f = &Faulty{Journal: &Memory{}, Fail: 1, Crash: func() { crashed = true }}
	if err := f.Append(entry(1)); !errors.Is(err, ErrCrash) || !crashed {
		t.Errorf("Crash was not called: %v", err)
	}
	n := 0
	m := &Memory{}
	_ = m.Append(entry(1))
	_ = m.Append(entry(2))
	if err := m.Entries(func(schoolmail.JournalEntry) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("stopped after %d entries", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	j, err := Open(filepath.Join(b.TempDir(), "journal"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Append(entry(1)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(j.Len())/float64(j.syncs), "entries/sync")
}

// Every phase that there is can be written and is read as it was. The phases are those
// of the constants: one that was added in the root only kept runs from going on after a
// crash.
func TestEveryPhase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j")
	j := open(t, path)
	var want []schoolmail.JournalEntry
	for _, p := range schoolmail.JournalPhases() {
		e := schoolmail.JournalEntry{Time: entry(0).Time, Plan: "p1", Effect: "copy-user", Phase: p, Subject: "a.muster",
			To: 2}
		if err := j.Append(e); err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		want = append(want, e)
	}
	if len(want) != len(phases) || len(want) < 4 {
		t.Errorf("%d phases are written, %d are known", len(want), len(phases))
	}
	if d := cmp.Diff(want, all(t, OpenReader(path, nil))); d != "" {
		t.Error(d)
	}
}
