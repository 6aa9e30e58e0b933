package escada_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// lines are what a test compares of a delivery: a line for each person and place, and
// one for each row that was rejected.
func lines(d *schoolmail.Delivery) (out []string) {
	for _, r := range d.Records {
		for _, m := range r.Memberships {
			line := fmt.Sprintf("%s %s %s|%s %s/%s %s", r.Key.ID, r.Role, r.FamilyName, r.GivenName, m.School, m.Level,
				strings.Join(m.Classes, ","))
			if !m.From.IsZero() {
				line += " from " + m.From.String()
			}
			out = append(out, strings.TrimSpace(line))
		}
	}
	for _, r := range d.Rejected {
		out = append(out, fmt.Sprintf("line %d: %s %s", r.Line, r.Kind, r.Key.ID))
	}
	return out
}

// What a profile can say, item by item.
func TestProfileItems(t *testing.T) {
	t.Parallel()
	const people = `
[[file]]
match = ["people*.csv"]
[file.fields]
id          = { title = "id" }
role        = { title = "role" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "school" }
class       = { title = "class", optional = true }
`
	for name, tt := range map[string]struct {
		profile string
		files   map[string]string
		want    []string
	}{
		"sorts of files, joined": {`
[[file]]
match = ["classes.csv"]
table = "classes"
key   = ["school", "number"]
[[file]]
match = ["pupils.csv"]
join  = { rooms = "room" }
[file.fields]
id          = { title = "id" }
role        = { constant = "pupil" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "rooms.school" }
class       = { title = "rooms.name" }
[[file]]
match = ["rooms.csv"]
table = "rooms"
key   = ["number"]
[roles]
pupil = ["pupil"]
`, map[string]string{
			"pupils.csv":  "id;family;given;room\n1;Rossi;Anna;12\n2;Favre;Noé;13\n",
			"rooms.csv":   "number;school;name\n12;ps-au;4b\n",
			"classes.csv": "school;number\nps-au;1\n",
		}, []string{"1 pupil Rossi|Anna ps-au/ 4b", "line 3: reference 2"}},
		"positions without a header": {`
class_optional = true
[[file]]
match  = ["people.csv"]
titles = ["id", "role", "family", "given", "school"]
[file.fields]
id          = { title = "id" }
role        = { title = "role" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "school" }
`, map[string]string{"people.csv": "1;S;Rossi;Anna;ps-au\n"}, []string{"1 pupil Rossi|Anna ps-au/"}},
		"the role by sort of file, the school by the file's name": {`
class_optional = true
[[file]]
match = ["teachers_*.csv"]
[file.fields]
id          = { title = "id" }
role        = { constant = "L" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { file_name = "_(.+)\\.csv$" }
[[file]]
match = ["pupils_*.csv"]
[file.fields]
id          = { title = "id" }
role        = { constant = "S" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { file_name = "_(.+)\\.csv$" }
`, map[string]string{"teachers_ps-au.csv": "id;family;given\n1;Rossi;Anna\n",
			"pupils_ps-bad.csv": "id;family;given\n2;Favre;Noé\n"},
			[]string{"1 teacher Rossi|Anna ps-au/", "2 pupil Favre|Noé ps-bad/"}},
		"rows by status and by action": {`
class_optional = true
[[where]]
title  = "status"
not_in = ["tobedeleted"]
[[where]]
title = "enabledUser"
in    = ["true"]
[[where]]
title   = "action"
matches = "^[AM]?$"
` + people, map[string]string{"people.csv": "id;role;family;given;school;status;enabledUser;action\n" +
			"1;L;Rossi;Anna;ps-au;active;true;\n2;L;Favre;Noé;ps-au;ToBeDeleted;true;\n3;L;Keller;Jo;ps-au;;false;\n" +
			"4;L;Weber;Max;ps-au;;TRUE;D\n5;L;Egli;Ida;ps-au;;TRUE;A\n"},
			[]string{"1 teacher Rossi|Anna ps-au/", "5 teacher Egli|Ida ps-au/"}},
		"conditions on the columns of a plain profile": {`
optional = ["level", "class", "from", "until", "notice_mail", "phone", "language"]
[[where]]
title = "Status"
in    = ["aktiv"]
`, map[string]string{"x.csv": "ID;Rolle;Name;Vorname;Schule;Status\n1;L;Rossi;Anna;ps-au;Aktiv\n" +
			"2;L;Favre;Noé;ps-au;weg\n"},
			[]string{"1 teacher Rossi|Anna ps-au/"}},
		"lists within a field": {`
class_prefix = "{school}-"
[[file]]
match = ["people.csv"]
[file.fields]
id          = { title = "id" }
role        = { title = "role" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "school", list = "," }
class       = { title = "class", list = "|" }
`, map[string]string{"people.csv": "id;role;family;given;school;class\n" +
			"1;L;Rossi;Anna;ps-au, ps-bad;ps-au-4b|ps-bad-1a|ps-au-4a\n"},
			[]string{"1 teacher Rossi|Anna ps-au/ 4a,4b", "1 teacher Rossi|Anna ps-bad/ 1a"}},
		"split and joined fields": {`
class_optional = true
[[file]]
match = ["people.csv"]
[file.fields]
id          = { title = "school", join = ["no"], with = "/" }
role        = { title = "role" }
family_name = { title = "name", split = ",", part = 1 }
given_name  = { title = "name", split = ",", part = 2 }
school      = { title = "school" }
class       = { title = "grade", join = ["letter"], with = "-" }
`, map[string]string{"people.csv": "no;role;name;school;grade;letter\n7;S;Rossi, Anna;ps-au;4;b\n" +
			"7;S;Favre, Noé;ps-bad;4;\n8;S;Meier;ps-bad;4;\n"},
			[]string{"ps-au/7 pupil Rossi|Anna ps-au/ 4-b",
				"ps-bad/7 pupil Favre|Noé ps-bad/ 4", "line 4: missing ps-bad/8"}},
		"values": {`
class_prefix = "Kl. "
[roles]
pupil = ["10"]
[levels]
primary = ["US", "MS"]
[schools]
"4711" = "ps-au"
[[file]]
match = ["people.csv"]
[file.fields]
id          = { title = "id" }
role        = { title = "role", values = { "Lernende Person" = "10" } }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "school" }
level       = { title = "level" }
class       = { title = "class" }
`, map[string]string{"people.csv": "id;role;family;given;school;level;class\n" +
			"1;lernende person;Rossi;Anna;4711;us;Kl. 4b\n"},
			[]string{"1 pupil Rossi|Anna ps-au/primary 4b"}},
		"several date formats": {`
date_format  = "yyyy-mm-dd"
date_formats = ["dd.mm.yyyy", "mm/dd/yyyy"]
class_optional = true
[[file]]
match = ["people.csv"]
[file.fields]
id          = { title = "id" }
role        = { title = "role" }
family_name = { title = "family" }
given_name  = { title = "given" }
school      = { title = "school" }
from        = { title = "from" }
`, map[string]string{"people.csv": "id;role;family;given;school;from\n1;L;A;B;ps-au;2026-08-10\n" +
			"2;L;A;B;ps-au;9.8.2026\n" +
			"3;L;A;B;ps-au;8/24/2026\n4;L;A;B;ps-au;20260824\n"},
			[]string{"1 teacher A|B ps-au/  from 2026-08-10", "2 teacher A|B ps-au/  from 2026-08-09",
				"3 teacher A|B ps-au/  from 2026-08-24", "line 5: value 4"}},
		"footers, repeated headers": {`
class_optional = true
footers = ["Total", "Stand"]
` + people, map[string]string{"people.csv": "id;role;family;given;school\n1;L;A;B;ps-au\n" +
			"id;role;family;given;school\n" +
			"2;L;A;B;ps-au\nTotal: 2;;;;\nStand 20.11.2026\n"},
			[]string{"1 teacher A|B ps-au/", "2 teacher A|B ps-au/"}},
		"mail from the third grade on": {`
[[where]]
title   = "class"
matches = "^([3-9]|1[0-9])"
roles   = ["pupil"]
` + people, map[string]string{"people.csv": "id;role;family;given;school;class\n1;S;A;B;ps-au;2b\n" +
			"2;S;A;B;ps-au;3a\n" +
			"3;L;A;B;ps-au;1a\n4;M;A;B;ps-au;\n5;X;A;B;ps-au;1a\n6;S;A;B;ps-au;10a\n"},
			[]string{"2 pupil A|B ps-au/ 3a", "3 teacher A|B ps-au/ 1a", "4 staff A|B ps-au/", "6 pupil A|B ps-au/ 10a",
				"line 6: value 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := escada.ParseProfile([]byte(tt.profile))
			if err != nil {
				t.Fatal(err)
			}
			d, err := read(t, &escada.Options{Profile: p}, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, lines(&d)); diff != "" || d.Incomplete != "" {
				t.Errorf("incomplete %q\n%s", d.Incomplete, diff)
			}
		})
	}
}

// Files are full or list changes, by their names; an export is one of the two.
func TestDeltaFiles(t *testing.T) {
	t.Parallel()
	p := &escada.Profile{DeltaFiles: []string{"delta_*.csv"}}
	row := head + with("Klasse", "4b")
	for name, kind := range map[string]schoolmail.DeliveryKind{
		"export.csv": schoolmail.DeliveryFull, "delta_20261120.csv": schoolmail.DeliveryDelta,
		"DELTA_1.CSV": schoolmail.DeliveryDelta,
	} {
		d, err := read(t, &escada.Options{Profile: p}, map[string]string{name: row})
		if err != nil || d.Kind != kind || len(d.Records) != 1 {
			t.Errorf("%s: %q, %d records, %v", name, d.Kind, len(d.Records), err)
		}
	}
	_, err := read(t, &escada.Options{Profile: p},
		map[string]string{"export.csv": row, "delta_1.csv": head + with("Klasse", "4a")})
	if !errors.Is(err, escada.ErrMixedKinds) {
		t.Errorf("both: %v", err)
	}
}

// Columns that a profile does not know are told, those that it ignores are not.
func TestUnknownColumns(t *testing.T) {
	t.Parallel()
	const row = "17;S;Müller;Léa;ps-au;P;4b;10.08.2026;;;;de"
	files := map[string]string{"x.csv": strings.TrimSpace(head) + ";Bemerkung;intern_1;Konfession\n" + row + ";x;y;z\n"}
	for _, tt := range []struct {
		ignore, unknown []string
	}{
		{nil, []string{"Bemerkung", "intern_1", "Konfession"}},
		{[]string{"INTERN_*", "konfession"}, []string{"Bemerkung"}},
		{[]string{"*"}, nil},
	} {
		d, err := read(t, &escada.Options{Profile: &escada.Profile{Ignore: tt.ignore}}, files)
		if err != nil || !slices.Equal(d.Unknown["export"], tt.unknown) || len(d.Records) != 1 {
			t.Errorf("ignored %q: %q, %v", tt.ignore, d.Unknown, err)
		}
		day := schoolmail.NewDate(2026, 11, 20)
		plan, err := schoolmail.NewPlan(testPolicy(), schoolmail.State{}, d, day)
		if err != nil {
			t.Fatal(err)
		}
		told := slices.ContainsFunc(plan.Findings, func(f schoolmail.Finding) bool {
			return f.Kind == "unknown-columns" && strings.Contains(f.Text, `"Bemerkung"`)
		})
		if told != (tt.unknown != nil) {
			t.Errorf("ignored %q: findings %+v", tt.ignore, plan.Findings)
		}
	}
	_, err := read(t, &escada.Options{Profile: &escada.Profile{Strict: true}}, files)
	if !errors.Is(err, escada.ErrUnknownColumn) {
		t.Errorf("strict: %v", err)
	}
}

// testPolicy is that of a district whose people are all in one context.
func testPolicy() schoolmail.Policy {
	return schoolmail.Policy{
		Source: "escada",
		Populations: []schoolmail.Population{{Name: "all", Contexts: []schoolmail.ContextID{1}, Domain: "example.org",
			Access: "all",
			Roles:  []schoolmail.Role{schoolmail.RolePupil, schoolmail.RoleTeacher, schoolmail.RoleStaff}}},
		Schools:  []schoolmail.School{{ID: "ps-au"}, {ID: "ps-bad"}},
		Contexts: []schoolmail.ContextSpec{{ID: 1, Name: "all", Capacity: 1000}},
	}
}
