package monitor

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// WriteMetrics writes the status in Prometheus' text format (version 0.0.4), all
// values as gauges. Times are seconds since 1970; what is not known is left out.
func (s *Status) WriteMetrics(w io.Writer) error {
	var b bytes.Buffer
	gauge := func(name, help string, samples ...string) {
		if len(samples) == 0 {
			return
		}
		fmt.Fprintf(&b, "# HELP schoolmail_%s %s\n# TYPE schoolmail_%[1]s gauge\n", name, help)
		for _, sample := range samples {
			fmt.Fprintf(&b, "schoolmail_%s%s\n", name, sample)
		}
	}
	gauge("last_run_timestamp_seconds", "End of the last run.", at(s.Ended)...)
	gauge("last_success_timestamp_seconds", "End of the last run that was applied and came to its end.",
		at(s.LastSuccess)...)
	gauge("last_clean_timestamp_seconds", "End of the last run after which nothing was left to look at.",
		at(s.LastClean)...)
	gauge("run_duration_seconds", "How long the last run took.", value(s.Ended.Sub(s.Started).Seconds()))
	gauge("exit_status",
		"0 all done, 1 failed, 2 bad configuration or export, 3 something held or failed for single people.",
		value(float64(s.ExitStatus)))
	gauge("export_timestamp_seconds", "When the newest file of the export was written.", at(s.Export.Written)...)
	gauge("export_records", "People in the export.", value(float64(s.Export.Records)))
	gauge("export_rejected_rows", "Rows of the export that could not be read.", value(float64(s.Export.Rejected)))
	gauge("accounts", "Managed accounts before the last run.", value(float64(s.Accounts)))
	gauge("findings", "Findings of the last run.", value(float64(s.Findings)))
	var steps, users, capacity []string
	for _, k := range s.Steps {
		for _, c := range []struct {
			result string
			n      int
		}{{"done", k.Done}, {"failed", k.Failed}, {"skipped", k.Skipped}, {"held", k.Held}} {
			steps = append(steps, labelled(c.n, "kind", k.Kind, "result", c.result))
		}
	}
	for _, c := range s.Contexts {
		users = append(users, labelled(c.Users, "context", strconv.Itoa(int(c.ID)), "name", c.Name))
		if c.Capacity > 0 {
			capacity = append(capacity, labelled(c.Capacity, "context", strconv.Itoa(int(c.ID)), "name", c.Name))
		}
	}
	gauge("steps", "Steps of the last run by kind and result.", steps...)
	gauge("context_users", "Users in an Open-Xchange context after the last run.", users...)
	gauge("context_capacity", "Most users that an Open-Xchange context may hold.", capacity...)
	_, err := w.Write(b.Bytes())
	return err
}

func at(t time.Time) []string {
	if t.IsZero() {
		return nil
	}
	return []string{value(float64(t.Unix()))}
}

func value(v float64) string { return " " + strconv.FormatFloat(v, 'f', -1, 64) }

// labelled formats a sample with labels, given as names and values in turn.
func labelled(n int, labels ...string) string {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	var pairs []string
	for i := 0; i < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+quote.Replace(labels[i+1])+`"`)
	}
	return "{" + strings.Join(pairs, ",") + "}" + value(float64(n))
}
