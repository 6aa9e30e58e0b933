package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role is what a person is at school.
type Role string

// The roles a record can have.
const (
	RolePupil   Role = "pupil"
	RoleTeacher Role = "teacher"
	RoleStaff   Role = "staff"
)

// people names several people of the role, "" being anybody.
func (r Role) people() string {
	switch r {
	case "":
		return "people"
	case RoleStaff:
		return "members of staff"
	}
	return string(r) + "s"
}

// Valid reports whether r is one of the known roles.
func (r Role) Valid() bool { return r == RolePupil || r == RoleTeacher || r == RoleStaff }

// SchoolID is the short code of a school, for example "ps-birkenfeld". It is the
// name of the school's organisational unit in the directory and therefore
// consists of ASCII letters, digits, "-" and "_".
type SchoolID string

// SchoolLevel is a stage of schooling, such as "primary" or "secondary". Levels are
// the site's own words; a [Policy] refers to them.
type SchoolLevel string

// RecordKey identifies a person in the school administration for ever: the
// name of the source system and the person's id there. Keys compare exactly.
type RecordKey struct {
	Source string `json:"source"`
	ID     string `json:"id"`
}

// IsZero reports whether the key is empty, as it is for accounts that
// schoolmail did not make.
func (k RecordKey) IsZero() bool { return k == RecordKey{} }

// String returns "source/id".
func (k RecordKey) String() string { return k.Source + "/" + k.ID }

// Compare orders keys by source and id.
func (k RecordKey) Compare(o RecordKey) int {
	if c := strings.Compare(k.Source, o.Source); c != 0 {
		return c
	}
	return strings.Compare(k.ID, o.ID)
}

// Membership says that a person is at a school. From and Until are the first
// and the last day; zero means open.
type Membership struct {
	School  SchoolID    `json:"school"`
	Level   SchoolLevel `json:"level,omitempty"`
	Classes []string    `json:"classes,omitempty"` // names within the school, without the school's prefix; sorted
	From    Date        `json:"from,omitzero"`
	Until   Date        `json:"until,omitzero"`
}

// On reports whether the membership holds on day d.
func (m Membership) On(d Date) bool {
	return (m.From.IsZero() || m.From <= d) && (m.Until.IsZero() || d <= m.Until)
}

// Record is one person as an export describes them, folded from all their rows.
type Record struct {
	Key         RecordKey    `json:"key"`
	Role        Role         `json:"role"`
	GivenName   string       `json:"given_name"`
	FamilyName  string       `json:"family_name"`
	Memberships []Membership `json:"memberships"` // sorted by school, one per school
	// NoticeMail is a private address that notices may be sent to besides the
	// school mailbox. Usually empty.
	NoticeMail string `json:"notice_mail,omitempty"`
	Phone      string `json:"phone,omitempty"`    // business number, staff and teachers only
	Language   string `json:"language,omitempty"` // "de", "fr", "it", "en"; empty: the site's default
	Traits     Traits `json:"traits,omitzero"`    // keyed hashes that tell people of one name apart
}

// DeliveryKind tells what the absence of a person means.
type DeliveryKind string

// A full delivery lists everybody: who is missing has left. A delta lists only
// what changed: absence means nothing.
const (
	DeliveryFull  DeliveryKind = "full"
	DeliveryDelta DeliveryKind = "delta"
)

// Position is a place in an export file.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`   // from 1; 0: the file as a whole
	Column string `json:"column,omitempty"` // column title; empty: the row as a whole
}

// String returns `file:line: column "name"` as far as it is known.
func (p Position) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Column != "" {
		fmt.Fprintf(&b, ": column %q", p.Column)
	}
	return b.String()
}

// RejectionKind is a sort of mistake in an export, for programs that explain it.
type RejectionKind string

// The sorts of mistakes.
const (
	// RejectedUnreadable: the row as a whole cannot be read (number of fields, quotes, cut off).
	RejectedUnreadable RejectionKind = "row"
	// RejectedMissing: a field is empty that must not be.
	RejectedMissing RejectionKind = "missing"
	// RejectedValue: a field has not the form that was agreed on.
	RejectedValue RejectionKind = "value"
	// RejectedLettersLost: a name has signs that no name has, where letters were.
	RejectedLettersLost RejectionKind = "letters-lost"
	// RejectedContradiction: a field is not as in another row of the person.
	RejectedContradiction RejectionKind = "contradiction"
	// RejectedDoubleID: one id for two people, or two ids that differ only in case.
	RejectedDoubleID RejectionKind = "double-id"
	// RejectedReference: the row refers to a row of another file that is not there.
	RejectedReference RejectionKind = "reference"
	// RejectedForeign: the source may not speak for the person's school or role.
	RejectedForeign RejectionKind = "foreign"
	// RejectedRepeat: the same row a second time.
	RejectedRepeat RejectionKind = "repeat"
)

// Rejection is one mistake in an export. A row may have several.
//
// A rejected row shields its person: whoever may stand behind it is present,
// only unreadable. If Key is known that is this person. If only School is
// known, nobody of that school is treated as gone; if neither, nobody at all.
type Rejection struct {
	Position
	Kind   RejectionKind `json:"kind,omitempty"`
	Reason string        `json:"reason"`           // what is wrong and what was expected
	Key    RecordKey     `json:"key,omitzero"`     // whose row it is, where the row tells
	School SchoolID      `json:"school,omitempty"` // at which school, where the row tells
	// GivenName and FamilyName are those of the row, where it tells them and not
	// whose it is: they serve to find whom it may be about. They are kept nowhere.
	GivenName  string `json:"-"`
	FamilyName string `json:"-"`
	// Harmless says that the person could be read all the same (an optional
	// field was dropped), so nothing needs shielding.
	Harmless bool `json:"harmless,omitempty"`
}

// Suspension says that the absence of some people does not count.
type Suspension struct {
	IDPrefix string `json:"id_prefix,omitempty"` // of record ids; empty: everybody
	// Except are beginnings of ids that it is not about, those of other sources.
	Except []string `json:"except,omitempty"`
	Reason string   `json:"reason"`
}

// holds reports whether the suspension is about a record id.
func (s *Suspension) holds(id string) bool {
	begins := func(prefix string) bool { return strings.HasPrefix(id, prefix) }
	return begins(s.IDPrefix) && !slices.ContainsFunc(s.Except, begins)
}

// whom describes the people that the suspension is about.
func (s *Suspension) whom() string {
	who := fmt.Sprintf("nobody whose record id begins with %q", s.IDPrefix)
	if len(s.Except) > 0 {
		who = fmt.Sprintf("nobody whose record id begins with none of %q", s.Except)
	}
	return who
}

// Delivery is one export as it was read. It is plain data; package escada makes it.
type Delivery struct {
	Source      string       `json:"source"`
	Kind        DeliveryKind `json:"kind"`
	Fingerprint string       `json:"fingerprint"` // of the bytes of all files
	Files       []string     `json:"files"`
	Rows        int          `json:"rows"` // data rows seen, rejected ones included
	// Incomplete is the reason why absence must not count although the
	// delivery is declared full: a truncated file, a missing file. Empty: complete.
	Incomplete   string           `json:"incomplete,omitempty"`
	Records      []Record         `json:"records"` // sorted by key, keys unique
	Rejected     []Rejection      `json:"rejected,omitempty"`
	RowsBySchool map[SchoolID]int `json:"rows_by_school,omitempty"` // readable rows per school
	// Suspended are people whose absence must not count, by the beginning of their
	// ids: those of one source of several, which is missing or not whole.
	Suspended []Suspension `json:"suspended,omitempty"`
	// Written is when the newest file was written, as far as the files tell.
	Written time.Time `json:"written,omitzero"`
	// Columns are the titles in each sort of file, to notice when they change.
	Columns map[string][]string `json:"columns,omitempty"`
	// Unknown are those of them that the profile does not know.
	Unknown map[string][]string `json:"unknown_columns,omitempty"`
}
