package journal

import "fmt"

// Kind says why a journal does not take or give entries. The kinds are themselves
// errors, so that callers ask with [errors.Is].
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	// ErrLocked: another process (or another File in this one) has the journal open.
	ErrLocked Kind = "journal is in use by another process"
	// ErrClosed: the journal has been closed.
	ErrClosed Kind = "journal is closed"
	// ErrReadOnly: the journal was opened for reading alone.
	ErrReadOnly Kind = "journal is open for reading only"
	// ErrCorrupt: the journal is damaged where it was complete once; the error is a
	// [*CorruptError].
	ErrCorrupt Kind = "journal is damaged"
	// ErrCrash is what a [Faulty] journal answers from its fault on.
	ErrCrash Kind = "journal: simulated crash"
)

// CorruptError says that a journal is damaged where it was complete once.
type CorruptError struct {
	Name   string // of the file
	Line   int    // from 1
	Reason string
}

// advice is what every operator asks next.
const advice = "nothing is done with it. Restore the file from a backup of the last night, if there is one; " +
	"otherwise move it away and keep it: the next run begins a new journal, and does not touch what it cannot prove to " +
	"be its own"

// Error returns "journal: file:line: reason" and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal: %s:%d: damaged: %s; %s", e.Name, e.Line, e.Reason, advice)
}

// Unwrap returns [ErrCorrupt].
func (e *CorruptError) Unwrap() error { return ErrCorrupt }

// Temporary reports false: a damaged journal does not heal.
func (e *CorruptError) Temporary() bool { return false }
