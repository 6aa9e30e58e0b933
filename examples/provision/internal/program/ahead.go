package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// lookAndPlan does what only reads: it looks, plans, and lets do say what is of it.
func (p *program) lookAndPlan(ctx context.Context,
	do func(*site.Site, *site.World, *schoolmail.Plan) (status int, err error)) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	set.PlanOnly = true
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer open.Close()
	exit := func(err error) int {
		if _, bad := errors.AsType[*site.InputError](err); bad {
			return p.flags.Fail(cli.Usage, err)
		}
		return p.flags.Fail(cli.Failed, err)
	}
	w, err := open.Look(ctx, cmp.Or(p.now, schoolmail.DateOf(time.Now())))
	if err != nil {
		return exit(err)
	}
	plan, err := open.Plan(w)
	if err != nil {
		return exit(&site.InputError{Err: err})
	}
	status, err := do(open, w, plan)
	if err != nil {
		return exit(err)
	}
	return status
}

// showDrift tells who differs where.
func (p *program) showDrift(ctx context.Context) int {
	return p.lookAndPlan(ctx, func(open *site.Site, w *site.World, plan *schoolmail.Plan) (int, error) {
		sel, err := w.Select(&p.shown)
		if err != nil {
			return 0, &site.InputError{Err: err}
		}
		list, err := open.Drift(ctx, w, plan, sel)
		if err != nil {
			return 0, err
		}
		status := cli.Done
		if len(list) > 0 {
			status = cli.Held
		}
		return status, site.WriteDrift(p.stdout, list)
	})
}

// showForecast tells how the contexts fill.
func (p *program) showForecast(ctx context.Context) int {
	return p.lookAndPlan(ctx, func(open *site.Site, w *site.World, plan *schoolmail.Plan) (int, error) {
		churn, runs, err := open.MeasuredChurn(w)
		how := fmt.Sprintf("measured in %d kept runs of the last twelve months", runs)
		switch {
		case err != nil:
			return 0, err
		case p.churn != "":
			if _, err := fmt.Sscanf(p.churn, "%d,%d", &churn.NewPercent, &churn.GonePercent); err != nil ||
				min(churn.NewPercent, churn.GonePercent) < 0 || max(churn.NewPercent, churn.GonePercent) > 100 {
				return 0, &site.InputError{Err: fmt.Errorf("-churn %q: expected two numbers to 100, as in 10,10", p.churn)}
			}
			how = "as declared"
		case runs == 0:
			return 0, &site.InputError{Err: errors.New("no runs are kept to measure from: -churn NEW,GONE declares it")}
		}
		fmt.Fprintf(p.stdout, "Of a population, %d %% are new and %d %% gone with each change of terms (%s).\n\n",
			churn.NewPercent, churn.GonePercent, how)
		o := open.Forecast(w, plan, churn)
		status := cli.Done
		if len(o.Short) > 0 {
			status = cli.Held
		}
		return status, o.WriteText(p.stdout)
	})
}

// showCalendar tells what closes when.
func (p *program) showCalendar(ctx context.Context) int {
	return p.lookAndPlan(ctx, func(open *site.Site, w *site.World, _ *schoolmail.Plan) (int, error) {
		sel, err := w.Select(&p.shown)
		if err != nil {
			return 0, &site.InputError{Err: err}
		}
		return cli.Done, site.WriteCalendar(p.stdout, open.Calendar(w, sel))
	})
}
