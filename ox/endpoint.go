package ox

import (
	"context"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/limiter"
	"github.com/ictmedia/schoolmail/internal/retry"
	"github.com/ictmedia/schoolmail/internal/soap"
)

// endpoint is one server of the cluster.
type endpoint struct {
	client *soap.Client
	name   string // address without user info
	limit  *limiter.Limiter

	mu    sync.Mutex
	pause time.Duration // after the last failure; 0: it has answered since
	last  time.Time     // when it failed last
	until time.Time     // out of service until then
}

// Pauses of a server that did not answer, doubled with each failure.
const (
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
)

// usable reports whether the server may be asked, and if not, for how long.
func (e *endpoint) usable() (bool, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := time.Until(e.until)
	return d <= 0, d
}

// failed notes that a request which began at start got no proper answer. Requests
// that were under way together fail together, which counts once.
func (e *endpoint) failed(start time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if start.Before(e.last) {
		return
	}
	e.last = time.Now()
	e.pause = retry.Grow(e.pause, firstPause, maxPause)
	e.until = e.last.Add(e.pause)
}

// down reports whether the server's last answer was none, or none of OX.
func (e *endpoint) down() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pause > 0
}

func (e *endpoint) answered() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pause, e.until = 0, time.Time{}
}

// cluster is the list of servers.
type cluster []*endpoint

// pick returns the server for a context: always the same one as long as it is
// in service (OX keeps caches per node), else the next one in order. If none is
// in service it is the one that will be first.
func (c cluster) pick(id schoolmail.ContextID) *endpoint {
	home := int(uint(id) % uint(len(c)))
	var best *endpoint
	var least time.Duration
	for i := range c {
		e := c[(home+i)%len(c)]
		ok, wait := e.usable()
		if ok {
			return e
		}
		if best == nil || wait < least {
			best, least = e, wait
		}
	}
	return best
}

// acquire picks the server for a context and waits for a slot there. If the
// server goes out of service meanwhile, whoever waits goes on to the next one.
func (c cluster) acquire(ctx context.Context, id schoolmail.ContextID) (*endpoint, error) {
	for {
		e := c.pick(id)
		if err := e.limit.Acquire(ctx); err != nil {
			return nil, err
		}
		if ok, _ := e.usable(); ok || c.pick(id) == e {
			return e, nil
		}
		e.limit.Return()
	}
}
