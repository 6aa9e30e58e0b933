package migrate

import "time"

// Result is what one run did for one account.
type Result struct {
	Account  string          `json:"account"`
	Stage    Stage           `json:"stage"`
	Folders  []*FolderResult `json:"folders,omitempty"` // those that had something to do
	Copied   int             `json:"copied"`
	Bytes    int64           `json:"bytes"`         // of copied messages
	Adopted  int             `json:"adopted"`       // found at the target and recognised
	Flags    int             `json:"flags"`         // messages whose flags changed
	Deleted  int             `json:"deleted"`       // removed at the target, as at the source
	Failed   int             `json:"failed"`        // messages that did not arrive, see Problems
	Retries  int             `json:"retries"`       // reconnections
	Checked  int             `json:"checked"`       // folders looked at
	Odd      int             `json:"odd,omitempty"` // server lines that could not be read
	Problems []Problem       `json:"problems,omitempty"`
	Findings []string        `json:"findings,omitempty"`
	Begin    time.Time       `json:"begin"`
	Duration time.Duration   `json:"duration"` // nanoseconds
}

// FolderResult is a part of [Result].
type FolderResult struct {
	Source  string `json:"source"` // readable
	Target  string `json:"target"`
	Copied  int    `json:"copied,omitempty"`
	Bytes   int64  `json:"bytes,omitempty"`
	Adopted int    `json:"adopted,omitempty"`
	Flags   int    `json:"flags,omitempty"`
	Deleted int    `json:"deleted,omitempty"`
	Failed  int    `json:"failed,omitempty"`
}

// Problem is a message, or a part of one, that did not arrive as it is.
type Problem struct {
	Folder string `json:"folder"` // readable, at the source
	UID    uint32 `json:"uid"`    // at the source, 0 if the whole folder
	Kind   string `json:"kind"`   // see the Problem constants
	Text   string `json:"text"`
}

// Kinds of problems.
const (
	ProblemRefused  = "refused"   // the target does not take the message
	ProblemTooBig   = "too big"   // larger than the target's limit
	ProblemEmpty    = "empty"     // no content at the source; IMAP cannot store that
	ProblemMissing  = "missing"   // the source lists the message and does not send it
	ProblemKeyword  = "keyword"   // a keyword no server would take; the message was copied without it
	ProblemDate     = "date"      // no readable date at the source; the target shows the time of the copy
	ProblemFolder   = "folder"    // the folder could not be made or opened
	ProblemHeldBack = "held back" // deletions beyond the limit
	ProblemFlags    = "flags"     // the target does not take a change of flags
)

// Stage is where an account stands.
type Stage string

// The stages of an account, in order. Failed can follow each of them.
const (
	Waiting   Stage = "waiting"
	FirstCopy Stage = "first copy"
	Delta     Stage = "delta"
	CutOver   Stage = "cut over"
	Verified  Stage = "verified"
	Failed    Stage = "failed"
)

// Event is something to show while a run is going on: [Started], [Progress],
// [Retrying], [Paused] or [Finished].
type Event interface{ event() }

// Started: the account's folders have been compared.
type Started struct {
	Account  string
	Folders  int   // with something to do
	Messages int   // at the source, in those folders
	Bytes    int64 // of them; 0 if the source does not tell
}

// Progress after each batch of messages.
type Progress struct {
	Account  string
	Folder   string // readable, at the source
	Messages int    // dealt with since Started
	Bytes    int64
}

// Retrying: a connection was lost.
type Retrying struct {
	Account string
	Err     error
	Wait    time.Duration
}

// Paused: a server is not of use, and nobody connects to it until then.
type Paused struct {
	Account string // that has met it
	Side    string // "source" or "target"
	Err     error
	Until   time.Time
}

// Finished: the account's run has ended.
type Finished struct {
	Account string
	Result  *Result
	Err     error
}

func (Started) event()    {}
func (Progress) event()   {}
func (Retrying) event()   {}
func (Paused) event()     {}
func (Finished) event()   {}
func (WaveStatus) event() {}

// Observer is told what happens. It is called from several goroutines.
type Observer interface{ Observe(Event) }

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }
