package program

import (
	"context"
	"errors"
	"os/user"

	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// renamePerson plans to rename a person, and with -apply does it.
func (p *program) renamePerson(ctx context.Context) int {
	if p.by == "" {
		u, err := user.Current()
		if err != nil {
			return p.flags.Fail(cli.Usage, errors.Join(errors.New("who are you? -by says it"), err))
		}
		p.by = u.Username
	}
	p.renameTo.By = p.by
	return p.run(ctx)
}

// acts are those of a run, or of a rename.
func (p *program) acts(ctx context.Context, open *site.Site, opts *site.RunOptions) ([]*site.Act, error) {
	if p.rename == "" {
		return open.Run(ctx, opts)
	}
	return open.Rename(ctx, p.rename, p.renameTo, opts)
}
