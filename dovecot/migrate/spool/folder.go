package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/imapwire"
	"github.com/ictmedia/schoolmail/internal/retry"
)

const (
	batchMessages = 500
	batchBytes    = 64 << 20
	copyBuffer    = 256 << 10
)

// folderRun is one source folder under way.
type folderRun struct {
	*run
	plan  *PlannedFolder
	fs    *folderState
	res   *FolderResult
	t     *target
	index string // path
	h     indexHeader
	known map[uint32]entry // of the state; what is left at the end has gone at the source
	first bool             // there was no state of this folder
	ready bool             // the target's directories and uidlist are there
	seen  imapwire.Set     // of the user, for old indexes
	live  map[uint32]bool  // the index read again after a file was missing

	names   [128]string // keywords that have a letter
	batch   []arrival
	size    int64
	whole   bool // every record could be read
	pending bool // something is left for the next run
	buf     []byte
}

func (r *run) folder(ctx context.Context, p *PlannedFolder) error {
	if p.err != nil {
		return p.err
	}
	f := &folderRun{run: r, plan: p, index: p.box.meta("cyrus.index"), whole: true}
	file, err := os.Open(f.index)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	x, err := f.records(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", f.index, err)
	}
	f.h = x.h
	if f.h.options&optionDeleted != 0 {
		return nil // it is being deleted
	}
	if err := f.readSeen(); err != nil {
		r.problem(p.Source, 0, ProblemSeen, r.seenFile,
			"what the user has read is not known, and nothing is marked so; it comes with the migration over IMAP: %v", err)
		f.pending = true
	}
	now := f.print(st)
	if f.fs = r.st.folders[p.box.folder]; f.fs != nil {
		switch {
		case f.fs.Validity != f.h.uidValidity:
			return fmt.Errorf("%w: at the source it was %d and is %d", ErrUIDValidity, f.fs.Validity, f.h.uidValidity)
		case f.fs.Print == now:
			r.res.Unchanged++
			return nil
		}
	}
	f.res = &FolderResult{Source: p.Source, Target: p.Target, UIDValidity: f.h.uidValidity}
	r.res.Folders = append(r.res.Folders, f.res)
	if err := f.open(ctx); err != nil {
		return err
	}
	if err := f.keywords(ctx, file); err != nil {
		return err
	}
	if x, err = f.records(ctx, file); err != nil {
		return err
	}
	if err := f.messages(ctx, x); err != nil {
		return err
	}
	if f.ready || f.t.list.exists {
		if err := f.t.end(ctx, f.h.lastUID+1); err != nil {
			return err
		}
	}
	if f.whole && len(f.known) > 0 {
		r.removals = append(r.removals, newRemoval(p.box.folder, f.t, f.known, f.res, f.fs))
	}
	f.fs.Print = ""
	if f.whole && !f.pending && r.now.Sub(st.ModTime()) > 2*time.Second {
		// A file that changed this moment could change again unseen.
		f.fs.Print = now
	}
	return nil
}

// print identifies the contents of the source's files.
func (f *folderRun) print(index os.FileInfo) string {
	s := fmt.Sprintf("%d %d", index.Size(), index.ModTime().UnixNano())
	files := []string{f.plan.box.meta("cyrus.header")}
	if !f.h.seenInIndex() {
		files = append(files, f.seenFile)
	}
	for _, file := range files {
		if st, err := os.Stat(file); err == nil {
			s += fmt.Sprintf(" %d %d", st.Size(), st.ModTime().UnixNano())
		}
	}
	return s
}

// records begins to read the index from the front. Cyrus may be writing to
// it: a header that does not fit its checksum is looked at again.
func (f *folderRun) records(ctx context.Context, file *os.File) (*indexReader, error) {
	for try := 0; ; try++ {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		x, err := newIndexReader(file)
		if err == nil || try == 3 || !errors.Is(err, ErrDamaged) {
			return x, err
		}
		if retry.Sleep(ctx, 20*time.Millisecond) != nil {
			return nil, ctx.Err()
		}
	}
}

// readSeen gets what the user has read from the database of before 2.4.
func (f *folderRun) readSeen() error {
	if f.h.seenInIndex() {
		return nil
	}
	if f.run.seen == nil && f.seenErr == nil {
		inbox := ""
		if f.plan.box.folder == "" {
			inbox = f.plan.header.uniqueID
		}
		f.run.seen, f.seenFile, f.seenErr = f.c.store.userDB(f.acct.source(), inbox, "seen")
	}
	if f.seenErr != nil {
		return f.seenErr
	}
	v, ok := f.run.seen[f.plan.header.uniqueID]
	if !ok {
		return nil // never opened
	}
	var err error
	f.seen, err = parseSeen(v)
	return err
}

// open looks at the target and decides whether the source's UIDs have a place there.
func (f *folderRun) open(ctx context.Context) error {
	p := f.plan
	f.t = &target{d: f.d, dir: p.Dir, inbox: p.raw == "INBOX",
		naming: naming{f.h.uidValidity, folderTag(f.acct.source(), p.box.folder, p.header.uniqueID, f.h.uidValidity)}}
	f.first = f.fs == nil
	if err := f.d.unlockDead(p.Dir); err != nil {
		return err
	}
	if err := f.t.read(f.first || f.fs.Foreign); err != nil {
		return err
	}
	if f.first {
		if l := &f.t.list; l.exists && l.validity != f.h.uidValidity && len(f.t.ours)+f.t.theirs > 0 {
			return fmt.Errorf("%w: the source has %d, and the target has %d and %d messages", ErrUIDValidity, f.h.uidValidity,
				l.validity, len(f.t.ours)+f.t.theirs)
		}
		if err := f.prepare(ctx); err != nil {
			return err
		}
		f.fs = &folderState{Target: p.raw, Validity: f.h.uidValidity, ID: p.header.uniqueID}
		f.st.folders[p.box.folder] = f.fs
	} else if f.t.list.exists && f.t.list.validity != f.h.uidValidity {
		return fmt.Errorf("%w: the source has %d, and the target was made anew with %d", ErrUIDValidity, f.h.uidValidity,
			f.t.list.validity)
	}
	if exists(filepath.Join(p.Dir, "tmp")) {
		if err := f.t.clean(); err != nil {
			return err
		}
	}
	var err error
	if f.known, err = f.st.entries(p.box.folder); err != nil {
		return err
	}
	return nil
}

// prepare makes the target's folder. A folder that the user has removed there
// is made again only when new mail comes.
func (f *folderRun) prepare(ctx context.Context) error {
	if f.ready {
		return nil
	}
	if err := f.t.prepare(); err != nil {
		return err
	}
	if !f.t.list.exists || f.t.list.validity != f.h.uidValidity {
		if err := f.t.begin(ctx, 1); err != nil {
			return err
		}
	}
	f.ready = true
	return nil
}

// keywords gives letters to the keywords that messages have, before any file
// with such a letter is there.
func (f *folderRun) keywords(ctx context.Context, file *os.File) error {
	x, err := f.records(ctx, file)
	if err != nil {
		return err
	}
	var used [4]uint32
	var count [128]int
	for {
		r, err := x.next()
		if _, ok := errors.AsType[*errRecord](err); ok {
			continue // reported in the second reading
		} else if err != nil {
			break
		}
		if r.gone() {
			continue
		}
		for i, k := range r.keywords {
			used[i] |= k
		}
		if r.keywords != [4]uint32{} {
			for n := range count {
				if r.has(n) {
					count[n]++
				}
			}
		}
	}
	var names []string
	for n := range f.names {
		if used[n/32]&(1<<(n%32)) == 0 {
			continue
		}
		name := ""
		if n < len(f.plan.header.keywords) {
			name = f.plan.header.keywords[n]
		}
		clean, refused := imapwire.CleanFlags([]string{name})
		if len(clean) != 1 || strings.HasPrefix(name, `\`) {
			f.problem(f.plan.Source, 0, ProblemKeyword, "",
				"%d messages have keyword %d, %q, which no server would take; they come without it", count[n], n,
				append(refused, name)[0])
			continue
		}
		f.names[n] = name
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil
	}
	if !f.ready && !exists(f.t.dir) {
		// The folder was removed by the user; see prepare. Letters are given when mail comes.
		return nil
	}
	return f.letters(ctx, names, count)
}

func (f *folderRun) letters(ctx context.Context, names []string, count [128]int) error {
	letters, without, err := f.d.addKeywords(ctx, f.t.dir, names)
	if err != nil {
		return err
	}
	f.t.letters = letters
	for n, name := range f.names {
		if name != "" && slices.Contains(without, name) {
			f.problem(f.plan.Source, 0, ProblemKeyword, "",
				"%d messages have the keyword %q, for which there is no room: Maildir holds %d of a folder; they come without it",
				count[n], name, maxKeywords)
			f.names[n] = ""
		}
	}
	return nil
}

var systemFlags = []struct {
	bit    uint32
	name   string
	letter byte
}{
	{bitAnswered, `\Answered`, 'R'},
	{bitDeleted, `\Deleted`, 'T'},
	{bitDraft, `\Draft`, 'D'},
	{bitFlagged, `\Flagged`, 'F'},
	{bitSeen, `\Seen`, 'S'},
}

// flags are those of a record that the target can hold.
func (f *folderRun) flags(r *record) []string {
	var out []string
	for _, s := range systemFlags {
		if r.flags&s.bit != 0 || s.bit == bitSeen && f.seen.Contains(r.uid) {
			out = append(out, s.name)
		}
	}
	if r.keywords != [4]uint32{} {
		for n, name := range f.names {
			if name != "" && r.has(n) && !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

// letterOf is the letter of a flag in file names, 0 if it has none.
func (t *target) letterOf(flag string) byte {
	for _, s := range systemFlags {
		if s.name == flag {
			return s.letter
		}
	}
	if n := letter(&t.letters, flag); n >= 0 {
		return byte('a' + n)
	}
	return 0
}

// messages goes through the index once.
func (f *folderRun) messages(ctx context.Context, x *indexReader) error {
	f.buf = make([]byte, copyBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r, err := x.next()
		if err == io.EOF {
			return f.deliver(ctx)
		}
		if bad, ok := errors.AsType[*errRecord](err); ok {
			// Cyrus may be writing this record: once more, by itself.
			if r, ok = f.again(bad.number); !ok {
				f.lose(&record{uid: bad.uid}, ProblemRecord, f.index, "%v", bad)
				f.whole = false
				continue
			}
		} else if err != nil {
			f.problem(f.plan.Source, 0, ProblemRecord, f.index, "%v", err)
			f.whole = false
			return f.deliver(ctx)
		}
		if r.gone() {
			continue
		}
		if err := f.message(ctx, &r); err != nil {
			return err
		}
		if len(f.batch) >= batchMessages || f.size >= batchBytes {
			if err := f.deliver(ctx); err != nil {
				return err
			}
		}
	}
}

// again reads one record of the file anew.
func (f *folderRun) again(number uint32) (record, bool) {
	file, err := os.Open(f.index)
	if err != nil {
		return record{}, false
	}
	defer file.Close()
	b := make([]byte, f.h.recordSize)
	if _, err := file.ReadAt(b, int64(f.h.headerSize)+int64(number-1)*int64(f.h.recordSize)); err != nil {
		return record{}, false
	}
	r, err := f.h.parseRecord(b)
	return r, err == nil && r.uid > 0 && r.uid <= f.h.lastUID && f.h.version >= crcVersion && f.fits(r.uid)
}

// fits reports whether a record read anew is not one that was met before: the
// file may have been packed meanwhile.
func (f *folderRun) fits(uid uint32) bool {
	return len(f.batch) == 0 || f.batch[len(f.batch)-1].uid < uid
}

// lose reports a message that did not arrive.
func (f *folderRun) lose(r *record, kind, path, format string, args ...any) {
	f.res.Failed++
	f.pending = true
	f.problem(f.plan.Source, r.uid, kind, path, format, args...)
}
