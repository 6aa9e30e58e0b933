package program

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/examples/internal/books"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// tellSubject prints all that is kept about one person.
func (p *program) tellSubject(ctx context.Context) int {
	return p.lookAndPlan(ctx, func(open *site.Site, w *site.World, plan *schoolmail.Plan) (int, error) {
		sub, err := open.Subject(ctx, w, plan, p.subject)
		if err != nil {
			return 0, &site.InputError{Err: err}
		}
		if err := sub.WriteText(p.stdout); err != nil {
			return 0, err
		}
		return cli.Done, p.tellBooks(ctx, sub)
	})
}

// tellBooks prints the address books that have the person. A district file without
// what address books need is no failure: then they are not written from here.
func (p *program) tellBooks(ctx context.Context, sub *site.Subject) error {
	fmt.Fprintln(p.stdout, "Address books")
	if sub.Explanation == nil || sub.Explanation.Account == nil {
		fmt.Fprintln(p.stdout, "  in none: there is no account")
		return nil
	}
	job, err := books.Open(ctx, p.config, nil)
	if err != nil {
		if bad, ok := err.(*cli.UsageError); ok {
			fmt.Fprintf(p.stdout, "  not written with this file: %v\n", bad)
			return nil
		}
		return err
	}
	defer job.Close()
	desired, err := addressbook.Build(job.Rules, job.Accounts)
	if err != nil {
		return err
	}
	n := 0
	for _, c := range desired.Contexts {
		for _, b := range c.Books {
			for _, e := range b.Entries {
				if !e.IsList() && e.Mail == sub.Explanation.Account.Mail {
					n++
					fmt.Fprintf(p.stdout, "  context %d, %s: %s, %s%s\n", c.Context, b.Key, e.DisplayName, e.Mail, shown(&e))
				}
			}
		}
	}
	if n == 0 {
		fmt.Fprintln(p.stdout, "  in none")
	}
	return nil
}

// shown is what an entry shows beside name and address.
func shown(e *addressbook.Entry) (text string) {
	for _, v := range []string{e.Phone, e.School, e.Class} {
		if v != "" {
			text += ", " + v
		}
	}
	return text
}
