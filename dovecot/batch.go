package dovecot

import (
	"context"
)

// Result is the outcome of one command of a batch.
type Result struct {
	Rows []Row
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
		if o.user != "" {
			if err := checkUser(o.user); err != nil {
				return nil, o.refuse("%w", err)
			}
		}
		if err := checkParams(call.Params); err != nil {
			return nil, o.refuse("%w", err)
		}
		ops[i] = o
	}
	answers, err := c.post(ctx, c.hosts[0], calls)
	if err != nil {
		err.Op = "batch"
		return nil, err
	}
	results := make([]Result, len(calls))
	for i, a := range answers {
		results[i] = Result{Rows: a.rows, Err: ops[i].failure(c.hosts[0], a)}
	}
	return results, nil
}
