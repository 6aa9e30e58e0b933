package escada

import (
	"fmt"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/mistakes"
)

// Kind is a sort of mistake that makes an export, or a profile, unusable. It is
// an error, to be tested for with errors.Is on what the Read functions return.
type Kind string

// Error returns the kind in words.
func (k Kind) Error() string { return string(k) }

// The kinds.
const (
	ErrNoFiles         Kind = "no export files"
	ErrEmpty           Kind = "export is empty"
	ErrMissingColumn   Kind = "column missing"
	ErrDuplicateColumn Kind = "column given twice"
	ErrUnknownColumn   Kind = "unknown column" // only with Profile.Strict
	ErrColumnsChanged  Kind = "columns changed"
	ErrEncoding        Kind = "wrong encoding"
	ErrXML             Kind = "no XML"
	ErrContainer       Kind = "bad container"
	ErrNotReady        Kind = "files are still being written" // reading later helps
	ErrDamaged         Kind = "file damaged"                  // not as its checksum says
	ErrOlder           Kind = "older than the last accepted delivery"
	ErrTooLarge        Kind = "file too large"
	ErrTooManyRejected Kind = "too many rejected rows"
	ErrUnknownCodes    Kind = "unknown codes"
	ErrMixedKinds      Kind = "full and delta files in one export"
	ErrDuplicateFile   Kind = "same file twice"
	ErrProfile         Kind = "bad profile"
	ErrRecord          Kind = "record cannot be written"
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{
		ErrNoFiles, ErrEmpty, ErrMissingColumn, ErrDuplicateColumn, ErrUnknownColumn, ErrColumnsChanged, ErrEncoding, ErrXML,
		ErrContainer, ErrNotReady, ErrDamaged, ErrOlder, ErrTooLarge, ErrTooManyRejected, ErrUnknownCodes, ErrMixedKinds,
		ErrDuplicateFile, ErrProfile, ErrRecord,
	}
}

// Error is one mistake that makes an export, or a profile, unusable.
type Error struct {
	Position schoolmail.Position // zero for mistakes of no file
	Kind     Kind                // empty for errors of the file system
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
	if e.Kind != "" {
		b.WriteString(string(e.Kind))
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
	if e.Kind != "" {
		errs = append(errs, e.Kind)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// Temporary reports whether reading again later can help: for errors of the file
// system and files that are still being written, never for mistakes in the export.
func (e *Error) Temporary() bool { return e.Kind == ErrNotReady || e.Kind == "" && e.Err != nil }

// Errors lists everything that makes an export unusable.
type Errors []*Error

// Error returns all mistakes, one a line.
func (es Errors) Error() string { return mistakes.Lines(es) }

// Unwrap returns the single errors.
func (es Errors) Unwrap() []error { return mistakes.Each(es) }

// err returns es as an error, nil if it is empty.
func (es Errors) err() error {
	if len(es) == 0 {
		return nil
	}
	return es
}

func (es *Errors) add(pos schoolmail.Position, kind Kind, format string, args ...any) {
	*es = append(*es, &Error{Position: pos, Kind: kind, Detail: fmt.Sprintf(format, args...)})
}
