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
// With -config it works on a site; package site/district describes the file.
//
// Exit status: 0 all done; 1 failed, or not all contexts could be done; 2 bad
// flags, rules or configuration, nothing was done; 3 done, but something was
// held back because too much would have vanished: read the findings.
package main

import (
	"github.com/ictmedia/schoolmail/examples/internal/books"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(books.Main) }
