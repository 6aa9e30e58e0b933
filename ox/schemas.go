package ox

import (
	"context"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/waits"
)

// schemas holds calls back while a database schema is locked for an update:
// all contexts of a schema are affected at once, and the update takes minutes.
// Which context lies in which schema is learned from context reads and from the
// server's own message.
type schemas struct {
	first, max time.Duration // pauses grow from first to max
	limit      time.Duration // for which a schema is waited for
	board      *waits.Board

	mu    sync.Mutex
	of    map[schoolmail.ContextID]string
	gates map[string]*gate
}

// gate is a schema that was locked when last seen.
type gate struct {
	closed time.Time // when the pause began
	until  time.Time // when to try again
	pause  time.Duration
}

// learn notes the schema of a context.
func (s *schemas) learn(id schoolmail.ContextID, schema string) {
	if id == 0 || schema == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = make(map[schoolmail.ContextID]string)
	}
	s.of[id] = schema
}

// wait returns once the schemas of the contexts may be tried. One that has been
// waited for too long may be: the answer tells whether it is still locked.
func (s *schemas) wait(ctx context.Context, ids ...schoolmail.ContextID) error {
	for {
		schema, d := s.remaining(ids)
		if d <= 0 || s.board.Spent(schemaWait(schema), s.limit) {
			return nil
		}
		if err := s.board.Pause(ctx, schemaWait(schema), d, s.limit); err != nil {
			return err
		}
	}
}

// remaining is the schema that lets the contexts wait longest, and how long.
func (s *schemas) remaining(ids []schoolmail.ContextID) (schema string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		name := s.of[id]
		if g := s.gates[name]; g != nil && time.Until(g.until) > d {
			schema, d = name, time.Until(g.until)
		}
	}
	return schema, d
}

// locked notes that a call that began at start found the schema locked. Calls
// that were under way together lengthen the pause only once.
func (s *schemas) locked(schema string, start time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.gates[schema]
	now := time.Now()
	switch {
	case g == nil:
		g = &gate{pause: s.first}
		if s.gates == nil {
			s.gates = make(map[string]*gate)
		}
		s.gates[schema] = g
	case start.Before(g.closed):
		return
	default:
		g.pause = min(2*g.pause, s.max)
	}
	g.closed, g.until = now, now.Add(g.pause)
}

// unlocked notes that a call about the context that began at start got through.
func (s *schemas) unlocked(id schoolmail.ContextID, start time.Time) {
	s.mu.Lock()
	schema := s.of[id]
	open := s.gates[schema] != nil && !start.Before(s.gates[schema].closed)
	if open {
		delete(s.gates, schema)
	}
	s.mu.Unlock()
	if open {
		s.board.Free(schemaWait(schema))
	}
}
