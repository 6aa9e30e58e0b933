// Package journal keeps the journal of Apply in a file: what was about to be
// done, and what was done.
//
// [Open] returns a [File], which implements [schoolmail.Journal]. Append
// returns when the entries are on stable storage; goroutines that append at the
// same time share one fsync, so many workers are not slower than one.
//
// # The file
//
// A journal is a text file that an operator can read and grep. Its head is
//
//	# schoolmail journal, format 2
//	# file 3, continues 9Cq0...
//
// with the number of the file and the hash in which the file before it ended. Then
// come batches of entries, each written and brought to the disk at once:
//
//	@1786327200
//	p 3f2a90c1d7e4
//	1=create:escada/100147 anna.muster
//	1 create-account?
//	=mW1rkVQx0bA...
//	+2
//	1 create-account.
//	1 ensure-user?
//	=Ejh0c7Yq2fE...
//
// "@" gives the time in seconds of the epoch, "+" the seconds since then; "p" the
// plan; "1=" a step and its subject under a number; a number and an effect with "?"
// what is about to be done, "." what is done, "!" what has failed, "-" what was found
// never to have begun. Each batch ends with the SHA-256 of the hash before it and of the batch, in base64: a chain, in
// which nothing can be changed, removed or put in between without a trace. Format 1,
// a JSON object and a checksum per line, is read and carried on.
//
// The file is only ever appended to and is readable by its owner alone (0600). A file
// beside it is locked, so that two runs cannot write one journal.
//
// # Closed files
//
// [File.Rotate] closes the file: it is compressed beside the journal as
// journal.000003.gz and kept, and the next one begins with its hash and with what is
// still needed as proof. So the time to open a journal does not depend on how long
// it has been kept. [Verify] goes through all of it.
//
// # After a crash
//
// A crash may leave an unfinished batch at the end. No Append returned for
// it, so Open cuts it off and tells how much that was ([File.Recovered]). A damaged
// batch with a good one after it is something else: entries that were
// promised to be kept have been lost. Then Open refuses the journal with a
// [*CorruptError] that names the line and says what to do; to do it is for a human.
//
// After a failed write the journal takes no more entries: what is on the disk
// then is not known until it is opened again.
//
// [Memory] and [Faulty] are for tests.
package journal
