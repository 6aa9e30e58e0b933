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
	// Queue hands out the accounts, nil means the wave's own, in order. With one that several
	// machines share, the result has those accounts that this machine has worked at, and each
	// is checked before it is copied instead of all at the beginning.
	Queue Queue
	// Finish is called with each account that has been copied, while nobody else may work at it. Its
	// error is the account's.
	Finish func(ctx context.Context, a Account, res *AccountResult) error
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
	// Certificate is there when the account was verified before it was given out of hand.
	Certificate *Certificate `json:"certificate,omitempty"`

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

// TakenOver says of the state in a directory, which may be missing, that somebody else was working at
// the account and was ended in the middle: the next run waits until the target has stored, or dropped,
// what it was sent, and looks for it there. What that machine had noted about flags is lost: those of messages
// that have changed at the source since are compared with the target's own.
func TakenOver(dir, account string) error {
	st, err := openState(dir, account)
	if err != nil {
		return failed(account, "state", "", err)
	}
	st.acct.Dirty, st.acct.NotesLost = true, true
	return failed(account, "state", "", errors.Join(st.save(nil), st.close()))
}

// waveRun is a wave under way.
type waveRun struct {
	m     *Migrator
	w     *Wave
	o     WaveOptions
	res   *WaveResult
	queue Queue
	place map[string]int // of an account in the wave

	stop   context.CancelCauseFunc
	mu     sync.Mutex
	st     WaveStatus
	ended  map[int]bool // accounts that have an outcome
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
	r := &waveRun{m: m, w: w, res: &WaveResult{Wave: w.Name, Begin: m.opt.Now()}, place: map[string]int{},
		ended: map[int]bool{}}
	if opts != nil {
		r.o = *opts
	}
	if r.o.PollPause <= 0 {
		r.o.PollPause = 2 * time.Second
	}
	r.st = WaveStatus{Wave: w.Name, Accounts: len(w.Accounts)}
	r.res.Accounts = make([]AccountResult, len(w.Accounts))
	for i, a := range w.Accounts {
		r.res.Accounts[i] = AccountResult{Account: a.Name, Stage: Waiting}
		r.place[a.Name] = i
	}
	err := r.run(ctx)
	if r.o.Queue != nil { // of the others, other machines tell
		r.res.Accounts = slices.DeleteFunc(r.res.Accounts, func(a AccountResult) bool { return !r.ended[r.place[a.Account]] })
	}
	r.res.End = m.opt.Now()
	r.status("finished")
	return r.res, err
}

func (r *waveRun) run(ctx context.Context) error {
	ctx, r.stop = context.WithCancelCause(ctx)
	defer r.stop(nil)
	if r.queue = r.o.Queue; r.queue == nil {
		r.queue = r.checked(ctx)
	}
	windows := r.w.Windows
	if len(windows) == 0 {
		windows = []Window{{}}
	}
	done := false
	for _, win := range windows {
		if done || ctx.Err() != nil {
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
		done = r.window(ctx, win)
	}
	if ctx.Err() != nil {
		return r.stopped(context.Cause(ctx))
	}
	if left := r.left(); !done && (len(left) > 0 || r.o.Queue != nil) {
		for _, i := range left {
			r.res.Accounts[i].Reason = "no window left"
		}
		return fmt.Errorf("migrate: wave %q: %w: %d accounts are left when the last window ends", r.w.Name, ErrHeldBack,
			len(left))
	}
	return nil
}

// checked is the wave's own queue, of the accounts that can be worked at. All are checked before.
func (r *waveRun) checked(ctx context.Context) *localQueue {
	all := make([]string, len(r.w.Accounts))
	for i, a := range r.w.Accounts {
		all[i] = a.Name
	}
	if r.o.NoCheck {
		return newLocalQueue(all)
	}
	r.status("checking")
	r.parallel(ctx, newLocalQueue(all), func(ctx context.Context, l Lease, i int) error {
		r.check(ctx, i)
		return l.Done(ctx, AccountResult{}, false)
	})
	q := newLocalQueue(nil)
	for i, name := range all {
		if !r.ended[i] {
			q.todo = append(q.todo, name)
		} else if r.res.Accounts[i].passing() {
			q.again = append(q.again, name)
		}
	}
	return q
}

// passing reports whether an account has failed for a reason that may be gone later in the night.
// What a login or a lack of room has ended does not get better.
func (a *AccountResult) passing() bool {
	e, ok := errors.AsType[*Error](a.err)
	return ok && a.Stage == Failed && e.Temporary()
}

// left are the accounts without an outcome.
func (r *waveRun) left() (out []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.res.Accounts {
		if !r.ended[i] {
			out = append(out, i)
		}
	}
	return out
}

// stopped says why the wave has ended early, and for whom.
func (r *waveRun) stopped(why error) error {
	w, ok := errors.AsType[*waveError](why)
	if !ok {
		return why
	}
	for _, i := range r.left() {
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

// window works until all is done, which it reports, or the window ends, pausing when told to.
func (r *waveRun) window(ctx context.Context, win Window) (done bool) {
	if !win.End.IsZero() {
		var stop func()
		ctx, stop = context.WithDeadline(ctx, win.End)
		defer stop()
	}
	for !done && ctx.Err() == nil {
		if r.o.Paused != nil && r.o.Paused() {
			r.status("paused")
			for r.o.Paused() {
				if wait(ctx, r.o.PollPause) != nil {
					return false
				}
			}
		}
		r.mu.Lock()
		r.since = r.m.opt.Now()
		r.mu.Unlock()
		r.status("running")
		// Work stops at a pause; what was under way goes back into the queue.
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
		done = r.parallel(work, r.queue, r.lease)
		stop()
		<-watched
		r.mu.Lock()
		r.worked += r.m.opt.Now().Sub(r.since)
		r.since = time.Time{}
		r.mu.Unlock()
	}
	return done
}

// parallel calls f for each account that the queue gives, until there is none left, which it reports.
func (r *waveRun) parallel(work context.Context, q Queue, f func(ctx context.Context, l Lease, i int) error) bool {
	n := r.w.Parallel
	if n <= 0 {
		n = 4
	}
	slots := make(chan struct{}, n)
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case slots <- struct{}{}:
		case <-work.Done():
			return false
		}
		l, err := q.Next(work)
		if errors.Is(err, ErrNoneLeft) {
			return true
		}
		if err != nil {
			if work.Err() == nil {
				r.stop(&waveError{err})
			}
			return false
		}
		wg.Go(func() {
			defer func() { <-slots }()
			i, ok := r.place[l.Account()]
			var err error
			if ok {
				err = f(work, l, i)
			} else {
				err = fmt.Errorf("migrate: the queue gives an account that is not in the wave of this machine")
			}
			if err != nil && work.Err() == nil {
				r.stop(&waveError{err})
			}
		})
	}
}

// lease works at one account and says in the queue what has become of it.
func (r *waveRun) lease(work context.Context, l Lease, i int) error {
	ctx, cancel := l.Context(work)
	defer cancel()
	end, stop := context.WithTimeout(context.WithoutCancel(work), time.Minute)
	defer stop()
	r.anew(i)
	more := r.o.Queue != nil && !r.o.NoCheck && !r.check(ctx, i)
	a := &r.res.Accounts[i]
	if more && a.err == nil && ctx.Err() == nil { // held back
		return l.Done(end, *a, false)
	}
	if !more {
		more = r.account(ctx, l, i)
	}
	if !more && a.err == nil && r.o.Finish != nil {
		if err := r.o.Finish(ctx, r.w.Accounts[i], a); err != nil && ctx.Err() == nil {
			r.anew(i)
			r.failure(i, err)
		}
	}
	_, wave := errors.AsType[*waveError](a.err)
	if ctx.Err() != nil || wave {
		return l.Return(end)
	}
	return l.Done(end, *a, a.passing())
}

// anew forgets the outcome of an account that gets its second chance, or has another one after all.
func (r *waveRun) anew(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended[i] {
		a := &r.res.Accounts[i]
		if r.st.Finished--; a.Reason != "" {
			r.st.Failed--
		}
		r.ended[i], a.Reason, a.err, a.HeldBack = false, "", nil, false
	}
}

// failure takes down what has ended an account. When no other would fare
// better, the wave ends.
func (r *waveRun) failure(i int, err error) {
	a := &r.res.Accounts[i]
	r.finish(i, func() { a.Stage, a.Reason, a.err = Failed, err.Error(), err }, true)
	if w, ok := errors.AsType[*waveError](err); ok {
		r.stop(w)
	}
}

// check reports whether an account can be copied.
func (r *waveRun) check(ctx context.Context, i int) bool {
	c, err := r.m.Check(ctx, r.w.Accounts[i])
	a := &r.res.Accounts[i]
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		r.failure(i, err)
		return false
	}
	a.Check, a.Stage = c, c.Stage
	if !c.Fits() {
		r.finish(i, func() {
			a.HeldBack = true
			a.Reason = fmt.Sprintf("held back: %s for %d messages, %s free at the target", humansize.Bytes(c.Bytes), c.Remaining,
				humansize.Bytes(c.Room))
		}, true)
		return false
	}
	r.mu.Lock()
	r.st.Remaining += c.Remaining
	r.mu.Unlock()
	return true
}

func (r *waveRun) account(ctx context.Context, l Lease, i int) (more bool) {
	a := &r.res.Accounts[i]
	how := runHow{cutOver: r.w.CutOver}
	if c, ok := l.(Checkpointer); ok {
		how.checkpoint = c.Checkpoint
	}
	res, err := r.m.run(ctx, r.w.Accounts[i], how)
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
	r.finish(i, func() {
		a.Stage = res.Stage
		r.st.Messages += res.Copied + res.Adopted
		r.st.Bytes += res.Bytes
		if a.Check != nil {
			r.st.Remaining -= a.Check.Remaining
		}
	}, false)
	return false
}

func (r *waveRun) finish(i int, set func(), failed bool) {
	r.mu.Lock()
	set()
	r.ended[i] = true
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
