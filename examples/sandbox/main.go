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
	"io"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site/sitetest"
)

const help = `sandbox keeps the simulated servers of a made-up district running on loopback
ports until it is interrupted.

Usage:

  sandbox -dir DIR [-people N] [-seed N] [-latency TIME]

It writes district.toml, which runs every program unchanged, the export of day one
(export/) and, when all servers answer, sandbox.json with their addresses and
passwords. An example, in two terminals:

  go run ./examples/sandbox -people 400 -dir /tmp/district
  go run ./examples/provision -config /tmp/district/district.toml -apply

Exit status: 0 interrupted; 1 failed; 2 bad flags.

Flags:

`

func main() { cli.Main(sandbox) }

func sandbox(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := cli.NewFlags("sandbox", help, stdout, stderr)
	people := fs.Int("people", 400, "`number` of people in the district")
	seed := fs.Uint64("seed", 1, "`number` that the district is made from")
	latency := fs.Duration("latency", 0, "`time` that each request to OX and doveadm takes")
	dir := fs.String("dir", "", "`folder` for the configuration, the export and sandbox.json (needed)")
	if status, ok := fs.Parse(args); !ok {
		return status
	}
	if *dir == "" || *people < 20 {
		return fs.Misused("-dir DIR is needed, -people at least 20")
	}
	err := run(ctx, stdout, *dir, sitetest.WithPeople(*people), sitetest.WithSeed(*seed), sitetest.WithLatency(*latency),
		sitetest.WithFirstDay(sitetest.FirstDay(schoolmail.DateOf(time.Now()))))
	if err != nil {
		return fs.Fail(cli.Failed, err)
	}
	return cli.Done
}

func run(ctx context.Context, stdout io.Writer, dir string, opts ...sitetest.Option) error {
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
	s.Describe(stdout, dir)
	<-ctx.Done()
	return nil
}
