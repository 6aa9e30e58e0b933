package soapapi

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func groupService() *service {
	return &service{
		name:    oxgroup.Service,
		style:   soap.FaultStyle{Namespace: oxgroup.Namespace},
		decoder: soap.NewRequestDecoder(oxgroup.Namespace, oxgroup.Operations),
		Handlers: map[*soap.Operation]handler{
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

func createGroup(c *call, r *oxgroup.Create) (*oxgroup.CreateResponse, *soap.Fault) {
	out := &oxgroup.CreateResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		in := r.Grp
		if in == nil {
			in = &oxgroup.Group{}
		}
		g, f := c.st.CreateGroup(cs, in)
		if f == nil {
			out.Return_ = g.Show()
		}
		return f
	})
}

// changeGroup replaces the member list by what was sent, which is nothing when
// the request has no members.
func changeGroup(c *call, r *oxgroup.Change) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		s := c.st
		ref := r.Grp
		if ref != nil && ref.Id != nil {
			ref = &oxgroup.Group{Id: ref.Id} // beside an id, the name is the new one
		}
		g, f := s.FindGroup(cs, ref)
		if f != nil {
			return f
		}
		if n := state.Text(r.Grp.Name); n != "" {
			if f := s.CheckGroupName(cs, n, g); f != nil {
				return f
			}
		}
		m, f := s.MemberSet(cs, r.Grp.Members)
		if f != nil {
			return f
		}
		if n := state.Text(r.Grp.Name); n != "" {
			g.Name = n
		}
		if r.Grp.Displayname != nil {
			g.Display = *r.Grp.Displayname
		}
		g.Members = m
		return nil
	})
}

func (c *call) members(ctx *oxgroup.Context, grp *oxgroup.Group, l []*oxgroup.User, auth *oxgroup.Credentials,
	f func(g *state.Group, found []*state.User) *soap.Fault) *soap.Fault {
	return c.reading(ctx, auth, func(cs *state.Context) *soap.Fault {
		g, fault := c.st.FindGroup(cs, grp)
		if fault != nil {
			return fault
		}
		found, fault := c.st.FindUsers(cs, users(l))
		if fault != nil {
			return fault
		}
		return f(g, found)
	})
}

func addMember(c *call, r *oxgroup.AddMember) *soap.Fault {
	return c.members(r.Ctx, r.Grp, r.Members, r.Auth, func(g *state.Group, found []*state.User) *soap.Fault {
		for i, u := range found {
			if u.Guest {
				return c.st.Fault(state.KindNoUser, "No such user")
			}
			if g.Members[u.ID] || slices.Contains(found[:i], u) {
				return c.st.Fault(state.KindData, "Member already exists in group")
			}
		}
		for _, u := range found {
			g.Members[u.ID] = true
		}
		return nil
	})
}

func removeMember(c *call, r *oxgroup.RemoveMember) *soap.Fault {
	return c.members(r.Ctx, r.Grp, r.Members, r.Auth, func(g *state.Group, found []*state.User) *soap.Fault {
		for _, u := range found {
			delete(g.Members, u.ID)
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
	return c.reading(ctx, auth, func(cs *state.Context) *soap.Fault {
		found, f := c.st.FindGroups(cs, l)
		if f != nil {
			return f
		}
		for _, g := range found {
			if g.ID == state.DefaultGroup {
				return c.st.Fault(state.KindData, "Group with id %d cannot be deleted", g.ID)
			}
		}
		for _, g := range found {
			delete(cs.Groups, g.ID)
		}
		return nil
	})
}

func getGroup(c *call, r *oxgroup.GetData) (*oxgroup.GetDataResponse, *soap.Fault) {
	out := &oxgroup.GetDataResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		g, f := c.st.FindGroup(cs, r.Grp)
		if f == nil {
			out.Return_ = g.Show()
		}
		return f
	})
}

func getDefaultGroup(c *call, r *oxgroup.GetDefaultGroup) (*oxgroup.GetDefaultGroupResponse, *soap.Fault) {
	out := &oxgroup.GetDefaultGroupResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		out.Return_ = &oxgroup.Group{Id: state.Id32(state.DefaultGroup)}
		return nil
	})
}

func getMembers(c *call, r *oxgroup.GetMembers) (*oxgroup.GetMembersResponse, *soap.Fault) {
	out := &oxgroup.GetMembersResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		g, f := c.st.FindGroup(cs, r.Grp)
		if f != nil {
			return f
		}
		for _, id := range slices.Sorted(maps.Keys(g.Members)) {
			if u := cs.Users[id]; u != nil && !u.Guest {
				out.Return_ = append(out.Return_, state.Convert[oxgroup.User](cs.IDOnly(u)))
			}
		}
		return nil
	})
}

func getGroups(c *call, r *oxgroup.GetMultipleData) (*oxgroup.GetMultipleDataResponse, *soap.Fault) {
	out := &oxgroup.GetMultipleDataResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		found, f := c.st.FindGroups(cs, r.Grps)
		for _, g := range found {
			out.Return_ = append(out.Return_, g.Show())
		}
		return f
	})
}

func (c *call) listGroups(ctx *oxgroup.Context, pattern string, auth *oxgroup.Credentials) (out []*oxgroup.Group,
	fault *soap.Fault) {
	fault = c.reading(ctx, auth, func(cs *state.Context) *soap.Fault {
		for _, id := range slices.Sorted(maps.Keys(cs.Groups)) {
			if g := cs.Groups[id]; state.Matches(pattern, g.Name, true) || state.Matches(pattern, g.Display, true) {
				out = append(out, g.Show())
			}
		}
		return nil
	})
	return out, fault
}

func listGroups(c *call, r *oxgroup.List) (*oxgroup.ListResponse, *soap.Fault) {
	l, f := c.listGroups(r.Ctx, state.Text(r.Pattern), r.Auth)
	return &oxgroup.ListResponse{Return_: l}, f
}

func listAllGroups(c *call, r *oxgroup.ListAll) (*oxgroup.ListAllResponse, *soap.Fault) {
	l, f := c.listGroups(r.Ctx, "*", r.Auth)
	return &oxgroup.ListAllResponse{Return_: l}, f
}

func listGroupsForUser(c *call, r *oxgroup.ListGroupsForUser) (*oxgroup.ListGroupsForUserResponse, *soap.Fault) {
	out := &oxgroup.ListGroupsForUserResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.Usr), false)
		if f != nil {
			return f
		}
		l := cs.GroupsOf(u.ID)
		slices.SortFunc(l, func(a, b *state.Group) int { return cmp.Compare(a.ID, b.ID) })
		for _, g := range l {
			out.Return_ = append(out.Return_, g.Show())
		}
		return nil
	})
}
