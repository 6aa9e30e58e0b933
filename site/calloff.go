package site

import (
	"context"
	"errors"
	"fmt"

	"github.com/ictmedia/schoolmail/site/lease"
)

// CallOff calls off, on somebody's word, the deletion of an account for which
// UCS@school's importer has set a day, and reports whether there was one. It holds the
// district's lease meanwhile. See [ucs.Client.CallOff] for what becomes of the account.
func (s *Site) CallOff(ctx context.Context, username string) (bool, error) {
	d, ok := s.parts.Directory.(interface {
		CallOff(ctx context.Context, username string) (bool, error)
	})
	if !ok {
		return false, errors.New("site: this directory knows no days of deletion")
	}
	l, err := s.lease(ctx, &RunOptions{Observer: nobody{}})
	if err != nil {
		return false, fmt.Errorf("nothing was done: %w", err)
	}
	if l != nil {
		defer func(l *lease.Lease) { _ = l.Release() }(l) // else the next run finds out that nobody holds it
		ctx = l.Context()
	}
	return d.CallOff(ctx, username)
}
