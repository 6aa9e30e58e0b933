package oxtest

import (
	"maps"
	"slices"
)

// Snapshot is a copy of a [State] that nobody changes.
type Snapshot struct{ state *State }

// Snapshot copies the state, so that a test can go back to it.
func (s *State) Snapshot() *Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Snapshot{s.copy()}
}

// Restore makes the state what it was. Calls under way keep working on what they
// have found.
func (s *State) Restore(from *Snapshot) {
	from.state.mu.Lock()
	c := from.state.copy()
	from.state.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contexts, s.servers, s.databases, s.filestores, s.reasons = c.contexts, c.servers, c.databases, c.filestores,
		c.reasons
	s.nextID, s.jobs, s.nextJob, s.updating = c.nextID, c.jobs, c.nextJob, c.updating
}

// copy copies everything but what is never changed in place.
func (s *State) copy() *State {
	out := &State{settings: s.settings, contexts: map[int]*contextState{}, servers: maps.Clone(s.servers),
		databases:  maps.Clone(s.databases),
		filestores: maps.Clone(s.filestores), reasons: maps.Clone(s.reasons), nextID: s.nextID, jobs: maps.Clone(s.jobs),
		nextJob:  s.nextJob,
		updating: maps.Clone(s.updating)}
	for id, c := range s.contexts {
		out.contexts[id] = c.copy()
	}
	return out
}

func (c *contextState) copy() *contextState {
	out := *c
	out.mappings, out.quotas, out.capabilities = maps.Clone(c.mappings), maps.Clone(c.quotas), maps.Clone(c.capabilities)
	out.attributes = c.attributes.clone()
	out.resources, out.accounts = maps.Clone(c.resources), slices.Clone(c.accounts)
	out.users, out.byName = map[int]*userState{}, map[string]*userState{}
	out.byDisplay, out.byDisplayFold, out.byPrimary = index{}, index{}, index{}
	for _, id := range c.userIDs() {
		u := *c.users[id]
		data := u.data
		u.data = nil
		u.attributes, u.capabilities, u.personalData = u.attributes.clone(), maps.Clone(u.capabilities),
			u.personalData.clone()
		out.store(&u, data)
	}
	out.groups = map[int]*groupState{}
	for id, g := range c.groups {
		n := *g
		n.members = maps.Clone(g.members)
		out.groups[id] = &n
	}
	out.pim = c.pim.clone()
	out.lock = newWriteLock()
	return &out
}
