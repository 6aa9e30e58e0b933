package books

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site/lease"
)

// Outputs are the files that a job can write besides syncing. Empty: not.
type Outputs struct {
	CSV         string // directory: a CSV and a vCard file for each book
	Spreadsheet bool   // CSV guarded against formulas instead of as Open-Xchange imports it
	HTML        string // file: which book exists in which context for whom
	Provider    string // directory: configuration of the LDAP contacts provider
}

// Run plans, or with apply syncs, and prints what it found and did; names says
// whether the plan names people. held says that something was held back because
// too much would have vanished. What was done is printed also if Run fails.
func (j *Job) Run(ctx context.Context, out io.Writer, apply, names bool) (held bool, err error) {
	var report *addressbook.Report
	if apply && j.ahead != nil {
		if report, err = j.idle(ctx); err != nil {
			return false, err
		}
		if report == nil {
			if err := j.take(ctx); err != nil {
				return false, err
			}
		}
	}
	if report == nil {
		if report, err = j.sync(ctx, apply, j.Observer); report == nil {
			return false, err
		}
	}
	return j.tell(report, err, out, apply, names)
}

// idle looks whether there is nothing to write, and nobody has held the lease meanwhile.
// It returns nil if there may be something.
func (j *Job) idle(ctx context.Context) (*addressbook.Report, error) {
	report, err := j.sync(ctx, false, nil)
	switch {
	case report == nil:
		return nil, err
	case err != nil:
		return nil, nil // doing it tells what is wrong
	}
	for _, c := range report.Contexts {
		if c.Err != nil || !c.Plan.Empty() {
			return nil, nil
		}
	}
	if now, err := lease.Look(ctx, j.ahead.directory); err != nil || now != j.ahead.seen {
		return nil, nil // taking it tells why
	}
	return report, nil
}

// sync brings the books into order, or only looks. Without a report there was nothing
// to look at.
func (j *Job) sync(ctx context.Context, apply bool, o addressbook.Observer) (*addressbook.Report, error) {
	if j.lease != nil {
		var end context.CancelFunc
		ctx, end = j.under(ctx)
		defer end()
	}
	want, err := addressbook.Build(j.Rules, j.Accounts)
	if err != nil {
		return nil, &cli.UsageError{Err: err}
	}
	// There is no other preflight than this: a session in each context, and then each is
	// read as a whole before anything of it is written, is all that books need of
	// Open-Xchange. No context waits for another one that cannot be asked.
	if err := j.login(ctx); err != nil {
		return nil, err
	}
	report, err := addressbook.Sync(ctx, j.Rules, want, j.access.stores, j.Today,
		&addressbook.Options{DryRun: !apply, Observer: o})
	return &report, err
}

// tell prints what was found and done.
func (j *Job) tell(report *addressbook.Report, failure error, out io.Writer, apply, names bool) (held bool,
	err error) {
	err = failure
	j.Done = report.Done()
	for _, f := range report.Findings {
		fmt.Fprintln(out, "!", f)
	}
	for _, c := range report.Contexts {
		held = held || c.Plan.Held
		switch {
		case !apply || names:
			if err := c.Plan.WriteText(out, names); err != nil {
				return held, err
			}
		default:
			for _, f := range c.Plan.Findings {
				fmt.Fprintln(out, "!", f)
			}
		}
		switch {
		case errors.Is(c.Err, schoolmail.ErrUpdating):
			fmt.Fprintf(out, "! context %d: its database is being updated: left as it is, do it again later\n", c.Plan.Context)
			held = true
		case c.Err != nil:
			fmt.Fprintf(out, "context %d not finished: %v\n", c.Plan.Context, c.Done)
		case apply:
			fmt.Fprintf(out, "context %d done: %v\n", c.Plan.Context, c.Done)
		}
	}
	st := j.access.client.Stats()
	fmt.Fprintf(out, "%d requests, %d operations in batches, %v waited for the rate limit\n", st.Total(), sum(st.Items),
		st.Waited.Round(time.Second))
	var failed []error // of each context what kept it
	for _, c := range report.Contexts {
		if c.Err != nil && !errors.Is(c.Err, schoolmail.ErrUpdating) {
			failed = append(failed, c.Err)
		}
	}
	if len(failed) > 0 {
		err = errors.Join(failed...)
	}
	return held, err
}

// under returns a context that ends when the lease is lost, too.
func (j *Job) under(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(j.lease.Context(), func() { end(context.Cause(j.lease.Context())) })
	return ctx, func() { stop(); end(nil) }
}

func sum(m map[string]int) int {
	n := 0
	for _, v := range m {
		n += v
	}
	return n
}

// Write writes the files asked for.
func (j *Job) Write(out io.Writer, o Outputs) error {
	want, err := addressbook.Build(j.Rules, j.Accounts)
	if err != nil {
		return err
	}
	if o.HTML != "" {
		var b strings.Builder
		if err := addressbook.WriteHTML(&b, j.Rules, want); err != nil {
			return err
		}
		if err := writeFile(o.HTML, []byte(b.String()), 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", o.HTML)
	}
	if o.CSV != "" {
		if err := writeBooks(out, o.CSV, want, &addressbook.CSVOptions{Spreadsheet: o.Spreadsheet}); err != nil {
			return err
		}
	}
	if o.Provider != "" {
		return j.writeProvider(out, o.Provider)
	}
	return nil
}

// writeBooks writes files that name people, so only their owner may read them.
func writeBooks(out io.Writer, dir string, want addressbook.Desired, opts *addressbook.CSVOptions) error {
	n := 0
	for path, book := range want.Files() {
		var c, v strings.Builder
		err := errors.Join(addressbook.WriteCSV(&c, book.Entries, opts), addressbook.WriteVCards(&v, book.Entries))
		base := filepath.Join(dir, filepath.FromSlash(path))
		if err == nil {
			err = errors.Join(writeFile(base+".csv", []byte(c.String()), 0o600),
				writeFile(base+".vcf", []byte(v.String()), 0o600))
		}
		if err != nil {
			return err
		}
		n++
	}
	fmt.Fprintf(out, "wrote %d books to %s\n", n, dir)
	return nil
}

func (j *Job) writeProvider(out io.Writer, dir string) error {
	files, findings, err := addressbook.ProviderFiles(j.Rules, j.Accounts, &j.Provider)
	if err != nil {
		return err
	}
	for _, f := range files {
		mode := os.FileMode(0o644)
		if f.Secret {
			mode = 0o600
		}
		if err := writeFile(filepath.Join(dir, f.Name), f.Data, mode); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", filepath.Join(dir, f.Name))
	}
	for _, f := range findings {
		fmt.Fprintln(out, "!", f)
	}
	return nil
}

// writeFile replaces a file as a whole and makes its folder.
func writeFile(name string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteBytes(name, mode, data)
}
