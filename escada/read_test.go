package escada_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

const head = "PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache\n"

// good are the fields of a row without mistakes, by title.
var good = strings.Split("17;S;Müller;Léa;ps-au;P;4b;10.08.2026;;;;de", ";")

// with returns the good row with one field replaced.
func with(title, value string) string {
	row := slices.Clone(good)
	row[slices.Index(strings.Split(strings.TrimSpace(head), ";"), title)] = value
	return strings.Join(row, ";") + "\n"
}

func read(t *testing.T, opts *escada.Options, files map[string]string) (schoolmail.Delivery, error) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, data := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return escada.Read(t.Context(), fsys, opts)
}

func readOne(t *testing.T, p *escada.Profile, data string) schoolmail.Delivery {
	t.Helper()
	d, err := read(t, &escada.Options{Profile: p}, map[string]string{"x.csv": data})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFold(t *testing.T) {
	t.Parallel()
	d := readOne(t, nil, head+
		"9;L;D'Angelo;Anna  Maria;sek-b;S;7a;01.08.2024;31.01.2027;;+41 31 555 01 02;fr\r\n"+
		"9;Lehrerin;D'Angelo;Anna Maria;ps-a;P;4b;1.8.2024;;;;\n"+
		"\n"+
		";;;;;;;;;;;\n"+
		"9;L;D’Angelo;Anna Maria;ps-a;P;4a;01.08.2023;;anna@example.org;;\n"+ // another apostrophe: a clash
		"10;m;\"Meier;\"\"Büro\"\"\";Jo;ps-a;;;;;;031 1;xx\n"+
		"11;S;Mu\u0308ller;\"Léa\nLou\";ps-a;Primar;4b;;;;079 not for pupils;D;;;\n"+
		"11;S;Müller;Léa Lou;ps-a;P;4b;;;;;\n")
	want := []schoolmail.Record{
		{
			Key: schoolmail.RecordKey{Source: "escada", ID: "10"}, Role: "staff", FamilyName: `Meier;"Büro"`, GivenName: "Jo",
			Memberships: []schoolmail.Membership{{School: "ps-a"}}, Phone: "031 1",
		},
		{
			Key: schoolmail.RecordKey{Source: "escada", ID: "11"}, Role: "pupil", FamilyName: "Müller", GivenName: "Léa Lou",
			Language:    "de",
			Memberships: []schoolmail.Membership{{School: "ps-a", Level: "primary", Classes: []string{"4b"}}},
		},
	}
	if diff := cmp.Diff(want, d.Records); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, r := range d.Rejected {
		got = append(got, fmt.Sprintf("%s: %s [%s %s %v]", r.Position, r.Reason, r.Key, r.School, r.Harmless))
	}
	wantRejected := []string{
		`x.csv:2: column "PersonId": the same id as x.csv:6 with another name or role: this row may be about ` +
			`somebody else, nobody of the school counts as gone [/ sek-b false]`,
		`x.csv:2: column "PersonId": the same id stands at x.csv:6 with another name or role: expected one id ` +
			`for one person [escada/9 sek-b false]`,
		`x.csv:6: column "PersonId": the same id as x.csv:2 with another name or role: this row may be about ` +
			`somebody else, nobody of the school counts as gone [/ ps-a false]`,
		`x.csv:6: column "Name": not as in x.csv:2: expected the same in all rows of a person, or another id ` +
			`for another person [escada/9 ps-a false]`,
		`x.csv:7: column "Sprache": expected de, fr, it or en, or nothing [escada/10 ps-a true]`,
		`x.csv:10: repeats x.csv:8 [escada/11 ps-a true]`,
	}
	if diff := cmp.Diff(wantRejected, got); diff != "" {
		t.Error(diff)
	}
	if d.Rows != 6 || d.Kind != schoolmail.DeliveryFull || d.Incomplete != "" || d.Source != "escada" {
		t.Errorf("rows %d, kind %s, incomplete %q, source %q", d.Rows, d.Kind, d.Incomplete, d.Source)
	}
	if diff := cmp.Diff(map[schoolmail.SchoolID]int{"ps-a": 5, "sek-b": 1}, d.RowsBySchool); diff != "" {
		t.Error(diff)
	}
}

func TestMemberships(t *testing.T) {
	t.Parallel()
	date := func(s string) schoolmail.Date {
		d, err := schoolmail.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	m := func(school schoolmail.SchoolID, from, until string, classes ...string) schoolmail.Membership {
		return schoolmail.Membership{School: school, Level: "primary", Classes: classes, From: date(from), Until: date(until)}
	}
	for _, tt := range []struct {
		name, day string
		rows      []string // school;stufe;klasse;von;bis
		want      []schoolmail.Membership
	}{
		{"schools are sorted", "", []string{"b;P;1a;;", "a;P;1a;;"},
			[]schoolmail.Membership{m("a", "", "", "1a"), m("b", "", "", "1a")}},
		{"classes are sorted and periods joined", "", []string{"a;P;2b;01.08.2026;31.01.2027",
			"a;P;1a;01.02.2026;31.12.2026"},
			[]schoolmail.Membership{m("a", "2026-02-01", "2027-01-31", "1a", "2b")}},
		{"open periods win", "", []string{"a;P;2b;01.08.2026;", "a;P;1a;;31.12.2026"},
			[]schoolmail.Membership{m("a", "", "", "1a", "2b")}},
		{"a day in the first half", "2026-11-23", []string{"a;P;1a;01.08.2026;31.01.2027", "a;P;1b;01.02.2027;"},
			[]schoolmail.Membership{m("a", "2026-08-01", "2027-01-31", "1a")}},
		{"a day in the second half", "2027-02-01", []string{"a;P;1a;01.08.2026;31.01.2027", "a;P;1b;01.02.2027;"},
			[]schoolmail.Membership{m("a", "2027-02-01", "", "1b")}},
		{"a day between: the next", "2027-02-03", []string{"a;P;1a;01.08.2026;31.01.2027", "a;P;1b;01.03.2027;",
			"a;P;1c;01.04.2027;"},
			[]schoolmail.Membership{m("a", "2027-03-01", "", "1b")}},
		{"a day after all: the last", "2027-08-03", []string{"a;P;1a;01.08.2026;31.01.2027", "a;P;1b;01.03.2027;30.06.2027"},
			[]schoolmail.Membership{m("a", "2027-03-01", "2027-06-30", "1b")}},
		{"another level later, on a day", "2027-02-01", []string{"a;S;7a;01.08.2027;", "a;P;6a;;31.07.2027"},
			[]schoolmail.Membership{m("a", "", "2027-07-31", "6a")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data := head
			for _, r := range tt.rows {
				data += "1;S;A;B;" + r + ";;;\n"
			}
			d, err := read(t, &escada.Options{Day: date(tt.day)}, map[string]string{"x.csv": data})
			if err != nil || len(d.Rejected) > 0 || len(d.Records) != 1 {
				t.Fatalf("%v, %v", d, err)
			}
			if diff := cmp.Diff(tt.want, d.Records[0].Memberships); diff != "" {
				t.Error(diff)
			}
		})
	}
	// Teachers may be at one school on two levels; pupils not.
	d := readOne(t, nil, head+"1;L;A;B;a;S;7a;;;;;\n1;L;A;B;a;P;1a;;;;;\n2;S;A;B;a;S;7a;;;;;\n2;S;A;B;a;P;1a;;;;;\n")
	if len(d.Records) != 1 || d.Records[0].Memberships[0].Level != "primary" || len(d.Rejected) != 1 ||
		d.Rejected[0].Column != "Stufe" {
		t.Errorf("%+v", d)
	}
}

// Every mistake in a row has its place, and says whose row it is as far as the row tells.
func TestRejections(t *testing.T) {
	t.Parallel()
	const (
		byKey = 1 << iota
		bySchool
		harmless
		letters
	)
	for _, tt := range []struct {
		name, row, column string
		expect            string // part of the reason
		flags             int
	}{
		{"no id", with("PersonId", ""), "PersonId", "empty", bySchool},
		{"rounded id", with("PersonId", "1.23457E+11"), "PersonId", "spreadsheet", bySchool},
		{"id with spaces", with("PersonId", "1 7"), "PersonId", "without spaces", bySchool},
		{"id with NUL", with("PersonId", "1\x007"), "PersonId", "ASCII", bySchool},
		{"id too long", with("PersonId", strings.Repeat("1", 65)), "PersonId", "at most 64", bySchool},
		{"role", with("Rolle", "X"), "Rolle", `"S" (pupil), "M" (staff) or "L" (teacher)`, byKey | bySchool},
		{"no family name", with("Name", " "), "Name", "empty", byKey | bySchool},
		{"name with NUL", with("Name", "Mu\x00ster"), "Name", "control character", byKey | bySchool},
		{"name with reversed text", with("Name", "Mu\u202Ester"), "Name", "control character", byKey | bySchool},
		{"lost character", with("Vorname", "L\uFFFDa"), "Vorname", "lost", byKey | bySchool},
		{"encoded twice", with("Name", "MÃ¼ller"), "Name", "looks like UTF-8", byKey | bySchool | letters},
		{"question mark for a letter", with("Name", "Milo?evi?"), "Name", "letters were lost", byKey | bySchool | letters},
		{"question mark in front", with("Vorname", "?va"), "Vorname", "letters were lost", byKey | bySchool | letters},
		{"sign that no name has", with("Name", "\u00a6imun"), "Name", "letters were lost", byKey | bySchool | letters},
		{"number as name", with("Vorname", "12"), "Vorname", "no letter", byKey | bySchool},
		{"long name", with("Vorname", strings.Repeat("ä", 129)), "Vorname", "longer than 128", byKey | bySchool},
		{"no school", with("Schule", ""), "Schule", "empty", byKey},
		{"school with umlaut", with("Schule", "ps-mühle"), "Schule", "ASCII", byKey},
		{"school with hyphen last", with("Schule", "ps-"), "Schule", "first and last", byKey},
		{"level", with("Stufe", "X"), "Stufe", `"P" (primary) or "S" (secondary)`, byKey | bySchool},
		{"pupil without level", with("Stufe", ""), "Stufe", "empty for a pupil", byKey | bySchool},
		{"class", with("Klasse", "4/b"), "Klasse", "expected", byKey | bySchool},
		{"class ends badly", with("Klasse", "4b-"), "Klasse", "expected", byKey | bySchool},
		{"pupil without class", with("Klasse", ""), "Klasse", "empty for a pupil", byKey | bySchool},
		{"no such day", with("Von", "29.02.2027"), "Von", "dd.mm.yyyy", byKey | bySchool},
		{"American date", with("Von", "08/10/2026"), "Von", "dd.mm.yyyy", byKey | bySchool},
		{"short year", with("Von", "10.08.26"), "Von", "dd.mm.yyyy", byKey | bySchool},
		{"month 13", with("Bis", "10.13.2026"), "Bis", "dd.mm.yyyy", byKey | bySchool},
		{"text after date", with("Bis", "10.12.2026 noon"), "Bis", "dd.mm.yyyy", byKey | bySchool},
		{"end before begin", with("Bis", "09.08.2026"), "Bis", `before the date in column "Von"`, byKey | bySchool},
		{"mail", with("EMailPrivat", "a.example.org"), "EMailPrivat", "one mail address", byKey | bySchool | harmless},
		{"two mails", with("EMailPrivat", "\"a@example.org;b@example.org\""), "EMailPrivat", "one mail address",
			byKey | bySchool | harmless},
		{"phone", "17;L;A;B;ps-au;P;4b;;;;call me;de\n", "Telefon", "telephone number", byKey | bySchool | harmless},
		{"language", with("Sprache", "rm"), "Sprache", "de, fr, it or en", byKey | bySchool | harmless},
		{"too few fields", "17;S;Müller\n", "", "3 fields: expected 12", 0},
		{"too many fields", with("Sprache", "de;de"), "", "13 fields: expected 12", 0},
		{"stray quote", with("Name", `Mül"ler`), "", "near character 9: a quote in the middle", 0},
		{"text after quote", with("Name", `"Mül"ler`), "", "near character 11: text after a closing quote", 0},
		{"quote not closed", with("Name", `"Müller`), "", "not closed", 0},
		{"huge field", with("Name", strings.Repeat("x", 5000)), "", "longer than 4096", 0},
		{"huge quoted field", with("Name", `"`+strings.Repeat("x", 5000)+`"`), "", "longer than 4096", 0},
		{"huge field of quotes", with("Name", `"`+strings.Repeat(`""`, 5000)+`"`), "", "longer than 4096", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// A good row before and after: the mistake must cost no other row.
			other := strings.Replace(with("Name", "Other"), "17;", "18;", 1)
			last := strings.Replace(with("Name", "Last"), "17;", "19;", 1)
			d := readOne(t, nil, head+other+tt.row+last)
			if len(d.Rejected) != 1 {
				t.Fatalf("rejected: %+v", d.Rejected)
			}
			want := schoolmail.Rejection{
				Position: schoolmail.Position{File: "x.csv", Line: 3, Column: tt.column},
				Reason:   d.Rejected[0].Reason, Harmless: tt.flags&harmless != 0, Kind: schoolmail.RejectedValue,
			}
			if tt.column == "" {
				want.Kind = schoolmail.RejectedUnreadable
			} else if strings.Contains(tt.expect, "empty") {
				want.Kind = schoolmail.RejectedMissing
			} else if tt.flags&letters != 0 {
				want.Kind = schoolmail.RejectedLettersLost
			}
			if tt.flags&byKey != 0 {
				want.Key = schoolmail.RecordKey{Source: "escada", ID: "17"}
			}
			if tt.flags&bySchool != 0 {
				want.School = "ps-au"
			}
			if tt.flags&byKey == 0 && tt.column == "PersonId" { // whose it is, its name may tell
				want.GivenName, want.FamilyName = "Léa", "Müller"
			}
			if diff := cmp.Diff(want, d.Rejected[0]); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(d.Rejected[0].Reason, tt.expect) {
				t.Errorf("reason %q, expected %q in it", d.Rejected[0].Reason, tt.expect)
			}
			records := 2
			if tt.flags&harmless != 0 {
				records = 3
			}
			if len(d.Records) != records || d.Incomplete != "" {
				t.Errorf("%d records, want %d; incomplete %q", len(d.Records), records, d.Incomplete)
			}
			if tt.flags&harmless != 0 {
				if d := readOne(t, &escada.Profile{Strict: true}, head+tt.row); len(d.Records) != 0 || d.Rejected[0].Harmless {
					t.Errorf("strict: %+v", d)
				}
			}
		})
	}
}

// All mistakes of a row are reported, and a person with a bad row is not delivered.
func TestAllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	d := readOne(t, nil, head+"17;?;;1;a b;?;?;x;y;z;;q\n"+with("Klasse", "4b")+with("Von", "nonsense"))
	var columns []string
	for _, r := range d.Rejected {
		columns = append(columns, fmt.Sprint(r.Line, r.Column))
	}
	want := []string{"2 Rolle", "2 Name", "2 Vorname", "2 Schule", "2 Stufe", "2 Klasse", "2 Von", "2 Bis",
		"2 EMailPrivat", "2 Sprache", "4 Von"}
	for i := range want {
		want[i] = strings.Replace(want[i], " ", "", 1)
	}
	if diff := cmp.Diff(want, columns); diff != "" {
		t.Error(diff)
	}
	if len(d.Records) != 0 {
		t.Errorf("a person with unreadable rows was delivered: %+v", d.Records)
	}
}

func TestDoubleIDs(t *testing.T) {
	t.Parallel()
	d := readOne(t, nil, head+
		"a1;S;A;B;x;P;1a;;;;;\n"+
		"A1;S;C;D;y;P;1a;;;;;\n"+
		"b;S;E;F;x;P;1a;;;;;\n"+
		"b;L;G;F;y;P;1a;;;;;\n"+
		"b;S;E;F;z;P;1a;;;;;\n"+
		"c;S;E;F;z;P;1a;;;;;\n")
	if len(d.Records) != 1 || d.Records[0].Key.ID != "c" {
		t.Errorf("records %+v", d.Records)
	}
	var got []string
	for _, r := range d.Rejected {
		got = append(got, fmt.Sprint(r.Line, " ", r.Column, " ", r.Key.ID))
	}
	want := []string{"2 PersonId a1", "3 PersonId A1", "4 PersonId ", "4 PersonId b", "5 PersonId ", "5 Rolle b",
		"5 Name b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	row := with("Klasse", "4b")
	for _, tt := range []struct {
		name  string
		files map[string]string
		opts  escada.Options
		kind  error
		text  string // the whole text
	}{
		{"no files", map[string]string{"x.pdf": "x"}, escada.Options{}, escada.ErrNoFiles,
			`escada: no export files: expected files named *.csv or *.txt, found 1 others`},
		{"empty file", map[string]string{"x.csv": "\xEF\xBB\xBF\r\n"}, escada.Options{}, escada.ErrEmpty,
			`escada: x.csv: export is empty: expected a header line`},
		{"header only", map[string]string{"x.csv": head}, escada.Options{}, escada.ErrEmpty,
			`escada: export is empty: headers only; a full export lists everybody`},
		{"columns missing", map[string]string{
			"x.csv": "PersonId;Name;Vorname;Schule;Foo;Von;Bis;EMailPrivat;Telefon;Sprache\n" + row,
		}, escada.Options{}, escada.ErrMissingColumn,
			`escada: x.csv:1: column missing: "Rolle", "Stufe", "Klasse"; found "PersonId", "Name", "Vorname", ` +
				`"Schule", "Foo", "Von", "Bis", "EMailPrivat", "Telefon", "Sprache"`},
		{"no header", map[string]string{"x.csv": row}, escada.Options{}, escada.ErrMissingColumn,
			`escada: x.csv:1: column missing: no header found: expected the titles "PersonId", "Rolle", "Name", ` +
				`"Vorname", "Schule", "Stufe", "Klasse", "Von", "Bis", "EMailPrivat", "Telefon", "Sprache", ` +
				`separated by ';'; found 12 fields, 0 known titles`},
		{"other delimiter", map[string]string{"x.csv": strings.ReplaceAll(head+row, ";", ",")}, escada.Options{},
			escada.ErrMissingColumn,
			`escada: x.csv:1: column missing: no header found: expected the titles "PersonId", "Rolle", "Name", ` +
				`"Vorname", "Schule", "Stufe", "Klasse", "Von", "Bis", "EMailPrivat", "Telefon", "Sprache", ` +
				`separated by ';'; found 1 fields, 0 known titles`},
		{"column twice", map[string]string{"x.csv": strings.Replace(head, "Sprache", "Sprache;Nom;langue", 1) + row},
			escada.Options{}, escada.ErrDuplicateColumn,
			"escada: x.csv:1: column \"Nom\": column given twice: fields 3 and 13 both hold the family_name\n" +
				"escada: x.csv:1: column \"langue\": column given twice: fields 12 and 14 both hold the language"},
		{"all files, all mistakes", map[string]string{"a.csv": "", "b.csv": "PersonId;Name\n", "c.csv": head + row},
			escada.Options{}, escada.ErrMissingColumn,
			"escada: a.csv: export is empty: expected a header line\n" +
				`escada: b.csv:1: column missing: "Rolle", "Vorname", "Schule", "Stufe", "Klasse", "Von", "Bis", ` +
				`"EMailPrivat", "Telefon", "Sprache"; found "PersonId", "Name"`},
		{"no text", map[string]string{"x.csv": "P\x00\x00e\x00\x00r\x00\x00"}, escada.Options{}, escada.ErrEncoding,
			`escada: x.csv: wrong encoding: the file is not a text`},
		{"UTF-16 under UTF-8", map[string]string{"x.csv": "\xFF\xFEP\x00e\x00"},
			escada.Options{Profile: &escada.Profile{Encoding: escada.EncodingUTF8}}, escada.ErrEncoding,
			`escada: x.csv: wrong encoding: the file is UTF-16; expected utf-8`},
		{"mixed", map[string]string{"x.csv": head + row + with("Name", "M\xFCller")}, escada.Options{}, escada.ErrEncoding,
			`escada: x.csv:3: wrong encoding: byte that is not UTF-8 in a file that otherwise is; expected one ` +
				`encoding throughout`},
		{"Windows-1252 under UTF-8", map[string]string{"x.csv": head + "17;S;M\xFCller;L\xE9a;ps-au;P;4b;;;;;\n"},
			escada.Options{Profile: &escada.Profile{Encoding: escada.EncodingUTF8}}, escada.ErrEncoding,
			`escada: x.csv:2: wrong encoding: byte that is not UTF-8; the file looks like Windows-1252`},
		{"too large", map[string]string{"x.csv": head + row}, escada.Options{MaxFileBytes: 100}, escada.ErrTooLarge,
			`escada: x.csv: file too large: more than 100 bytes`},
		{"too many mistakes", map[string]string{"x.csv": head + strings.Repeat("x\n", 10_000)},
			escada.Options{MaxRejected: 50}, escada.ErrTooManyRejected,
			`escada: x.csv: too many rejected rows: more than 50 mistakes; is it the right profile?`},
		{"full and delta", map[string]string{"all.csv": head + row, "delta-1.csv": head + row + row},
			escada.Options{Profile: &escada.Profile{DeltaFiles: []string{"delta-*"}}}, escada.ErrMixedKinds,
			`escada: full and delta files in one export: all.csv is full, delta-1.csv is a delta`},
		{"same contents", map[string]string{"a.csv": head + row, "b.csv": head + row}, escada.Options{},
			escada.ErrDuplicateFile,
			`escada: b.csv: same file twice: the contents are those of a.csv: a file was copied twice, or over another`},
		{"strict about columns", map[string]string{"x.csv": strings.Replace(head, "Sprache", "Sprache;Foo", 1) + row},
			escada.Options{Profile: &escada.Profile{Strict: true}}, escada.ErrUnknownColumn,
			`escada: x.csv:1: unknown column: "Foo"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := read(t, &tt.opts, tt.files)
			if !errors.Is(err, tt.kind) {
				t.Fatalf("error %v is not %v", err, tt.kind)
			}
			if diff := cmp.Diff(tt.text, err.Error()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(schoolmail.Delivery{}, d); diff != "" {
				t.Errorf("a delivery despite the error:\n%s", diff)
			}
			if e, ok := errors.AsType[*escada.Error](err); !ok || e.Temporary() {
				t.Errorf("%#v: expected an *Error that is not temporary", err)
			}
		})
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	row := with("Klasse", "4b")
	other := strings.Replace(row, "17;", "18;", 1)
	for _, tt := range []struct {
		name    string
		files   map[string]string
		profile escada.Profile
		want    string
	}{
		{"whole", map[string]string{"x.csv": head + row}, escada.Profile{}, ""},
		{"no line end", map[string]string{"x.csv": head + strings.TrimSpace(row)}, escada.Profile{},
			"x.csv:2: the last line has no line end, so the file may have been cut off"},
		{"cut in the line end", map[string]string{"x.csv": head + strings.TrimSpace(row) + "\r"}, escada.Profile{},
			"x.csv:2: the last line has no line end, so the file may have been cut off"},
		{"short last row", map[string]string{"x.csv": head + row + other[:12]}, escada.Profile{},
			"x.csv:3: the last row is not whole, so the file may have been cut off"},
		{"short last row with line end", map[string]string{"x.csv": head + row + other[:12] + "\n"}, escada.Profile{},
			"x.csv:3: the last row is not whole, so the file may have been cut off"},
		{"cut in quotes", map[string]string{"x.csv": head + row + "18;S;\"Mu"}, escada.Profile{},
			"x.csv:3: the last row is not whole, so the file may have been cut off"},
		{"open end allowed", map[string]string{"x.csv": head + strings.TrimSpace(row)}, escada.Profile{OpenEnd: true}, ""},
		{"open end allowed, short row not", map[string]string{"x.csv": head + row + other[:12]},
			escada.Profile{OpenEnd: true}, "x.csv:3: the last row is not whole, so the file may have been cut off"},
		{"trailer", map[string]string{"x.csv": head + row + other + "ENDE;2"}, escada.Profile{Trailer: "ENDE"}, ""},
		{"trailer with empty fields", map[string]string{"x.csv": head + row + other + "ENDE;2;;;;;;;;;;\n\n"},
			escada.Profile{Trailer: "ENDE"}, ""},
		{"trailer lacks", map[string]string{"x.csv": head + row + other}, escada.Profile{Trailer: "ENDE"},
			"x.csv has no trailer, so its end may be missing"},
		{"trailer counts more", map[string]string{"x.csv": head + row + "ENDE;2\n"}, escada.Profile{Trailer: "ENDE"},
			"x.csv:3: the trailer counts 2 rows, the file has 1"},
		{"trailer without number", map[string]string{"x.csv": head + row + "ENDE\n"}, escada.Profile{Trailer: "ENDE"},
			"x.csv:3: the trailer counts 0 rows, the file has 1"},
		{"row after trailer", map[string]string{"x.csv": head + row + "ENDE;1\n" + other}, escada.Profile{Trailer: "ENDE"},
			"x.csv:4: the trailer counts 1 rows, the file has 2"},
		{"file without rows", map[string]string{"a.csv": head + row, "b.csv": head}, escada.Profile{}, "b.csv has no rows"},
		{"file missing", map[string]string{"a.csv": head + row}, escada.Profile{RequiredFiles: []string{"a*", "B.csv",
			"c.csv"}}, `file "B.csv" is missing; file "c.csv" is missing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := read(t, &escada.Options{Profile: &tt.profile}, tt.files)
			if err != nil {
				t.Fatal(err)
			}
			if d.Incomplete != tt.want {
				t.Errorf("incomplete %q, want %q", d.Incomplete, tt.want)
			}
			if n := len(d.Records) + len(d.Rejected); n == 0 || n != d.Rows || len(d.Records) == 0 &&
				d.Rejected[0].Key.ID != "17" {
				t.Errorf("records %+v, rejected %+v", d.Records, d.Rejected)
			}
		})
	}
}

// Wherever a file is cut, reading says so or gives a part of the people: never
// another picture of a person.
func TestEveryCut(t *testing.T) {
	t.Parallel()
	data := head + "9;L;D'Angelo;Anna;sek-b;S;7a;01.08.2024;31.01.2027;a@example.org;+41 31 555 01 02;fr\r\n" +
		"10;S;\"Mü\"\"ll\nx\";Léa;ps-a;P;4b;10.08.2026;;;;de\r\n" + "9;L;D'Angelo;Anna;ps-a;P;4a;01.08.2023;;;;\r\n"
	whole := readOne(t, nil, data)
	for n := range len(data) {
		d, err := read(t, nil, map[string]string{"x.csv": data[:n]})
		lineEnd := n > 0 && data[n-1] == '\n'
		if n <= len(head) {
			if err == nil {
				t.Errorf("cut after %d bytes, in the header: no error", n)
			}
			continue
		}
		if err != nil {
			t.Errorf("cut after %d bytes: %v", n, err)
			continue
		}
		if d.Incomplete == "" && !lineEnd {
			t.Errorf("cut after %d bytes: taken for complete", n)
		}
		for _, r := range d.Records {
			i := slices.IndexFunc(whole.Records, func(w schoolmail.Record) bool { return w.Key == r.Key })
			if i < 0 {
				t.Errorf("cut after %d bytes: %s appeared", n, r.Key)
				continue
			}
			w := whole.Records[i]
			for _, m := range r.Memberships {
				if !slices.ContainsFunc(w.Memberships, func(o schoolmail.Membership) bool { return cmp.Equal(o, m) }) {
					t.Errorf("cut after %d bytes: %s is at %s differently", n, r.Key, m.School)
				}
			}
			r.Memberships = w.Memberships
			if diff := cmp.Diff(w, r); diff != "" {
				t.Errorf("cut after %d bytes:\n%s", n, diff)
			}
		}
		if d.Fingerprint == whole.Fingerprint {
			t.Errorf("cut after %d bytes: same fingerprint", n)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	row := with("Klasse", "4b")
	latin := strings.NewReplacer("ü", "\xFC", "é", "\xE9").Replace(row)
	for _, tt := range []struct {
		name, data string
		enc        escada.Encoding
	}{
		{"utf-8", head + row, ""},
		{"utf-8 with mark", "\xEF\xBB\xBF" + head + row, ""},
		{"utf-8 with mark, windows-1252 expected", "\xEF\xBB\xBF" + head + row, escada.EncodingWindows1252},
		{"windows-1252 found", head + latin, ""},
		{"windows-1252 expected", head + latin, escada.EncodingWindows1252},
		{"utf-8 expected", head + row, escada.EncodingUTF8},
	} {
		d := readOne(t, &escada.Profile{Encoding: tt.enc}, tt.data)
		if len(d.Records) != 1 || d.Records[0].FamilyName != "Müller" || d.Records[0].GivenName != "Léa" {
			t.Errorf("%s: %+v", tt.name, d)
		}
	}
	d := readOne(t, nil, head+strings.Replace(latin, "M\xFCller", "M\x81ller", 1))
	if len(d.Rejected) != 1 || d.Rejected[0].Column != "Name" {
		t.Errorf("a byte that Windows-1252 lacks: %+v", d)
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	want := readOne(t, nil, head+with("Klasse", "4b")).Records
	for name, data := range map[string]string{
		"French, other order, one more": "Prénom;NOM;Foo;Identifiant;Fonction;Ecole;École;Degré;Classe;Valable " +
			"du;jusqu'au;Courriel privé;Téléphone;Langue\nLéa;Müller;x;17;élève;;ps-au;Primaire;4b;10.08.2026;;;;f\n",
		"loose titles": "\"Personen-ID\"; ROLLE " +
			";Nachname;Rufname;Schul-Kürzel;Schulstufe;klasse;gültig von;Gültig " +
			"Bis;E-Mail;Telefon;Korrespondenzsprache;;\n17;Schülerin;Müller;Léa;ps-au;Primarstufe;4b;10.8.2026;;;;D;;\n",
		"blank lines first": "\n;;;\n" + head + with("Klasse", "4b"),
	} {
		got := readOne(t, nil, data).Records
		if len(got) == 1 && name[0] == 'F' {
			got[0].Language = "de"
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	p := &escada.Profile{Optional: []escada.Column{escada.ColumnLevel, escada.ColumnClass, escada.ColumnFrom,
		escada.ColumnUntil,
		escada.ColumnNoticeMail, escada.ColumnPhone, escada.ColumnLanguage}}
	if d := readOne(t, p, "PersonId;Rolle;Name;Vorname;Schule\n17;S;Müller;Léa;ps-au\n"); len(d.Records) != 1 {
		t.Errorf("optional columns: %+v", d)
	}
}

func TestDelta(t *testing.T) {
	t.Parallel()
	opts := &escada.Options{Profile: &escada.Profile{DeltaFiles: []string{"*_D.csv"}}}
	d, err := read(t, opts, map[string]string{"x_d.CSV": head + with("Klasse", "4b")})
	if err != nil || d.Kind != schoolmail.DeliveryDelta {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err = read(t, opts, map[string]string{"x_d.csv": head}); err != nil || d.Rows != 0 || d.Incomplete != "" {
		t.Errorf("a delta without changes: %+v, %v", d, err)
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	a, b := head+with("Klasse", "4b"), head+strings.Replace(with("Klasse", "4c"), "17;", "18;", 1)
	seen := map[string]string{}
	for name, files := range map[string]map[string]string{
		"both": {"a.csv": a, "b.csv": b}, "swapped": {"a.csv": b, "b.csv": a}, "one": {"a.csv": a}, "renamed": {"b.csv": a},
	} {
		d, err := read(t, nil, files)
		if err != nil {
			t.Fatal(err)
		}
		if other, dup := seen[d.Fingerprint]; dup {
			t.Errorf("%s and %s have the same fingerprint", name, other)
		}
		seen[d.Fingerprint] = name
	}
	const want = "sha256:"
	if d := readOne(t, nil, a); !strings.HasPrefix(d.Fingerprint, want) || len(d.Fingerprint) != len(want)+64 {
		t.Errorf("fingerprint %q", d.Fingerprint)
	}
}

func TestReadDirAndFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, data := range map[string]string{
		"b.csv": head + with("Klasse", "4b"), "a.TXT": head + strings.Replace(with("Klasse", "4b"), "17;", "18;", 1),
		"readme.md": "x", "sub/c.csv": "x",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fromDir, err := escada.ReadDir(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	fromFiles, err := escada.ReadFiles(t.Context(), []string{filepath.Join(dir, "b.csv"), filepath.Join(dir, "a.TXT")},
		nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromDir, fromFiles); diff != "" {
		t.Error(diff)
	}
	if want := []string{"a.TXT", "b.csv"}; !slices.Equal(fromDir.Files, want) || len(fromDir.Records) != 2 {
		t.Errorf("%+v", fromDir)
	}

	for name, paths := range map[string][]string{"missing": {filepath.Join(dir, "no.csv")},
		"directory": {filepath.Join(dir, "sub")}} {
		_, err := escada.ReadFiles(t.Context(), paths, nil)
		if e, ok := errors.AsType[*escada.Error](err); !ok || !e.Temporary() {
			t.Errorf("%s: %v: expected a temporary *Error", name, err)
		}
	}
	if _, err := escada.ReadFiles(t.Context(), []string{filepath.Join(dir, "b.csv"), filepath.Join(dir, "b.csv")},
		nil); !errors.Is(err, escada.ErrDuplicateFile) {
		t.Errorf("the same path twice: %v", err)
	}
	if _, err := escada.ReadFiles(t.Context(), nil, nil); !errors.Is(err, escada.ErrNoFiles) {
		t.Errorf("no paths: %v", err)
	}
	if _, err := escada.ReadDir(t.Context(), filepath.Join(dir, "nowhere"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if _, err := escada.ReadDir(ctx, dir, nil); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestProfileMistakes(t *testing.T) {
	t.Parallel()
	p := &escada.Profile{
		Source: "a b", Delimiter: 'x', Encoding: "latin1", DateFormat: "dd.mm.yy",
		Columns: map[escada.Column][]string{"bogus": {"X"}, escada.ColumnID: {"Nr", "Klasse", "?"},
			escada.ColumnRole: {"NR."}},
		Optional: []escada.Column{escada.ColumnID, "nothing"},
		Roles:    map[schoolmail.Role][]string{"boss": {"B"}, "pupil": {"B", ""}, "staff": nil},
		Levels:   map[schoolmail.SchoolLevel][]string{"": {"X"}},
		Files:    []string{"[a"}, Trailer: "Klasse",
	}
	_, err := read(t, &escada.Options{Profile: p}, nil)
	if !errors.Is(err, escada.ErrProfile) {
		t.Fatal(err)
	}
	want := strings.Split(`source: expected 1 to 64 ASCII characters without spaces
delimiter 'x': expected an ASCII punctuation character or a tab, not a quote
encoding "latin1": expected one of ENCODINGS
columns: unknown column "bogus", expected one of COLUMNS
columns: title "?" of "id" has no letter or digit
columns: title "NR." stands for both "id" and "role"
optional: column "id" cannot be optional
optional: unknown column "nothing", expected one of COLUMNS
date format "dd.mm.yy": expected dd, mm and yyyy once each with punctuation between, such as "dd.mm.yyyy"
roles: unknown role "boss"
roles: code "B" stands for both "boss" and "pupil"
roles: empty code for "pupil"
roles: no code for "staff"
levels: a level without name
pattern "[a": syntax error in pattern
trailer "Klasse": expected a text without spaces around that is no column title`, "\n")
	lists := strings.NewReplacer("COLUMNS", fmt.Sprintf("%q", escada.Columns()), "ENCODINGS",
		fmt.Sprintf("%q", escada.Encodings()))
	for i := range want {
		want[i] = "escada: bad profile: " + lists.Replace(want[i])
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
	if err := (*escada.Profile)(nil).Validate(); err != nil {
		t.Error(err)
	}
	if err := (&escada.Profile{Delimiter: ';', DateFormat: "dd;mm;yyyy"}).Validate(); err == nil {
		t.Error("a date format with the delimiter was accepted")
	}
}

func TestDateFormats(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ format, text, want string }{
		{"dd.mm.yyyy", "01.08.2026", "2026-08-01"}, {"dd.mm.yyyy", "1.8.2026", "2026-08-01"},
		{"yyyy-mm-dd", "2026-08-01", "2026-08-01"},
		{"dd/mm/yyyy", "29/02/2028", "2028-02-29"}, {"yyyymmdd", "20260801", "2026-08-01"},
		{"mm/dd/yyyy", "08/01/2026", "2026-08-01"},
		{"dd.mm.yyyy", "31.12.9999", "9999-12-31"},
		{"yyyymmdd", "2026801", ""}, {"dd.mm.yyyy", "01.08.2026x", ""}, {"dd.mm.yyyy", "001.08.2026", ""},
		{"dd.mm.yyyy", "0.8.2026", ""},
		{"dd.mm.yyyy", "01-08-2026", ""}, {"dd.mm.yyyy", "01.01.1899", ""}, {"dd.mm.yyyy", "..", ""},
		{"dd.mm.yyyy", "31.04.2026", ""},
	} {
		d := readOne(t, &escada.Profile{DateFormat: tt.format}, head+with("Von", tt.text))
		got := ""
		if len(d.Records) == 1 {
			got = d.Records[0].Memberships[0].From.String()
		}
		if got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.format, tt.text, got, tt.want)
		}
	}
}

// Neither rejections nor errors repeat what stands in the fields of a row.
func TestNoContents(t *testing.T) {
	t.Parallel()
	const secret = "Geheim"
	data := head
	fields := strings.Split("17;S;A;B;ps-au;P;4b;;;;;de", ";")
	for i := range fields {
		for _, v := range []string{secret + " /\x00" + secret, `"` + secret, secret + `"`, secret + ";" + secret} {
			row := slices.Clone(fields)
			row[i] = v
			data += strings.Join(row, ";") + "\n"
		}
	}
	data += "17;S;" + secret + ";B;ps-au;P;4b;;;a@b.ch;;\n" + "17;S;" + secret + "2;B;ps-au;P;4b;;;" + secret + "@b.ch;;\n"
	d, err := read(t, &escada.Options{Budget: escada.Budget{Rows: -1, Codes: -1}}, map[string]string{"x.csv": data})
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Rejected) < 40 {
		t.Fatalf("%d rejections", len(d.Rejected))
	}
	for _, r := range d.Rejected {
		if strings.Contains(fmt.Sprintf("%+v", r), secret) {
			t.Errorf("%+v", r)
		}
	}
	for _, data := range []string{secret + ";" + secret + "\n", "17;S;" + secret + ";B;ps-au;P;4b;;;;;de\n",
		head + "17;S;ü" + secret + "\xFC;B;ps-au;P;4b;;;;;\n"} {
		if _, err := read(t, nil, map[string]string{"x.csv": data}); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v", err)
		}
	}
}

// A file without a header is refused without repeating what stands in its first
// row, also where two of its texts happen to be titles, and whatever ends its lines.
func TestNoHeaderNothingRepeated(t *testing.T) {
	t.Parallel()
	for _, row := range []string{
		"17;S;Geheim;Klasse;ps-au;Name;4b;;;;;de", "Name;Vorname;Geheim;b;c;d;e;f;g;h;i;j",
		"17;S;Geheim;Léa;ps-au;P;4b;;;;;de",
	} {
		for _, end := range []string{"\n", "\r\n", "\r"} {
			_, err := read(t, nil, map[string]string{"x.csv": strings.Repeat(row+end, 30)})
			if !errors.Is(err, escada.ErrMissingColumn) || strings.Contains(err.Error(), "Geheim") {
				t.Errorf("%v", err)
			}
		}
	}
}

// Exports as programs write them are read: the encodings of the West and of
// Central Europe, line ends of all times, other quotes.
func TestSpellings(t *testing.T) {
	t.Parallel()
	text := head + with("Name", "Müller-Šimun")
	latin := head + with("Name", "Müller")
	encoded := func(enc escada.Encoding, s string) string {
		b, ok := escada.Encode(s, enc)
		if !ok {
			t.Fatalf("cannot be written in %s", enc)
		}
		return string(b)
	}
	for _, tt := range []struct {
		name, data string
		profile    escada.Profile
		family     string
	}{
		{"utf-8 with mark", "\ufeff" + text, escada.Profile{}, "Müller-Šimun"},
		{"utf-16, little end", encoded(escada.EncodingUTF16, text), escada.Profile{}, "Müller-Šimun"},
		{"utf-16 without mark", encoded(escada.EncodingUTF16, text)[2:], escada.Profile{}, "Müller-Šimun"},
		{"windows-1252", encoded(escada.EncodingWindows1252, text), escada.Profile{}, "Müller-Šimun"},
		{"iso-8859-1", encoded(escada.EncodingISO8859_1, latin), escada.Profile{}, "Müller"},
		{"iso-8859-15", encoded(escada.EncodingISO8859_15, text), escada.Profile{Encoding: escada.EncodingISO8859_15},
			"Müller-Šimun"},
		{"iso-8859-2", encoded(escada.EncodingISO8859_2, head+with("Name", "Łukasz")+with("Vorname", "Łéa")),
			escada.Profile{Encoding: escada.EncodingISO8859_2}, ""},
		{"macintosh", encoded(escada.EncodingMacRoman, latin), escada.Profile{Encoding: escada.EncodingMacRoman}, "Müller"},
		{"cp850", encoded(escada.EncodingCP850, latin), escada.Profile{Encoding: escada.EncodingCP850}, "Müller"},
		{"CR", strings.ReplaceAll(latin, "\n", "\r"), escada.Profile{}, "Müller"},
		{"CRLF", strings.ReplaceAll(latin, "\n", "\r\n"), escada.Profile{}, "Müller"},
		{"sep= with another delimiter", "sep=|\r\n" + strings.ReplaceAll(latin, ";", "|"), escada.Profile{}, "Müller"},
		{"sep= with the delimiter", "sep=;\n" + latin, escada.Profile{}, "Müller"},
		{"line end in a name", head + with("Name", "\"Mül\r\nler\""), escada.Profile{}, "Mül ler"},
		{"backslashes", head + with("Name", `"Müller \"Max\""`), escada.Profile{Quoting: escada.QuotingBackslash},
			`Müller "Max"`},
		{"a delimiter after a backslash", head + with("Name", `Müller\; Max`),
			escada.Profile{Quoting: escada.QuotingBackslash}, "Müller; Max"},
		{"no quoting", head + with("Name", `Müller "Max"`), escada.Profile{Quoting: escada.QuotingNone}, `Müller "Max"`},
		{"decomposed letters", head + with("Name", "Mu\u0308ller"), escada.Profile{}, "Müller"},
		{"short rows", head + "17;S;Müller;Léa;ps-au;P;4b\n", escada.Profile{ShortRows: true}, "Müller"},
		{"footer", latin + "Total 1;;;\n", escada.Profile{Footers: []string{"Total"}}, "Müller"},
		{"joined files", latin + "\ufeff" + head, escada.Profile{}, "Müller"},
	} {
		d, err := read(t, &escada.Options{Profile: &tt.profile}, map[string]string{"x.csv": tt.data})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if tt.family != "" && (len(d.Records) != 1 || d.Records[0].FamilyName != tt.family || len(d.Rejected) > 0) {
			t.Errorf("%s: %+v, rejected %+v", tt.name, d.Records, d.Rejected)
		}
	}
}

// An encoding that is not the file's is recognised by letters that no name has,
// and the message names those that make sense.
func TestWrongEncodings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		names []string
		is    escada.Encoding // of the file
		told  escada.Encoding // in the profile
		want  string
	}{
		{"Latin-9", []string{"Šimun", "Müller"}, escada.EncodingISO8859_15, "", `"iso-8859-15"`},
		{"Latin-2", []string{"Łukasz", "Müller", "Świątek"}, escada.EncodingISO8859_2, "", `"iso-8859-2"`},
		{"Macintosh", []string{"Müller", "Böll", "Léa"}, escada.EncodingMacRoman, "", `"macintosh"`},
		{"DOS", []string{"Müller", "Léa", "Böll"}, escada.EncodingCP850, "", `"cp850"`},
		{"Windows for Macintosh", []string{"Müller", "Böll", "Rüegg", "Zoë"}, escada.EncodingWindows1252,
			escada.EncodingMacRoman, `"windows-1252"`},
	} {
		data := head
		for i, n := range tt.names {
			data += strings.Replace(strings.Replace(with("Name", n), "17;", fmt.Sprint(i, ";"), 1), "Léa", "Lea", 1)
		}
		raw, ok := escada.Encode(data, tt.is)
		if !ok {
			t.Fatal(tt.name)
		}
		_, err := read(t, &escada.Options{Profile: &escada.Profile{Encoding: tt.told}},
			map[string]string{"x.csv": string(raw)})
		if !errors.Is(err, escada.ErrEncoding) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
