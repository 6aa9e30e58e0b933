package schoolmail

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is what the ports answer (wrapped) when the account, user or
// mailbox that was asked for does not exist.
var ErrNotFound = errors.New("not found")

// ErrConflict is what the ports answer (wrapped) when the live system is not as
// the plan expects it, so that writing would overwrite somebody's change.
var ErrConflict = errors.New("not as planned")

// ErrLostAnswer is what [Groupware.CopyUser] answers (wrapped) when the server may
// have made the copy, or not: the request was sent, and no clear answer came.
var ErrLostAnswer = errors.New("answer lost")

// ErrUpdating is what the ports answer (wrapped) when the database behind a context
// is being updated, so that it can be neither read nor changed for now. They have
// waited for it already.
var ErrUpdating = errors.New("being updated")

// Directory is what [Apply] needs of the account directory. Package ucs has
// the implementation for UCS@school. Methods are safe for concurrent use.
type Directory interface {
	// Account reads one account by user name; ErrNotFound if there is none.
	Account(ctx context.Context, username string) (Account, error)
	// CreateAccount makes the account with everything in a, including its
	// state, class groups and school groups. If an account with this user name
	// and key exists already and is pending it is brought to a, with this password
	// (the answer to an earlier call was lost); with another key, or in another
	// state, it is ErrConflict: the password would not be the one that it has.
	CreateAccount(ctx context.Context, a Account, initial Secret) error
	// ChangeAccount writes what differs between before and after. With another user
	// name in after the account gets that, and the old one is reserved for ever; the
	// account is then looked for under both, since an answer may have been lost. If the live
	// account differs from before in a field that after changes (and is not
	// yet as in after), it is ErrConflict and nothing is written. State
	// Deactivated disables every way to log in, any other state enables them.
	ChangeAccount(ctx context.Context, before, after Account) error
	// PurgeAccount removes the account and reserves its user name and
	// addresses for ever. Removing what is gone is success.
	PurgeAccount(ctx context.Context, a Account, today Date) error
}

// Notes is what a [Directory] may offer besides: short texts under a name that all
// programs of a district share. Package ucs has them. They serve as a lease, so
// that one program at a time works on the district.
type Notes interface {
	// Note reads a text; "" if there is none.
	Note(ctx context.Context, name string) (string, error)
	// SwapNote replaces a text if it is still the old one, and reports whether it
	// did: of several who try at the same time one wins. An old text of "" means
	// that there must be none, a new one of "" removes it. After an error it is not
	// known whether it was done.
	SwapNote(ctx context.Context, name, old, text string) (bool, error)
}

// Groupware is what [Apply] needs of Open-Xchange. Package ox has the
// implementation. The implementation keeps OX's rules of concurrency (one
// user write at a time in a context, one copy at a time at all) by itself.
type Groupware interface {
	// EnsureContext creates the context unless it exists.
	EnsureContext(ctx context.Context, spec ContextSpec) error
	// User looks a user up by login name; ErrNotFound if there is none.
	User(ctx context.Context, c ContextID, username string) (Place, error)
	// EnsureUser creates or changes the user so that names, addresses and
	// access are as the spec says, and returns its place. It looks before it
	// creates when an earlier answer may have been lost.
	EnsureUser(ctx context.Context, c ContextID, spec UserSpec) (Place, error)
	// CopyUser copies a user with all data into another context and makes the
	// copy complete (access, default group). The source stays. With an error, a
	// place with an id says that the copy was made, but not completed;
	// ErrLostAnswer that nobody knows; any other error that nothing was made.
	CopyUser(ctx context.Context, username string, from, to ContextID, spec UserSpec) (Place, error)
	// VerifyCopy compares the copy with its source as far as OX lets one look.
	VerifyCopy(ctx context.Context, from, to Place) error
	// DeleteUser removes the user with this id and login name. Gone already is
	// success; another login name under the id is ErrConflict.
	DeleteUser(ctx context.Context, p Place) error
}

// CopyCloser is a [Groupware] that can keep people out of the old copy that a
// transfer leaves for a while, and let them in again: without changing a password.
type CopyCloser interface {
	// CloseCopy switches mail and log-in off in the user with this id and login
	// name, or on again. Gone already is success.
	CloseCopy(ctx context.Context, p Place, open bool) error
}

// UserSpec is what a user in OX shall look like.
type UserSpec struct {
	Username    string
	GivenName   string
	FamilyName  string
	DisplayName string
	Mail        string
	Aliases     []string
	Language    string
	Access      string // named access combination, for example "groupware_standard"; empty: left as it is
	MailEnabled bool
	// Former are login names that the user may still have: then the user gets Username.
	Former []string
}

// Mailstore is what [Apply] needs of the mail server. Package dovecot has the
// implementation.
type Mailstore interface {
	// EnsureMailbox makes sure that the account's INBOX and special folders
	// exist. Existing is success.
	EnsureMailbox(ctx context.Context, a Account) error
	// Disconnect ends the account's mail sessions, if any.
	Disconnect(ctx context.Context, a Account) error
	// RemoveMailbox removes all mail of the account for ever. Gone is success.
	RemoveMailbox(ctx context.Context, a Account) error
}

// NoticeKind tells what a notice is about.
type NoticeKind string

// The notices people get.
const (
	NoticeLeaving   NoticeKind = "leaving"   // the mailbox will be deactivated on the day given
	NoticeReminder  NoticeKind = "reminder"  // as leaving, some time later
	NoticeCancelled NoticeKind = "cancelled" // an earlier leaving notice is void
	NoticeRenamed   NoticeKind = "renamed"   // address or user name is another; the old address ends on the day given
)

// Relation says why somebody is told about a pupil.
type Relation string

// Who may be told besides the person.
const (
	RelationParents      Relation = "parents"
	RelationGuardians    Relation = "guardians"     // the legal ones, as the directory names them
	RelationClassTeacher Relation = "class-teacher" // who teaches the class
)

// Recipient is somebody who is told about a person.
type Recipient struct {
	Relation Relation
	Name     string // "": not known
	Mail     string
	Language string // "": not known
}

// Notice is one message to one person.
type Notice struct {
	ID      string // stable: the same notice sent again has the same id (used as Message-ID)
	Kind    NoticeKind
	Account Account
	// Due is for leaving and reminder the day of the deactivation, for renamed that on
	// which the old address ends, 0 if it stays.
	Due    Date
	Former Former // renamed: what was before
	// To is who gets the message in the place of the person whom it is about. Apply
	// leaves it out; package site tells others as its policy says.
	To Recipient
}

// Notifier sends notices. It returns nil only when the next server has taken
// responsibility for the message.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
}

// Journal records what Apply is about to do and has done. Package site/journal has
// the file implementation.
type Journal interface {
	// Append returns only when the entries are on stable storage, all of them; after
	// a crash meanwhile all are there or none.
	Append(entries ...JournalEntry) error
	// Entries calls yield for every entry ever appended, oldest first, until
	// it returns false. What [History.Needed] leaves out may be missing.
	Entries(yield func(JournalEntry) bool) error
}

// JournalEntry is one line of the journal.
type JournalEntry struct {
	Time    time.Time    `json:"time"`
	Plan    string       `json:"plan"`           // id of the plan
	Step    string       `json:"step,omitempty"` // id of the step; empty: the plan as a whole
	Effect  string       `json:"effect"`         // "begin", "copy-user", "switch-directory", "end", ...
	Phase   JournalPhase `json:"phase"`
	Subject string       `json:"subject,omitempty"` // user name
	From    ContextID    `json:"from,omitempty"`
	To      ContextID    `json:"to,omitempty"`
	UserID  UserID       `json:"user_id,omitempty"` // OX id, where the effect made one
	Error   string       `json:"error,omitempty"`
	// By says of a plan who has approved and who applies it, of an override what it
	// let through on whose word.
	By string `json:"by,omitempty"`
}

// JournalPhase tells whether the effect is still to come or over.
type JournalPhase string

// Before an effect its intent is journalled; afterwards that it was done or
// failed. An intent without either means: unknown, look.
const (
	Intent JournalPhase = "intent"
	Done   JournalPhase = "done"
	Failed JournalPhase = "failed"
	// Abandoned: an earlier run was killed after the intent, and the effect has never
	// begun. Nothing has failed.
	Abandoned JournalPhase = "abandoned"
)

// JournalPhases returns all phases.
func JournalPhases() []JournalPhase { return []JournalPhase{Intent, Done, Failed, Abandoned} }
