package soap

import (
	"context"
	"iter"
)

// Each receives the elements named "return" of an answer, one by one, while the
// answer is still arriving. It calls decode, once, with a pointer to the type of
// the element; an element that it does not decode is skipped. An error that it
// returns ends the call and is returned as it is.
//
// Elements handed over before an error are not taken back: a cut-off answer
// gives some elements and then the error.
type Each func(decode func(v any) error) error

// Returns calls op and iterates over its "return" elements as they arrive. The
// error, if any, comes last, with a nil element. Ending the loop early cancels
// the call. Each iteration is a call of its own.
func Returns[T any](ctx context.Context, c *Client, op *Operation, req any) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stopped := false
		err := c.Call(ctx, op, req, Each(func(decode func(v any) error) error {
			v := new(T)
			if err := decode(v); err != nil {
				return err
			}
			if !yield(v, nil) {
				stopped = true
				return errStopped
			}
			return nil
		}))
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// errStopped ends a call whose caller has left the loop.
var errStopped = stopError{}

type stopError struct{}

func (stopError) Error() string { return "soap: loop ended" }
