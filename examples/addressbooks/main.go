// Addressbooks gives everybody the address books that the rules allow, in all
// Open-Xchange contexts.
//
// By default it only shows what it would do. Without -config it does so with a
// simulated Open-Xchange and a made-up district in this process:
//
//	go run ./examples/addressbooks
//	go run ./examples/addressbooks -apply
//	go run ./examples/addressbooks -html books.html -csv books
//	go run ./examples/addressbooks -measure -people 32000
//
// The configuration file is described in package books (Config).
//
// Exit status: 0 all done; 1 failed, or not all contexts could be done; 2 bad
// flags, rules or configuration, nothing was done; 3 done, but something was
// held back because too much would have vanished: read the findings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ictmedia/schoolmail/examples/addressbooks/internal/books"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := books.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
