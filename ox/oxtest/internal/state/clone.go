package state

import (
	"maps"
	"slices"
)

// copy copies everything but what is never changed in place.
func (s *World) Clone() *World {
	out := &World{Settings: s.Settings, Contexts: map[int]*Context{}, Servers: maps.Clone(s.Servers),
		Databases:  maps.Clone(s.Databases),
		Filestores: maps.Clone(s.Filestores), Reasons: maps.Clone(s.Reasons), nextID: s.nextID, Jobs: maps.Clone(s.Jobs),
		nextJob:  s.nextJob,
		Updating: maps.Clone(s.Updating)}
	for id, c := range s.Contexts {
		out.Contexts[id] = c.copy()
	}
	return out
}

func (c *Context) copy() *Context {
	out := *c
	out.mappings, out.Quotas, out.Capabilities = maps.Clone(c.mappings), maps.Clone(c.Quotas), maps.Clone(c.Capabilities)
	out.attributes = c.attributes.Clone()
	out.Resources, out.Accounts = maps.Clone(c.Resources), slices.Clone(c.Accounts)
	out.Users, out.byName = map[int]*User{}, map[string]*User{}
	out.ByDisplay, out.byDisplayFold, out.byPrimary = index{}, index{}, index{}
	for _, id := range c.UserIDs() {
		u := *c.Users[id]
		data := u.Data
		u.Data = nil
		u.Attributes, u.Capabilities, u.PersonalData = u.Attributes.Clone(), maps.Clone(u.Capabilities),
			u.PersonalData.Clone()
		out.Store(&u, data)
	}
	out.Groups = map[int]*Group{}
	for id, g := range c.Groups {
		n := *g
		n.Members = maps.Clone(g.Members)
		out.Groups[id] = &n
	}
	out.PIM = c.PIM.Clone()
	out.Lock = newWriteLock()
	return &out
}

// Become takes over what a copy holds. The switches stay.
func (s *World) Become(c *World) {
	s.Contexts, s.Servers, s.Databases, s.Filestores, s.Reasons = c.Contexts, c.Servers, c.Databases, c.Filestores,
		c.Reasons
	s.nextID, s.Jobs, s.nextJob, s.Updating = c.nextID, c.Jobs, c.nextJob, c.Updating
}
