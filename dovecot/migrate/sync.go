package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// session is one attempt at one account: a connection to each side.
type session struct {
	m       *Migrator
	acct    Account
	st      *state // nil for Plan
	res     *Result
	cutOver bool

	src, dst                 *imapwire.Client
	release                  []func()
	srcView, dstView         View
	srcStatus, dstStatus     map[string]*imapwire.Status
	srcSelected, dstSelected string

	mu        sync.Mutex              // for res, while the source is read ahead
	folders   map[string]*folderState // by source raw name
	runs      []*folderRun
	resumed   bool            // the last run, or attempt, was interrupted
	proven    map[string]bool // keywords the target has accepted
	batch     int             // messages per APPEND at present
	limit     int64           // largest message the target takes, 0 if unlimited
	refusal   error           // the target's last one
	renewed   bool            // the target's whole mailbox is a new one
	noUID     bool            // reported: the target does not tell UIDs
	done      int             // for Progress
	doneBytes int64

	flagSets  [][]string // see flagSet
	flagIndex map[string]uint32
}

// folderRun is one source folder with something to do.
type folderRun struct {
	Mapping
	state   *folderState
	result  *FolderResult
	gone    imapwire.Set // source UIDs that have vanished
	removed bool         // the user has removed the target folder

	validity   uint32 // of the source, now
	seen       uint32 // target UIDs below it were looked at in this run
	appended   uint32 // the highest target UID that we made
	failed     int    // messages of this attempt that did not arrive
	renumbered bool   // the source's UIDVALIDITY has changed
}

func (s *session) close() {
	for _, c := range []*imapwire.Client{s.src, s.dst} {
		if c != nil {
			c.Close()
		}
	}
	for _, r := range s.release {
		r()
	}
}

// connect logs in to both sides and lists their folders, both at once.
func (s *session) connect(ctx context.Context) error {
	one := func(ctx context.Context, d *side, l Login, c **imapwire.Client, v *View, st *map[string]*imapwire.Status) error {
		client, err := d.connect(ctx, l)
		if err != nil {
			return err
		}
		*c = client
		ns, err := client.Namespace(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		boxes, err := client.List(ctx, true)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		*v = newView(ns, boxes)
		*st = map[string]*imapwire.Status{}
		inbox := false
		for _, b := range boxes {
			if imapwire.InboxName(b.Name) {
				b.Name, inbox = "INBOX", true
			}
			if b.Status != nil {
				(*st)[b.Name] = b.Status
			}
		}
		if !inbox {
			return fmt.Errorf("%s: %w", d.name, ErrNoMailbox)
		}
		return nil
	}
	var err error
	if s.release, err = acquire(ctx, s.m.from, s.m.to); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return one(gctx, s.m.from, s.acct.Source, &s.src, &s.srcView, &s.srcStatus)
	})
	g.Go(func() error {
		return one(gctx, s.m.to, s.acct.Target, &s.dst, &s.dstView, &s.dstStatus)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if !s.dst.Has("UIDPLUS") {
		return errors.New("target: no UIDPLUS, without which nothing can be done twice safely")
	}
	s.batch = s.m.opt.Batch
	if !s.dst.Has("MULTIAPPEND") {
		s.batch = 1
	}
	s.limit, _ = s.dst.CapabilityValue("APPENDLIMIT")
	s.proven = map[string]bool{}
	return nil
}

func (s *session) fail(op, folder string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{s.acct.Name, op, folder, err}
}

func (s *session) find(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.res.Findings, text) {
		s.res.Findings = append(s.res.Findings, text)
	}
}

// problem records a problem once, however often the account is tried in a run.
func (s *session) problem(f *folderRun, uid uint32, kind, format string, args ...any) (isNew bool) {
	p := Problem{Folder: f.Source, UID: uid, Kind: kind, Text: fmt.Sprintf(format, args...)}
	if s.res.known[p] {
		return false
	}
	if s.res.known == nil {
		s.res.known = map[Problem]bool{}
	}
	s.res.known[p] = true
	s.res.Problems = append(s.res.Problems, p)
	return true
}

// lose records something that did not arrive, warn something that arrived
// changed; both may be called while the source is read ahead.
func (s *session) lose(f *folderRun, uid uint32, kind, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.failed++
	if s.problem(f, uid, kind, format, args...) {
		s.result(f).Failed++
	}
}

func (s *session) warn(f *folderRun, uid uint32, kind, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problem(f, uid, kind, format, args...)
}

// sync is one attempt.
func (s *session) sync(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return s.fail("connect", "", err)
	}
	var err error
	if s.folders, err = s.st.folders(); err != nil {
		return s.fail("state", "", err)
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for _, f := range s.runs {
		if err := s.syncFolder(ctx, f); err != nil {
			return s.fail("copy", f.Source, err)
		}
	}
	if err := s.deletions(ctx); err != nil {
		return s.fail("delete", "", err)
	}
	return s.fail("state", "", s.finish())
}

// begin compares both listings with the state and collects what has to be done.
func (s *session) begin(ctx context.Context) error {
	st := s.st
	if st.acct.Digest == "" {
		st.acct.Digest = kindSHA256
		if s.src.Has("DIGEST=SHA1") {
			st.acct.Digest = kindSHA1
		}
		st.acct.Stage = FirstCopy
	} else if st.acct.Stage == "" || st.acct.Stage == Failed {
		st.acct.Stage = FirstCopy
	}
	if s.resumed = st.acct.Dirty; s.resumed {
		if err := s.settle(ctx); err != nil {
			return s.fail("settle", "", err)
		}
	}
	recorded := map[string]string{}
	for raw, f := range s.folders {
		recorded[raw] = f.Target
	}
	plan := PlanFolders(s.srcView, s.dstView, s.m.opt.Folders, recorded)
	for _, f := range plan.Findings {
		s.find("%s", f)
	}
	// A new UIDVALIDITY of INBOX means that the whole target is a new one.
	lost := false // the whole of it
	if in, ds := s.folders["INBOX"], s.dstStatus["INBOX"]; in != nil && ds != nil && in.DstValidity != 0 && in.DstValidity != ds.UIDValidity {
		lost, s.renewed = true, true
		s.find("the target's mailbox was made anew since the last run: what it lacks is copied again")
	}
	s.runs = nil
	messages, bytes := 0, int64(0)
	for _, mp := range plan.Mappings {
		s.res.Checked = len(plan.Mappings)
		fs := s.folders[mp.SourceRaw]
		if fs == nil {
			fs = &folderState{Target: mp.TargetRaw}
			s.folders[mp.SourceRaw] = fs
		}
		ss := s.srcStatus[mp.SourceRaw]
		ds := s.dstStatus[mp.TargetRaw]
		same := fs.Complete && ss != nil && fs.SrcValidity == ss.UIDValidity && fs.SrcNext == ss.UIDNext &&
			fs.SrcMessages == ss.Messages && fs.SrcModSeq == ss.HighestModSeq && ss.HighestModSeq != 0 &&
			(ds == nil || ds.UIDValidity == fs.DstValidity || fs.DstValidity == 0) && fs.Subscribed == mp.Subscribed &&
			!s.looksAtTarget(fs)
		if same {
			continue
		}
		if ds == nil && fs.DstValidity != 0 && !lost && ss != nil && fs.SrcValidity == ss.UIDValidity && fs.SrcNext == ss.UIDNext && !s.recopies(fs) {
			s.find("%q was removed at the target; it is made again when new mail comes", mp.Target)
			if err := s.lostFolder(mp.SourceRaw, fs); err != nil {
				return s.fail("state", mp.Source, err)
			}
			continue
		}
		f := &folderRun{Mapping: mp, state: fs, removed: ds == nil && fs.DstValidity != 0 && !lost}
		s.runs = append(s.runs, f)
		if ss != nil {
			if fs.SrcValidity == 0 {
				messages += int(ss.Messages)
				bytes += max(ss.Size, 0)
			} else if ss.UIDNext > fs.SrcNext {
				messages += int(min(ss.UIDNext-fs.SrcNext, ss.Messages))
			}
		}
	}
	s.done, s.doneBytes = 0, 0
	s.m.observe(Started{s.acct.Name, len(s.runs), messages, bytes})
	return nil
}

// settle waits until the target has stored, or dropped, what an interrupted
// run had sent it: two equal listings with the settle time in between.
func (s *session) settle(ctx context.Context) error {
	for range 20 {
		select {
		case <-time.After(s.m.opt.Settle):
		case <-ctx.Done():
			return ctx.Err()
		}
		boxes, err := s.dst.List(ctx, true)
		if err != nil {
			return err
		}
		quiet := true
		for _, b := range boxes {
			if imapwire.InboxName(b.Name) {
				b.Name = "INBOX"
			}
			if b.Status == nil {
				continue
			}
			if old := s.dstStatus[b.Name]; old == nil || old.UIDNext != b.Status.UIDNext {
				quiet = false
			}
			s.dstStatus[b.Name] = b.Status
		}
		if quiet {
			return nil
		}
	}
	return errors.New("the target goes on receiving mail in folders of the migration; try again later")
}

// prepare makes folders and subscriptions and records the beginning. Folders
// that cannot be made are reported and left out.
func (s *session) prepare(ctx context.Context) error {
	if len(s.runs) == 0 {
		return nil
	}
	var create []*folderRun
	var names []string
	for _, f := range s.runs {
		if s.dstStatus[f.TargetRaw] == nil && f.TargetRaw != "INBOX" && !slices.Contains(names, f.TargetRaw) {
			create, names = append(create, f), append(names, f.TargetRaw)
		}
	}
	errs, err := s.dst.CreateAll(ctx, names...)
	if err != nil {
		return s.fail("create folders", "", err)
	}
	bad := map[string]string{}
	for i, f := range create {
		// A new folder is empty; asking for its state would cost as much as filling it.
		st := &imapwire.Status{UIDNext: 1}
		if imapwire.IsCode(errs[i], "ALREADYEXISTS") { // and yet not listed
			st, errs[i] = s.dst.Status(ctx, f.TargetRaw)
			if s.dst.Err() != nil {
				return s.fail("create folders", f.Source, errs[i])
			}
		}
		if errs[i] != nil {
			bad[f.TargetRaw] = fmt.Sprintf("the target cannot make %q: %v", f.Target, errs[i])
			continue
		}
		s.dstStatus[f.TargetRaw] = st
		f.state.Created = true
	}
	s.runs = slices.DeleteFunc(s.runs, func(f *folderRun) bool {
		why, isBad := bad[f.TargetRaw]
		if isBad {
			f.state.Complete = false
			s.lose(f, 0, ProblemFolder, "%s", why)
		}
		return isBad
	})
	if err := s.subscriptions(ctx); err != nil {
		return s.fail("subscribe", "", err)
	}
	changed := map[string]*folderState{}
	for _, f := range s.runs {
		ds := s.dstStatus[f.TargetRaw]
		if ds == nil {
			continue
		}
		if f.removed && !s.recopies(f.state) {
			f.state.DstValidity = ds.UIDValidity
			if err := s.forgetTargets(f.SourceRaw); err != nil {
				return s.fail("state", f.Source, err)
			}
		}
		if ds.Messages == 0 && (f.removed || f.state.DstValidity == 0) {
			f.state.DstBound = max(ds.UIDNext, 1)
		}
		if f.state.DstValidity == 0 {
			f.state.DstValidity = ds.UIDValidity
		}
		if ss := s.srcStatus[f.SourceRaw]; ss != nil && f.state.SrcValidity == 0 {
			f.state.SrcValidity = ss.UIDValidity
		}
		f.state.Complete = false
		changed[f.SourceRaw] = f.state
	}
	s.st.acct.Dirty = true
	return s.fail("state", "", s.st.save(changed))
}

// subscriptions carries changes of the source's subscriptions over.
func (s *session) subscriptions(ctx context.Context) error {
	if s.afterCutOver() {
		return nil
	}
	var on, off []string
	for _, f := range s.runs {
		switch {
		case f.Subscribed && !f.state.Subscribed:
			on = append(on, f.TargetRaw)
		case !f.Subscribed && f.state.Subscribed && f.Role == Ordinary && f.TargetRaw != "INBOX":
			off = append(off, f.TargetRaw)
		}
		f.state.Subscribed = f.Subscribed
	}
	slices.Sort(on)
	on = slices.Compact(on)
	off = slices.DeleteFunc(off, func(n string) bool { return slices.Contains(on, n) })
	errs, err := s.dst.Subscribe(ctx, on...)
	if err != nil {
		return err
	}
	for i, e := range errs {
		if e != nil {
			s.find("subscription of %q: %v", on[i], e)
		}
	}
	_, err = s.dst.Unsubscribe(ctx, off...)
	return err
}

func (s *session) afterCutOver() bool { return !s.st.acct.CutOver.IsZero() }

func (s *session) result(f *folderRun) *FolderResult {
	if f.result == nil {
		for _, r := range s.res.Folders { // from an earlier attempt of the same run
			if r.Source == f.Source {
				f.result = r
				return r
			}
		}
		f.result = &FolderResult{Source: f.Source, Target: f.Target}
		s.res.Folders = append(s.res.Folders, f.result)
	}
	return f.result
}

func (s *session) selectSource(ctx context.Context, raw string) (*imapwire.Selected, error) {
	sel, err := s.src.Select(ctx, raw, true)
	if err == nil {
		s.srcSelected = raw
	}
	return sel, err
}

// errRenumbered: a target folder was removed and made again during the run, so
// that the UIDs noted for it mean nothing, or other messages. The next attempt
// lists the target anew.
var errRenumbered = errors.New("the target folder was made anew meanwhile")

func (s *session) selectTarget(ctx context.Context, f *folderRun) error {
	if s.dstSelected == f.TargetRaw {
		return s.dst.Noop(ctx)
	}
	sel, err := s.dst.Select(ctx, f.TargetRaw, false)
	if err != nil {
		return err
	}
	s.dstSelected = f.TargetRaw
	if v := f.state.DstValidity; v != 0 && sel.UIDValidity != 0 && sel.UIDValidity != v {
		return fmt.Errorf("%q: %w", f.Target, errRenumbered)
	}
	return nil
}

// finish records the end of the run.
func (s *session) finish() error {
	a := &s.st.acct
	changed := map[string]*folderState{}
	for _, f := range s.runs {
		changed[f.SourceRaw] = f.state
	}
	now := s.m.opt.Now().UTC().Truncate(time.Second)
	worked := len(s.runs) > 0 || a.Dirty
	a.Dirty, a.Reason = false, ""
	if a.Stage == FirstCopy {
		a.Stage = Delta
	}
	if s.cutOver && a.CutOver.IsZero() {
		a.CutOver, a.Stage = now, CutOver
	}
	if worked {
		a.Synced = now
	}
	s.st.intents = nil
	s.st.intended = true
	s.res.Stage = a.Stage
	s.res.Odd += s.src.OddCount + s.dst.OddCount
	if err := s.st.save(changed); err != nil {
		return err
	}
	return s.st.settled()
}
