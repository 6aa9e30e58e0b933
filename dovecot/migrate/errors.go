package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/imapwire"
)

// Kind says what went wrong. The kinds are themselves errors, so that callers
// ask with [errors.Is].
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// The kinds. ErrNoMailbox also matches [schoolmail.ErrNotFound], ErrBusy
// [schoolmail.ErrConflict].
const (
	// ErrLogin: one of the servers refused the login.
	ErrLogin Kind = "login refused"
	// ErrNoMailbox: the login succeeded, but there is no INBOX. Cyrus lets an
	// admin act for users who do not exist, and Dovecot's acl plugin hides
	// everything from a master user without acl_user.
	ErrNoMailbox Kind = "the account has no INBOX"
	// ErrQuota: the target has no room for the rest.
	ErrQuota Kind = "over quota at the target"
	// ErrHeldBack: something was not done on purpose, see the result.
	ErrHeldBack Kind = "held back"
	// ErrBusy: another process works on the same account.
	ErrBusy Kind = "the account is being migrated by another process"
	// ErrUnreachable: a server does not answer, or greets with a refusal.
	ErrUnreachable Kind = "server not reachable"
	// ErrThrottled: a server asks to come back later.
	ErrThrottled Kind = "server asks to wait"
	// ErrConnection: a server ended a session, again and again.
	ErrConnection Kind = "connection lost"
	// ErrRefused: a server refused a command without which nothing goes on.
	ErrRefused Kind = "refused by the server"
	// ErrUnsupported: a server lacks what a migration needs.
	ErrUnsupported Kind = "not supported by the server"
	// ErrState: the state on our own disk could not be read or written.
	ErrState Kind = "state on disk"
	// ErrCanceled: the context ended.
	ErrCanceled Kind = "given up"
	// ErrNoneLeft ends a [Queue]: every account of the wave is done.
	ErrNoneLeft Kind = "no account is left"
	// errRenumbered: a target folder was removed and made again during the run, so
	// that the UIDs noted for it mean nothing, or other messages. The next attempt
	// lists the target anew.
	errRenumbered Kind = "the target folder was made anew meanwhile"
)

// Error says which account and which step failed.
type Error struct {
	Op      string // "connect", "list", "copy", ...
	Kind    Kind
	Account string
	Folder  string // readable, "" if the whole account
	Err     error
}

// Error returns, for instance:
//
//	migrate: a.muster: copy: folder "Sent": over quota at the target: ...
func (e *Error) Error() string {
	where := ""
	if e.Folder != "" {
		where = fmt.Sprintf(" folder %q:", e.Folder)
	}
	text := string(e.Kind)
	if e.Err != nil {
		if text = e.Err.Error(); !strings.Contains(text, string(e.Kind)) {
			text = string(e.Kind) + ": " + text
		}
	}
	return fmt.Sprintf("migrate: %s: %s:%s %s", e.Account, e.Op, where, text)
}

// Unwrap gives the kind, what the kind means for the SDK, and the cause.
func (e *Error) Unwrap() []error {
	out := []error{e.Kind}
	switch e.Kind {
	case ErrNoMailbox:
		out = append(out, schoolmail.ErrNotFound)
	case ErrBusy:
		out = append(out, schoolmail.ErrConflict)
	}
	if e.Err != nil {
		out = append(out, e.Err)
	}
	return out
}

// Temporary reports whether running again may help without anybody's doing.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case ErrBusy, ErrUnreachable, ErrThrottled, ErrConnection:
		return true
	}
	return imapwire.Temporary(e.Err)
}

// kindOf classifies a cause.
func kindOf(err error) Kind {
	if k, ok := errors.AsType[Kind](err); ok {
		return k
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ErrCanceled
	case errors.Is(err, imapwire.ErrConnection):
		return ErrConnection
	}
	if _, ok := errors.AsType[*imapwire.Error](err); ok {
		return ErrRefused
	}
	return ErrState
}

// failed makes an [Error] of a cause; one that is there already stays.
func failed(account, op, folder string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if f, ok := errors.AsType[*failure](err); ok && f.at.op != "" {
		if op = f.at.op; op == opLogin {
			op = opConnect
		}
	}
	return &Error{Op: op, Kind: kindOf(err), Account: account, Folder: folder, Err: err}
}
