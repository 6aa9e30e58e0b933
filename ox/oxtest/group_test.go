package oxtest

import (
	"slices"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

var groupAuth = &oxgroup.Credentials{Login: new("oxadmin"), Password: new("secret")}

func groupCtx(id int) *oxgroup.Context { return &oxgroup.Context{Id: state.Id32(id)} }

func groupUsers(ids ...int) []*oxgroup.User {
	var out []*oxgroup.User
	for _, id := range ids {
		out = append(out, &oxgroup.User{Id: state.Id32(id)})
	}
	return out
}

func TestGroups(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, n := range []string{"u3", "u4", "u5"} {
		b.create(10, person(n))
	}
	create := func(g oxgroup.Group) *oxgroup.Create {
		return &oxgroup.Create{Ctx: groupCtx(10), Grp: &g, Auth: groupAuth}
	}
	out := new(oxgroup.CreateResponse)
	b.refused("InvalidDataException", "Mandatory fields not set: [name, displayname]", oxgroup.OpCreate,
		create(oxgroup.Group{}), out)
	b.refused("InvalidDataException", `Illegal chars: "ä"`, oxgroup.OpCreate,
		create(oxgroup.Group{Name: new("7ä"), Displayname: new("d")}), out)
	b.refused("NoSuchUserException", "No such user", oxgroup.OpCreate,
		create(oxgroup.Group{Name: new("g"), Displayname: new("d"), Members: []int32{3, 99}}), out)
	b.refused("NoSuchUserException", "No such user", oxgroup.OpCreate,
		create(oxgroup.Group{Name: new("g"), Displayname: new("d"), Members: []int32{3, 3}}), out)
	b.ok(oxgroup.OpCreate, create(oxgroup.Group{Name: new("class 7b"), Displayname: new("7b"), Members: []int32{3, 4}}),
		out)
	id := state.Number(out.Return_.Id)
	if id != 6 {
		t.Errorf("the group got id %d: the sequence is shared with users", id)
	}
	b.refused("InvalidDataException", "Group already exists!", oxgroup.OpCreate,
		create(oxgroup.Group{Name: new("CLASS 7B"), Displayname: new("x")}), out)
	b.ok(oxgroup.OpCreate, create(oxgroup.Group{Name: new("other"), Displayname: new("7b")}), out)

	members := func() []schoolmail.UserID { return b.state.Groups(10)[1].Members }
	grp := &oxgroup.Group{Id: state.Id32(id)}
	add := func(ids ...int) *oxgroup.AddMember {
		return &oxgroup.AddMember{Ctx: groupCtx(10), Grp: grp, Members: groupUsers(ids...), Auth: groupAuth}
	}
	b.refused("InvalidDataException", "Member already exists in group", oxgroup.OpAddMember, add(5, 3), nil)
	b.refused("NoSuchUserException", "", oxgroup.OpAddMember, add(5, 99), nil)
	b.ok(oxgroup.OpAddMember, &oxgroup.AddMember{Ctx: groupCtx(10), Grp: &oxgroup.Group{Name: new("Class 7B")},
		Members: []*oxgroup.User{{Name: new("u5")}}, Auth: groupAuth}, nil)
	if got := members(); !slices.Equal(got, []schoolmail.UserID{3, 4, 5}) {
		t.Errorf("members are %v", got)
	}
	remove := func(ids ...int) *oxgroup.RemoveMember {
		return &oxgroup.RemoveMember{Ctx: groupCtx(10), Grp: grp, Members: groupUsers(ids...), Auth: groupAuth}
	}
	b.ok(oxgroup.OpRemoveMember, remove(4, 2), nil)
	b.refused("NoSuchUserException", "", oxgroup.OpRemoveMember, remove(99), nil)
	if got := members(); !slices.Equal(got, []schoolmail.UserID{3, 5}) {
		t.Errorf("members are %v", got)
	}
	var get oxgroup.GetMembersResponse
	b.ok(oxgroup.OpGetMembers, &oxgroup.GetMembers{Ctx: groupCtx(10), Grp: grp, Auth: groupAuth}, &get)
	if len(get.Return_) != 2 || get.Return_[0].Name != nil {
		t.Errorf("getMembers answers %+v", get.Return_)
	}
	change := func(g oxgroup.Group) *oxgroup.Change {
		g.Id = state.Id32(id)
		return &oxgroup.Change{Ctx: groupCtx(10), Grp: &g, Auth: groupAuth}
	}
	b.refused("NoSuchUserException", "", oxgroup.OpChange, change(oxgroup.Group{Members: []int32{99}}), nil)
	b.refused("InvalidDataException", "Group already exists!", oxgroup.OpChange,
		change(oxgroup.Group{Name: new("Other")}), nil)
	b.ok(oxgroup.OpChange, change(oxgroup.Group{Displayname: new("8b")}), nil)
	if got := members(); len(got) != 0 {
		t.Errorf("a change without members left %v", got)
	}
	var of oxgroup.ListGroupsForUserResponse
	b.ok(oxgroup.OpListGroupsForUser, &oxgroup.ListGroupsForUser{Ctx: groupCtx(10), Usr: &oxgroup.User{Id: state.Id32(3)},
		Auth: groupAuth}, &of)
	if len(of.Return_) != 1 || state.Number(of.Return_[0].Id) != 1 {
		t.Errorf("groups of the user: %+v", of.Return_)
	}
	var def oxgroup.GetDefaultGroupResponse
	b.ok(oxgroup.OpGetDefaultGroup, &oxgroup.GetDefaultGroup{Ctx: groupCtx(10), Auth: groupAuth}, &def)
	if state.Number(def.Return_.Id) != 1 || def.Return_.Name != nil || def.Return_.Members != nil {
		t.Errorf("the default group is %+v", def.Return_)
	}
	var list oxgroup.ListResponse
	b.ok(oxgroup.OpList, &oxgroup.List{Ctx: groupCtx(10), Pattern: new("*b"), Auth: groupAuth}, &list)
	if len(list.Return_) != 2 {
		t.Errorf("list answers %+v", list.Return_)
	}
	del := func(g oxgroup.Group) *oxgroup.Delete {
		return &oxgroup.Delete{Ctx: groupCtx(10), Grp: &g, Auth: groupAuth}
	}
	b.refused("InvalidDataException", "Group with id 1 cannot be deleted", oxgroup.OpDelete,
		del(oxgroup.Group{Id: state.Id32(1)}), nil)
	b.refused("NoSuchGroupException", "No such group 99 in context 10", oxgroup.OpDelete,
		del(oxgroup.Group{Id: state.Id32(99)}), nil)
	b.refused("NoSuchGroupException", "NoSuchGroupException: No such group zz in context 10", oxgroup.OpDelete,
		del(oxgroup.Group{Name: new("zz")}), nil)
	b.ok(oxgroup.OpDelete, del(oxgroup.Group{Id: state.Id32(id)}), nil)
}

func TestParallelAddMember(t *testing.T) {
	t.Parallel()
	b := start(t)
	gid, err := b.state.AddGroup(10, Group{Name: "g"})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		id, err := b.state.AddUser(10, User{Name: "u" + state.Itoa(i)})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := b.call(oxgroup.OpAddMember, &oxgroup.AddMember{Ctx: groupCtx(10), Grp: &oxgroup.Group{Id: state.Id32(gid)},
				Members: groupUsers(int(id)), Auth: groupAuth}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(b.state.Groups(10)[1].Members); n != 20 {
		t.Errorf("%d members, want 20", n)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.create(10, person("mia"))
	auth := &oxresource.Credentials{Login: new("oxadmin"), Password: new("secret")}
	ctx := &oxresource.Context{Id: state.Id32(10)}
	out := new(oxresource.CreateResponse)
	create := func(r oxresource.Resource) *oxresource.Create {
		return &oxresource.Create{Ctx: ctx, Res: &r, Auth: auth}
	}
	beamer := oxresource.Resource{Name: new("beamer"), Displayname: new("Beamer"), Email: new("beamer@school.example")}
	b.refused("InvalidDataException", "Mandatory fields not set: [email]", oxresource.OpCreate,
		create(oxresource.Resource{Name: new("a"), Displayname: new("a")}), out)
	taken := beamer
	taken.Email = new("MIA@school.example")
	b.refused("InvalidDataException", "email address already exists", oxresource.OpCreate, create(taken), out)
	b.ok(oxresource.OpCreate, create(beamer), out)
	b.refused("InvalidDataException", "already exists", oxresource.OpCreate, create(beamer), out)
	perm := func(entity int, group bool, privilege string) *oxresource.ResourcePermission {
		return &oxresource.ResourcePermission{Entity: state.Id32(entity), Group: &group, Privilege: &privilege}
	}
	change := func(p ...*oxresource.ResourcePermission) *oxresource.Change {
		return &oxresource.Change{Ctx: ctx, Res: &oxresource.Resource{Id: out.Return_.Id, Permissions: p}, Auth: auth}
	}
	for name, p := range map[string][]*oxresource.ResourcePermission{
		"ask without delegate": {perm(0, true, "ask_to_book")},
		"incomplete":           {{Entity: state.Id32(3)}},
		"twice":                {perm(3, false, "delegate"), perm(3, false, "none")},
		"unknown user":         {perm(99, false, "delegate")},
		"unknown privilege":    {perm(3, false, "own")},
	} {
		if err := b.call(oxresource.OpChange, change(p...), nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	b.ok(oxresource.OpChange, change(perm(0, true, "ASK_TO_BOOK"), perm(3, false, "delegate")), nil)
	get := func() *oxresource.Resource {
		var r oxresource.GetDataResponse
		b.ok(oxresource.OpGetData, &oxresource.GetData{Ctx: ctx, Res: &oxresource.Resource{Name: new("Beamer")},
			Auth: auth}, &r)
		return r.Return_
	}
	if r := get(); len(r.Permissions) != 2 || state.Text(r.Permissions[0].Privilege) != "ask_to_book" {
		t.Errorf("got %+v", r)
	}
	b.ok(oxresource.OpChange, change(), nil)
	if r := get(); len(r.Permissions) != 2 {
		t.Error("permissions that were not sent were changed")
	}
	b.ok(oxresource.OpChange, change(perm(0, true, "book_directly")), nil)
	if r := get(); len(r.Permissions) != 0 || state.Text(r.Name) != "beamer" {
		t.Errorf("got %+v", r)
	}
	b.refused("InvalidDataException", "", oxresource.OpList, &oxresource.List{Ctx: ctx, Pattern: new(""), Auth: auth},
		new(oxresource.ListResponse))
	b.ok(oxresource.OpDelete, &oxresource.Delete{Ctx: ctx, Res: &oxresource.Resource{Id: out.Return_.Id}, Auth: auth}, nil)
	b.refused("NoSuchResourceException", "No such resource", oxresource.OpDelete,
		&oxresource.Delete{Ctx: ctx, Res: &oxresource.Resource{Id: out.Return_.Id}, Auth: auth}, nil)
}
