package soap

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
)

// decodeAnswer reads an answer into resp; see [Caller] for what resp may be.
func decodeAnswer(op *Operation, r io.Reader, resp any, status int, maxToken int64) error {
	a := answer{op: op, d: decoder{scanner: newScanner(r, maxToken)}}
	err := a.read(resp, status)
	var each eachError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &each):
		return each.err
	}
	switch err.(type) {
	case *Fault, *ProtocolError:
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &ProtocolError{Op: op, Reason: "answer is cut off", Err: err}
	}
	return &ProtocolError{Op: op, Reason: "answer is broken", Err: err}
}

type answer struct {
	op *Operation
	d  decoder
}

// eachError carries an error of the caller's Each past the others.
type eachError struct{ err error }

func (e eachError) Error() string { return e.err.Error() }

func (a *answer) unexpected(format string, args ...any) error {
	return &ProtocolError{Op: a.op, Reason: fmt.Sprintf(format, args...)}
}

func (a *answer) read(resp any, status int) error {
	d := &a.d
	_, err := d.child()
	if errors.Is(err, io.ErrUnexpectedEOF) && !d.begun && d.offset() == 0 && a.op.Void() &&
		(status == http.StatusAccepted || status == http.StatusNoContent) {
		return nil // a 200 without a body is an answer that got lost
	}
	if err != nil {
		return err
	}
	if d.space != envelopeSpace || string(d.local) != "Envelope" {
		return a.unexpected("answer is no SOAP 1.1 envelope")
	}
	for {
		found, err := d.child()
		if err != nil {
			return err
		}
		if !found {
			return a.unexpected("answer has no body")
		}
		if d.space == envelopeSpace && string(d.local) == "Body" {
			break
		}
		if err := d.skip(); err != nil {
			return err
		}
	}
	found, err := d.child()
	if err != nil {
		return err
	}
	switch {
	case !found && a.op.Void() && status != 500:
		return a.finish()
	case !found:
		return a.unexpected("answer has an empty body")
	case d.space == envelopeSpace && string(d.local) == "Fault":
		f, err := a.fault(status)
		if err != nil {
			return err
		}
		return f
	case a.op.Void() || d.space != a.op.Response.Space || string(d.local) != a.op.Response.Local:
		return a.unexpected("answer has an unexpected element %s", d.local)
	}
	if each, ok := resp.(Each); ok {
		if err := a.each(each); err != nil {
			return err
		}
		return a.finish()
	}
	v := reflect.ValueOf(resp)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("%T is no pointer to a response", resp)
	}
	if err := d.structInto(planOf(v.Type().Elem()), v.Elem()); err != nil {
		return err
	}
	return a.finish()
}

// each hands the children named "return" to the caller.
func (a *answer) each(each Each) error {
	d := &a.d
	var used bool
	var decodeErr error
	decode := func(v any) error {
		if used {
			return errors.New("soap: element decoded twice")
		}
		used = true
		rv := reflect.ValueOf(v)
		if rv.Kind() != reflect.Pointer || rv.IsNil() {
			return fmt.Errorf("soap: cannot decode into %T", v)
		}
		decodeErr = d.structInto(planOf(rv.Type().Elem()), rv.Elem())
		return decodeErr
	}
	for {
		found, err := d.child()
		if err != nil || !found {
			return err
		}
		if d.isNil || string(d.local) != "return" || d.space != a.op.Response.Space {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		used, decodeErr = false, nil
		err = each(decode)
		if decodeErr != nil {
			return decodeErr
		}
		if err != nil {
			return eachError{err}
		}
		if !used {
			if err := d.skip(); err != nil {
				return err
			}
		}
	}
}

// fault reads the Fault whose start tag was the last token.
func (a *answer) fault(status int) (*Fault, error) {
	d := &a.d
	f := &Fault{Op: a.op, Status: status}
	for {
		found, err := d.child()
		if err != nil {
			return nil, err
		}
		if !found {
			return f, nil
		}
		if err := a.faultPart(f); err != nil {
			return nil, err
		}
	}
}

// faultPart reads the child of a Fault whose start tag was the last token.
func (a *answer) faultPart(f *Fault) error {
	d := &a.d
	switch string(d.local) {
	case "faultcode":
		b, err := d.content(false)
		f.Code = localPart(string(trimSpace(b)))
		return err
	case "faultstring":
		b, err := d.content(false)
		if err == nil {
			f.Message, f.ExceptionIDs = parseFaultString(string(b))
		}
		return err
	case "detail":
		return a.detail(f)
	}
	return d.skip()
}

// detail reads the detail of a fault, whose first child tells its kind.
func (a *answer) detail(f *Fault) error {
	for {
		inside, err := a.d.child()
		if err != nil || !inside {
			return err
		}
		if f.Kind == "" {
			f.Kind = string(a.d.local)
		}
		if err := a.d.skip(); err != nil {
			return err
		}
	}
}

// finish reads to the end of the document, so that a cut-off answer is noticed.
func (a *answer) finish() error {
	for {
		if _, err := a.d.next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// child moves to the next child element, and reports false at the end tag of
// the element that contains it.
func (s *scanner) child() (bool, error) {
	for {
		tok, err := s.next()
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || tok == tokenEnd {
			return false, err
		}
		if tok == tokenStart {
			return true, nil
		}
	}
}

func localPart(qname string) string {
	for i := len(qname) - 1; i >= 0; i-- {
		if qname[i] == ':' {
			return qname[i+1:]
		}
	}
	return qname
}
