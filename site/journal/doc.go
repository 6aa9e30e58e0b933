// Package journal keeps the journal of Apply in a file: what was about to be
// done, and what was done.
//
// [Open] returns a [File], which implements [schoolmail.Journal]. Append
// returns when the entry is on stable storage; goroutines that append at the
// same time share one fsync, so many workers are not slower than one.
//
// # The file
//
// A journal is a text file that an operator can read and grep. Its first line
// is
//
//	# schoolmail journal, format 1
//
// and each further one is an entry: its number from 1, the CRC-32C of number
// and text, and the entry as JSON:
//
//	1 5e1c02b7 {"time":"2026-08-10T02:00:00Z","plan":"p1","step":"create:a.muster","effect":"create-account","phase":"intent"}
//
// The file is only ever appended to, is readable by its owner alone (0600) and
// is locked, so that two runs cannot write one journal.
//
// # After a crash
//
// A crash may leave an unfinished entry at the end. No Append returned for
// it, so Open cuts it off and tells how much that was ([File.Recovered]). A damaged
// line with a good one after it is something else: entries that were
// promised to be kept have been lost. Then Open refuses the journal with a
// [*CorruptError] that names the line; what to do is for a human to decide.
//
// After a failed write the journal takes no more entries: what is on the disk
// then is not known until it is opened again.
//
// [Memory] and [Faulty] are for tests.
package journal
