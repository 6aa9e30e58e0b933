package schoolmail

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes the plan in a form that can be read aloud: a summary, how
// the contexts fill, every step on a line, what is held back and why, and what
// somebody should look at.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	h := p.Header
	fmt.Fprintf(&b, "Plan %s for %s, source %s: %d records, %d rejected rows, %d accounts.\n\n", h.ID, h.Now, h.Source,
		h.Records, h.Rejected, h.Accounts)
	b.WriteString(p.Summary())
	if len(p.Forecast) > 0 {
		b.WriteString("\nContexts\n")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, f := range p.Forecast {
			fmt.Fprintf(tw, "  %d\t%s\tnow %d\tpeak %d\tthen %d\tof %d\n", f.Context, f.Name, f.Before, f.Peak, f.After,
				f.Capacity)
		}
		tw.Flush()
	}
	if len(p.Steps) > 0 {
		b.WriteString("\nSteps\n")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, s := range p.Steps {
			mark := " "
			if s.Destructive {
				mark = "!"
			}
			fmt.Fprintf(tw, "%s %s\t%s\t%s\t%s\n", mark, s.Kind(), s.Subject, where(s.Action), s.Reason)
		}
		tw.Flush()
	}
	if len(p.Held) > 0 {
		b.WriteString("\nHeld back\n")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, h := range p.Held {
			guard := ""
			if h.Guard != "" {
				guard = " (guard " + h.Guard + ")"
			}
			fmt.Fprintf(tw, "  %s\t%s\t%s%s\n", h.Step.Kind(), h.Step.Subject, h.Why, guard)
		}
		tw.Flush()
	}
	if len(p.Findings) > 0 {
		b.WriteString("\nTo look at\n")
		for _, f := range p.Findings {
			fmt.Fprintf(&b, "  %s: %s\n", f.Kind, f.Text)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Summary counts the steps by kind, and what is held back, one line each.
func (p *Plan) Summary() string {
	var b strings.Builder
	n := p.Count()
	for _, a := range actions {
		if c := n[a.Kind()]; c > 0 {
			fmt.Fprintf(&b, "%6d %s\n", c, [2]string{a.nature().one, a.nature().many}[plural(c)])
		}
	}
	switch {
	case p.Empty() && len(p.Held) > 0:
		b.WriteString("Nothing to do but what is held back.\n")
	case p.Empty():
		b.WriteString("Nothing to do.\n")
	}
	if c := len(p.Held); c > 0 {
		fmt.Fprintf(&b, "%6d %s\n", c, [2]string{"step held back", "steps held back"}[plural(c)])
	}
	if c := len(p.Findings); c > 0 {
		fmt.Fprintf(&b, "%6d %s\n", c, [2]string{"thing to look at", "things to look at"}[plural(c)])
	}
	return b.String()
}

func plural(n int) int {
	if n == 1 {
		return 0
	}
	return 1
}
