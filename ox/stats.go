package ox

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail/internal/soap"
)

// Stats are counters since the client was made.
type Stats struct {
	Total   OpStats            // all operations together
	Ops     map[string]OpStats // by operation, for example "OXUserService.create"
	Servers []ServerStats      // in the order of the endpoints
}

// OpStats counts what one operation did.
type OpStats struct {
	Requests int64         // sent, repeated ones included
	Retries  int64         // repeated requests among them
	Errors   int64         // requests that ended in an error of any kind
	Sent     int64         // bytes of request bodies
	Received int64         // bytes of answer bodies, after decompression
	Time     time.Duration // sum of the requests' durations
}

// ServerStats is the state of one endpoint.
type ServerStats struct {
	Endpoint string
	InFlight int  // requests under way
	Limit    int  // most requests under way, as adapted to the server's health
	Usable   bool // false while the server is left alone after a failure
}

type counters struct {
	mu  sync.Mutex
	ops map[*soap.Operation]*OpStats
}

func (c *counters) of(op *soap.Operation) *OpStats {
	s := c.ops[op]
	if s == nil {
		s = new(OpStats)
		if c.ops == nil {
			c.ops = make(map[*soap.Operation]*OpStats)
		}
		c.ops[op] = s
	}
	return s
}

// observe counts one request.
func (c *counters) observe(x soap.Exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.of(x.Op)
	s.Requests++
	s.Sent += x.Sent
	s.Received += x.Received
	s.Time += x.Duration
	if x.Err != nil {
		s.Errors++
	}
}

func (c *counters) retried(op *soap.Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of(op).Retries++
}

// Stats returns a copy of the counters.
func (c *Client) Stats() Stats {
	st := Stats{Ops: make(map[string]OpStats)}
	c.counters.mu.Lock()
	for op, s := range c.counters.ops {
		st.Ops[op.String()] = *s
		t := &st.Total
		t.Requests += s.Requests
		t.Retries += s.Retries
		t.Errors += s.Errors
		t.Sent += s.Sent
		t.Received += s.Received
		t.Time += s.Time
	}
	c.counters.mu.Unlock()
	for _, e := range c.servers {
		limit, inFlight := e.limit.State()
		ok, _ := e.usable()
		st.Servers = append(st.Servers, ServerStats{Endpoint: e.name, Limit: limit, InFlight: inFlight, Usable: ok})
	}
	return st
}

// Busiest returns the operations by number of requests, most first.
func (s Stats) Busiest() []string {
	names := make([]string, 0, len(s.Ops))
	for n := range s.Ops {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.Ops[b].Requests, s.Ops[a].Requests), cmp.Compare(a, b))
	})
	return names
}
