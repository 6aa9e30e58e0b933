package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// deletions follows what has gone at the source, when every folder has been
// copied, unless there is any doubt about it.
type deletions struct {
	*accountRun
	vanished []*folderRun // whole folders
	runs     []*folderRun // with messages that have gone, vanished ones among them
	told     map[*folderRun]bool
}

// hold takes down that a folder's messages stay at the target.
func (d *deletions) hold(f *folderRun, format string, args ...any) {
	if d.told[f] {
		return
	}
	if d.told == nil {
		d.told = map[*folderRun]bool{}
	}
	d.told[f], f.state.Complete = true, false
	d.led.warn(f.Mapping, 0, ProblemHeldBack, "%d messages have gone at the source (%s); they stay at the target",
		f.gone.Len(), fmt.Sprintf(format, args...))
}

// unread holds a folder back when a line of this session could not be read.
func (d *deletions) unread(f *folderRun) bool {
	odd := d.odd()
	if odd > 0 {
		d.hold(f, "%d lines of the servers could not be read, and deletions need a session without any", odd)
	}
	return odd > 0
}

func (d *deletions) run(ctx context.Context) (err error) {
	if d.afterCutOver() {
		return nil
	}
	if d.vanished, err = d.folders(ctx); err != nil {
		return err
	}
	for _, f := range slices.Concat(d.accountRun.runs, d.vanished) {
		if len(f.gone) > 0 {
			d.runs = append(d.runs, f)
		}
	}
	if len(d.runs) > 0 {
		if err := d.st.save(nil); err != nil {
			return err
		}
		held, err := d.suspicious()
		if err != nil || held {
			return err
		}
	}
	for _, f := range d.runs {
		if err := d.messages(ctx, f); err != nil {
			return err
		}
	}
	for _, f := range d.vanished {
		if odd := d.odd(); odd > 0 {
			d.led.find("%q has gone at the source; it stays at the target, since %d lines of the servers could not be read",
				f.Source, odd)
			continue
		}
		if err := d.st.save(nil); err != nil {
			return err
		}
		if err := d.remove(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// folders are those the state knows and the source no longer lists, each asked
// for once more.
func (d *deletions) folders(ctx context.Context) ([]*folderRun, error) {
	var out []*folderRun
	for raw, st := range d.accountRun.folders {
		if st.SrcValidity == 0 || slices.ContainsFunc(d.src.view.Folders,
			func(f Folder) bool { return f.Raw == raw && f.Selectable }) {
			continue
		}
		err := d.src.do(opFolder, raw, func(c *imapwire.Client) error {
			_, err := c.Status(ctx, raw)
			return err
		})
		if err == nil {
			continue
		} else if d.src.lost() {
			return nil, err
		} else if !noSuchMailbox(err) {
			d.led.find("%q is not listed at the source, which answers %q: nothing is deleted at the target",
				d.src.view.name(raw), err)
			continue
		}
		f := &folderRun{accountRun: d.accountRun, lane: d.lane, state: st, validity: st.SrcValidity,
			Mapping: Mapping{SourceRaw: raw, TargetRaw: st.Target}}
		f.Source, f.Target = d.src.view.name(raw), d.dst.view.name(st.Target)
		if err := d.vanishedMessages(ctx, f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *folderRun) int { return strings.Compare(b.SourceRaw, a.SourceRaw) }) // children first
	return out, nil
}

// vanishedMessages collects what had been copied of a folder that is gone, and
// what an interrupted run may have stored of it.
func (d *deletions) vanishedMessages(ctx context.Context, f *folderRun) error {
	if err := d.st.save(nil); err != nil {
		return err
	}
	ghosts, err := d.st.ghosts(f.SourceRaw, f.validity, nil)
	if err != nil {
		return err
	}
	if len(ghosts) > 0 {
		if _, err := f.adopt(ctx, nil, ghosts); err != nil {
			return err
		}
		if err := d.st.save(nil); err != nil {
			return err
		}
	}
	f.gone, _, err = d.st.uids(f.SourceRaw)
	return err
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
	return slices.ContainsFunc([]string{"exist", "no such", "unknown", "not found"},
		func(s string) bool { return strings.Contains(text, s) })
}

// suspicious decides whether the deletions of a run are held back, all together, and reports
// why: after a line that could not be read, or when all or most of a folder, or of the
// account, would go. What has only moved to another folder does not count.
func (d *deletions) suspicious() (held bool, err error) {
	for _, f := range d.runs {
		held = d.unread(f)
	}
	if held {
		return true, nil
	}
	if d.m.opt.AllowDeletions || d.m.opt.MaxDeleted >= 1 {
		return false, nil
	}
	elsewhere, all, err := d.staying()
	if err != nil {
		return false, err
	}
	lost := 0
	for _, f := range d.runs {
		src, _, err := d.st.uids(f.SourceRaw)
		if err != nil {
			return false, err
		}
		n := 0
		if err := d.st.get(f.SourceRaw, f.gone, func(_ uint32, e entry) error {
			if !elsewhere[entryKey{e.size, e.digest}] {
				n++
			}
			return nil
		}); err != nil {
			return false, err
		}
		if lost += n; float64(n) > d.m.opt.MaxDeleted*float64(src.Len()) {
			held = true
			d.hold(f, "%d of the folder's %d, and found in no other folder", n, src.Len())
		}
	}
	if held || float64(lost) > d.m.opt.MaxDeleted*float64(all) {
		held = true
		for _, f := range d.runs {
			d.hold(f, "%d of the account's %d in all", lost, all)
		}
	}
	return held, nil
}

// staying is the content of the messages that are not deleted, and how many
// messages of the account have been copied.
func (d *deletions) staying() (content map[entryKey]bool, all int, err error) {
	gone := map[string]imapwire.Set{}
	for _, f := range d.runs {
		gone[f.SourceRaw] = f.gone
	}
	content = map[entryKey]bool{}
	for raw := range d.accountRun.folders {
		if err := d.st.each(bucketMsgs, raw, func(uid uint32, e entry) error {
			all++
			if e.dst != 0 && !gone[raw].Contains(uid) {
				content[entryKey{e.size, e.digest}] = true
			}
			return nil
		}); err != nil {
			return nil, 0, err
		}
	}
	return content, all, nil
}

// messages removes the messages of one folder that are gone at the source,
// except those another source folder still has.
func (d *deletions) messages(ctx context.Context, f *folderRun) error {
	dst, err := d.targets(f)
	if err != nil {
		return err
	}
	if len(dst) > 0 && !d.m.opt.KeepDeleted && d.dst.status[f.TargetRaw] != nil {
		if err := f.openTarget(ctx); err != nil {
			return err
		}
		if d.unread(f) { // since they were found harmless
			return nil
		}
		if err := d.dst.do(opDelete, f.TargetRaw, func(c *imapwire.Client) error {
			if err := c.StoreFlags(ctx, dst, "+", []string{`\Deleted`}); err != nil {
				return err
			}
			return c.Expunge(ctx, dst)
		}); err != nil {
			return err
		}
		n := dst.Len()
		d.led.count(f.Mapping, func(r *Result, o *FolderResult) { r.Deleted, o.Deleted = r.Deleted+n, o.Deleted+n })
	}
	for uid := range f.gone.All() {
		if err := d.st.remove(f.SourceRaw, uid); err != nil {
			return err
		}
	}
	return nil
}

// targets are the target's UIDs of the messages that have gone, without those
// that anything else shares.
func (d *deletions) targets(f *folderRun) (imapwire.Set, error) {
	others, err := f.ownedByOthers()
	if err != nil {
		return nil, err
	}
	// The folder's own remaining messages can share a target message only by
	// mistake; that mistake must not delete anything.
	var dst, rest imapwire.Set
	if err := d.st.each(bucketMsgs, f.SourceRaw, func(uid uint32, e entry) error {
		switch {
		case e.dst == 0:
		case f.gone.Contains(uid):
			dst.Add(e.dst)
		default:
			rest.Add(e.dst)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return dst.Without(others).Without(rest), nil
}

// remove removes a target folder that we made, whose source is gone and in
// which nothing is left.
func (d *deletions) remove(ctx context.Context, f *folderRun) error {
	shared := false
	for raw, o := range d.accountRun.folders {
		shared = shared || raw != f.SourceRaw && o.Target == f.TargetRaw
	}
	special := slices.ContainsFunc(d.dst.view.Folders, func(t Folder) bool {
		return t.Raw == f.TargetRaw &&
			t.Role != Ordinary
	})
	if f.state.Created && !shared && !special && !d.m.opt.KeepDeleted && d.dst.status[f.TargetRaw] != nil {
		st, err := d.dst.state(ctx, f.TargetRaw)
		if err != nil {
			return err
		}
		if st != nil && st.Messages == 0 {
			d.dst.selected = ""
			if err := d.dst.do(opDelete, f.TargetRaw, func(c *imapwire.Client) error {
				c.Unselect(ctx)
				c.Unsubscribe(ctx, f.TargetRaw)
				return c.Delete(ctx, f.TargetRaw)
			}); err != nil {
				d.led.find("the empty folder %q could not be removed at the target: %v", f.Target, err)
			}
		}
	}
	delete(d.accountRun.folders, f.SourceRaw)
	return d.st.forget(f.SourceRaw)
}
