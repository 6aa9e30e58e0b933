// Package breaks keeps deliberate breaks of the promises, and finds out whether
// the tests notice them.
//
// A [Break] is a small change within one function that breaks one promise. To try
// many of them costs one build for each package: [Prepare] puts a copy of the
// function with each break beside the original, by an overlay, so that nothing on disk
// changes, and a number in the environment says which of the copies is called.
// [Suite.Try] runs the tests of the file's package with one break. A break that no
// test notices survives: a test is missing, or the text does nothing and can go. A
// survivor that is meant says why in Meant. The command tries all of them and prints
// the survivors:
//
//	go run ./internal/breaks/run            # all
//	go run ./internal/breaks/run -file guard.go -v
//
// A test holds that every break still applies, and tries a few of those that are
// known to be noticed.
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
	Untried bool   // nobody has looked yet whether a test notices it
}

// list has the breaks: a line "@ file: promise", "?" if it was never tried, perhaps
// "! why no test need notice it", the old text behind "-" and the new text behind "+".
// A text that ends with the end of a line has an empty last line.
//
//go:embed list.txt
var list string

// All lists the breaks of all packages.
func All() []Break {
	var all []Break
	for section := range strings.SplitSeq("\n"+list, "\n@ ") {
		lines := strings.Split(strings.TrimRight(section, "\n"), "\n")
		var b Break
		b.File, b.Promise, _ = strings.Cut(lines[0], ": ")
		var before, after []string
		for _, l := range lines[1:] {
			switch {
			case l == "?":
				b.Untried = true
			case strings.HasPrefix(l, "! "):
				b.Meant = l[2:]
			case strings.HasPrefix(l, "-"):
				before = append(before, l[1:])
			case strings.HasPrefix(l, "+"):
				after = append(after, l[1:])
			}
		}
		if b.Old, b.New = strings.Join(before, "\n"), strings.Join(after, "\n"); b.Old != "" {
			all = append(all, b)
		}
	}
	return all
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
