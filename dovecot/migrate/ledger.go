package migrate

import (
	"fmt"
	"slices"
	"sync"
)

// ledger takes down what one run does for one account. The source is read
// ahead while the target writes, so that it is locked.
type ledger struct {
	account string
	observe func(Event)

	mu     sync.Mutex
	res    *Result
	known  map[Problem]bool // those in the result: each is taken down once, however often it is met
	done   int              // for Progress
	bytes  int64
	failed map[string]int // messages of this attempt that did not arrive, by source folder
}

func newLedger(account string, res *Result, observe func(Event)) *ledger {
	return &ledger{account: account, observe: observe, res: res, known: map[Problem]bool{}, failed: map[string]int{}}
}

// attempt begins a new attempt of the same run.
func (l *ledger) attempt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.bytes = 0, 0
	clear(l.failed)
}

// find takes down what is worth knowing.
func (l *ledger) find(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text := fmt.Sprintf(format, args...); !slices.Contains(l.res.Findings, text) {
		l.res.Findings = append(l.res.Findings, text)
	}
}

// lose takes down something that did not arrive, warn something that arrived changed.
func (l *ledger) lose(f Mapping, uid uint32, kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[f.SourceRaw]++
	if l.problem(f, uid, kind, fmt.Sprintf(format, args...)) {
		l.folder(f).Failed++
	}
}

func (l *ledger) warn(f Mapping, uid uint32, kind, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem(f, uid, kind, fmt.Sprintf(format, args...))
}

func (l *ledger) problem(f Mapping, uid uint32, kind, text string) (isNew bool) {
	p := Problem{Folder: f.Source, UID: uid, Kind: kind, Text: text}
	if l.known[p] {
		return false
	}
	l.known[p] = true
	l.res.Problems = append(l.res.Problems, p)
	return true
}

// lost is how many messages of a folder did not arrive in this attempt.
func (l *ledger) lost(f Mapping) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed[f.SourceRaw]
}

// folder is the entry of a source folder, which an earlier attempt may have made.
func (l *ledger) folder(f Mapping) *FolderResult {
	for _, r := range l.res.Folders {
		if r.Source == f.Source {
			return r
		}
	}
	r := &FolderResult{Source: f.Source, Target: f.Target}
	l.res.Folders = append(l.res.Folders, r)
	return r
}

// count changes the account's and the folder's numbers.
func (l *ledger) count(f Mapping, set func(r *Result, f *FolderResult)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(l.res, l.folder(f))
}

// sort brings what several lanes have taken down into the folders' order.
func (l *ledger) sort(order []*folderRun) {
	l.mu.Lock()
	defer l.mu.Unlock()
	place := map[string]int{}
	for i, f := range order {
		place[f.Source] = i + 1
	}
	slices.SortStableFunc(l.res.Folders, func(a, b *FolderResult) int { return place[a.Source] - place[b.Source] })
	slices.SortStableFunc(l.res.Problems, func(a, b Problem) int { return place[a.Folder] - place[b.Folder] })
}

// progress tells the observer about messages that have been dealt with.
func (l *ledger) progress(f Mapping, messages int, bytes int64) {
	l.mu.Lock()
	l.done += messages
	l.bytes += bytes
	e := Progress{l.account, f.Source, l.done, l.bytes}
	l.mu.Unlock()
	l.observe(e)
}

// work is what has been done so far: an attempt that adds to it was not in vain.
func (l *ledger) work() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.res.Copied + l.res.Adopted + l.res.Flags + l.res.Deleted
}

// total changes the account's numbers alone.
func (l *ledger) total(set func(r *Result)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set(l.res)
}
