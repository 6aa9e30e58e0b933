package escada_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// planParts reads the parts and plans against the accounts. It gives what the plan does to
// whom, by record id, and its findings by kind.
func planParts(
	t *testing.T, p *escada.Parts, accounts []schoolmail.Account,
) (does, finds []string, d schoolmail.Delivery) {
	t.Helper()
	day := schoolmail.NewDate(2026, 11, 20)
	d, err := p.Read(t.Context(), day)
	if err != nil {
		t.Fatal(err)
	}
	state := schoolmail.State{Accounts: accounts,
		Contexts: []schoolmail.Context{{ID: 1, Name: "all", Users: 1 + len(accounts)}}}
	for i, a := range accounts {
		state.Places = append(state.Places, schoolmail.Place{Context: 1, UserID: schoolmail.UserID(10 + i),
			Username: a.Username, Mail: a.Mail, GivenName: a.GivenName, FamilyName: a.FamilyName, MailEnabled: true})
	}
	plan, err := schoolmail.NewPlan(testPolicy(), state, d, day)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plan.Steps {
		switch s.Action.(type) {
		case schoolmail.CreateAccount, schoolmail.SendNotice:
			does = append(does, string(s.Kind())+" "+s.Key.ID)
		}
	}
	for _, f := range plan.Findings {
		finds = append(finds, strings.TrimSpace(f.Kind+" "+f.Key.ID))
	}
	slices.Sort(does)
	return does, slices.Compact(finds), d
}

// accountsOf are accounts as the plan for these records would have made them.
func accountsOf(records []schoolmail.Record) (out []schoolmail.Account) {
	for i, r := range records {
		name := fmt.Sprintf("u%d", i)
		a := schoolmail.Account{Key: r.Key, Username: name, Role: r.Role, GivenName: r.GivenName, FamilyName: r.FamilyName,
			Mail: name + "@example.org", Context: 1, Access: "all", State: schoolmail.Active, Traits: r.Traits}
		for _, m := range r.Memberships {
			a.Memberships = append(a.Memberships, schoolmail.Membership{School: m.School, Classes: m.Classes})
		}
		out = append(out, a)
	}
	return out
}

const (
	identityHead = "ID;Rolle;Name;Vorname;Schule;AHV-Nr;Geburtsdatum\n"
	crowd        = 12 // more people in each source, so that one who is gone is no collapse
)

// sources are the systems of a district: pupils in one, teachers in the other.
func sources(t *testing.T, pupils, teachers string) *escada.Parts {
	t.Helper()
	p := &escada.Parts{}
	root := t.TempDir()
	opts := &escada.Options{IdentityKey: []byte("0123456789abcdef"), Profile: &escada.Profile{Optional: []escada.Column{
		escada.ColumnLevel, escada.ColumnClass, escada.ColumnFrom, escada.ColumnUntil, escada.ColumnNoticeMail,
		escada.ColumnPhone, escada.ColumnLanguage}}}
	for _, x := range []struct{ prefix, role, rows string }{{"", "S", pupils}, {"hr-", "L", teachers}} {
		part := escada.Part{Prefix: x.prefix, Dir: escada.Dir{Path: filepath.Join(root, x.prefix+"x"), Options: opts}}
		if err := os.Mkdir(part.Dir.Path, 0o700); err != nil {
			t.Fatal(err)
		}
		if x.rows != "" {
			text := identityHead + x.rows
			for i := range crowd {
				text += fmt.Sprintf("%d;%s;Familie%c;Kind%c;ps-au;;\n", 100+i, x.role, 'a'+i, 'k'+i)
			}
			if err := os.WriteFile(filepath.Join(part.Dir.Path, "x.csv"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p.Parts = append(p.Parts, part)
	}
	return p
}

// One person in two sources is one person: who has the same number or the same
// birth date and name is held, not given a second account. Namesakes are two.
func TestOnePersonInTwoSources(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first, second string // rows in the two sources
		one           bool
	}{
		"the same number": {"17;S;Rossi;Anna;ps-au;756.9217.0769.85;\n",
			"4;L;Rossi;Anna;ps-bad;7569217076985;\n", true},
		"the same birth date": {"17;L;Rossi;Anna;ps-au;;03.04.1980\n",
			"4;L;Rossi;Anna;ps-bad;;03.04.1980\n", true},
		"the same school, nothing else is known": {"17;L;Rossi;Anna;ps-au;;\n",
			"4;L;Rossi;Anna;ps-au;;\n", true},
		"another birth date": {"17;L;Rossi;Anna;ps-au;;03.04.1980\n",
			"4;L;Rossi;Anna;ps-au;;04.04.1980\n", false},
		"another school, nothing else is known": {"17;L;Rossi;Anna;ps-au;;\n",
			"4;L;Rossi;Anna;ps-bad;;\n", false},
		"another name": {"17;L;Rossi;Anna;ps-au;;03.04.1980\n",
			"4;L;Favre;Noé;ps-au;;03.04.1980\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Both are new: one of them gets an account.
			does, finds, d := planParts(t, sources(t, tt.first, tt.second), nil)
			if len(d.Records) != 2*crowd+2 {
				t.Fatalf("%d people, rejected %+v", len(d.Records), d.Rejected)
			}
			first := slices.Contains(does, "create 17")
			second := slices.Contains(does, "create hr-4")
			if !first || second == tt.one || slices.Contains(finds, "double-person hr-4") != tt.one {
				t.Errorf("%q, %q", does, finds)
			}
			// The first has an account already.
			var known []schoolmail.Record
			for _, r := range d.Records {
				if r.Key.ID != "hr-4" {
					known = append(known, r)
				}
			}
			does, finds, _ = planParts(t, sources(t, tt.first, tt.second), accountsOf(known))
			if slices.Contains(does, "create hr-4") == tt.one || slices.Contains(finds, "double-person hr-4") != tt.one {
				t.Errorf("with an account: %q, %q", does, finds)
			}
		})
	}
}

// Rows of one id with two birth dates, or two numbers, speak of two people: none of
// them is taken. A row that leaves them empty says nothing against the other.
func TestOneIDWithTwoBirthDates(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		rows  string
		taken bool
	}{
		"two birth dates": {"17;S;Rossi;Anna;ps-au;;03.04.2015\n17;S;Rossi;Anna;ps-bad;;04.04.2015\n", false},
		"two numbers": {"17;S;Rossi;Anna;ps-au;756.9217.0769.85;\n17;S;Rossi;Anna;ps-bad;756.1234.5678.97;\n",
			false},
		"the same birth date":     {"17;S;Rossi;Anna;ps-au;;03.04.2015\n17;S;Rossi;Anna;ps-bad;;03.04.2015\n", true},
		"a birth date and none":   {"17;S;Rossi;Anna;ps-au;;03.04.2015\n17;S;Rossi;Anna;ps-bad;;\n", true},
		"no birth date in either": {"17;S;Rossi;Anna;ps-au;;\n17;S;Rossi;Anna;ps-bad;;\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			does, _, d := planParts(t, sources(t, tt.rows, "4;L;Keller;Jo;ps-au;;\n"), nil)
			if slices.Contains(does, "create 17") != tt.taken || (len(d.Rejected) == 0) != tt.taken {
				t.Errorf("%q, rejected %+v", does, d.Rejected)
			}
		})
	}
}

// A source that is missing keeps its own people from counting as gone, and nobody
// else's.
func TestMissingSourceSuspendsItsOwn(t *testing.T) {
	t.Parallel()
	pupil, teacher := "17;S;Rossi;Anna;ps-au;;\n", "4;L;Keller;Jo;ps-au;;\n"
	_, _, d := planParts(t, sources(t, pupil, teacher), nil)
	everybody := accountsOf(d.Records)
	for name, tt := range map[string]struct {
		pupils, teachers string
		want             []string
	}{
		"both are there, one of each is gone": {"\n",
			"\n", []string{"notice 17", "notice hr-4"}},
		"teachers are missing, a pupil is gone": {"\n",
			"", []string{"notice 17"}},
		"pupils are missing, a teacher is gone": {"",
			"\n", []string{"notice hr-4"}},
		"teachers are missing, nobody is gone": {pupil, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			does, finds, _ := planParts(t, sources(t, tt.pupils, tt.teachers), everybody)
			if diff := cmp.Diff(tt.want, does); diff != "" {
				t.Error(diff)
			}
			if missing := tt.pupils == "" || tt.teachers == ""; slices.Contains(finds, "source-suspended") != missing {
				t.Errorf("%q", finds)
			}
		})
	}
}
