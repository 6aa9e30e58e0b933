package site

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/lease"
)

// ahead is what a run knows before it holds the lease of the district.
type ahead struct {
	seen lease.Sight // how the lease was before the run looked
	act  *Act        // what it would do; nil: it has not looked
	idle bool        // nothing is to be done, so that no lease is needed
}

// ahead looks and plans without the lease, which is an entry in the directory: a night
// without changes writes to no server. What is planned so is carried out only if
// nobody has held the lease from before the look until this run has it, which
// [lease.Lease.Since] proves; otherwise all is looked at and planned anew. Somebody
// who holds the lease is dealt with first, and whoever takes it while this run looks
// makes it forget what it has seen: that may be half of what they write.
func (s *Site) ahead(ctx context.Context, o *RunOptions) (a ahead, err error) {
	notes, ok := s.parts.Directory.(schoolmail.Notes)
	if !ok || o.BreakLease || o.Prepare != nil {
		return a, nil
	}
	if a.seen, err = lease.Look(ctx, notes); err != nil {
		return a, fmt.Errorf("nothing was done: %w", err)
	}
	if !a.seen.Free() {
		return a, nil
	}
	act, err := s.planAct(ctx, o, true)
	now, lost := lease.Look(ctx, notes)
	switch {
	case lost == nil && now != a.seen:
		return a, nil
	case err != nil:
		return a, err
	case lost != nil:
		return a, fmt.Errorf("nothing was done: %w", lost)
	}
	// A copy whose end is not on record is looked after even if nothing else is to do.
	a.act, a.idle = act, act.Plan.Empty() && !act.World.history.Copying()
	return a, nil
}

// lease takes the lease of the district; nil if its directory keeps none.
func (s *Site) lease(ctx context.Context, o *RunOptions) (*lease.Lease, error) {
	notes, ok := s.parts.Directory.(schoolmail.Notes)
	if !ok {
		return nil, nil
	}
	opts := lease.Options{Break: o.BreakLease, Observer: lease.ObserverFunc(func(e lease.Event) {
		o.Observer.Observe(Event{Stage: Contended, Other: e.Holder})
	})}
	return lease.Acquire(ctx, notes, "", &opts)
}
