// Package mistakes joins the mistakes of one input, all of which are told at once.
package mistakes

import "strings"

// Lines is the text of all mistakes, one a line.
func Lines[E error](all []E) string {
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Each lists them for errors.Is and errors.As.
func Each[E error](all []E) []error {
	errs := make([]error, len(all))
	for i, e := range all {
		errs[i] = e
	}
	return errs
}
