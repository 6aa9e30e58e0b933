package ox

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// Access is a set of module-access flags: what a user may use in Open-Xchange.
// Flags are combined with |, and the zero Access allows nothing.
//
// On the wire OX grants every flag that a request leaves out, so this package
// always sends all 26, each as true or false.
type Access uint32

// The flags, in the order of the SOAP type UserModuleAccess. Two of them deny
// instead of allowing: [AccessDeniedPortal] and
// [AccessGlobalAddressBookDisabled].
const (
	AccessOLOX20                    Access = 1 << iota // Outlook OXtender 2
	AccessUSM                                          // Universal Sync Module, needed by ActiveSync
	AccessActiveSync                                   // Exchange ActiveSync
	AccessCalendar                                     // calendar
	AccessCollectEmailAddresses                        // collect the addresses of correspondents
	AccessContacts                                     // address books
	AccessDelegateTask                                 // delegate tasks to others
	AccessDeniedPortal                                 // denies the portal
	AccessEditGroup                                    // edit groups
	AccessEditPassword                                 // change one's own password
	AccessEditPublicFolders                            // make folders in the public folder tree
	AccessEditResource                                 // edit resources
	AccessGlobalAddressBookDisabled                    // closes the global address book (folder 6) for the user
	AccessICal                                         // iCalendar
	AccessInfostore                                    // Drive
	AccessMultipleMailAccounts                         // external mail accounts
	AccessPublicFolderEditable                         // administer the public folder tree; context administrator only
	AccessPublication                                  // publications; see [Access.Same] for its quirk
	AccessReadCreateSharedFolders                      // share folders and see shared ones
	AccessSubscription                                 // subscriptions
	AccessSyncML                                       // mobility
	AccessTasks                                        // tasks
	AccessVCard                                        // vCard
	AccessWebDAV                                       // WebDAV
	AccessWebDAVXML                                    // the old WebDAV/XML interface
	AccessWebmail                                      // mail
)

// accessAll holds every flag that exists.
const accessAll = AccessWebmail<<1 - 1

// accessNames are the element names of the flags, by bit.
var accessNames = [...]string{
	"OLOX20", "USM", "activeSync", "calendar", "collectEmailAddresses", "contacts", "delegateTask", "deniedPortal",
	"editGroup", "editPassword", "editPublicFolders", "editResource", "globalAddressBookDisabled", "ical", "infostore",
	"multipleMailAccounts", "publicFolderEditable", "publication", "readCreateSharedFolders", "subscription", "syncml",
	"tasks", "vcard", "webdav", "webdavXml", "webmail",
}

// Has reports whether a holds all flags of b.
func (a Access) Has(b Access) bool { return a&b == b }

// With returns a and the flags of b.
func (a Access) With(b Access) Access { return a | b }

// Without returns a without the flags of b.
func (a Access) Without(b Access) Access { return a &^ b }

// Same reports whether a and b differ in nothing that can be told apart and
// changed: OX (8.19) keeps publication on whatever an access object says, so
// that flag is left out of the comparison. Only setting access by the name of
// a combination clears it.
func (a Access) Same(b Access) bool { return a|AccessPublication == b|AccessPublication }

// Flags iterates over the flags in a, in the order of the constants.
func (a Access) Flags() iter.Seq[Access] {
	return func(yield func(Access) bool) {
		for rest := a & accessAll; rest != 0; rest &= rest - 1 {
			if !yield(rest & -rest) {
				return
			}
		}
	}
}

// String lists the flags by their SOAP names, separated by commas; "none" if
// there are none.
func (a Access) String() string {
	var names []string
	for f := range a.Flags() {
		names = append(names, accessNames[bits.TrailingZeros32(uint32(f))])
	}
	if extra := a &^ accessAll; extra != 0 {
		names = append(names, fmt.Sprintf("unknown(%#x)", uint32(extra)))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// MarshalText writes what String gives.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (a *Access) UnmarshalText(b []byte) error {
	v, err := ParseAccess(string(b))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// ParseAccess reads a comma list of flags by their SOAP names, as
// [Access.String] writes it, or the name of a combination.
func ParseAccess(s string) (Access, error) {
	if a, ok := NamedAccess(s); ok {
		return a, nil
	}
	var a Access
	if s == "none" || s == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(s, ",") {
		i := slices.Index(accessNames[:], strings.TrimSpace(name))
		if i < 0 {
			return 0, fmt.Errorf("ox: access: %q is neither a flag nor a named combination", name)
		}
		a |= 1 << i
	}
	return a, nil
}

// AccessRules says which of the server's rules hold, for [Access.Check]. The
// zero value is a server as shipped.
type AccessRules struct {
	// Admin is true for the access of a context administrator.
	Admin bool
	// BypassCombinations is true when the server runs with
	// com.openexchange.admin.bypassAccessCombinationChecks=true.
	BypassCombinations bool
}

// accessNeedsGAB are the flags that OX refuses without the global address book.
const accessNeedsGAB = AccessEditPublicFolders | AccessReadCreateSharedFolders | AccessWebDAVXML | AccessDelegateTask

// Check tells before the call what OX would refuse: the global address book
// cannot be closed for a user with editPublicFolders, readCreateSharedFolders,
// webdavXml or delegateTask, and publicFolderEditable belongs to the context
// administrator alone. The error matches [ErrInvalidData].
func (a Access) Check(rules AccessRules) error {
	switch {
	case a&^accessAll != 0:
		return &Error{Op: "check access", Kind: ErrInvalidData, Message: "unknown flags in " + a.String()}
	case a.Has(AccessGlobalAddressBookDisabled) && a&accessNeedsGAB != 0 && !rules.BypassCombinations:
		return &Error{Op: "check access", Kind: ErrInvalidData, Message: fmt.Sprintf(
			"the global address book cannot be disabled together with %s", a&accessNeedsGAB)}
	case a.Has(AccessPublicFolderEditable) && !rules.Admin:
		return &Error{Op: "check access", Kind: ErrInvalidData,
			Message: "publicFolderEditable is for the context administrator only"}
	}
	return nil
}

const (
	accessWebmailPlus   = AccessContacts | AccessWebmail
	accessPIMPlus       = accessWebmailPlus | AccessCalendar | AccessTasks
	accessGroupwarePlus = accessPIMPlus | AccessDelegateTask | AccessEditPublicFolders | AccessInfostore |
		AccessPublicFolderEditable | AccessReadCreateSharedFolders
	accessPremium   = accessGroupwarePlus | AccessICal | AccessVCard | AccessWebDAV | AccessWebDAVXML
	accessGroupware = accessPremium | AccessEditResource | AccessEditGroup | AccessEditPassword |
		AccessCollectEmailAddresses | AccessMultipleMailAccounts | AccessSubscription | AccessPublication
	accessWebmail = AccessWebmail | AccessContacts | AccessGlobalAddressBookDisabled | AccessCollectEmailAddresses |
		AccessEditPassword
	accessPIM = accessWebmail | AccessCalendar | AccessTasks | AccessMultipleMailAccounts | AccessSubscription |
		AccessPublication
	accessGroupwareStandard = AccessWebmail | AccessCalendar | AccessContacts | AccessInfostore | AccessTasks |
		AccessWebDAV | AccessICal | AccessVCard | AccessReadCreateSharedFolders | AccessDelegateTask |
		AccessEditPublicFolders | AccessEditGroup | AccessEditResource | AccessEditPassword |
		AccessCollectEmailAddresses | AccessMultipleMailAccounts | AccessSubscription | AccessPublication
	accessGroupwarePremium = accessGroupwareStandard | AccessWebDAVXML | AccessSyncML | AccessUSM | AccessOLOX20 |
		AccessActiveSync
)

// combination is a named set of flags.
type combination struct {
	name   string
	access Access
}

// combinations are the ones that OX ships in ModuleAccessDefinitions.properties.
var combinations = []combination{
	{"webmail_plus", accessWebmailPlus},
	{"pim_plus", accessPIMPlus},
	{"groupware_plus", accessGroupwarePlus},
	{"premium", accessPremium},
	{"groupware", accessGroupware},
	{"webmail", accessWebmail},
	{"pim", accessPIM},
	{"pim_infostore", accessPIM | AccessInfostore | AccessWebDAV},
	{"pim_mobility", accessPIM | AccessSyncML | AccessUSM | AccessActiveSync},
	{"groupware_standard", accessGroupwareStandard},
	{"groupware_premium", accessGroupwarePremium},
	{"drive", AccessInfostore | AccessDeniedPortal | AccessContacts | AccessCollectEmailAddresses},
	{"all", accessGroupwarePremium | AccessPublicFolderEditable},
}

// Combinations iterates over the named access combinations that OX ships
// (ModuleAccessDefinitions.properties). A site may have added others or changed
// these; no operation lists what a server has.
func Combinations() iter.Seq2[string, Access] {
	return func(yield func(string, Access) bool) {
		for _, c := range combinations {
			if !yield(c.name, c.access) {
				return
			}
		}
	}
}

// NamedAccess returns the flags of a shipped combination.
func NamedAccess(name string) (Access, bool) {
	for _, c := range combinations {
		if c.name == name {
			return c.access, true
		}
	}
	return 0, false
}

// CombinationName returns the shipped combination with exactly the flags of a.
func (a Access) CombinationName() (string, bool) {
	for _, c := range combinations {
		if c.access == a {
			return c.name, true
		}
	}
	return "", false
}

// sameForUser compares what an ordinary user has with what a combination
// gives: the server strips publicFolderEditable from everybody but the
// context's administrator.
func sameForUser(have, want Access) bool {
	return have.Without(AccessPublicFolderEditable).Same(want.Without(AccessPublicFolderEditable))
}
