package schoolmail

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the plan in a form that can be read aloud: a summary, how
// the contexts fill, every step with what it changes, school by school, what is held
// back and why, and what somebody should look at.
func (p *Plan) WriteText(w io.Writer) error { return p.WriteSelected(w, nil) }

// WriteSelected writes as WriteText does, but of steps, held ones and findings only
// those selected. The steps of a school stand together; a plan's own order is that of
// its Steps.
func (p *Plan) WriteSelected(w io.Writer, sel *Selection) error {
	var b strings.Builder
	h := p.Header
	fmt.Fprintf(&b, "Plan %s for %s, source %s: %d records, %d rejected rows, %d accounts.\n", h.ID, h.Now, h.Source,
		h.Records, h.Rejected, h.Accounts)
	if h.Only != nil {
		fmt.Fprintf(&b, "Only %s: %d other steps of the whole plan are left out.\n", h.Only, h.LeftOut)
	}
	fmt.Fprintf(&b, "\n%s", p.Summary())
	if len(p.Forecast) > 0 {
		b.WriteString("\nContexts\n")
		tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, f := range p.Forecast {
			fmt.Fprintf(tw, "  %d\t%s\tnow %d\tpeak %d\tthen %d\tof %d\n", f.Context, f.Name, f.Before, f.Peak, f.After,
				f.Capacity)
		}
		tw.Flush()
	}
	if !sel.Empty() {
		fmt.Fprintf(&b, "\nOf what follows only %s is shown.\n", sel)
	}
	var steps, held []shown
	for i := range p.Steps {
		if s := &p.Steps[i]; sel.Has(s) {
			steps = append(steps, shown{s, s.Reason})
		}
	}
	for i := range p.Held {
		h := &p.Held[i]
		why := h.Why
		if h.Guard != "" {
			why += " (guard " + h.Guard + ")"
		}
		if sel.Has(&h.Step) {
			held = append(held, shown{&h.Step, why})
		}
	}
	writeShown(&b, "Steps", steps)
	writeShown(&b, "Held back", held)
	title := "\nTo look at\n"
	for i := range p.Findings {
		if f := &p.Findings[i]; sel.finding(f) {
			fmt.Fprintf(&b, "%s  %s: %s\n", title, f.Kind, f.Text)
			title = ""
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shown is a step with what is said of it.
type shown struct {
	step *Step
	says string
}

// writeShown writes steps school by school, each with what it changes.
func writeShown(b *strings.Builder, title string, list []shown) {
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(x, y shown) int {
		return strings.Compare(string(x.step.School), string(y.step.School))
	})
	fmt.Fprintf(b, "\n%s\n", title)
	for len(list) > 0 {
		school := list[0].step.School
		n := 1
		for n < len(list) && list[n].step.School == school {
			n++
		}
		if school != "" {
			fmt.Fprintf(b, "\n  %s\n", school)
		}
		writeSteps(b, list[:n])
		list = list[n:]
	}
}

// writeSteps writes steps in columns, and below each what it changes: a line for
// each field, or all on one line if everything is new or everything goes.
func writeSteps(b *strings.Builder, list []shown) {
	var columns strings.Builder
	tw := tabwriter.NewWriter(&columns, 0, 0, 2, ' ', 0)
	for _, x := range list {
		mark := " "
		if x.step.Destructive {
			mark = "!"
		}
		fmt.Fprintf(tw, "  %s %s\t%s\t", mark, x.step.Kind(), x.step.Subject)
		if !x.step.Key.IsZero() {
			fmt.Fprintf(tw, "%s\t%s\t", oneLine(x.step.DisplayName()), x.step.Key)
		}
		fmt.Fprintf(tw, "%s\n", oneLine(x.says))
	}
	tw.Flush()
	i := 0
	for line := range strings.Lines(columns.String()) {
		b.WriteString(line)
		writeChanges(b, list[i].step)
		i++
	}
}

func writeChanges(b *strings.Builder, s *Step) {
	list := s.Changes()
	before, after := s.Action.states()
	if before != nil && after != nil {
		for _, c := range list {
			fmt.Fprintf(b, "        %s\n", oneLine(c.String()))
		}
		return
	}
	const width = 90
	at := 0
	for i, c := range list {
		sign, text := "+ ", c.After
		if after == nil && before != nil {
			sign, text = "- ", c.Before
		}
		item := oneLine(c.Field + ": " + text)
		switch {
		case i == 0:
			b.WriteString("        " + sign)
		case at+len(item) > width:
			b.WriteString("\n        " + sign)
			at = 0
		default:
			b.WriteString("; ")
		}
		b.WriteString(item)
		at += len(item)
	}
	if len(list) > 0 {
		b.WriteByte('\n')
	}
}

// oneLine keeps texts from breaking the layout.
func oneLine(s string) string {
	if !strings.ContainsAny(s, "\n\r\t\v\f") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
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
