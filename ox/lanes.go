package ox

import (
	"context"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// lanes let one holder at a time through per context, first come, first
// served. OX serialises user writes within a context by a lock that the waiting
// calls poll in whole seconds, so that a second writer makes a context slower
// and can fail; waiting here costs nothing.
type lanes struct {
	mu sync.Mutex
	m  map[schoolmail.ContextID]*lane
}

type lane struct {
	slot  chan struct{} // holds one token while the lane is taken
	users int           // holder and waiters; guarded by lanes.mu
}

// acquire waits for the lane of a context. The function it returns gives the
// lane to the next one waiting.
func (l *lanes) acquire(ctx context.Context, id schoolmail.ContextID) (release func(), err error) {
	l.mu.Lock()
	if l.m == nil {
		l.m = make(map[schoolmail.ContextID]*lane)
	}
	ln := l.m[id]
	if ln == nil {
		ln = &lane{slot: make(chan struct{}, 1)}
		l.m[id] = ln
	}
	ln.users++
	l.mu.Unlock()

	leave := func() {
		l.mu.Lock()
		if ln.users--; ln.users == 0 {
			delete(l.m, id)
		}
		l.mu.Unlock()
	}
	select {
	case ln.slot <- struct{}{}:
		return func() { <-ln.slot; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
