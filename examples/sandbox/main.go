// Command sandbox keeps the simulated servers of a made-up district running on
// loopback ports until it is interrupted, for trying out the other programs:
//
//	go run ./examples/sandbox -people 400 -dir /tmp/district
//
// It writes the district's configuration, the export of day one, and
// sandbox.json with all addresses and passwords; sandbox.json appears last,
// when everything is ready.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

const usage = `sandbox keeps the simulated servers of a made-up district running on loopback
ports until it is interrupted.

Usage:

  sandbox -dir DIR [-people N] [-seed N] [-latency TIME]

It writes the configurations of the programs (district.toml, addressbooks.toml,
galprobe.toml), the export of day one (export/) and, when all servers answer,
sandbox.json with their addresses and passwords. An example, in two terminals:

  go run ./examples/sandbox -people 400 -dir /tmp/district
  go run ./examples/provision -config /tmp/district/district.toml -apply

Exit status: 0 interrupted; 1 failed; 2 bad flags.

Flags:

`

func main() {
	people := flag.Int("people", 400, "`number` of people in the district")
	seed := flag.Uint64("seed", 1, "`number` that the district is made from")
	latency := flag.Duration("latency", 0, "`time` that each request to OX and doveadm takes")
	dir := flag.String("dir", "", "`folder` for the configuration, the export and sandbox.json (needed)")
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 || *people < 20 {
		fmt.Fprintln(os.Stderr, "sandbox: -dir DIR is needed, -people at least 20; -h explains the flags")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, sitetest.WithPeople(*people), sitetest.WithSeed(*seed), sitetest.WithLatency(*latency),
		sitetest.WithFirstDay(sitetest.FirstDay(schoolmail.DateOf(time.Now())))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, opts ...sitetest.Option) error {
	s, err := sitetest.Start(opts...)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.CreateContexts(); err != nil {
		return err
	}
	if err := s.WriteDir(dir); err != nil {
		return err
	}
	s.Describe(os.Stdout, dir)
	<-ctx.Done()
	return nil
}
