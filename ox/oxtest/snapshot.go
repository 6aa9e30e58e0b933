package oxtest

import (
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// Snapshot is a copy of a [State] that nobody changes.
type Snapshot struct{ w *state.World }

// Snapshot copies the state, so that a test can go back to it.
func (s *State) Snapshot() *Snapshot {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	return &Snapshot{s.w.Clone()}
}

// Restore makes the state what it was. Calls under way keep working on what they
// have found.
func (s *State) Restore(from *Snapshot) {
	from.w.Mu.Lock()
	c := from.w.Clone()
	from.w.Mu.Unlock()
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	s.w.Become(c)
}
