package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
)

func (c *Context) SearchResources(pattern string) []*oxresource.Resource {
	var out []*oxresource.Resource
	for _, id := range slices.Sorted(maps.Keys(c.Resources)) {
		if r := c.Resources[id]; Matches(pattern, *r.Name, true) || Matches(pattern, *r.Displayname, true) {
			out = append(out, r)
		}
	}
	return out
}

func (s *World) FindResource(c *Context, ref *oxresource.Resource) (*oxresource.Resource, *soap.Fault) {
	switch {
	case ref == nil || ref.Id == nil && Text(ref.Name) == "":
		return nil, s.Fault(KindData, "Resource id and name missing.")
	case ref.Id != nil:
		if r := c.Resources[Number(ref.Id)]; r != nil {
			return r, nil
		}
		return nil, s.Fault(kindNoResource, "No such resource %d in context %d", Number(ref.Id), c.ID)
	}
	for _, r := range c.Resources {
		if strings.EqualFold(*r.Name, *ref.Name) {
			return r, nil
		}
	}
	return nil, s.lookupFault(kindNoResource, "No such resource %s in context %d", *ref.Name, c.ID)
}

// CheckResource checks what a create or change sets.
func (s *World) CheckResource(c *Context, in *oxresource.Resource, self int) *soap.Fault {
	if bad := illegal(groupChars, Text(in.Name)); bad != "" {
		return s.Fault(KindData, "Illegal chars: \"%s\"", bad)
	}
	if in.Email != nil && !ValidAddress(*in.Email) {
		return s.Fault(KindData, "Invalid email address: %s", *in.Email)
	}
	for id, r := range c.Resources {
		if id == self {
			continue
		}
		if in.Name != nil && strings.EqualFold(*r.Name, *in.Name) {
			return s.Fault(KindData, "Resource with this name already exists")
		}
		if in.Email != nil && strings.EqualFold(*r.Email, *in.Email) {
			return s.Fault(KindData, "Resource with this email address already exists")
		}
	}
	if in.Email != nil {
		if _, taken := c.byPrimary.Other(strings.ToLower(*in.Email), 0); taken {
			return s.Fault(KindData, "Resource with this email address already exists")
		}
	}
	return s.checkPermissions(c, in.Permissions)
}

func (s *World) checkPermissions(c *Context, l []*oxresource.ResourcePermission) *soap.Fault {
	type entity struct {
		id    int
		group bool
	}
	seen := map[entity]bool{}
	ask, delegate := false, false
	for _, p := range l {
		if p.Entity == nil || p.Group == nil || p.Privilege == nil {
			return s.Fault(KindData, "Resource permission without entity, group or privilege")
		}
		e := entity{Number(p.Entity), *p.Group}
		switch {
		case seen[e]:
			return s.Fault(KindData, "Duplicate entity %d in resource permissions", e.id)
		case e.group && e.id != AllUsersGroup && c.Groups[e.id] == nil:
			return s.Fault(KindData, "No such group %d in context %d", e.id, c.ID)
		case !e.group && c.Users[e.id] == nil:
			return s.Fault(KindData, "No such user %d in context %d", e.id, c.ID)
		}
		seen[e] = true
		switch strings.ToLower(*p.Privilege) {
		case "ask_to_book":
			ask = true
		case "delegate":
			delegate = true
		case "none", "book_directly":
		default:
			return s.Fault(KindData, "Unknown privilege \"%s\"", *p.Privilege)
		}
	}
	if ask && !delegate {
		return s.Fault(KindData, "A resource that is booked on request needs a delegate")
	}
	return nil
}

func newResources() map[int]*oxresource.Resource { return map[int]*oxresource.Resource{} }

// StoredPermissions is what a sent list becomes: the single default entry resets
// to unmanaged, which is no entry at all.
func StoredPermissions(l []*oxresource.ResourcePermission) []*oxresource.ResourcePermission {
	if len(l) == 1 && Number(l[0].Entity) == 0 && *l[0].Group && strings.EqualFold(*l[0].Privilege, "book_directly") {
		return nil
	}
	var out []*oxresource.ResourcePermission
	for _, p := range l {
		out = append(out, &oxresource.ResourcePermission{Entity: p.Entity, Group: p.Group,
			Privilege: new(strings.ToLower(*p.Privilege))})
	}
	return out
}
