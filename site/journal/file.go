package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// ErrLocked says that another process (or another File in this one) has the
// journal open.
var ErrLocked = errors.New("journal is in use by another process")

// ErrClosed says that the journal has been closed.
var ErrClosed = errors.New("journal is closed")

// storage is what a File needs of its file; tests put a failing one there.
type storage interface {
	io.Writer
	io.ReaderAt
	Sync() error
}

// File is a journal in a file. Its methods are safe for concurrent use.
type File struct {
	path      string
	file      *os.File
	unlock    func() error
	recovered int64

	write sync.Mutex // held while a batch is written; order: write before mu
	out   storage

	mu     sync.Mutex
	number uint64 // of the last entry, written or in the batch
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

// Open opens the journal or begins a new one; its directory must exist. Errors:
// [ErrLocked], a [*CorruptError], or what the file system says.
func Open(path string) (*File, error) {
	fail := func(err error) (*File, error) { return nil, fmt.Errorf("journal: open: %w", err) }
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fail(err)
	}
	unlock, err := lock(f)
	if err != nil {
		return fail(errors.Join(fmt.Errorf("%s: %w", path, err), f.Close()))
	}
	j := &File{path: path, file: f, unlock: unlock, out: f}
	if err := j.recover(); err != nil {
		return nil, errors.Join(err, unlock(), f.Close())
	}
	return j, nil
}

// recover reads the file, cuts off an unfinished end and writes the head line
// of a new journal.
func (j *File) recover() error {
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("journal: open: %w", err)
	}
	good, last, err := scan(j.path, io.NewSectionReader(j.file, 0, info.Size()), nil)
	if err != nil {
		return err
	}
	j.number = last
	if j.recovered = info.Size() - good; j.recovered > 0 {
		if err := j.file.Truncate(good); err != nil {
			return fmt.Errorf("journal: cut off the unfinished end: %w", err)
		}
	}
	if good == 0 {
		if _, err := j.file.WriteString(headLine); err != nil {
			return fmt.Errorf("journal: begin: %w", err)
		}
		good = int64(len(headLine))
	}
	j.size = good
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("journal: begin: %w", err)
	}
	return syncDir(filepath.Dir(j.path))
}

// syncDir makes a new file's name durable. Systems on which directories cannot
// be synced say so with an error that does no harm.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("journal: begin: %w", err)
	}
	_ = d.Sync()
	return d.Close()
}

// Recovered returns how many bytes of unfinished entries Open cut off.
func (j *File) Recovered() int64 { return j.recovered }

// Append adds an entry and returns when it is on stable storage. After an
// error the entry may or may not be there, and the journal takes no more.
func (j *File) Append(e schoolmail.JournalEntry) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal: append: %w", err)
	}
	if len(text) > maxLine-64 {
		return fmt.Errorf("journal: append: entry of %d bytes: expected less than 1 MiB", len(text))
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
	j.number++
	b.data = appendLine(b.data, j.number, text)
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

// flush writes a batch, unless an earlier one failed.
func (j *File) flush(b *batch, err error) {
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
	j.size += int64(len(b.data))
	j.syncs++
}

// Entries calls yield for every entry on stable storage, oldest first, until it
// returns false. Entries appended meanwhile may be missing.
func (j *File) Entries(yield func(schoolmail.JournalEntry) bool) error {
	j.mu.Lock()
	size := j.size
	j.mu.Unlock()
	return Read(j.path, io.NewSectionReader(j.out, 0, size), yield)
}

// Len returns the number of entries appended so far.
func (j *File) Len() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int(j.number)
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
	return errors.Join(j.unlock(), j.file.Close())
}
