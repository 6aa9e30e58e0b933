// Package breaks keeps deliberate breaks of the promises, and finds out whether
// the tests notice them.
//
// A [Break] is a small change within one function that breaks one promise. To try
// many of them costs one build for each package: [Prepare] puts a copy of the
// function with each break beside the original, by an overlay, so that nothing on disk
// changes, and a number in the environment says which of the copies is called.
// [Suite.Try] runs tests with one break: first the one that list.txt says noticed it
// the last time, and when that does not, all tests of the file's package, so that a
// break costs a second and only a survivor a minute. A break that no test notices
// survives: a test is missing, or the text does nothing and can go. A survivor that is
// meant says why in Meant. The command tries all of them and prints the survivors, and
// how many were noticed:
//
//	go run ./internal/breaks/run                    # all
//	go run ./internal/breaks/run -dir . -untried -v # new ones of the root
//	go run ./internal/breaks/run -untried -record   # and write down which test noticed them
//
// A test holds that every break still applies and compiles; another tries ten of those
// that are known to be noticed.
package breaks

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Break is a change to a file that breaks a promise.
type Break struct {
	File    string // below the module's directory, with slashes
	Old     string // stands in the file exactly once, within a function
	New     string
	Promise string // what is broken
	Meant   string // why it is all right that no test notices it; empty: it is not
	By      string // the test that noticed it, after its package and a space if that is another
}

// list has the breaks: a line "@ file: promise", "= the test that noticed it", perhaps
// "! why no test need notice it", the old text behind "-" and the new text behind "+".
// A text that ends with the end of a line has an empty last line.
//
//go:embed list.txt
var list string

// All lists the breaks of all packages.
func All() []Break {
	var all []Break
	for section := range strings.SplitSeq("\n"+list, "\n@ ") {
		if b := parse(section); b.Old != "" {
			all = append(all, b)
		}
	}
	return all
}

// parse reads what follows an "@ ".
func parse(section string) (b Break) {
	lines := strings.Split(strings.TrimRight(section, "\n"), "\n")
	b.File, b.Promise, _ = strings.Cut(lines[0], ": ")
	var before, after []string
	for _, l := range lines[1:] {
		switch {
		case strings.HasPrefix(l, "= "):
			b.By = l[2:]
		case strings.HasPrefix(l, "! "):
			b.Meant = l[2:]
		case strings.HasPrefix(l, "-"):
			before = append(before, l[1:])
		case strings.HasPrefix(l, "+"):
			after = append(after, l[1:])
		}
	}
	b.Old, b.New = strings.Join(before, "\n"), strings.Join(after, "\n")
	return b
}

// Untried reports whether nobody has looked yet if a test notices the break.
func (b *Break) Untried() bool { return b.By == "" && b.Meant == "" }

// Record writes into the list in the module's directory which test noticed each of the
// breaks.
func Record(root string, noticed []Break) error {
	file := filepath.Join(root, "internal", "breaks", "list.txt")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, []byte(record(string(text), noticed)), 0o644)
	}
	if err != nil {
		return fmt.Errorf("breaks: %w", err)
	}
	return nil
}

func record(list string, noticed []Break) string {
	key := func(b Break) [3]string { return [3]string{b.File, b.Promise, b.New} }
	by := map[[3]string]string{}
	for _, b := range noticed {
		by[key(b)] = b.By
	}
	sections := strings.Split("\n"+list, "\n@ ")
	for i, section := range sections {
		b := parse(section)
		if test := by[key(b)]; test != "" {
			head, rest, _ := strings.Cut(section, "\n")
			sections[i] = head + "\n= " + test + "\n" + strings.TrimPrefix(rest, "= "+b.By+"\n")
		}
	}
	return strings.TrimPrefix(strings.Join(sections, "\n@ "), "\n")
}

// Root returns the module's directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("breaks: not within the module")
		}
		dir = up
	}
}

// find returns the text of the break's file and where the old text stands in it.
func (b *Break) find(root string) (text string, at int, err error) {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b.File)))
	if err != nil {
		return "", 0, fmt.Errorf("breaks: %w", err)
	}
	text = string(data)
	if n := strings.Count(text, b.Old); n != 1 || b.Old == b.New {
		return "", 0, fmt.Errorf("breaks: %s: %q stands there %d times", b.File, b.Old, n)
	}
	return text, strings.Index(text, b.Old), nil
}
