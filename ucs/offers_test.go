package ucs

import "testing"

// Which classes have an address without being a person.
func TestClassWith(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		definition, name string
		ok               bool
	}{
		{"( 1.2 NAME 'univentionMailList' SUP top STRUCTURAL MUST ( cn ) MAY ( mailPrimaryAddress $ description ) )",
			"univentionMailList", true},
		{"( 1.2 NAME ( 'a' 'b' ) MAY mailAlternativeAddress )", "a", true},
		{"( 1.2 NAME 'must' MUST (mailprimaryaddress$cn) )", "must", true},
		{"( 1.2 NAME 'univentionMail' SUP top AUXILIARY MUST uid MAY ( mailPrimaryAddress ) )", "", false},
		{"( 1.2 NAME 'uidAllowed' MUST cn MAY ( uid $ mailPrimaryAddress ) )", "uidAllowed", true},
		{"( 1.2 NAME 'nothing' MAY ( mail $ uid ) )", "nothing", false},
		{"( 1.2 MAY mailPrimaryAddress )", "", false},
		{"( 1.2 NAME mailPrimaryAddress", "", false},
	} {
		name, ok := classWith(tc.definition, []string{"mailPrimaryAddress", "mailAlternativeAddress"}, "uid")
		if ok != tc.ok || ok && name != tc.name {
			t.Errorf("%s: %q, %v", tc.definition, name, ok)
		}
	}
}
