package schoolmail

// Policy is what the site decides: who belongs where, how things are named,
// how long they live and how much may change at once. It is plain data;
// [Policy.Validate] reports all its mistakes at once.
type Policy struct {
	Source      string        `json:"source"` // only records and accounts of this source are managed
	Populations []Population  `json:"populations"`
	Contexts    []ContextSpec `json:"contexts"`
	Naming      Naming        `json:"naming"`
	LifeCycle   LifeTimes     `json:"life_cycle"`
	Guards      Guards        `json:"guards"`
	// TermChanges are the windows in which the wider limits of Guards hold.
	TermChanges []Window   `json:"term_changes,omitempty"`
	Overrides   []Override `json:"overrides,omitempty"`
	Schools     []School   `json:"schools,omitempty"`
	// Links and Distinct decide about records of which it is not certain whose they are.
	Links    []Link     `json:"links,omitempty"`
	Distinct []Distinct `json:"distinct,omitempty"`
	// Rekeyings are lists of people whom the school administration has given new ids.
	Rekeyings []Rekeying `json:"rekeyings,omitempty"`
	Holds     []Hold     `json:"holds,omitempty"` // of people about whom nothing is done for a while
	// Renames are asked for of single people.
	Renames []RenameRequest `json:"renames,omitempty"`
	// Spellings are for names of which no user name can be made.
	Spellings []Spelling `json:"spellings,omitempty"`
	// Classes say for which roles the classes of the delivery are the ones that
	// accounts have. Default: always for pupils, where sent for the others.
	Classes map[Role]ClassRule `json:"classes,omitempty"`
}

// Population is a kind of people and the contexts they may live in. The first
// population in the policy's order that matches any current membership of a
// person decides.
type Population struct {
	Name     string        `json:"name"`
	Roles    []Role        `json:"roles"`
	Levels   []SchoolLevel `json:"levels,omitempty"`  // empty: all
	Schools  []SchoolID    `json:"schools,omitempty"` // empty: all
	Contexts []ContextID   `json:"contexts"`
	Domain   string        `json:"domain"` // mail domain of new addresses
	Access   string        `json:"access"` // OX access combination of its people
}

// ContextSpec declares a context. One that does not exist is created.
type ContextSpec struct {
	ID       ContextID `json:"id"`
	Name     string    `json:"name"`
	Capacity int       `json:"capacity"` // most users in it, the administrator included
	Headroom int       `json:"headroom"` // seats that newcomers leave free as long as another context has room
}

// Naming says how user names and addresses are formed: "given.family" in
// lower-case ASCII (ä becomes ae, é becomes e), with a number from 2 when taken; the
// given name is cut to its initial where both are too long. Or by schemes.
//
// A scheme is made of letters, digits, signs and placeholders: {given}, the first of the
// given names, {family}, {id} of the record, {role}, {school}, the first one, and {n},
// the number, once. {given:6} has at most six letters. {n} is nothing for the first and
// then 2, 3 and so on; {n:3} is always there, from 001. Where a name is too long for the
// limit the longest of its parts loses its last letters, and never the number. Signs
// beside a part that is empty are left out.
type Naming struct {
	MaxUsername      int `json:"max_username"`       // characters; 0 means 20 (UCS@school)
	MaxPupilUsername int `json:"max_pupil_username"` // 0 means 15 (UCS@school keeps room for "exam-")
	// Username is the scheme of user names, with the sign "."; Address that of what stands
	// before the @, with ".", "-" and "_", up to 64 characters. "": as above.
	Username string `json:"username,omitempty"`
	Address  string `json:"address,omitempty"`
	// Spell are alphabets, by their names in Unicode, such as Armenian or Georgian, whose
	// letters are spelled by a library's table. Without it letters of Greek and Cyrillic
	// are spelled as passports do, and others are asked for; see [Spelling].
	Spell []string `json:"spell,omitempty"`
	// Reserved are names that nobody gets, besides those of systems and devices.
	Reserved []string `json:"reserved,omitempty"`
	// FollowFamilyName says what a changed family name means for user name and address.
	FollowFamilyName FollowFamilyName `json:"follow_family_name,omitempty"`
	// ChangeUsernames allows to give somebody another user name. Open-Xchange must be set
	// up for it (USERNAME_CHANGEABLE).
	ChangeUsernames bool `json:"change_usernames,omitempty"`
	// OldAddressDays is how long the old address of somebody renamed stays an alias; 0
	// means 180.
	OldAddressDays int `json:"old_address_days,omitempty"`
}

// LifeTimes are the periods of the life cycle in days.
type LifeTimes struct {
	NoticeDays int `json:"notice_days"` // notice to deactivation; 0 means 56, less is refused
	PurgeDays  int `json:"purge_days"`  // deactivation to purge; 0 means 180
	// RemindDays are the days before the deactivation on which a leaver is told once
	// more; a day on which nothing ran is caught up on the next, with one reminder for
	// all that were missed. Nil: no reminders.
	RemindDays []int `json:"remind_days,omitempty"`
	// TransferGraceDays is how long the old copy is kept after a transfer; 0
	// means 14, below 0 that it is deleted at once. Two weeks are longer than
	// the window of the guards, which know of transfers only by their old copies,
	// and long enough for somebody to miss something; until then the copy takes
	// a seat in the old context.
	TransferGraceDays int `json:"transfer_grace_days"`
}

// Window is a span of days, both included.
type Window struct {
	Name  string `json:"name,omitempty"`
	From  Date   `json:"from"`
	Until Date   `json:"until"`
}

// Guards limit how much may change. Everything is counted over WindowDays up
// to today, within a change of terms over all of it up to now, what earlier runs
// did included; percentages refer to the people who were active before the
// window and before the runs of today, so that a second run of a day releases
// nothing that the first has held.
//
//	leavers, deactivations   by school and role
//	purges                   in the district: nothing but the names is left of them
//	transfers, copies        by the context that is left and role, and by school; old
//	                         copies, and what cut-off transfers have left, are deleted
//	                         in the number that a change of terms leaves behind
//	collapse                 schools that deliver hardly anybody
//	roles, renames, schools, memberships, classes, access, private-mail, languages,
//	telephones, birth-dates
//	                         changes of accounts, by the school and role before; schools
//	                         are people who leave all their schools for others; a role
//	                         and the transfer that it leads to wait together
//	repairs                  users missing in OX, or not as the directory says
//	creates                  nobody is created while OX shows many users that the
//	                         directory does not
//	restore                  a copy that is all that is left of somebody is copied
//	                         back only when an override asks for it
//	new-schools              nobody is made at, or moved to, a school that nobody has an
//	                         account at yet and the policy does not name (see [School])
//	identity                 no override: see [Link] and [Distinct]
//	spelling                 no override: nobody is made whose names cannot be written in
//	                         the letters of a user name, until a [Spelling] says how
//
// An [Override] lifts any other by its name.
type Guards struct {
	WindowDays int         `json:"window_days"` // 0 means 7
	Usual      GuardLimits `json:"usual"`
	TermChange GuardLimits `json:"term_change"`
	// Collapse: a school that delivers fewer than this percentage of the
	// people it has accounts for is treated as not delivered. 0 means 50. One that
	// delivers nobody at all is, however small it is, until [School] says that it is
	// closed.
	CollapsePercent int `json:"collapse_percent"`
}

// GuardLimits are limits per kind of change. Percentages refer to the managed
// accounts of the school and role, or of the district.
type GuardLimits struct {
	Leavers       Limit `json:"leavers"`
	Deactivations Limit `json:"deactivations"`
	Purges        Limit `json:"purges"`
	Transfers     Limit `json:"transfers"`
	// Limits of changes; one that is zero has its default. Roles are changes of
	// role by those who are no pupils, PupilRoles by pupils, who do not become
	// teachers; Classes changes of class at the same school, Details private
	// address, language, telephone, and birth date with number, each by itself.
	Roles      Limit `json:"roles"`
	PupilRoles Limit `json:"pupil_roles"`
	Classes    Limit `json:"classes"`
	Details    Limit `json:"details"`
}

// Limit holds for one school and role, and for the district as a whole. Free
// is a number that is always allowed per school and role, so that small
// schools do not stumble over percentages.
type Limit struct {
	SchoolPercent   int `json:"school_percent"`
	DistrictPercent int `json:"district_percent"`
	Free            int `json:"free"`
}

// Override lifts one guard for one school (or the district, School empty) on
// and before a day, in somebody's name.
type Override struct {
	Guard  string   `json:"guard"` // see [Guards]
	School SchoolID `json:"school,omitempty"`
	Until  Date     `json:"until"`
	By     string   `json:"by"`
	Reason string   `json:"reason"`
}
