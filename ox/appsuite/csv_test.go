package appsuite

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestColumns(t *testing.T) {
	t.Parallel()
	numbers, titles := map[int]Column{}, map[string]Column{}
	for _, c := range Columns() {
		if !c.Known() || c.Number() == 0 {
			t.Errorf("%s has no number", c)
		}
		if other, dup := numbers[c.Number()]; dup {
			t.Errorf("%s and %s are both %d", c, other, c.Number())
		}
		numbers[c.Number()] = c
		if title := c.CSVTitle(); title != "" {
			if strings.ContainsAny(title, ",;\t\"") {
				t.Errorf("title %q confuses OX's guess of the separator", title)
			}
			if other, dup := titles[title]; dup {
				t.Errorf("%s and %s are both %q", c, other, title)
			}
			titles[title] = c
		}
	}
	for c, want := range map[Column]int{DisplayName: 500, GivenName: 501, FamilyName: 502, Email1: 555, Company: 569,
		UserField01: 571, UserField19: 589, UID: 223, DistributionList: 592, Department: 519} {
		if c.Number() != want {
			t.Errorf("%s is %d, want %d", c, c.Number(), want)
		}
	}
	if Column("no_such").Known() || DistributionList.CSVTitle() == "" || slices.Contains(Columns(), DistributionList) {
		t.Error("column table is wrong")
	}
	if Department.Limit() != 128 || UserField01.Limit() != 64 {
		t.Error("limits are wrong")
	}
}

var awkward = []string{"Anna", "Müller-Łuczak", `O"Neill`, "a,b;c\td", "two\nlines", "=1+2", "+41 31 000 00 00", "@x",
	" blank ", "", "-", "'", "日本"}

func TestCSVRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := slices.DeleteFunc(Columns(), func(c Column) bool {
			return c.CSVTitle() == "" || columnsByName[c].kind != textColumn
		})
		cols := rapid.Permutation(all).Draw(t, "columns")[:rapid.IntRange(2, 8).Draw(t, "width")]
		value := rapid.OneOf(rapid.SampledFrom(awkward), rapid.StringMatching(`[ -~äöüß€]{0,20}`))
		var in []Contact
		for range rapid.IntRange(0, 10).Draw(t, "rows") {
			c := Contact{Fields: Fields{}}
			for _, col := range cols {
				if v := value.Draw(t, "value"); v != "" {
					c.Fields[col] = v
				}
			}
			if len(c.Fields) > 0 {
				in = append(in, c)
			}
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, cols, slices.Values(in)); err != nil {
			t.Fatal(err)
		}
		out, err := Collect(ReadCSV(&b))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out); d != "" {
			t.Fatalf("came back changed (-in +out):\n%s", d)
		}
	})
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []Fields
		line int // of the error; 0: none
	}{
		"semicolons and BOM": {"\ufeffGiven name;Sur name\r\nAnna;Muster\r\n",
			[]Fields{{GivenName: "Anna", FamilyName: "Muster"}}, 0},
		"tabs": {"Given name\tSur name\nAnna\tMuster\n",
			[]Fields{{GivenName: "Anna", FamilyName: "Muster"}}, 0},
		"unknown title": {"Given name,Shoe size\nAnna,38\n", []Fields{{GivenName: "Anna"}}, 0},
		"German date": {"Given name,Birthday\nAnna,24.12.2010\n",
			[]Fields{{GivenName: "Anna", Birthday: "2010-12-24"}}, 0},
		"empty cells":          {"Given name,Sur name\nAnna,\n", []Fields{{GivenName: "Anna"}}, 0},
		"bad date":             {"Given name,Birthday\nAnna,x\n", nil, 2},
		"no title known":       {"a,b\n1,2\n", nil, 1},
		"titles in lower case": {"given name,sur name\nAnna,Muster\n", nil, 1},
		"empty file":           {"", nil, 1},
		"row too long": {"Given name,Sur name\nAnna,Muster\nx,y,z\n",
			[]Fields{{GivenName: "Anna", FamilyName: "Muster"}}, 3},
		"open quote": {"Given name,Sur name\n\"Anna,Muster\n", nil, 2},
		"not UTF-8":  {"Given name,Sur name\nAnna,M\xfcller\n", nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Collect(ReadCSV(strings.NewReader(tc.text)))
			var fields []Fields
			for _, c := range got {
				fields = append(fields, c.Fields)
			}
			if d := cmp.Diff(tc.want, fields); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			e, ok := errors.AsType[*CSVError](err)
			if (tc.line == 0) != (err == nil) || (tc.line > 0 && (!ok || e.Line != tc.line)) {
				t.Errorf("error %v, want one on line %d", err, tc.line)
			}
			if err != nil && strings.Contains(err.Error(), "Anna") {
				t.Errorf("a name in the error: %v", err)
			}
		})
	}
}

func TestWriteCSVRefuses(t *testing.T) {
	t.Parallel()
	one := slices.Values([]Contact{{Fields: Fields{DisplayName: "x"}, List: true}})
	for name, cols := range map[string][]Column{
		"one column":        {DisplayName},
		"no title":          {DisplayName, UID},
		"unknown":           {DisplayName, "shoe_size"},
		"distribution list": {DisplayName, Email1},
	} {
		if err := WriteCSV(&bytes.Buffer{}, cols, one); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("Given name,Sur name\nAnna,Muster\n")
	f.Add("Given name;Birthday;private\n\"An\"\"na\";24.12.2010;true\n")
	f.Add("\ufeffEmail 1\tDistribution list\nx\ty\n")
	f.Fuzz(func(t *testing.T, text string) {
		cols := slices.DeleteFunc(Columns(), func(c Column) bool { return c.CSVTitle() == "" })
		read, err := Collect(ReadCSV(strings.NewReader(text)))
		if err != nil {
			return
		}
		// What can be read can be written and read again, to the same.
		var plain []Contact
		for _, c := range read {
			if !c.List && len(c.Fields) > 0 {
				plain = append(plain, c)
			}
		}
		var b bytes.Buffer
		if err := WriteCSV(&b, cols, slices.Values(plain)); err != nil {
			t.Fatal(err)
		}
		again, err := Collect(ReadCSV(&b))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plain {
			maps.DeleteFunc(c.Fields, func(_ Column, v string) bool { return v == "" })
		}
		// encoding/csv turns \r\n within quotes into \n.
		if d := cmp.Diff(plain, again, cmp.Transformer("lines", func(s string) string {
			return strings.ReplaceAll(s, "\r\n",
				"\n")
		})); d != "" {
			t.Fatalf("(-first +second)\n%s", d)
		}
	})
}
