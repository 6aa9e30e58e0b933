package oxtest

import (
	"sync"
	"time"
)

// Restart takes the server away for d, which a real one needs some 45 to 100 seconds
// of. Sessions are gone afterwards. For the last quarter of d it answers again, but
// does not know its services yet. Calls under way are finished.
func (s *Server) Restart(d time.Duration) {
	s.EndSessions(0)
	s.outage.mu.Lock()
	defer s.outage.mu.Unlock()
	s.outage.until = time.Now().Add(d)
	s.outage.known = s.outage.until.Add(-d / 4)
}

// outage is a restart that is going on.
type outage struct {
	mu           sync.Mutex
	known, until time.Time // connections are accepted from the one, calls answered from the other on
}

type phase int

const (
	up phase = iota
	down
	starting
)

func (o *outage) now() phase {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case now.Before(o.known):
		return down
	case now.Before(o.until):
		return starting
	}
	return up
}
