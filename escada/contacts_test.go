package escada_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// Rows of one person may leave contact fields empty; what one of them says counts,
// and of several the lesser.
func TestContactsOfSeveralRows(t *testing.T) {
	t.Parallel()
	row := func(class, mail, phone string) string {
		return "9;L;Frei;Anna;ps-a;P;" + class + ";;;" + mail + ";" + phone + ";\n"
	}
	for _, x := range []struct{ name, rows, mail, phone string }{
		{"none", row("1a", "", "") + row("1b", "", ""), "", ""},
		{"in the first", row("1a", "a@example.org", "031 1") + row("1b", "", "") + row("1c", "", ""),
			"a@example.org", "031 1"},
		{"in others", row("1a", "", "") + row("1b", "a@example.org", "") + row("1c", "", "031 1"), "a@example.org", "031 1"},
		{"the same", row("1a", "a@example.org", "031 1") + row("1b", "a@example.org", "031 1"), "a@example.org", "031 1"},
		{"others", row("1a", "b@example.org", "031 1") + row("1b", "a@example.org", "031 2"), "a@example.org", "031 1"},
	} {
		d := readOne(t, nil, head+"8;L;Abt;Ida;ps-a;P;1a;;;z@example.org;031 9;\n"+x.rows)
		if len(d.Records) != 2 {
			t.Fatalf("%s: %v", x.name, d.Rejected)
		}
		if r := d.Records[1]; r.NoticeMail != x.mail || r.Phone != x.phone {
			t.Errorf("%s: %q, %q", x.name, r.NoticeMail, r.Phone)
		}
		if r := d.Records[0]; r.NoticeMail != "z@example.org" || r.Phone != "031 9" {
			t.Errorf("%s: somebody else has %q, %q", x.name, r.NoticeMail, r.Phone)
		}
	}
}

// Who is not delivered leaves nothing to the next person.
func TestNobodyInheritsFromWhoIsNotDelivered(t *testing.T) {
	t.Parallel()
	opts := &escada.Options{IdentityKey: []byte("0123456789abcdef"), Budget: escada.Budget{Rows: -1, School: -1}}
	d, err := read(t, opts,
		map[string]string{"x.csv": nastyHead + "\n" +
			"8;S;Abt;Ida;ps-a;P;1a;;;a@example.org;;de;756.1234.5678.97;01.02.2015\n" +
			"8;S;Abt;Ida;ps-a;S;7a;;;a@example.org;;de;756.1234.5678.97;01.02.2015\n" + // two levels at one school
			"9;S;Boll;Udo;ps-a;P;1a;;;;;;;\n"})
	if err != nil {
		t.Fatal(err)
	}
	want := []schoolmail.Record{{
		Key: schoolmail.RecordKey{Source: "escada", ID: "9"}, Role: "pupil", FamilyName: "Boll", GivenName: "Udo",
		Memberships: []schoolmail.Membership{{School: "ps-a", Level: "primary", Classes: []string{"1a"}}},
	}}
	if diff := cmp.Diff(want, d.Records); diff != "" {
		t.Error(diff)
	}
}
