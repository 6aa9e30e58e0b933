package ox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Kind says what went wrong. The kinds are themselves errors, so that callers
// ask with [errors.Is]:
//
//	if errors.Is(err, ox.ErrNoSuchUser) { ... }
//
// A kind can be a special case of another: a taken login name matches
// [ErrUserExists] and [ErrInvalidData].
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// What OX tells about things that do not exist. All of them also match
// [schoolmail.ErrNotFound].
const (
	ErrNoSuchUser        Kind = "no such user"
	ErrNoSuchContext     Kind = "no such context"
	ErrNoSuchGroup       Kind = "no such group"
	ErrNoSuchResource    Kind = "no such resource"
	ErrNoSuchFilestore   Kind = "no such file store"
	ErrNoSuchDatabase    Kind = "no such database"
	ErrNoSuchReason      Kind = "no such maintenance reason"
	ErrNoSuchCombination Kind = "no such access combination" // also ErrInvalidData
)

// What OX tells about things that exist already. All but ErrContextExists also
// match [ErrInvalidData] or [ErrStorage], as the server declares them; those about
// contexts, users and groups match [schoolmail.ErrConflict], too.
const (
	ErrContextExists   Kind = "context exists already"
	ErrUserExists      Kind = "login name used already"
	ErrGroupExists     Kind = "group exists already"
	ErrDisplayNameUsed Kind = "display name used already"
	ErrAddressUsed     Kind = "mail address used already"
	ErrMappingUsed     Kind = "login mapping used already"
	ErrAlreadyMember   Kind = "already a member"
)

// What OX refuses or cannot do.
const (
	ErrInvalidData      Kind = "invalid data"
	ErrUnchangeable     Kind = "not to be changed on this server" // also ErrInvalidData
	ErrCredentials      Kind = "wrong credentials"
	ErrPermissionDenied Kind = "permission denied" // also ErrCredentials
	ErrStorage          Kind = "storage error"
	ErrRemote           Kind = "remote error"
	ErrContextState     Kind = "context is not in the right state" // OXContextException
	ErrJob              Kind = "job failed"                        // TaskManagerException and what jobs throw
	ErrDuplicate        Kind = "duplicate extension"
	ErrServer           Kind = "server fault"     // a fault without a kind
	ErrNotUnderstood    Kind = "not understood"   // the server did not take the request: another OX version?
	ErrNoService        Kind = "no such service"  // the server lacks the package of this service
	ErrDatabaseUpdate   Kind = "schema is locked" // a database update is due or running
	ErrLockConflict     Kind = "user update conflict"
	ErrStarting         Kind = "server is starting"
	ErrCopyConflict     Kind = "user copies disturb each other" // UCP-0003
	// ErrRolledBack: the database gave the work up because it got in the way of
	// other work. It can be done again after a look at what there is.
	ErrRolledBack Kind = "rolled back by the database"
)

// What this package finds out itself. The first two match [schoolmail.ErrConflict].
const (
	ErrNotTheSame  Kind = "not who was meant" // another user has the id
	ErrCopyDiffers Kind = "copy differs from its source"
	ErrReader      Kind = "users cannot be read the other way" // see [GroupwareOptions].Reader
)

// What happened on the way.
const (
	ErrUnreachable Kind = "server not reachable"   // the request was not sent
	ErrLostAnswer  Kind = "answer lost"            // the server may have done the work, or not
	ErrStatus      Kind = "unexpected http status" // not an answer of OX
	ErrProtocol    Kind = "broken answer"          // the server may have done the work, or not
	ErrCanceled    Kind = "given up"               // the context ended; Unwrap gives its error
)

// broader are the kinds that a kind is a special case of.
var broader = map[Kind][]error{
	ErrNoSuchUser:        {schoolmail.ErrNotFound},
	ErrNoSuchContext:     {schoolmail.ErrNotFound},
	ErrNoSuchGroup:       {schoolmail.ErrNotFound},
	ErrNoSuchResource:    {schoolmail.ErrNotFound},
	ErrNoSuchFilestore:   {schoolmail.ErrNotFound},
	ErrNoSuchDatabase:    {schoolmail.ErrNotFound},
	ErrNoSuchReason:      {schoolmail.ErrNotFound},
	ErrNoSuchCombination: {schoolmail.ErrNotFound, ErrInvalidData},
	ErrContextExists:     {schoolmail.ErrConflict},
	ErrUserExists:        {schoolmail.ErrConflict, ErrInvalidData},
	ErrGroupExists:       {schoolmail.ErrConflict, ErrInvalidData},
	ErrDisplayNameUsed:   {schoolmail.ErrConflict, ErrInvalidData},
	ErrAddressUsed:       {schoolmail.ErrConflict, ErrInvalidData},
	ErrUnchangeable:      {ErrInvalidData},
	ErrNotTheSame:        {schoolmail.ErrConflict},
	ErrCopyDiffers:       {schoolmail.ErrConflict},
	ErrMappingUsed:       {ErrStorage},
	ErrAlreadyMember:     {ErrInvalidData},
	ErrPermissionDenied:  {ErrCredentials},
	ErrLockConflict:      {ErrStorage},
	ErrStarting:          {ErrStorage},
	ErrCopyConflict:      {ErrStorage},
	ErrRolledBack:        {ErrStorage},
	ErrDatabaseUpdate:    {schoolmail.ErrUpdating},
}

// Error is what every method of this package returns when something failed. It
// holds no password and no answer body.
type Error struct {
	Op      string               // what was to be done, for example "create user"
	Service string               // operation on the wire, for example "OXUserService.create"; empty: nothing was sent
	Context schoolmail.ContextID // 0: not about one context
	Subject string               // user, group, ... as the caller named it
	Kind    Kind
	Message string // what the server said, without the ids of the incident
	// ExceptionID is what the server's log has the incident under, for example
	// "-1449140138-13". A wrapped cause brings several, separated by blanks.
	ExceptionID string
	HTTPStatus  int   // 0: no answer
	Err         error // the cause below, if any
	// NotDone is true when the server certainly did not do the work. For a
	// request whose answer was lost it is false.
	NotDone bool
}

// Error gives operation, subject, context, kind, the beginning of the message and
// the incident's id, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("ox: ")
	b.WriteString(e.Op)
	if e.Subject != "" {
		fmt.Fprintf(&b, " %q", e.Subject)
	}
	if e.Context != 0 {
		fmt.Fprintf(&b, " in context %d", e.Context)
	}
	fmt.Fprintf(&b, ": %s", string(e.Kind))
	switch {
	case e.Message != "":
		fmt.Fprintf(&b, ": %s", line(e.Message))
	case e.Err != nil:
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.ExceptionID != "" {
		fmt.Fprintf(&b, " (exceptionId %s)", e.ExceptionID)
	}
	return b.String()
}

// line cuts what a server said to a line: some list every element they know.
func line(s string) string {
	const most = 240 // characters
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + " ..."
	}
	return s
}

// Unwrap returns the cause below, if any.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the error's kind or one that the kind is a
// special case of.
func (e *Error) Is(target error) bool {
	if k, ok := target.(Kind); ok && k == e.Kind {
		return true
	}
	for _, b := range broader[e.Kind] {
		if b == target {
			return true
		}
	}
	return target == schoolmail.ErrLostAnswer && e.unknown()
}

// unknown reports whether nobody can say from the answer if the work was done.
func (e *Error) unknown() bool {
	switch e.Kind {
	case ErrLostAnswer, ErrProtocol, ErrStatus, ErrCanceled:
		return !e.NotDone
	}
	return false
}

// Temporary reports whether the same call may succeed later. The client has
// then repeated it already for as long as its options say, where repeating is
// safe; see [Error.NotDone] for whether the work may have been done.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case ErrUnreachable:
		// A server that cannot prove who it is, or speaks no TLS, will not tomorrow.
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](e.Err)
		return !untrusted && !errors.Is(e.Err, http.ErrSchemeMismatch)
	case ErrLockConflict, ErrDatabaseUpdate, ErrStarting, ErrCopyConflict, ErrRolledBack, ErrLostAnswer, ErrProtocol:
		return true
	case ErrStatus:
		return e.HTTPStatus == 429 || e.HTTPStatus >= 502 && e.HTTPStatus <= 504
	}
	return false
}

// Timeout reports whether time ran out.
func (e *Error) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

// is tells whether err is an *Error of one of the kinds.
func is(err error, kinds ...Kind) bool {
	for _, k := range kinds {
		if errors.Is(err, k) {
			return true
		}
	}
	return false
}
