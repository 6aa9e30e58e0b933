package ox

import (
	"context"
	"errors"
	"time"

	"github.com/ictmedia/schoolmail/internal/retry"
)

// sighting is what a look after a lost answer found.
type sighting int

const (
	absent    sighting = iota
	asWanted           // there, and as asked for
	different          // something else has the name
)

// userMayExist are the kinds of refusal that a create of an existing user can
// cause: OX looks for the display name before it looks for the login name.
var userMayExist = []Kind{ErrUserExists, ErrDisplayNameUsed}

// settle carries out a create, which must not be repeated blindly. When its
// answer is lost, or the database rolled the work back, it looks: what is there and
// as asked for counts as made, what is not there is tried again. A create that the server had already begun can
// end later than the look; then the next try says that it exists, and the look
// after that finds it.
//
// exists are the kinds of refusal that an existing one can cause, first of all
// the one that says so.
func settle[T any](ctx context.Context, c *Client, exists []Kind, create func() (T, error),
	look func() (T, sighting, error)) (T, error) {
	var zero T
	var pause time.Duration
	lost := false
	for try := 0; ; try++ {
		v, err := create()
		e, ok := errors.AsType[*Error](err)
		if err == nil || !ok {
			return v, err
		}
		switch {
		case e.Kind == ErrLostAnswer, e.Kind == ErrProtocol, e.Kind == ErrRolledBack, e.Kind == ErrStatus && !e.NotDone:
			lost = true
		case lost && is(e, exists...):
		default:
			return zero, err
		}
		v, what, lookErr := look()
		switch {
		case lookErr != nil:
			return zero, errors.Join(err, lookErr)
		case what == asWanted:
			return v, nil
		case what == different:
			e.Kind, e.NotDone, e.Err = exists[0], true, nil
			e.Message = "the answer was lost, and what exists now is not what was to be made"
			return zero, e
		case is(e, exists...), try >= c.opt.Retries:
			return zero, err
		}
		pause = retry.Grow(pause, firstPause, 10*time.Second)
		if cause := retry.Sleep(ctx, retry.Spread(pause)); cause != nil {
			e.Kind, e.Err = ErrCanceled, cause
			return zero, e
		}
	}
}
