package journal

import (
	"slices"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// Memory is a journal that forgets everything when the program ends. The zero
// value is ready for use.
type Memory struct {
	mu      sync.Mutex
	entries []schoolmail.JournalEntry
}

// Append adds entries.
func (m *Memory) Append(e ...schoolmail.JournalEntry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, e...)
	return nil
}

// Entries calls yield for every entry, oldest first, until it returns false.
func (m *Memory) Entries(yield func(schoolmail.JournalEntry) bool) error {
	m.mu.Lock()
	entries := slices.Clone(m.entries)
	m.mu.Unlock()
	for _, e := range entries {
		if !yield(e) {
			break
		}
	}
	return nil
}

// Len returns the number of entries.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// Faulty wraps a journal and fails at one point and ever after, as if the
// process had died there. Running a job with Fail = 1, 2, 3 ... until Failed is
// false, and each time once more without fault, tests recovery at every point.
type Faulty struct {
	schoolmail.Journal
	Fail int  // the append that fails, from 1; 0 never
	Keep bool // the failing append's entry is still written: the crash comes right after
	// Crash, if set, is called instead of returning ErrCrash, for example to panic.
	Crash func()

	mu    sync.Mutex
	count int
}

// Append passes the entries on until the fault.
func (f *Faulty) Append(e ...schoolmail.JournalEntry) error {
	f.mu.Lock()
	f.count++
	n := f.count
	f.mu.Unlock()
	if f.Fail == 0 || n < f.Fail {
		return f.Journal.Append(e...)
	}
	if n == f.Fail && f.Keep {
		if err := f.Journal.Append(e...); err != nil {
			return err
		}
	}
	if f.Crash != nil {
		f.Crash()
	}
	return ErrCrash
}

// Failed reports whether the fault has happened.
func (f *Faulty) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Fail > 0 && f.count >= f.Fail
}

// Count returns the number of appends tried so far.
func (f *Faulty) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}
