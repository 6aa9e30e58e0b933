package site

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ictmedia/schoolmail"
)

// Site is everything that one run works with: the policy, the sources and the
// live systems. Open makes one from a config file; tests and the sandbox may
// build one by hand.
type Site struct {
	Name   string
	Policy schoolmail.Policy
	Ports  schoolmail.Ports

	// Deliver reads the export of the day.
	Deliver func(ctx context.Context, now schoolmail.Date) (schoolmail.Delivery, error)
	// Directory reads all accounts and retired names.
	Directory func(ctx context.Context) ([]schoolmail.Account, []schoolmail.RetiredName, []schoolmail.Finding, error)
	// Groupware reads contexts and users.
	Groupware func(ctx context.Context, ids []schoolmail.ContextID) ([]schoolmail.Context, []schoolmail.Place, error)
	// DirectoryFirst says that reading the groupware needs what was read from
	// the directory; otherwise both are read side by side.
	DirectoryFirst bool
	// PlanFile keeps the plan that is being applied, so that the next run can
	// go on with it after a crash.
	PlanFile string
	// RunsDir is where an applied plan leaves plan and reports, in a folder each.
	RunsDir string
	// PasswordDir is where the lists of initial passwords go.
	PasswordDir string
	// Parallel is how many people are worked on at once.
	Parallel int
	// CopyWait is how long a groupware server may be at work on a copy of a user
	// that nobody waits for any more.
	CopyWait time.Duration
	// Requests counts what was sent to each server so far.
	Requests func() map[string]int64
	// Close ends all connections and unlocks the journal.
	Close func() error
}

// World is what a run has seen.
type World struct {
	Delivery schoolmail.Delivery
	State    schoolmail.State
	Findings []schoolmail.Finding // what reading the directory found odd
	Read     time.Duration        // how long reading took
}

// InputError marks an error of the export: the input is at fault, nothing was
// done.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// Look reads the export and observes all servers, side by side.
func (s *Site) Look(ctx context.Context, now schoolmail.Date) (*World, error) {
	start := time.Now()
	w := &World{}
	// The export first: it is cheap, and when it is rubbish nobody needs to be asked.
	var err error
	if w.Delivery, err = s.Deliver(ctx, now); err != nil {
		return nil, &InputError{err}
	}
	g, gctx := errgroup.WithContext(ctx)
	if s.DirectoryFirst {
		g.SetLimit(1)
	}
	g.Go(func() (err error) {
		w.State.Accounts, w.State.Retired, w.Findings, err = s.Directory(gctx)
		return err
	})
	ids := make([]schoolmail.ContextID, 0, len(s.Policy.Contexts))
	for _, c := range s.Policy.Contexts {
		ids = append(ids, c.ID)
	}
	g.Go(func() (err error) {
		w.State.Contexts, w.State.Places, err = s.Groupware(gctx, ids)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	// Accounts may live in contexts that the policy no longer names.
	more := map[schoolmail.ContextID]bool{}
	for _, a := range w.State.Accounts {
		if a.Key.Source != s.Policy.Source {
			continue // none of our business
		}
		for _, c := range []schoolmail.ContextID{a.Context, a.Previous.Context} {
			if c != 0 && !slices.Contains(ids, c) {
				more[c] = true
			}
		}
	}
	if len(more) > 0 {
		cs, ps, err := s.Groupware(ctx, slices.Sorted(maps.Keys(more)))
		if err != nil {
			return nil, errors.Join(errors.New("some accounts live in contexts that the policy does not name, and these cannot be read"), err)
		}
		w.State.Contexts = append(w.State.Contexts, cs...)
		w.State.Places = append(w.State.Places, ps...)
	}
	w.Read = time.Since(start)
	return w, nil
}
