package ucs

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

func TestParseState(t *testing.T) {
	t.Parallel()
	day := schoolmail.NewDate(2026, 10, 1)
	for _, tc := range []struct {
		text string
		want lifeRecord
		err  string
	}{
		{text: "schoolmail1;state=active", want: lifeRecord{state: schoolmail.Active}},
		{text: "schoolmail1;state=leaving;noticed=2026-10-01", want: lifeRecord{state: schoolmail.Leaving, noticed: day}},
		{text: "schoolmail1;state=active;previous=4/1717/2026-10-01;held=yes;notice=a%3Bb@x",
			want: lifeRecord{state: schoolmail.Active, previous: schoolmail.Previous{Context: 4, UserID: 1717, Since: day},
				held: true, noticeMail: "a;b@x"}},
		{text: "schoolmail1;state=active;later=x%20y;z=", want: lifeRecord{state: schoolmail.Active,
			extra: []string{"later=x%20y", "z="}}},
		{text: "schoolmail1;state=active;access=pim", want: lifeRecord{state: schoolmail.Active, access: "pim"}},
		{text: "schoolmail1;state=active;access=", err: "state text: access: empty name"},
		{text: "schoolmail1;state=active;made=2026-10-01;marks=roles/2026-10-01/pupil/ps-a,schools/2026-10-01//" +
			";birth=0af9;number=17",
			want: lifeRecord{state: schoolmail.Active, made: day, traits: schoolmail.Traits{Birth: "0af9", Number: "17"},
				marks: []schoolmail.Mark{{Guard: "roles", On: day, Role: "pupil", School: "ps-a"}, {Guard: "schools", On: day}}}},
		{text: "schoolmail1;retired=2026-10-01", want: lifeRecord{tombstone: true, retired: day}},
		{text: "schoolmail1;retired=", want: lifeRecord{tombstone: true}},
		{text: "", err: `state text does not begin with "schoolmail1"`},
		{text: "schoolmail2;state=active", err: `state text does not begin with "schoolmail1"`},
		{text: "schoolmail1", err: "state text: state is missing"},
		{text: "schoolmail1;state=gone", err: `state text: state: unknown state "gone"`},
		{text: "schoolmail1;state=active;state=active", err: "state text: state comes twice"},
		{text: "schoolmail1;state=active;x=1;x=2", err: "state text: x comes twice"},
		{text: "schoolmail1;state=active;noticed=01.10.2026",
			err: `state text: noticed: schoolmail: date "01.10.2026": expected YYYY-MM-DD`},
		{text: "schoolmail1;state=active;noticed=", err: "state text: noticed: expected YYYY-MM-DD"},
		{text: "schoolmail1;state=active;unlisted=no", err: "state text: unlisted: expected yes"},
		{text: "schoolmail1;state=active;held=yes;unlisted=yes",
			want: lifeRecord{state: schoolmail.Active, held: true, unlisted: true}},
		{text: "schoolmail1;state=active;held=no", err: "state text: held: expected yes"},
		{text: "schoolmail1;state=active;notice=", err: "state text: notice: empty address"},
		{text: "schoolmail1;state=active;previous=4/2026-10-01", err: "state text: previous: expected context/user/date"},
		{text: "schoolmail1;state=active;previous=04/1/2026-10-01",
			err: `state text: previous: "04" is not a positive number`},
		{text: "schoolmail1;state=active;;", err: `state text: field "" is not key=value`},
		{text: "schoolmail1;State=active", err: `state text: field "State=active" is not key=value`},
		{text: "schoolmail1;state=act%69ve", want: lifeRecord{state: schoolmail.Active}},
		{text: "schoolmail1;state=active;notice=%4", err: "state text: notice: invalid escape"},
	} {
		got, err := parseState(tc.text)
		switch {
		case tc.err != "":
			if err == nil || err.Error() != tc.err {
				t.Errorf("%q: error %v, want %s", tc.text, err, tc.err)
			}
		case err != nil:
			t.Errorf("%q: %v", tc.text, err)
		default:
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(lifeRecord{})); d != "" {
				t.Errorf("%q (-want +got):\n%s", tc.text, d)
			}
		}
	}
}

// What is read and written again reads the same; and writing is stable.
func FuzzParseState(f *testing.F) {
	for _, s := range []string{"schoolmail1;state=active",
		"schoolmail1;state=leaving;noticed=2026-10-01;previous=4/17/2026-08-10;held=yes;notice=a%3Bb@x;later=1",
		"schoolmail1;retired=2027-03-01", "schoolmail1;state=pending;notice=%25%20%0A\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseState(text)
		if err != nil {
			return
		}
		out := r.String()
		again, err := parseState(out)
		if err != nil {
			t.Fatalf("%q was written as %q, which does not read: %v", text, out, err)
		}
		if d := cmp.Diff(r, again, cmp.AllowUnexported(lifeRecord{})); d != "" {
			t.Fatalf("%q reads differently when written again:\n%s", text, d)
		}
		if again.String() != out {
			t.Fatalf("%q is not stable: %q", out, again.String())
		}
	})
}

func TestColumns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ old, on, off string }{
		{"[U          ]", "[U          ]", "[UD         ]"},
		{"[UD         ]", "[U          ]", "[UD         ]"},
		{"[DUL        ]", "[UL         ]", "[ULD        ]"},
		{"", "[U          ]", "[UD         ]"},
	} {
		if on, off := acctFlags(tc.old, false), acctFlags(tc.old, true); on != tc.on || off != tc.off {
			t.Errorf("acctFlags(%q) = %q and %q, want %q and %q", tc.old, on, off, tc.on, tc.off)
		}
	}
	hashes := []string{"{crypt}$6$a$b", "{crypt}!$6$a$b", "{K5KEY}", "clear"}
	if d := cmp.Diff([]string{"{crypt}!$6$a$b", "{crypt}!$6$a$b", "{K5KEY}!", "!clear"},
		lockHashes(hashes, true)); d != "" {
		t.Errorf("lock (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"{crypt}$6$a$b", "{crypt}$6$a$b", "{K5KEY}", "clear"}, lockHashes(hashes, false)); d != "" {
		t.Errorf("unlock (-want +got):\n%s", d)
	}
	for name, want := range map[string]string{"Äneas Übermüller-Strauß": "Aeneas Uebermueller-Strauss",
		"François Noël": "Francois Noel",
		"Đorđe Łukasz":  "Dorde Lukasz", "  ": "", "Ngọc Anh": "Ngoc Anh"} {
		if got := gecos(schoolmail.Account{GivenName: name}); got != want {
			t.Errorf("gecos(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNormDN(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"uid=Anna,CN=Lehrer und  Mitarbeiter,ou=X": "uid=anna,cn=lehrer und mitarbeiter,ou=x",
		"uid=anna , cn=a":                          "uid=anna,cn=a",
		`cn=a\2cb,ou=x`:                            `cn=a\,b,ou=x`,
		`CN=A\, b,OU=X`:                            `cn=a\, b,ou=x`,
	} {
		if got := normDN(in); got != want {
			t.Errorf("normDN(%q) = %q, want %q", in, got, want)
		}
	}
}
