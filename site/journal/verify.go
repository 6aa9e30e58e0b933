package journal

import (
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ictmedia/schoolmail"
)

// hashOf returns the hash of a whole file.
func hashOf(r io.Reader) (h hash, err error) {
	d := sha256.New()
	_, err = io.Copy(d, r)
	d.Sum(h[:0])
	return h, err
}

// Report is what [Verify] has found.
type Report struct {
	Files   int   // closed ones and the open one
	Entries int   // in all of them, what is carried over included
	Tail    int64 // bytes of an unfinished end of the open file
	// Missing are the hashes that were given and are not in the chain: the journal
	// was longer once.
	Missing []string
}

// Verify goes through a journal with all its closed files and checks the chain of
// hashes from its beginning to its end. Hashes that the journal ended in at some
// time, see [File.Hash], must be in it. It needs no lock. Errors: a [*CorruptError],
// or what the file system says.
func Verify(path string, hashes ...string) (*Report, error) {
	rep := &Report{}
	seen := map[string]bool{}
	var before hash
	for number := 1; ; number++ {
		name := closedName(path, number)
		c, tail, err := verifyFile(name, true)
		open := errors.Is(err, fs.ErrNotExist)
		if open {
			name = path
			c, tail, err = verifyFile(name, false)
		}
		if err != nil {
			return rep, err
		}
		switch {
		case c.format == 2 && (c.number != number || c.continues != before):
			return rep, &CorruptError{name, 2,
				fmt.Sprintf("it is file %d of a journal and does not continue the one before it", c.number)}
		case !open && tail > 0:
			return rep, &CorruptError{name, 1, "its end is damaged"}
		}
		rep.Files++
		rep.Entries += c.entries
		for _, h := range c.hashes {
			seen[h.String()] = true
		}
		seen[c.last.String()] = true
		if before = c.last; open {
			rep.Tail = tail
			break
		}
	}
	for _, h := range hashes {
		if !seen[h] {
			rep.Missing = append(rep.Missing, h)
		}
	}
	return rep, nil
}

// verifyFile reads one file and returns how long its unfinished end is.
func verifyFile(name string, compressed bool) (c contents, tail int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return c, 0, fmt.Errorf("journal: verify: %w", err)
	}
	defer f.Close()
	var in io.Reader = f
	if compressed {
		if in, err = gzip.NewReader(f); err != nil {
			return c, 0, &CorruptError{name, 1, "it cannot be decompressed: " + err.Error()}
		}
	}
	counted := &counter{r: in, sum: sha256.New()}
	c, err = read(name, counted, true, func(schoolmail.JournalEntry) bool { return true })
	if err == nil {
		_, err = io.Copy(io.Discard, counted)
	}
	if err != nil {
		if _, ok := errors.AsType[*CorruptError](err); !ok {
			err = &CorruptError{name, 1, "it cannot be read: " + err.Error()}
		}
		return c, 0, err
	}
	if c.format == 1 {
		counted.sum.Sum(c.last[:0])
	}
	return c, counted.n - c.good, nil
}

// ReadAll calls yield for every entry of a journal with all its closed files, oldest
// first, until it returns false. What a file has taken over from the one before it
// comes twice. A nil opts is the zero value.
func ReadAll(path string, yield func(schoolmail.JournalEntry) bool, opts *Options) error {
	more := true
	s := shown{names: opts.names(), yield: func(e schoolmail.JournalEntry) bool { more = more && yield(e); return more }}
	for number := 1; more; number++ {
		name := closedName(path, number)
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return s.err(OpenReader(path, nil).Entries(s.entry))
		}
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		z, err := gzip.NewReader(f)
		if err == nil {
			err = s.err(Read(name, z, s.entry))
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// counter counts and hashes what is read.
type counter struct {
	r   io.Reader
	n   int64
	sum interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.sum.Write(p[:n])
	return n, err
}
