package dovecot

import (
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Kind says what went wrong. Each kind is also an error to compare with:
//
//	if errors.Is(err, dovecot.ErrNoUser) { ... }
type Kind string

// Error returns the text of the kind.
func (k Kind) Error() string { return string(k) }

// The kinds. ErrNoUser and ErrNotFound also match [schoolmail.ErrNotFound], ErrExists
// [schoolmail.ErrConflict]. The exit codes are those of Dovecot's doveadm (sysexits.h with
// two aliases of its own), as 2.3.19 and 2.4 answer them.
const (
	// ErrNoUser: the userdb does not know the user (exit code 67).
	ErrNoUser Kind = "no such user"
	// ErrNotFound: no such mailbox, key, script, host or path (68).
	ErrNotFound Kind = "not found"
	// ErrNotPossible: it cannot be done: in use, a limit, not empty, INBOX
	// (65).
	ErrNotPossible Kind = "not possible"
	// ErrExists: the mailbox is there already (65 from mailboxCreate and
	// mailboxRename, settled by a look at the list).
	ErrExists Kind = "exists already"
	// ErrInvalid: a parameter has a bad value (64, or invalidRequest), or this
	// package refused to send it.
	ErrInvalid Kind = "invalid parameter"
	// ErrOverQuota: the mailbox is full (73).
	ErrOverQuota Kind = "over quota"
	// ErrTemporary: an unspecified failure of the server (75), which may go
	// away. The reason is only in Dovecot's log, see [Client.LogErrors].
	ErrTemporary Kind = "temporary failure"
	// ErrPermission: an ACL forbids it (77).
	ErrPermission Kind = "permission denied"
	// ErrConfig: the server's configuration is at fault (78, or HTTP 500,
	// which means that neither API key nor password is configured).
	ErrConfig Kind = "server configuration error"
	// ErrServer: any other exit code or internalError.
	ErrServer Kind = "server error"
	// ErrUnauthorized: wrong key or password (HTTP 401).
	ErrUnauthorized Kind = "authentication refused"
	// ErrForbidden: the command is not in doveadm_allowed_commands.
	ErrForbidden Kind = "command not allowed by the server"
	// ErrUnsupported: the server has no such command or parameter.
	ErrUnsupported Kind = "not supported by this server"
	// ErrUnavailable: the server was not reached, or a proxy in front of it
	// said so. Nothing was done.
	ErrUnavailable Kind = "server not reachable"
	// ErrUnknownOutcome: the request was sent, and the connection ended
	// without a whole answer. The command may or may not have been carried
	// out, in part or in full; look before repeating it. Dovecot ends
	// connections in this way whenever a command dies of a fatal error, so
	// that repeating it may never help.
	ErrUnknownOutcome Kind = "no answer, outcome unknown"
	// ErrQuotaDiffers: the limit in force is not the one wanted. The directory
	// may not have reached the server yet, so that it is temporary.
	ErrQuotaDiffers Kind = "quota in force differs"
	// ErrIncomplete: the server reported success, and a look shows that not
	// all was done. Look at its log, see [Client.LogErrors].
	ErrIncomplete Kind = "done only in part"
	// ErrProtocol: the answer is not one of the doveadm API.
	ErrProtocol Kind = "answer not understood"
)

// Error is the error of every call to a server.
type Error struct {
	Op      string // the command as the API names it: "mailboxCreate"
	User    string // the user it was for, if any
	Subject string // the mailbox, path or mask it was about, if any
	Host    string // host:port of the server
	Kind    Kind
	// ExitCode is doveadm's exit code, 0 when the answer had none. (Dovecot
	// sends stale codes along with errors other than "exitCode"; those are
	// not repeated here.)
	ExitCode int
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// Err is the cause, such as a network error; may be nil.
	Err error

	again     bool // the command may be repeated without harm
	cancelled bool // by the caller
}

// Error returns, for instance:
//
//	dovecot: mailboxDelete "Sent" of user "m.muster": not found (exit code 68)
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dovecot: " + e.Op)
	if e.Subject != "" {
		fmt.Fprintf(&b, " %q", e.Subject)
	}
	if e.User != "" {
		fmt.Fprintf(&b, " of user %q", e.User)
	}
	if e.Kind == ErrUnavailable || e.Kind == ErrUnauthorized {
		fmt.Fprintf(&b, " at %s", e.Host)
	}
	b.WriteString(": " + string(e.Kind))
	switch {
	case e.ExitCode != 0:
		fmt.Fprintf(&b, " (exit code %d)", e.ExitCode)
	case e.Status != 0 && e.Status != 200:
		fmt.Fprintf(&b, " (HTTP status %d)", e.Status)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the kind, what the kind means for the SDK, and the cause to errors.Is
// and errors.As.
func (e *Error) Unwrap() []error {
	out := []error{e.Kind}
	switch e.Kind {
	case ErrNoUser, ErrNotFound:
		out = append(out, schoolmail.ErrNotFound)
	case ErrExists:
		out = append(out, schoolmail.ErrConflict)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// Temporary reports whether the same call may be repeated, after a pause, in
// the hope of another answer: after ErrTemporary, ErrUnavailable and
// ErrQuotaDiffers, and after
// ErrUnknownOutcome for commands that do no harm the second time, such as those
// that only read. A command such as mailboxCreate
// whose outcome is unknown is never temporary: look first. Nor is one that was
// called off by its context, other than by a deadline.
func (e *Error) Temporary() bool {
	if e.cancelled {
		return false
	}
	switch e.Kind {
	case ErrTemporary, ErrUnavailable, ErrQuotaDiffers:
		return true
	case ErrUnknownOutcome:
		return e.again
	}
	return false
}

// kindOf translates an exit code.
func kindOf(code int) Kind {
	switch code {
	case 64:
		return ErrInvalid
	case 65:
		return ErrNotPossible
	case 67:
		return ErrNoUser
	case 68:
		return ErrNotFound
	case 73:
		return ErrOverQuota
	case 75:
		return ErrTemporary
	case 77:
		return ErrPermission
	case 78:
		return ErrConfig
	}
	return ErrServer
}

// refuse is the error for what this package does not send.
func refuse(op, user, subject, format string, args ...any) *Error {
	return &Error{Op: op, User: user, Subject: subject, Kind: ErrInvalid, Err: fmt.Errorf(format, args...)}
}
