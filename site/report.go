package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/site/report"
)

// Report turns an act into what the report shows.
func (a *Act) Report() report.Act {
	p := a.Plan
	r := report.Act{Name: a.Title, Day: p.Header.Now.String(), Plan: p.Header.ID,
		Duration: report.Duration(a.World.Read + a.Planned + a.Applied)}
	a.reportNotes(&r)
	a.reportSteps(&r)
	a.reportPlaces(&r)
	for _, h := range p.Held {
		r.Held = append(r.Held, report.Held{Kind: string(h.Step.Kind()), Subject: h.Step.Subject,
			School: string(h.Step.School), Why: h.Why, Guard: h.Guard})
	}
	for _, f := range slices.Concat(p.Findings, a.World.Findings) {
		r.Findings = append(r.Findings, reportFinding(f))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Requests)) {
		r.Requests = append(r.Requests, report.Requests{Server: name, Count: int(a.Requests[name])})
	}
	return r
}

func reportFinding(f schoolmail.Finding) report.Finding {
	where, text := string(f.School), f.Text
	if f.Position.File != "" {
		where = f.Position.String()
		text = strings.TrimPrefix(text, where+": ")
	}
	return report.Finding{Kind: f.Kind, Where: where, Text: text}
}

// done reports whether step i was carried out, or would be.
func (a *Act) done(i int) bool {
	return a.Result == nil || a.Result.Outcomes[i].Status == schoolmail.StatusDone
}

func (a *Act) reportNotes(r *report.Act) {
	if a.Err != nil {
		note := report.NewNote("note.ended-early", a.Err.Error())
		if errors.Is(a.Err, context.Canceled) {
			note = report.NewNote("note.interrupted")
		}
		r.Notes = append(r.Notes, note)
	}
	if a.By != "" {
		r.Notes = append(r.Notes, byNote(a.By))
	}
	if a.Result == nil {
		r.Notes = append(r.Notes, report.NewNote("note.planned"))
	}
	kept := 0
	for i, s := range a.Plan.Steps {
		if t, ok := s.Action.(schoolmail.TransferContext); ok && t.KeepCopy && a.done(i) {
			kept++
		}
	}
	if kept > 0 {
		r.Notes = append(r.Notes, report.NewNote("note.kept-copies", strconv.Itoa(kept)))
	}
	r.Notes = append(r.Notes, copiesNotes(a.Copies)...)
}

// byNote says who has approved and applied a plan, as [signed] does.
func byNote(by string) report.Note {
	approved, applied, ok := strings.Cut(by, "applied by ")
	switch {
	case !ok:
		return report.Note{Text: by}
	case approved == "":
		return report.NewNote("note.applied", applied)
	}
	approved = strings.TrimSuffix(strings.TrimPrefix(approved, "approved by "), ", ")
	return report.NewNote("note.approved", strings.Replace(approved, " on ", ", ", 1), applied)
}

// reportSteps counts the steps by kind and lists what failed.
func (a *Act) reportSteps(r *report.Act) {
	counts := map[schoolmail.Kind]*report.Steps{}
	of := func(k schoolmail.Kind) *report.Steps {
		if counts[k] == nil {
			counts[k] = &report.Steps{Kind: string(k)}
		}
		return counts[k]
	}
	for _, h := range a.Plan.Held {
		of(h.Step.Kind()).Held++
	}
	for i, s := range a.Plan.Steps {
		c := of(s.Kind())
		c.Planned++
		if a.Result == nil {
			continue
		}
		why := a.Result.Outcomes[i].Error
		cause := causeOf(why)
		switch a.Result.Outcomes[i].Status {
		case schoolmail.StatusDone:
			c.Done++
			continue
		case schoolmail.StatusFailed:
			c.Failed++
		case schoolmail.StatusSkipped:
			if c.Skipped++; a.Err != nil {
				continue // it waits for the next run
			}
			why, cause = "skipped: "+why, "waits"
		}
		r.Failures = append(r.Failures, report.Failure{Kind: string(s.Kind()), Subject: s.Subject, Error: why,
			Cause: cause})
	}
	for _, k := range schoolmail.Kinds() {
		if c := counts[k]; c != nil {
			r.Steps = append(r.Steps, *c)
		}
	}
}

// reportPlaces tells how the contexts fill, as far as the plan was carried out, and
// who went where.
func (a *Act) reportPlaces(r *report.Act) {
	after, flows := map[schoolmail.ContextID]int{}, map[[2]schoolmail.ContextID]int{}
	for i, s := range a.Plan.Steps {
		if !a.done(i) {
			continue
		}
		taken, freed := s.Seats()
		after[taken]++
		after[freed]--
		if from, to := s.Flow(); from != to {
			flows[[2]schoolmail.ContextID{from, to}]++
		}
	}
	for _, f := range a.Plan.Forecast {
		r.Contexts = append(r.Contexts, report.Fill{Context: f.Context, Name: f.Name, Capacity: f.Capacity,
			Before: f.Before, Peak: f.Peak, After: f.Before + after[f.Context]})
	}
	ways := slices.SortedFunc(maps.Keys(flows), func(x, y [2]schoolmail.ContextID) int {
		return cmp.Or(int(x[0]-y[0]), int(x[1]-y[1]))
	})
	for _, w := range ways {
		r.Flows = append(r.Flows, report.Flow{From: w[0], To: w[1], People: flows[w]})
	}
}

// writePages writes what concerns the school administration and single schools.
func writePages(rep *report.Report, a *Act, number string, files *runFiles) {
	var ack *acknowledgement
	if !a.Undo { // otherwise nothing was delivered
		ack = a.acknowledgement()
		whole := ack.whole()
		whole.Language, whole.From, whole.Day = rep.Language, rep.Title, a.Plan.Header.Now.String()
		files.write("acknowledgement"+number+".csv", whole.WriteCSV)
		files.write("acknowledgement"+number+".html", whole.WriteHTML)
	}
	for id, page := range a.schoolPages(rep, ack) {
		name := strings.TrimSuffix(fileName(id), ".csv")
		files.write(filepath.Join("schools", "school"+number+"-"+name+".html"), page.WriteHTML)
	}
	if ack == nil {
		return
	}
	for id, part := range ack.bySchool(false) {
		name := filepath.Join("schools", "acknowledgement"+number+"-"+fileName(id))
		files.write(name, part.WriteCSV)
	}
}

func (a *Act) acknowledgement() *acknowledgement {
	return acknowledge(&a.World.Delivery, a.Plan, a.Result)
}

// NotAsSent returns how many records or rows the acknowledgement of the delivery
// has a line for; none if the act takes an earlier plan back.
func (a *Act) NotAsSent() int {
	if a.Undo {
		return 0
	}
	return len(a.acknowledgement().lines)
}

// WriteRun leaves in a folder what a run has to show: plan.txt, plan.json, plan.html
// and acknowledgement.csv and .html of each act, numbered if there are several, and the
// report of the whole as report.txt, report.json and report.html. The folder schools has
// a page for each school that there is something to tell, and its part of the
// acknowledgement. Pages are in the languages of the site and of its schools, unless the
// report names one. The acts are put into the report. Only the owner can read the
// files, since they name people.
func WriteRun(dir string, rep *report.Report, acts []*Act) error {
	files := runFiles{dir: dir}
	files.SetLimit(runFilesAtOnce)
	rep.Acts = nil
	if rep.Language == "" && len(acts) > 0 {
		rep.Language = acts[0].pages.Language
	}
	for i, a := range acts {
		rep.Acts = append(rep.Acts, a.Report())
		number := ""
		if len(acts) > 1 {
			number = fmt.Sprintf("-%d", i+1)
		}
		files.write("plan"+number+".txt", a.Plan.WriteText)
		files.write("plan"+number+".json", func(w io.Writer) error { return writePlan(w, a.Plan) })
		title, language := rep.Title, rep.Language
		files.write("plan"+number+".html", func(w io.Writer) error { return WritePlanHTML(w, title, language, a.Plan) })
		writePages(rep, a, number, &files)
	}
	rep.History = nightsOf(acts)
	files.write("report.txt", rep.WriteText)
	files.write("report.json", rep.WriteJSON)
	files.write("report.html", rep.WriteHTML)
	return files.Wait()
}

// runFiles are the files of a run. Several are written at the same time, since each waits
// for the disk longer than it takes to make.
type runFiles struct {
	errgroup.Group
	dir string
}

const runFilesAtOnce = 8

func (r *runFiles) write(name string, f func(io.Writer) error) {
	file := filepath.Join(r.dir, name)
	r.Go(func() error {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		return atomicfile.Write(file, atomicfile.Private, f)
	})
}

// WriteRefusal leaves an acknowledgement.csv in a folder that tells the school
// administration why its delivery was of no use. It writes nothing and returns ""
// if the error is not about the delivery.
func WriteRefusal(dir string, refused error) (file string, err error) {
	a := refuse(refused)
	if a == nil {
		return "", nil
	}
	file = filepath.Join(dir, "acknowledgement.csv")
	if err = os.MkdirAll(dir, 0o700); err == nil {
		err = atomicfile.Write(file, atomicfile.Private, a.whole().WriteCSV)
	}
	return file, err
}
