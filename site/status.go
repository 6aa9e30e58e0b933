package site

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail/site/monitor"
)

// Status counts, for a monitor, what came of the last act of a run; acts may be
// empty. The caller adds when the run was and its exit status, and writes it with
// [Settings.WriteStatus]. Nothing in it names a person.
func (set *Settings) Status(acts []*Act) *monitor.Status {
	s := &monitor.Status{District: set.Name}
	if len(acts) == 0 {
		return s
	}
	act := acts[len(acts)-1]
	r, d := act.Report(), &act.World.Delivery
	s.Export = monitor.Export{Written: newest(set.ExportDir, d.Files), Records: len(d.Records), Rejected: len(d.Rejected)}
	s.Accounts, s.Findings = act.Plan.Header.Accounts, len(r.Findings)
	for _, k := range r.Steps {
		s.Steps = append(s.Steps, monitor.Steps(k))
	}
	s.Contexts = []monitor.Context{}
	for _, c := range r.Contexts {
		s.Contexts = append(s.Contexts, monitor.Context{ID: c.Context, Name: c.Name, Users: c.After, Capacity: c.Capacity})
	}
	s.Requests = []monitor.Requests{}
	for _, name := range slices.Sorted(maps.Keys(act.Requests)) {
		s.Requests = append(s.Requests, monitor.Requests{Server: name, Count: act.Requests[name],
			Microseconds: act.took[name].Microseconds()})
	}
	return s
}

// StatusPath is where the status file is.
func (set *Settings) StatusPath() string {
	return cmp.Or(set.StatusFile, filepath.Join(set.StateDir, "status.json"))
}

// WriteStatus leaves the status and, if wanted, the metrics for a monitor.
func (set *Settings) WriteStatus(s *monitor.Status) error {
	if err := os.MkdirAll(filepath.Dir(set.StatusPath()), 0o700); err != nil {
		return err
	}
	return s.Write(set.StatusPath(), set.MetricsFile)
}

// newest returns when the newest of an export's files was written; zero if none
// can be found in the folder.
func newest(dir string, files []string) time.Time {
	var t time.Time
	for _, f := range files {
		if !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		if st, err := os.Stat(f); err == nil && st.ModTime().After(t) {
			t = st.ModTime()
		}
	}
	return t
}
