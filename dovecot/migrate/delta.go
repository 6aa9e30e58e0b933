package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// syncFolder brings one source folder over: new messages, then flags.
// Deletions wait until every folder is done, so that a message that moved
// between two folders is at the target at every moment.
func (s *session) syncFolder(ctx context.Context, f *folderRun) error {
	sel, err := s.selectSource(ctx, f.SourceRaw)
	if err != nil {
		if s.src.Err() != nil {
			return fmt.Errorf("source: %w", err)
		}
		s.lose(f, 0, ProblemFolder, "the source does not open the folder: %v", err)
		return nil
	}
	if err := s.validity(f, sel); err != nil {
		return err
	}
	sel, live, st, err := s.live(ctx, f, sel)
	if err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if err := s.st.flush(f.SourceRaw); err != nil {
		return err
	}
	if err := s.target(ctx, f); err != nil {
		return err
	}
	known, _, err := s.st.uids(f.SourceRaw)
	if err != nil {
		return err
	}
	fresh := live.Without(known)
	f.gone = known.Without(live)
	if odd := contradiction(sel, st, live.Len()); odd != "" {
		s.lose(f, 0, ProblemFolder, "the source contradicts itself (%s): nothing is deleted at the target", odd)
		f.gone = nil
	} else if st == nil && len(f.gone) > 0 {
		s.lose(f, 0, ProblemFolder, "the source refuses STATUS, without which nothing is deleted at the target")
		f.gone = nil
	}
	f.validity = sel.UIDValidity
	old := known.Without(f.gone)
	ghosts, err := s.ghosts(f, sel.UIDValidity, live)
	if err != nil {
		return err
	}

	if len(fresh)+len(ghosts) > 0 {
		rest, err := s.adopt(ctx, f, fresh, ghosts)
		if err != nil {
			return err
		}
		if err := s.bound(f); err != nil {
			return err
		}
		if len(rest) > 0 {
			if err := s.copyAll(ctx, f, rest); err != nil {
				return err
			}
		}
	}
	if len(old) > 0 && !s.afterCutOver() && (sel.HighestModSeq == 0 || sel.HighestModSeq != f.state.SrcModSeq) {
		if err := s.flags(ctx, f, old, sel); err != nil {
			return err
		}
	}
	if f.appended > 0 {
		f.state.DstBound = max(f.state.DstBound, f.appended+1)
	}
	f.state.SrcValidity, f.state.SrcNext = sel.UIDValidity, sel.UIDNext
	f.state.SrcModSeq, f.state.SrcMessages = sel.HighestModSeq, uint32(live.Len())
	f.state.Complete = f.failed == 0
	if !f.renumbered {
		return nil
	}
	return s.st.dropOld(f.SourceRaw)
}

// live asks for all UIDs of a source folder until their number is what SELECT and STATUS
// count, three times at most: mail that comes and goes meanwhile makes them differ.
// st is nil where the server refuses STATUS.
func (s *session) live(ctx context.Context, f *folderRun, sel *imapwire.Selected) (_ *imapwire.Selected, live imapwire.Set, st *imapwire.Status, err error) {
	st = s.srcStatus[f.SourceRaw]
	for attempt := 1; ; attempt++ {
		if live = nil; sel.Messages > 0 || st == nil || st.Messages > 0 {
			if live, err = s.src.Search(ctx, "ALL"); err != nil {
				return sel, nil, nil, err
			}
		}
		if st == nil || st.Messages != sel.Messages {
			if st, err = s.src.Status(ctx, f.SourceRaw); s.src.Err() != nil {
				return sel, nil, nil, err
			} else if err != nil {
				st = nil
			}
		}
		if contradiction(sel, st, live.Len()) == "" || attempt == 3 {
			return sel, live, st, nil
		}
		if sel, err = s.selectSource(ctx, f.SourceRaw); err != nil {
			return sel, nil, nil, err
		}
		st = nil
	}
}

// contradiction says in which way a folder's counts differ, "" if they agree.
func contradiction(sel *imapwire.Selected, st *imapwire.Status, listed int) string {
	if int(sel.Messages) == listed && (st == nil || st.Messages == sel.Messages) {
		return ""
	}
	counted := "nothing"
	if st != nil {
		counted = fmt.Sprint(st.Messages)
	}
	return fmt.Sprintf("SELECT counts %d messages, STATUS %s, SEARCH lists %d", sel.Messages, counted, listed)
}

// validity handles a UIDVALIDITY that changed on either side.
func (s *session) validity(f *folderRun, sel *imapwire.Selected) error {
	st := f.state
	ds := s.dstStatus[f.TargetRaw]
	if ds != nil && st.DstValidity != 0 && st.DstValidity != ds.UIDValidity && s.afterCutOver() && !s.renewed {
		// Its user has removed it and made another: what was in it stays away.
		if err := s.st.flush(f.SourceRaw); err != nil {
			return err
		}
		if err := s.forgetTargets(f.SourceRaw); err != nil {
			return err
		}
		st.DstValidity, st.DstBound = ds.UIDValidity, max(ds.UIDNext, 1)
	}
	if ds != nil && st.DstValidity != 0 && st.DstValidity != ds.UIDValidity {
		// The folder at the target is another one: nothing of ours is in it for sure.
		s.find("%q was made anew at the target: what it lacks is copied again", f.Target)
		if err := s.st.drop(f.SourceRaw, false); err != nil {
			return err
		}
		st.DstValidity, st.DstBound, st.SrcModSeq = ds.UIDValidity, 0, 0
	}
	if st.SrcValidity != 0 && st.SrcValidity != sel.UIDValidity {
		// The source numbers its messages anew: they are recognised by content.
		f.renumbered = true
		s.find("%q has new UIDs at the source: messages are recognised by content", f.Source)
		if err := s.st.drop(f.SourceRaw, true); err != nil {
			return err
		}
		st.SrcValidity, st.SrcModSeq, st.DstBound = sel.UIDValidity, 0, 0
		return s.st.save(map[string]*folderState{f.SourceRaw: st})
	}
	return nil
}

// bound records up to where the target's messages are accounted for.
func (s *session) bound(f *folderRun) error {
	if f.state.DstBound > 0 && f.state.DstBound >= f.seen && f.appended < f.state.DstBound {
		return nil
	}
	f.state.DstBound = max(f.state.DstBound, f.seen, f.appended+1)
	return s.st.save(map[string]*folderState{f.SourceRaw: f.state})
}

// flags carries changed flags over: what the source added or removed since it
// was last looked at, so that changes the user made at the target stay.
func (s *session) flags(ctx context.Context, f *folderRun, old imapwire.Set, sel *imapwire.Selected) error {
	mod := ""
	if sel.HighestModSeq != 0 && f.state.SrcModSeq != 0 {
		mod = fmt.Sprintf("(CHANGEDSINCE %d)", f.state.SrcModSeq)
	}
	n := 0
	for _, part := range old.Chunks(5 * fetchCount) {
		now := map[uint32][]string{}
		var touched imapwire.Set
		if err := s.src.Fetch(ctx, part, "FLAGS", mod, func(m *imapwire.Message, _ io.Reader, _ int64) error {
			if m.HasFlags && part.Contains(m.UID) {
				flags, bad := imapwire.CleanFlags(m.Flags)
				if len(bad) > 0 {
					s.problem(f, m.UID, ProblemKeyword, "kept without the keywords %q, which no server would take", bad)
				}
				now[m.UID] = flags
				touched.Add(m.UID)
			}
			return nil
		}); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		changes := map[string]*imapwire.Set{}
		type update struct {
			uid uint32
			e   entry
		}
		var updates []update
		if err := s.st.get(f.SourceRaw, touched, func(uid uint32, e entry) error {
			add, remove := flagChanges(e.flags, now[uid])
			if len(add)+len(remove) == 0 {
				return nil
			}
			e.flags = now[uid]
			updates = append(updates, update{uid, e})
			if e.dst != 0 {
				collect(changes, e.dst, add, remove)
			}
			return nil
		}); err != nil {
			return err
		}
		if err := s.storeFlags(ctx, f, changes); err != nil {
			return err
		}
		for _, u := range updates {
			if err := s.st.put(f.SourceRaw, u.uid, u.e); err != nil {
				return err
			}
		}
		n += len(updates)
	}
	if n > 0 {
		s.result(f).Flags += n
		s.res.Flags += n
	}
	return nil
}

// forgetTargets marks all of a folder's messages as deleted at the target.
func (s *session) forgetTargets(raw string) error {
	type update struct {
		uid uint32
		e   entry
	}
	var all []update
	if err := s.st.each(bucketMsgs, raw, func(uid uint32, e entry) error {
		e.dst = 0
		all = append(all, update{uid, e})
		return nil
	}); err != nil {
		return err
	}
	for _, u := range all {
		if err := s.st.put(raw, u.uid, u.e); err != nil {
			return err
		}
	}
	return nil
}

// deletions follows what has gone at the source, as the options say.
func (s *session) deletions(ctx context.Context) error {
	if s.afterCutOver() {
		return nil
	}
	var runs []*folderRun
	vanished, err := s.vanishedFolders(ctx)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(s.runs, vanished) {
		if len(f.gone) > 0 {
			runs = append(runs, f)
		}
	}
	if len(runs) > 0 {
		if err := s.st.save(nil); err != nil {
			return err
		}
		held, err := s.suspicious(runs)
		if err != nil {
			return err
		}
		if held {
			return nil
		}
	}
	for _, f := range runs {
		if err := s.deleteGone(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range vanished {
		if err := s.st.save(nil); err != nil {
			return err
		}
		if err := s.removeFolder(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// suspicious decides whether the deletions of a run are held back, all together, and reports
// why: after a line that could not be read, or when all or most of a folder, or of the
// account, would go. What has only moved to another folder does not count.
func (s *session) suspicious(runs []*folderRun) (held bool, err error) {
	hold := func(f *folderRun, format string, args ...any) {
		held = true
		s.problem(f, 0, ProblemHeldBack, "%d messages have gone at the source (%s); they stay at the target",
			f.gone.Len(), fmt.Sprintf(format, args...))
	}
	defer func() {
		for _, f := range runs {
			f.state.Complete = f.state.Complete && !held
		}
	}()
	if odd := s.src.OddCount + s.dst.OddCount; odd > 0 {
		for _, f := range runs {
			hold(f, "%d lines of the servers could not be read, and deletions need a session without any", odd)
		}
		return held, nil
	}
	if s.m.opt.AllowDeletions || s.m.opt.MaxDeleted >= 1 {
		return false, nil
	}
	elsewhere, err := s.staying(runs)
	if err != nil {
		return false, err
	}
	all, lost := 0, 0
	for raw := range s.folders {
		src, _, err := s.st.uids(raw)
		if err != nil {
			return false, err
		}
		all += src.Len()
	}
	for _, f := range runs {
		src, _, err := s.st.uids(f.SourceRaw)
		if err != nil {
			return false, err
		}
		n := 0
		if err := s.st.get(f.SourceRaw, f.gone, func(_ uint32, e entry) error {
			if !elsewhere[entryKey{e.size, e.digest}] {
				n++
			}
			return nil
		}); err != nil {
			return false, err
		}
		if lost += n; float64(n) > s.m.opt.MaxDeleted*float64(src.Len()) {
			hold(f, "%d of the folder's %d, and found in no other folder", n, src.Len())
		}
	}
	if !held && float64(lost) > s.m.opt.MaxDeleted*float64(all) {
		for _, f := range runs {
			hold(f, "%d of the account's %d", lost, all)
		}
	}
	return held, nil
}

// staying is the content of the messages that no run deletes.
func (s *session) staying(runs []*folderRun) (map[entryKey]bool, error) {
	gone := map[string]imapwire.Set{}
	for _, f := range runs {
		gone[f.SourceRaw] = f.gone
	}
	out := map[entryKey]bool{}
	for raw := range s.folders {
		if err := s.st.each(bucketMsgs, raw, func(uid uint32, e entry) error {
			if e.dst != 0 && !gone[raw].Contains(uid) {
				out[entryKey{e.size, e.digest}] = true
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// vanishedFolders are those the state knows and the source no longer lists,
// each asked for once more.
func (s *session) vanishedFolders(ctx context.Context) ([]*folderRun, error) {
	var out []*folderRun
	for raw, st := range s.folders {
		if st.SrcValidity == 0 || slices.ContainsFunc(s.srcView.Folders, func(f Folder) bool { return f.Raw == raw && f.Selectable }) {
			continue
		}
		if _, err := s.src.Status(ctx, raw); err == nil {
			continue
		} else if s.src.Err() != nil {
			return nil, fmt.Errorf("source: %w", err)
		} else if !noSuchMailbox(err) {
			s.find("%q is not listed at the source, which answers %q: nothing is deleted at the target", s.srcView.name(raw), err)
			continue
		}
		if err := s.st.save(nil); err != nil {
			return nil, err
		}
		f := &folderRun{state: st, Mapping: Mapping{SourceRaw: raw, TargetRaw: st.Target}}
		f.Source, f.Target = s.srcView.name(raw), s.dstView.name(st.Target)
		ghosts, err := s.ghosts(f, st.SrcValidity, nil)
		if err != nil {
			return nil, err
		}
		if len(ghosts) > 0 {
			if _, err := s.adopt(ctx, f, nil, ghosts); err != nil {
				return nil, err
			}
			if err := s.st.save(nil); err != nil {
				return nil, err
			}
		}
		if f.gone, _, err = s.st.uids(raw); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *folderRun) int { return strings.Compare(b.SourceRaw, a.SourceRaw) }) // children first
	return out, nil
}

// noSuchMailbox reports whether a refusal says that the mailbox does not
// exist. A backend that is down or a missing right is no reason to delete anything.
func noSuchMailbox(err error) bool {
	if imapwire.IsCode(err, "NONEXISTENT") {
		return true
	}
	e, ok := errors.AsType[*imapwire.Error](err)
	if !ok || e.Status != "NO" || e.Code != "" {
		return false
	}
	text := strings.ToLower(e.Text)
	return slices.ContainsFunc([]string{"exist", "no such", "unknown", "not found"}, func(s string) bool { return strings.Contains(text, s) })
}

// deleteGone removes the messages of one folder that are gone at the source,
// except those another source folder still has.
func (s *session) deleteGone(ctx context.Context, f *folderRun) error {
	var dst imapwire.Set
	if err := s.st.get(f.SourceRaw, f.gone, func(_ uint32, e entry) error {
		if e.dst != 0 {
			dst.Add(e.dst)
		}
		return nil
	}); err != nil {
		return err
	}
	others, err := s.ownedByOthers(f)
	if err != nil {
		return err
	}
	// The folder's own remaining messages can share a target message only by
	// mistake; that mistake must not delete anything.
	var rest imapwire.Set
	if err := s.st.each(bucketMsgs, f.SourceRaw, func(uid uint32, e entry) error {
		if e.dst != 0 && !f.gone.Contains(uid) {
			rest.Add(e.dst)
		}
		return nil
	}); err != nil {
		return err
	}
	dst = dst.Without(others).Without(rest)
	if len(dst) > 0 && !s.m.opt.KeepDeleted && s.dstStatus[f.TargetRaw] != nil {
		if err := s.selectTarget(ctx, f); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if err := s.dst.StoreFlags(ctx, dst, "+", []string{`\Deleted`}); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		if err := s.dst.Expunge(ctx, dst); err != nil {
			return fmt.Errorf("target: %w", err)
		}
		s.result(f).Deleted += dst.Len()
		s.res.Deleted += dst.Len()
	}
	for uid := range f.gone.All() {
		if err := s.st.remove(f.SourceRaw, uid); err != nil {
			return err
		}
	}
	return nil
}

// removeFolder removes a target folder that we made, whose source is gone and
// in which nothing is left.
func (s *session) removeFolder(ctx context.Context, f *folderRun) error {
	shared := false
	for raw, o := range s.folders {
		shared = shared || raw != f.SourceRaw && o.Target == f.TargetRaw
	}
	special := slices.ContainsFunc(s.dstView.Folders, func(d Folder) bool { return d.Raw == f.TargetRaw && d.Role != Ordinary })
	if f.state.Created && !shared && !special && !s.m.opt.KeepDeleted && s.dstStatus[f.TargetRaw] != nil {
		st, err := s.dst.Status(ctx, f.TargetRaw)
		if s.dst.Err() != nil {
			return fmt.Errorf("target: %w", err)
		}
		if err == nil && st.Messages == 0 {
			s.dst.Unselect(ctx)
			s.dstSelected = ""
			s.dst.Unsubscribe(ctx, f.TargetRaw)
			if err := s.dst.Delete(ctx, f.TargetRaw); err != nil {
				s.find("the empty folder %q could not be removed at the target: %v", f.Target, err)
			}
		}
	}
	delete(s.folders, f.SourceRaw)
	return s.st.forget(f.SourceRaw)
}
