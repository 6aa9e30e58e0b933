package addressbook

import (
	"math"

	"github.com/ictmedia/schoolmail"
)

// Rules say which books exist, who is listed in them, who may read them and
// what is shown of a person. They are plain data with names for TOML and JSON;
// [Rules.Validate] reports all their mistakes at once.
type Rules struct {
	// Owner marks everything that belongs to this set of rules: folders and
	// entries without the mark are never touched. Lower-case letters, digits
	// and "-", at most 20. Empty means "schoolmail". Changing it orphans what
	// was made under the old name.
	Owner string `toml:"owner" json:"owner"`
	// Salt keeps readers of a book, who can see the keys of its entries, from finding
	// out record ids by trying. It is a secret of the site, of at least 16 characters,
	// and no part of the rules' file. After a change of it see Rekey.
	Salt schoolmail.Secret `toml:"-" json:"-"`
	// GraceDays is how long a book whose class or school is gone is kept,
	// hidden from everybody, before it is removed. 0 means 14, -1 none.
	GraceDays int `toml:"grace_days" json:"grace_days"`
	// MaxGonePercent is how many of a context's books, and how many of the
	// people in them (those who come in their place counted off), may vanish in
	// one run. If more would, a finding says so and nothing is hidden or removed;
	// if it is people, nobody loses access either: more likely they could not be
	// read. Up to five books and twenty people may always vanish, but never
	// everybody in all contexts. 0 means 50; 100 lifts the limits.
	MaxGonePercent int `toml:"max_gone_percent" json:"max_gone_percent"`
	// MaxGrowthPercent is how much a book that exists may grow in one run, in people
	// as well as in readers. What would grow more, in a directory that suddenly calls
	// pupils teachers for example, stays as it is, nobody being let in, and a finding
	// says so. Up to twenty people more are never too many. 0 means 50; -1 lifts the limit.
	MaxGrowthPercent int `toml:"max_growth_percent" json:"max_growth_percent"`
	// Rekey lets the keys of entries be changed that were made with another salt: all
	// of them are written anew. Without it such entries hold everything back.
	Rekey bool `toml:"-" json:"-"`
	// Exclude keeps people out of all books, as does [schoolmail.Account].Unlisted of
	// the directory. They may read what others may.
	Exclude []Exclusion `toml:"exclude" json:"exclude,omitempty"`
	// KeepLeaving also lists and admits people whose leaving was noticed but
	// whose account still works.
	KeepLeaving bool `toml:"keep_leaving" json:"keep_leaving"`
	// Schools name the schools for people. A school that is not listed is
	// shown by its id.
	Schools []School `toml:"schools" json:"schools"`
	// Show lists what is shown of a person besides name and mail address, per
	// role. Of pupils nothing else can be shown.
	Show []Show `toml:"show" json:"show"`
	// Books are the kinds of book.
	Books []BookRule `toml:"books" json:"books"`
}

// School is a school's name for people.
type School struct {
	ID   schoolmail.SchoolID `toml:"id" json:"id"`
	Name string              `toml:"name" json:"name"`
}

// Show says what is shown of the people of a role besides name and address.
type Show struct {
	Role   schoolmail.Role `toml:"role" json:"role"`
	Fields []Field         `toml:"fields" json:"fields"`
	// To are the roles of the readers to whom it is shown. A book looks the same to
	// all its readers in a context, so it is shown there only if all of them have one
	// of the roles. Empty means teachers and staff for the telephone, everybody for
	// the rest.
	To []schoolmail.Role `toml:"to" json:"to,omitempty"`
}

// Exclusion keeps a person out of all books: by record id (of any source, if that is
// empty), or by user name.
type Exclusion struct {
	Source   string `toml:"source" json:"source,omitempty"`
	ID       string `toml:"id" json:"id,omitempty"`
	Username string `toml:"username" json:"username,omitempty"`
}

func (x Exclusion) covers(a schoolmail.Account) bool {
	return x.Username != "" && x.Username == a.Username ||
		x.ID != "" && x.ID == a.Key.ID && (x.Source == "" || x.Source == a.Key.Source)
}

// Field is something a book can show of a person.
type Field string

// What can be shown besides name and mail address.
const (
	FieldPhone  Field = "phone"  // business telephone
	FieldSchool Field = "school" // names of the person's schools, in the company field
	FieldClass  Field = "class"  // names of the person's classes, in the department field
)

// Scope is how much of the district something covers.
type Scope string

// The scopes.
const (
	District  Scope = "district"
	PerSchool Scope = "school"
	PerClass  Scope = "class"
)

// BookRule is a kind of book.
type BookRule struct {
	// Name identifies the rule for ever; books are recognised by it. Renaming
	// a rule removes its books (after the grace) and makes new ones.
	Name string `toml:"name" json:"name"`
	// Each says how many books there are: one for the district, one for each
	// school or one for each class that has people to list.
	Each Scope `toml:"each" json:"each"`
	// Roles are the roles of the people listed.
	Roles []schoolmail.Role `toml:"roles" json:"roles"`
	// Schools narrows the rule to some schools. Empty: all.
	Schools []schoolmail.SchoolID `toml:"schools" json:"schools,omitempty"`
	// Readers may read the book. A book exists only in contexts where
	// somebody may.
	Readers []Reader `toml:"readers" json:"readers"`
	// Folder is the place of the book below the public folders: titles from
	// the outermost container to the book itself. "{school}", "{school_id}" and
	// "{class}" stand for the name of the school, its id and the class.
	Folder []string `toml:"folder" json:"folder"`
	// Show replaces [Rules.Show] in the books of this rule, if there is any.
	Show []Show `toml:"show" json:"show,omitempty"`
	// List is the name of the distribution list with everybody in the book, with the same
	// placeholders. Empty: none.
	List string `toml:"list" json:"list,omitempty"`
}

// Reader is who may read a book.
type Reader struct {
	// Roles are the roles that may read.
	Roles []schoolmail.Role `toml:"roles" json:"roles"`
	// Of says whose: the people of the book's class, of its school, or of the
	// whole district.
	Of Scope `toml:"of" json:"of"`
	// Groups are names of Open-Xchange groups that stand for these readers,
	// with the placeholders of [BookRule.Folder]. A group is used where it
	// exists in the context and has no member who is not a reader.
	Groups []string `toml:"groups" json:"groups,omitempty"`
	// Ungrouped says how readers get in who are in none of the groups. Empty means
	// [UngroupedSingly].
	Ungrouped Ungrouped `toml:"ungrouped" json:"ungrouped,omitempty"`
}

// Ungrouped is how readers get access who are in no usable group.
type Ungrouped string

// The ways.
const (
	// UngroupedSingly enters every reader with a permission of their own.
	UngroupedSingly Ungrouped = "users"
	// UngroupedTogether enters all users of the context at once when all of them,
	// apart from the service account and the context's administrator, are
	// readers, otherwise it does as UngroupedSingly. Users made later can read the
	// book until the next run takes it back if they may not.
	UngroupedTogether Ungrouped = "everyone"
	// UngroupedOut leaves them out: only members of the groups can read.
	UngroupedOut Ungrouped = "nobody"
)

const defaultOwner = "schoolmail"

func (r Rules) owner() string {
	if r.Owner == "" {
		return defaultOwner
	}
	return r.Owner
}

func (r Rules) maxGonePercent() int {
	if r.MaxGonePercent == 0 {
		return 50
	}
	return r.MaxGonePercent
}

// maxGrowth is how many more people a book of n may have, or readers.
func (r Rules) maxGrowth(n int) int {
	switch {
	case r.MaxGrowthPercent < 0:
		return math.MaxInt
	case r.MaxGrowthPercent == 0:
		return max(peopleMayVanish, n/2)
	}
	return max(peopleMayVanish, n*r.MaxGrowthPercent/100)
}

func (r Rules) graceDays() int {
	switch {
	case r.GraceDays == 0:
		return 14
	case r.GraceDays < 0:
		return 0
	}
	return r.GraceDays
}

// DefaultRules are a sensible start for a district: the teachers of each
// school for everybody of the school, staff and whole school for teachers and
// staff, each class for its pupils and the school's teachers, and all teachers
// of the district for teachers and staff. Groups are named as UCS@school names them.
func DefaultRules() Rules {
	const pupil, teacher, staff = schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff
	adults := func(of Scope) []Reader {
		if of == District {
			return []Reader{{Roles: []schoolmail.Role{teacher, staff}, Of: of}}
		}
		return []Reader{
			{Roles: []schoolmail.Role{teacher}, Of: of, Groups: []string{"lehrer-{school_id}"}},
			{Roles: []schoolmail.Role{staff}, Of: of, Groups: []string{"mitarbeiter-{school_id}"}},
		}
	}
	pupils := Reader{Roles: []schoolmail.Role{pupil}, Of: PerSchool, Groups: []string{"schueler-{school_id}"}}
	return Rules{
		Show: []Show{
			{Role: teacher, Fields: []Field{FieldPhone, FieldSchool}},
			{Role: staff, Fields: []Field{FieldPhone, FieldSchool}},
		},
		Books: []BookRule{
			{
				Name: "district-teachers", Each: District,
				Roles:   []schoolmail.Role{teacher},
				Readers: adults(District),
				Folder:  []string{"Lehrpersonen aller Schulen"},
			},
			{
				Name: "teachers", Each: PerSchool,
				Roles:   []schoolmail.Role{teacher},
				Readers: append(adults(PerSchool), pupils),
				Folder:  []string{"{school}", "Lehrpersonen"},
			},
			{
				Name: "staff", Each: PerSchool,
				Roles:   []schoolmail.Role{teacher, staff},
				Readers: adults(PerSchool),
				Folder:  []string{"{school}", "Kollegium"},
				List:    "Kollegium {school} (alle)",
			},
			{
				Name: "school", Each: PerSchool,
				Roles:   []schoolmail.Role{pupil, teacher, staff},
				Readers: adults(PerSchool),
				Folder:  []string{"{school}", "Ganze Schule"},
			},
			{
				Name: "class", Each: PerClass,
				Roles: []schoolmail.Role{pupil},
				Readers: []Reader{
					{Roles: []schoolmail.Role{pupil}, Of: PerClass, Groups: []string{"{school_id}-{class}"}},
					{Roles: []schoolmail.Role{teacher}, Of: PerSchool, Groups: []string{"lehrer-{school_id}"}},
				},
				Folder: []string{"{school}", "Klasse {class}"},
				List:   "Klasse {class} (alle)",
			},
		},
	}
}
