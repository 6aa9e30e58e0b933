package appsuite

import (
	"fmt"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/internal/waits"
)

// Observer is told what a [Client] is doing that somebody may wonder about. It is
// called from several goroutines and should return soon.
type Observer interface{ Observe(Event) }

// Event is a wait that has lasted, or is going to last, longer than five seconds,
// or the end of one. All requests that wait for the same are told of as one.
type Event struct {
	Reason  Reason
	Subject string    // the server's host, or the context as its accounts log in
	Since   time.Time // when the first request began to wait
	Until   time.Time // when it goes on or is given up; when it was over, if it is
	Over    bool
}

// Reason is what a request waits for.
type Reason string

// The reasons.
const (
	RateLimit    Reason = "the server's rate limit is reached"
	Pacing       Reason = "requests are held back to stay below the server's rate limit"
	ServerDown   Reason = "server does not answer"
	SchemaLocked Reason = "database schema is being updated"
)

// String is a line for the terminal, without anybody's name.
func (e Event) String() string {
	switch {
	case e.Over:
		return fmt.Sprintf("ox http: going on after %v: %s (%s)", e.Until.Sub(e.Since).Round(time.Second), e.Reason,
			e.Subject)
	case e.Reason == RateLimit || e.Reason == Pacing:
		return fmt.Sprintf("ox http: waiting: %s (%s); until %s", e.Reason, e.Subject, e.Until.Format(time.TimeOnly))
	}
	return fmt.Sprintf("ox http: waiting: %s (%s); until %s at most", e.Reason, e.Subject, e.Until.Format(time.TimeOnly))
}

// tell passes a wait on to the observer.
func tell(o Observer) func(waits.Wait) {
	if o == nil {
		return nil
	}
	return func(w waits.Wait) {
		o.Observe(Event{Reason: Reason(w.Reason), Subject: w.Subject, Since: w.Since, Until: w.Until, Over: w.Over})
	}
}

func (c *Client) serverWait() waits.Key {
	return waits.Key{Reason: string(ServerDown), Subject: c.base.Host}
}

// schemaWait is the key of the context of an account.
func schemaWait(cred Credentials) waits.Key {
	i := strings.LastIndex(cred.Name, "@")
	if i < 0 {
		return waits.Key{Reason: string(SchemaLocked), Subject: "the default context"}
	}
	return waits.Key{Reason: string(SchemaLocked), Subject: "context " + cred.Name[i+1:]}
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }
