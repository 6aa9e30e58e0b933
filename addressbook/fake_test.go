package addressbook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// fakeStore is a context in memory, as strict as Open-Xchange where it
// matters: titles are unique per parent, permissions are replaced, locks hold.
type fakeStore struct {
	mu       sync.Mutex
	snap     Snapshot
	next     int
	clock    int64
	requests int
	// crash is called before (after=false) and after each request; its error
	// ends the request.
	crash   func(request int, after bool) error
	reading bool // the request at hand is a Load
	refuse  func(Op) error
}

func newFake(self schoolmail.UserID, users []User, groups []Group) *fakeStore {
	return &fakeStore{snap: Snapshot{Self: self, Users: users, Groups: groups}, next: 100, clock: 1}
}

func (s *fakeStore) request(ctx context.Context, f func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	n := s.requests
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.crash != nil {
		if err := s.crash(n, false); err != nil {
			return err
		}
	}
	s.reading = false
	f()
	if s.crash != nil {
		return s.crash(n, true)
	}
	return nil
}

func cloneSnapshot(s Snapshot) Snapshot {
	s.Users = slices.Clone(s.Users)
	s.Groups = slices.Clone(s.Groups)
	s.Folders = slices.Clone(s.Folders)
	for i := range s.Folders {
		s.Folders[i].Entries = slices.Clone(s.Folders[i].Entries)
	}
	return s
}

func (s *fakeStore) Load(ctx context.Context) (out Snapshot, err error) {
	err = s.request(ctx, func() { s.reading = true; out = cloneSnapshot(s.snap) })
	for i := range out.Folders {
		if out.Folders[i].CreatedBy != out.Self {
			out.Folders[i].Entries = nil
		}
	}
	return out, err
}

func (s *fakeStore) Reload(ctx context.Context, old Snapshot, touched []string) (Snapshot, error) {
	now, err := s.Load(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	known := map[string][]Stored{}
	for _, f := range old.Folders {
		known[f.ID] = f.Entries
	}
	for i, f := range now.Folders {
		if entries, ok := known[f.ID]; ok && !slices.Contains(touched, f.ID) {
			now.Folders[i].Entries = entries
		}
	}
	return now, nil
}

func (s *fakeStore) folder(id string) *Folder {
	for i := range s.snap.Folders {
		if s.snap.Folders[i].ID == id {
			return &s.snap.Folders[i]
		}
	}
	return nil
}

func (s *fakeStore) id() string { s.next++; return strconv.Itoa(s.next) }

func (s *fakeStore) Write(ctx context.Context, ops []Op) ([]Result, error) {
	results := make([]Result, len(ops))
	for i := range results {
		results[i].Err = errors.New("not sent")
	}
	const batch = 7
	for start := 0; start < len(ops); start += batch {
		part := ops[start:min(start+batch, len(ops))]
		err := s.request(ctx, func() {
			for i, op := range part {
				results[start+i] = s.do(op)
			}
		})
		if err != nil {
			for i := range part {
				results[start+i] = Result{Err: err}
			}
			return results, err
		}
	}
	return results, nil
}

func (s *fakeStore) do(op Op) Result {
	s.clock++
	if s.refuse != nil {
		if err := s.refuse(op); err != nil {
			return Result{Err: err}
		}
	}
	fail := func(format string, args ...any) Result { return Result{Err: fmt.Errorf(format, args...)} }
	switch op := op.(type) {
	case CreateFolder:
		if op.Parent != PublicFolder && s.folder(op.Parent) == nil {
			return fail("no parent %q", op.Parent)
		}
		for _, f := range s.snap.Folders {
			if f.Parent == op.Parent && f.Title == strings.TrimSpace(op.Title) {
				return fail("%q: %w", op.Title, ErrExists)
			}
		}
		f := Folder{ID: s.id(), Parent: op.Parent, Title: strings.TrimSpace(op.Title), CreatedBy: s.snap.Self,
			Permissions: slices.Clone(op.Permissions)}
		s.snap.Folders = append(s.snap.Folders, f)
		return Result{ID: f.ID}
	case UpdateFolder:
		f := s.folder(op.ID)
		if f == nil {
			return fail("no folder %q", op.ID)
		}
		title, parent := f.Title, f.Parent
		if op.Title != "" {
			title = op.Title
		}
		if op.Parent != "" {
			parent = op.Parent
		}
		for _, o := range s.snap.Folders {
			if o.ID != f.ID && o.Parent == parent && o.Title == title {
				return fail("%q: %w", title, ErrExists)
			}
		}
		f.Title, f.Parent = title, parent
		if op.Permissions != nil {
			f.Permissions = slices.Clone(op.Permissions)
		}
		return Result{ID: f.ID}
	case DeleteFolder:
		if s.folder(op.ID) == nil {
			return fail("no folder %q", op.ID)
		}
		s.remove(op.ID)
		return Result{}
	case AddEntry:
		f := s.folder(op.Folder)
		if f == nil {
			return fail("no folder %q", op.Folder)
		}
		e := Stored{ID: s.id(), Modified: s.clock, Entry: op.Entry}
		f.Entries = append(f.Entries, e)
		return Result{ID: e.ID}
	case ChangeEntry:
		f := s.folder(op.Folder)
		for i := range f.Entries {
			if e := &f.Entries[i]; e.ID == op.Before.ID {
				if e.Modified > op.Before.Modified {
					return fail("conflict")
				}
				e.Entry, e.Modified = op.After, s.clock
				return Result{ID: e.ID}
			}
		}
		return fail("no entry")
	case DropEntry:
		f := s.folder(op.Folder)
		for i, e := range f.Entries {
			if e.ID == op.Entry.ID {
				if e.Modified > op.Entry.Modified {
					return fail("conflict")
				}
				f.Entries = slices.Delete(f.Entries, i, i+1)
				return Result{ID: e.ID}
			}
		}
		return fail("no entry")
	}
	return fail("unknown operation %T", op)
}

func (s *fakeStore) remove(id string) {
	for _, f := range slices.Clone(s.snap.Folders) {
		if f.Parent == id {
			s.remove(f.ID)
		}
	}
	s.snap.Folders = slices.DeleteFunc(s.snap.Folders, func(f Folder) bool { return f.ID == id })
}

// Fill imports in chunks of five; a crash leaves the chunks before it.
func (s *fakeStore) Fill(ctx context.Context, folder string, people []Entry) ([]Result, error) {
	results := make([]Result, 0, len(people))
	for part := range slices.Chunk(people, 5) {
		err := s.request(ctx, func() {
			for _, e := range part {
				results = append(results, s.do(AddEntry{Folder: folder, Entry: e}))
			}
		})
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// shape is what a context shows, without ids and times: one line per
// folder, permission and entry.
func (s *fakeStore) shape() string { return shape(s.snap) }

func shape(s Snapshot) string {
	paths := map[string]string{PublicFolder: ""}
	for range s.Folders { // enough rounds for any depth
		for _, f := range s.Folders {
			if p, ok := paths[f.Parent]; ok {
				paths[f.ID] = p + "/" + f.Title
			}
		}
	}
	var lines []string
	for _, f := range s.Folders {
		p := paths[f.ID]
		lines = append(lines, fmt.Sprintf("%s [%s]", p, permissionText(f.Permissions, 99)))
		for _, e := range f.Entries {
			lines = append(lines, fmt.Sprintf("%s > %s %s", p, e.Key, e.text()))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
