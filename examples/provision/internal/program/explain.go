package program

import (
	"context"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// explainPerson prints all that is known of one person.
func (p *program) explainPerson(ctx context.Context) int {
	return p.lookAndPlan(ctx, func(open *site.Site, w *site.World, plan *schoolmail.Plan) (int, error) {
		if rules, err := site.BookRules(p.config); err == nil { // without a section of address books there are none
			open.Books = &rules
		}
		e, err := open.Explain(ctx, w, plan, p.explain)
		if err != nil {
			return 0, &site.InputError{Err: err}
		}
		return cli.Done, e.WriteText(p.stdout)
	})
}
