package traffic

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
)

// Failure is something that goes wrong with a call. The zero value does nothing.
// Several may be set, as far as they make sense together.
type Failure struct {
	// Kind answers with a fault of this kind, without doing the work, for
	// example "StorageException"; Message is its text.
	Kind, Message string
	// Status answers with this HTTP status and an HTML page, without doing the work.
	Status int
	// ResetBefore drops the connection without doing the work, ResetAfter after
	// having done it: to a client they look the same.
	ResetBefore, ResetAfter bool
	// Truncate does the work and ends the answer after so many bytes.
	Truncate int
	// Delay is added to the call's time.
	Delay time.Duration
	// SlowBody is the pause after each 4 KiB of the answer.
	SlowBody time.Duration
}

// Conflict is the failure of a user write that waited too long for its context's lock.
var Conflict = Failure{Kind: "StorageException",
	Message: "User update conflict: Another process is currently modifying user data. Please try again later."}

// Temporary is what OX answers shortly after its start.
var Temporary = Failure{Kind: "StorageException",
	Message: "SRV-0001 Categories=TRY_AGAIN " +
		"Message='The required service is temporary not available. Please try again later.'"}

// Fault says which calls a [Failure] hits. Empty fields match everything.
type Fault struct {
	Service, Op string
	Context     schoolmail.ContextID
	// Skip lets so many matching calls pass first.
	Skip int
	// Times ends the rule after so many hits; 0 means never.
	Times int
	// Rate hits only this share of the matching calls, at random; 0 means all.
	Rate float64
	Failure
}

type Injector struct {
	mu    sync.Mutex
	rng   *rand.Rand
	rules []*activeRule
}

type activeRule struct {
	Fault
	seen, hits int
}

// Failure returns what shall go wrong with a call.
func (in *Injector) Failure(c *Call) Failure {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.rules {
		if r.Service != "" && r.Service != c.Service || r.Op != "" && r.Op != c.Op || r.Context != 0 &&
			r.Context != c.Context {
			continue
		}
		if r.seen++; r.seen <= r.Skip || r.Times > 0 && r.hits >= r.Times {
			continue
		}
		if r.Rate > 0 && in.rng.Float64() >= r.Rate {
			continue
		}
		r.hits++
		return r.Failure
	}
	return Failure{}
}

// Add adds a rule and returns a function that removes it.
func (in *Injector) Add(r Fault) (remove func()) {
	a := &activeRule{Fault: r}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.rules = append(in.rules, a)
	return func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.rules = slices.DeleteFunc(in.rules, func(x *activeRule) bool { return x == a })
	}
}
