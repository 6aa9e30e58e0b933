// Command provision keeps accounts, Open-Xchange places and mailboxes in step
// with the school administration's export.
//
//	go run ./examples/provision
//
// plays a school year of a made-up district on simulated servers. With -config
// it works on a site's servers; -h explains how.
package main

import (
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() {
	program.CollectLate()
	cli.Main(program.Main)
}
