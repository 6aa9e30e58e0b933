package oxtest

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
)

func groupService() *service {
	return &service{
		name:    oxgroup.Service,
		style:   soap.FaultStyle{Namespace: oxgroup.Namespace},
		decoder: soap.NewRequestDecoder(oxgroup.Namespace, oxgroup.Operations),
		handlers: map[*soap.Operation]handler{
			oxgroup.OpAddMember:         void(addMember),
			oxgroup.OpRemoveMember:      void(removeMember),
			oxgroup.OpChange:            void(changeGroup),
			oxgroup.OpCreate:            on(createGroup),
			oxgroup.OpDelete:            void(deleteGroup),
			oxgroup.OpDeleteMultiple:    void(deleteGroups),
			oxgroup.OpGetData:           on(getGroup),
			oxgroup.OpGetDefaultGroup:   on(getDefaultGroup),
			oxgroup.OpGetMembers:        on(getMembers),
			oxgroup.OpGetMultipleData:   on(getGroups),
			oxgroup.OpList:              on(listGroups),
			oxgroup.OpListAll:           on(listAllGroups),
			oxgroup.OpListGroupsForUser: on(listGroupsForUser),
		},
	}
}

// show is a group as all reading operations answer it.
func (g *groupState) show() *oxgroup.Group {
	out := &oxgroup.Group{Id: id32(g.id), Name: new(g.name), Displayname: new(g.display)}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		out.Members = append(out.Members, int32(id))
	}
	return out
}

func (s *State) findGroup(c *contextState, ref *oxgroup.Group) (*groupState, *soap.Fault) {
	switch {
	case ref == nil || ref.Id == nil && text(ref.Name) == "":
		return nil, s.fault(kindData, "Group id and name missing.")
	case ref.Id != nil:
		if g := c.groups[number(ref.Id)]; g != nil {
			return g, nil
		}
		return nil, s.fault(kindNoGroup, "No such group %d in context %d", number(ref.Id), c.id)
	}
	if g := c.groupByName(*ref.Name); g != nil {
		return g, nil
	}
	return nil, s.lookupFault(kindNoGroup, "No such group %s in context %d", *ref.Name, c.id)
}

// memberSet checks a list of member ids: an unknown one, or one given twice,
// refuses the whole list.
func (s *State) memberSet(c *contextState, ids []int32) (map[int]bool, *soap.Fault) {
	m := map[int]bool{}
	for _, id := range ids {
		if c.users[int(id)] == nil || m[int(id)] {
			return nil, s.fault(kindNoUser, "No such user")
		}
		m[int(id)] = true
	}
	return m, nil
}

func (s *State) checkGroupName(c *contextState, name string, self *groupState) *soap.Fault {
	if bad := illegal(groupChars, name); bad != "" {
		return s.fault(kindData, "Illegal chars: \"%s\"", bad)
	}
	if g := c.groupByName(name); g != nil && g != self {
		return s.fault(kindData, "Group already exists!")
	}
	return nil
}

// createGroup makes a group.
func (s *State) createGroup(c *contextState, in *oxgroup.Group) (*groupState, *soap.Fault) {
	if m := missing(in, "name", "displayname"); len(m) > 0 {
		return nil, s.fault(kindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
	}
	if f := s.checkGroupName(c, *in.Name, nil); f != nil {
		return nil, f
	}
	m, f := s.memberSet(c, in.Members)
	if f != nil {
		return nil, f
	}
	g := &groupState{id: c.nextID(), name: *in.Name, display: *in.Displayname, members: m}
	c.groups[g.id] = g
	return g, nil
}

func createGroup(c *call, r *oxgroup.Create) (*oxgroup.CreateResponse, *soap.Fault) {
	out := &oxgroup.CreateResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		in := r.Grp
		if in == nil {
			in = &oxgroup.Group{}
		}
		g, f := c.st.createGroup(cs, in)
		if f == nil {
			out.Return_ = g.show()
		}
		return f
	})
}

// changeGroup replaces the member list by what was sent, which is nothing when
// the request has no members.
func changeGroup(c *call, r *oxgroup.Change) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		s := c.st
		ref := r.Grp
		if ref != nil && ref.Id != nil {
			ref = &oxgroup.Group{Id: ref.Id} // beside an id, the name is the new one
		}
		g, f := s.findGroup(cs, ref)
		if f != nil {
			return f
		}
		if n := text(r.Grp.Name); n != "" {
			if f := s.checkGroupName(cs, n, g); f != nil {
				return f
			}
		}
		m, f := s.memberSet(cs, r.Grp.Members)
		if f != nil {
			return f
		}
		if n := text(r.Grp.Name); n != "" {
			g.name = n
		}
		if r.Grp.Displayname != nil {
			g.display = *r.Grp.Displayname
		}
		g.members = m
		return nil
	})
}

func (c *call) members(ctx *oxgroup.Context, grp *oxgroup.Group, l []*oxgroup.User, auth *oxgroup.Credentials,
	f func(g *groupState, found []*userState) *soap.Fault) *soap.Fault {
	return c.reading(ctx, auth, func(cs *contextState) *soap.Fault {
		g, fault := c.st.findGroup(cs, grp)
		if fault != nil {
			return fault
		}
		found, fault := c.st.findUsers(cs, users(l))
		if fault != nil {
			return fault
		}
		return f(g, found)
	})
}

func addMember(c *call, r *oxgroup.AddMember) *soap.Fault {
	return c.members(r.Ctx, r.Grp, r.Members, r.Auth, func(g *groupState, found []*userState) *soap.Fault {
		for i, u := range found {
			if u.guest {
				return c.st.fault(kindNoUser, "No such user")
			}
			if g.members[u.id] || slices.Contains(found[:i], u) {
				return c.st.fault(kindData, "Member already exists in group")
			}
		}
		for _, u := range found {
			g.members[u.id] = true
		}
		return nil
	})
}

func removeMember(c *call, r *oxgroup.RemoveMember) *soap.Fault {
	return c.members(r.Ctx, r.Grp, r.Members, r.Auth, func(g *groupState, found []*userState) *soap.Fault {
		for _, u := range found {
			delete(g.members, u.id)
		}
		return nil
	})
}

func deleteGroup(c *call, r *oxgroup.Delete) *soap.Fault {
	var l []*oxgroup.Group
	if r.Grp != nil {
		l = append(l, r.Grp)
	}
	return c.deleteGroups(r.Ctx, l, r.Auth)
}

func deleteGroups(c *call, r *oxgroup.DeleteMultiple) *soap.Fault {
	return c.deleteGroups(r.Ctx, r.Grps, r.Auth)
}

func (c *call) deleteGroups(ctx *oxgroup.Context, l []*oxgroup.Group, auth *oxgroup.Credentials) *soap.Fault {
	return c.reading(ctx, auth, func(cs *contextState) *soap.Fault {
		found, f := c.st.findGroups(cs, l)
		if f != nil {
			return f
		}
		for _, g := range found {
			if g.id == defaultGroup {
				return c.st.fault(kindData, "Group with id %d cannot be deleted", g.id)
			}
		}
		for _, g := range found {
			delete(cs.groups, g.id)
		}
		return nil
	})
}

func (s *State) findGroups(c *contextState, l []*oxgroup.Group) ([]*groupState, *soap.Fault) {
	if len(l) == 0 {
		return nil, s.fault(kindData, "No groups given.")
	}
	var out []*groupState
	for _, ref := range l {
		g, f := s.findGroup(c, ref)
		if f != nil {
			return nil, f
		}
		out = append(out, g)
	}
	return out, nil
}

func getGroup(c *call, r *oxgroup.GetData) (*oxgroup.GetDataResponse, *soap.Fault) {
	out := &oxgroup.GetDataResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		g, f := c.st.findGroup(cs, r.Grp)
		if f == nil {
			out.Return_ = g.show()
		}
		return f
	})
}

func getDefaultGroup(c *call, r *oxgroup.GetDefaultGroup) (*oxgroup.GetDefaultGroupResponse, *soap.Fault) {
	out := &oxgroup.GetDefaultGroupResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		out.Return_ = &oxgroup.Group{Id: id32(defaultGroup)}
		return nil
	})
}

func getMembers(c *call, r *oxgroup.GetMembers) (*oxgroup.GetMembersResponse, *soap.Fault) {
	out := &oxgroup.GetMembersResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		g, f := c.st.findGroup(cs, r.Grp)
		if f != nil {
			return f
		}
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			if u := cs.users[id]; u != nil && !u.guest {
				out.Return_ = append(out.Return_, convert[oxgroup.User](cs.idOnly(u)))
			}
		}
		return nil
	})
}

func getGroups(c *call, r *oxgroup.GetMultipleData) (*oxgroup.GetMultipleDataResponse, *soap.Fault) {
	out := &oxgroup.GetMultipleDataResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		found, f := c.st.findGroups(cs, r.Grps)
		for _, g := range found {
			out.Return_ = append(out.Return_, g.show())
		}
		return f
	})
}

func (c *call) listGroups(ctx *oxgroup.Context, pattern string, auth *oxgroup.Credentials) (out []*oxgroup.Group,
	fault *soap.Fault) {
	fault = c.reading(ctx, auth, func(cs *contextState) *soap.Fault {
		for _, id := range slices.Sorted(maps.Keys(cs.groups)) {
			if g := cs.groups[id]; matches(pattern, g.name, true) || matches(pattern, g.display, true) {
				out = append(out, g.show())
			}
		}
		return nil
	})
	return out, fault
}

func listGroups(c *call, r *oxgroup.List) (*oxgroup.ListResponse, *soap.Fault) {
	l, f := c.listGroups(r.Ctx, text(r.Pattern), r.Auth)
	return &oxgroup.ListResponse{Return_: l}, f
}

func listAllGroups(c *call, r *oxgroup.ListAll) (*oxgroup.ListAllResponse, *soap.Fault) {
	l, f := c.listGroups(r.Ctx, "*", r.Auth)
	return &oxgroup.ListAllResponse{Return_: l}, f
}

func listGroupsForUser(c *call, r *oxgroup.ListGroupsForUser) (*oxgroup.ListGroupsForUserResponse, *soap.Fault) {
	out := &oxgroup.ListGroupsForUserResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		u, f := c.st.findUser(cs, convert[userRef](r.Usr), false)
		if f != nil {
			return f
		}
		l := cs.groupsOf(u.id)
		slices.SortFunc(l, func(a, b *groupState) int { return cmp.Compare(a.id, b.id) })
		for _, g := range l {
			out.Return_ = append(out.Return_, g.show())
		}
		return nil
	})
}
