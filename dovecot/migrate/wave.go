package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/humansize"
	"github.com/ictmedia/schoolmail/internal/imapwire"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// Window is a time in which a wave may work. A zero end is open.
type Window struct {
	Begin time.Time `toml:"begin" json:"begin,omitzero"`
	End   time.Time `toml:"end" json:"end,omitzero"`
}

// Wave is a group of accounts that are migrated together: a pilot school, the
// teachers, the pupils.
type Wave struct {
	Name     string
	Accounts []Account
	// Windows in which to work, in order; none means now. At the end of a
	// window running accounts are interrupted; the next window goes on with them.
	Windows []Window
	// Parallel accounts, 0 means 4. The servers' connection limits apply besides.
	Parallel int
	// CutOver makes it the last run, see [Migrator.CutOver].
	CutOver bool
}

// WaveOptions of [Migrator.RunWave].
type WaveOptions struct {
	// Paused is asked every PollPause; while it reports true nothing runs:
	// accounts under way are interrupted and taken up again later.
	Paused    func() bool
	PollPause time.Duration // 0 means 2 seconds
	// NoCheck leaves the check of sizes and quota before the first copy out.
	NoCheck bool
}

// WaveStatus is the state of a wave at one moment. It is an [Event] after each account, and
// when the wave pauses, waits for a window or goes on.
type WaveStatus struct {
	Wave      string        `json:"wave"`
	State     string        `json:"state"` // "checking", "waiting", "running", "paused", "finished"
	Accounts  int           `json:"accounts"`
	Finished  int           `json:"finished"`
	Failed    int           `json:"failed"`
	Messages  int           `json:"messages"` // dealt with in this run
	Bytes     int64         `json:"bytes"`
	Remaining int           `json:"left"` // messages still to copy, by the check before
	ETA       time.Duration `json:"eta"`  // from the measured rate; 0 if unknown
}

// AccountResult is one account's outcome in a wave.
type AccountResult struct {
	Account  string  `json:"account"`
	Stage    Stage   `json:"stage"`
	Reason   string  `json:"reason,omitempty"` // why it failed or was held back
	HeldBack bool    `json:"heldBack,omitempty"`
	Check    *Check  `json:"check,omitempty"`
	Result   *Result `json:"result,omitempty"`

	err error
}

// WaveResult is the report of a wave.
type WaveResult struct {
	Wave     string          `json:"wave"`
	Begin    time.Time       `json:"begin"`
	End      time.Time       `json:"end"`
	Accounts []AccountResult `json:"accounts"` // in the wave's order
}

// Failed counts the accounts that failed, were held back, or have messages
// that did not arrive.
func (r *WaveResult) Failed() int {
	n := 0
	for _, a := range r.Accounts {
		if a.Reason != "" || a.Result != nil && (a.Result.Failed > 0 || a.Result.held()) {
			n++
		}
	}
	return n
}

func (r *Result) held() bool {
	return slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Kind == ProblemHeldBack })
}

// Check is what is known about an account before its first copy.
type Check struct {
	Account   string `json:"account"`
	Stage     Stage  `json:"stage"`
	Folders   int    `json:"folders"`
	Messages  int    `json:"messages"` // at the source
	Bytes     int64  `json:"bytes"`    // -1 if the source does not tell
	Remaining int    `json:"left"`     // messages that have not been copied, by the counts
	Room      int64  `json:"room"`     // bytes free at the target, -1 without quota
}

// Fits reports whether the target has room for what is left. Sizes of what has
// been copied before are taken as average.
func (c *Check) Fits() bool {
	if c.Room < 0 || c.Bytes <= 0 || c.Messages == 0 {
		return true
	}
	return int64(float64(c.Bytes)*float64(c.Remaining)/float64(c.Messages)) <= c.Room
}

// Check logs in to both sides and compares size and quota. It writes nothing.
func (m *Migrator) Check(ctx context.Context, a Account) (*Check, error) {
	c := &Check{Account: a.Name}
	err := m.look(ctx, a, "check", func(ctx context.Context, r *accountRun) error {
		*c = Check{Account: a.Name, Stage: r.st.acct.Stage, Room: -1}
		if c.Stage == "" {
			c.Stage = Waiting
		}
		for raw, ss := range r.src.status {
			c.add(r.folders[raw], ss)
		}
		var q imapwire.Quota
		err := r.dst.do("quota", "INBOX", func(w *imapwire.Client) (err error) {
			q, err = w.Quota(ctx, "INBOX")
			return err
		})
		if err == nil && q.Limit >= 0 {
			c.Room = max(q.Limit-q.Used, 0) << 10
		}
		if r.dst.lost() {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// add counts a source folder.
func (c *Check) add(f *folderState, ss *imapwire.Status) {
	c.Folders++
	c.Messages += int(ss.Messages)
	if ss.Size < 0 || c.Bytes < 0 {
		c.Bytes = -1
	} else {
		c.Bytes += ss.Size
	}
	if f == nil || f.SrcValidity != ss.UIDValidity {
		c.Remaining += int(ss.Messages)
	} else if ss.UIDNext > f.SrcNext {
		c.Remaining += int(min(ss.UIDNext-f.SrcNext, ss.Messages))
	}
}

// Stage returns where an account stands, and why it failed last.
func (m *Migrator) Stage(account string) (Stage, string, error) {
	st, err := openState(m.dir, account)
	if err != nil {
		return "", "", failed(account, "state", "", err)
	}
	defer st.close()
	switch {
	case st.acct.Reason != "":
		return Failed, st.acct.Reason, nil
	case st.acct.Stage == "":
		return Waiting, "", nil
	}
	return st.acct.Stage, "", nil
}

// waveRun is a wave under way.
type waveRun struct {
	m   *Migrator
	w   *Wave
	o   WaveOptions
	res *WaveResult

	stop   context.CancelCauseFunc
	mu     sync.Mutex
	st     WaveStatus
	total  int  // messages to copy in all, by the checks
	second bool // the second pass has begun
	worked time.Duration
	since  time.Time // when the present stretch of work began
}

// RunWave runs a wave to its end: checks every account, waits for the windows, copies, and never
// lets one account's failure stop another; those that failed for a passing reason get a second
// chance at the end. A server that is away is waited for. The error is that of the context, says
// that the windows are over with accounts left ([ErrHeldBack]), or why the wave was stopped, since no account
// would have fared better: logins refused one after the other, a certificate that
// nobody vouches for, a server that stays away. Accounts' own failures are in the result.
func (m *Migrator) RunWave(ctx context.Context, w *Wave, opts *WaveOptions) (*WaveResult, error) {
	r := &waveRun{m: m, w: w, res: &WaveResult{Wave: w.Name, Begin: m.opt.Now()}}
	if opts != nil {
		r.o = *opts
	}
	if r.o.PollPause <= 0 {
		r.o.PollPause = 2 * time.Second
	}
	r.st = WaveStatus{Wave: w.Name, Accounts: len(w.Accounts)}
	r.res.Accounts = make([]AccountResult, len(w.Accounts))
	var todo []int
	for i, a := range w.Accounts {
		r.res.Accounts[i] = AccountResult{Account: a.Name, Stage: Waiting}
		todo = append(todo, i)
	}
	err := r.run(ctx, todo)
	r.res.End = m.opt.Now()
	r.status("finished")
	return r.res, err
}

func (r *waveRun) run(ctx context.Context, todo []int) error {
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	if !r.o.NoCheck {
		r.status("checking")
		todo = r.parallel(ctx, todo, r.check)
	}
	windows := r.w.Windows
	if len(windows) == 0 {
		windows = []Window{{}}
	}
	for _, win := range windows {
		if len(todo) == 0 || ctx.Err() != nil {
			break
		}
		now := r.m.opt.Now()
		if !win.End.IsZero() && !win.End.After(now) {
			continue
		}
		if win.Begin.After(now) {
			r.status("waiting")
			if err := wait(ctx, win.Begin.Sub(now)); err != nil {
				return err
			}
		}
		todo = r.window(ctx, win, todo)
	}
	if ctx.Err() != nil {
		return r.stopped(context.Cause(ctx), todo)
	}
	if len(todo) > 0 {
		for _, i := range todo {
			r.res.Accounts[i].Reason = "no window left"
		}
		return fmt.Errorf("migrate: wave %q: %w: %d accounts are left when the last window ends", r.w.Name, ErrHeldBack,
			len(todo))
	}
	return nil
}

// stopped says why the wave has ended early, and for whom.
func (r *waveRun) stopped(why error, todo []int) error {
	w, ok := errors.AsType[*waveError](why)
	if !ok {
		return why
	}
	for _, i := range todo {
		if a := &r.res.Accounts[i]; a.Reason == "" {
			a.Reason = "not tried: the wave was stopped"
		}
	}
	return fmt.Errorf("migrate: wave %q was stopped, since no account would fare better: %w", r.w.Name, w.error)
}

func wait(ctx context.Context, d time.Duration) error {
	if retry.Sleep(ctx, d) != nil {
		return ctx.Err()
	}
	return nil
}

// window works until all is done or the window ends, pausing when told to,
// and returns what is left.
func (r *waveRun) window(ctx context.Context, win Window, todo []int) []int {
	if !win.End.IsZero() {
		var stop func()
		ctx, stop = context.WithDeadline(ctx, win.End)
		defer stop()
	}
	for len(todo) > 0 && ctx.Err() == nil {
		if r.o.Paused != nil && r.o.Paused() {
			r.status("paused")
			for r.o.Paused() {
				if wait(ctx, r.o.PollPause) != nil {
					return todo
				}
			}
		}
		r.mu.Lock()
		r.since = r.m.opt.Now()
		r.mu.Unlock()
		r.status("running")
		// Work stops at a pause; what was under way stays in todo.
		work, stop := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for r.o.Paused != nil && wait(work, r.o.PollPause) == nil {
				if r.o.Paused() {
					stop()
				}
			}
		}()
		todo = r.parallel(work, todo, r.account)
		if len(todo) == 0 && work.Err() == nil {
			todo = r.secondPass()
		}
		stop()
		<-watched
		r.mu.Lock()
		r.worked += r.m.opt.Now().Sub(r.since)
		r.since = time.Time{}
		r.mu.Unlock()
	}
	return todo
}

// parallel calls f for each account and returns those for which it reports
// that there is more to do, and those that were not begun, in order.
func (r *waveRun) parallel(work context.Context, todo []int, f func(ctx context.Context, i int) (more bool)) []int {
	n := r.w.Parallel
	if n <= 0 {
		n = 4
	}
	slots := make(chan struct{}, n)
	left := make([]bool, len(todo))
	var wg sync.WaitGroup
	for k, i := range todo {
		select {
		case slots <- struct{}{}:
		case <-work.Done():
		}
		if work.Err() != nil {
			left[k] = true
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			left[k] = f(work, i)
		})
	}
	wg.Wait()
	var rest []int
	for k, i := range todo {
		if left[k] {
			rest = append(rest, i)
		}
	}
	return rest
}

// secondPass gives accounts that have failed one more chance while there is time. What a
// login or a lack of room has ended does not get better within the night.
func (r *waveRun) secondPass() (todo []int) {
	if r.second {
		return nil
	}
	r.second = true
	for i := range r.res.Accounts {
		a := &r.res.Accounts[i]
		if e, ok := errors.AsType[*Error](a.err); ok && a.Stage == Failed && e.Temporary() {
			todo = append(todo, i)
			a.Reason, a.err = "", nil
			r.st.Failed--
			r.st.Finished--
		}
	}
	return todo
}

// failure takes down what has ended an account. When no other would fare
// better, the wave ends.
func (r *waveRun) failure(i int, err error) {
	a := &r.res.Accounts[i]
	r.finish(func() { a.Stage, a.Reason, a.err = Failed, err.Error(), err }, true)
	if w, ok := errors.AsType[*waveError](err); ok {
		r.stop(w)
	}
}

func (r *waveRun) check(ctx context.Context, i int) (more bool) {
	c, err := r.m.Check(ctx, r.w.Accounts[i])
	a := &r.res.Accounts[i]
	if ctx.Err() != nil {
		return true
	}
	if err != nil {
		r.failure(i, err)
		return false
	}
	a.Check, a.Stage = c, c.Stage
	if !c.Fits() {
		r.finish(func() {
			a.HeldBack = true
			a.Reason = fmt.Sprintf("held back: %s for %d messages, %s free at the target", humansize.Bytes(c.Bytes), c.Remaining,
				humansize.Bytes(c.Room))
		}, true)
		return false
	}
	r.mu.Lock()
	r.total += c.Remaining
	r.st.Remaining += c.Remaining
	r.mu.Unlock()
	return true
}

func (r *waveRun) account(ctx context.Context, i int) (more bool) {
	a := &r.res.Accounts[i]
	var res *Result
	var err error
	if r.w.CutOver {
		res, err = r.m.CutOver(ctx, r.w.Accounts[i])
	} else {
		res, err = r.m.Sync(ctx, r.w.Accounts[i])
	}
	if a.Result != nil { // an earlier window did a part of it
		res.Copied += a.Result.Copied
		res.Bytes += a.Result.Bytes
		res.Adopted += a.Result.Adopted
	}
	a.Result = res
	if ctx.Err() != nil {
		return true
	}
	if err != nil {
		r.failure(i, err)
		return false
	}
	r.finish(func() {
		a.Stage = res.Stage
		r.st.Messages += res.Copied + res.Adopted
		r.st.Bytes += res.Bytes
		if a.Check != nil {
			r.st.Remaining -= a.Check.Remaining
		}
	}, false)
	return false
}

func (r *waveRun) finish(set func(), failed bool) {
	r.mu.Lock()
	set()
	r.st.Finished++
	if failed {
		r.st.Failed++
	}
	r.mu.Unlock()
	r.status("")
}

// status tells the observer; an empty state keeps the last one.
func (r *waveRun) status(state string) {
	r.mu.Lock()
	if state != "" {
		r.st.State = state
	}
	took := r.worked
	if !r.since.IsZero() {
		took += r.m.opt.Now().Sub(r.since)
	}
	r.st.ETA = 0
	if r.st.Messages > 0 && r.st.Remaining > 0 {
		r.st.ETA = time.Duration(float64(took) / float64(r.st.Messages) * float64(r.st.Remaining)).Round(time.Second)
	}
	st := r.st
	r.mu.Unlock()
	r.m.observe(st)
}
