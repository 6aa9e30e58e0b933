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
	"github.com/ictmedia/schoolmail/examples/migrate-bench/internal/bench"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(bench.Main) }
