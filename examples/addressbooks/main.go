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
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/examples/addressbooks/internal/books"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "addressbooks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	var o books.Outputs
	config := flag.String("config", "", "configuration `file`; empty: a simulated Open-Xchange")
	apply := flag.Bool("apply", false, "carry out the plan")
	names := flag.Bool("names", false, "show the people in the plan")
	people := flag.Int("people", 400, "people of the made-up district")
	measure := flag.Bool("measure", false, "measure a made-up district over days and terms")
	flag.StringVar(&o.CSV, "csv", "", "write all books as CSV and vCard files to `dir`")
	flag.BoolVar(&o.Spreadsheet, "spreadsheet", false, "make the CSV files safe to open in a spreadsheet")
	flag.StringVar(&o.HTML, "html", "", "write which book exists where for whom to `file`")
	flag.StringVar(&o.Provider, "provider-config", "", "write the configuration of the LDAP contacts provider to `dir`")
	flag.Parse()

	if *measure {
		return books.Measure(ctx, os.Stdout, *people)
	}
	job, err := books.Open(ctx, *config, *people)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, job.Close()) }()
	if o != (books.Outputs{Spreadsheet: o.Spreadsheet}) {
		if err := job.Write(os.Stdout, o); err != nil || !*apply {
			return err
		}
	}
	job.Observer = func(e addressbook.Event) {
		if *apply && e.Stage == addressbook.Working {
			fmt.Fprintf(os.Stderr, "context %d: %d of %d\n", e.Context, e.Done, e.Total)
		}
	}
	return job.Run(ctx, os.Stdout, *apply, *names)
}
