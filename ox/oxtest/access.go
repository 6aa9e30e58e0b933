package oxtest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// access is the set of module access flags of a user, one bit per flag in the
// order of the schema.
type access uint32

// flagNames are the elements of UserModuleAccess, in schema order.
var flagNames = []string{"OLOX20", "USM", "activeSync", "calendar", "collectEmailAddresses", "contacts",
	"delegateTask", "deniedPortal",
	"editGroup", "editPassword", "editPublicFolders", "editResource", "globalAddressBookDisabled", "ical", "infostore",
	"multipleMailAccounts", "publicFolderEditable", "publication", "readCreateSharedFolders", "subscription", "syncml",
	"tasks", "vcard",
	"webdav", "webdavXml", "webmail"}

// flag returns the bit of a flag; it panics on a name that does not exist.
func flag(name string) access {
	i := slices.Index(flagNames, name)
	if i < 0 {
		panic("oxtest: no access flag " + name)
	}
	return 1 << i
}

func flags(names string) access {
	var a access
	for _, n := range strings.Fields(names) {
		a |= flag(n)
	}
	return a
}

func (a access) has(name string) bool { return a&flag(name) != 0 }

func (a access) names() []string {
	var out []string
	for i, n := range flagNames {
		if a&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// The access combinations that OX ships (ModuleAccessDefinitions.properties).
var combinations = func() map[string]access {
	m := map[string]access{}
	m["webmail_plus"] = flags("contacts webmail")
	m["pim_plus"] = m["webmail_plus"] | flags("calendar tasks")
	m["groupware_plus"] = m["pim_plus"] | flags("delegateTask editPublicFolders infostore publicFolderEditable readCreateSharedFolders")
	m["premium"] = m["groupware_plus"] | flags("ical vcard webdav webdavXml")
	m["groupware"] = m["premium"] | flags("editResource editGroup editPassword collectEmailAddresses multipleMailAccounts subscription publication")
	m["webmail"] = flags("webmail contacts globalAddressBookDisabled collectEmailAddresses editPassword")
	m["pim"] = flags("webmail calendar contacts tasks globalAddressBookDisabled collectEmailAddresses multipleMailAccounts subscription publication editPassword")
	m["pim_infostore"] = m["pim"] | flags("infostore webdav")
	m["pim_mobility"] = m["pim"] | flags("syncml USM activeSync")
	m["groupware_standard"] = flags("webmail calendar contacts infostore tasks webdav ical vcard readCreateSharedFolders delegateTask editPublicFolders " +
		"editGroup editResource editPassword collectEmailAddresses multipleMailAccounts subscription publication")
	m["groupware_premium"] = m["groupware_standard"] | flags("webdavXml syncml USM OLOX20 activeSync")
	m["drive"] = flags("infostore deniedPortal contacts collectEmailAddresses")
	m["all"] = m["groupware_premium"] | flags("publicFolderEditable")
	return m
}()

// combinationName returns the name of the combination that a matches exactly, or "".
func combinationName(a access) string {
	for _, n := range slices.Sorted(maps.Keys(combinations)) {
		if combinations[n] == a {
			return n
		}
	}
	return ""
}

// accessOf reads a generated UserModuleAccess. A flag that was not sent is
// granted, except deniedPortal, globalAddressBookDisabled and
// publicFolderEditable; a nil object is nothing but unsent flags.
func accessOf(v any) access {
	a := ^access(0) >> (32 - len(flagNames)) &^ flags("deniedPortal globalAddressBookDisabled publicFolderEditable")
	rv := reflect.ValueOf(v)
	if rv.IsNil() {
		return a
	}
	rv = rv.Elem()
	for i, n := range flagNames {
		p, ok := rv.FieldByName(strings.ToUpper(n[:1]) + n[1:]).Interface().(*bool)
		switch {
		case !ok:
			panic("oxtest: " + rv.Type().String() + " has no flag " + n)
		case p == nil:
		case *p:
			a |= 1 << i
		default:
			a &^= 1 << i
		}
	}
	return a
}

// putAccess fills a generated UserModuleAccess.
func putAccess[T any](a access) *T {
	v := new(T)
	rv := reflect.ValueOf(v).Elem()
	for i, n := range flagNames {
		rv.FieldByName(strings.ToUpper(n[:1]) + n[1:]).Set(reflect.ValueOf(new(a&(1<<i) != 0)))
	}
	return v
}

// cannotHideBook lists the flags that cannot go with globalAddressBookDisabled.
var cannotHideBook = flags("editPublicFolders readCreateSharedFolders webdavXml delegateTask")
