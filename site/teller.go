package site

import (
	"sync"

	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// teller passes on to the run that is going on what its servers have to tell.
type teller struct {
	mu sync.Mutex
	to Observer
}

// during lets o hear until the function that it returns is called.
func (t *teller) during(o Observer) (end func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.to
	t.to = o
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.to = before
	}
}

func (t *teller) tell(line string) {
	t.mu.Lock()
	o := t.to
	t.mu.Unlock()
	if o != nil {
		o.Observe(Event{Stage: Delayed, Notice: line})
	}
}

// listen makes a teller the observer of the clients for Open-Xchange.
func (t *teller) listen(set *Settings) {
	if set.OX.Observer == nil {
		set.OX.Observer = ox.ObserverFunc(func(e ox.Event) { t.tell(e.String()) })
	}
	set.Groupware.ReadEither = set.Groupware.ReadEither || set.ReadEither
}

// http is the observer of the client that reads users by the HTTP API.
func (t *teller) http() appsuite.Observer {
	return appsuite.ObserverFunc(func(e appsuite.Event) { t.tell(e.String()) })
}
