package udm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Kind says what went wrong. The kinds are themselves errors, so that callers
// ask with [errors.Is].
type Kind string

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// The kinds of errors.
const (
	ErrOther    Kind = "failed"
	ErrNotFound Kind = "no such object" // also [schoolmail.ErrNotFound]
	// ErrTaken: the name or address belongs to somebody else, or somebody holds
	// a lock on it; see [LockTime]. Also [schoolmail.ErrConflict].
	ErrTaken Kind = "taken already"
	// ErrStale: the object has changed since its Etag was read. Also
	// [schoolmail.ErrConflict].
	ErrStale   Kind = "changed by somebody else"
	ErrInvalid Kind = "invalid" // a value, property or option that UDM does not take
	// ErrRefused: a hook or the server behind UDM said no, and UDM does not say
	// to which property. What was written has been rolled back.
	ErrRefused     Kind = "refused"
	ErrDenied      Kind = "access denied"
	ErrUnavailable Kind = "unavailable" // may work later
)

// LockTime is how long a lock lasts that a refused create leaves behind.
const LockTime = 5 * time.Minute

// Error is what all methods of this package return.
type Error struct {
	Op        string // "create users/user", ...
	Subject   string // DN or position, as far as it was known
	Kind      Kind
	Status    int      // of HTTP; 0: no answer
	Location  []string // where UDM sees the fault, such as body, properties, username; nil: it does not say
	RequestID string   // X-Request-Id, to be found in the server's log
	Sent      bool     // the request was sent and its answer lost: it may have been carried out
	Err       error    // cause, may be nil
}

// Error returns `udm: create users/user: taken already: dn (422)`. UDM's own text is
// not in it: it repeats values.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("udm: " + e.Op)
	if e.Subject != "" {
		fmt.Fprintf(&b, " %q", e.Subject)
	}
	b.WriteString(": " + string(e.Kind))
	if n := len(e.Location); n > 0 {
		b.WriteString(": " + e.Location[n-1])
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Sent {
		b.WriteString(", the answer was lost")
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is work with the kind, and with what the root package calls it.
func (e *Error) Is(target error) bool {
	return target == e.Kind ||
		target == schoolmail.ErrNotFound && e.Kind == ErrNotFound ||
		target == schoolmail.ErrConflict && (e.Kind == ErrTaken || e.Kind == ErrStale)
}

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool { return e.Kind == ErrUnavailable }

// refusal is the body of an answer that is no success.
type refusal struct {
	Embedded struct {
		Errors []struct {
			Location []*string `json:"location"`
		} `json:"udm:error"`
	} `json:"_embedded"`
}

// location returns the most telling of the locations. UDM names null where it
// does not know the property.
func (r *refusal) location() []string {
	var best []string
	for _, e := range r.Embedded.Errors {
		var l []string
		for _, p := range e.Location {
			if p != nil {
				l = append(l, *p)
			}
		}
		if len(l) == len(e.Location) && len(l) > len(best) {
			best = l
		}
	}
	return best
}

// taken are where UDM sees the fault when a name or an address is taken. (An
// address with a fault in itself is refused at the same place.)
var taken = []string{"dn", "mailPrimaryAddress"}

// unique are properties that no two objects may have alike.
var unique = []string{"username", "name", "mailPrimaryAddress"}

// kindOf tells what an answer means. names says whether the request gives an
// object a name or an address, which may be taken.
func kindOf(status int, location []string, names bool) Kind {
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		return ErrNotFound
	case status == http.StatusPreconditionFailed:
		return ErrStale
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return ErrDenied
	case status == http.StatusServiceUnavailable || status == http.StatusBadGateway ||
		status == http.StatusGatewayTimeout ||
		status == http.StatusTooManyRequests:
		return ErrUnavailable
	case status == http.StatusUnprocessableEntity && location == nil:
		return ErrRefused
	case status == http.StatusUnprocessableEntity && names && slices.Contains(taken, location[len(location)-1]):
		return ErrTaken
	case status == http.StatusUnprocessableEntity || status == http.StatusNotAcceptable:
		return ErrInvalid
	case status == http.StatusBadRequest:
		return ErrRefused
	}
	return ErrOther
}
