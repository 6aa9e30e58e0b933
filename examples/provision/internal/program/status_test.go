package program_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/site/monitor"
)

// A monitor hears of a run that was applied, of one that failed afterwards, and
// nothing of one that only planned.
func TestStatusForMonitors(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	verdict := func() (int, string) {
		var out, errs bytes.Buffer
		exit := program.Main(t.Context(), []string{"-config", s.config(), "-status"}, &out, &errs)
		return exit, out.String() + errs.String()
	}
	if exit, out := verdict(); exit != int(monitor.Unknown) || !strings.HasPrefix(out, "SCHOOLMAIL UNKNOWN") {
		t.Errorf("before any run: %d %s", exit, out)
	}
	day := s.District.Today()
	if exit, _, errs := s.run(t, day); exit != 0 {
		t.Fatalf("plan: %d %s", exit, errs)
	}
	if exit, out := verdict(); exit != int(monitor.Unknown) {
		t.Errorf("after a plan: %d %s", exit, out)
	}
	if exit, _, errs := s.run(t, day, "-apply"); exit != 0 {
		t.Fatalf("apply: %d %s", exit, errs)
	}
	if exit, out := verdict(); exit != int(monitor.OK) || !strings.Contains(out, "0 min ago") {
		t.Errorf("after a run: %d %s", exit, out)
	}
	st, err := monitor.Read(filepath.Join(s.dir, "state", "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	if st.Export.Records == 0 || st.Export.Written.IsZero() || len(st.Contexts) == 0 || len(st.Steps) == 0 ||
		st.LastClean.IsZero() {
		t.Errorf("the status lacks something: %+v", st)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "export")); err != nil {
		t.Fatal(err)
	}
	if exit, _, _ := s.run(t, day, "-apply"); exit != 2 {
		t.Fatalf("without an export: %d", exit)
	}
	if exit, out := verdict(); exit != int(monitor.Warning) || !strings.Contains(out, "refused") {
		t.Errorf("after a refusal: %d %s", exit, out)
	}
	after, err := monitor.Read(filepath.Join(s.dir, "state", "status.json"))
	if err != nil || !after.LastSuccess.Equal(st.LastSuccess) || after.ExitStatus != 2 {
		t.Errorf("the last success is forgotten: %+v, %v", after, err)
	}
}
