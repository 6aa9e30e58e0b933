package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"github.com/ictmedia/schoolmail"
)

//go:embed report.html.tmpl
var page string

// actView is an act with its pictures.
type actView struct {
	*Act
	ID           int
	Sum          Sum
	Bars         *bars
	Ribbons      *ribbons
	Matrix       matrix
	Names        map[schoolmail.ContextID]string
	Failures     []FailureGroup
	MoreFailures int
	Findings     []Finding
	MoreFindings int
}

// WriteHTML writes the report as one self-contained page.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"num": num, "thousands": thousands, "percent": percent, "side": side,
		"style": style,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	views := make([]actView, len(r.Acts))
	for i := range r.Acts {
		a := &r.Acts[i]
		v := actView{Act: a, ID: i + 1, Sum: a.Sum(), Matrix: newMatrix(a.Flows), Names: contextNames(a.Contexts)}
		if len(a.Contexts) > 0 {
			v.Bars = drawBars(a.Contexts)
		}
		if len(v.Matrix.From) > 0 {
			v.Ribbons = drawFlows(v.Matrix, v.Names)
		}
		v.Failures, v.MoreFailures = first(a.FailureGroups())
		v.Findings, v.MoreFindings = first(a.Findings)
		views[i] = v
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		*Report
		Views []actView
	}{r, views})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
