// Package cli is what the programs have in common: flags, -h, exit statuses, the end
// by an interrupt, and bars on a terminal. A program's main is
//
//	func main() { cli.Main(program.Main) }
//
// and its Main parses with a [Flags] and returns an exit status.
package cli

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// The exit statuses of all programs.
const (
	Done   = 0 // everything is done
	Failed = 1 // the run failed
	Usage  = 2 // bad flags, configuration or input; nothing was done
	Held   = 3 // finished, but something was held back, or failed for single people
)

// Worst returns the status that says most of several.
func Worst(status ...int) int {
	rank := map[int]int{Failed: 3, Usage: 2, Held: 1}
	worst := Done
	for _, s := range status {
		if rank[s] > rank[worst] {
			worst = s
		}
	}
	return worst
}

// UsageError marks a mistake in what the operator has given: flags, configuration,
// rules, files. Nothing was done.
type UsageError struct{ Err error }

// Error returns the error's text as it is.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the error.
func (e *UsageError) Unwrap() error { return e.Err }

// Main runs a program and ends the process with its exit status. The context ends
// with an interrupt or SIGTERM; a second one ends the process at once.
func Main(program func(ctx context.Context, args []string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	status := program(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// Flags are a program's flags. Help goes to the standard output, since it was asked
// for; a mistake is one line on the standard error and names -h.
type Flags struct {
	*flag.FlagSet
	// Arguments says that something may stand after the flags; the program looks
	// at it itself.
	Arguments      bool
	help           string
	stdout, stderr io.Writer
}

// NewFlags returns flags of the program with this name; the text stands above the
// list of flags in its help.
func NewFlags(name, help string, stdout, stderr io.Writer) *Flags {
	f := &Flags{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError), help: help, stdout: stdout, stderr: stderr}
	f.SetOutput(io.Discard) // the package would print the whole help under each mistake
	f.Usage = func() {}
	return f
}

// Parse parses the arguments and sees that nothing stands besides flags. If goOn is
// false the program ends with the status.
func (f *Flags) Parse(args []string) (status int, goOn bool) {
	err := f.FlagSet.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(f.stdout, f.help)
		f.SetOutput(f.stdout)
		f.PrintDefaults()
		f.SetOutput(io.Discard)
		return Done, false
	case err != nil:
		return f.Misused("%v", err), false
	case f.NArg() > 0 && !f.Arguments:
		return f.Misused("unexpected argument %q", f.Arg(0)), false
	}
	return Done, true
}

// Misused tells of a mistake in the flags and returns [Usage].
func (f *Flags) Misused(format string, args ...any) int {
	fmt.Fprintf(f.stderr, "%s: %s; -h explains the flags\n", f.Name(), fmt.Sprintf(format, args...))
	return Usage
}

// Fail tells of an error and returns the status of a program that ends with it:
// [Usage] for a [UsageError], otherwise the given one, or [Failed] if that is Done.
func (f *Flags) Fail(status int, err error) int {
	fmt.Fprintf(f.stderr, "%s: %v\n", f.Name(), err)
	if _, ok := errors.AsType[*UsageError](err); ok {
		return Usage
	}
	return cmp.Or(status, Failed)
}

// Warn tells of what does not hinder but should be mended.
func (f *Flags) Warn(warnings ...string) {
	for _, w := range warnings {
		fmt.Fprintf(f.stderr, "%s: warning: %s\n", f.Name(), w)
	}
}

// IsTerminal reports whether somebody reads along.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
