package appsuite

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Kind says what an error means for the caller. It is derived from OX's code,
// or from its category where the code is not known.
type Kind string

// The kinds. Each has a sentinel for errors.Is.
const (
	KindConflict    Kind = "conflict"    // the object was changed after the timestamp sent
	KindNotFound    Kind = "not found"   // no such folder, contact or entity
	KindPermission  Kind = "permission"  // not allowed, or not visible
	KindDuplicate   Kind = "duplicate"   // a folder of that title exists there
	KindLogin       Kind = "login"       // login refused, or not tried after a refusal
	KindSession     Kind = "session"     // session gone (the client has tried to log in again)
	KindLimited     Kind = "limited"     // rate limit or too many sessions
	KindQuota       Kind = "quota"       // no more contacts allowed in this context
	KindTooLong     Kind = "too long"    // a value does not fit its column
	KindInvalid     Kind = "invalid"     // refused input or parameters
	KindUnavailable Kind = "unavailable" // server or network down, or asks to try again
	KindUncertain   Kind = "uncertain"   // the write was sent and its answer lost
	KindNotSent     Kind = "not sent"    // item of a batch that was never sent
	KindProtocol    Kind = "protocol"    // the answer is not what OX answers
	KindOther       Kind = "other"       // any other error reported by OX
)

// Sentinels for errors.Is.
var (
	ErrConflict    = errors.New("changed meanwhile")
	ErrNotFound    = errors.New("not found")
	ErrPermission  = errors.New("permission denied")
	ErrDuplicate   = errors.New("already exists")
	ErrLogin       = errors.New("login refused")
	ErrSession     = errors.New("session expired")
	ErrLimited     = errors.New("rate limit reached")
	ErrQuota       = errors.New("quota exceeded")
	ErrTooLong     = errors.New("value too long")
	ErrInvalid     = errors.New("invalid input")
	ErrUnavailable = errors.New("server unavailable")
	ErrUncertain   = errors.New("answer lost, the write may have happened")
	ErrNotSent     = errors.New("not sent")
	ErrProtocol    = errors.New("unexpected answer")
)

func (k Kind) sentinel() error {
	switch k {
	case KindConflict:
		return ErrConflict
	case KindNotFound:
		return ErrNotFound
	case KindPermission:
		return ErrPermission
	case KindDuplicate:
		return ErrDuplicate
	case KindLogin:
		return ErrLogin
	case KindSession:
		return ErrSession
	case KindLimited:
		return ErrLimited
	case KindQuota:
		return ErrQuota
	case KindTooLong:
		return ErrTooLong
	case KindInvalid:
		return ErrInvalid
	case KindUnavailable:
		return ErrUnavailable
	case KindUncertain:
		return ErrUncertain
	case KindNotSent:
		return ErrNotSent
	case KindProtocol:
		return ErrProtocol
	}
	return nil
}

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
	RetryAfter time.Duration // for KindLimited: what the server asked for
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
	what := string(e.Kind)
	if s := e.Kind.sentinel(); s != nil {
		what = s.Error()
	}
	b.WriteString(": " + what)
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

// Is reports whether target is the sentinel of e's kind.
func (e *Error) Is(target error) bool {
	s := e.Kind.sentinel()
	return s != nil && s == target
}

// Temporary reports whether the same call may succeed later without anybody
// changing anything. It is false for [ErrUncertain], which must be looked into,
// and for [ErrConflict], which needs a new read.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case KindUnavailable, KindLimited, KindSession:
		return true
	}
	return false
}

// codeKinds maps the codes that callers branch on. The rest goes by category.
var codeKinds = map[string]Kind{
	"CON-0119": KindConflict, "FLD-1022": KindConflict, "FLD-0009": KindConflict,

	"CON-0125": KindNotFound, "CON-0174": KindNotFound, "FLD-0008": KindNotFound,
	"FLD-0044": KindNotFound, "USR-0010": KindNotFound, "CON-0261": KindNotFound,

	"CON-0104": KindPermission, "CON-0112": KindPermission, "CON-0176": KindPermission,
	"CON-0169": KindPermission, "CON-0103": KindPermission, "CON-0260": KindPermission,
	"FLD-0002": KindPermission, "FLD-0003": KindPermission, "FLD-0005": KindPermission,
	"FLD-0006": KindPermission, "FLD-0010": KindPermission, "FLD-0032": KindPermission,
	"FLD-0072": KindPermission, "FLD-0073": KindPermission, "FLD-0086": KindPermission,
	"FLD-0089": KindPermission, "FLD-0090": KindPermission, "FLD-1029": KindPermission,
	"I_E-0100": KindPermission, "I_E-0500": KindPermission, "I_E-0607": KindPermission,

	"FLD-1014": KindDuplicate, "FLD-0012": KindDuplicate, "FLD-1034": KindDuplicate,

	"LGI-0001": KindLogin, "LGI-0006": KindLogin, "LGI-0011": KindLogin, "LGI-0013": KindLogin,
	"LGI-0014": KindLogin, "LGI-0021": KindLogin, "LGI-0024": KindLogin, "LGI-0026": KindLogin,
	"LGI-0027": KindLogin, "LGI-0028": KindLogin, "AUTHORIZATION-0001": KindLogin,

	"SES-0201": KindSession, "SES-0203": KindSession, "SES-0204": KindSession,
	"SES-0205": KindSession, "SES-0206": KindSession,

	"SES-0007": KindLimited, "SES-0207": KindLimited,

	"QUOTA-0003": KindQuota,

	"CON-0154": KindTooLong, "FLD-0064": KindTooLong,

	"LGI-0002": KindUnavailable, "LGI-0005": KindUnavailable, "LGI-0010": KindUnavailable,
	"FLD-0087": KindUnavailable, "FLD-1028": KindUnavailable, "FLD-1035": KindUnavailable,
}

func kindOf(code string, categories []Category) Kind {
	if k, ok := codeKinds[code]; ok {
		return k
	}
	has := func(c Category) bool { return slices.Contains(categories, c) }
	switch {
	case has(CategoryPermission):
		return KindPermission
	case has(CategoryConflict):
		return KindConflict
	case has(CategoryTruncated):
		return KindTooLong
	case has(CategoryTryAgain), has(CategoryServiceDown), has(CategoryConnectivity):
		return KindUnavailable
	case has(CategoryUserInput), strings.HasPrefix(code, "SVL-"):
		return KindInvalid
	}
	return KindOther
}
