package program

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// describeExport prints what export files look like, and a profile to begin with.
func (p *program) describeExport(ctx context.Context) int {
	files := p.flags.Args()
	if len(files) == 0 {
		return p.flags.Misused("-describe: expected export files after the flags")
	}
	d, err := escada.Describe(ctx, files, &escada.DescribeOptions{ShowValues: p.showValues})
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	text, err := d.Text()
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	fmt.Fprint(p.stdout, text)
	return cli.Done
}

// nasty reads spoilt copies of the export with the site's profile.
func (p *program) nasty(ctx context.Context) int {
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	export, err := escadatest.ReadExport(os.DirFS(set.ExportDir))
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	opts := set.Export
	opts.Profile = set.Profile
	verdicts, err := escadatest.TryNasty(ctx, export, &escadatest.NastyOptions{Read: &opts})
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	exit := cli.Done
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, v := range verdicts {
		result := "good"
		switch {
		case v.Skipped:
			result = "not tried"
		case !v.OK:
			result, exit = "BAD: expected "+string(v.Case.Expect), cli.Held
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Case.Name, result, v.Outcome)
	}
	if err := w.Flush(); err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	return exit
}
