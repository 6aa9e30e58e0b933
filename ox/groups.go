package ox

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
)

// GroupID is the number of a group in its context.
type GroupID int

// DefaultGroup is the group that every user of a context joins on creation,
// named "users". A copied user has to be added by hand.
const DefaultGroup GroupID = 1

// GroupRef names a group by id or by name. With both, the id counts.
type GroupRef struct {
	ID   GroupID
	Name string
}

func (r GroupRef) String() string {
	if r.Name != "" {
		return r.Name
	}
	return strconv.Itoa(int(r.ID))
}

func (r GroupRef) to() *oxgroup.Group {
	if r.ID != 0 {
		return &oxgroup.Group{Id: number(r.ID)}
	}
	return &oxgroup.Group{Name: text(r.Name)}
}

// Group is a group of users.
type Group struct {
	ID          GroupID
	Name        string // unique without regard to upper and lower case; letters, digits and [ $@%.+_-]
	DisplayName string // need not be unique
	Members     []schoolmail.UserID
}

func groupFrom(g *oxgroup.Group) Group {
	out := Group{ID: GroupID(val(g.Id)), Name: val(g.Name), DisplayName: val(g.Displayname)}
	if len(g.Members) > 0 {
		out.Members = make([]schoolmail.UserID, len(g.Members))
		for i, m := range g.Members {
			out.Members[i] = schoolmail.UserID(m)
		}
	}
	return out
}

func memberIDs(ids []schoolmail.UserID) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = int32Of(int(id))
	}
	return out
}

func memberRefs(ids []schoolmail.UserID) []*oxgroup.User {
	out := make([]*oxgroup.User, len(ids))
	for i, id := range ids {
		out[i] = &oxgroup.User{Id: number(id)}
	}
	return out
}

// Groups are the groups of one context. Their writes need no lane: they go
// beside the writes of users.
type Groups struct{ cc *ContextClient }

func (s *Groups) call(name string, op *soap.Operation, subject string, req any) call {
	return call{name: name, op: op, context: s.cc.id, subject: subject, req: req, cred: s.cc.cred}
}

func (s *Groups) run(ctx context.Context, k call) error { return s.cc.c.do(ctx, &k) }

// Get reads a group with its members.
func (s *Groups) Get(ctx context.Context, ref GroupRef) (Group, error) {
	k := s.call("read group", oxgroup.OpGetData, ref.String(), &oxgroup.GetData{Grp: ref.to()})
	r, err := invoke[oxgroup.GetDataResponse](ctx, s.cc.c, k)
	if err != nil {
		return Group{}, err
	}
	if r.Return_ == nil {
		return Group{}, &Error{Op: "read group", Context: s.cc.id, Subject: ref.String(), Kind: ErrNoSuchGroup, NotDone: true}
	}
	out := groupFrom(r.Return_)
	if ref.ID != 0 && out.ID != ref.ID || ref.ID == 0 && !strings.EqualFold(out.Name, ref.Name) {
		return Group{}, k.otherAnswer()
	}
	return out, nil
}

// Default returns the id of the group that every user joins, usually
// [DefaultGroup].
func (s *Groups) Default(ctx context.Context) (GroupID, error) {
	r, err := invoke[oxgroup.GetDefaultGroupResponse](ctx, s.cc.c,
		s.call("read default group", oxgroup.OpGetDefaultGroup, "", &oxgroup.GetDefaultGroup{}))
	if err != nil {
		return 0, err
	}
	if r.Return_ == nil {
		return 0, &Error{Op: "read default group", Context: s.cc.id, Kind: ErrNoSuchGroup, NotDone: true}
	}
	return GroupID(val(r.Return_.Id)), nil
}

// All lists all groups with their members.
func (s *Groups) All(ctx context.Context) iter.Seq2[Group, error] {
	return each(func() ([]Group, error) {
		return stream(ctx, s.cc.c, s.call("list groups", oxgroup.OpListAll, "", &oxgroup.ListAll{}), groupFrom)
	})
}

// Search lists the groups whose name or display name matches the pattern, in
// which "*" is a wildcard, with their members.
func (s *Groups) Search(ctx context.Context, pattern string) iter.Seq2[Group, error] {
	return each(func() ([]Group, error) {
		return stream(ctx, s.cc.c, s.call("list groups", oxgroup.OpList, "", &oxgroup.List{Pattern: &pattern}), groupFrom)
	})
}

// Load reads the groups with these ids in chunks. Those that do not exist are
// left out.
func (s *Groups) Load(ctx context.Context, ids []GroupID) iter.Seq2[Group, error] {
	return chunked(ctx, ids, s.cc.c.opt.ChunkSize, func(ctx context.Context, ids []GroupID) ([]Group, error) {
		return skipMissing(ctx, ids, ErrNoSuchGroup, func(ctx context.Context, ids []GroupID) ([]Group, error) {
			req := new(oxgroup.GetMultipleData)
			for _, id := range ids {
				req.Grps = append(req.Grps, GroupRef{ID: id}.to())
			}
			return loaded(ctx, s.cc.c, s.call("read groups", oxgroup.OpGetMultipleData, "", req), ids,
				groupFrom, func(g *Group) GroupID { return g.ID })
		})
	})
}

// OfUser lists the groups that a user is in.
func (s *Groups) OfUser(ctx context.Context, ref UserRef) iter.Seq2[Group, error] {
	return each(func() ([]Group, error) {
		who := &oxgroup.User{Id: number(ref.ID)}
		if ref.ID == 0 {
			who.Name = text(ref.Name)
		}
		return stream(ctx, s.cc.c, s.call("list groups of user", oxgroup.OpListGroupsForUser, ref.String(),
			&oxgroup.ListGroupsForUser{Usr: who}), groupFrom)
	})
}

// Create makes a group; Name and DisplayName are mandatory, ID is ignored. If the
// answer is lost, Create looks whether the group is there before it tries again.
func (s *Groups) Create(ctx context.Context, g Group) (Group, error) {
	k := s.call("create group", oxgroup.OpCreate, g.Name, &oxgroup.Create{Grp: &oxgroup.Group{
		Name: text(g.Name), Displayname: text(g.DisplayName), Members: memberIDs(unique(g.Members))}})
	if g.Name == "" || g.DisplayName == "" {
		return Group{}, k.invalid(errors.New("mandatory fields not set: Name and DisplayName"))
	}
	return settle(ctx, s.cc.c, []Kind{ErrGroupExists},
		func() (Group, error) {
			r, err := invoke[oxgroup.CreateResponse](ctx, s.cc.c, k)
			if err != nil {
				return Group{}, err
			}
			if r.Return_ == nil || r.Return_.Id == nil {
				return Group{}, &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrProtocol,
					Message: "no group in the answer"}
			}
			return groupFrom(r.Return_), nil
		},
		func() (Group, sighting, error) {
			got, err := s.Get(ctx, GroupRef{Name: g.Name})
			switch {
			case is(err, ErrNoSuchGroup):
				return Group{}, absent, nil
			case err != nil:
				return Group{}, absent, err
			case got.DisplayName == g.DisplayName && strings.EqualFold(got.Name, g.Name) &&
				len(subtract(g.Members, got.Members)) == 0:
				return got, asWanted, nil
			}
			return got, different, nil
		})
}

// GroupChange is what to write to a group: nil leaves unchanged.
type GroupChange struct {
	Name        *string
	DisplayName *string
}

var errDefaultGroup = errors.New("the default group is only ever added to: OX would empty it without an objection")

// Change renames a group. OX takes a change for a new list of members, so the
// present ones are read first and sent along; a member who is added by somebody
// else in that moment is lost. Members are changed by [Groups.AddMembers] and
// [Groups.RemoveMembers].
func (s *Groups) Change(ctx context.Context, ref GroupRef, ch GroupChange) error {
	k := s.call("change group", oxgroup.OpChange, ref.String(), nil)
	if ref.ID == DefaultGroup {
		return k.invalid(errDefaultGroup)
	}
	if ch.Name == nil && ch.DisplayName == nil {
		return nil
	}
	if ch.Name != nil && *ch.Name == "" {
		return k.invalid(errors.New("the name cannot be cleared"))
	}
	now, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	if now.ID == DefaultGroup {
		return k.invalid(errDefaultGroup)
	}
	req := &oxgroup.Group{Id: number(now.ID), Name: &now.Name, Displayname: &now.DisplayName,
		Members: memberIDs(now.Members)}
	if ch.Name != nil {
		req.Name = ch.Name
	}
	if ch.DisplayName != nil {
		req.Displayname = ch.DisplayName
	}
	k.req = &oxgroup.Change{Grp: req}
	return s.run(ctx, k)
}

// AddMembers puts users into a group. Who is a member already stays one.
// Usually that is one request; only when OX refuses because somebody is a
// member already, or the answer is lost, the group is read and the rest added.
func (s *Groups) AddMembers(ctx context.Context, ref GroupRef, users ...schoolmail.UserID) error {
	users = unique(users)
	for try := 0; len(users) > 0; try++ {
		err := s.run(ctx, s.call("add members to group", oxgroup.OpAddMember, ref.String(),
			&oxgroup.AddMember{Grp: ref.to(), Members: memberRefs(users)}))
		if !is(err, ErrAlreadyMember, ErrLostAnswer, ErrProtocol, ErrStatus) || try > s.cc.c.opt.Retries {
			return err
		}
		now, readErr := s.Get(ctx, ref)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		users = subtract(users, now.Members)
	}
	return nil
}

// RemoveMembers takes users out of a group. Who is no member, or no user any
// more, is passed over.
func (s *Groups) RemoveMembers(ctx context.Context, ref GroupRef, users ...schoolmail.UserID) error {
	k := s.call("remove members from group", oxgroup.OpRemoveMember, ref.String(), nil)
	if ref.ID == DefaultGroup {
		return k.invalid(errDefaultGroup)
	}
	users = unique(users)
	for try := 0; len(users) > 0; try++ {
		k.req = &oxgroup.RemoveMember{Grp: ref.to(), Members: memberRefs(users)}
		err := s.run(ctx, k)
		if !is(err, ErrNoSuchUser) || try > s.cc.c.opt.Retries {
			return err
		}
		now, readErr := s.Get(ctx, ref)
		if readErr != nil {
			return errors.Join(err, readErr)
		}
		users = subtract(users, subtract(users, now.Members))
	}
	return nil
}

// SetMembers makes these users the members of a group, by adding and removing
// the difference.
func (s *Groups) SetMembers(ctx context.Context, ref GroupRef, users ...schoolmail.UserID) error {
	now, err := s.Get(ctx, ref)
	if err != nil {
		return err
	}
	if now.ID == DefaultGroup {
		k := s.call("set members of group", oxgroup.OpRemoveMember, ref.String(), nil)
		return k.invalid(errDefaultGroup)
	}
	ref = GroupRef{ID: now.ID, Name: now.Name}
	if err := s.AddMembers(ctx, ref, subtract(users, now.Members)...); err != nil {
		return err
	}
	return s.RemoveMembers(ctx, ref, subtract(now.Members, users)...)
}

// Delete removes groups. One that does not exist is success.
func (s *Groups) Delete(ctx context.Context, refs ...GroupRef) error {
	switch len(refs) {
	case 0:
		return nil
	case 1:
		err := s.run(ctx, s.call("delete group", oxgroup.OpDelete, refs[0].String(), &oxgroup.Delete{Grp: refs[0].to()}))
		if is(err, ErrNoSuchGroup) {
			return nil
		}
		return err
	}
	req := new(oxgroup.DeleteMultiple)
	for _, r := range refs {
		req.Grps = append(req.Grps, r.to())
	}
	err := s.run(ctx, s.call("delete groups", oxgroup.OpDeleteMultiple,
		fmt.Sprintf("%s and %d more", refs[0], len(refs)-1), req))
	if !is(err, ErrNoSuchGroup) {
		return err
	}
	half := len(refs) / 2
	return errors.Join(s.Delete(ctx, refs[:half]...), s.Delete(ctx, refs[half:]...))
}

// unique drops repetitions, which OX refuses with "No such user".
func unique(ids []schoolmail.UserID) []schoolmail.UserID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

// subtract returns the ids of a that are not in b.
func subtract(a, b []schoolmail.UserID) []schoolmail.UserID {
	in := make(map[schoolmail.UserID]bool, len(b))
	for _, id := range b {
		in[id] = true
	}
	var out []schoolmail.UserID
	for _, id := range a {
		if !in[id] {
			out = append(out, id)
		}
	}
	return out
}
