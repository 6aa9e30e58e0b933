package escada

import (
	"errors"
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Kinds of mistakes that make an export unusable. Test for them with
// errors.Is on what the Read functions return.
var (
	ErrNoFiles         = errors.New("no export files")
	ErrEmpty           = errors.New("export is empty")
	ErrMissingColumn   = errors.New("column missing")
	ErrDuplicateColumn = errors.New("column given twice")
	ErrUnknownColumn   = errors.New("unknown column") // only with Profile.Strict
	ErrEncoding        = errors.New("wrong encoding")
	ErrXML             = errors.New("no XML")
	ErrTooLarge        = errors.New("file too large")
	ErrTooManyRejected = errors.New("too many rejected rows")
	ErrMixedKinds      = errors.New("full and delta files in one export")
	ErrDuplicateFile   = errors.New("same file twice")
	ErrProfile         = errors.New("bad profile")
	ErrRecord          = errors.New("record cannot be written")
)

// Error is one mistake that makes an export, or a profile, unusable.
type Error struct {
	Position schoolmail.Position // zero for mistakes of no file
	Kind     error               // one of the Err values, or nil for errors of the file system
	Detail   string              // what was found or expected; no field contents
	Err      error               // underlying error, or nil
}

// Error returns "escada: file:line: column "x": what: detail".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("escada: ")
	if p := e.Position.String(); p != "" {
		b.WriteString(p)
		b.WriteString(": ")
	}
	sep := ""
	if e.Kind != nil {
		b.WriteString(e.Kind.Error())
		sep = ": "
	}
	if e.Detail != "" {
		b.WriteString(sep + e.Detail)
		sep = ": "
	}
	if e.Err != nil {
		b.WriteString(sep + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Kind and Err, so that errors.Is finds both.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Kind != nil {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Temporary reports whether reading again later can help: only for errors of
// the file system, never for mistakes in the export.
func (e *Error) Temporary() bool { return e.Kind == nil && e.Err != nil }

// Errors lists everything that makes an export unusable.
type Errors []*Error

// Error returns all mistakes, one a line.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors.
func (es Errors) Unwrap() []error {
	errs := make([]error, len(es))
	for i, e := range es {
		errs[i] = e
	}
	return errs
}

// err returns es as an error, nil if it is empty.
func (es Errors) err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

func (es *Errors) add(pos schoolmail.Position, kind error, format string, args ...any) {
	*es = append(*es, &Error{Position: pos, Kind: kind, Detail: fmt.Sprintf(format, args...)})
}
