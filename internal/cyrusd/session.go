package cyrusd

import "testing"

// Login opens a connection for changes by a test itself, as a user of any IMAP
// server; it ends with the test.
func Login(tb testing.TB, addr, user, password string) *Conn {
	tb.Helper()
	c, err := Dial(addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	Do(tb, c, "LOGIN %s %s", user, password)
	return c
}

// Do sends a command, which must succeed, and returns the answer.
func Do(tb testing.TB, c *Conn, format string, args ...any) string {
	tb.Helper()
	out, err := c.Do(format, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// Put appends a message.
func Put(tb testing.TB, c *Conn, box, flags, date, message string) {
	tb.Helper()
	if err := c.Append(box, flags, date, message); err != nil {
		tb.Fatal(err)
	}
}
