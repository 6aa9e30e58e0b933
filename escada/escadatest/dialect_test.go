package escadatest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// Every starter reads its own dialect: the same people in the same places, and
// nothing rejected.
func TestDialects(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(3, &escadatest.Options{Schools: 6, People: 400})
	for _, name := range escada.Starters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			profile, err := escada.Starter(name)
			if err != nil {
				t.Fatal(err)
			}
			e, err := escadatest.ExportAs(name, d.Records())
			if err != nil {
				t.Fatal(err)
			}
			got, err := escada.Read(t.Context(), e.FS(), &escada.Options{Profile: profile})
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Unknown) > 0 {
				t.Errorf("columns that its profile does not know: %v", got.Unknown)
			}
			for _, r := range got.Rejected {
				t.Errorf("%s: %s", r.Position, r.Reason)
			}
			if diff := cmp.Diff(essentials(name, d.Records()), essentials("", got.Records)); diff != "" || got.Incomplete != "" {
				t.Errorf("incomplete %q\n%s", got.Incomplete, diff)
			}
		})
	}
}

// essentials are what every format has of a person.
func essentials(dialect string, records []schoolmail.Record) []string {
	var out []string
	for _, r := range records {
		if dialect == "ech-0260" && r.Role != schoolmail.RolePupil {
			continue
		}
		id, _, _ := strings.Cut(r.Key.ID, "@")
		line := id + " " + string(r.Role) + " " + r.GivenName + "|" + r.FamilyName
		for _, m := range r.Memberships {
			line += " " + strings.TrimPrefix(string(m.School), "BSB") + " " + strings.Join(m.Classes, ",")
			if r.Role == schoolmail.RolePupil && dialect != "ech-0260" && dialect != "ucsschool" && m.Level != "vocational" &&
				m.Level != "" {
				line += " " + string(m.Level)
			}
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}
