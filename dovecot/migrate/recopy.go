package migrate

import (
	"context"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Before the cut-over the target belongs to the migration: what has been copied and is
// no longer there is missing. After it, the target belongs to its user, who may delete.
// So what is missing is written down at the cut-over, and copied again only when asked for.

// recopies reports whether a folder's missing messages are to be copied again.
func (r *accountRun) recopies(fs *folderState) bool {
	return r.m.opt.Recopy && (!r.afterCutOver() || fs.Lost != "")
}

// looksAtTarget reports whether a folder must be compared with the target even
// if nothing has changed at the source.
func (r *accountRun) looksAtTarget(fs *folderState) bool {
	return r.recopies(fs) || r.cutOver && !r.afterCutOver()
}

// compareTarget compares what has been copied with what the target lists, when that
// is asked for: what is missing is forgotten, so that it is copied again, or written down.
func (f *folderRun) compareTarget(ctx context.Context) error {
	if !f.looksAtTarget(f.state) {
		return nil
	}
	known, _, err := f.st.uids(f.SourceRaw)
	if err != nil || len(known) == 0 {
		return err
	}
	missing := f.state.lost()
	if !f.afterCutOver() {
		if missing, err = f.missing(ctx, known.Len()); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		f.state.Lost = ""
		return nil
	}
	if !f.recopies(f.state) {
		f.state.Lost = missing.String()
		f.led.find("%q: %d messages that had been copied are no longer at the target; a run that copies again brings them",
			f.Source, missing.Len())
		return nil
	}
	for uid := range missing.All() {
		if err := f.st.remove(f.SourceRaw, uid); err != nil {
			return err
		}
	}
	// Should they be at the target all the same, they are recognised there.
	f.state.Lost, f.state.DstBound, f.state.Complete = "", 0, false
	return f.st.save(map[string]*folderState{f.SourceRaw: f.state})
}

// missing are the source UIDs whose copies the target does not list.
func (f *folderRun) missing(ctx context.Context, known int) (out imapwire.Set, err error) {
	var there imapwire.Set
	if ds := f.dst.status[f.TargetRaw]; ds != nil {
		if err := f.openTarget(ctx); err != nil {
			return nil, err
		}
		if there, err = f.listed(ctx, ds); err != nil {
			return nil, err
		}
	}
	unsure := f.m.opt.Recopy || there.Len() < known // where it is not known which UID a message has got
	err = f.st.each(bucketMsgs, f.SourceRaw, func(uid uint32, e entry) error {
		if e.dst == 0 && unsure || e.dst != 0 && !there.Contains(e.dst) {
			out.Add(uid)
		}
		return nil
	})
	return out, err
}

// lost reads what was written down at the cut-over.
func (f *folderState) lost() imapwire.Set {
	set, _ := imapwire.ParseSet(f.Lost)
	return set
}

// lostFolder writes down that a whole target folder has gone before the cut-over.
func (r *accountRun) lostFolder(raw string, fs *folderState) error {
	if !r.looksAtTarget(fs) {
		return nil
	}
	known, _, err := r.st.uids(raw)
	if err != nil {
		return err
	}
	fs.Lost = known.String()
	return r.st.save(map[string]*folderState{raw: fs})
}
