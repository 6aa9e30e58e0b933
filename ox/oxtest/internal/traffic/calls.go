package traffic

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Call is one request that the server answered, or is about to.
type Call struct {
	// Service is "OXUserService" and so on, or "http" for the HTTP API.
	Service string
	Op      string
	// Context is the context that the request names, 0 if none. For copyUser it is the source.
	Context schoolmail.ContextID
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

// Log records calls.
type Log struct {
	mu       sync.Mutex
	Off      bool
	calls    []Call
	counts   map[string]int
	outcomes map[string]int
	flying   int
	contexts map[schoolmail.ContextID]int
	peak     int
	in, out  int64
}

func newLog() *Log {
	return &Log{counts: map[string]int{}, outcomes: map[string]int{}, contexts: map[schoolmail.ContextID]int{}}
}

func (l *Log) Begin(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flying++
	l.contexts[c.Context]++
	l.peak = max(l.peak, l.flying)
	c.InFlight, c.InFlightContext = l.flying, l.contexts[c.Context]
	c.Start = time.Now()
}

func (l *Log) End(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.Duration = time.Since(c.Start)
	l.flying--
	l.contexts[c.Context]--
	l.counts[c.Service+"."+c.Op]++
	l.outcomes[c.Outcome]++
	l.in += c.Request
	l.out += c.Response
	if !l.Off {
		l.calls = append(l.calls, *c)
	}
}

// All lists what was recorded.
func (l *Log) All() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.calls)
}

// ByOperation counts the calls.
func (l *Log) ByOperation() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// Sums is the number of all calls, and the bytes of their bodies.
func (l *Log) Sums() (n int, in, out int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.counts {
		n += c
	}
	return n, l.in, l.out
}

// Highest is the largest number of calls that were under way at once.
func (l *Log) Highest() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peak
}

// Reset forgets what was recorded.
func (l *Log) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = nil
	l.counts, l.outcomes = map[string]int{}, map[string]int{}
	l.peak, l.in, l.out = l.flying, 0, 0
}
