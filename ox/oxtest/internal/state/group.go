package state

import (
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
)

// Show is a group as all reading operations answer it.
func (g *Group) Show() *oxgroup.Group {
	out := &oxgroup.Group{Id: Id32(g.ID), Name: new(g.Name), Displayname: new(g.Display)}
	for _, id := range slices.Sorted(maps.Keys(g.Members)) {
		out.Members = append(out.Members, int32(id))
	}
	return out
}

func (s *World) FindGroup(c *Context, ref *oxgroup.Group) (*Group, *soap.Fault) {
	switch {
	case ref == nil || ref.Id == nil && Text(ref.Name) == "":
		return nil, s.Fault(KindData, "Group id and name missing.")
	case ref.Id != nil:
		if g := c.Groups[Number(ref.Id)]; g != nil {
			return g, nil
		}
		return nil, s.Fault(kindNoGroup, "No such group %d in context %d", Number(ref.Id), c.ID)
	}
	if g := c.groupByName(*ref.Name); g != nil {
		return g, nil
	}
	return nil, s.lookupFault(kindNoGroup, "No such group %s in context %d", *ref.Name, c.ID)
}

// MemberSet checks a list of member ids: an unknown one, or one given twice,
// refuses the whole list.
func (s *World) MemberSet(c *Context, ids []int32) (map[int]bool, *soap.Fault) {
	m := map[int]bool{}
	for _, id := range ids {
		if c.Users[int(id)] == nil || m[int(id)] {
			return nil, s.Fault(KindNoUser, "No such user")
		}
		m[int(id)] = true
	}
	return m, nil
}

func (s *World) CheckGroupName(c *Context, name string, self *Group) *soap.Fault {
	if bad := illegal(groupChars, name); bad != "" {
		return s.Fault(KindData, "Illegal chars: \"%s\"", bad)
	}
	if g := c.groupByName(name); g != nil && g != self {
		return s.Fault(KindData, "Group already exists!")
	}
	return nil
}

// CreateGroup makes a group.
func (s *World) CreateGroup(c *Context, in *oxgroup.Group) (*Group, *soap.Fault) {
	if m := Missing(in, "name", "displayname"); len(m) > 0 {
		return nil, s.Fault(KindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
	}
	if f := s.CheckGroupName(c, *in.Name, nil); f != nil {
		return nil, f
	}
	m, f := s.MemberSet(c, in.Members)
	if f != nil {
		return nil, f
	}
	g := &Group{ID: c.NextID(), Name: *in.Name, Display: *in.Displayname, Members: m}
	c.Groups[g.ID] = g
	return g, nil
}

func (s *World) FindGroups(c *Context, l []*oxgroup.Group) ([]*Group, *soap.Fault) {
	if len(l) == 0 {
		return nil, s.Fault(KindData, "No groups given.")
	}
	var out []*Group
	for _, ref := range l {
		g, f := s.FindGroup(c, ref)
		if f != nil {
			return nil, f
		}
		out = append(out, g)
	}
	return out, nil
}
