// Command provision keeps accounts, Open-Xchange places and mailboxes in step
// with the school administration's export.
//
//	go run ./examples/provision
//
// plays a school year of a made-up district on simulated servers. With -config
// it works on a site's servers; -h explains how.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ictmedia/schoolmail/site"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(site.Main(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
