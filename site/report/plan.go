package report

import (
	"io"

	"github.com/ictmedia/schoolmail/internal/page"
)

// Plan is what a page about a plan shows: what would be done, before it is.
type Plan struct {
	Language string
	Title    string
	ID, Day  string
	Facts    []Fact // what it was made from
	Counts   []Fact // steps by kind
	Contexts []Fill
	Schools  []PlanSchool
	Findings []Finding
}

// PlanSchool are the steps of the people of one school. One without a name has the
// steps that are about no school.
type PlanSchool struct {
	Name  string
	Steps []PlanStep
	Held  []PlanStep
}

// PlanStep is a step as it is read before it is approved.
type PlanStep struct {
	Kind, Subject, DisplayName, Key string
	Says                            string // why it is done; of a held one why it is not
	Guard                           string // which holds it
	Destructive                     bool
	Changes                         []PlanChange
}

// PlanChange is a field that the step changes; "" stands for nothing.
type PlanChange struct{ Field, Before, After string }

// WriteHTML writes the plan as one self-contained page, school by school, in its
// language.
func (p *Plan) WriteHTML(w io.Writer) error {
	t := book.In(p.Language)
	translated := *p
	translated.Facts, translated.Counts = facts(t, p.Facts), facts(t, p.Counts)
	translated.Schools = nil
	for _, s := range p.Schools {
		held := make([]PlanStep, len(s.Held))
		for i, h := range s.Held {
			if h.Guard != "" {
				h.Guard = guardTitle(t, h.Guard)
			}
			held[i] = h
		}
		s.Held = held
		translated.Schools = append(translated.Schools, s)
	}
	return book.Write(w, "plan.html.tmpl", p.Language, struct {
		*Plan
		Heading string
		Groups  []findingView
	}{&translated, t.Say("plan.title", p.Title, t.Day(p.Day)), viewFindings(t, p.Findings)})
}

// facts are facts whose names are those of texts, in a language.
func facts(t page.Texts, list []Fact) []Fact {
	var out []Fact
	for _, f := range list {
		if t.Has(f.Name) {
			f.Name = t.Say(f.Name)
		}
		if f.Says.Key != "" {
			f.Value = f.Says.in(t)
		}
		out = append(out, f)
	}
	return out
}
