package site

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/report"
)

// WritePlanHTML writes a plan as a page for those who approve it: school by school,
// every step with what it changes. The language is de, fr or en; "": English. It names
// people.
func WritePlanHTML(w io.Writer, title, language string, plan *schoolmail.Plan) error {
	page := planPage(title, plan)
	page.Language = language
	return page.WriteHTML(w)
}

func planPage(title string, plan *schoolmail.Plan) *report.Plan {
	h := plan.Header
	page := &report.Plan{Title: title, ID: h.ID, Day: h.Now.String(), Facts: []report.Fact{
		{Name: "fact.plan", Value: h.ID}, {Name: "fact.records", Value: fmt.Sprint(h.Records)},
		{Name: "fact.rejected", Value: fmt.Sprint(h.Rejected)}, {Name: "fact.accounts", Value: fmt.Sprint(h.Accounts)}}}
	if h.Only != nil {
		page.Facts = append(page.Facts, report.Fact{Name: "fact.only",
			Says: report.NewNote("fact.left-out", h.Only.String(), fmt.Sprint(h.LeftOut))})
	}
	counts := plan.Count()
	for _, k := range schoolmail.Kinds() {
		if n := counts[k]; n > 0 {
			page.Counts = append(page.Counts, report.Fact{Name: string(k), Value: fmt.Sprint(n)})
		}
	}
	page.Counts = append(page.Counts, report.Fact{Name: "steps.held", Value: fmt.Sprint(len(plan.Held))})
	for _, f := range plan.Forecast {
		page.Contexts = append(page.Contexts, report.Fill{Context: f.Context, Name: f.Name, Capacity: f.Capacity,
			Before: f.Before, Peak: f.Peak, After: f.After})
	}
	schools := map[schoolmail.SchoolID]*report.PlanSchool{}
	at := func(id schoolmail.SchoolID) *report.PlanSchool {
		if schools[id] == nil {
			schools[id] = &report.PlanSchool{Name: string(id)}
		}
		return schools[id]
	}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		x := at(s.School)
		x.Steps = append(x.Steps, planStep(s, s.Reason))
	}
	for i := range plan.Held {
		held := &plan.Held[i]
		x := at(held.Step.School)
		step := planStep(&held.Step, held.Why+guardOf(*held))
		step.Guard = held.Guard
		x.Held = append(x.Held, step)
	}
	for _, id := range slices.Sorted(maps.Keys(schools)) {
		page.Schools = append(page.Schools, *schools[id])
	}
	for _, f := range plan.Findings {
		page.Findings = append(page.Findings, reportFinding(f))
	}
	return page
}

func planStep(s *schoolmail.Step, says string) report.PlanStep {
	x := report.PlanStep{Kind: string(s.Kind()), Subject: s.Subject, DisplayName: s.DisplayName(), Says: says,
		Destructive: s.Destructive}
	if !s.Key.IsZero() {
		x.Key = s.Key.String()
	}
	for _, c := range s.Changes() {
		x.Changes = append(x.Changes, report.PlanChange(c))
	}
	return x
}
