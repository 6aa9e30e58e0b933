// Package testlife ties what a test has started to the test's life, in one place for
// all simulators and clients: they are closed when the test ends, and a start that
// fails ends it.
package testlife

import (
	"io"
	"testing"
)

// Of takes what a Start function returns and gives it to the test that is named
// then:
//
//	srv := testlife.Of(oxtest.Start())(t)
func Of[C io.Closer](c C, err error) func(tb testing.TB) C {
	return func(tb testing.TB) C {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = c.Close() })
		return c
	}
}
