package state

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/ox/internal/oxdata"
)

// Access is the set of module access flags of a user, one bit per flag in the
// order of the schema.
type Access uint32

// The flags, in schema order.
const (
	OLOX20 Access = 1 << iota
	USM
	ActiveSync
	Calendar
	CollectEmailAddresses
	Contacts
	DelegateTask
	DeniedPortal
	EditGroup
	EditPassword
	EditPublicFolders
	EditResource
	GlobalAddressBookDisabled
	Ical
	Infostore
	MultipleMailAccounts
	PublicFolderEditable
	Publication
	ReadCreateSharedFolders
	Subscription
	Syncml
	Tasks
	Vcard
	Webdav
	WebdavXml
	Webmail
)

// FlagNames are the elements of UserModuleAccess, in schema order.
var FlagNames = []string{"OLOX20", "USM", "activeSync", "calendar", "collectEmailAddresses", "contacts",
	"delegateTask", "deniedPortal",
	"editGroup", "editPassword", "editPublicFolders", "editResource", "globalAddressBookDisabled", "ical", "infostore",
	"multipleMailAccounts", "publicFolderEditable", "publication", "readCreateSharedFolders", "subscription", "syncml",
	"tasks", "vcard",
	"webdav", "webdavXml", "webmail"}

// Has reports whether a holds one of the flags.
func (a Access) Has(flags Access) bool { return a&flags != 0 }

func (a Access) Names() []string {
	var out []string
	for i, n := range FlagNames {
		if a&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// The access combinations that OX ships (ModuleAccessDefinitions.properties).
var Combinations = func() map[string]Access {
	m := map[string]Access{}
	m["webmail_plus"] = Contacts | Webmail
	m["pim_plus"] = m["webmail_plus"] | Calendar | Tasks
	m["groupware_plus"] = m["pim_plus"] | DelegateTask | EditPublicFolders | Infostore |
		PublicFolderEditable | ReadCreateSharedFolders
	m["premium"] = m["groupware_plus"] | Ical | Vcard | Webdav | WebdavXml
	m["groupware"] = m["premium"] | EditResource | EditGroup | EditPassword | CollectEmailAddresses |
		MultipleMailAccounts | Subscription | Publication
	m["webmail"] = Webmail | Contacts | GlobalAddressBookDisabled | CollectEmailAddresses | EditPassword
	m["pim"] = Webmail | Calendar | Contacts | Tasks | GlobalAddressBookDisabled |
		CollectEmailAddresses | MultipleMailAccounts | Subscription | Publication | EditPassword
	m["pim_infostore"] = m["pim"] | Infostore | Webdav
	m["pim_mobility"] = m["pim"] | Syncml | USM | ActiveSync
	m["groupware_standard"] = Webmail | Calendar | Contacts | Infostore | Tasks | Webdav | Ical |
		Vcard | ReadCreateSharedFolders | DelegateTask | EditPublicFolders | EditGroup | EditResource |
		EditPassword | CollectEmailAddresses | MultipleMailAccounts | Subscription | Publication
	m["groupware_premium"] = m["groupware_standard"] | WebdavXml | Syncml | USM | OLOX20 | ActiveSync
	m["drive"] = Infostore | DeniedPortal | Contacts | CollectEmailAddresses
	m["all"] = m["groupware_premium"] | PublicFolderEditable
	return m
}()

// CombinationName returns the name of the combination that a matches exactly, or "".
func CombinationName(a Access) string {
	for _, n := range slices.Sorted(maps.Keys(Combinations)) {
		if Combinations[n] == a {
			return n
		}
	}
	return ""
}

// AccessOf reads a generated UserModuleAccess. A flag that was not sent is
// granted, except deniedPortal, globalAddressBookDisabled and
// publicFolderEditable; a nil object is nothing but unsent flags.
func AccessOf(v *oxdata.UserModuleAccess) Access {
	a := ^Access(0) >> (32 - len(FlagNames)) &^ (DeniedPortal | GlobalAddressBookDisabled | PublicFolderEditable)
	if v == nil {
		return a
	}
	rv := reflect.ValueOf(v).Elem()
	for i, n := range FlagNames {
		p, _ := rv.FieldByName(strings.ToUpper(n[:1]) + n[1:]).Interface().(*bool)
		switch {
		case p == nil:
		case *p:
			a |= 1 << i
		default:
			a &^= 1 << i
		}
	}
	return a
}

// PutAccess fills a generated UserModuleAccess.
func PutAccess(a Access) *oxdata.UserModuleAccess {
	v := new(oxdata.UserModuleAccess)
	rv := reflect.ValueOf(v).Elem()
	for i, n := range FlagNames {
		rv.FieldByName(strings.ToUpper(n[:1]) + n[1:]).Set(reflect.ValueOf(new(a&(1<<i) != 0)))
	}
	return v
}

// cannotHideBook lists the flags that cannot go with globalAddressBookDisabled.
var cannotHideBook = EditPublicFolders | ReadCreateSharedFolders | WebdavXml | DelegateTask
