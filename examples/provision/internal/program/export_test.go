package program_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
)

// What -describe prints is a profile, and names nobody.
func TestDescribe(t *testing.T) {
	t.Parallel()
	d := escadatest.NewDistrict(1, &escadatest.Options{Schools: 4, People: 60})
	dir := t.TempDir()
	e, err := escadatest.ExportAs("oneroster-1.2", d.Records())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.WriteDir(dir); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := program.Main(t.Context(), []string{"-describe", dir}, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	_, profile, ok := strings.Cut(stdout.String(), "\n# names and titles")
	if !ok || !strings.Contains(profile, "1EdTech OneRoster: CSV Binding") {
		t.Fatalf("no profile in:\n%s", &stdout)
	}
	if _, err := escada.ParseProfile([]byte("#" + profile)); err != nil {
		t.Error(err)
	}
	if strings.Contains(stdout.String(), d.Records()[0].FamilyName) {
		t.Error("a name in the description")
	}
	if status := program.Main(t.Context(), []string{"-describe"}, &stdout, &stderr); status != 2 {
		t.Errorf("-describe without files: status %d", status)
	}
	if status := program.Main(t.Context(), []string{"file.csv"}, &stdout, &stderr); status != 2 {
		t.Errorf("a file without -describe: status %d", status)
	}
}

// -try-nasty says of each case what came of it, and writes nothing.
func TestTryNasty(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	status, out, errs := s.run(t, s.District.Today(), "-try-nasty")
	if status != 0 || strings.Count(out, "\n") != len(escadatest.NastyCases()) || strings.Contains(out, "BAD") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
