package site

import (
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/site/notify"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// causes are the causes of failures that reports know, see [report.Causes], each with
// errors that stand for it. A step keeps its error as a text only, in which the words of
// the error's kind stand. The first that is found counts, so that what is special comes
// before what is said of many things.
var causes = []struct {
	cause  string
	errors []error
}{
	{"copy", []error{ox.ErrCopyDiffers, ox.ErrCopyConflict}},
	{"updating", []error{ox.ErrDatabaseUpdate, schoolmail.ErrUpdating}},
	{"taken", []error{ox.ErrDisplayNameUsed, ox.ErrUserExists, ox.ErrAddressUsed, ox.ErrMappingUsed, udm.ErrTaken}},
	{"full", []error{dovecot.ErrOverQuota}},
	{"credentials", []error{ox.ErrCredentials, ox.ErrPermissionDenied, ucs.ErrDenied, udm.ErrDenied,
		dovecot.ErrUnauthorized, dovecot.ErrForbidden, notify.ErrRefused}},
	{"lost-answer", []error{ox.ErrLostAnswer, ox.ErrProtocol, dovecot.ErrUnknownOutcome}},
	{"unreachable", []error{ox.ErrUnreachable, ox.ErrStarting, ox.ErrStatus, ucs.ErrUnavailable, dovecot.ErrUnavailable,
		dovecot.ErrTemporary}},
	{"changed", []error{udm.ErrStale, ox.ErrNotTheSame, schoolmail.ErrConflict}},
	{"missing", []error{ox.ErrNoSuchUser, ox.ErrNoSuchContext, ox.ErrNoService, schoolmail.ErrNotFound}},
	{"refused", []error{ox.ErrInvalidData, ox.ErrNotUnderstood, dovecot.ErrInvalid}},
}

// otherWords are of errors that have no kind.
var otherWords = []struct{ words, cause string }{{" is full (", "full"}, {"deadline exceeded", "unreachable"},
	{"connection refused", "unreachable"}, {"the run ended", "waits"}}

// causeOf finds the cause of a step's error; "": another one.
func causeOf(text string) string {
	for _, o := range otherWords {
		if strings.Contains(text, o.words) {
			return o.cause
		}
	}
	for _, c := range causes {
		for _, err := range c.errors {
			if strings.Contains(text, err.Error()) {
				return c.cause
			}
		}
	}
	return ""
}
