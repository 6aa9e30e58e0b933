package dovecot

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// everywhere runs a command at every host at once and hands the answers to
// use, one after the other in the order of hosts. A host that fails does not
// keep the others from being asked; the errors are joined.
func (c *Client) everywhere(ctx context.Context, o op, use func(*host, answer) error) error {
	answers := make([]answer, len(c.hosts))
	errs := make([]error, len(c.hosts))
	var wg sync.WaitGroup
	for i, h := range c.hosts {
		wg.Go(func() { answers[i], errs[i] = c.run(ctx, h, o) })
	}
	wg.Wait()
	for i, h := range c.hosts {
		if errs[i] != nil {
			continue
		}
		if err := use(h, answers[i]); err != nil {
			errs[i] = &Error{Op: o.call.Command, User: o.user, Subject: o.subject, Host: h.name, Kind: ErrProtocol,
				Status: http.StatusOK, Err: err, again: o.again}
		}
	}
	return join(errs)
}

// join is errors.Join that leaves a single error as it is.
func join(errs []error) error {
	var only error
	n := 0
	for _, err := range errs {
		if err != nil {
			only = err
			n++
		}
	}
	if n < 2 {
		return only
	}
	return errors.Join(errs...)
}

func isKind(err error, k Kind) bool { return err != nil && errors.Is(err, k) }
