// Package rehearse plays a run before it happens: what was observed of a district is
// copied into simulated servers, and another export, say that of the next term, is
// applied there. What it takes is counted, and what would be held is listed. The
// district's own servers are read and not written; the copy ends with the rehearsal.
package rehearse

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Options tune a rehearsal; nil or the zero value works.
type Options struct {
	Day       schoolmail.Date // of the run that is rehearsed; 0: today
	ExportDir string          // the export to apply; "": the district's own
	// Latency is how long a request takes, by server (ldap, ox-soap, doveadm, smtp). One
	// that is missing is what the last run has measured (see package site/monitor) or,
	// where there was none, what reading the real server takes.
	Latency map[string]time.Duration
}

// Result is what came of a rehearsal.
type Result struct {
	Day     schoolmail.Date
	People  int // accounts that were copied
	Steps   []Steps
	Held    []Held
	Servers []Server
	Failed  []string // kinds of steps that failed, and why, without anybody's name
}

// Steps counts the steps of a kind.
type Steps struct {
	Kind         schoolmail.Kind
	Planned      int
	Done, Failed int
}

// Held counts what waits for one reason.
type Held struct {
	Kind  schoolmail.Kind
	Guard string // "": not lifted by an override
	Why   string
	Count int
}

// Server says what a server would be asked.
type Server struct {
	Name     string
	Requests int64
	Latency  time.Duration // of a request; 0: not known
	Known    Source        // how the latency is known
}

// Source says how it is known what a request takes.
type Source string

// The sources.
const (
	Declared  Source = "given"
	ByLastRun Source = "last run"
	ByReading Source = "read now"
)

// Busy is the time that the requests take one after the other.
func (s Server) Busy() time.Duration { return time.Duration(s.Requests) * s.Latency }

// NeedsAttention reports whether something would be held or has failed.
func (r *Result) NeedsAttention() bool {
	return len(r.Held) > 0 || len(r.Failed) > 0
}

// count adds up what an applied plan has done.
func (r *Result) count(plan *schoolmail.Plan, done *schoolmail.Result) {
	kinds := map[schoolmail.Kind]*Steps{}
	failed := map[string]int{}
	for i := range plan.Steps {
		k := plan.Steps[i].Kind()
		if kinds[k] == nil {
			kinds[k] = &Steps{Kind: k}
		}
		kinds[k].Planned++
		switch done.Outcomes[i].Status {
		case schoolmail.StatusDone:
			kinds[k].Done++
		case schoolmail.StatusFailed:
			kinds[k].Failed++
			failed[string(k)]++
		}
	}
	for _, k := range schoolmail.Kinds() {
		if kinds[k] != nil {
			r.Steps = append(r.Steps, *kinds[k])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(failed)) {
		r.Failed = append(r.Failed, fmt.Sprintf("%s: %d", k, failed[k]))
	}
	held := map[Held]int{}
	for _, h := range plan.Held {
		held[Held{Kind: h.Step.Kind(), Guard: h.Guard, Why: h.Why}]++
	}
	for h, n := range held {
		h.Count = n
		r.Held = append(r.Held, h)
	}
	slices.SortFunc(r.Held, func(x, y Held) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Why, y.Why))
	})
}

// WriteText writes a result for a terminal.
func (r *Result) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Rehearsal of %s on a copy of %d accounts; nothing was written to the district's servers.\n\n", r.Day,
		r.People)
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(r.Steps) == 0 {
		fmt.Fprintln(tw, "Nothing to do.")
	} else {
		fmt.Fprintln(tw, "step\tplanned\tdone\tfailed")
	}
	for _, s := range r.Steps {
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\n", s.Kind, s.Planned, s.Done, s.Failed)
	}
	fmt.Fprintln(tw, "\nserver\trequests\teach\ttogether")
	for _, s := range r.Servers {
		each, together := "not known", "-"
		if s.Latency > 0 {
			each, together = s.Latency.Round(10*time.Microsecond).String(), s.Busy().Round(time.Millisecond).String()
			each += fmt.Sprintf(" (%s)", s.Known)
		}
		fmt.Fprintf(tw, "%s\t%d\t%s\t%s\n", s.Name, s.Requests, each, together)
	}
	tw.Flush()
	b.WriteString("\nRequests to a server run side by side, so that a run takes less than they take together.\n")
	if len(r.Held) > 0 {
		b.WriteString("\nHeld back:\n")
	}
	for _, h := range r.Held {
		guard := ""
		if h.Guard != "" {
			guard = " (guard " + h.Guard + ")"
		}
		fmt.Fprintf(&b, "  %d x %s: %s%s\n", h.Count, h.Kind, h.Why, guard)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
