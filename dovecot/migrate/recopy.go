package migrate

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Before the cut-over the target belongs to the migration: what has been copied and is
// no longer there is missing. After it, the target belongs to its user, who may delete.
// So what is missing is written down at the cut-over, and copied again only when asked for.

// recopies reports whether a folder's missing messages are to be copied again.
func (s *session) recopies(fs *folderState) bool {
	return s.m.opt.Recopy && (!s.afterCutOver() || fs.Lost != "")
}

// looksAtTarget reports whether a folder must be compared with the target even
// if nothing has changed at the source.
func (s *session) looksAtTarget(fs *folderState) bool {
	return s.recopies(fs) || s.cutOver && !s.afterCutOver()
}

// target compares what has been copied with what the target lists, when that
// is asked for: what is missing is forgotten, so that it is copied again, or written down.
func (s *session) target(ctx context.Context, f *folderRun) error {
	if !s.looksAtTarget(f.state) {
		return nil
	}
	known, _, err := s.st.uids(f.SourceRaw)
	if err != nil || len(known) == 0 {
		return err
	}
	missing := s.lost(f.state)
	if !s.afterCutOver() {
		if missing, err = s.missing(ctx, f); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		f.state.Lost = ""
		return nil
	}
	if !s.recopies(f.state) {
		f.state.Lost = missing.String()
		s.find("%q: %d messages that had been copied are no longer at the target; a run that copies again brings them", f.Source, missing.Len())
		return nil
	}
	for uid := range missing.All() {
		if err := s.st.remove(f.SourceRaw, uid); err != nil {
			return err
		}
	}
	// Should they be at the target all the same, they are recognised there.
	f.state.Lost, f.state.DstBound, f.state.Complete = "", 0, false
	return s.st.save(map[string]*folderState{f.SourceRaw: f.state})
}

// missing are the source UIDs whose copies the target does not list.
func (s *session) missing(ctx context.Context, f *folderRun) (imapwire.Set, error) {
	var there, out imapwire.Set
	if s.dstStatus[f.TargetRaw] != nil {
		if err := s.selectTarget(ctx, f); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
		var err error
		if there, err = s.dst.Search(ctx, "ALL"); err != nil {
			return nil, fmt.Errorf("target: %w", err)
		}
	}
	known, _, err := s.st.uids(f.SourceRaw)
	if err != nil {
		return nil, err
	}
	unsure := s.m.opt.Recopy || there.Len() < known.Len() // where it is not known which UID a message has got
	return out, s.st.each(bucketMsgs, f.SourceRaw, func(uid uint32, e entry) error {
		if e.dst == 0 && unsure || e.dst != 0 && !there.Contains(e.dst) {
			out.Add(uid)
		}
		return nil
	})
}

// lost reads what was written down at the cut-over.
func (s *session) lost(fs *folderState) imapwire.Set {
	set, _ := imapwire.ParseSet(fs.Lost)
	return set
}

// lostFolder writes down that a whole target folder has gone before the cut-over.
func (s *session) lostFolder(raw string, fs *folderState) error {
	if !s.looksAtTarget(fs) {
		return nil
	}
	known, _, err := s.st.uids(raw)
	if err != nil {
		return err
	}
	fs.Lost = known.String()
	return s.st.save(map[string]*folderState{raw: fs})
}
