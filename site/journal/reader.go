package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/ictmedia/schoolmail"
)

// Reader is a journal that is only looked at, also while another process writes
// it. The zero value has no entries.
type Reader struct {
	path  string
	names Names
}

var _ schoolmail.Journal = Reader{}

// OpenReader returns the journal in a file for reading. A file that does not
// exist is a journal without entries. A nil opts is the zero value.
func OpenReader(path string, opts *Options) Reader { return Reader{path, opts.names()} }

// Append fails with [ErrReadOnly].
func (r Reader) Append(...schoolmail.JournalEntry) error {
	return fmt.Errorf("journal: append: %w", ErrReadOnly)
}

// Entries calls yield for every entry that is complete, oldest first, until it
// returns false.
func (r Reader) Entries(yield func(schoolmail.JournalEntry) bool) error {
	if r.path == "" {
		return nil
	}
	f, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	s := shown{names: r.names, yield: yield}
	return s.err(Read(r.path, f, s.entry))
}
