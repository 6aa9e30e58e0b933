// Galprobe proves that the global address books of a site's Open-Xchange contexts
// are closed to ordinary accounts.
//
//	go run ./examples/galprobe
//	go run ./examples/galprobe -leave-open
//	go run ./examples/galprobe -close
//	go run ./examples/galprobe -nginx -trusted 10.1.2.3/32
//
// Without -config it does so with a simulated Open-Xchange in this process; with
// -leave-open one pupil there still sees the book. With -config it works on
// a site; package site/district describes the file.
//
// Exit status: 0 when everything that Open-Xchange can close is closed, 3 when
// something is open, 1 when something could not be asked or proved, 2 for
// mistakes in flags or configuration.
package main

import (
	"github.com/ictmedia/schoolmail/examples/galprobe/internal/probe"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(probe.Main) }
