package ucs_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs"
)

// byHand makes an account as somebody enters it: without a record key and a state.
func (b *backend) byHand(t *testing.T, a schoolmail.Account) string {
	t.Helper()
	c := b.client(t, nil)
	create(t, c, a, "by hand")
	dn := read(t, c, a.Username).DN
	for _, attr := range []string{"ucsschoolSourceUID", "ucsschoolRecordUID", "univentionFreeAttribute20",
		"oxContextIDNum"} {
		if b.value(t, dn, attr) != "" {
			b.modify(t, dn, attr)
		}
	}
	return dn
}

// Of a birthday in the directory only the keyed hash is kept, of accounts that nobody
// stands behind yet; it stays with the account when it is adopted.
func TestBirthdayOfAdopted(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		hash := func(born schoolmail.Date) string { return map[string]string{"2015-01-15": "abcd"}[born.String()] }
		c := b.client(t, func(o *ucs.Options) { o.Birth = hash })
		dn := b.byHand(t, with(pupil(), func(a *schoolmail.Account) { a.Traits = schoolmail.Traits{} }))
		b.modify(t, dn, "objectClass", append(b.values(t, dn, "objectClass"), "univentionPerson")...)
		for value, want := range map[string]string{"2015-01-15": "abcd", "2015": "", "": ""} {
			if value == "" {
				b.modify(t, dn, "univentionBirthday")
			} else {
				b.modify(t, dn, "univentionBirthday", value)
			}
			if got := read(t, c, "ida.aebel").Traits.Birth; got != want {
				t.Errorf("%q: %q, want %q", value, got, want)
			}
			if got := read(t, b.client(t, nil), "ida.aebel").Traits.Birth; got != "" {
				t.Errorf("%q: %q without a hash", value, got)
			}
		}
		b.modify(t, dn, "univentionBirthday", "2015-01-15")
		key := schoolmail.RecordKey{Source: "escada2", ID: "77"}
		if err := c.Adopt(t.Context(), "ida.aebel", key, 0); err != nil {
			t.Fatal(err)
		}
		if a := read(t, b.client(t, nil), "ida.aebel"); a.Traits.Birth != "abcd" || !a.Made.IsZero() || a.Key != key {
			t.Errorf("adopted: %+v", a)
		}
	})
}

// Who was entered by hand becomes an account like the others, and keeps password,
// groups and addresses; what is not a person of the school does not.
func TestAdopt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *backend) {
		c := b.client(t, nil)
		day := schoolmail.NewDate(2026, 9, 1)
		key := schoolmail.RecordKey{Source: "escada2", ID: "hand-ida.aebel"}
		dn := b.byHand(t, pupil())
		before := read(t, c, "ida.aebel")
		if !before.Key.IsZero() {
			t.Fatalf("made by hand, but key %s", before.Key)
		}
		for range 2 { // a second time changes nothing
			if err := c.Adopt(t.Context(), "ida.aebel", key, day); err != nil {
				t.Fatal(err)
			}
		}
		want := before
		want.Key, want.State, want.Made = key, schoolmail.Active, day
		if d := cmp.Diff(want, read(t, c, "ida.aebel"), accountOpts); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
		if !b.canBind(t, dn, "by hand") {
			t.Error("the password is another one")
		}
		create(t, c, teacher(), "x")
		dn = b.byHand(t, with(pupil(), func(a *schoolmail.Account) {
			a.Username, a.Key.ID, a.Mail, a.Aliases = "second.one", "S-2", "", nil
		}))
		for what, try := range map[string]struct {
			name string
			key  schoolmail.RecordKey
		}{
			"somebody's account":       {"anna.mueller", schoolmail.RecordKey{Source: "escada2", ID: "hand-anna.mueller"}},
			"a key of another account": {"second.one", key},
		} {
			if err := c.Adopt(t.Context(), try.name, try.key, day); !errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := c.Adopt(t.Context(), "nobody", key, day); !errors.Is(err, schoolmail.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		own := schoolmail.RecordKey{Source: "escada2", ID: "hand-second.one"}
		for _, attr := range [][]string{
			{"univentionObjectFlag", "temporary"},
			{"univentionObjectFlag", "functional"},
			{"objectClass", "ucsschoolTeacher"}, // a pupil, too
		} {
			old := b.values(t, dn, attr[0])
			b.modify(t, dn, attr[0], append(slices.Clone(old), attr[1])...)
			if err := c.Adopt(t.Context(), "second.one", own, day); !errors.Is(err, schoolmail.ErrConflict) {
				t.Errorf("%v: %v", attr, err)
			}
			b.modify(t, dn, attr[0], old...)
		}
		close := func(dn, shadow, kdc, samba string) {
			b.modify(t, dn, "shadowExpire", shadow)
			b.modify(t, dn, "krb5KDCFlags", kdc)
			b.modify(t, dn, "sambaAcctFlags", samba)
		}
		close(dn, "1", "254", "[UD         ]")
		if err := c.Adopt(t.Context(), "second.one", own, day); !errors.Is(err, schoolmail.ErrConflict) {
			t.Errorf("closed: %v", err)
		}
		close(read(t, c, "ida.aebel").DN, "1", "254", "[UD         ]")
		snap, err := c.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"ida.aebel"}, snap.Closed); d != "" {
			t.Errorf("closed by hand: -want +got\n%s", d)
		}
	})
}
