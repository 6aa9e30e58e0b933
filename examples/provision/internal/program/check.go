package program

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// checkServers asks all servers for what runs need.
func (p *program) checkServers(ctx context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	problems := set.Preflight(ctx, nil, nil)
	exit := cli.Done
	for _, q := range problems {
		fmt.Fprintln(p.stdout, q)
		if q.Warning {
			exit = cli.Worst(exit, cli.Held)
		} else {
			exit = cli.Worst(exit, cli.Failed)
		}
	}
	if len(problems) == 0 {
		fmt.Fprintln(p.stdout, "All servers have what is needed.")
	}
	return exit
}
