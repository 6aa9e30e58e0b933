package follow

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/ucs"
)

// follower follows the changes of one district.
type follower struct {
	options
	conf   *district.Config
	set    *site.Settings
	client *ucs.Client
	// known is how accounts are after the last run: what it has written itself comes
	// back as a change.
	known map[string]schoolmail.Account

	mu  sync.Mutex // guards out
	out io.Writer
}

// open reads the district file, as each program would that does a part of the work.
func open(o options, out io.Writer) (_ *follower, warnings []string, err error) {
	f := &follower{options: o, out: out, known: map[string]schoolmail.Account{}}
	if f.conf, err = district.Load(o.config, &district.Options{Program: district.Watch}); err != nil {
		return nil, nil, &cli.UsageError{Err: err}
	}
	if !f.conf.Watch.NoBooks {
		if _, err := district.Load(o.config, &district.Options{Program: district.Addressbooks}); err != nil {
			return nil, nil, &cli.UsageError{Err: fmt.Errorf("address books (no_books = true in [watch] leaves them out): %w",
				err)}
		}
	}
	if f.set, err = site.FromDistrict(f.conf); err != nil {
		return nil, nil, &cli.UsageError{Err: err}
	}
	f.set.PlanOnly = !o.apply
	if f.client, err = ucs.New(f.set.DirectoryURL, &f.set.Directory); err != nil {
		return nil, nil, &cli.UsageError{Err: err}
	}
	return f, f.conf.Warnings, nil
}

func (f *follower) close() { _ = f.client.Close() } // nothing is under way

func (f *follower) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fmt.Fprintf(f.out, "%s %s\n", clock(), fmt.Sprintf(format, args...))
}

// file keeps how far everything is done.
func (f *follower) file() string { return filepath.Join(f.set.StateDir, "watch.json") }

func (f *follower) day() schoolmail.Date {
	if !f.now.IsZero() {
		return f.now
	}
	return schoolmail.DateOf(time.Now())
}

// pauses between two tries at what could not be done.
const (
	firstPause = 5 * time.Second
	lastPause  = 10 * time.Minute
)

// follow acts on changes until the context ends.
func (f *follower) follow(ctx context.Context) error {
	b, err := load(f.file())
	if err != nil {
		f.say("%v", err)
	}
	from := "the directory is polled"
	if n := f.conf.Watch.Notifier; n != "" {
		from = "the notifier at " + n + " is followed"
	}
	f.say("%s; %s", from, map[bool]string{true: "what is missing is done", false: "nothing is written"}[f.apply])
	changes := make(chan ucs.Change)
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(ctx, b.position, changes) })
	defer watching.Wait()

	settle := time.Duration(cmp.Or(f.conf.Watch.SettleSeconds, 2)) * time.Second
	quiet := time.NewTimer(settle)
	if b.empty() {
		quiet.Stop()
	}
	var first time.Time // of the changes that wait
	pause := firstPause
	for {
		select {
		case <-ctx.Done():
			f.say("ended; what is not done yet is done after the next start")
			return nil
		case ch := <-changes:
			if first.IsZero() {
				first = time.Now()
			}
			b.add(ch)
			if time.Since(first) < 10*settle { // who never rests is not waited for
				quiet.Reset(settle)
			}
		case <-quiet.C:
			first = time.Time{}
			left, _ := f.work(ctx, b)
			left.position = b.position
			if f.apply && ctx.Err() == nil {
				if err := left.save(f.file()); err != nil {
					return err
				}
			}
			b = left
			if b.empty() {
				pause = firstPause
				break
			}
			quiet.Reset(pause)
			pause = min(2*pause, lastPause)
		}
	}
}

// watch hands over the changes, and goes on when the servers are back.
func (f *follower) watch(ctx context.Context, after ucs.Position, changes chan<- ucs.Change) {
	pause := time.Second
	for ctx.Err() == nil {
		opts := &ucs.WatchOptions{Notifier: f.conf.Watch.Notifier, After: after,
			Interval: time.Duration(f.conf.Watch.IntervalSeconds) * time.Second}
		for ch, err := range f.client.Watch(ctx, opts) {
			if err != nil {
				if ctx.Err() == nil {
					f.say("no changes are seen, again in %s: %v", pause, err)
				}
				break
			}
			pause = time.Second
			select {
			case changes <- ch:
				after = ch.Position
			case <-ctx.Done():
			}
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, time.Minute)
		case <-ctx.Done():
		}
	}
}
