package site

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
)

// awaitCopies waits, before a plan with transfers, until no server can be at
// work any more on a copy that an earlier run began and did not see the end of.
// A second copy beside it would break both, and what it has made so far
// would be taken for the whole.
func (s *Site) awaitCopies(ctx context.Context, act *Act, observer Observer) error {
	if !slices.ContainsFunc(act.Plan.Steps, func(st schoolmail.Step) bool { return st.Kind() == schoolmail.KindTransfer }) {
		return nil
	}
	open := map[string]bool{} // users with a copy whose end is not on record
	var last time.Time        // about when the earlier run ended: a copy may begin long after its intent
	err := s.parts.Journal.Entries(func(e schoolmail.JournalEntry) bool {
		last = e.Time
		if e.Effect == schoolmail.EffectCopy {
			open[e.Subject] = e.Phase == schoolmail.Intent
		}
		return true
	})
	if err != nil {
		return err
	}
	maps.DeleteFunc(open, func(_ string, yes bool) bool { return !yes })
	wait := min(time.Until(last.Add(s.copyWait)), s.copyWait)
	if len(open) == 0 || wait <= 0 {
		return nil
	}
	observer.Observe(Event{Stage: Waiting, Act: act, Wait: wait})
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
