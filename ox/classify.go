package ox

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
)

// kindsByDetail maps the local name of a fault's detail to a kind.
var kindsByDetail = map[string]Kind{
	"StorageException":            ErrStorage,
	"InvalidCredentialsException": ErrCredentials,
	"InvalidDataException":        ErrInvalidData,
	"NoSuchContextException":      ErrNoSuchContext,
	"RemoteException":             ErrRemote,
	"DatabaseUpdateException":     ErrDatabaseUpdate,
	"NoSuchUserException":         ErrNoSuchUser,
	"NoSuchGroupException":        ErrNoSuchGroup,
	"NoSuchResourceException":     ErrNoSuchResource,
	"NoSuchFilestoreException":    ErrNoSuchFilestore,
	"NoSuchDatabaseException":     ErrNoSuchDatabase,
	"NoSuchReasonException":       ErrNoSuchReason,
	"OXContextException":          ErrContextState,
	"ContextExistsException":      ErrContextExists,
	"UserExistsException":         ErrUserExists,
	"DuplicateExtensionException": ErrDuplicate,
	"TaskManagerException":        ErrJob,
	"InterruptedException":        ErrJob,
	"ExecutionException":          ErrJob,
}

// kindsByText refines a kind by the text, or finds it for a fault without
// detail. The first match counts. A text holds names that people have chosen, so
// a rule applies only to the kinds that it can be a special case of.
var kindsByText = []struct {
	prefix, contains string
	kind             Kind
	of               []Kind
}{
	{prefix: "User update conflict", kind: ErrLockConflict, of: fromStorage},
	{prefix: "Cannot map ", contains: "already in use", kind: ErrMappingUsed, of: fromStorage},
	{prefix: "A mapping with login info", kind: ErrMappingUsed, of: fromStorage},
	{contains: "Deadlock found when trying to get lock", kind: ErrRolledBack, of: fromStorage},
	{contains: "UCP-0011", kind: ErrUserExists, of: fromStorage}, // copy without the login name
	{contains: "UCP-0003", kind: ErrCopyConflict, of: fromStorage},
	{contains: "Categories=TRY_AGAIN", kind: ErrStarting, of: fromStorage},
	{contains: "FLD-0075", kind: ErrDisplayNameUsed, of: fromStorage}, // differs in upper and lower case only
	{prefix: "The displayname is already used", kind: ErrDisplayNameUsed, of: fromData},
	{prefix: "Primary mail address", contains: "already exists", kind: ErrAddressUsed, of: fromData},
	{prefix: "Changing username is disabled", kind: ErrUnchangeable, of: fromData},
	{prefix: "primary mail must not be changed", kind: ErrUnchangeable, of: fromData},
	{prefix: "User ", contains: "already exists in", kind: ErrUserExists, of: append([]Kind{ErrUserExists}, fromData...)},
	{prefix: "Group already exists", kind: ErrGroupExists, of: fromData},
	{prefix: "Group ", contains: "already exists in this context", kind: ErrGroupExists, of: fromData},
	{prefix: "Member already exists in group", kind: ErrAlreadyMember, of: fromData},
	{prefix: "No such access combination name", kind: ErrNoSuchCombination, of: fromData},
	{prefix: "Context ", contains: "already exists!", kind: ErrContextExists,
		of: append([]Kind{ErrContextExists}, fromData...)},
	{prefix: "Permission denied", kind: ErrPermissionDenied, of: []Kind{ErrCredentials, ErrRemote, ErrServer}},
	{prefix: "Authentication failed", kind: ErrCredentials, of: fromAny},
	{prefix: "Schema ", contains: "is locked or is now being updated", kind: ErrDatabaseUpdate, of: fromAny},
	{prefix: "The context ", contains: "does not exist", kind: ErrNoSuchContext, of: fromAny},
	{prefix: "Context ", contains: "does not exist", kind: ErrNoSuchContext, of: fromAny},
	{prefix: "No such user", kind: ErrNoSuchUser, of: fromAny},
	{prefix: "No such group", kind: ErrNoSuchGroup, of: fromAny},
	{prefix: "No such resource", kind: ErrNoSuchResource, of: fromAny},
	{prefix: "Mandatory fields", kind: ErrInvalidData, of: fromAny},
	{prefix: "Illegal chars", kind: ErrInvalidData, of: fromAny},
}

// Where the special cases come from: ErrServer is a fault without detail.
var (
	fromStorage = []Kind{ErrStorage, ErrRemote, ErrServer}
	fromData    = []Kind{ErrInvalidData, ErrStorage, ErrRemote, ErrServer}
	fromAny     = []Kind{ErrStorage, ErrRemote, ErrServer}
)

const exceptionPackage = "com.openexchange.admin.rmi.exceptions."

// classify turns what the SOAP runtime returned into an [*Error]. parent is the
// caller's context.
func (k *call) classify(parent context.Context, err error) *Error {
	if err == nil {
		return nil
	}
	e := &Error{Op: k.name, Context: k.context, Subject: k.subject, Err: err}
	if k.op != nil {
		e.Service = k.op.String()
	}
	var fault *soap.Fault
	var status *soap.HTTPError
	var transport *soap.TransportError
	var protocol *soap.ProtocolError
	switch {
	case errors.As(err, &fault):
		e.Err = nil
		e.HTTPStatus, e.ExceptionID = fault.Status, strings.Join(fault.ExceptionIDs, " ")
		e.Kind, e.Message = kindOf(fault)
		switch {
		case k.loginUnknown(e.Message):
			e.Kind = ErrCredentials
		case e.Kind == ErrStorage && k.createsContext() && rolledBackCreate(e.Message):
			e.Kind = ErrRolledBack
		}
		e.NotDone = e.Kind != ErrStorage && e.Kind != ErrRemote && e.Kind != ErrServer && e.Kind != ErrRolledBack
	case errors.As(err, &status):
		e.Err = nil
		e.Kind, e.HTTPStatus, e.Message = ErrStatus, status.Status, status.Text
		e.NotDone = status.Status < 500 && status.Status != 408
		if status.Status == 404 {
			e.Kind = ErrNoService
		}
		if e.Message == "" {
			e.Message = fmt.Sprintf("http status %d", status.Status)
		}
	case errors.As(err, &transport):
		e.Kind, e.Err = ErrLostAnswer, transport.Err
		if transport.NotSent {
			e.Kind, e.NotDone = ErrUnreachable, true
		}
		if parent.Err() != nil {
			e.Kind, e.Err = ErrCanceled, context.Cause(parent)
		}
	case errors.As(err, &protocol):
		e.Kind, e.HTTPStatus = ErrProtocol, 200
	default: // the request could not be written down
		e.Kind, e.NotDone = ErrInvalidData, true
	}
	e.Message = k.redact(e.Message)
	return e
}

// kindOf classifies a fault by its detail, its text and its code, and returns
// the text without the names of Java classes in front.
func kindOf(f *soap.Fault) (Kind, string) {
	kind, text := kindsByDetail[f.Kind], f.Message
	// A lookup by name that fails carries the kind in the text, behind
	// "...NoSuchObjectException: ...".
	for strings.HasPrefix(text, exceptionPackage) {
		name, rest, found := strings.Cut(strings.TrimPrefix(text, exceptionPackage), ": ")
		if !found {
			break
		}
		if k, ok := kindsByDetail[name]; ok {
			kind = k
		}
		text = rest
	}
	if kind == "" {
		if kind = ErrServer; f.Code != "Server" {
			return ErrNotUnderstood, text
		}
	}
	for _, t := range kindsByText {
		if slices.Contains(t.of, kind) && strings.HasPrefix(text, t.prefix) && strings.Contains(text, t.contains) {
			return t.kind, text
		}
	}
	return kind, text
}

// loginUnknown recognises a trap: user change, getData and getMultipleData look
// the caller's login up as a user before they check the password, and answer
// "No such user LOGIN in context N" when there is none. Taken for a missing
// target it would make every user look gone.
func (k *call) loginUnknown(message string) bool {
	rest, ok := strings.CutPrefix(message, "No such user ")
	name, _, found := strings.Cut(rest, " in context ")
	// Servers may lower-case logins (AUTO_TO_LOWERCASE_UID).
	return k.looksUpLogin && k.login != "" && ok && found && strings.EqualFold(name, k.login)
}

// createsContext reports whether the call makes a context.
func (k *call) createsContext() bool {
	return k.op == oxcontext.OpCreate || k.op == oxcontext.OpCreateModuleAccess ||
		k.op == oxcontext.OpCreateModuleAccessByName
}

// rolledBackCreate recognises what OX says, besides "Deadlock found", when two
// creates of contexts in one schema got in each other's way: the administrator
// that it has just made is not there, or the id is in use by leftovers of a context
// that was deleted a moment ago. Nothing of the new context is there afterwards.
func rolledBackCreate(message string) bool {
	return strings.Contains(message, "FLD-0033") ||
		strings.Contains(message, "FLD-0038") && strings.Contains(message, "Duplicate entry")
}

// redact removes the secrets of the request from a text.
func (k *call) redact(s string) string {
	for _, secret := range k.secrets {
		if len(secret) <= 2 {
			continue
		}
		// A request that is thrown back holds it with references.
		var escaped strings.Builder
		_ = xml.EscapeText(&escaped, []byte(secret))
		xmlOnly := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;").Replace(string(secret))
		for _, form := range []string{string(secret), xmlOnly, escaped.String(), html.EscapeString(string(secret)),
			url.QueryEscape(string(secret))} {
			s = strings.ReplaceAll(s, form, "[redacted]")
		}
	}
	return s
}

// lockedSchema returns the schema that a DatabaseUpdateException speaks of.
func lockedSchema(message string) string {
	_, rest, _ := strings.Cut(message, `Schema "`)
	name, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return ""
	}
	return name
}

// Credentials are a login and its password: those of the master administrator
// (oxadminmaster), of a context's administrator, or, for a few operations on
// oneself, of a user.
type Credentials struct {
	Login    string
	Password schoolmail.Secret
}
