package escadatest_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// A gigabyte costs no memory, as the files are made while they are read.
func TestStreamedExport(t *testing.T) {
	t.Parallel()
	for _, n := range escadatest.NastyCases() {
		if n.Stream == nil {
			continue
		}
		const size = 1 << 30
		fsys := n.Stream(escadatest.Export{"a.csv": nil, "b.csv": nil}, size)
		entries, err := fs.ReadDir(fsys, ".")
		if err != nil || len(entries) != 2 {
			t.Fatalf("%d files: %v", len(entries), err)
		}
		for _, e := range entries {
			f, err := fsys.Open(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			buf := make([]byte, 100_001)
			n, err := io.ReadFull(f, buf)
			if info, err := f.Stat(); err != nil || info.Size() != size/2 {
				t.Errorf("size %d: %v", info.Size(), err)
			}
			if err != nil || strings.Trim(string(buf[:n]), `"`) != "" {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
		small, err := fs.ReadFile(n.Stream(escadatest.Export{"a.csv": nil}, 70_000), "a.csv")
		if err != nil || len(small) != 70_000 {
			t.Errorf("%d bytes: %v", len(small), err)
		}
	}
}

// What the names of the cases say is what happens to the export.
func TestNastyValues(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(7, &escadatest.Options{Schools: 4, People: 120})
	cases := map[string]escadatest.Nasty{}
	for _, n := range escadatest.NastyCases() {
		cases[n.Name] = n
	}
	for _, name := range escada.Starters() {
		profile, err := escada.Starter(name)
		if err != nil {
			t.Fatal(err)
		}
		good, err := escadatest.ExportAs(name, d.Records())
		if err != nil {
			t.Fatal(err)
		}
		before, err := escada.Read(t.Context(), good.FS(), &escada.Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		read := func(spoil string) schoolmail.Delivery {
			e := good.Clone()
			if !cases[spoil].Spoil(e, profile) {
				t.Fatalf("%s: %s could not be done", name, spoil)
			}
			got, err := escada.Read(t.Context(), e.FS(), &escada.Options{Profile: profile})
			if err != nil && !(spoil == "emptied classes" && errors.Is(err, escada.ErrTooManyRejected)) {
				t.Fatalf("%s: %s: %v", name, spoil, err)
			}
			return got
		}
		for _, r := range read("emptied classes").Records {
			for _, m := range r.Memberships {
				if len(m.Classes) > 0 {
					t.Errorf("%s: somebody still has classes", name)
				}
			}
		}
		after, other := read("ids re-issued"), 0
		if len(after.Records) != len(before.Records) {
			t.Fatalf("%s: %d people of %d with other ids", name, len(after.Records), len(before.Records))
		}
		for i, r := range after.Records {
			if r.Key != before.Records[i].Key {
				t.Fatalf("%s: other ids than before", name)
			}
			if r.GivenName+r.FamilyName != before.Records[i].GivenName+before.Records[i].FamilyName {
				other++
			}
		}
		if other*10 < len(after.Records)*9 {
			t.Errorf("%s: only %d ids of %d are somebody else's", name, other, len(after.Records))
		}
	}
}

// Each format meets each trap; the table of what came of them is in the log
// (go test -v -run FormatsAndTraps).
func TestFormatsAndTraps(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(7, &escadatest.Options{Schools: 4, People: 120})
	var secrets []string
	for _, r := range d.Records() {
		if len(r.FamilyName) > 5 {
			secrets = append(secrets, r.FamilyName)
		}
	}
	cells := map[string][]string{}
	for _, name := range escada.Starters() {
		profile, err := escada.Starter(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := escadatest.ExportAs(name, d.Records())
		if err != nil {
			t.Fatal(err)
		}
		verdicts, err := escadatest.TryNasty(t.Context(), e, &escadatest.NastyOptions{
			Read: &escada.Options{Profile: profile}, StreamBytes: 8 << 20,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tried := 0
		for _, v := range verdicts {
			cell := "-"
			if !v.Skipped {
				tried++
				cell = string(v.Case.Expect)
				if !v.OK {
					cell = "WRONG"
					t.Errorf("%s, %s: expected %s: %s", name, v.Case.Name, v.Case.Expect, v.Outcome)
				}
			}
			if slices.ContainsFunc(secrets, func(s string) bool { return strings.Contains(v.Outcome, s) }) {
				t.Errorf("%s, %s: a field of a person in the outcome", name, v.Case.Name)
			}
			cells[v.Case.Name] = append(cells[v.Case.Name], cell)
		}
		if tried < 10 {
			t.Errorf("%s: only %d cases could be tried", name, tried)
		}
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "trap\t%s\n", strings.Join(escada.Starters(), "\t"))
	for _, n := range escadatest.NastyCases() {
		fmt.Fprintf(w, "%s\t%s\n", n.Name, strings.Join(cells[n.Name], "\t"))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
}
