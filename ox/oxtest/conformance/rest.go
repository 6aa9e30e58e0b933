package conformance

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

// nilNote is a change whose note is xsi:nil, which the generated types cannot say.
func (r *run) nilNote(id int32) string {
	return fmt.Sprintf(`<e:Envelope xmlns:e=%q><e:Body><change xmlns="http://soap.admin.openexchange.com"`+
		` xmlns:D="http://dataobjects.soap.admin.openexchange.com/xsd" `+
		`xmlns:R="http://dataobjects.rmi.admin.openexchange.com/xsd">`+
		`<ctx><D:id>%d</D:id></ctx><usrdata><D:id>%d</D:id><D:note xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" `+
		`xsi:nil="true"/></usrdata>`+
		`<auth><R:login>%s</R:login><R:password>%s</R:password></auth></change></e:Body></e:Envelope>`, soap11, r.a.ID(),
		id, adminLogin, adminPassword)
}

// rawAccess sends access flags as they are, without completing them.
func (r *run) rawAccess(id schoolmail.UserID, a *oxuser.UserModuleAccess) error {
	return r.raw.Call(r.ctx, oxuser.OpChangeByModuleAccess, &oxuser.ChangeByModuleAccess{Ctx: r.userCtx(r.a),
		User:         &oxuser.User{Id: new(int32(id))},
		ModuleAccess: a, Auth: r.userAuth()}, nil)
}

var accessFacts = []Fact{
	{"flags-granted", "flags that are left out are granted: an empty access object is groupware_premium",
		func(r *run) error {
			u, err := r.user()
			if err != nil {
				return err
			}
			if err := r.rawAccess(u.ID, &oxuser.UserModuleAccess{}); err != nil {
				return err
			}
			name, err := r.a.Users.AccessName(r.ctx, ox.UserRef{ID: u.ID})
			if err == nil && name != "groupware_premium" {
				err = errorf("access is %q", name)
			}
			return err
		}},
	{"publication-stays", "publication cannot be cleared by flags", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		if err := r.a.Users.SetAccess(r.ctx, ox.UserRef{ID: u.ID}, ox.AccessWebmail|ox.AccessContacts); err != nil {
			return err
		}
		a, err := r.a.Users.Access(r.ctx, ox.UserRef{ID: u.ID})
		if err == nil && a != ox.AccessWebmail|ox.AccessContacts|ox.AccessPublication {
			err = errorf("access is %v", a)
		}
		return err
	}},
	{"names-exact", "a combination set by name is read back by name", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		for _, n := range []string{"webmail", "pim", "groupware_standard", "webmail_plus"} {
			if err := r.a.Users.SetAccessName(r.ctx, ox.UserRef{ID: u.ID}, n); err != nil {
				return err
			}
			got, err := r.a.Users.AccessName(r.ctx, ox.UserRef{ID: u.ID})
			if err != nil {
				return err
			}
			if got != n {
				return errorf("after %s it is %q", n, got)
			}
		}
		return nil
	}},
	{"unknown-combination", "an unknown combination is refused", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		return wants(r.raw.Call(r.ctx, oxuser.OpChangeByModuleAccessName,
			&oxuser.ChangeByModuleAccessName{Ctx: r.userCtx(r.a),
				User: &oxuser.User{Id: new(int32(u.ID))}, Access_combination_name: new("no-such-name"), Auth: r.userAuth()}, nil),
			"No such access combination name", kindData)
	}},
	{"book-and-public-folders", "globalAddressBookDisabled is refused with editPublicFolders", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		return wants(r.rawAccess(u.ID, &oxuser.UserModuleAccess{GlobalAddressBookDisabled: new(true)}),
			"Global address book can not be disabled for non-PIM users.", kindStorage)
	}},
	{"access-inherited", "plain create gives the context admin's access, webmail_plus by default", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		name, err := r.a.Users.AccessName(r.ctx, ox.UserRef{ID: u.ID})
		if err == nil && name != "webmail_plus" {
			err = errorf("access is %q", name)
		}
		return err
	}},
}

func (r *run) groupAuth() *oxgroup.Credentials {
	return &oxgroup.Credentials{Login: new(adminLogin), Password: new(adminPassword)}
}

// group makes a group with one member.
func (r *run) group() (ox.Group, ox.User, error) {
	u, err := r.user()
	if err != nil {
		return ox.Group{}, u, err
	}
	n := r.name()
	g, err := r.a.Groups.Create(r.ctx, ox.Group{Name: n, DisplayName: "Group " + n, Members: []schoolmail.UserID{u.ID}})
	return g, u, err
}

// createGroup sends a raw create.
func (r *run) createGroup(g *oxgroup.Group) error {
	return r.raw.Call(r.ctx, oxgroup.OpCreate, &oxgroup.Create{Ctx: &oxgroup.Context{Id: new(int32(r.a.ID()))}, Grp: g,
		Auth: r.groupAuth()},
		new(oxgroup.CreateResponse))
}

var groupFacts = []Fact{
	{"group-change-empties", "a group change without members empties the group", func(r *run) error {
		g, _, err := r.group()
		if err != nil {
			return err
		}
		err = r.raw.Call(r.ctx, oxgroup.OpChange, &oxgroup.Change{Ctx: &oxgroup.Context{Id: new(int32(r.a.ID()))},
			Grp: &oxgroup.Group{Id: new(int32(g.ID)), Displayname: new("renamed")}, Auth: r.groupAuth()}, nil)
		if err != nil {
			return err
		}
		got, err := r.a.Groups.Get(r.ctx, ox.GroupRef{ID: g.ID})
		if err == nil && len(got.Members) != 0 {
			err = errorf("members are %v", got.Members)
		}
		return err
	}},
	{"group-name-case", "group names are unique ignoring case", func(r *run) error {
		g, _, err := r.group()
		if err != nil {
			return err
		}
		return wants(r.createGroup(&oxgroup.Group{Name: new("CONF" + g.Name[4:]), Displayname: new("x")}), "already exists",
			kindData)
	}},
	{"add-member-whole", "addMember fails as a whole when one is a member already", func(r *run) error {
		g, u, err := r.group()
		if err != nil {
			return err
		}
		other, err := r.user()
		if err != nil {
			return err
		}
		err = r.raw.Call(r.ctx, oxgroup.OpAddMember, &oxgroup.AddMember{Ctx: &oxgroup.Context{Id: new(int32(r.a.ID()))},
			Grp:     &oxgroup.Group{Id: new(int32(g.ID))},
			Members: []*oxgroup.User{{Id: new(int32(other.ID))}, {Id: new(int32(u.ID))}}, Auth: r.groupAuth()}, nil)
		if err := wants(err, "Member already exists in group", kindData); err != nil {
			return err
		}
		got, err := r.a.Groups.Get(r.ctx, ox.GroupRef{ID: g.ID})
		if err == nil && !slices.Equal(got.Members, []schoolmail.UserID{u.ID}) {
			err = errorf("members are %v", got.Members)
		}
		return err
	}},
	{"remove-stranger", "removeMember of a user who is no member is no error", func(r *run) error {
		g, _, err := r.group()
		if err != nil {
			return err
		}
		return r.raw.Call(r.ctx, oxgroup.OpRemoveMember,
			&oxgroup.RemoveMember{Ctx: &oxgroup.Context{Id: new(int32(r.a.ID()))}, Grp: &oxgroup.Group{Id: new(int32(g.ID))},
				Members: []*oxgroup.User{{Name: new(adminLogin)}}, Auth: r.groupAuth()}, nil)
	}},
	{"unknown-member", "a group with an unknown member is refused", func(r *run) error {
		n := r.name()
		return wants(r.createGroup(&oxgroup.Group{Name: &n, Displayname: &n, Members: []int32{1 << 20}}), "No such user",
			kindNoUser)
	}},
	{"default-group", "every new user is in group 1", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		g, err := r.a.Groups.Get(r.ctx, ox.GroupRef{ID: ox.DefaultGroup})
		if err == nil && !slices.Contains(g.Members, u.ID) {
			err = errorf("group 1 has %v", g.Members)
		}
		return err
	}},
	{"default-group-stays", "group 1 cannot be deleted", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxgroup.OpDelete, &oxgroup.Delete{Ctx: &oxgroup.Context{Id: new(int32(r.a.ID()))},
			Grp: &oxgroup.Group{Id: new(int32(ox.DefaultGroup))}, Auth: r.groupAuth()}, nil), "cannot be deleted", kindData)
	}},
	{"one-sequence", "users and groups take their ids from one sequence", func(r *run) error {
		g, u, err := r.group()
		if err == nil && int(g.ID) <= int(u.ID) {
			err = errorf("group %d after user %d", g.ID, u.ID)
		}
		return err
	}},
}

// context reads the first context as the server answers it.
func (r *run) context() (*oxcontext.Context, error) {
	var out oxcontext.GetDataResponse
	err := r.raw.Call(r.ctx, oxcontext.OpGetData, &oxcontext.GetData{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID()))},
		Auth: r.master()}, &out)
	return out.Return_, err
}

var contextFacts = []Fact{
	{"unlimited-nil", "an unlimited context answers a nil maxQuota", func(r *run) error {
		c, err := r.context()
		if err == nil && c.MaxQuota != nil {
			err = errorf("maxQuota is %d", *c.MaxQuota)
		}
		return err
	}},
	{"id-mapping", "getData leaves out the id mapping, lists have it", func(r *run) error {
		id := strconv.Itoa(int(r.a.ID()))
		c, err := r.context()
		if err != nil {
			return err
		}
		var list oxcontext.ListResponse
		if err := r.raw.Call(r.ctx, oxcontext.OpList, &oxcontext.List{Search_pattern: &id, Auth: r.master()},
			&list); err != nil {
			return err
		}
		i := slices.IndexFunc(list.Return_, func(c *oxcontext.Context) bool { return *c.Id == int32(r.a.ID()) })
		if i < 0 || slices.Contains(c.LoginMappings, id) || !slices.Contains(list.Return_[i].LoginMappings, id) {
			return errorf("getData has %v", c.LoginMappings)
		}
		return nil
	}},
	{"admin-is-2", "the context admin is user 2", func(r *run) error {
		id, err := r.client.Contexts.AdminID(r.ctx, r.a.ID())
		if err == nil && id != 2 {
			err = errorf("the admin is user %d", id)
		}
		return err
	}},
	{"mapping-at", "a login mapping with @ is refused", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxcontext.OpChange,
			&oxcontext.Change{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID())), LoginMappings: []string{"a@b"}},
				Auth: r.master()}, nil), "Illegal chars", kindData)
	}},
	{"mapping-taken", "a login mapping of another context is refused", func(r *run) error {
		return wants(r.raw.Call(r.ctx, oxcontext.OpChange, &oxcontext.Change{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID())),
			LoginMappings: []string{fmt.Sprintf("conformance-%d", r.b.ID())}}, Auth: r.master()}, nil),
			"already exists in the system", kindStorage)
	}},
	{"rename-keeps-mappings", "a rename alone leaves the mappings as they are", func(r *run) error {
		before, err := r.context()
		if err != nil {
			return err
		}
		rename := func(name string, mappings []string) error {
			return r.raw.Call(r.ctx, oxcontext.OpChange, &oxcontext.Change{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID())),
				Name: &name, LoginMappings: mappings},
				Auth: r.master()}, nil)
		}
		if err := rename(text(before.Name)+"-x", nil); err != nil {
			return err
		}
		after, err := r.context()
		if err != nil {
			return err
		}
		if err := rename(text(before.Name), before.LoginMappings); err != nil {
			return err
		}
		if slices.Contains(after.LoginMappings, text(after.Name)) ||
			!slices.Contains(after.LoginMappings, text(before.Name)) {
			return errorf("mappings are %v", after.LoginMappings)
		}
		return nil
	}},
	{"context-exists-unchecked", "exists of a missing context is false whatever the password", func(r *run) error {
		var out oxcontext.ExistsResponse
		err := r.raw.Call(r.ctx, oxcontext.OpExists,
			&oxcontext.Exists{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID() + 1<<20))},
				Auth: &oxcontext.Credentials{Login: new("nobody"), Password: new("x")}}, &out)
		if err == nil && *out.Return_ {
			err = errorf("true")
		}
		return err
	}},
	{"disabled-still-soap", "a disabled context still answers SOAP", func(r *run) error {
		if err := r.client.Contexts.Disable(r.ctx, r.a.ID()); err != nil {
			return err
		}
		_, err := r.user()
		if e := r.client.Contexts.Enable(r.ctx, r.a.ID()); err == nil {
			err = e
		}
		return err
	}},
	{"quota-text", "a quota value that is no number is a fault without detail", func(r *run) error {
		f, err := fault(r.raw.Call(r.ctx, oxcontext.OpChangeQuota,
			&oxcontext.ChangeQuota{Ctx: &oxcontext.Context{Id: new(int32(r.a.ID()))},
				Module: new("contact"), QuotaValue: new("many"), Auth: r.master()}, nil))
		if err == nil && f.Kind != "" {
			err = f
		}
		return err
	}},
}

// copied makes a user and copies him into the second context.
func (r *run) copied() (ox.User, schoolmail.UserID, error) {
	p := r.person(r.name())
	p.More.Department = new("7b")
	p.Aliases = []string{"alias" + p.PrimaryEmail}
	u, err := r.a.Users.Create(r.ctx, p)
	if err != nil {
		return u, 0, err
	}
	id, err := r.copy(u.ID)
	return u, id, err
}

var copyFacts = []Fact{
	{"copy-carries", "copyUser carries addresses, contact data and password", func(r *run) error {
		u, id, err := r.copied()
		if err != nil {
			return err
		}
		got, err := r.b.As(ox.Credentials{Login: u.Name, Password: schoolmail.Secret("pw-1x9")}).Users.Get(r.ctx,
			ox.UserRef{ID: id})
		if err == nil && (got.PrimaryEmail != u.PrimaryEmail || len(got.Aliases) != 2 || got.Department != "7b") {
			err = errorf("the copy has %s, %v, %q", got.PrimaryEmail, got.Aliases, got.Department)
		}
		return err
	}},
	{"copy-no-groups", "a copy is in no group, not even group 1", func(r *run) error {
		_, id, err := r.copied()
		if err != nil {
			return err
		}
		g, err := r.b.Groups.Get(r.ctx, ox.GroupRef{ID: ox.DefaultGroup})
		if err == nil && slices.Contains(g.Members, id) {
			err = errorf("group 1 has %v", g.Members)
		}
		return err
	}},
	{"copy-closes-book", "a copy may not see the global address book until access is set", func(r *run) error {
		_, id, err := r.copied()
		if err != nil {
			return err
		}
		a, err := r.b.Users.Access(r.ctx, ox.UserRef{ID: id})
		if err == nil && !a.Has(ox.AccessGlobalAddressBookDisabled) {
			err = errorf("access is %v", a)
		}
		return err
	}},
	{"copy-twice", "a second copy of the same user is refused", func(r *run) error {
		u, _, err := r.copied()
		if err != nil {
			return err
		}
		_, err = r.copyOf(&oxusercopy.User{Name: &u.Name})
		return wants(err, "already exists in context", "UserExistsException")
	}},
	{"copy-twice-by-id", "a second copy of a user named by his id is refused as UCP-0011", func(r *run) error {
		u, _, err := r.copied()
		if err != nil {
			return err
		}
		_, err = r.copy(u.ID)
		return wants(err, "UCP-0011", "StorageException")
	}},
	{"copy-source-stays", "the source of a copy stays", func(r *run) error {
		u, _, err := r.copied()
		if err == nil {
			_, err = r.get(u.ID)
		}
		return err
	}},
	{"copy-address-unchecked", "a copy may get an address that another user has", func(r *run) error {
		u, err := r.user()
		if err != nil {
			return err
		}
		p := r.person(r.name())
		p.PrimaryEmail = u.PrimaryEmail
		if _, err := r.b.Users.Create(r.ctx, p); err != nil {
			return err
		}
		_, err = r.copy(u.ID)
		return err
	}},
}
