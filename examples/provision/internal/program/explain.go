package program

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// explainPerson prints all that is known of one person.
func (p *program) explainPerson(ctx context.Context) int {
	return p.aboutPerson(ctx, func(open *site.Site, w *site.World, plan *schoolmail.Plan) error {
		e, err := open.Explain(w, plan, p.explain)
		if err != nil {
			return &site.InputError{Err: err}
		}
		return e.WriteText(p.stdout)
	})
}

// aboutPerson looks and plans, for something to be told.
func (p *program) aboutPerson(ctx context.Context, tell func(*site.Site, *site.World, *schoolmail.Plan) error) int {
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
	if err := tell(open, w, plan); err != nil {
		return exit(err)
	}
	return cli.Done
}
