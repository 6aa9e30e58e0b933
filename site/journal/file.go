package journal

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// storage is what a File needs of its file; tests put a failing one there.
type storage interface {
	io.Writer
	io.ReaderAt
	Sync() error
}

// File is a journal in a file. Its methods are safe for concurrent use.
type File struct {
	path      string
	names     Names
	file      *os.File
	unlock    func() error
	recovered int64

	write sync.Mutex // held while a batch is written; order: write before mu
	out   storage

	mu     sync.Mutex
	number int    // of the file
	text   text   // after the last entry, written or in the batch
	count  int    // entries, written or in the batch
	chain  hash   // after the last batch on stable storage
	size   int64  // bytes on stable storage
	next   *batch // entries waiting for the next write
	broken error  // set by a failed write and by Close
	syncs  int
}

var _ schoolmail.Journal = (*File)(nil)

// batch is a number of entries that are written and synced together.
type batch struct {
	data    []byte
	written bool
	err     error
}

// maxEntry is the longest entry in bytes, far more than one ever needs.
const maxEntry = 1<<20 - 64

// Options say how a journal is kept. The zero value works.
type Options struct {
	Names Names // nil: entries are kept as they are
}

// Names keeps what names people outside the journal, so that it can be forgotten
// without breaking the chain of hashes. An error of either ends what the journal was
// asked to do, before anything of it is written.
type Names interface {
	// Hide takes out of an entry that is about to be written what names a person.
	Hide(*schoolmail.JournalEntry) error
	// Show puts it back into one that was read, as far as it is still known.
	Show(*schoolmail.JournalEntry) error
}

// unnamed keeps entries as they are.
type unnamed struct{}

func (unnamed) Hide(*schoolmail.JournalEntry) error { return nil }
func (unnamed) Show(*schoolmail.JournalEntry) error { return nil }

func (o *Options) names() Names {
	if o == nil || o.Names == nil {
		return unnamed{}
	}
	return o.Names
}

// Open opens the journal or begins a new one; its directory must exist. One of
// format 1 is closed and carried on in format 2. Errors: [ErrLocked], a
// [*CorruptError], or what the file system says. A nil opts is the zero value.
func Open(path string, opts *Options) (*File, error) {
	unlock, err := lock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("journal: open: %s: %w", path, err)
	}
	j := &File{path: path, names: opts.names(), unlock: unlock, number: 1}
	if err := j.open(); err != nil {
		if j.file != nil {
			err = errors.Join(err, j.file.Close())
		}
		return nil, errors.Join(err, unlock())
	}
	return j, nil
}

// open reads the file, cuts off an unfinished end and writes the head of a new
// journal.
func (j *File) open() error {
	fail := func(err error) error { return fmt.Errorf("journal: open: %w", err) }
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fail(err)
	}
	j.file, j.out = f, f
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	c, err := read(j.path, io.NewSectionReader(f, 0, info.Size()), false,
		func(schoolmail.JournalEntry) bool { return true })
	if err != nil {
		return err
	}
	if j.recovered = info.Size() - c.good; j.recovered > 0 {
		if err := f.Truncate(c.good); err != nil {
			return fmt.Errorf("journal: cut off the unfinished end: %w", err)
		}
	}
	switch c.format {
	case 0:
		h := head(1, hash{})
		if _, err := f.WriteString(h); err != nil {
			return fmt.Errorf("journal: begin: %w", err)
		}
		c = contents{number: 1, last: hash{}.link([]byte(h)), good: int64(len(h))}
	case 1:
		j.number, j.size = 1, c.good
		return j.Rotate()
	}
	j.take(&c)
	if err := f.Sync(); err != nil {
		return fmt.Errorf("journal: begin: %w", err)
	}
	return atomicfile.SyncDir(filepath.Dir(j.path))
}

// take goes on from what was read.
func (j *File) take(c *contents) {
	j.number, j.chain, j.size, j.count, j.text = c.number, c.last, c.good, c.entries, c.text
	j.text.numbers = map[stepRef]int{{}: 0}
	for i, r := range j.text.refs {
		j.text.numbers[r] = i + 1
	}
	j.text.refs = nil
}

// Recovered returns how many bytes of unfinished entries Open cut off.
func (j *File) Recovered() int64 { return j.recovered }

// Append adds entries and returns when they are on stable storage, all of them or,
// after a crash, none. After an error they may or may not be there, and the journal
// takes no more.
func (j *File) Append(entries ...schoolmail.JournalEntry) error {
	if len(entries) == 0 {
		return nil
	}
	entries = slices.Clone(entries)
	for i := range entries {
		if err := j.names.Hide(&entries[i]); err != nil {
			return fmt.Errorf("journal: append: %w", err)
		}
		if err := check(&entries[i]); err != nil {
			return fmt.Errorf("journal: append: %w", err)
		}
	}
	j.mu.Lock()
	if err := j.broken; err != nil {
		j.mu.Unlock()
		return fmt.Errorf("journal: append: %w", err)
	}
	if j.next == nil {
		j.next = &batch{}
	}
	b := j.next
	for i := range entries {
		b.data = j.text.encode(b.data, &entries[i])
	}
	j.count += len(entries)
	j.mu.Unlock()

	// Whoever comes first writes for all that wait; the others find their batch
	// written. Batches are written in order, so the one to write is the next.
	j.write.Lock()
	defer j.write.Unlock()
	if !b.written {
		j.mu.Lock()
		j.next = nil
		err := j.broken
		j.mu.Unlock()
		j.flush(b, err)
	}
	if b.err != nil {
		return fmt.Errorf("journal: append: %w", b.err)
	}
	return nil
}

// flush writes a batch and its hash, unless an earlier one failed.
func (j *File) flush(b *batch, err error) {
	next := j.chain.link(b.data)
	b.data = fmt.Appendf(b.data, "=%s\n", next)
	if err == nil {
		_, err = j.out.Write(b.data)
	}
	if err == nil {
		err = j.out.Sync()
	}
	b.written, b.err = true, err
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		if j.broken == nil {
			j.broken = fmt.Errorf("an earlier write failed: %w", err)
		}
		return
	}
	j.chain = next
	j.size += int64(len(b.data))
	j.syncs++
}

// Entries calls yield for every entry on stable storage that was not closed with an
// earlier file, or is still needed, oldest first, until it returns false. Entries
// appended meanwhile may be missing.
func (j *File) Entries(yield func(schoolmail.JournalEntry) bool) error {
	j.mu.Lock()
	size := j.size
	j.mu.Unlock()
	s := shown{names: j.names, yield: yield}
	return s.err(Read(j.path, io.NewSectionReader(j.out, 0, size), s.entry))
}

// shown gives yield the entries with their names.
type shown struct {
	names  Names
	yield  func(schoolmail.JournalEntry) bool
	failed error
}

func (s *shown) entry(e schoolmail.JournalEntry) bool {
	s.failed = s.names.Show(&e)
	return s.failed == nil && s.yield(e)
}

// err returns why reading has failed.
func (s *shown) err(reading error) error {
	if s.failed != nil {
		return fmt.Errorf("journal: %w", s.failed)
	}
	return reading
}

// Len returns the number of entries in the open file so far.
func (j *File) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.count
}

// Size returns the length of the open file in bytes.
func (j *File) Size() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

// Hash returns the hash in which the journal ends now, in base64. Kept elsewhere it
// proves later that nothing was cut off: see [Verify].
func (j *File) Hash() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.chain.String()
}

// closedName is the file that the number-th file of a journal is kept in.
func closedName(path string, number int) string { return fmt.Sprintf("%s.%06d.gz", path, number) }

// Rotate closes the file: it is compressed and kept beside the journal, and the next
// one begins with its hash and what is still needed as proof. After a crash in
// between either the old file is open or the new one.
func (j *File) Rotate() error {
	j.write.Lock()
	defer j.write.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.broken != nil:
		return fmt.Errorf("journal: rotate: %w", j.broken)
	case j.next != nil:
		return errors.New("journal: rotate: entries are being appended")
	}
	fail := func(err error) error {
		j.broken = fmt.Errorf("the journal could not be rotated: %w", err)
		return fmt.Errorf("journal: rotate: %w", err)
	}
	closing := io.NewSectionReader(j.file, 0, j.size)
	history := schoolmail.NewHistory()
	s := shown{names: j.names, yield: func(e schoolmail.JournalEntry) bool { history.See(&e); return true }}
	c, err := read(j.path, closing, false, s.entry)
	if err = s.err(err); err != nil {
		return fail(err)
	}
	if c.format == 1 { // it has no chain: the file as a whole is the first link
		if c.last, err = hashOf(io.NewSectionReader(j.file, 0, j.size)); err != nil {
			return fail(err)
		}
	}
	err = atomicfile.Write(closedName(j.path, j.number), atomicfile.Private, func(w io.Writer) error {
		z := gzip.NewWriter(w)
		_, err := io.Copy(z, io.NewSectionReader(j.file, 0, j.size))
		return errors.Join(err, z.Close())
	})
	if err != nil {
		return fail(err)
	}
	var t text
	h := head(j.number+1, c.last)
	next := contents{number: j.number + 1, last: c.last.link([]byte(h))}
	var carried []byte
	for _, e := range history.Needed() {
		if err := j.names.Hide(&e); err != nil {
			return fail(err)
		}
		carried = t.encode(carried, &e)
		next.entries++
	}
	data := []byte(h)
	if len(carried) > 0 {
		next.last = next.last.link(carried)
		data = fmt.Appendf(append(data, carried...), "=%s\n", next.last)
	}
	if err := atomicfile.WriteBytes(j.path, atomicfile.Private, data); err != nil {
		return fail(err)
	}
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fail(err)
	}
	old := j.file
	j.file, j.out = f, f
	next.good = int64(len(data))
	j.number, j.chain, j.size, j.count, j.text = next.number, next.last, next.good, next.entries, t
	return old.Close()
}

// Close ends the journal and releases its lock. Entries being appended are
// written first. Closing twice is harmless.
func (j *File) Close() error {
	j.write.Lock()
	defer j.write.Unlock()
	j.mu.Lock()
	waiting := j.next
	j.next = nil
	if errors.Is(j.broken, ErrClosed) {
		j.mu.Unlock()
		return nil
	}
	err := j.broken
	j.mu.Unlock()
	if waiting != nil {
		j.flush(waiting, err)
	}
	j.mu.Lock()
	j.broken = ErrClosed
	j.mu.Unlock()
	return errors.Join(j.file.Close(), j.unlock())
}
