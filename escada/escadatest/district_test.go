package escadatest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

func digest(t *testing.T, d *escadatest.District) string {
	t.Helper()
	b, err := json.Marshal(d.Records())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// The digests must never change by accident: other projects' tests and the
// figures in our documents rest on them.
func TestDistrictIsFixed(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(1, &escadatest.Options{People: 500})
	next := d.Next(nil)
	for _, tt := range []struct {
		name string
		d    *escadatest.District
		want string
	}{
		{"first", d, "1af2d19083613efa"},
		{"next year", next, "5621d82fe70f805c"},
		{"next day", next.Day(1, 20), "c042e0ac2399729e"},
		{"the year after", next.Next(nil), "a4333a34a9b64f40"},
		{"another seed", escadatest.NewDistrict(2, &escadatest.Options{People: 500}), "67cada781f2b1147"},
	} {
		if got := digest(t, tt.d); got != tt.want {
			t.Errorf("%s: digest %s, want %s", tt.name, got, tt.want)
		}
		if got, want := digest(t, tt.d), digest(t, tt.d); got != want {
			t.Errorf("%s: two looks differ", tt.name)
		}
	}
	if got := digest(t, d); got != "1af2d19083613efa" {
		t.Error("Next changed the district it was called on")
	}
}

func TestDefaultDistrict(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(7, nil)
	records := d.Records()
	if len(records) != 32_000 || len(d.Schools()) != 60 {
		t.Fatalf("%d people, %d schools", len(records), len(d.Schools()))
	}
	roles := map[schoolmail.Role]int{}
	levels := map[schoolmail.SchoolLevel]int{}
	names := map[string]int{}
	two := 0
	for _, r := range records {
		roles[r.Role]++
		names[r.GivenName+" "+r.FamilyName]++
		if r.Role == schoolmail.RolePupil {
			levels[r.Memberships[0].Level]++
		}
		if r.Role == schoolmail.RoleTeacher && len(r.Memberships) > 1 {
			two++
		}
	}
	if roles["teacher"] != 2880 || roles["staff"] != 960 || two != 288 {
		t.Errorf("roles %v, %d teachers at two schools", roles, two)
	}
	if p, s := levels[escadatest.Primary], levels[escadatest.Secondary]; p+s != 28_160 || p < 2*s-9 || p > 2*s+9 {
		t.Errorf("levels %v: expected six grades to three", levels)
	}
	if len(names) > 30_000 || len(names) < 20_000 {
		t.Errorf("%d different names: expected namesakes, but not only", len(names))
	}
	for _, s := range d.Schools() {
		if s.Level == escadatest.Primary && !slices.ContainsFunc(d.Schools(),
			func(o escadatest.School) bool { return o.ID == s.Feeds && o.Level == escadatest.Secondary }) {
			t.Errorf("%s feeds %q", s.ID, s.Feeds)
		}
	}
}

// byKey maps records by key.
func byKey(d *escadatest.District) map[schoolmail.RecordKey]schoolmail.Record {
	m := map[schoolmail.RecordKey]schoolmail.Record{}
	for _, r := range d.Records() {
		m[r.Key] = r
	}
	return m
}

func TestNextMovesUp(t *testing.T) {
	t.Parallel()
	for _, people := range []int{20, 300, 8000} {
		t.Run(fmt.Sprint(people), func(t *testing.T) {
			d := escadatest.NewDistrict(3, &escadatest.Options{People: people})
			next := d.Next(nil)
			before, after := byKey(d), byKey(next)
			stay, up, changedLevel := 0, 0, 0
			for k, b := range before {
				a, ok := after[k]
				if !ok {
					continue
				}
				stay++
				if a.GivenName != b.GivenName || a.FamilyName != b.FamilyName || a.Role != b.Role {
					t.Errorf("%s became somebody else", k)
				}
				if b.Role != schoolmail.RolePupil {
					if diff := cmp.Diff(b, a); diff != "" {
						t.Errorf("%s changed:\n%s", k, diff)
					}
					continue
				}
				bc, ac := b.Memberships[0].Classes[0], a.Memberships[0].Classes[0]
				if ac[0] != bc[0]+1 || ac[1:] != bc[1:] {
					t.Errorf("%s went from class %s to %s", k, bc, ac)
				}
				up++
				if b.Memberships[0].Level != a.Memberships[0].Level {
					changedLevel++
					if bc[0] != '6' {
						t.Errorf("%s changed level from class %s", k, bc)
					}
				} else if bc[0] == '6' {
					t.Errorf("%s stayed in primary school after class %s", k, bc)
				}
			}
			gone, came := len(before)-stay, len(after)-stay
			if gone < people/10 || gone > people/8+1 || came != (people*100+500)/1000 {
				t.Errorf("%d gone, %d came of %d", gone, came, people)
			}
			if up == 0 || changedLevel == 0 {
				t.Errorf("%d moved up, %d changed level", up, changedLevel)
			}
			if got := next.Today(); got != schoolmail.NewDate(2027, 8, 9) {
				t.Errorf("next year begins %s", got)
			}
		})
	}
}

func TestReturners(t *testing.T) {
	t.Parallel()
	first := escadatest.NewDistrict(5, &escadatest.Options{People: 2000})
	second := first.Next(nil)
	third := second.Next(&escadatest.Term{Back: 50})
	a, b, c := byKey(first), byKey(second), byKey(third)
	back := 0
	for k := range c {
		if _, in := a[k]; in {
			if _, still := b[k]; !still {
				back++
			}
		}
	}
	if back != 10 {
		t.Errorf("%d returned, want 10 (5%% of 200 newcomers)", back)
	}
	for k := range b {
		if _, in := a[k]; !in && k.ID <= "102000" {
			t.Errorf("%s: an old id in the first year after", k)
		}
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(3, &escadatest.Options{People: 4000})
	e := d.Day(1, 2)
	before, after := byKey(d), byKey(e)
	came, gone, changed := 0, 0, 0
	for k, b := range before {
		if a, ok := after[k]; !ok {
			gone++
		} else if !cmp.Equal(a, b) {
			changed++
		}
	}
	for k := range after {
		if _, ok := before[k]; !ok {
			came++
		}
	}
	if came != 2 || gone != 2 || changed < 1 || changed > 4 {
		t.Errorf("%d came, %d gone, %d changed; want 8 changes in all, some of them perhaps to the same", came, gone, changed)
	}
	if e.Today() != d.Today().AddDays(1) {
		t.Errorf("day %s after %s", e.Today(), d.Today())
	}
	if same := d.Day(1, 0); !cmp.Equal(same.Records(), d.Records()) {
		t.Error("no changes asked for, but some made")
	}
}

func exported(t *testing.T, d *escadatest.District, opts *escadatest.ExportOptions) escadatest.Export {
	t.Helper()
	e, err := d.Export(opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTinyDistricts(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 30; n++ {
		d := escadatest.NewDistrict(uint64(n), &escadatest.Options{People: n})
		for range 12 {
			if d = d.Next(nil).Day(3, 100); d.Len() == 0 {
				break
			}
			if _, err := escada.Read(t.Context(), exported(t, d, nil).FS(), nil); err != nil {
				t.Errorf("%d people: %v", n, err)
			}
		}
	}
	if n := len(escadatest.NewDistrict(1, &escadatest.Options{People: 50_000, Schools: 900}).Schools()); n != 900 {
		t.Errorf("%d schools", n)
	}
}

// What a district exports is what its records say.
func TestExportReadsBack(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(11, &escadatest.Options{People: 3000, NoticeMail: 200})
	for name, o := range map[string]*escadatest.ExportOptions{
		"one file":   nil,
		"per school": {PerSchool: true},
		"other layout": {Profile: &escada.Profile{
			Delimiter: '\t', DateFormat: "yyyy-mm-dd", BOM: true, Trailer: "TOTAL",
			Columns: map[escada.Column][]string{escada.ColumnID: {"Matricule"}, escada.ColumnFrom: {"Depuis le"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			e := exported(t, d, o)
			opts := &escada.Options{}
			if o != nil {
				opts.Profile = o.Profile
			}
			dir := t.TempDir()
			if err := e.WriteDir(dir); err != nil {
				t.Fatal(err)
			}
			got, err := escada.ReadDir(t.Context(), dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Rejected) > 0 || got.Incomplete != "" {
				t.Errorf("rejected %v, incomplete %q", got.Rejected, got.Incomplete)
			}
			if diff := cmp.Diff(d.Records(), got.Records); diff != "" {
				t.Error(diff)
			}
			if !slices.Equal(got.Files, e.Names()) {
				t.Errorf("files %v, want %v", got.Files, e.Names())
			}
		})
	}
}

func TestCorruptors(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(1, &escadatest.Options{People: 600})
	whole := exported(t, d, nil)
	read := func(e escadatest.Export) (schoolmail.Delivery, error) {
		return escada.Read(t.Context(), e.FS(), nil)
	}
	full, err := read(whole)
	if err != nil {
		t.Fatal(err)
	}
	school := slices.Sorted(maps.Keys(full.RowsBySchool))[0]

	e := whole.Clone()
	e.DropSchool(string(school), 500)
	half, err := read(e)
	if err != nil {
		t.Fatal(err)
	}
	if got, was := half.RowsBySchool[school], full.RowsBySchool[school]; got != was/2 || half.Rows != full.Rows-(was-got) {
		t.Errorf("school has %d rows of %d", got, was)
	}

	e = whole.Clone()
	e.DoubleIDs(100)
	double, err := read(e)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(double.Rejected); n < 10 || n > 30 || len(double.Records) > len(full.Records)-10 {
		t.Errorf("%d rejected, %d records left of %d", n, len(double.Records), len(full.Records))
	}

	e = whole.Clone()
	e.Truncate("export.csv", -40)
	cut, err := read(e)
	if err != nil {
		t.Fatal(err)
	}
	if cut.Incomplete == "" {
		t.Error("truncated export taken for complete")
	}

	e = whole.Clone()
	e.EncodeWindows1252()
	latin, err := read(e)
	if err != nil || len(latin.Records)+len(latin.Rejected) < len(full.Records) || latin.Fingerprint == full.Fingerprint {
		t.Errorf("windows-1252: %d records, %v", len(latin.Records), err)
	}
	for _, r := range latin.Rejected {
		if r.Kind != schoolmail.RejectedLettersLost {
			t.Errorf("%s: %s", r.Position, r.Reason)
		}
	}

	e = whole.Clone()
	e.EncodeTwice()
	if d, err := read(e); err != nil || len(d.Rejected) < 100 || len(d.Rejected)+len(d.Records) < len(full.Records) {
		t.Errorf("encoded twice: %d rejected, %v", len(d.Rejected), err)
	}
	if bytes := whole["export.csv"]; len(bytes) == 0 || string(bytes[:8]) != "PersonId" {
		t.Error("a corruptor changed the original")
	}
}

func Example() {
	d := escadatest.NewDistrict(1, &escadatest.Options{People: 40})
	fmt.Println(d.Len(), "people on", d.Today())
	for _, s := range d.Schools() {
		fmt.Println(s.ID, s.Level)
	}
	next := d.Next(nil)
	fmt.Println(next.Len(), "people on", next.Today())
	// Output:
	// 40 people on 2026-08-10
	// ps-birkenhof primary
	// sek-rosenfeld secondary
	// 40 people on 2027-08-09
}
