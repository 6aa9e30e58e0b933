package ucs

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// Kind says what went wrong. The kinds are themselves errors, so that callers
// ask with [errors.Is]:
//
//	if errors.Is(err, ucs.ErrUnavailable) { ... }
type Kind string

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// The kinds of errors.
const (
	ErrOther       Kind = "failed"
	ErrNotFound    Kind = "not found"           // no such entry; also [schoolmail.ErrNotFound]
	ErrConflict    Kind = "not as planned"      // not as expected; also [schoolmail.ErrConflict]
	ErrInvalid     Kind = "invalid"             // refused by the schema, or by this package before sending
	ErrDenied      Kind = "access denied"       // bind failed or no access
	ErrUnavailable Kind = "unavailable"         // network, busy, shutting down: may work later
	ErrReplica     Kind = "server is a replica" // a replica refers writes to the primary
)

// Error is what all methods of this package return.
type Error struct {
	Op      string // "read account", "create account", ...
	Subject string // user name, group or school; may be empty
	Kind    Kind
	Code    uint16 // LDAP result code (RFC 4511 appendix A); 0 if none came
	Err     error  // cause, may be nil
}

// Error returns `ucs: create account "m.muster": cause`.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString("ucs: " + e.Op)
	}
	if e.Subject != "" {
		fmt.Fprintf(&b, " %q", e.Subject)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if e.Err == nil {
		b.WriteString(e.kind().Error())
		return b.String()
	}
	if e.Kind == ErrConflict || e.Kind == ErrReplica {
		b.WriteString(e.kind().Error() + ": ")
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// kind is the kind, [ErrOther] if none was set.
func (e *Error) kind() Kind {
	if e.Kind == "" {
		return ErrOther
	}
	return e.Kind
}

// Is makes errors.Is work with the kind, and with what the root package calls
// it.
func (e *Error) Is(target error) bool {
	return target == e.kind() ||
		target == schoolmail.ErrNotFound && e.Kind == ErrNotFound ||
		target == schoolmail.ErrConflict && e.Kind == ErrConflict
}

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool { return e.Kind == ErrUnavailable }

// wrap names the operation that failed. The kind comes from the *Error inside,
// if there is one.
func wrap(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	out := &Error{Op: op, Subject: subject, Err: err}
	if in, ok := errors.AsType[*Error](err); ok {
		out.Kind, out.Code = in.Kind, in.Code
		if in == err {
			out.Err = in.Err
		}
	}
	return out
}

// translate turns an error of the LDAP library into an *Error without an
// operation.
func translate(err error) error {
	if err == nil {
		return nil
	}
	le, ok := err.(*ldap.Error)
	if !ok {
		// The library hands on what broke the connection as it came.
		return &Error{Kind: ErrUnavailable, Code: ldap.ErrorNetwork, Err: err}
	}
	text := strings.ToLower(ldap.LDAPResultCodeMap[le.ResultCode])
	if le.Err != nil && le.Err.Error() != "" {
		if text != "" {
			text += ": "
		}
		text += le.Err.Error()
	}
	return &Error{Kind: kindOf(le.ResultCode), Code: le.ResultCode, Err: &cause{text: text, err: err}}
}

// cause words an LDAP error without the library's prefix, and keeps it for
// errors.As.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

func kindOf(code uint16) Kind {
	switch code {
	case ldap.LDAPResultNoSuchObject:
		return ErrNotFound
	case ldap.LDAPResultAssertionFailed, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists,
		ldap.LDAPResultEntryAlreadyExists:
		return ErrConflict
	case ldap.LDAPResultUndefinedAttributeType, ldap.LDAPResultConstraintViolation, ldap.LDAPResultInvalidAttributeSyntax,
		ldap.LDAPResultInvalidDNSyntax, ldap.LDAPResultNamingViolation, ldap.LDAPResultObjectClassViolation,
		ldap.LDAPResultObjectClassModsProhibited, ldap.LDAPResultInappropriateMatching:
		return ErrInvalid
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultInsufficientAccessRights,
		ldap.LDAPResultInappropriateAuthentication,
		ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultAuthMethodNotSupported:
		return ErrDenied
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultServerDown,
		ldap.LDAPResultTimeout, ldap.LDAPResultConnectError, ldap.ErrorNetwork:
		return ErrUnavailable
	case ldap.LDAPResultReferral:
		return ErrReplica
	}
	return ErrOther
}

// code returns the LDAP result code in err, or 0.
func code(err error) uint16 {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return 0
}

// lost reports whether the connection failed, so that it is unknown whether
// the server did what it was asked.
func lost(err error) bool { return code(err) == ldap.ErrorNetwork }

// refused reports whether the server declined for now without doing anything.
func refused(err error) bool {
	c := code(err)
	return c == ldap.LDAPResultBusy || c == ldap.LDAPResultUnavailable
}

func invalid(format string, args ...any) error {
	return &Error{Kind: ErrInvalid, Err: fmt.Errorf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &Error{Kind: ErrConflict, Err: fmt.Errorf(format, args...)}
}
