package schoolmail

// ContextID is the number of an Open-Xchange context. Zero means none.
type ContextID int

// UserID is the number of an Open-Xchange user within its context. Users, groups and
// resources of a context share one sequence, and a number is never given again. Zero means none.
type UserID int

// LifeCycle is the state of an account.
type LifeCycle string

// The life of an account: pending while it is being made (a crash leaves it so
// and the next run completes it), active, leaving once the notice has been
// sent, deactivated at least 56 days later, and finally purged, when only its
// names stay reserved. A returning record leads back to active from anywhere
// before the purge.
const (
	Pending     LifeCycle = "pending"
	Active      LifeCycle = "active"
	Leaving     LifeCycle = "leaving"
	Deactivated LifeCycle = "deactivated"
)

// Previous remembers where an account was before its last transfer, as long as
// the old copy is kept there.
type Previous struct {
	Context ContextID `json:"context"`
	UserID  UserID    `json:"user_id"` // id of the old copy in that context
	Since   Date      `json:"since"`   // day of the transfer
}

// Account is a person's account as it exists in the directory (or shall).
type Account struct {
	Key         RecordKey `json:"key,omitzero"` // zero: not made by schoolmail, never touched
	Username    string    `json:"username"`     // login name in all systems, lower-case ASCII
	Role        Role      `json:"role,omitempty"`
	GivenName   string    `json:"given_name,omitempty"`
	FamilyName  string    `json:"family_name,omitempty"`
	DisplayName string    `json:"display_name,omitempty"` // unique within an OX context
	Mail        string    `json:"mail,omitempty"`         // primary address, lower case
	Aliases     []string  `json:"aliases,omitempty"`      // further addresses, sorted; without Mail
	Former      []Former  `json:"former,omitempty"`       // renames whose old addresses are still kept, oldest first
	Called      string    `json:"called,omitempty"`       // both names as somebody asked for; empty: as delivered
	Phone       string    `json:"phone,omitempty"`
	NoticeMail  string    `json:"notice_mail,omitempty"`
	Language    string    `json:"language,omitempty"`
	// schools with their classes, sorted; From, Until and Level empty
	Memberships []Membership `json:"memberships,omitempty"`
	Context     ContextID    `json:"context,omitempty"` // 0: none
	// OX access combination that it was given; empty: not known, as of accounts not made here
	Access      string    `json:"access,omitempty"`
	State       LifeCycle `json:"state,omitempty"`
	NoticedOn   Date      `json:"noticed_on,omitzero"`     // day the leaver's notice was recorded
	RemindedOn  Date      `json:"reminded_on,omitzero"`    // day of the last reminder of that notice
	Deactivated Date      `json:"deactivated_on,omitzero"` // day of the deactivation
	Previous    Previous  `json:"previous,omitzero"`       // old copy of the last transfer, if still kept
	Held        bool      `json:"held,omitempty"`          // an operator put it on hold: never touched
	Unlisted    bool      `json:"unlisted,omitempty"`      // an operator keeps the person out of all address books
	// day on which the account was made; zero: not known, long ago
	Made   Date   `json:"made_on,omitzero"`
	Marks  []Mark `json:"marks,omitempty"` // changes that guards still count, in their order
	Traits Traits `json:"traits,omitzero"` // keyed hashes that tell people of one name apart
	DN     string `json:"dn,omitempty"`    // where the directory keeps it; informative, not compared
}

// Place is a user as Open-Xchange has it.
type Place struct {
	Context     ContextID `json:"context"`
	UserID      UserID    `json:"user_id"`
	Username    string    `json:"username"`
	Mail        string    `json:"mail,omitempty"`
	DisplayName string    `json:"display_name,omitempty"`
	GivenName   string    `json:"given_name,omitempty"`
	FamilyName  string    `json:"family_name,omitempty"`
	MailEnabled bool      `json:"mail_enabled"`    // false: the user cannot use mail (deactivated)
	Admin       bool      `json:"admin,omitempty"` // the context's administrator
}

// Context is an OX context as observed.
type Context struct {
	ID    ContextID `json:"id"`
	Name  string    `json:"name"`
	Users int       `json:"users"` // all users in it, the administrator included
	// Updating says that its database is being updated, so that its users could not be
	// read: whoever lives there, or has an old copy there, is left as they are.
	Updating bool `json:"updating,omitempty"`
}

// RetiredName is a user name or mail address that belonged to a purged account
// and is never given to somebody else.
type RetiredName struct {
	Name  string `json:"name"` // lower case; an address contains "@"
	Since Date   `json:"since,omitzero"`
}

// State is everything that was observed before planning.
type State struct {
	Accounts []Account     `json:"accounts"`          // all of the directory, also those not ours
	Contexts []Context     `json:"contexts"`          // all existing contexts that the policy names
	Places   []Place       `json:"places"`            // all users of these contexts
	Retired  []RetiredName `json:"retired,omitempty"` // names never to be given again

	Leftovers []Leftover `json:"leftovers,omitempty"` // from the journal, see [Leftovers]
	// NoCopies is why users cannot be copied from one context into another: nobody is
	// transferred then. Empty: they can.
	NoCopies string `json:"no_copies,omitempty"`
	// NoRenames is why user names cannot be changed in Open-Xchange. Empty: they can.
	NoRenames string `json:"no_renames,omitempty"`
}

// Leftover is a copy that a cut-off transfer has left in the context it was to go
// into, as the journal proves.
type Leftover struct {
	Username string    `json:"username"`
	Context  ContextID `json:"context"`
	UserID   UserID    `json:"user_id,omitempty"` // 0: the answer was lost; what is there must look like the source
}
