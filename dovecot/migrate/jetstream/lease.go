package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// lease is an account in the hands of this machine.
type lease struct {
	q        *Queue
	msg      jetstream.Msg
	key      string
	rec      record
	revision uint64

	alive context.Context // ends when the lease is lost, or over
	kill  context.CancelCauseFunc
	over  sync.WaitGroup
}

var _ migrate.Checkpointer = (*lease)(nil)

var errLost = errors.New("jetstream: the lease could not be renewed in time")

// begin renews the lease until end. It was given out after asked.
func (l *lease) begin(asked time.Time) {
	l.alive, l.kill = context.WithCancelCause(context.Background())
	term := l.q.opt.Lease
	l.over.Go(func() {
		sure := asked
		for {
			// Half of the lease is for those that still have to notice that it is over.
			if sleep(l.alive, min(term/8, max(time.Until(sure.Add(term/2)), 0))) != nil {
				return
			}
			now := time.Now()
			if now.Sub(sure) >= term/2 {
				l.q.opt.Logger.Warn("lease lost", "place", l.rec.Place)
				l.kill(errLost)
				return
			}
			ctx, stop := context.WithDeadline(l.alive, sure.Add(term/2))
			if l.msg.InProgress() == nil && l.q.nc.FlushWithContext(ctx) == nil {
				sure = now
			}
			stop()
		}
	})
}

// end stops the renewal, so that the lease runs out if it has not been given back.
func (l *lease) end() {
	l.kill(context.Canceled)
	l.over.Wait()
}

// Account implements [migrate.Lease].
func (l *lease) Account() string { return l.rec.Name }

// Context implements [migrate.Lease].
func (l *lease) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.alive, func() { cancel(context.Cause(l.alive)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// Checkpoint implements [migrate.Checkpointer].
func (l *lease) Checkpoint(ctx context.Context) {
	ctx, stop := l.Context(ctx)
	defer stop()
	if err := l.q.storeState(ctx, l.key, l.rec.Name); err != nil {
		l.q.opt.Logger.Warn("an account's state could not be kept", "place", l.rec.Place, "error", err)
	}
}

// Done implements [migrate.Lease]. An account whose lease is lost is somebody else's: nothing is
// said of it.
func (l *lease) Done(ctx context.Context, res migrate.AccountResult, again bool) error {
	return l.giveBack(ctx, func(ctx context.Context) error {
		raw, err := json.Marshal(res)
		if err != nil {
			return err
		}
		if _, err := l.q.outcomes.PutBytes(ctx, l.key, raw); err != nil {
			return fmt.Errorf("jetstream: outcome: %w", err)
		}
		again = again && l.rec.Pass == 1
		l.rec.Phase, l.rec.Failed = done, res.Reason != ""
		l.rec.End = time.Now().UTC()
		if r := res.Result; r != nil {
			l.rec.Messages, l.rec.Bytes = r.Copied+r.Adopted, r.Bytes
		}
		if again {
			l.rec.Phase, l.rec.Pass = queued, 2
		}
		if _, err := l.q.write(ctx, l.key, l.rec, l.revision); err != nil {
			return err
		}
		if again { // behind all others
			if err := l.q.publish(ctx, ticket{l.key, 2}); err != nil {
				return err
			}
		}
		return l.msg.DoubleAck(ctx)
	})
}

// Return implements [migrate.Lease]. The ticket comes again when the lease has run out: a message that
// gives it back at once could arrive late, after a break of the network, when another machine has it.
func (l *lease) Return(ctx context.Context) error {
	return l.giveBack(ctx, func(ctx context.Context) error {
		l.rec.Phase, l.rec.Machine = queued, ""
		_, err := l.q.write(ctx, l.key, l.rec, l.revision)
		return err
	})
}

// giveBack stores the account's state, for whoever works at it next, and then says what is to be said.
func (l *lease) giveBack(ctx context.Context, say func(ctx context.Context) error) error {
	defer l.q.dropState(l.rec.Name)
	defer l.end()
	ctx, stop := l.Context(ctx)
	defer stop()
	err := l.q.storeState(ctx, l.key, l.rec.Name)
	if err == nil {
		err = say(ctx)
	}
	if err != nil { // the lease runs out, and another machine finds the account as one that was left
		l.q.opt.Logger.Warn("an account could not be given back", "place", l.rec.Place, "error", err)
	}
	return nil
}
