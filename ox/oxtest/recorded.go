package oxtest

import "github.com/ictmedia/schoolmail"

// Calls returns the calls recorded so far, in the order in which they ended.
func (s *Server) Calls() []Call { return s.traffic.Log.All() }

// Counts says how often each operation was called, under "Service.operation".
func (s *Server) Counts() map[string]int { return s.traffic.Log.ByOperation() }

// Requests returns the number of all calls answered, and the bytes of their
// requests and answers.
func (s *Server) Requests() (n int, in, out int64) { return s.traffic.Log.Sums() }

// PeakInFlight returns the largest number of calls that were under way at once.
func (s *Server) PeakInFlight() int { return s.traffic.Log.Highest() }

// ResetCalls forgets calls and counts.
func (s *Server) ResetCalls() { s.traffic.Log.Reset() }

// Inject adds a rule and returns a function that removes it. When several rules
// match a call, the oldest that hits counts.
func (s *Server) Inject(r Fault) (remove func()) { return s.traffic.Faults.Add(r) }

// HTTPCalls lists the calls of the HTTP API so far, those inside a "multiple"
// one by one before the "multiple" itself.
func (s *Server) HTTPCalls() []HTTPCall { return s.http.Recorded() }

// EndSessions drops all sessions of a context (0: of all), as after a restart:
// clients must log in again.
func (s *Server) EndSessions(context schoolmail.ContextID) { s.http.EndSessions(int(context)) }

// OpenSessions is the number of sessions that were neither ended nor have expired.
func (s *Server) OpenSessions() int { return s.http.OpenSessions() }
