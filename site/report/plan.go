package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// Plan is what a page about a plan shows: what would be done, before it is.
type Plan struct {
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
	Destructive                     bool
	Changes                         []PlanChange
}

// PlanChange is a field that the step changes; "" stands for nothing.
type PlanChange struct{ Field, Before, After string }

//go:embed plan.html.tmpl
var planPage string

// WriteHTML writes the plan as one self-contained page, school by school.
func (p *Plan) WriteHTML(w io.Writer) error {
	t, err := template.New("plan").Funcs(template.FuncMap{"thousands": thousands, "style": style}).Parse(planPage)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}

//go:embed page.css
var sheet string

// style is what all pages look like.
func style() template.CSS { return template.CSS(sheet) }
