package spool

import (
	"errors"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Kind tells errors apart: errors.Is(err, ErrLocked). [ErrNoMailbox] also matches
// [schoolmail.ErrNotFound], [ErrBusy] [schoolmail.ErrConflict].
type Kind string

func (k Kind) Error() string { return string(k) }

// Is reports whether the kind is a special case of the target.
func (k Kind) Is(target error) bool {
	return k == ErrNoMailbox && target == schoolmail.ErrNotFound || k == ErrBusy && target == schoolmail.ErrConflict
}

// The kinds of errors.
const (
	// ErrNoMailbox: the spool has no INBOX of that user.
	ErrNoMailbox Kind = "the spool has no INBOX of this user"
	// ErrUIDValidity: source and target number their messages differently, so
	// that no UID can be kept in this folder. It is left to the migration over
	// IMAP, which recognises messages by content.
	ErrUIDValidity Kind = "another UIDVALIDITY"
	// ErrTargetNew: the account was converted before, and its Maildir is not
	// there any more. To begin again remove the account's state file.
	ErrTargetNew Kind = "the Maildir of an earlier conversion is gone"
	// ErrMigrated: the migration over IMAP has begun with this account (its
	// state is in the same directory). What it has brought would be doubled.
	ErrMigrated Kind = "the migration over IMAP has begun with this account, and goes on with it"
	// ErrSource: a partition is empty or not there, as a file system that is
	// not mounted. Nothing is concluded from that.
	ErrSource Kind = "no spool"
	// ErrVersion: an index file is of a version this package does not know.
	ErrVersion Kind = "unknown version of cyrus.index"
	// ErrDamaged: a file of the spool cannot be what Cyrus has written.
	ErrDamaged Kind = "damaged"
	// ErrBusy: another process converts the same account.
	ErrBusy Kind = "the account is being converted by another process"
	// ErrLocked: Dovecot, or another process, holds the list of a folder's UIDs.
	ErrLocked Kind = "the folder's list of UIDs is locked"
)

// Error says which account and which step failed.
type Error struct {
	Account string
	Op      string
	Kind    Kind // "" for what is none of the kinds, such as a full disk
	Err     error
}

// failed gives an error its account, its step and its kind.
func failed(account, op string, err error) *Error {
	e := &Error{Account: account, Op: op, Err: err}
	e.Kind, _ = errors.AsType[Kind](err)
	return e
}

func (e *Error) Error() string { return fmt.Sprintf("spool: %s: %s: %v", e.Account, e.Op, e.Err) }

func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether running again may help without anybody doing something.
func (e *Error) Temporary() bool { return errors.Is(e.Err, ErrBusy) || errors.Is(e.Err, ErrLocked) }

// Result is what one run did for one account.
type Result struct {
	Account    string          `json:"account"`
	Folders    []*FolderResult `json:"folders,omitempty"` // those that were looked into
	Unchanged  int             `json:"unchanged"`         // folders as the last run left them
	Total      FolderResult    `json:"total"`
	LeftBehind []LeftBehind    `json:"left,omitempty"`
	Problems   []Problem       `json:"problems,omitempty"`
	Findings   []string        `json:"findings,omitempty"`
	Begin      time.Time       `json:"begin"`
	Duration   time.Duration   `json:"duration"` // nanoseconds
}

// FolderResult counts messages of one folder.
type FolderResult struct {
	Source      string `json:"source,omitempty"` // readable path
	Target      string `json:"target,omitempty"` // readable path
	UIDValidity uint32 `json:"uidValidity,omitempty"`
	Copied      int    `json:"copied,omitempty"`
	Bytes       int64  `json:"bytes,omitempty"`   // of them
	Present     int    `json:"present,omitempty"` // delivered by an earlier run
	// at the target without a record of it: from an interrupted run or an earlier conversion
	Adopted int `json:"adopted,omitempty"`
	Flags   int `json:"flags,omitempty"`   // whose flags were changed
	Removed int `json:"removed,omitempty"` // at the target, as at the source
	Gone    int `json:"gone,omitempty"`    // delivered once and removed at the target since; they stay so
	// of Copied and Adopted: without their UID, which Dovecot had given away
	Renumbered int `json:"renumbered,omitempty"`
	Failed     int `json:"failed,omitempty"` // not at the target, see Problems
}

func (f *FolderResult) add(g *FolderResult) {
	f.Copied += g.Copied
	f.Bytes += g.Bytes
	f.Present += g.Present
	f.Adopted += g.Adopted
	f.Flags += g.Flags
	f.Removed += g.Removed
	f.Gone += g.Gone
	f.Renumbered += g.Renumbered
	f.Failed += g.Failed
}

// LeftBehind is a source folder that the converter does not bring.
type LeftBehind struct {
	Source   string `json:"source"`
	Messages int    `json:"messages"`
	Why      string `json:"why"` // see the Left constants
	Text     string `json:"text,omitempty"`
}

// Reasons to leave a folder.
const (
	LeftMerged  = "merged"       // another source folder feeds the same target and keeps its UIDs; IMAP brings this one
	LeftSkipped = "configured"   // the rules leave it behind
	LeftNoMail  = "no mail"      // a calendar or the like
	LeftUnknown = "not in plan"  // the live plan does not have it
	LeftName    = "name"         // the layout at the target has no place for the name
	LeftSpecial = "special use"  // its role is known to IMAP only
	LeftNumbers = "uid validity" // see ErrUIDValidity
)

// Problem is a message, or a part of one, that is not at the target as it was.
type Problem struct {
	Folder string `json:"folder"` // readable, at the source
	UID    uint32 `json:"uid"`    // at the source, 0 if the whole folder
	Kind   string `json:"kind"`   // see the Problem constants
	Path   string `json:"path,omitempty"`
	Text   string `json:"text"`
}

// Kinds of problems. Messages with the first three did not arrive.
const (
	ProblemMissing = "missing" // the index lists the message, and its file is not there
	ProblemRecord  = "record"  // the message's record in the index cannot be trusted
	ProblemFile    = "file"    // the message's file could not be read or written
	ProblemContent = "content" // the file is not what the index says; it was copied as it is
	ProblemEmpty   = "empty"   // a file without content; it was copied as it is
	// a keyword has no room (Maildir holds 26 of a folder) or no valid name; the messages came without it
	ProblemKeyword  = "keyword"
	ProblemSeen     = "seen"      // what the user has read is not known
	ProblemFlags    = "flags"     // a change of flags could not be made; the next run tries again
	ProblemFolder   = "folder"    // the folder could not be converted
	ProblemHeldBack = "held back" // deletions beyond the limit
)
