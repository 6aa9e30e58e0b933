// Command migrate-bench measures examples/migrate, mbsync and Dovecot's dsync
// side by side between the same two throwaway servers, Debian's Cyrus and
// Debian's Dovecot, and prints the README's tables:
//
//	export SCHOOLMAIL_CYRUS_ROOT="$(.ci/cyrus.sh)"
//	go run ./examples/migrate-bench
//
// It needs the Debian packages dovecot-imapd and isync, and .ci/cyrus.sh.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ictmedia/schoolmail/examples/migrate-bench/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := bench.Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}
