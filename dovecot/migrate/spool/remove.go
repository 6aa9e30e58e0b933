package spool

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// removal is what has gone at the source in one folder.
type removal struct {
	folder string
	t      *target
	uids   []uint32
	files  []string // "" where the target has none any more
	result *FolderResult
	state  *folderState
}

// vanished gathers what was delivered from folders that the source no longer has.
func (r *run) vanished(boxes []mailbox, p *Plan) error {
	var gone []string
	for name := range r.st.folders {
		if !slices.ContainsFunc(boxes, func(b mailbox) bool { return b.folder == name }) {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	slices.Sort(gone)
	if bad, err := r.c.Unreadable(); err != nil || len(bad) > 0 {
		r.find("folders have gone at the source, or are among those whose header is damaged (%s); nothing is deleted "+
			"for them", strings.Join(bad, ", "))
		return err
	}
	for _, name := range gone {
		fs := r.st.folders[name]
		source := strings.Join(r.c.display(name), "/")
		dir, err := r.c.dir(r.acct.Maildir, fs.Target)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(p.Folders, func(f PlannedFolder) bool { return f.Dir == dir }) {
			r.find("%q is gone at the source and another folder has taken its place at the target; its messages stay there",
				source)
			if err := r.forget(name); err != nil {
				return err
			}
			continue
		}
		t := &target{d: r.d, dir: dir, naming: naming{fs.Validity, folderTag(r.acct.source(), name, fs.ID, fs.Validity)}}
		if err := t.read(fs.Foreign); err != nil {
			return err
		}
		known, err := r.st.entries(name)
		if err != nil {
			return err
		}
		res := &FolderResult{Source: source, Target: fs.Target, UIDValidity: fs.Validity}
		r.res.Folders = append(r.res.Folders, res)
		r.find("%q is gone at the source; the folder at the target stays, without the messages that came from there", source)
		r.removals = append(r.removals, newRemoval(name, t, known, res, nil))
	}
	return nil
}

func newRemoval(folder string, t *target, gone map[uint32]entry, res *FolderResult, st *folderState) removal {
	m := removal{folder: folder, t: t, result: res, state: st}
	for uid := range gone {
		m.uids = append(m.uids, uid)
	}
	slices.Sort(m.uids)
	for _, uid := range m.uids {
		m.files = append(m.files, t.find(uid).name)
	}
	return m
}

// remove follows deletions, when all folders have been dealt with: a message
// that moved is at the target at every moment.
func (r *run) remove() error {
	gone := 0
	for _, m := range r.removals {
		gone += len(m.uids)
	}
	known := 0
	if gone > 20 && !r.c.opt.KeepDeleted {
		if err := r.st.save(r.d); err != nil {
			return err
		}
		var err error
		if known, err = r.st.count(); err != nil {
			return err
		}
	}
	if gone > 20 && float64(gone) > r.c.opt.MaxDeleted*float64(known) && !r.c.opt.KeepDeleted {
		for _, m := range r.removals {
			if len(m.uids) == 0 {
				continue
			}
			r.problem(m.result.Source, 0, ProblemHeldBack, "",
				"%d messages have gone at the source (%d of %d in the account, more than the limit); they stay at the target",
				len(m.uids), gone, known)
			if m.state != nil {
				m.state.Print = ""
			}
		}
		return nil
	}
	for _, m := range r.removals {
		if err := r.removeMessages(m); err != nil {
			return err
		}
		if m.state == nil {
			if err := r.forget(m.folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeMessages removes those of one folder.
func (r *run) removeMessages(m removal) error {
	for i, uid := range m.uids {
		if m.files[i] != "" && !r.c.opt.KeepDeleted {
			err := r.d.remove(filepath.Join(m.t.dir, m.files[i]))
			if err == nil {
				m.result.Removed++
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			} else if m.t.moved(uid) {
				// Its flags changed this moment; the next run finds it.
				if m.state != nil {
					m.state.Print = ""
				}
				continue
			}
		}
		r.st.remove(m.folder, uid)
		if err := r.st.saveSometimes(r.d); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) forget(folder string) error {
	if err := r.st.save(r.d); err != nil {
		return err
	}
	if err := r.d.step("state", folder); err != nil {
		return err
	}
	return r.st.forget(folder)
}
