// Package loopback is for tests that play a server by hand, connection by connection.
package loopback

import (
	"net"
	"testing"
)

// Serve serves each connection to a port of loopback in a goroutine of its own, until
// the test ends, and returns the address. What serve gets it also closes.
func Serve(tb testing.TB, serve func(net.Conn)) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}
