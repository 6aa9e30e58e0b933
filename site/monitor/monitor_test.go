package monitor_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/site/monitor"
)

var (
	night = time.Date(2026, 10, 15, 2, 0, 0, 0, time.UTC)
	day   = 24 * time.Hour
)

// clean is a run that did all it had to do.
func clean() *monitor.Status {
	return &monitor.Status{District: "Kanton", Applied: true, Started: night, Ended: night.Add(90 * time.Second),
		Export: monitor.Export{Written: night.Add(-2 * time.Hour), Records: 798, Rejected: 1}, Accounts: 800,
		Steps: []monitor.Steps{{Kind: "create", Planned: 4, Done: 4}, {Kind: "transfer", Planned: 2, Done: 2}},
		Contexts: []monitor.Context{{ID: 10, Name: `Lehr"personen`, Users: 120, Capacity: 8000},
			{ID: 20, Name: "Primar", Users: 680}}}
}

// A run that fails keeps what is known of the last success and of the servers.
func TestStatusFollowsTheOneBefore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "status.json")
	if _, err := monitor.Read(file); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	first := clean()
	if err := first.Write(file, ""); err != nil {
		t.Fatal(err)
	}
	held := clean()
	held.ExitStatus, held.Started, held.Ended = 3, night.Add(day), night.Add(day+time.Minute)
	if err := held.Write(file, ""); err != nil {
		t.Fatal(err)
	}
	failed := &monitor.Status{District: "Kanton", Applied: true, ExitStatus: 1, Started: night.Add(2 * day),
		Ended: night.Add(2*day + time.Second)}
	if err := failed.Write(file, ""); err != nil {
		t.Fatal(err)
	}
	got, err := monitor.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &monitor.Status{Format: monitor.Format, District: "Kanton", Applied: true, ExitStatus: 1,
		Started: failed.Started, Ended: failed.Ended, LastSuccess: held.Ended, LastClean: first.Ended,
		Export: held.Export, Accounts: 800, Contexts: held.Contexts}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("after two runs and a failure (-want +got):\n%s", d)
	}
}

// What was only planned is no success, however well it went.
func TestPlanningIsNoSuccess(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "status.json")
	s := clean()
	s.Applied = false
	if err := s.Write(file, ""); err != nil {
		t.Fatal(err)
	}
	if got, err := monitor.Read(file); err != nil || !got.LastSuccess.IsZero() || !got.LastClean.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDamagedStatusIsReplaced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "status.json")
	for _, content := range []string{`{"format": 99}`, `{"form`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := monitor.Read(file); err == nil || !strings.Contains(err.Error(), "status.json") {
			t.Errorf("read %q: %v", content, err)
		}
		if err := clean().Write(file, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := monitor.Read(file); err != nil {
			t.Error(err)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := clean()
	s.Steps[1].Held = 3
	if err := s.Write(filepath.Join(dir, "status.json"), filepath.Join(dir, "schoolmail.prom")); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "schoolmail.prom"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"# TYPE schoolmail_exit_status gauge",
		"schoolmail_exit_status 0",
		"schoolmail_last_success_timestamp_seconds 1792029690",
		"schoolmail_run_duration_seconds 90",
		"schoolmail_export_timestamp_seconds 1792022400",
		`schoolmail_steps{kind="transfer",result="held"} 3`,
		`schoolmail_context_users{context="10",name="Lehr\"personen"} 120`,
		`schoolmail_context_capacity{context="10",name="Lehr\"personen"} 8000`,
	} {
		if !bytes.Contains(b, []byte("\n"+line+"\n")) {
			t.Errorf("%q is missing in\n%s", line, b)
		}
	}
	if bytes.Contains(b, []byte(`schoolmail_context_capacity{context="20"`)) {
		t.Error("a capacity that is not known is given")
	}
	never := &monitor.Status{}
	b = nil
	var out bytes.Buffer
	if err := never.WriteMetrics(&out); err != nil || strings.Contains(out.String(), "last_success") {
		t.Errorf("a success that never was: %v\n%s", err, out.String())
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	const maxAge = 26 * time.Hour
	for name, c := range map[string]struct {
		change func(*monitor.Status)
		after  time.Duration // since the end of the run
		level  monitor.Level
		says   string
	}{
		"clean":           {nil, time.Hour, monitor.OK, "last success 1 h 0 min ago, 6 steps done | done=6"},
		"at the limit":    {func(s *monitor.Status) { s.Export.Written = s.Ended }, maxAge, monitor.OK, "26 h 0 min"},
		"one second over": {nil, maxAge + time.Second, monitor.Critical, "last success 26 h 0 min ago"},
		"days":            {nil, 72 * time.Hour, monitor.Critical, "3 days"},
		"failed":          {func(s *monitor.Status) { s.ExitStatus = 1 }, 0, monitor.Critical, "failed"},
		"refused":         {func(s *monitor.Status) { s.ExitStatus = 2 }, 0, monitor.Warning, "refused"},
		"held": {func(s *monitor.Status) { s.ExitStatus, s.Steps[0].Held = 3, 2 }, 0, monitor.Warning,
			"2 steps are held"},
		"failed steps": {func(s *monitor.Status) { s.ExitStatus, s.Steps[0].Failed = 3, 1 }, 0, monitor.Warning,
			"1 steps failed"},
		"only findings": {func(s *monitor.Status) { s.ExitStatus, s.Findings = 3, 7 }, 0, monitor.Warning,
			"7 findings"},
		"stale export": {func(s *monitor.Status) { s.Export.Written = night.Add(-30 * time.Hour) }, 0,
			monitor.Critical, "export is 30 h"},
		"export's age unknown": {func(s *monitor.Status) { s.Export.Written = time.Time{} }, time.Hour, monitor.OK,
			"last success"},
		"never": {func(s *monitor.Status) { s.LastSuccess = time.Time{} }, 0, monitor.Critical,
			"no run has been applied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clean()
			s.LastSuccess = s.Ended
			if c.change != nil {
				c.change(s)
			}
			level, line := s.Verdict(s.Ended.Add(c.after), maxAge)
			if level != c.level || !strings.Contains(line, c.says) || !strings.HasPrefix(line,
				"SCHOOLMAIL "+level.String()+" - ") {
				t.Errorf("%v: %s", level, line)
			}
		})
	}
}
