package program

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// callDeletionOff calls off the deletion of an account that somebody else has set.
func (p *program) callDeletionOff(ctx context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	set.PlanOnly = true // nothing for the journal
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer open.Close()
	done, err := open.CallOff(ctx, p.callOff)
	switch {
	case err != nil:
		return p.flags.Fail(cli.Failed, err)
	case done:
		fmt.Fprintf(p.stdout, "The deletion of %s is called off. From now on its record decides what becomes of it.\n",
			p.callOff)
	default:
		fmt.Fprintf(p.stdout, "Nobody has set a day on which %s is deleted: nothing to call off.\n", p.callOff)
	}
	return cli.Done
}
