package ucs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// RemarkKind says what a [Remark] is about.
type RemarkKind string

// What a snapshot remarks.
const (
	// RemarkOtherRole: accounts with a record key that are neither pupil,
	// teacher nor staff to UCS@school, such as school administrators and legal
	// guardians. They are reported on hold: nothing touches them.
	RemarkOtherRole RemarkKind = "other-role"
	// RemarkStamped: accounts that somebody else has marked for deletion
	// (ucsschoolPurgeTimestamp): UCS@school removes them on that day. See
	// [Options.Stamps] and [Client.CallOff].
	RemarkStamped RemarkKind = "stamped"
	// RemarkExam: exams are under way at the school; Usernames are the clones.
	// The originals may be unable to log in until they are over.
	RemarkExam RemarkKind = "exam"
	// RemarkPlace: quota or mail server are not those of [Options.Extras]. They
	// are left so, as somebody may have meant it.
	RemarkPlace RemarkKind = "place"
)

// Remark is something about accounts that is as it is meant to be but that
// somebody should know. There is one for each kind and, for exams, school.
type Remark struct {
	Kind      RemarkKind
	School    schoolmail.SchoolID // of an exam
	Usernames []string            // sorted
	// First is the earliest day of deletion of stamped accounts.
	First schoolmail.Date
}

// String says it in words, with at most five user names.
func (r Remark) String() string {
	n := len(r.Usernames)
	names := strings.Join(r.Usernames[:min(n, 5)], ", ")
	if n > 5 {
		names += fmt.Sprintf(" and %d more", n-5)
	}
	switch r.Kind {
	case RemarkOtherRole:
		return fmt.Sprintf("accounts with a record key but with another role than pupil, teacher or staff, left alone: %s",
			names)
	case RemarkStamped:
		return fmt.Sprintf("accounts that somebody else has marked for deletion by UCS@school, the first on %s: %s",
			r.First, names)
	case RemarkExam:
		return fmt.Sprintf("exams are under way at %s: %s", r.School, names)
	case RemarkPlace:
		return fmt.Sprintf("accounts whose quota or mail server was set to something else: %s", names)
	}
	return fmt.Sprintf("%s: %s", r.Kind, names)
}

// remarkKey is what remarks are gathered by.
type remarkKey struct {
	kind   RemarkKind
	school schoolmail.SchoolID
}

// remarks gathers what single accounts give rise to.
type remarks map[remarkKey]*Remark

func (rs remarks) note(l *live) {
	for _, k := range l.remarks {
		r := rs[k]
		if r == nil {
			r = &Remark{Kind: k.kind, School: k.school}
			rs[k] = r
		}
		r.Usernames = append(r.Usernames, l.acct.Username)
		if k.kind == RemarkStamped && (r.First.IsZero() || l.stamp < r.First) {
			r.First = l.stamp
		}
	}
}

// list returns them sorted by kind and school.
func (rs remarks) list() []Remark {
	var out []Remark
	for _, r := range rs {
		slices.Sort(r.Usernames)
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Remark) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(string(a.School), string(b.School)))
	})
	return out
}
