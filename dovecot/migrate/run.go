package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/internal/imapwire"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// accountRun is one run for one account, over all its attempts. What belongs to one
// attempt is made anew by connect.
type accountRun struct {
	m       *Migrator
	acct    Account
	st      *state
	led     *ledger
	trouble *trouble
	runHow

	lane
	spare      []lane                  // further ones
	folders    map[string]*folderState // by source raw name
	runs       []*folderRun            // with something to do
	resumed    bool                    // the last run, or attempt, was interrupted
	renewed    bool                    // the target's whole mailbox is a new one
	take       *takes
	oddInLanes int // lines that could not be read on further connections
}

func (m *Migrator) newRun(a Account, st *state, res *Result) *accountRun {
	return &accountRun{m: m, acct: a, st: st, led: newLedger(a.Name, res, m.observe), trouble: newTrouble()}
}

// attempts runs work with connections to both sides until it ends without an
// error, or [judge] says that it costs more than a connection.
func (r *accountRun) attempts(ctx context.Context, work func(ctx context.Context) error) error {
	var grown time.Duration
	for failures := 0; ; {
		before := r.led.work() + r.trouble.progress()
		err := r.attempt(ctx, work)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return failed(r.acct.Name, "run", "", ctx.Err())
		}
		v := r.trouble.weigh(err)
		if r.led.work()+r.trouble.progress() > before {
			failures = 0
			grown = 0
		}
		var pause time.Duration
		switch v.cost {
		case costWave:
			return &waveError{failed(r.acct.Name, "run", "", err)}
		case costAccount:
			return failed(r.acct.Name, "run", "", err)
		case costServer:
			if err := r.stayAway(err, v.wait); err != nil {
				return err
			}
		default:
			if failures++; failures >= r.m.opt.Attempts {
				return fmt.Errorf("%w (after %d attempts)", failed(r.acct.Name, "run", "", err), failures)
			}
			grown = retry.Grow(grown, 500*time.Millisecond, time.Minute)
			pause = retry.Spread(grown)
		}
		r.led.total(func(res *Result) { res.Retries++ })
		r.m.observe(Retrying{r.acct.Name, err, pause})
		r.m.opt.Logger.Info("trying again", "account", r.acct.Name, "error", err, "wait", pause)
		if err := wait(ctx, pause); err != nil {
			return failed(r.acct.Name, "run", "", err)
		}
	}
}

// stayAway keeps all accounts from a server for a while; when that has lasted
// longer than our patience, the wave ends.
func (r *accountRun) stayAway(err error, asked time.Duration) error {
	d := r.m.to
	if f, ok := errors.AsType[*failure](err); ok && f.at.side == r.m.from.name {
		d = r.m.from
	}
	if d.away() > r.m.opt.Patience {
		return &waveError{failed(r.acct.Name, "connect", "", err)}
	}
	until := d.pause(asked, err)
	r.m.observe(Paused{Account: r.acct.Name, Side: d.name, Err: err, Until: until})
	return nil
}

// waveError ends a wave: no other account would fare better.
type waveError struct{ error }

func (w *waveError) Unwrap() error { return w.error }

// attempt connects to both sides and works.
func (r *accountRun) attempt(ctx context.Context, work func(ctx context.Context) error) (err error) {
	r.led.attempt()
	release, err := acquire(ctx, r.m.from, r.m.to)
	if err != nil {
		return err
	}
	defer releaseAll(release)
	flags := newFlagTable()
	g, gctx := errgroup.WithContext(ctx)
	r.lane, r.oddInLanes = lane{}, 0
	g.Go(func() (err error) { r.src, err = r.m.from.connect(gctx, r.acct.Source, flags, r.trouble); return err })
	g.Go(func() (err error) { r.dst, err = r.m.to.connect(gctx, r.acct.Target, flags, r.trouble); return err })
	err = g.Wait()
	defer r.src.close()
	defer r.dst.close()
	if err != nil {
		return err
	}
	if !r.dst.c.Has("UIDPLUS") {
		return r.dst.at("list", "", fmt.Errorf("%w: no UIDPLUS, without which nothing can be done twice safely",
			ErrUnsupported))
	}
	if r.folders, err = r.st.folders(); err != nil {
		return err
	}
	if r.st.acct.Digest == "" {
		r.st.acct.Digest = kindSHA256
		if r.src.c.Has("DIGEST=SHA1") {
			r.st.acct.Digest = kindSHA1
		}
	}
	r.src.kind, r.dst.kind = r.st.acct.Digest, r.st.acct.Digest
	r.src.mapped = r.m.mapped
	kctx, stop := context.WithCancel(ctx)
	var keepers errgroup.Group
	for _, p := range []*peer{r.src, r.dst} {
		keepers.Go(func() error { p.keep(kctx, r.m.opt.KeepAlive); return nil })
	}
	defer func() {
		stop()
		keepers.Wait()
	}()
	return work(ctx)
}

// plan decides where each folder goes; what earlier runs have decided stays.
func (r *accountRun) plan() *FolderPlan {
	recorded := map[string]string{}
	for raw, f := range r.folders {
		recorded[raw] = f.Target
	}
	return PlanFolders(r.src.view, r.dst.view, r.m.opt.Folders, recorded)
}

// sync is one attempt.
func (r *accountRun) sync(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			r.st.interrupted()
		}
	}()
	r.take = newTakes(r.dst.c, r.m.opt.Batch)
	if err := r.begin(ctx); err != nil {
		return err
	}
	release := r.openSpare(ctx)
	defer release()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.quota(ctx); err != nil {
		return err
	}
	if err := r.bring(ctx); err != nil {
		return err
	}
	release()
	d := &deletions{accountRun: r}
	if err := d.run(ctx); err != nil {
		return failed(r.acct.Name, opDelete, "", err)
	}
	return r.finish()
}

// folder brings one folder over. What costs no more than the folder is taken
// down, and the next one follows.
func (r *accountRun) folder(ctx context.Context, f *folderRun) error {
	for _, p := range []struct{ side, raw string }{{r.src.side.name, f.SourceRaw}, {r.dst.side.name, f.TargetRaw}} {
		if why, ok := r.trouble.gaveUp(p.side, opFolder, p.raw, 0); ok {
			r.led.lose(f.Mapping, 0, ProblemFolder, "the server ends the session at this folder: %s", why)
			f.state.Complete = false
			return nil
		}
	}
	err := f.sync(ctx)
	if err == nil || f.lost() || ctx.Err() != nil {
		return err
	}
	fl, ok := errors.AsType[*failure](err)
	if !ok || judge(err, fl.at, 1).cost > costFolder {
		return err
	}
	f.gone, f.state.Complete = nil, false
	r.led.lose(f.Mapping, 0, ProblemFolder, "%v", err)
	return nil
}

// begin compares both listings with the state and collects what has to be done.
func (r *accountRun) begin(ctx context.Context) error {
	if s := &r.st.acct.Stage; *s == "" || *s == Failed {
		*s = FirstCopy
	}
	if r.resumed = r.st.acct.Dirty; r.resumed {
		if err := r.settle(ctx); err != nil {
			return failed(r.acct.Name, "settle", "", err)
		}
	}
	plan := r.plan()
	for _, f := range plan.Findings {
		r.led.find("%s", f)
	}
	// A new UIDVALIDITY of INBOX means that the whole target is a new one.
	in, ds := r.folders["INBOX"], r.dst.status["INBOX"]
	r.renewed = in != nil && ds != nil && in.DstValidity != 0 && in.DstValidity != ds.UIDValidity
	if r.renewed {
		r.led.find("the target's mailbox was made anew since the last run: what it lacks is copied again")
	}
	r.runs = nil
	messages, bytes := 0, int64(0)
	r.led.total(func(res *Result) { res.Checked = len(plan.Mappings) })
	for _, mp := range plan.Mappings {
		f, err := r.todo(mp)
		if err != nil {
			return failed(r.acct.Name, "state", mp.Source, err)
		}
		if f == nil {
			continue
		}
		r.runs = append(r.runs, f)
		if ss := r.src.status[mp.SourceRaw]; ss != nil {
			if f.state.SrcValidity == 0 {
				messages += int(ss.Messages)
				bytes += max(ss.Size, 0)
			} else if ss.UIDNext > f.state.SrcNext {
				messages += int(min(ss.UIDNext-f.state.SrcNext, ss.Messages))
			}
		}
	}
	r.m.observe(Started{r.acct.Name, len(r.runs), messages, bytes})
	return nil
}

// todo is a folder's run, nil if nothing has changed since the last one.
func (r *accountRun) todo(mp Mapping) (*folderRun, error) {
	fs := r.folders[mp.SourceRaw]
	if fs == nil {
		fs = &folderState{Target: mp.TargetRaw}
		r.folders[mp.SourceRaw] = fs
	}
	ss, ds := r.src.status[mp.SourceRaw], r.dst.status[mp.TargetRaw]
	same := fs.Complete && ss != nil && fs.SrcValidity == ss.UIDValidity && fs.SrcNext == ss.UIDNext &&
		fs.SrcMessages == ss.Messages && fs.SrcModSeq == ss.HighestModSeq && ss.HighestModSeq != 0 &&
		(ds == nil || ds.UIDValidity == fs.DstValidity || fs.DstValidity == 0) && fs.Subscribed == mp.Subscribed &&
		fs.Search == r.m.opt.Limits.criterion(mp)
	if same && !r.looksAtTarget(fs) {
		return nil, nil
	}
	removed := ds == nil && fs.DstValidity != 0 && !r.renewed
	if removed && !r.recopies(fs) && ss != nil && fs.SrcValidity == ss.UIDValidity && fs.SrcNext == ss.UIDNext {
		r.led.find("%q was removed at the target; it is made again when new mail comes", mp.Target)
		return nil, r.lostFolder(mp.SourceRaw, fs)
	}
	return &folderRun{Mapping: mp, accountRun: r, lane: r.lane, state: fs, removed: removed}, nil
}

// settle waits until the target has stored, or dropped, what an interrupted
// run had sent it: two equal listings with the settle time in between.
func (r *accountRun) settle(ctx context.Context) error {
	for range 20 {
		if err := wait(ctx, r.m.opt.Settle); err != nil {
			return err
		}
		old := r.dst.status
		if _, err := r.dst.states(ctx); err != nil {
			return err
		}
		quiet := true
		for name, st := range r.dst.status {
			if before := old[name]; before == nil || before.UIDNext != st.UIDNext {
				quiet = false
			}
		}
		if quiet {
			return nil
		}
	}
	return r.dst.at("settle", "",
		fmt.Errorf("%w: the target goes on receiving mail in folders of the migration; try again later", ErrBusy))
}

// prepare makes folders and subscriptions and records the beginning. Folders
// that cannot be made are reported and left out.
func (r *accountRun) prepare(ctx context.Context) error {
	if len(r.runs) == 0 {
		return nil
	}
	if err := r.create(ctx); err != nil {
		return failed(r.acct.Name, "create folders", "", err)
	}
	if err := r.subscribe(ctx); err != nil {
		return failed(r.acct.Name, "subscribe", "", err)
	}
	changed := map[string]*folderState{}
	for _, f := range r.runs {
		ds := r.dst.status[f.TargetRaw]
		if ds == nil {
			continue
		}
		if f.removed && !r.recopies(f.state) {
			f.state.DstValidity = ds.UIDValidity
			if err := r.forgetTargets(f.SourceRaw); err != nil {
				return failed(r.acct.Name, "state", f.Source, err)
			}
		}
		if ds.Messages == 0 && (f.removed || f.state.DstValidity == 0) {
			f.state.DstBound = max(ds.UIDNext, 1)
		}
		if f.state.DstValidity == 0 {
			f.state.DstValidity = ds.UIDValidity
		}
		if ss := r.src.status[f.SourceRaw]; ss != nil && f.state.SrcValidity == 0 {
			f.state.SrcValidity = ss.UIDValidity
		}
		f.state.Complete = false
		changed[f.SourceRaw] = f.state
	}
	r.st.acct.Dirty = true
	if err := r.st.save(changed); err != nil {
		return failed(r.acct.Name, "state", "", err)
	}
	if r.checkpoint != nil {
		r.checkpoint(ctx)
	}
	return nil
}

// create makes the target folders that are not there.
func (r *accountRun) create(ctx context.Context) error {
	var make []*folderRun
	var names []string
	for _, f := range r.runs {
		if r.dst.status[f.TargetRaw] == nil && f.TargetRaw != "INBOX" && !slices.Contains(names, f.TargetRaw) {
			make, names = append(make, f), append(names, f.TargetRaw)
		}
	}
	errs, err := r.createAll(ctx, names)
	if err != nil {
		return err
	}
	bad := map[string]string{}
	for i, f := range make {
		// A new folder is empty; asking for its state would cost as much as filling it.
		st, err := &imapwire.Status{UIDNext: 1}, errs[i]
		if imapwire.IsCode(err, "ALREADYEXISTS") { // and yet not listed
			var e error
			if st, e = r.dst.state(ctx, f.TargetRaw); e != nil {
				return e
			}
			if st != nil {
				err = nil
			}
		}
		if _, later := throttle(err); later {
			return r.dst.at("create folders", "", err)
		}
		if err != nil {
			bad[f.TargetRaw] = fmt.Sprintf("the target cannot make %q: %v", f.Target, err)
			continue
		}
		r.dst.status[f.TargetRaw] = st
		f.state.Created = true
	}
	r.runs = slices.DeleteFunc(r.runs, func(f *folderRun) bool {
		why, isBad := bad[f.TargetRaw]
		if isBad {
			f.state.Complete = false
			r.led.lose(f.Mapping, 0, ProblemFolder, "%s", why)
		}
		return isBad
	})
	return nil
}

// subscribe carries changes of the source's subscriptions over.
func (r *accountRun) subscribe(ctx context.Context) error {
	if r.afterCutOver() {
		return nil
	}
	var on, off []string
	for _, f := range r.runs {
		switch {
		case f.Subscribed && !f.state.Subscribed:
			on = append(on, f.TargetRaw)
		case !f.Subscribed && f.state.Subscribed && r.odd() > 0:
			r.led.find("%q is no longer subscribed at the source; it stays so at the target, since %d lines of the servers "+
				"could not be read", f.Source, r.odd())
			continue
		case !f.Subscribed && f.state.Subscribed && f.Role == Ordinary && f.TargetRaw != "INBOX":
			off = append(off, f.TargetRaw)
		}
		f.state.Subscribed = f.Subscribed
	}
	slices.Sort(on)
	on = slices.Compact(on)
	off = slices.DeleteFunc(off, func(n string) bool { return slices.Contains(on, n) })
	return r.dst.do("subscribe", "", func(c *imapwire.Client) error {
		errs, err := c.Subscribe(ctx, on...)
		if err != nil {
			return err
		}
		for i, e := range errs {
			if e != nil {
				r.led.find("subscription of %q: %v", on[i], e)
			}
		}
		_, err = c.Unsubscribe(ctx, off...)
		return err
	})
}

func (r *accountRun) afterCutOver() bool { return !r.st.acct.CutOver.IsZero() }

// finish records the end of the run.
func (r *accountRun) finish() error {
	a := &r.st.acct
	changed := map[string]*folderState{}
	for _, f := range r.runs {
		changed[f.SourceRaw] = f.state
	}
	now := r.m.opt.Now().UTC().Truncate(time.Second)
	worked := len(r.runs) > 0 || a.Dirty
	a.Dirty, a.NotesLost, a.Reason = false, false, ""
	if a.Stage == FirstCopy {
		a.Stage = Delta
	}
	if r.cutOver && a.CutOver.IsZero() {
		a.CutOver, a.Stage = now, CutOver
	}
	if worked {
		a.Synced = now
	}
	r.st.intents = nil
	r.st.intended = true
	r.led.total(func(res *Result) {
		res.Stage = a.Stage
		res.Odd += r.odd()
	})
	if err := r.st.save(changed); err != nil {
		return err
	}
	return r.st.settled()
}

// odd is how many lines of the servers could not be read.
func (r *accountRun) odd() int { return r.lane.odd() + r.oddInLanes }
