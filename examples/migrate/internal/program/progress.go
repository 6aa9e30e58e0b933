package program

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/humansize"
)

// progress shows a bar for each account under way on a terminal, and lines
// otherwise.
type progress struct {
	w    io.Writer
	bars bool

	mu    sync.Mutex
	pool  *mpb.Progress
	total *mpb.Bar // the wave's; it ends last, see done
	bar   map[string]*mpb.Bar
	last  map[string]time.Time
	known migrate.WaveStatus
}

func newProgress(w io.Writer, bars bool) *progress {
	return &progress{w: w, bars: bars, bar: map[string]*mpb.Bar{}, last: map[string]time.Time{}}
}

// Observe shows one account's events, and the wave's.
func (p *progress) Observe(e migrate.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := e.(type) {
	case migrate.Started:
		p.start(e)
	case migrate.Progress:
		if b := p.bar[e.Account]; b != nil {
			b.SetCurrent(int64(e.Messages))
		} else if !p.bars && time.Since(p.last[e.Account]) > 10*time.Second {
			p.last[e.Account] = time.Now()
			p.line("%s: %d messages, %s, in %q", e.Account, e.Messages, humansize.Bytes(e.Bytes), e.Folder)
		}
	case migrate.Paused:
		if key := "\x00" + e.Side; time.Until(p.last[key]) <= 0 { // all accounts meet it
			p.last[key] = e.Until
			p.line("%s: everybody waits until %s: %v", e.Side, e.Until.Format(time.TimeOnly), e.Err)
		}
	case migrate.Retrying:
		if e.Wait == 0 {
			return // a pause, which is told
		}
		p.line("%s: connection lost, again in %s: %v", e.Account, e.Wait.Round(100*time.Millisecond), e.Err)
	case migrate.Finished:
		p.finish(e)
	case migrate.WaveStatus:
		p.wave(e)
	}
}

func (p *progress) start(e migrate.Started) {
	p.last[e.Account] = time.Now()
	if !p.bars || e.Messages == 0 || p.bar[e.Account] != nil {
		return
	}
	if p.pool == nil {
		p.pool = mpb.New(mpb.WithOutput(p.w), mpb.WithWidth(40), mpb.WithAutoRefresh())
		// Room for one more than there are keeps the bar until done ends it.
		p.total = p.pool.AddBar(int64(p.known.Accounts)+1, mpb.BarRemoveOnComplete(), mpb.BarPriority(1<<30),
			mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string {
				return fmt.Sprintf("accounts %d of %d ", s.Current, s.Total-1)
			})))
		p.total.SetCurrent(int64(p.known.Finished))
	}
	p.bar[e.Account] = p.pool.AddBar(int64(e.Messages), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(e.Account, decor.WCSyncSpaceR), decor.CountersNoUnit("%d of %d ")),
		mpb.AppendDecorators(decor.Percentage(), decor.Name("  "), decor.AverageETA(decor.ET_STYLE_GO)))
}

func (p *progress) finish(e migrate.Finished) {
	defer func() { // after the line, which is drawn above the bars
		if b := p.bar[e.Account]; b != nil {
			b.Abort(true)
			delete(p.bar, e.Account)
		}
	}()
	r := e.Result
	if e.Err != nil {
		p.line("%s: %v", e.Account, e.Err)
		return
	}
	if len(r.Folders) == 0 {
		p.line("%s: nothing to do in %d folders, %.2f s", e.Account, r.Checked, r.Duration.Seconds())
		return
	}
	rate := ""
	if s := r.Duration.Seconds(); s > 0 && r.Copied > 0 {
		rate = fmt.Sprintf(" (%.0f/s, %s/s)", float64(r.Copied)/s, humansize.Bytes(int64(float64(r.Bytes)/s)))
	}
	p.line("%s: %d copied%s, %d recognised, %d flags, %d deleted, %d failed; %s, %.2f s",
		e.Account, r.Copied, rate, r.Adopted, r.Flags, r.Deleted, r.Failed, humansize.Bytes(r.Bytes), r.Duration.Seconds())
}

// wave shows changes of a wave's state, and in lines the ETA.
func (p *progress) wave(s migrate.WaveStatus) {
	eta := ""
	if s.ETA > 0 {
		eta = fmt.Sprintf(", about %s left", s.ETA)
	}
	changed := s.State != p.known.State
	p.known = s
	if p.total != nil {
		p.total.SetCurrent(int64(s.Finished))
	}
	if changed {
		p.line("%s: %s: %d of %d accounts finished, %d failed%s", s.Wave, s.State, s.Finished, s.Accounts, s.Failed, eta)
	} else if eta != "" && time.Since(p.last["\x00wave"]) > 30*time.Second {
		p.last["\x00wave"] = time.Now()
		p.line("%s: %d of %d accounts finished, %d failed%s", s.Wave, s.Finished, s.Accounts, s.Failed, eta)
	}
}

func (p *progress) line(format string, args ...any) {
	if p.pool != nil {
		fmt.Fprintf(p.pool, format+"\n", args...)
		return
	}
	fmt.Fprintf(p.w, format+"\n", args...)
}

// done ends the bars; afterwards there are lines only. The pool draws a line
// only when it next draws a bar, so the wave's bar completes last: that draws
// what was said since, which would be lost if no bar were left.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pool != nil {
		for _, b := range p.bar {
			b.Abort(true)
		}
		p.total.SetTotal(-1, true)
		p.pool.Wait()
		p.pool, p.total, p.bars = nil, nil, false
		clear(p.bar)
	}
}
