package program

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
)

// progress shows how a run goes on: on a terminal by a bar, otherwise by a line
// every ten seconds.
type progress struct {
	phases io.Writer // where the parts of the run are told
	steps  io.Writer // where steps are counted; nil: nowhere
	bars   bool
	every  time.Duration

	mu     sync.Mutex
	failed int
	last   time.Time
	pool   *mpb.Progress
	bar    *mpb.Bar
}

func newProgress(w io.Writer, terminal bool) *progress {
	return &progress{phases: w, steps: w, bars: terminal, every: 10 * time.Second, last: time.Now()}
}

// say tells that a part of the run begins.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.phases, format+"\n", args...)
	p.last, p.failed = time.Now(), 0
}

// note tells what comes in between.
func (p *progress) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.phases, line)
}

// Observe is told by the run.
func (p *progress) Observe(e site.Event) {
	switch e.Stage {
	case site.Reading:
		p.say("reading the export and the servers")
	case site.Contended:
		p.say("the district is held by %s: watching whether it is still at work, which takes up to five minutes", e.Other)
	case site.Applying:
		h := e.Act.Plan.Header
		p.say("%s of %s: applying plan %s, %d steps", e.Act.Title, h.Now, h.ID, len(e.Act.Plan.Steps))
	case site.Waiting:
		p.say("an earlier run was cut off while Open-Xchange copied users: waiting %s for the server to end it",
			e.Wait.Round(time.Second))
	case site.Delayed:
		p.note(e.Notice)
	case site.Stepped:
		p.step(e.Step)
	case site.Applied:
		p.done()
	}
}

func (p *progress) step(e schoolmail.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Outcome.Status == schoolmail.StatusFailed {
		p.failed++
	}
	switch {
	case p.steps == nil:
	case p.bars:
		if p.pool == nil {
			p.pool = mpb.New(mpb.WithOutput(p.steps), mpb.WithWidth(50))
			p.bar = p.pool.AddBar(int64(e.Total), mpb.BarRemoveOnComplete(),
				mpb.PrependDecorators(decor.CountersNoUnit("%d of %d steps ")),
				mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
		}
		p.bar.Increment()
	case time.Since(p.last) >= p.every:
		p.last = time.Now()
		fmt.Fprintf(p.steps, "  %d of %d steps, %d failed\n", e.Ended, e.Total, p.failed)
	}
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool != nil {
		p.bar.Abort(true) // no effect when complete
		p.pool.Wait()
		p.pool, p.bar = nil, nil
	}
}
