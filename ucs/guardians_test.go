package ucs_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// The legal guardians of a pupil are those of the pupil's entry who can be written to;
// nobody else has any.
func TestGuardians(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		a := pupil()
		if err := c.CreateAccount(t.Context(), a, "Initial-pass-1"); err != nil {
			t.Fatal(err)
		}
		live, err := c.Account(t.Context(), a.Username)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Guardians(t.Context(), a.Username); err != nil || len(got) != 0 {
			t.Errorf("before there are any: %v %v", got, err)
		}
		users := "cn=users," + b.base
		b.add(t, "uid=kim,"+users, "objectClass", "inetOrgPerson", "uid", "kim", "cn", "Kim", "sn", "Abel",
			"displayName", "Kim Abel", "mail", "kim@home.example", "preferredLanguage", "fr")
		b.add(t, "uid=sam,"+users, "objectClass", "inetOrgPerson", "uid", "sam", "cn", "Sam", "givenName", "Sam",
			"sn", "Abel")
		b.modify(t, live.DN, "ucsschoolLegalGuardian", "uid=kim,"+users, "uid=sam,"+users, "uid=gone,"+users)
		want := []schoolmail.Recipient{{Relation: schoolmail.RelationGuardians, Name: "Kim Abel", Mail: "kim@home.example",
			Language: "fr"}}
		got, err := c.Guardians(t.Context(), a.Username)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
		for _, name := range []string{"nobody", "*", a.Username + ")(uid=*"} {
			if got, err := c.Guardians(t.Context(), name); err != nil || len(got) != 0 {
				t.Errorf("%q: %v %v", name, got, err)
			}
		}
	})
}
