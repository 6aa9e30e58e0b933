package books

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/site/lease"
)

const help = `addressbooks gives everybody the address books that the rules allow, in all
Open-Xchange contexts: books per school and class with their readers, kept as the
directory says.

Usage:

  addressbooks [-apply] [-html FILE] [-csv DIR]
      Without -config: a simulated Open-Xchange and a made-up district in this
      process. Nothing outside is touched.
  addressbooks -config district.toml
      Shows what would be done. Writes nothing.
  addressbooks -config district.toml -apply
      Does it. The second run finds nothing to do.
  addressbooks -measure -people 32000
      Measures a made-up district: first fill, ordinary day, first day of term,
      full rewrite.

Every run can be repeated at any time, also after a crash. Whatever -apply has to write
it writes under the district's lease, never beside provision or watch. An example for
cron, at three in the morning:

  0 3 * * *  addressbooks -config /etc/schoolmail/district.toml -apply

Exit status: 0 all done; 1 failed, or not all contexts could be done; 2 bad flags,
rules or configuration, nothing was done; 3 done, but something was held back
because too much would have changed at once, or a context was left as it is because
its database is being updated: read the findings.

Flags:

`

// Main is the program: it parses the arguments (without the program's name),
// runs, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := cli.NewFlags("addressbooks", help, stdout, stderr)
	var o Outputs
	config := fs.String("config", "", "configuration `file`; empty: a simulated Open-Xchange")
	apply := fs.Bool("apply", false, "carry out the plan")
	names := fs.Bool("names", false, "show the people in the plan")
	people := fs.Int("people", 400, "people of the made-up district")
	breakLease := fs.Bool("break-lease", false, "take the district from another run, which is known to be gone")
	rekey := fs.Bool("rekey", false, "write all entries anew that were made with another salt")
	measure := fs.Bool("measure", false, "measure a made-up district over days and terms")
	fs.StringVar(&o.CSV, "csv", "", "write all books as CSV and vCard files to `dir`")
	fs.BoolVar(&o.Spreadsheet, "spreadsheet", false, "make the CSV files safe to open in a spreadsheet")
	fs.StringVar(&o.HTML, "html", "", "write which book exists where for whom to `file`")
	fs.StringVar(&o.Provider, "provider-config", "", "write the configuration of the LDAP contacts provider to `dir`")
	if status, ok := fs.Parse(args); !ok {
		return status
	}
	switch {
	case *people < 1:
		return fs.Misused("-people %d: expected at least one", *people)
	case *breakLease && (!*apply || *config == ""):
		return fs.Misused("-break-lease goes with -config and -apply")
	}
	if *measure {
		if err := Measure(ctx, stdout, *people); err != nil {
			return fs.Fail(cli.Failed, err)
		}
		return cli.Done
	}
	job, err := Open(ctx, *config, &Options{People: *people, Apply: *apply, BreakLease: *breakLease,
		Observer: lease.ObserverFunc(func(e lease.Event) {
			fmt.Fprintf(stderr, "the district is held by %s: watching whether it is still at work, "+
				"which takes up to five minutes\n", e.Holder)
		})})
	if err != nil {
		return fs.Fail(cli.Failed, err)
	}
	job.Rules.Rekey = *rekey
	fs.Warn(job.Warnings...)
	status, err := run(ctx, job, *apply, *names, o, stdout, stderr)
	if err != nil {
		return fs.Fail(status, err)
	}
	return status
}

// run does what the flags say and ends the job.
func run(ctx context.Context, job *Job, apply, names bool, o Outputs, stdout, stderr io.Writer) (status int,
	err error) {
	defer func() {
		if cerr := job.Close(); cerr != nil {
			status, err = cli.Worst(status, cli.Failed), errors.Join(err, cerr)
		}
	}()
	terminal := &lines{w: stderr}
	job.waits = appsuite.ObserverFunc(func(e appsuite.Event) { fmt.Fprintln(terminal, e) })
	if o != (Outputs{Spreadsheet: o.Spreadsheet}) {
		if err := job.Write(stdout, o); err != nil {
			return cli.Failed, err
		}
		if !apply {
			return cli.Done, nil
		}
	}
	if apply {
		job.Observer = addressbook.ObserverFunc(func(e addressbook.Event) { printEvent(terminal, e) })
	}
	held, err := job.Run(ctx, stdout, apply, names)
	switch {
	case err != nil:
		return cli.Failed, err
	case held:
		return cli.Held, nil
	}
	return cli.Done, nil
}

// lines lets several goroutines write, one line at a time.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func printEvent(w io.Writer, e addressbook.Event) {
	switch e.Stage {
	case addressbook.Working:
		fmt.Fprintf(w, "context %d: %d of %d\n", e.Context, e.Done, e.Total)
	case addressbook.Repeating:
		fmt.Fprintf(w, "context %d: looking again after: %v\n", e.Context, e.Err)
	}
}
