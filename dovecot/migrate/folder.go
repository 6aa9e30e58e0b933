package migrate

import (
	"context"
	"sync"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// folderRun is one source folder with something to do, in one attempt.
type folderRun struct {
	Mapping
	*accountRun
	lane    // in which it is brought over, not always the account's first
	state   *folderState
	gone    imapwire.Set // source UIDs that have vanished
	removed bool         // the user has removed the target folder

	validity   uint32 // of the source, now
	seen       uint32 // target UIDs below it were looked at in this run
	appended   uint32 // the highest target UID that we made
	renumbered bool   // the source's UIDVALIDITY has changed
	unsettled  bool   // of some source messages it is not known whether the target has them

	plainLock sync.Mutex   // the source is read ahead
	plain     imapwire.Set // source UIDs to copy without keywords
}

// sync brings the folder over: new messages, then flags. Deletions wait until
// every folder is done, so that a message that moved between two folders is at
// the target at every moment.
func (f *folderRun) sync(ctx context.Context) error {
	odd := f.lane.odd()
	sel, live, err := f.src.openAll(ctx, f.SourceRaw)
	if err != nil {
		return err
	}
	if err := f.newValidity(sel); err != nil {
		return err
	}
	sel, live, st, err := f.src.census(ctx, f.SourceRaw, sel, live)
	if err != nil {
		return err
	}
	if err := f.st.flush(f.SourceRaw); err != nil {
		return err
	}
	if err := f.compareTarget(ctx); err != nil {
		return err
	}
	known, _, err := f.st.uids(f.SourceRaw)
	if err != nil {
		return err
	}
	fresh := live.Without(known)
	f.gone = known.Without(live)
	if odd := contradiction(sel, st, live.Len()); odd != "" {
		f.led.lose(f.Mapping, 0, ProblemFolder, "the source contradicts itself (%s): nothing is deleted at the target", odd)
		f.gone = nil
	} else if st == nil && len(f.gone) > 0 {
		f.led.lose(f.Mapping, 0, ProblemFolder, "the source refuses STATUS, without which nothing is deleted at the target")
		f.gone = nil
	}
	f.validity = sel.UIDValidity
	old := known.Without(f.gone)
	taken, err := f.taken(ctx, f.src, f.Mapping, fresh)
	if err != nil {
		return err
	}
	if n := fresh.Len() - taken.Len(); n > 0 && f.Search == "" {
		f.led.find("%q: %d messages stay behind by the limits of age and size", f.Source, n)
	}
	if err := f.bring(ctx, taken, live); err != nil {
		return err
	}
	if len(old) > 0 && !f.afterCutOver() && (sel.HighestModSeq == 0 || sel.HighestModSeq != f.state.SrcModSeq) {
		if err := f.flags(ctx, old, sel); err != nil {
			return err
		}
	}
	if f.appended > 0 && !f.unsettled {
		f.state.DstBound = max(f.state.DstBound, f.appended+1)
	}
	f.state.SrcValidity, f.state.SrcNext = sel.UIDValidity, sel.UIDNext
	f.state.SrcMessages = uint32(live.Len())
	f.state.Complete, f.state.Search = f.led.lost(f.Mapping) == 0, f.m.opt.Limits.criterion(f.Mapping)
	if f.lane.odd() == odd {
		f.state.SrcModSeq = sel.HighestModSeq
	} else { // the line may have told of a change: the next run asks for it again
		f.state.Complete = false
	}
	if !f.renumbered {
		return nil
	}
	return f.st.dropOld(f.SourceRaw)
}

// bring finds what the target has already and copies the rest.
func (f *folderRun) bring(ctx context.Context, fresh, live imapwire.Set) error {
	ghosts, err := f.st.ghosts(f.SourceRaw, f.validity, live)
	if err != nil || len(fresh)+len(ghosts) == 0 {
		return err
	}
	rest, err := f.adopt(ctx, fresh, ghosts)
	if err != nil {
		return err
	}
	if err := f.bound(); err != nil {
		return err
	}
	if len(rest) == 0 {
		return nil
	}
	return f.copy(ctx, rest)
}

// newValidity handles a UIDVALIDITY that changed on either side.
func (f *folderRun) newValidity(sel *imapwire.Selected) error {
	st := f.state
	ds := f.dst.status[f.TargetRaw]
	renewed := ds != nil && st.DstValidity != 0 && st.DstValidity != ds.UIDValidity
	if renewed && f.afterCutOver() && !f.accountRun.renewed {
		// Its user has removed it and made another: what was in it stays away.
		if err := f.st.flush(f.SourceRaw); err != nil {
			return err
		}
		if err := f.forgetTargets(f.SourceRaw); err != nil {
			return err
		}
		st.DstValidity, st.DstBound = ds.UIDValidity, max(ds.UIDNext, 1)
	} else if renewed {
		// The folder at the target is another one: nothing of ours is in it for sure.
		f.led.find("%q was made anew at the target: what it lacks is copied again", f.Target)
		if err := f.st.drop(f.SourceRaw, false); err != nil {
			return err
		}
		st.DstValidity, st.DstBound, st.SrcModSeq = ds.UIDValidity, 0, 0
	}
	if st.SrcValidity != 0 && st.SrcValidity != sel.UIDValidity {
		// The source numbers its messages anew: they are recognised by content.
		f.renumbered = true
		f.led.find("%q has new UIDs at the source: messages are recognised by content", f.Source)
		if err := f.st.drop(f.SourceRaw, true); err != nil {
			return err
		}
		st.SrcValidity, st.SrcModSeq, st.DstBound = sel.UIDValidity, 0, 0
		return f.st.save(map[string]*folderState{f.SourceRaw: st})
	}
	return nil
}

// bound records up to where the target's messages are accounted for.
func (f *folderRun) bound() error {
	if f.unsettled {
		return nil // the next run looks at all of them again
	}
	if f.state.DstBound > 0 && f.state.DstBound >= f.seen && f.appended < f.state.DstBound {
		return nil
	}
	f.state.DstBound = max(f.state.DstBound, f.seen, f.appended+1)
	return f.st.save(map[string]*folderState{f.SourceRaw: f.state})
}

// openTarget opens the target folder for changes.
func (f *folderRun) openTarget(ctx context.Context) error {
	if f.dst.selected == f.TargetRaw {
		return f.dst.do(opFolder, f.TargetRaw, func(c *imapwire.Client) error { return c.Noop(ctx) })
	}
	sel, err := f.dst.open(ctx, f.TargetRaw, false)
	if err != nil {
		return err
	}
	if v := f.state.DstValidity; v != 0 && sel.UIDValidity != 0 && sel.UIDValidity != v {
		return f.dst.at(opFolder, f.TargetRaw, errRenumbered)
	}
	return nil
}

// filled is about how many messages the target folder has.
func (f *folderRun) filled() int {
	n := int(f.appended)
	if ds := f.dst.status[f.TargetRaw]; ds != nil {
		n = max(n, int(ds.Messages))
	}
	return n
}

// forgetTargets marks all of a folder's messages as deleted at the target.
func (r *accountRun) forgetTargets(raw string) error {
	return r.st.change(raw, func(_ uint32, e *entry) bool {
		e.dst = 0
		return true
	})
}

// ownedByOthers are the target's messages that other source folders, merged
// into the same target, have brought.
func (f *folderRun) ownedByOthers() (imapwire.Set, error) {
	var out imapwire.Set
	for raw, o := range f.folders {
		if raw == f.SourceRaw || o.Target != f.TargetRaw {
			continue
		}
		if err := f.st.flush(raw); err != nil {
			return nil, err
		}
		_, dst, err := f.st.uids(raw)
		if err != nil {
			return nil, err
		}
		for _, r := range dst {
			out.AddRange(r.First, r.Last)
		}
	}
	return out, nil
}

// withoutKeywords reports whether a message is to be copied without keywords;
// from now on if set.
func (f *folderRun) withoutKeywords(uid uint32, set bool) bool {
	f.plainLock.Lock()
	defer f.plainLock.Unlock()
	was := f.plain.Contains(uid)
	if set {
		f.plain.Add(uid)
	}
	return was
}
