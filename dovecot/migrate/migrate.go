package migrate

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Options of a [Migrator]. The zero value works.
type Options struct {
	Folders FolderRules

	// Limits leave old and large messages behind.
	Limits Limits
	// Flags renames flags and keywords of the source; one that becomes "" is left out.
	Flags map[string]string
	// Quota brings the source's storage limit to the target, where that lets us set it.
	Quota bool

	// KeepDeleted leaves at the target what has been deleted or moved away at
	// the source. The default follows the source until the cut-over; messages that the migration did
	// not bring are never deleted.
	KeepDeleted bool
	// MaxDeleted holds a run's deletions back when they would take more than this
	// share of a folder's or of the account's messages, however few these are; what has
	// moved to another folder does not count. 0 means 0.5; 1 means no limit.
	MaxDeleted float64
	// AllowDeletions carries out what MaxDeleted has held back, once somebody
	// has looked at it. Where the server contradicts itself nothing is deleted all the same.
	AllowDeletions bool
	// Recopy brings what had been copied before the cut-over and is no longer at the
	// target once more. Without it such messages make the certificate incomplete.
	Recopy bool

	// Batch is the number of messages in one MULTIAPPEND, 0 means 100, and
	// BatchBytes the size that ends one, 0 means 4 MiB; a batch that has
	// taken less than half a second may become 16 times as large.
	Batch      int
	BatchBytes int64

	// Attempts is how often an account is tried when connections break
	// without any progress in between; 0 means 5.
	Attempts int
	// Patience is how long a server is waited for that cannot be reached or asks to wait,
	// before the run or wave ends; 0 means 30 minutes. Attempts do not count meanwhile.
	Patience time.Duration
	// KeepAlive is how long a connection may be idle before the server is
	// sent a NOOP; 0 means 20 seconds.
	KeepAlive time.Duration
	// Settle is how long the target must be quiet after an interrupted run
	// before the run goes on: the server may still be storing what it had received. 0 means 3 seconds.
	Settle time.Duration

	Observer Observer
	Logger   *slog.Logger     // nil means none
	Now      func() time.Time // nil means time.Now
}

// Migrator brings mailboxes from one server to another. It may be used by
// several goroutines for different accounts.
type Migrator struct {
	from, to *side
	dir      string
	opt      Options
	perLane  int // folders with something to do for each pair of connections
}

// New makes a Migrator. stateDir holds one file for each account and is
// made if it does not exist.
func New(from, to Server, stateDir string, opts *Options) *Migrator {
	m := &Migrator{from: newSide("source", from), to: newSide("target", to), dir: stateDir, perLane: foldersPerLane}
	if opts != nil {
		m.opt = *opts
	}
	if m.opt.Batch <= 0 {
		m.opt.Batch = 100
	}
	if m.opt.BatchBytes <= 0 {
		m.opt.BatchBytes = 4 << 20
	}
	if m.opt.MaxDeleted <= 0 {
		m.opt.MaxDeleted = 0.5
	}
	if m.opt.Attempts <= 0 {
		m.opt.Attempts = 5
	}
	if m.opt.Settle <= 0 {
		m.opt.Settle = 3 * time.Second
	}
	if m.opt.Patience <= 0 {
		m.opt.Patience = 30 * time.Minute
	}
	if m.opt.KeepAlive <= 0 {
		m.opt.KeepAlive = 20 * time.Second
	}
	if m.opt.Logger == nil {
		m.opt.Logger = slog.New(slog.DiscardHandler)
	}
	if m.opt.Now == nil {
		m.opt.Now = time.Now
	}
	return m
}

func (m *Migrator) observe(e Event) {
	if m.opt.Observer != nil {
		m.opt.Observer.Observe(e)
	}
}

// Plan compares the folders of both sides and says where each would go. It
// writes nothing.
func (m *Migrator) Plan(ctx context.Context, a Account) (plan *FolderPlan, err error) {
	err = m.look(ctx, a, "plan", func(ctx context.Context, r *accountRun) error {
		plan = r.plan()
		for i := range plan.Mappings {
			if err := r.number(ctx, &plan.Mappings[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return plan, err
}

// Sync brings the target to the state of the source: the first copy, and every
// later one. It may be called as often as wished, and after any interruption.
// The Result is never nil. Messages that could not be copied are in its
// Problems and do not make an error; run again when their cause is gone.
func (m *Migrator) Sync(ctx context.Context, a Account) (*Result, error) {
	return m.run(ctx, a, runHow{})
}

// CutOver is the last Sync: after it, the account's target belongs to its
// user, and a later Sync brings only mail that arrived at the source since,
// and changes or deletes nothing.
func (m *Migrator) CutOver(ctx context.Context, a Account) (*Result, error) {
	return m.run(ctx, a, runHow{cutOver: true})
}

// runHow is what differs from run to run.
type runHow struct {
	cutOver    bool
	checkpoint func(ctx context.Context) // see [Checkpointer]; nil keeps nothing
}

func (m *Migrator) run(ctx context.Context, a Account, how runHow) (*Result, error) {
	res := &Result{Account: a.Name, Begin: m.opt.Now()}
	err := m.sync(ctx, a, how, res)
	res.Duration = m.opt.Now().Sub(res.Begin)
	res.Failed = 0
	for _, f := range res.Folders {
		res.Failed += f.Failed
	}
	m.observe(Finished{a.Name, res, err})
	return res, err
}

func (m *Migrator) sync(ctx context.Context, a Account, how runHow, res *Result) error {
	st, err := openState(m.dir, a.Name)
	if err != nil {
		return failed(a.Name, "state", "", err)
	}
	defer st.close()
	r := m.newRun(a, st, res)
	r.runHow = how
	if st.damaged != "" {
		r.led.find("the state file was damaged and is kept as %s", st.damaged)
	}
	err = r.attempts(ctx, r.sync)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && st.acct.Stage != CutOver && st.acct.Stage != Verified {
		st.acct.Reason = err.Error()
	}
	return errors.Join(err, st.save(nil))
}

// look runs something that only reads, with as many attempts as a Sync.
func (m *Migrator) look(ctx context.Context, a Account, op string,
	work func(context.Context, *accountRun) error) error {
	st, err := openState(m.dir, a.Name)
	if err != nil {
		return failed(a.Name, op, "", err)
	}
	defer st.close()
	r := m.newRun(a, st, &Result{Account: a.Name})
	return failed(a.Name, op, "", r.attempts(ctx, func(ctx context.Context) error { return work(ctx, r) }))
}
