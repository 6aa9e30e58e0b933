package ucstest

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Call is one request as the server saw it. Passwords and values are not
// kept.
type Call struct {
	Op      string   // "bind", "search", "add", "modify", "delete", "modifydn", "compare", "starttls", "extended"
	User    string   // who was bound
	DN      string   // entry, search base, or OID of an extended operation
	Filter  string   // of a search
	Attrs   []string // asked for, compared or written
	Code    uint16   // LDAP result code of the answer
	Entries int      // entries returned by a search
}

// Loss says what a fault lets get lost, by cutting the connection.
type Loss int

// LoseRequest cuts the connection before the request is carried out, LoseAnswer
// when everything is done but before the answer is sent: the client cannot tell
// one from the other.
const (
	LoseNothing Loss = iota
	LoseRequest
	LoseAnswer
)

// Fault makes requests go wrong. Op and DN choose them (empty: all; DN is
// part of the name, without regard to case), Match chooses further. The fault strikes
// Times times (0: once, negative: for ever) after letting After matching
// requests pass.
type Fault struct {
	Op    string
	DN    string
	Match func(Call) bool
	After int
	Times int

	Code    uint16 // result code, for example 51 (busy) or 52 (unavailable)
	Message string
	Lose    Loss
	Delay   time.Duration
	// Entries, for searches: with LoseAnswer or a code, so many entries are
	// sent first.
	Entries int
}

func (f *Fault) message() string {
	if f.Message != "" {
		return f.Message
	}
	return "injected fault"
}

// recorder keeps calls, counts and faults.
type recorder struct {
	mu     sync.Mutex
	max    int
	calls  []Call
	counts map[string]int
	faults []*Fault
}

func (r *recorder) fault(c *Call) *Fault {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, f := range r.faults {
		if f.Op != "" && f.Op != c.Op ||
			!strings.Contains(strings.ToLower(c.DN), strings.ToLower(f.DN)) ||
			f.Match != nil && !f.Match(*c) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		hit := *f
		if f.Times >= 0 {
			if f.Times--; f.Times <= 0 {
				r.faults = slices.Delete(r.faults, i, i+1)
			}
		}
		return &hit
	}
	return nil
}

func (r *recorder) note(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	r.counts[c.Op]++
	if r.max <= 0 {
		return
	}
	if len(r.calls) >= 2*r.max {
		r.calls = append(r.calls[:0], r.calls[len(r.calls)-r.max:]...)
	}
	r.calls = append(r.calls, c)
}

// Inject adds a fault and returns what removes it. Faults are tried in the order
// in which they came.
func (s *Server) Inject(f Fault) (remove func()) {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	p := &f
	s.rec.faults = append(s.rec.faults, p)
	return func() {
		s.rec.mu.Lock()
		defer s.rec.mu.Unlock()
		s.rec.faults = slices.DeleteFunc(s.rec.faults, func(q *Fault) bool { return q == p })
	}
}

// Calls returns the latest calls, oldest first.
func (s *Server) Calls() []Call {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	calls := s.rec.calls
	if len(calls) > s.rec.max {
		calls = calls[len(calls)-s.rec.max:]
	}
	return slices.Clone(calls)
}

// Counts returns how many requests of each kind came since the start or the
// last ResetCalls.
func (s *Server) Counts() map[string]int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return maps.Clone(s.rec.counts)
}

// ResetCalls forgets calls and counts.
func (s *Server) ResetCalls() {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	s.rec.calls, s.rec.counts = nil, nil
}
