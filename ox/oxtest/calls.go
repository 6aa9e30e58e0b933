package oxtest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Call is one request that a [Server] answered, or is about to.
type Call struct {
	// Service is "OXUserService" and so on, or "http" for the HTTP API.
	Service string
	Op      string
	// Context is the context that the request names, 0 if none. For copyUser it is the source.
	Context int
	// Subject is what the call is about: the login name or id of its user or the
	// name or id of its group, "" if none.
	Subject string
	// Objects is how many users or groups the request names, or the size of the
	// context for a list.
	Objects int

	Start    time.Time
	Duration time.Duration
	// InFlight is the number of calls under way when this one began, itself
	// included; InFlightContext counts those of the same context only.
	InFlight        int
	InFlightContext int
	// Outcome is "" for success, a fault kind such as "StorageException", the code
	// of a fault without a kind, or the name of an injected failure.
	Outcome string
	// Request and Response count the bytes of the bodies.
	Request, Response int64
}

// String gives service, operation, context and outcome on one line.
func (c Call) String() string {
	s := fmt.Sprintf("%s.%s", c.Service, c.Op)
	if c.Context != 0 {
		s += fmt.Sprintf(" context %d", c.Context)
	}
	if c.Subject != "" {
		s += " " + c.Subject
	}
	if c.Outcome != "" {
		s += ": " + c.Outcome
	}
	return s
}

// callLog records calls.
type callLog struct {
	mu       sync.Mutex
	off      bool
	calls    []Call
	counts   map[string]int
	outcomes map[string]int
	flying   int
	contexts map[int]int
	peak     int
	in, out  int64
}

func newCallLog() *callLog {
	return &callLog{counts: map[string]int{}, outcomes: map[string]int{}, contexts: map[int]int{}}
}

func (l *callLog) begin(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying++
	l.contexts[c.Context]++
	l.peak = max(l.peak, l.flying)
	c.InFlight, c.InFlightContext = l.flying, l.contexts[c.Context]
	c.Start = time.Now()
}

func (l *callLog) end(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Duration = time.Since(c.Start)
	l.flying--
	l.contexts[c.Context]--
	l.counts[c.Service+"."+c.Op]++
	l.outcomes[c.Outcome]++
	l.in += c.Request
	l.out += c.Response
	if !l.off {
		l.calls = append(l.calls, *c)
	}
}

// Calls returns the calls recorded so far, in the order in which they ended.
func (s *Server) Calls() []Call {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return slices.Clone(s.log.calls)
}

// Counts says how often each operation was called, under "Service.operation".
func (s *Server) Counts() map[string]int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	out := make(map[string]int, len(s.log.counts))
	for k, v := range s.log.counts {
		out[k] = v
	}
	return out
}

// Requests returns the number of all calls answered, and the bytes of their
// requests and answers.
func (s *Server) Requests() (n int, in, out int64) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, c := range s.log.counts {
		n += c
	}
	return n, s.log.in, s.log.out
}

// PeakInFlight returns the largest number of calls that were under way at once.
func (s *Server) PeakInFlight() int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.peak
}

// ResetCalls forgets calls and counts.
func (s *Server) ResetCalls() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.calls = nil
	s.log.counts, s.log.outcomes = map[string]int{}, map[string]int{}
	s.log.peak, s.log.in, s.log.out = s.log.flying, 0, 0
}
