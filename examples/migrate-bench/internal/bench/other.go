//go:build !linux

package bench

import (
	"context"
	"fmt"
	"io"
)

// Main says that there is nothing to measure: Cyrus and Dovecot run on Linux here.
func Main(_ context.Context, _ []string, _, stderr io.Writer) int {
	fmt.Fprintln(stderr, "migrate-bench: needs Debian's Cyrus and Dovecot, and so Linux")
	return 1
}
