package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail/internal/page"
)

// WriteText writes the report as plain text of moderate width.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", r.Title, strings.Repeat("=", len([]rune(r.Title))))
	if !r.Written.IsZero() {
		fmt.Fprintf(&b, "Written %s\n", r.Written.Format("2006-01-02 15:04:05 -07:00"))
	}
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	for i := range r.Acts {
		r.Acts[i].text(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (a *Act) text(b *strings.Builder) {
	head := a.Name
	if a.Day != "" {
		head += " (" + a.Day + ")"
	}
	fmt.Fprintf(b, "\n%s\n%s\n", head, strings.Repeat("-", len([]rune(head))))
	for _, n := range a.Notes {
		fmt.Fprintln(b, n.Text)
	}
	s := a.Sum()
	if a.Plan != "" {
		fmt.Fprintf(b, "Plan %s: ", a.Plan)
	}
	if s.Planned+s.Held == 0 {
		fmt.Fprint(b, "nothing to do")
	} else {
		fmt.Fprintf(b, "%d steps, %d done, %d failed, %d skipped, %d held back", s.Planned, s.Done, s.Failed, s.Skipped,
			s.Held)
	}
	if a.Duration > 0 {
		fmt.Fprintf(b, ", %s", a.Duration)
	}
	b.WriteString("\n")

	for _, part := range []func(*strings.Builder){
		a.textSteps, a.textContexts, a.textMoves, a.textHeld, a.textFailures, a.textFindings, a.textRequests,
	} {
		part(b)
	}
}

func textTable(b *strings.Builder, title, head string, rows func(w io.Writer)) {
	fmt.Fprintf(b, "\n%s\n", title)
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "  %s\n", head)
	rows(tw)
	tw.Flush()
}

func (a *Act) textSteps(b *strings.Builder) {
	if len(a.Steps) == 0 {
		return
	}
	textTable(b, "Steps", "kind\tplanned\tdone\tfailed\tskipped\theld back", func(w io.Writer) {
		for _, c := range a.Steps {
			fmt.Fprintf(w, "  %s\t%d\t%d\t%d\t%d\t%d\n", c.Kind, c.Planned, c.Done, c.Failed, c.Skipped, c.Held)
		}
	})
}

func (a *Act) textContexts(b *strings.Builder) {
	if len(a.Contexts) == 0 {
		return
	}
	textTable(b, "Contexts", "id\tname\tbefore\tpeak\tafter\tcapacity\tfull", func(w io.Writer) {
		for _, f := range a.Contexts {
			peak := "-"
			if f.Peak > 0 {
				peak = fmt.Sprint(f.Peak)
			}
			fmt.Fprintf(w, "  %d\t%s\t%d\t%s\t%d\t%d\t%s %s\n", f.Context, f.Name, f.Before, peak, f.After, f.Capacity,
				meter(f), page.Percent(f.After, f.Capacity))
		}
	})
}

func (a *Act) textMoves(b *strings.Builder) {
	m := newMatrix(a.Flows)
	if len(m.From) == 0 {
		return
	}
	names, t := contextNames(a.Contexts), book.In(page.English)
	fmt.Fprintf(b, "\nMoves\n")
	for _, from := range m.From {
		for _, to := range m.To {
			if n := m.People(from, to); n > 0 {
				fmt.Fprintf(b, "  %s -> %s: %d\n", side(t, from, names, "new"), side(t, to, names, "gone"), n)
			}
		}
	}
}

func (a *Act) textHeld(b *strings.Builder) {
	if len(a.Held) == 0 {
		return
	}
	fmt.Fprintf(b, "\nHeld back\n")
	for _, g := range a.HeldGroups() {
		fmt.Fprintf(b, "  %d x %s%s: %s (%s)\n", g.Count(), g.Kind, in(g.School), g.Reason(), g.Names())
	}
}

func (a *Act) textFailures(b *strings.Builder) {
	if len(a.Failures) == 0 {
		return
	}
	fmt.Fprintf(b, "\nFailed\n")
	list, more := first(a.FailureGroups())
	for _, g := range list {
		if n := len(g.Subjects); n > 1 {
			fmt.Fprintf(b, "  %d x %s: %s (%s)\n", n, g.Kind, oneLine(g.Error), g.Names())
		} else {
			fmt.Fprintf(b, "  %s %s: %s\n", g.Kind, g.Names(), oneLine(g.Error))
		}
	}
	and(b, more)
}

func (a *Act) textFindings(b *strings.Builder) {
	if len(a.Findings) == 0 {
		return
	}
	fmt.Fprintf(b, "\nTo look at\n")
	list, more := first(a.Findings)
	for _, f := range list {
		where := ""
		if f.Where != "" {
			where = f.Where + ": "
		}
		fmt.Fprintf(b, "  [%s] %s%s\n", f.Kind, where, oneLine(f.Text))
	}
	and(b, more)
}

func (a *Act) textRequests(b *strings.Builder) {
	if len(a.Requests) == 0 {
		return
	}
	textTable(b, "Requests", "server\trequests", func(w io.Writer) {
		for _, q := range a.Requests {
			fmt.Fprintf(w, "  %s\t%d\n", q.Server, q.Count)
		}
	})
}

func and(b *strings.Builder, more int) {
	if more > 0 {
		fmt.Fprintf(b, "  ... and %d more; the JSON report has all\n", more)
	}
}

func in(school string) string {
	if school == "" {
		return ""
	}
	return " at " + school
}

// oneLine keeps error texts from breaking the layout.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// meter draws how full a context is.
func meter(f Fill) string {
	const width = 20
	n := 0
	if f.Capacity > 0 {
		n = min(width, max(0, (f.After*width+f.Capacity/2)/f.Capacity))
	}
	return "[" + strings.Repeat("#", n) + strings.Repeat(".", width-n) + "]"
}
