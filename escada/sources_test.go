package escada_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// parts makes folders with one export each.
func parts(t *testing.T, exports map[string]string) *escada.Parts {
	t.Helper()
	p := &escada.Parts{}
	root := t.TempDir()
	for prefix, data := range exports {
		dir := filepath.Join(root, prefix+"x")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if data != "" {
			if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p.Parts = append(p.Parts, escada.Part{Prefix: prefix, Dir: escada.Dir{Path: dir,
			State: filepath.Join(root, prefix+"state.json")}})
	}
	slices.SortFunc(p.Parts, func(a, b escada.Part) int { return strings.Compare(a.Prefix, b.Prefix) })
	return p
}

func TestParts(t *testing.T) {
	t.Parallel()
	pupils := head + with("Klasse", "4b")
	teachers := head + "17;L;Rossi;Anna;ps-au;P;4b;;;;;\n18;L;Keller;Jo;ps-bad;P;;;;;;\n19;M;Weber;Max;ps-au;;;;;;;\n"
	p := parts(t, map[string]string{"": pupils, "hr-": teachers})
	p.Parts[1].Schools = []schoolmail.SchoolID{"ps-au"}
	p.Parts[1].Roles = []schoolmail.Role{schoolmail.RoleTeacher}
	d, err := p.Read(t.Context(), schoolmail.NewDate(2026, 11, 20))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range d.Records {
		got = append(got, r.Key.String()+" "+r.FamilyName)
	}
	if diff := cmp.Diff([]string{"escada/17 Müller", "escada/hr-17 Rossi"}, got); diff != "" {
		t.Error(diff)
	}
	// Who may not be spoken for is shielded, not gone.
	var shielded []string
	for _, r := range d.Rejected {
		if r.Kind == schoolmail.RejectedForeign && !r.Harmless {
			shielded = append(shielded, r.Key.ID)
		}
	}
	if diff := cmp.Diff([]string{"hr-18", "hr-19"}, shielded); diff != "" || len(d.Suspended) > 0 {
		t.Errorf("%s\nsuspended %+v", diff, d.Suspended)
	}
	if err := p.Accept(&d); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(p.Parts[1].Dir.State); err != nil || !strings.Contains(string(text), "sha256:") {
		t.Errorf("nothing was kept: %v", err)
	}
}

// When the part without a prefix is missing, cut off or unreadable, people of the
// others may leave all the same; those of the part may not.
func TestPartsSuspendPlain(t *testing.T) {
	t.Parallel()
	good := head + with("Klasse", "4b")
	for name, data := range map[string]string{"missing": "", "no header": "rubbish\n", "cut off": good[:len(good)-2]} {
		p := parts(t, map[string]string{"": data, "hr-": good, "pr-": good})
		d, err := p.Read(t.Context(), schoolmail.NewDate(2026, 11, 20))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(d.Suspended) != 1 || d.Suspended[0].IDPrefix != "" || d.Incomplete != "" ||
			!slices.Equal(d.Suspended[0].Except, []string{"hr-", "pr-"}) {
			t.Errorf("%s: suspended %+v, incomplete %q", name, d.Suspended, d.Incomplete)
		}
	}
	// An id that could be another part's is shielded, as nobody could tell whose it is.
	p := parts(t, map[string]string{"": head + "HR-17;S;Meier;Ida;ps-au;P;4b;;;;;\n" + with("Klasse", "4b"), "hr-": good})
	d, err := p.Read(t.Context(), schoolmail.NewDate(2026, 11, 20))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Rejected) != 1 || d.Rejected[0].Kind != schoolmail.RejectedForeign || d.Rejected[0].Key.ID != "HR-17" ||
		d.Rejected[0].Harmless || len(d.Records) != 2 {
		t.Errorf("%d records, rejected %+v", len(d.Records), d.Rejected)
	}
}

// A part that is missing, cut off or unreadable suspends its own absences only.
func TestPartsSuspend(t *testing.T) {
	t.Parallel()
	good := head + with("Klasse", "4b")
	for name, data := range map[string]string{
		"missing": "", "no header": "rubbish\n", "cut off": good[:len(good)-2],
		"a row of nobody": good + "x;y\n" + with("Klasse", "4b"),
	} {
		p := parts(t, map[string]string{"a-": good, "b-": data})
		d, err := p.Read(t.Context(), schoolmail.NewDate(2026, 11, 20))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(d.Suspended) == 0 || d.Suspended[0].IDPrefix != "b-" || d.Incomplete != "" ||
			d.Kind != schoolmail.DeliveryFull {
			t.Errorf("%s: suspended %+v, incomplete %q", name, d.Suspended, d.Incomplete)
		}
		for _, r := range d.Rejected {
			if r.Key.ID == "" && r.School == "" && !r.Harmless {
				t.Errorf("%s: %+v lets nobody of the other part leave", name, r)
			}
		}
	}
	p := parts(t, map[string]string{"a-": "", "b-": ""})
	if _, err := p.Read(t.Context(), schoolmail.NewDate(2026, 11, 20)); !errors.Is(err, escada.ErrNoFiles) {
		t.Errorf("no part at all: %v", err)
	}
	for _, prefixes := range [][2]string{{"a", "a"}, {"a", "ab"}, {"", ""}, {"a b", "c"}} {
		p := &escada.Parts{Parts: []escada.Part{{Prefix: prefixes[0]}, {Prefix: prefixes[1]}}}
		if err := p.Validate(); !errors.Is(err, escada.ErrProfile) {
			t.Errorf("prefixes %q: %v", prefixes, err)
		}
	}
}
