package program

import (
	"context"
	"errors"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

// Year plays a school year of the sandbox's district: the first provisioning,
// the same again, a change of the school year, and eight weeks later. Each act
// is an ordinary run on the site.
func Year(ctx context.Context, sb *sitetest.Sandbox, p *progress) ([]*site.Act, error) {
	first := sb.District
	next := first.Next(nil)
	later := next.Day(56, 0)
	var acts []*site.Act
	for i, act := range []struct {
		title string
		d     *escadatest.District
		days  int
	}{
		{"First provisioning", first, 0},
		{"The same again", first, 0},
		{"Change of the school year", next, 0},
		{"The same again", next, 0},
		{"Eight weeks later", later, 0},
	} {
		if err := sb.Deliver(act.d); err != nil {
			return acts, err
		}
		open, err := site.Open(sb.Settings(), nil)
		if err != nil {
			return acts, err
		}
		p.say("\nAct %d, %s: %s, %d people", i+1, act.d.Today(), act.title, act.d.Len())
		ran, err := open.Run(ctx, &site.RunOptions{Day: act.d.Today(), Apply: true, Observer: p})
		if e := open.Close(); err == nil {
			err = e
		}
		if err != nil {
			return acts, err
		}
		a := ran[0] // every act has a state folder that nothing was cut off in
		a.Title = act.title
		acts = append(acts, a)
		p.say("%s", line(a))
		if a.Err != nil {
			return acts, a.Err
		}
		if text, err := data(sb, a, i == 0); err != nil {
			return acts, err
		} else if text != "" {
			p.say("%s", text)
		}
	}
	p.say("\nPeak memory of the process, simulators included: %d MB", peakMemory()>>20)
	return acts, nil
}

// data gives people something to lose after the first act, and looks after
// every transfer whether it has arrived.
func data(sb *sitetest.Sandbox, a *site.Act, first bool) (string, error) {
	if first {
		n, err := sb.FillCalendars()
		return fmt.Sprintf("  meanwhile %d people enter appointments, tasks and files", n), err
	}
	moved, whole := 0, 0
	for i, s := range a.Plan.Steps {
		t, ok := s.Action.(schoolmail.TransferContext)
		if !ok || a.Result.Outcomes[i].Status != schoolmail.StatusDone {
			continue
		}
		moved++
		if sb.HasData(t.After.Context, s.Subject) {
			whole++
		}
	}
	if moved == 0 {
		return "", nil
	}
	text := fmt.Sprintf("  of %d people transferred, %d have all their appointments, tasks and files", moved, whole)
	if whole != moved {
		return "", errors.New(text)
	}
	return text, nil
}

// line sums an act up for the terminal.
func line(a *site.Act) string {
	s := a.Plan.Summary()
	if a.Result != nil {
		if n := a.Result.Count(schoolmail.StatusFailed) + a.Result.Count(schoolmail.StatusSkipped); n > 0 {
			s += fmt.Sprintf("%6d of these failed or were skipped\n", n)
		}
	}
	r := a.Report()
	s += "  contexts:"
	for _, f := range r.Contexts {
		s += fmt.Sprintf("  %s %d/%d", f.Name, f.After, f.Capacity)
	}
	s += "\n  requests:"
	for _, q := range r.Requests {
		s += fmt.Sprintf("  %s %d", q.Server, q.Count)
	}
	return s + fmt.Sprintf("\n  time: %s reading, %s planning, %s applying", round(a.World.Read), round(a.Planned),
		round(a.Applied))
}
