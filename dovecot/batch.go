package dovecot

import (
	"context"
)

// Result is the outcome of one command of a batch.
type Result struct {
	Rows []ResultRow
	Err  error
}

// Batch sends several commands in one request, which saves a connection and a
// process start per command (some 10 ms each). The server runs them in order
// and goes on after a failure, so that every command has a result of its own,
// in the order of calls.
//
// The calls are verified first, as with [Client.Do]: nothing is sent when one
// of them is not to the server's liking. That matters here, since 2.3 answers
// a batch with an unknown command in broken JSON.
//
// When a command ends the server process, the answers of all are lost: the
// error is then one of the whole batch, of kind [ErrUnknownOutcome]: the
// commands before the deadly one were carried out, those after it were not.
// One command per request is therefore the rule for everything that changes
// something; batches are for reading many things.
func (c *Client) Batch(ctx context.Context, calls ...Call) ([]Result, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	ops := make([]op, len(calls))
	for i, call := range calls {
		o, err := c.verify(ctx, call)
		if err != nil {
			return nil, err
		}
		ops[i] = o
	}
	answers, errs, err := c.several(ctx, ops)
	if err != nil {
		return nil, err
	}
	results := make([]Result, len(calls))
	for i, a := range answers {
		results[i] = Result{Rows: a.rows, Err: errs[i]}
	}
	return results, nil
}

// several checks and executes commands in one request, at the host for mail.
// The server must know them all. The last error is one of the whole request.
func (c *Client) several(ctx context.Context, ops []op) ([]answer, []error, error) {
	calls := make([]Call, len(ops))
	again := true
	for i, o := range ops {
		if err := o.check(); err != nil {
			return nil, nil, err
		}
		calls[i], again = o.call, again && o.again
	}
	answers, err := c.post(ctx, c.hosts[0], calls)
	if err != nil {
		err.Op, err.User, err.again = "batch", ops[0].user, again
		for _, o := range ops {
			if o.user != err.User {
				err.User = "" // of several
			}
		}
		return nil, nil, err
	}
	errs := make([]error, len(ops))
	for i, a := range answers {
		errs[i] = ops[i].failure(c.hosts[0], a)
	}
	return answers, errs, nil
}
