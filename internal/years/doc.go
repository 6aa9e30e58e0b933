// Package years plays a made-up district through simulated years, with an export
// that is wrong about people, servers that fail and operators who interfere, and
// counts what must never happen.
//
// A [Life] is one district: each day its people change a little, the export of
// the day is spoilt in one of many ways, a plan is made and applied to a [World]
// that fails now and then, and the promises are checked against the truth, which
// the planner never sees: who stands behind a record, who is really there, whose
// data a user in a context has. [Identity] measures how many wrong ids pass and
// how many real changes are held.
//
// The same seed gives the same years. The tests play a part that takes seconds;
//
//	go run ./internal/years/play -days 9000
//
// plays 25 years and prints the counts.
package years
