// Watch completes people as soon as they change in the directory: a pupil entered by
// hand has a place in Open-Xchange, a mailbox and the class book within seconds.
//
//	go run ./examples/watch
//
// shows it on simulated servers and measures how long it takes. With -config it works
// on a site's servers; -h explains how.
package main

import (
	"github.com/ictmedia/schoolmail/examples/watch/internal/follow"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(follow.Main) }
