package books

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/ictmedia/schoolmail/addressbook"
)

// The exit statuses.
const (
	ExitDone   = 0
	ExitFailed = 1 // or not all contexts could be done
	ExitUsage  = 2 // bad flags, rules or configuration; nothing was done
	ExitHeld   = 3 // done, but something was held back
)

// usageError is a mistake in flags, rules or configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

const help = `addressbooks gives everybody the address books that the rules allow, in all
Open-Xchange contexts: books per school and class with their readers, kept as the
directory says.

Usage:

  addressbooks [-apply] [-html FILE] [-csv DIR]
      Without -config: a simulated Open-Xchange and a made-up district in this
      process. Nothing outside is touched.
  addressbooks -config addressbooks.toml
      Shows what would be done. Writes nothing.
  addressbooks -config addressbooks.toml -apply
      Does it. The second run finds nothing to do.
  addressbooks -measure -people 32000
      Measures a made-up district: first fill, ordinary day, first day of term,
      full rewrite.

Every run can be repeated at any time, also after a crash. An example for cron,
at three in the morning:

  0 3 * * *  addressbooks -config /etc/schoolmail/addressbooks.toml -apply

Exit status: 0 all done; 1 failed, or not all contexts could be done; 2 bad flags,
rules or configuration, nothing was done; 3 done, but something was held back
because too much would have vanished: read the findings.

Flags:

`

// Main is the program: it parses the arguments (without the program's name),
// runs, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("addressbooks", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), help)
		fs.PrintDefaults()
	}
	var o Outputs
	config := fs.String("config", "", "configuration `file`; empty: a simulated Open-Xchange")
	apply := fs.Bool("apply", false, "carry out the plan")
	names := fs.Bool("names", false, "show the people in the plan")
	people := fs.Int("people", 400, "people of the made-up district")
	measure := fs.Bool("measure", false, "measure a made-up district over days and terms")
	fs.StringVar(&o.CSV, "csv", "", "write all books as CSV and vCard files to `dir`")
	fs.BoolVar(&o.Spreadsheet, "spreadsheet", false, "make the CSV files safe to open in a spreadsheet")
	fs.StringVar(&o.HTML, "html", "", "write which book exists where for whom to `file`")
	fs.StringVar(&o.Provider, "provider-config", "", "write the configuration of the LDAP contacts provider to `dir`")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return ExitDone
		}
		return ExitUsage
	}
	status, err := ExitUsage, error(nil)
	switch {
	case fs.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case *people < 1:
		err = fmt.Errorf("-people %d: expected at least one", *people)
	case *measure:
		status, err = ExitDone, Measure(ctx, stdout, *people)
	default:
		status, err = run(ctx, *config, *people, *apply, *names, o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "addressbooks:", err)
		if _, ok := errors.AsType[usageError](err); ok {
			return ExitUsage
		}
		if status == ExitDone {
			return ExitFailed
		}
	}
	return status
}

func run(ctx context.Context, config string, people int, apply, names bool, o Outputs, stdout, stderr io.Writer) (status int, err error) {
	job, err := Open(ctx, config, people)
	if err != nil {
		return ExitFailed, err
	}
	defer func() {
		if cerr := job.Close(); cerr != nil {
			status, err = max(status, ExitFailed), errors.Join(err, cerr)
		}
	}()
	if o != (Outputs{Spreadsheet: o.Spreadsheet}) {
		if err := job.Write(stdout, o); err != nil {
			return ExitFailed, err
		}
		if !apply {
			return ExitDone, nil
		}
	}
	if apply {
		job.Observer = func(e addressbook.Event) { printEvent(stderr, e) }
	}
	held, err := job.Run(ctx, stdout, apply, names)
	switch {
	case err != nil:
		return ExitFailed, err
	case held:
		return ExitHeld, nil
	}
	return ExitDone, nil
}

func printEvent(w io.Writer, e addressbook.Event) {
	switch e.Stage {
	case addressbook.Working:
		fmt.Fprintf(w, "context %d: %d of %d\n", e.Context, e.Done, e.Total)
	case addressbook.Repeating:
		fmt.Fprintf(w, "context %d: looking again after: %v\n", e.Context, e.Err)
	}
}
