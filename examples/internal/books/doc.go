// Package books is what the example addressbooks does, and watch after a change: it
// reads people and rules, opens the contexts, plans or syncs, and writes files.
package books
