package ox

import (
	"fmt"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/waits"
)

// Observer is told what a [Client] is doing that somebody may wonder about. It is
// called from several goroutines and should return soon.
type Observer interface{ Observe(Event) }

// Event is a wait that has lasted, or is going to last, longer than five seconds,
// or the end of one; all calls that wait for the same are told of as one. A
// [Groupware] also tells of the context that it reads by another way than it was
// set to, and of each copy that it has compared.
type Event struct {
	Reason  Reason
	Subject string    // which server, schema or context
	Since   time.Time // when the first call began to wait
	Until   time.Time // when the calls are given up; when it was over, if it is
	Over    bool

	Context schoolmail.ContextID // that is read by SOAP instead
	Err     error                // why
	// Verification is what is known of a copy that was found complete.
	Verification *Verification
}

// Reason is what a call waits for, or what else is told of.
type Reason string

// The reasons.
const (
	ServerDown   Reason = "server does not answer"           // down, starting, or hidden by a proxy
	SchemaLocked Reason = "database schema is being updated" // or an update is due
	OtherWriter  Reason = "another program writes users"
	CopyInDoubt  Reason = "a copy may still be under way" // its answer was lost

	FellBack Reason = "a context is read by SOAP instead" // no wait
	Compared Reason = "a copy is complete"                // no wait
)

// String is a line for the terminal, without anybody's name.
func (e Event) String() string {
	switch e.Reason {
	case FellBack:
		return fmt.Sprintf("context %d is read by SOAP, because by HTTP it cannot be: %v", e.Context, e.Err)
	case Compared:
		return "ox: a copy was compared with its source and is complete"
	}
	if e.Over {
		return fmt.Sprintf("ox: going on after %v: %s (%s)", e.Until.Sub(e.Since).Round(time.Second), e.Reason, e.Subject)
	}
	return fmt.Sprintf("ox: waiting: %s (%s); until %s at most", e.Reason, e.Subject, e.Until.Format(time.TimeOnly))
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

// The keys of what is waited for.
func serverWait(e *endpoint) waits.Key { return waits.Key{Reason: string(ServerDown), Subject: e.name} }
func schemaWait(schema string) waits.Key {
	return waits.Key{Reason: string(SchemaLocked), Subject: schema}
}
func writerWait(context int) waits.Key {
	return waits.Key{Reason: string(OtherWriter), Subject: fmt.Sprintf("context %d", context)}
}
func copyWait(context int) waits.Key {
	return waits.Key{Reason: string(CopyInDoubt), Subject: fmt.Sprintf("into context %d", context)}
}

// ObserverFunc is a function as an [Observer].
type ObserverFunc func(Event)

// Observe calls f.
func (f ObserverFunc) Observe(e Event) { f(e) }
