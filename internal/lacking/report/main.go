// Command report runs the tests as "go test" does, with the same arguments, and
// tells at the end in one line what was skipped for want of a server or a program,
// which "go test" says with -v alone:
//
//	go run ./internal/lacking/report ./...
//
// It prints what "go test" prints and ends with its exit status.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/lacking"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	report(os.Stdout, out)
	if err := cmd.Wait(); err != nil {
		if e, ok := errors.AsType[*exec.ExitError](err); ok {
			os.Exit(e.ExitCode())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// event is a line of "go test -json".
type event struct{ Action, Package, Test, Output string }

// report prints the summary of each package, and all output of those that failed;
// then what was lacking.
func report(w io.Writer, events io.Reader) {
	said := map[string]*bytes.Buffer{} // by package
	summary := map[string]string{}
	lacks := map[string]map[string]bool{} // what -> tests
	for d := json.NewDecoder(events); ; {
		var e event
		if d.Decode(&e) != nil {
			break
		}
		buffer := said[e.Package]
		if buffer == nil {
			buffer = &bytes.Buffer{}
			said[e.Package] = buffer
		}
		if e.Action == "output" {
			buffer.WriteString(e.Output)
			if e.Test == "" && e.Output != "PASS\n" {
				summary[e.Package] = e.Output
			}
			if _, what, ok := strings.Cut(e.Output, lacking.Mark); ok {
				what = strings.TrimSpace(what)
				if lacks[what] == nil {
					lacks[what] = map[string]bool{}
				}
				lacks[what][e.Package+"."+e.Test] = true
			}
		}
		if e.Test != "" || e.Action != "pass" && e.Action != "fail" && e.Action != "skip" {
			continue
		}
		if e.Action == "fail" {
			fmt.Fprint(w, buffer)
		} else {
			fmt.Fprint(w, summary[e.Package])
		}
		delete(said, e.Package)
	}
	for _, left := range slices.Sorted(maps.Keys(said)) { // of packages that did not get to their tests
		fmt.Fprint(w, said[left])
	}
	fmt.Fprintln(w, line(lacks))
}

// line says in one line what was lacking, most tests first.
func line(lacks map[string]map[string]bool) string {
	if len(lacks) == 0 {
		return "nothing was skipped for want of a server or a program"
	}
	var parts []string
	for _, what := range slices.SortedFunc(maps.Keys(lacks), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(lacks[b]), len(lacks[a])), cmp.Compare(a, b))
	}) {
		parts = append(parts, fmt.Sprintf("%s (%d tests)", what, len(lacks[what])))
	}
	return "skipped for want of: " + strings.Join(parts, ", ")
}
