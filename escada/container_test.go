package escada_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// pack makes a zip archive.
func pack(t *testing.T, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestContainers(t *testing.T) {
	t.Parallel()
	export := head + with("Klasse", "4b")
	sum := func(text string) string { return fmt.Sprintf("%x  export.csv\n", sha256.Sum256([]byte(text))) }
	for _, tt := range []struct {
		name       string
		files      map[string]string
		kind       escada.Kind // empty: it is read
		incomplete string
	}{
		{"a file", map[string]string{"export.csv": export}, "", ""},
		{"a zip archive", map[string]string{"x.zip": pack(t, map[string]string{"export.csv": export})}, "", ""},
		{"a folder in an archive", map[string]string{"x.ZIP": pack(t,
			map[string]string{"a/b/export.csv": export, "__MACOSX/b.csv": "x"})}, "", ""},
		{"lock files", map[string]string{"export.csv": export, "~$export.csv": "\x05user", ".~lock.export.csv#": "x",
			".export.csv": "x"}, "", ""},
		{"a transfer that goes on", map[string]string{"export.csv": export, "more.csv.part": "x"}, escada.ErrNotReady, ""},
		{"a checksum that is right", map[string]string{"export.csv": export, "SHA256SUMS": sum(export)}, "", ""},
		{"a checksum that is wrong", map[string]string{"export.csv": export, "SHA256SUMS": sum("x")}, escada.ErrDamaged, ""},
		{"a checksum of a missing file", map[string]string{"other.csv": export, "SHA256SUMS": sum(export)}, "",
			"file export.csv is missing, which the list of checksums names"},
		{"a name that leads out", map[string]string{"x.zip": pack(t, map[string]string{"../export.csv": export})},
			escada.ErrContainer, ""},
		{"an absolute name", map[string]string{"x.zip": pack(t, map[string]string{"/etc/export.csv": export})},
			escada.ErrContainer, ""},
		{"a name with backslashes", map[string]string{"x.zip": pack(t, map[string]string{`a\export.csv`: export})},
			escada.ErrContainer, ""},
		{"an archive that grows", map[string]string{"x.zip": pack(t,
			map[string]string{"export.csv": strings.Repeat("0", 32<<20)})}, escada.ErrContainer, ""},
		{"an archive in an archive", map[string]string{"x.zip": pack(t,
			map[string]string{"y.zip": pack(t, map[string]string{"export.csv": export})})}, escada.ErrNoFiles, ""},
		{"half an archive", map[string]string{"x.zip": pack(t, map[string]string{"export.csv": export})[:80]},
			escada.ErrContainer, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := read(t, nil, tt.files)
			if tt.kind != "" {
				if !errors.Is(err, tt.kind) {
					t.Fatalf("error %v, want %v", err, tt.kind)
				}
				if e, _ := errors.AsType[*escada.Error](err); e.Temporary() != (tt.kind == escada.ErrNotReady) {
					t.Errorf("temporary: %v", e.Temporary())
				}
				return
			}
			if err != nil || len(d.Records) != 1 || d.Incomplete != tt.incomplete {
				t.Fatalf("%v, %d records, incomplete %q", err, len(d.Records), d.Incomplete)
			}
		})
	}
}

// A zip archive given as a file is read as one in a folder.
func TestArchiveAsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.zip")
	data := pack(t, map[string]string{"export.csv": head + with("Klasse", "4b")})
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := escada.ReadFiles(t.Context(), []string{path}, nil)
	if err != nil || len(d.Records) != 1 || d.Files[0] != "x.zip/export.csv" {
		t.Fatal(d.Files, err)
	}
}

// An export that is older than the last accepted one is refused until somebody
// says that it is meant; what was accepted before may be sent again.
func TestOrderAndAge(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	file := func(class string, at time.Time) fstest.MapFS {
		return fstest.MapFS{"x.csv": &fstest.MapFile{Data: []byte(head + with("Klasse", class)), ModTime: at}}
	}
	read := func(f fstest.MapFS, o escada.Options) (schoolmail.Delivery, error) {
		return escada.Read(t.Context(), f, &o)
	}
	var last *escada.Accepted
	for i, class := range []string{"4a", "4b", "4c"} {
		d, err := read(file(class, day.AddDate(0, 0, i)), escada.Options{Last: last})
		if err != nil {
			t.Fatal(err)
		}
		last = escada.Accept(&d)
	}
	for _, tt := range []struct {
		name  string
		class string
		at    time.Time
		opts  escada.Options
		kind  escada.Kind
		stale bool
	}{
		{"the last one again", "4c", day, escada.Options{}, "", false},
		{"a newer one", "4d", day.AddDate(0, 0, 5), escada.Options{}, "", false},
		{"an older one", "4d", day, escada.Options{}, escada.ErrOlder, false},
		{"what was accepted before, sent again", "4a", day.AddDate(0, 0, 9), escada.Options{}, "", false},
		{"an older one that is meant", "4a", day, escada.Options{AllowOlder: true}, "", false},
		{"as old as allowed", "4c", day, escada.Options{Now: day.AddDate(0, 0, 7), MaxAge: 7 * 24 * time.Hour}, "", false},
		{"older than allowed", "4c", day, escada.Options{Now: day.AddDate(0, 0, 7).Add(1), MaxAge: 7 * 24 * time.Hour}, "",
			true},
		{"just written", "4c", day, escada.Options{Now: day.Add(9 * time.Second), Settle: 10 * time.Second},
			escada.ErrNotReady, false},
		{"settled", "4c", day, escada.Options{Now: day.Add(10 * time.Second), Settle: 10 * time.Second}, "", false},
	} {
		tt.opts.Last = last
		d, err := read(file(tt.class, tt.at), tt.opts)
		if tt.kind == "" && err != nil || tt.kind != "" && !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got := strings.Contains(d.Incomplete, "days old"); got != tt.stale {
			t.Errorf("%s: incomplete %q", tt.name, d.Incomplete)
		}
	}
}

// A column that comes or goes stops the export until somebody confirms it.
func TestColumnsChanged(t *testing.T) {
	t.Parallel()
	d, err := read(t, nil, map[string]string{"x.csv": head + with("Klasse", "4b")})
	if err != nil {
		t.Fatal(err)
	}
	last := escada.Accept(&d)
	more := map[string]string{"x.csv": strings.Replace(head, "\n", ";Bemerkung\n",
		1) + strings.TrimSpace(with("Klasse", "4b")) + ";x\n"}
	_, err = read(t, &escada.Options{Last: last}, more)
	want := `escada: columns changed: files export: new: "Bemerkung"; expected those of the last accepted ` +
		`export, or that somebody confirms them`
	if !errors.Is(err, escada.ErrColumnsChanged) || err.Error() != want {
		t.Errorf("%v", err)
	}
	if _, err := read(t, &escada.Options{Last: last, AllowColumns: true}, more); err != nil {
		t.Error(err)
	}
	// Other order and other spelling are no change.
	same := map[string]string{"x.csv": strings.Replace(head, "EMailPrivat", "E-Mail privat", 1) + with("Klasse", "4b")}
	before := strings.Split(strings.TrimSpace(strings.Replace(head, "EMailPrivat", "EMail-Privat", 1)), ";")
	last = &escada.Accepted{Columns: map[string][]string{"export": before}}
	if _, err = read(t, &escada.Options{Last: last}, same); err != nil {
		t.Error(err)
	}
}

// One mistake costs its person, many a school, and very many the export.
func TestBudget(t *testing.T) {
	t.Parallel()
	rows := func(school string, good, bad, badRole int) string {
		var b strings.Builder
		for i := range good + bad + badRole {
			level, role := "P", "S"
			if i >= good && i < good+bad {
				level = ""
			}
			if i >= good+bad {
				role = "??"
			}
			fmt.Fprintf(&b, "%s%d;%s;A;B;%s;%s;1a;;;;;\n", school, i, role, school, level)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name    string
		rows    string
		budget  escada.Budget
		records int
		kind    escada.Kind
	}{
		{"ten bad rows of a school never stop it", rows("a", 20, 10, 0) + rows("b", 100, 0, 0), escada.Budget{}, 120, ""},
		{"a fifth of a school", rows("a", 44, 11, 0) + rows("b", 100, 0, 0), escada.Budget{}, 144, ""},
		{"more than a fifth of a school", rows("a", 43, 11, 0) + rows("b", 100, 0, 0), escada.Budget{}, 100, ""},
		{"no limit for schools", rows("a", 43, 11, 0) + rows("b", 100, 0, 0), escada.Budget{School: -1}, 143, ""},
		{"half of the export", rows("a", 11, 11, 0), escada.Budget{School: -1}, 11, ""},
		{"more than half of the export", rows("a", 10, 11, 0), escada.Budget{School: -1}, 0, escada.ErrTooManyRejected},
		{"a tenth of unknown roles", rows("a", 99, 0, 11), escada.Budget{}, 99, ""},
		{"more than a tenth of unknown roles", rows("a", 98, 0, 11), escada.Budget{}, 0, escada.ErrUnknownCodes},
	} {
		d, err := read(t, &escada.Options{Budget: tt.budget}, map[string]string{"x.csv": head + tt.rows})
		if tt.kind == "" && err != nil || tt.kind != "" && !errors.Is(err, tt.kind) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(d.Records) != tt.records {
			t.Errorf("%s: %d records, want %d", tt.name, len(d.Records), tt.records)
		}
		// Whoever stands in the export is delivered or shielded by key.
		shielded := map[string]bool{}
		for _, r := range d.Rejected {
			shielded[r.Key.ID] = true
		}
		for _, r := range d.Records {
			shielded[r.Key.ID] = true
		}
		if missing := strings.Count(tt.rows, "\n") - len(shielded); err == nil && missing > 0 {
			t.Errorf("%s: %d people neither delivered nor shielded", tt.name, missing)
		}
	}
}

// Identity material leaves the reader as keyed hashes only.
func TestTraits(t *testing.T) {
	t.Parallel()
	title := strings.Replace(head, "\n", ";AHV-Nummer;Geburtsdatum\n", 1)
	row := func(id, number, birth string) string {
		return strings.TrimSpace(strings.Replace(with("Klasse", "4b"), "17;", id+";", 1)) + ";" + number + ";" + birth + "\n"
	}
	files := map[string]string{"x.csv": title +
		row("1", "756.9217.0769.85", "15.01.2015") + row("2", "7569217076985", "15.1.2015") +
		row("3", "756.9217.0769.86", "16.01.2015") + row("4", "", "")}
	key := []byte("a key of the district")
	d, err := read(t, &escada.Options{IdentityKey: key}, files)
	if err != nil || len(d.Records) != 4 {
		t.Fatal(len(d.Records), err)
	}
	a, b, c, none := d.Records[0].Traits, d.Records[1].Traits, d.Records[2].Traits, d.Records[3].Traits
	if a != b || a.Number == "" || a.Birth == "" || len(a.Number) != 32 {
		t.Errorf("the same person: %+v, %+v", a, b)
	}
	if c.Number != "" || c.Birth == a.Birth || c.Birth == "" {
		t.Errorf("a wrong check digit: %+v", c)
	}
	if diff := cmp.Diff(schoolmail.Traits{}, none); diff != "" {
		t.Error(diff)
	}
	if len(d.Rejected) != 1 || !d.Rejected[0].Harmless || d.Rejected[0].Column != "AHV-Nummer" {
		t.Errorf("%+v", d.Rejected)
	}
	if h := escada.BirthHash(key, schoolmail.NewDate(2015, 1, 15)); h != a.Birth {
		t.Errorf("the same birth date from elsewhere: %s, %s", h, a.Birth)
	}
	if text := fmt.Sprintf("%+v", d); strings.Contains(text, "9217") || strings.Contains(text, "2015") {
		t.Error("identity material in the delivery")
	}
	other, err := read(t, &escada.Options{IdentityKey: []byte("another key of the district")}, files)
	if err != nil || other.Records[0].Traits == a {
		t.Error("another key, the same hashes", err)
	}
	if d, err = read(t, nil, files); err != nil || d.Records[0].Traits != (schoolmail.Traits{}) || len(d.Rejected) > 0 {
		t.Errorf("without a key: %+v, %v", d, err)
	}
	if _, err := read(t, &escada.Options{IdentityKey: []byte("short")}, files); !errors.Is(err, escada.ErrProfile) {
		t.Errorf("a short key: %v", err)
	}
}
