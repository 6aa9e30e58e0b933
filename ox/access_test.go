package ox

import (
	"errors"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

func TestCombinations(t *testing.T) {
	t.Parallel()
	// From ModuleAccessDefinitions.properties as shipped: number of flags.
	want := map[string]int{
		"webmail_plus": 2, "pim_plus": 4, "groupware_plus": 9, "premium": 13, "groupware": 20, "webmail": 5, "pim": 10,
		"pim_infostore": 12, "pim_mobility": 13, "groupware_standard": 18, "groupware_premium": 23, "drive": 4, "all": 24,
	}
	for name, a := range Combinations() {
		if got := bits.OnesCount32(uint32(a)); got != want[name] {
			t.Errorf("%s: %d flags, want %d: %v", name, got, want[name], a)
		}
		if got, ok := a.CombinationName(); !ok || got != name {
			t.Errorf("%s: its flags are called %q", name, got)
		}
		// Every shipped combination is one that OX accepts for an administrator.
		if err := a.Check(AccessRules{Admin: true}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

func TestAccessCheck(t *testing.T) {
	t.Parallel()
	standard, _ := NamedAccess("groupware_standard")
	webmail, _ := NamedAccess("webmail")
	for _, tt := range []struct {
		name  string
		a     Access
		rules AccessRules
		ok    bool
	}{
		{"nothing", 0, AccessRules{}, true},
		{"webmail closes the address book", webmail, AccessRules{}, true},
		{"groupware cannot", standard | AccessGlobalAddressBookDisabled, AccessRules{}, false},
		{"unless bypassed", standard | AccessGlobalAddressBookDisabled, AccessRules{BypassCombinations: true}, true},
		{"editPublicFolders", AccessGlobalAddressBookDisabled | AccessEditPublicFolders, AccessRules{}, false},
		{"readCreateSharedFolders", AccessGlobalAddressBookDisabled | AccessReadCreateSharedFolders, AccessRules{}, false},
		{"webdavXml", AccessGlobalAddressBookDisabled | AccessWebDAVXML, AccessRules{}, false},
		{"delegateTask", AccessGlobalAddressBookDisabled | AccessDelegateTask, AccessRules{}, false},
		{"what does not " +
			"matter", AccessGlobalAddressBookDisabled | AccessEditGroup | AccessEditResource | AccessInfostore | AccessICal |
			AccessVCard, AccessRules{}, true},
		{"public folders of a user", AccessPublicFolderEditable, AccessRules{}, false},
		{"public folders of the administrator", AccessPublicFolderEditable, AccessRules{Admin: true}, true},
		{"no such flag", 1 << 30, AccessRules{Admin: true}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.a.Check(tt.rules)
			if (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && !errors.Is(err, ErrInvalidData) {
				t.Errorf("%v is not ErrInvalidData", err)
			}
		})
	}
}

func TestAccessText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := Access(rapid.Uint32Range(0, uint32(accessAll)).Draw(t, "access"))
		text, _ := a.MarshalText()
		var back Access
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Fatalf("%q: got %v, %v", text, back, err)
		}
		n := 0
		for f := range a.Flags() {
			if !a.Has(f) || bits.OnesCount32(uint32(f)) != 1 {
				t.Fatalf("flag %v of %v", f, a)
			}
			n++
		}
		if n != bits.OnesCount32(uint32(a)) {
			t.Fatalf("%d flags of %v", n, a)
		}
	})
	if _, err := ParseAccess("webmail,teleport"); err == nil {
		t.Error("an unknown flag was accepted")
	}
	if got, err := ParseAccess("webmail_plus"); err != nil || got != AccessContacts|AccessWebmail {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAccessComparison(t *testing.T) {
	t.Parallel()
	if !(AccessWebmail | AccessPublication).Same(AccessWebmail) {
		t.Error("publication counts")
	}
	if AccessWebmail.Same(AccessCalendar) {
		t.Error("different flags are the same")
	}
	all, _ := NamedAccess("all")
	premium, _ := NamedAccess("groupware_premium")
	if !sameForUser(premium, all) {
		t.Error("what the server strips from ordinary users counts")
	}
}
