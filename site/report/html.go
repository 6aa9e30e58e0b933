package report

import (
	"io"
	"strings"

	"github.com/ictmedia/schoolmail/internal/page"
)

// actView is an act as its page shows it.
type actView struct {
	*Act
	ID           int
	Title        string
	Notes        []string
	Sum          Sum
	Bars         *bars
	Ribbons      *ribbons
	Moves        []move
	Held         []heldView
	Failures     []failureView
	MoreFailures int
	Findings     []findingView
	MoreFindings int
}

// heldView is a group of held steps with what that means and who can end it.
type heldView struct {
	Group
	Title, Release string
}

// failureView is a group of failures with what to do about it.
type failureView struct {
	FailureGroup
	Title, Do string
}

// findingView are findings of one kind with what these mean.
type findingView struct {
	Kind, Title   string
	Items, Folded []Finding // Folded are shown on a click, and in print
}

// WriteHTML writes the report as one self-contained page in its language.
func (r *Report) WriteHTML(w io.Writer) error {
	t := book.In(r.Language)
	views := make([]actView, len(r.Acts))
	for i := range r.Acts {
		views[i] = r.Acts[i].view(t)
		views[i].ID = i + 1
	}
	return book.Write(w, "report.html.tmpl", r.Language, struct {
		*Report
		Views []actView
		Year  *yearView
	}{r, views, viewYear(t, r.History)})
}

func (a *Act) view(t page.Texts) actView {
	v := actView{Act: a, Title: actTitle(t, a.Name), Sum: a.Sum()}
	for _, n := range a.Notes {
		v.Notes = append(v.Notes, n.in(t))
	}
	if len(a.Contexts) > 0 {
		v.Bars = drawBars(t, a.Contexts)
	}
	names := contextNames(a.Contexts)
	if m := newMatrix(a.Flows); len(m.From) > 0 {
		v.Ribbons = drawFlows(t, m, names)
		v.Moves = m.moves(t, names)
	}
	for _, g := range a.HeldGroups() {
		v.Held = append(v.Held, heldView{g, guardTitle(t, g.Guard), t.Say(releasedBy(g.Guard), g.Guard)})
	}
	var groups []FailureGroup
	groups, v.MoreFailures = first(a.FailureGroups())
	for _, g := range groups {
		v.Failures = append(v.Failures, failureView{g, t.Say("cause." + g.Cause), t.Say("do." + g.Cause)})
	}
	var findings []Finding
	findings, v.MoreFindings = first(a.Findings)
	v.Findings = viewFindings(t, findings)
	return v
}

// actTitle is an act's name in a language, as far as it is one that programs give.
func actTitle(t page.Texts, name string) string {
	if plan, ok := strings.CutPrefix(name, "Undo of plan "); ok {
		return t.Say("act.undo", plan)
	}
	if key := "act." + strings.ReplaceAll(strings.ToLower(name), " ", "-"); t.Has(key) {
		return t.Say(key)
	}
	return name
}

func guardTitle(t page.Texts, guard string) string {
	if guard == "" {
		return t.Say("guard.none")
	}
	return t.Or("guard.", guard)
}

// releases are the texts that say who can release what a guard holds, where it is not
// an override that the school confirms.
var releases = map[string]string{
	"repairs": "release.operator", "creates": "release.operator", "copies": "release.operator",
	"restore": "release.operator", "purges": "release.operator",
	"identity": "release.identity", "spelling": "release.spelling", "new-schools": "release.new-schools",
	"hold": "release.hold", "": "release.itself",
}

func releasedBy(guard string) string {
	if key, ok := releases[guard]; ok {
		return key
	}
	return "release.override"
}

// viewFindings puts findings of one kind together, in the order in which they come.
func viewFindings(t page.Texts, list []Finding) []findingView {
	var views []findingView
	index := map[string]int{}
	for _, f := range list {
		i, ok := index[f.Kind]
		if !ok {
			i = len(views)
			index[f.Kind] = i
			views = append(views, findingView{Kind: f.Kind, Title: t.Or("finding.", f.Kind)})
		}
		if len(views[i].Items) < shownSubjects {
			views[i].Items = append(views[i].Items, f)
		} else {
			views[i].Folded = append(views[i].Folded, f)
		}
	}
	return views
}
