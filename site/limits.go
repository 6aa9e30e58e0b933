package site

import (
	"context"
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
)

// A server that takes a request and never answers must not keep the district from
// its next runs: commands to the mail server and notices have a limit each. The
// clients of the directory and of Open-Xchange have their own, and a run as a whole
// ends, with a report, when its time is over.
const (
	commandLimit = 5 * time.Minute
	runLimit     = 20 * time.Hour
)

// limited runs one command within its limit.
func limited(ctx context.Context, what string, f func(context.Context) error) error {
	late := fmt.Errorf("%s: no answer within %s", what, commandLimit)
	ctx, cancel := context.WithTimeoutCause(ctx, commandLimit, late)
	defer cancel()
	err := f(ctx)
	if err != nil && context.Cause(ctx) == late {
		return fmt.Errorf("%w: %w", late, err)
	}
	return err
}

// limitedMailstore limits the commands of a mail server.
type limitedMailstore struct{ schoolmail.Mailstore }

func (m limitedMailstore) EnsureMailbox(ctx context.Context, a schoolmail.Account) error {
	return limited(ctx, "mail server", func(ctx context.Context) error { return m.Mailstore.EnsureMailbox(ctx, a) })
}

func (m limitedMailstore) Disconnect(ctx context.Context, a schoolmail.Account) error {
	return limited(ctx, "mail server", func(ctx context.Context) error { return m.Mailstore.Disconnect(ctx, a) })
}

func (m limitedMailstore) RemoveMailbox(ctx context.Context, a schoolmail.Account) error {
	return limited(ctx, "mail server", func(ctx context.Context) error { return m.Mailstore.RemoveMailbox(ctx, a) })
}

// limitedNotifier limits the sending of a notice.
type limitedNotifier struct{ schoolmail.Notifier }

func (n limitedNotifier) Notify(ctx context.Context, notice schoolmail.Notice) error {
	return limited(ctx, "mail relay", func(ctx context.Context) error { return n.Notifier.Notify(ctx, notice) })
}
