package site

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Rename plans to rename a person, given as for [Site.Explain], and with opts.Apply does
// it: display name, address and, where the site allows it, user name, by the scheme or
// as the request says; its ID is filled in. Of the person, everything else that is due is
// done too; about nobody else anything is.
//
// The rename is a step of a plan as any other: limits, holds, journal and reports are
// those of a run, and what was cut off is completed by the next run, whatever it is for.
func (s *Site) Rename(ctx context.Context, who string, q schoolmail.RenameRequest, opts *RunOptions) ([]*Act, error) {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	if o.Day.IsZero() {
		o.Day = schoolmail.DateOf(time.Now())
	}
	key, err := s.whose(ctx, o.Day, who)
	if err != nil {
		return nil, err
	}
	q.ID = key.ID
	before := s.policy.Renames
	s.policy.Renames = append(slices.Clone(before), q)
	defer func() { s.policy.Renames = before }()
	if err := s.policy.Validate(); err != nil {
		return nil, &InputError{err}
	}
	o.Part = &schoolmail.Selection{People: []string{key.ID}}
	return s.Run(ctx, &o)
}

// askRenames finds out, where it matters, whether Open-Xchange lets one change login
// names: it does so only where its administrator has allowed it.
func (s *Site) askRenames(ctx context.Context, w *World) error {
	n := &s.policy.Naming
	if !n.ChangeUsernames || len(s.policy.Renames) == 0 && n.FollowFamilyName != schoolmail.FollowYes {
		return nil
	}
	g, ok := s.parts.Groupware.(interface {
		CanRename(ctx context.Context, p schoolmail.Place) (bool, error)
	})
	if !ok {
		return nil
	}
	ours := map[string]bool{}
	for i := range w.State.Accounts {
		a := &w.State.Accounts[i]
		ours[a.Username] = ours[a.Username] || a.Key.Source == s.policy.Source
	}
	for _, p := range w.State.Places {
		if p.Admin || !ours[p.Username] {
			continue
		}
		can, err := g.CanRename(ctx, p)
		switch {
		case err != nil:
			w.State.NoRenames = fmt.Sprintf("it cannot be found out whether Open-Xchange changes login names: %v", err)
		case !can:
			w.State.NoRenames = noRenames
		}
		return nil
	}
	return nil
}

const noRenames = "Open-Xchange changes no login names: USERNAME_CHANGEABLE=true is missing in its User.properties"
