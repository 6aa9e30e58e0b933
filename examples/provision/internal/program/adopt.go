package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// takeOver writes a list of accounts that may be taken over or, where the list is there
// already, checks it and carries it out.
func (p *program) takeOver(ctx context.Context) int {
	_, err := os.Stat(p.adopt)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && p.apply:
		return p.flags.Fail(cli.Usage, fmt.Errorf("%s: no such list; without -apply it is written, to be signed", p.adopt))
	case err != nil && !missing:
		return p.flags.Fail(cli.Usage, err)
	case p.dryRun && p.apply:
		return p.flags.Misused("-dry-run contradicts -apply")
	case p.breakLease && !p.apply:
		return p.flags.Misused("-break-lease goes with -apply")
	case !p.now.IsZero() && p.apply && !p.anyDay:
		return p.flags.Misused("-now with -apply needs -any-day, and sandbox = true in [site]")
	}
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	set.PlanOnly = !p.apply
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer open.Close()
	day := cmp.Or(p.now, schoolmail.DateOf(time.Now()))
	if missing {
		return p.proposeAdoptions(ctx, open, day)
	}
	res, err := open.Adopt(ctx, p.adopt, &site.AdoptOptions{Day: day, Apply: p.apply, BreakLease: p.breakLease,
		Observer: p.progress})
	if _, bad := errors.AsType[*site.InputError](err); bad {
		return p.flags.Fail(cli.Usage, err)
	}
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	fmt.Fprintf(p.stdout, "List of %s, SHA-256 %s\n", res.By, res.SHA256)
	what := map[bool]string{true: "have their record id now", false: "would get their record id; -apply does it"}[p.apply]
	fmt.Fprintf(p.stdout, "%d %s, %d had it before.\n", res.Adopted, what, res.Already)
	for _, r := range res.Refused {
		fmt.Fprintf(p.stdout, "%s:%d: refused: %v\n", p.adopt, r.Line, r.Err)
	}
	if len(res.Refused) > 0 {
		return cli.Held
	}
	return cli.Done
}

func (p *program) proposeAdoptions(ctx context.Context, open *site.Site, day schoolmail.Date) int {
	list, err := open.Proposals(ctx, day)
	if _, bad := errors.AsType[*site.InputError](err); bad {
		return p.flags.Fail(cli.Usage, err)
	}
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	if len(list) == 0 {
		fmt.Fprintln(p.stdout, "No account without a record id looks like a delivered person: nothing to take over.")
		return cli.Done
	}
	if err := site.WriteProposals(p.adopt, day, list); err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	sure := 0
	for _, x := range list {
		if x.Sure {
			sure++
		}
	}
	fmt.Fprintf(p.stdout, "%s: %d proposals are sure, %d to ask for. Go through them, sign the list, then check it "+
		"with the same command, and carry it out with -apply.\n", p.adopt, sure, len(list)-sure)
	return cli.Done
}
