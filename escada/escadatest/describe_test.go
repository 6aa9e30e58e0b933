package escadatest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// describe describes the files of an export and reads them with the profile that
// comes out.
func describe(t *testing.T, e escadatest.Export) (*escada.Description, schoolmail.Delivery) {
	t.Helper()
	dir := t.TempDir()
	if err := e.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	d, err := escada.Describe(t.Context(), []string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := d.ProfileText()
	if err != nil {
		t.Fatal(err)
	}
	profile, err := escada.ParseProfile(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	got, err := escada.ReadDir(t.Context(), dir, &escada.Options{Profile: profile})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d, got
}

// What Describe makes of each starter's dialect reads it, without a hand.
func TestDescribeStarters(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(4, &escadatest.Options{Schools: 4, People: 300})
	for _, name := range escada.Starters() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := escadatest.ExportAs(name, d.Records())
			if err != nil {
				t.Fatal(err)
			}
			found, got := describe(t, e)
			if want := map[string]string{"escada2": ""}; found.Starter != name && found.Starter != want[name] {
				t.Errorf("taken for %q", found.Starter)
			}
			if diff := cmp.Diff(essentials(name, d.Records()), essentials("", got.Records)); diff != "" ||
				len(got.Rejected) > 0 {
				t.Errorf("%v\n%s", got.Rejected, diff)
			}
		})
	}
}

// Files of no starter, too: other titles, delimiters, encodings, dates, no header.
func TestDescribeOthers(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(5, &escadatest.Options{Schools: 4, People: 300})
	var plain []schoolmail.Record // whose letters Windows-1252 has
	for _, r := range d.Records() {
		var b bytes.Buffer
		if escada.Write(&b, []schoolmail.Record{r}, &escada.Profile{Encoding: escada.EncodingISO8859_1}) == nil {
			plain = append(plain, r)
		}
	}
	for name, p := range map[string]*escada.Profile{
		"tabs":             {Delimiter: '\t'},
		"commas and dates": {Delimiter: ',', DateFormat: "yyyy-mm-dd"},
		"windows-1252":     {Encoding: escada.EncodingWindows1252},
		"macintosh":        {Encoding: escada.EncodingMacRoman},
		"utf-16":           {Encoding: escada.EncodingUTF16},
		"other titles": {Columns: map[escada.Column][]string{
			escada.ColumnID: {"student_id"}, escada.ColumnFamilyName: {"Lastname"}, escada.ColumnGivenName: {"Firstname"},
			escada.ColumnSchool: {"School"}, escada.ColumnClass: {"Class"}, escada.ColumnRole: {"Type"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := escadatest.NewExport(plain, &escadatest.ExportOptions{Profile: p})
			if err != nil {
				t.Fatal(err)
			}
			_, got := describe(t, e)
			if diff := cmp.Diff(plain, got.Records); diff != "" || len(got.Rejected) > 0 {
				t.Errorf("%v\n%s", got.Rejected, diff)
			}
		})
	}
}

// No field of a person is in the text unless values are asked for.
func TestDescribeShowsNobody(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(6, &escadatest.Options{Schools: 2, People: 60})
	dir := t.TempDir()
	if err := exported(t, d, nil).WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	text := func(show bool) string {
		x, err := escada.Describe(t.Context(), []string{filepath.Join(dir, "export.csv")},
			&escada.DescribeOptions{ShowValues: show})
		if err != nil {
			t.Fatal(err)
		}
		s, err := x.Text()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	hidden, shown := text(false), text(true)
	for _, r := range d.Records() {
		for _, secret := range []string{r.FamilyName, r.Key.ID} {
			if len(secret) > 3 && strings.Contains(hidden, secret) {
				t.Errorf("a field of a person in:\n%s", hidden)
			}
		}
	}
	if !strings.Contains(shown, d.Records()[0].Key.ID) {
		t.Errorf("no examples in:\n%s", shown)
	}
	for _, want := range []string{"id (by its title)", `"S" `, "rows a person", "dates as dd.mm.yyyy"} {
		if !strings.Contains(hidden, want) {
			t.Errorf("no %q in:\n%s", want, hidden)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "export.csv"), []byte("Vor;Nach\nA;B\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if hidden = text(false); !strings.Contains(hidden, "no column seems to be the id") {
		t.Errorf("what is missing is not told:\n%s", hidden)
	}
}
