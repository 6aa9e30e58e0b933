package site

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ictmedia/schoolmail"
)

// Progress shows how a run goes on.
type Progress interface {
	schoolmail.Observer
	Phase(what string) // a new part of the run begins
	Done()             // the applying has ended
}

// NewProgress returns a progress bar for a terminal, and otherwise plain lines,
// one every ten seconds.
func NewProgress(w io.Writer, terminal bool) Progress {
	if terminal {
		return &bar{w: w}
	}
	return &lines{w: w, every: 10 * time.Second, last: time.Now()}
}

// Quiet shows nothing.
type Quiet struct{}

// Observe implements Progress.
func (Quiet) Observe(schoolmail.Event) {}

// Phase implements Progress.
func (Quiet) Phase(string) {}

// Done implements Progress.
func (Quiet) Done() {}

type lines struct {
	w     io.Writer
	every time.Duration

	mu     sync.Mutex
	failed int
	last   time.Time
}

func (l *lines) Phase(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.w, "%s\n", what)
	l.last, l.failed = time.Now(), 0
}

// restart begins a new part of the run without saying so.
func (l *lines) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.failed = time.Now(), 0
}

func (l *lines) Observe(e schoolmail.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Outcome.Status == schoolmail.StatusFailed {
		l.failed++
	}
	if time.Since(l.last) < l.every {
		return
	}
	l.last = time.Now()
	fmt.Fprintf(l.w, "  %d of %d steps, %d failed\n", e.Ended, e.Total, l.failed)
}

func (l *lines) Done() {}

type bar struct {
	w io.Writer

	mu   sync.Mutex
	pool *mpb.Progress
	bar  *mpb.Bar
}

func (b *bar) Phase(what string) { fmt.Fprintf(b.w, "%s\n", what) }

func (b *bar) Observe(e schoolmail.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool == nil {
		b.pool = mpb.New(mpb.WithOutput(b.w), mpb.WithWidth(50))
		b.bar = b.pool.AddBar(int64(e.Total), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.CountersNoUnit("%d of %d steps ")),
			mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
	}
	b.bar.Increment()
}

func (b *bar) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool != nil {
		b.bar.Abort(true) // no effect when complete
		b.pool.Wait()
		b.pool, b.bar = nil, nil
	}
}
