package journal

import (
	"errors"
	"fmt"
)

// ErrLocked says that another process (or another File in this one) has the
// journal open.
var ErrLocked = errors.New("journal is in use by another process")

// ErrClosed says that the journal has been closed.
var ErrClosed = errors.New("journal is closed")

// CorruptError says that a journal is damaged where it was complete once.
type CorruptError struct {
	Name   string // of the file
	Line   int    // from 1
	Reason string
}

// advice is what every operator asks next.
const advice = "nothing is done with it. Restore the file from a backup of the last night, if there is one; otherwise move it away " +
	"and keep it: the next run begins a new journal, and does not touch what it cannot prove to be its own"

// Error returns "journal: file:line: reason" and what to do.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("journal: %s:%d: damaged: %s; %s", e.Name, e.Line, e.Reason, advice)
}

// Temporary reports false: a damaged journal does not heal.
func (e *CorruptError) Temporary() bool { return false }
