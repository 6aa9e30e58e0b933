package soap

import (
	"errors"
	"fmt"
	"strings"
)

// Fault is a SOAP fault. On the client it is what the server answered, on the
// server what it is going to answer.
type Fault struct {
	// Op is the operation that was called; nil on a server that could not tell.
	Op *Operation
	// Code is the local part of faultcode, "Server" or "Client".
	Code string
	// Message is the faultstring without the ids of the incident.
	Message string
	// ExceptionIDs are the ids under which the server's log has the incident, for
	// example "-1449140138-13". A cause that was wrapped brings several.
	ExceptionIDs []string
	// Kind is the local name of the detail's first child, for example
	// "NoSuchUserException", or "" for a fault without detail.
	Kind string
	// Status is the HTTP status of the answer.
	Status int
}

// Error gives operation, kind and message.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString("soap: ")
	if f.Op != nil {
		b.WriteString(f.Op.String() + ": ")
	}
	if f.Kind != "" {
		b.WriteString(f.Kind + ": ")
	}
	b.WriteString(f.Message)
	if len(f.ExceptionIDs) > 0 {
		b.WriteString(" (exception " + strings.Join(f.ExceptionIDs, ", ") + ")")
	}
	return b.String()
}

// String returns the faultstring as it is on the wire.
func (f *Fault) String() string {
	s := f.Message
	for _, id := range f.ExceptionIDs {
		s += exceptionMark + id
	}
	return s
}

const exceptionMark = "; exceptionId "

// parseFaultString takes the "; exceptionId n-m" parts out of a faultstring.
func parseFaultString(s string) (message string, ids []string) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, exceptionMark)
		b.WriteString(before)
		if !found {
			return strings.TrimSpace(b.String()), ids
		}
		n := 0
		for n < len(after) && (after[n] == '-' || after[n] >= '0' && after[n] <= '9') {
			n++
		}
		if n > 0 {
			ids = append(ids, after[:n])
		} else {
			b.WriteString(exceptionMark)
		}
		s = after[n:]
	}
}

// HTTPError is an answer that is not SOAP: a proxy's page, a redirect, a
// refused authentication, an unknown service.
type HTTPError struct {
	Op     *Operation
	Status int
	// Text is a short plain-text extract of the body, without markup and with
	// the request's secrets taken out.
	Text string
}

// Error gives the status and the extract.
func (e *HTTPError) Error() string {
	s := fmt.Sprintf("soap: %s: http status %d", e.Op, e.Status)
	if e.Text != "" {
		s += ": " + e.Text
	}
	return s
}

// ProtocolError is an answer that is not what the WSDL promises: broken or cut
// off XML, a wrong element, more bytes than allowed. The server may have done
// the work.
type ProtocolError struct {
	Op     *Operation
	Reason string
	Err    error // the cause, if any
}

// Error gives the reason and the cause.
func (e *ProtocolError) Error() string {
	s := fmt.Sprintf("soap: %s: %s", e.Op, e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *ProtocolError) Unwrap() error { return e.Err }

// TransportError is a request without an answer.
type TransportError struct {
	Op *Operation
	// NotSent is true when no connection came about, so that the server cannot
	// have seen the request. When it is false, nobody knows.
	NotSent bool
	Err     error
}

// Error gives the cause.
func (e *TransportError) Error() string {
	state := "no answer"
	if e.NotSent {
		state = "not sent"
	}
	return fmt.Sprintf("soap: %s: %s: %v", e.Op, state, e.Err)
}

// Unwrap returns the cause.
func (e *TransportError) Unwrap() error { return e.Err }

// ErrTooLarge is wrapped by the [ProtocolError] of an answer over the limit.
var ErrTooLarge = errors.New("answer is larger than allowed")
