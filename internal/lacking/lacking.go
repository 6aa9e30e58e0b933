// Package lacking is for tests that need a server, a program or a package of the
// machine: where it is not there they are skipped, all in the same words, so that
// one line can tell what was not tested (see the command in internal/lacking/report).
// Where the environment variable SCHOOLMAIL_REQUIRE_SERVERS is 1 it is a failure
// instead.
package lacking

import (
	"os"
	"testing"
)

// Mark begins the message of a test that was skipped for want of something.
const Mark = "lacking: "

// Skip ends a test for want of what, such as "xmllint (Debian package libxml2-utils)".
func Skip(tb testing.TB, what any) {
	tb.Helper()
	if os.Getenv("SCHOOLMAIL_REQUIRE_SERVERS") == "1" {
		tb.Fatal(Mark, what)
	}
	SkipAnyway(tb, what)
}

// SkipAnyway skips a test also where servers are required: for what nobody has to
// have.
func SkipAnyway(tb testing.TB, what any) {
	tb.Helper()
	tb.Skip(Mark, what)
}
