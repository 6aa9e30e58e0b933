package appsuite

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Kind says what an error means for the caller. It is derived from OX's code, or
// from its category where the code is not known. The kinds are themselves errors,
// for errors.Is.
type Kind string

// Error returns the kind's text.
func (k Kind) Error() string { return string(k) }

// The kinds. [ErrNotFound] matches [schoolmail.ErrNotFound], and [ErrConflict] and
// [ErrDuplicate] match [schoolmail.ErrConflict], [ErrUpdating] matches
// [schoolmail.ErrUpdating].
const (
	ErrConflict    Kind = "changed meanwhile"                // the object was changed after the timestamp sent
	ErrNotFound    Kind = "not found"                        // no such folder, contact or entity
	ErrPermission  Kind = "permission denied"                // not allowed, or not visible
	ErrDuplicate   Kind = "already exists"                   // a folder of that title exists there
	ErrLogin       Kind = "login refused"                    // or not tried after a refusal
	ErrSession     Kind = "session expired"                  // session gone (the client has tried to log in again)
	ErrLimited     Kind = "rate limit reached"               // or too many sessions
	ErrQuota       Kind = "quota exceeded"                   // no more contacts allowed in this context
	ErrTooLong     Kind = "value too long"                   // a value does not fit its column
	ErrInvalid     Kind = "invalid input"                    // refused input or parameters
	ErrUnavailable Kind = "server unavailable"               // server or network down, or asks to try again
	ErrUpdating    Kind = "database schema is being updated" // the context cannot be used until that is over
	ErrUncertain   Kind = "answer lost, the write may have happened"
	ErrNotSent     Kind = "not sent"          // item of a batch that was never sent
	ErrProtocol    Kind = "unexpected answer" // the answer is not what OX answers
	ErrOther       Kind = "other error"       // any other error reported by OX
)

// Category is OX's own classification of an error.
type Category string

// The categories seen in OX's sources. Others are passed through.
const (
	CategoryError         Category = "ERROR"
	CategoryTryAgain      Category = "TRY_AGAIN"
	CategoryUserInput     Category = "USER_INPUT"
	CategoryPermission    Category = "PERMISSION_DENIED"
	CategoryConfiguration Category = "CONFIGURATION"
	CategoryServiceDown   Category = "SERVICE_DOWN"
	CategoryConflict      Category = "CONFLICT"
	CategoryTruncated     Category = "TRUNCATED"
	CategoryWarning       Category = "WARNING"
	CategoryConnectivity  Category = "CONNECTIVITY"
	CategoryCapacity      Category = "CAPACITY"
)

// Error is a failed call. Its text holds the operation, the ids concerned, OX's
// code and the id of the incident in OX's log, but not OX's own sentence, which
// can quote personal data; that stands in Message and Desc.
type Error struct {
	Op         string        // module and action, e.g. "contacts update"
	Subject    string        // ids concerned, e.g. "folder 187 id 9001"; may be empty
	Kind       Kind          // what it means for the caller
	Code       string        // OX's code such as "CON-0119"; empty when OX did not answer
	Categories []Category    // as answered
	ID         string        // id of the incident in the server's log
	Message    string        // OX's sentence, in the account's language; may quote personal data
	Desc       string        // OX's technical text, English; may quote personal data
	Params     []string      // as answered, usually empty; may quote personal data
	Status     int           // HTTP status; 0 when there was no answer
	RetryAfter time.Duration // for ErrLimited: what the server asked for
	Err        error         // cause, e.g. of the network; may be nil
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("appsuite: ")
	b.WriteString(e.Op)
	if e.Subject != "" {
		b.WriteString(" ")
		b.WriteString(e.Subject)
	}
	b.WriteString(": " + string(e.Kind))
	var notes []string
	if e.Code != "" {
		notes = append(notes, e.Code)
	}
	if e.Status != 0 && e.Status != http.StatusOK {
		notes = append(notes, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.ID != "" {
		notes = append(notes, "incident "+e.ID)
	}
	if e.RetryAfter > 0 {
		notes = append(notes, "retry after "+e.RetryAfter.String())
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is e's kind, or what that means to the other packages.
func (e *Error) Is(target error) bool {
	switch target {
	case e.Kind:
		return true
	case schoolmail.ErrNotFound:
		return e.Kind == ErrNotFound
	case schoolmail.ErrConflict:
		return e.Kind == ErrConflict || e.Kind == ErrDuplicate
	case schoolmail.ErrUpdating:
		return e.Kind == ErrUpdating
	}
	return false
}

// Temporary reports whether the same call may succeed later without anybody
// changing anything. It is false for [ErrUncertain], which must be looked into,
// and for [ErrConflict], which needs a new read.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case ErrUnavailable, ErrUpdating, ErrLimited, ErrSession:
		return true
	}
	return false
}

// codeKinds maps the codes that callers branch on. The rest goes by category.
var codeKinds = map[string]Kind{
	"CON-0119": ErrConflict, "FLD-1022": ErrConflict, "FLD-0009": ErrConflict,

	"CON-0125": ErrNotFound, "CON-0174": ErrNotFound, "FLD-0008": ErrNotFound,
	"FLD-0044": ErrNotFound, "USR-0010": ErrNotFound, "CON-0261": ErrNotFound,

	"CON-0104": ErrPermission, "CON-0112": ErrPermission, "CON-0176": ErrPermission,
	"CON-0169": ErrPermission, "CON-0103": ErrPermission, "CON-0260": ErrPermission,
	"FLD-0002": ErrPermission, "FLD-0003": ErrPermission, "FLD-0005": ErrPermission,
	"FLD-0006": ErrPermission, "FLD-0010": ErrPermission, "FLD-0032": ErrPermission,
	"FLD-0072": ErrPermission, "FLD-0073": ErrPermission, "FLD-0086": ErrPermission,
	"FLD-0089": ErrPermission, "FLD-0090": ErrPermission, "FLD-1029": ErrPermission,
	"I_E-0100": ErrPermission, "I_E-0500": ErrPermission, "I_E-0607": ErrPermission,

	"FLD-1014": ErrDuplicate, "FLD-0012": ErrDuplicate, "FLD-1034": ErrDuplicate,

	"LGI-0001": ErrLogin, "LGI-0006": ErrLogin, "LGI-0011": ErrLogin, "LGI-0013": ErrLogin,
	"LGI-0014": ErrLogin, "LGI-0021": ErrLogin, "LGI-0024": ErrLogin, "LGI-0026": ErrLogin,
	"LGI-0027": ErrLogin, "LGI-0028": ErrLogin, "AUTHORIZATION-0001": ErrLogin,

	"SES-0201": ErrSession, "SES-0203": ErrSession, "SES-0204": ErrSession,
	"SES-0205": ErrSession, "SES-0206": ErrSession,

	"SES-0007": ErrLimited, "SES-0207": ErrLimited,

	"QUOTA-0003": ErrQuota,

	"CON-0154": ErrTooLong, "FLD-0064": ErrTooLong,

	"CTX-0007": ErrUpdating,

	"LGI-0002": ErrUnavailable, "LGI-0005": ErrUnavailable, "LGI-0010": ErrUnavailable,
	"FLD-0087": ErrUnavailable, "FLD-1028": ErrUnavailable, "FLD-1035": ErrUnavailable,
}

func kindOf(code string, categories []Category) Kind {
	if k, ok := codeKinds[code]; ok {
		return k
	}
	has := func(c Category) bool { return slices.Contains(categories, c) }
	switch {
	case has(CategoryPermission):
		return ErrPermission
	case has(CategoryConflict):
		return ErrConflict
	case has(CategoryTruncated):
		return ErrTooLong
	case has(CategoryTryAgain), has(CategoryServiceDown), has(CategoryConnectivity):
		return ErrUnavailable
	case has(CategoryUserInput), strings.HasPrefix(code, "SVL-"):
		return ErrInvalid
	}
	return ErrOther
}
