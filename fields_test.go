package schoolmail

import (
	"slices"
	"testing"
)

// What a plan can change about an account an undo can set back: each field by
// itself is seen, and is gone after it was copied.
func TestAccountFields(t *testing.T) {
	t.Parallel()
	full := Account{GivenName: "a", FamilyName: "b", DisplayName: "c", Role: RoleStaff, Phone: "d", NoticeMail: "e",
		Language: "fr", Access: "pim",
		Memberships: []Membership{{School: "s", Classes: []string{"1a"}}}, Traits: Traits{Birth: "f"}}
	var empty Account
	names := changes(&empty, &full)
	if len(names) != len(accountFields) {
		t.Fatalf("of %d fields differ %v", len(accountFields), names)
	}
	for _, name := range names {
		a := empty
		setField(&a, &full, name)
		if got := changes(&empty, &a); !slices.Equal(got, []string{name}) {
			t.Errorf("setting %s changes %v", name, got)
		}
		setField(&a, &empty, name)
		if got := changes(&empty, &a); len(got) > 0 {
			t.Errorf("%s set back: %v still differ", name, got)
		}
	}
}
