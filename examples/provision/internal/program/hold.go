package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
)

// holdPerson puts a person on hold.
func (p *program) holdPerson(ctx context.Context) int {
	return p.aboutHold(ctx, func(open *site.Site, day schoolmail.Date, by string) error {
		h, err := open.Hold(ctx, day, p.hold, schoolmail.Hold{Until: p.until, By: by, Reason: p.reason})
		if err == nil {
			fmt.Fprintf(p.stdout, "Record %s is on hold until %s. -release %[1]s ends that sooner.\n", h.ID, h.Until)
		}
		return err
	})
}

// releasePerson ends a hold.
func (p *program) releasePerson(ctx context.Context) int {
	return p.aboutHold(ctx, func(open *site.Site, day schoolmail.Date, by string) error {
		key, err := open.Release(ctx, day, p.release, by)
		if err == nil {
			fmt.Fprintf(p.stdout, "Record %s is no longer on hold. What is due is done in the next run.\n", key.ID)
		}
		return err
	})
}

func (p *program) aboutHold(ctx context.Context, do func(open *site.Site, day schoolmail.Date, by string) error) int {
	if p.by == "" {
		u, err := user.Current()
		if err != nil {
			return p.flags.Fail(cli.Usage, fmt.Errorf("who are you? -by says it: %w", err))
		}
		p.by = u.Username
	}
	set, warnings, err := site.Load(p.config, nil)
	if err != nil {
		return p.flags.Fail(cli.Usage, err)
	}
	p.flags.Warn(warnings...)
	open, err := site.Open(set, nil)
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	defer open.Close()
	err = do(open, cmp.Or(p.now, schoolmail.DateOf(time.Now())), p.by)
	if _, bad := errors.AsType[*site.InputError](err); bad {
		return p.flags.Fail(cli.Usage, err)
	}
	if err != nil {
		return p.flags.Fail(cli.Failed, err)
	}
	return cli.Done
}
