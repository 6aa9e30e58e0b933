package site

import (
	"context"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/retry"
)

// awaitCopies waits, before a plan with transfers, until no server can be at
// work any more on a copy that an earlier run began and did not see the end of.
// A second copy beside it would break both, and what it has made so far
// would be taken for the whole.
func (s *Site) awaitCopies(ctx context.Context, act *Act, observer Observer) error {
	if !slices.ContainsFunc(act.Plan.Steps,
		func(st schoolmail.Step) bool { return st.Kind() == schoolmail.KindTransfer }) {
		return nil
	}
	h := act.World.history
	// A copy may begin long after its intent; the last entry tells about when the
	// earlier run ended.
	wait := min(time.Until(h.Last().Add(s.copyWait)), s.copyWait)
	if !h.Copying() || wait <= 0 {
		return nil
	}
	observer.Observe(Event{Stage: Waiting, Act: act, Wait: wait})
	return retry.Sleep(ctx, wait)
}
