package oxtest

import (
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
)

func newResources() map[int]*oxresource.Resource { return map[int]*oxresource.Resource{} }

func resourceService() *service {
	return &service{
		name:    oxresource.Service,
		style:   soap.FaultStyle{Namespace: oxresource.Namespace},
		decoder: soap.NewRequestDecoder(oxresource.Namespace, oxresource.Operations),
		handlers: map[*soap.Operation]handler{
			oxresource.OpChange: void(changeResource),
			oxresource.OpCreate: on(createResource),
			oxresource.OpDelete: void(func(c *call, r *oxresource.Delete) *soap.Fault {
				return c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					res, f := c.st.findResource(cs, r.Res)
					if f == nil {
						delete(cs.resources, number(res.Id))
					}
					return f
				})
			}),
			oxresource.OpGetData: on(func(c *call, r *oxresource.GetData) (*oxresource.GetDataResponse, *soap.Fault) {
				out := &oxresource.GetDataResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) (f *soap.Fault) {
					out.Return_, f = c.st.findResource(cs, r.Res)
					return f
				})
			}),
			oxresource.OpGetMultipleData: on(func(c *call, r *oxresource.GetMultipleData) (*oxresource.GetMultipleDataResponse,
				*soap.Fault) {
				out := &oxresource.GetMultipleDataResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					for _, ref := range r.Resources {
						res, f := c.st.findResource(cs, ref)
						if f != nil {
							return f
						}
						out.Return_ = append(out.Return_, res)
					}
					return nil
				})
			}),
			oxresource.OpList: on(func(c *call, r *oxresource.List) (*oxresource.ListResponse, *soap.Fault) {
				out := &oxresource.ListResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					if text(r.Pattern) == "" {
						return c.st.fault(kindData, "Pattern must not be empty.")
					}
					out.Return_ = cs.searchResources(*r.Pattern)
					return nil
				})
			}),
			oxresource.OpListAll: on(func(c *call, r *oxresource.ListAll) (*oxresource.ListAllResponse, *soap.Fault) {
				out := &oxresource.ListAllResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					out.Return_ = cs.searchResources("*")
					return nil
				})
			}),
		},
	}
}

func (c *contextState) searchResources(pattern string) []*oxresource.Resource {
	var out []*oxresource.Resource
	for _, id := range slices.Sorted(maps.Keys(c.resources)) {
		if r := c.resources[id]; matches(pattern, *r.Name, true) || matches(pattern, *r.Displayname, true) {
			out = append(out, r)
		}
	}
	return out
}

func (s *State) findResource(c *contextState, ref *oxresource.Resource) (*oxresource.Resource, *soap.Fault) {
	switch {
	case ref == nil || ref.Id == nil && text(ref.Name) == "":
		return nil, s.fault(kindData, "Resource id and name missing.")
	case ref.Id != nil:
		if r := c.resources[number(ref.Id)]; r != nil {
			return r, nil
		}
		return nil, s.fault(kindNoResource, "No such resource %d in context %d", number(ref.Id), c.id)
	}
	for _, r := range c.resources {
		if strings.EqualFold(*r.Name, *ref.Name) {
			return r, nil
		}
	}
	return nil, s.lookupFault(kindNoResource, "No such resource %s in context %d", *ref.Name, c.id)
}

// checkResource checks what a create or change sets.
func (s *State) checkResource(c *contextState, in *oxresource.Resource, self int) *soap.Fault {
	if bad := illegal(groupChars, text(in.Name)); bad != "" {
		return s.fault(kindData, "Illegal chars: \"%s\"", bad)
	}
	if in.Email != nil && !validAddress(*in.Email) {
		return s.fault(kindData, "Invalid email address: %s", *in.Email)
	}
	for id, r := range c.resources {
		if id == self {
			continue
		}
		if in.Name != nil && strings.EqualFold(*r.Name, *in.Name) {
			return s.fault(kindData, "Resource with this name already exists")
		}
		if in.Email != nil && strings.EqualFold(*r.Email, *in.Email) {
			return s.fault(kindData, "Resource with this email address already exists")
		}
	}
	if in.Email != nil {
		if _, taken := c.byPrimary.other(strings.ToLower(*in.Email), 0); taken {
			return s.fault(kindData, "Resource with this email address already exists")
		}
	}
	return s.checkPermissions(c, in.Permissions)
}

func (s *State) checkPermissions(c *contextState, l []*oxresource.ResourcePermission) *soap.Fault {
	type entity struct {
		id    int
		group bool
	}
	seen := map[entity]bool{}
	ask, delegate := false, false
	for _, p := range l {
		if p.Entity == nil || p.Group == nil || p.Privilege == nil {
			return s.fault(kindData, "Resource permission without entity, group or privilege")
		}
		e := entity{number(p.Entity), *p.Group}
		switch {
		case seen[e]:
			return s.fault(kindData, "Duplicate entity %d in resource permissions", e.id)
		case e.group && e.id != allUsersGroup && c.groups[e.id] == nil:
			return s.fault(kindData, "No such group %d in context %d", e.id, c.id)
		case !e.group && c.users[e.id] == nil:
			return s.fault(kindData, "No such user %d in context %d", e.id, c.id)
		}
		seen[e] = true
		switch strings.ToLower(*p.Privilege) {
		case "ask_to_book":
			ask = true
		case "delegate":
			delegate = true
		case "none", "book_directly":
		default:
			return s.fault(kindData, "Unknown privilege \"%s\"", *p.Privilege)
		}
	}
	if ask && !delegate {
		return s.fault(kindData, "A resource that is booked on request needs a delegate")
	}
	return nil
}

// storedPermissions is what a sent list becomes: the single default entry resets
// to unmanaged, which is no entry at all.
func storedPermissions(l []*oxresource.ResourcePermission) []*oxresource.ResourcePermission {
	if len(l) == 1 && number(l[0].Entity) == 0 && *l[0].Group && strings.EqualFold(*l[0].Privilege, "book_directly") {
		return nil
	}
	var out []*oxresource.ResourcePermission
	for _, p := range l {
		out = append(out, &oxresource.ResourcePermission{Entity: p.Entity, Group: p.Group,
			Privilege: new(strings.ToLower(*p.Privilege))})
	}
	return out
}

func createResource(c *call, r *oxresource.Create) (*oxresource.CreateResponse, *soap.Fault) {
	out := &oxresource.CreateResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		in := r.Res
		if in == nil {
			in = &oxresource.Resource{}
		}
		if m := missing(in, "name", "displayname", "email"); len(m) > 0 {
			return c.st.fault(kindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
		}
		if f := c.st.checkResource(cs, in, 0); f != nil {
			return f
		}
		res := *in
		res.Id = id32(cs.nextID())
		res.Permissions = storedPermissions(in.Permissions)
		if res.Available == nil {
			res.Available = new(true)
		}
		cs.resources[number(res.Id)] = &res
		out.Return_ = &res
		return nil
	})
}

func changeResource(c *call, r *oxresource.Change) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		ref := r.Res
		if ref != nil && ref.Id != nil {
			ref = &oxresource.Resource{Id: ref.Id}
		}
		old, f := c.st.findResource(cs, ref)
		if f != nil {
			return f
		}
		in := r.Res
		if f := c.st.checkResource(cs, in, number(old.Id)); f != nil {
			return f
		}
		res := *old
		for _, p := range []struct{ dst, src **string }{{&res.Name, &in.Name}, {&res.Displayname, &in.Displayname},
			{&res.Email, &in.Email}, {&res.Description, &in.Description}} {
			if *p.src != nil {
				*p.dst = *p.src
			}
		}
		if in.Available != nil {
			res.Available = in.Available
		}
		if in.Permissions != nil {
			res.Permissions = storedPermissions(in.Permissions)
		}
		cs.resources[number(res.Id)] = &res
		return nil
	})
}
