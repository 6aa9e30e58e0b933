package site

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/ictmedia/schoolmail"
)

// TimeLimits say how long something may take; what is zero has its default. A server
// that takes a request and never answers must not keep the district from its next
// runs: commands to the mail server and notices have a limit each, and a run as a
// whole ends, with a report, when its time is over. The clients of the directory and
// of Open-Xchange have limits of their own.
type TimeLimits struct {
	Run     time.Duration // 20 hours
	Command time.Duration // to the mail server; 5 minutes
	Notice  time.Duration // 5 minutes
}

func (l TimeLimits) run() time.Duration     { return cmp.Or(l.Run, 20*time.Hour) }
func (l TimeLimits) command() time.Duration { return cmp.Or(l.Command, 5*time.Minute) }
func (l TimeLimits) notice() time.Duration  { return cmp.Or(l.Notice, 5*time.Minute) }

// limited runs one command within its limit.
func limited(ctx context.Context, what string, limit time.Duration, f func(context.Context) error) error {
	late := fmt.Errorf("%s: no answer within %s", what, limit)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	err := f(ctx)
	if err != nil && context.Cause(ctx) == late {
		return fmt.Errorf("%w: %w", late, err)
	}
	return err
}

// limitedMailstore limits the commands of a mail server.
type limitedMailstore struct {
	schoolmail.Mailstore
	limit time.Duration
	took  *atomic.Int64 // all commands together
}

// during adds the time that passes until the function that it returns is called.
func during(took *atomic.Int64) (end func()) {
	start := time.Now()
	return func() { took.Add(int64(time.Since(start))) }
}

func (m limitedMailstore) EnsureMailbox(ctx context.Context, a schoolmail.Account) error {
	defer during(m.took)()
	return limited(ctx, "mail server", m.limit,
		func(ctx context.Context) error { return m.Mailstore.EnsureMailbox(ctx, a) })
}

func (m limitedMailstore) Disconnect(ctx context.Context, a schoolmail.Account) error {
	defer during(m.took)()
	return limited(ctx, "mail server", m.limit,
		func(ctx context.Context) error { return m.Mailstore.Disconnect(ctx, a) })
}

// MoveMailbox takes as long as there is mail; the limit of the run holds.
func (m limitedMailstore) MoveMailbox(ctx context.Context, before, after schoolmail.Account) error {
	if mover, ok := m.Mailstore.(schoolmail.MailboxMover); ok {
		return mover.MoveMailbox(ctx, before, after)
	}
	return nil
}

func (m limitedMailstore) RemoveMailbox(ctx context.Context, a schoolmail.Account) error {
	defer during(m.took)()
	return limited(ctx, "mail server", m.limit,
		func(ctx context.Context) error { return m.Mailstore.RemoveMailbox(ctx, a) })
}

// limitedNotifier limits the sending of a notice.
type limitedNotifier struct {
	schoolmail.Notifier
	limit time.Duration
	took  *atomic.Int64
}

func (n limitedNotifier) Notify(ctx context.Context, notice schoolmail.Notice) error {
	defer during(n.took)()
	return limited(ctx, "mail relay", n.limit,
		func(ctx context.Context) error { return n.Notifier.Notify(ctx, notice) })
}
