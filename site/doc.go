// Package site is the program behind examples/provision: it reads an
// export, observes the servers, plans, and applies, with everything that an
// operator needs around it (exit statuses, plan files, progress, reports,
// initial passwords), and it plays a year of a made-up district in the sandbox.
//
// It knows all parts of the SDK, which know nothing of each other. A program
// that composes them differently starts from [Site].
package site
