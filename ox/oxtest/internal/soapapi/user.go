package soapapi

import (
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxdata"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// on makes a handler for an operation with a result, void for one without.
func on[Req, Resp any](f func(c *call, req *Req) (*Resp, *soap.Fault)) handler {
	return func(c *call, req any) (any, *soap.Fault) {
		resp, fault := f(c, req.(*Req))
		if fault != nil {
			return nil, fault
		}
		return resp, nil
	}
}

func void[Req any](f func(c *call, req *Req) *soap.Fault) handler {
	return func(c *call, req any) (any, *soap.Fault) { return nil, f(c, req.(*Req)) }
}

// users converts the users that a request names.
func users[T any](l []*T) []*state.UserRef {
	out := make([]*state.UserRef, len(l))
	for i, u := range l {
		out[i] = state.Convert[state.UserRef](u)
	}
	return out
}

// admin gives the check of context-admin credentials to writing.
func (c *call) admin(ctx any, auth *oxdata.Credentials) func() (*state.Context, *soap.Fault) {
	ref := state.Convert[state.ContextRef](ctx)
	return func() (*state.Context, *soap.Fault) { return c.st.AuthAdmin(ref, auth) }
}

// reading runs f after the check of context-admin credentials.
func (c *call) reading(ctx any, auth *oxdata.Credentials, f func(cs *state.Context) *soap.Fault) *soap.Fault {
	check := c.admin(ctx, auth)
	return c.locked(func() *soap.Fault {
		cs, fault := check()
		if fault != nil {
			return fault
		}
		return f(cs)
	})
}

func userService() *service {
	return &service{
		name:    oxuser.Service,
		style:   soap.FaultStyle{Namespace: oxuser.Namespace},
		decoder: soap.NewRequestDecoder(oxuser.Namespace, oxuser.Operations),
		Handlers: map[*soap.Operation]handler{
			oxuser.OpCreate: on(func(c *call, r *oxuser.Create) (*oxuser.CreateResponse, *soap.Fault) {
				u, f := c.create(r.Ctx, r.Usrdata, r.Auth, state.AccessArg{Inherit: true})
				return &oxuser.CreateResponse{Return_: u}, f
			}),
			oxuser.OpCreateByModuleAccess: on(func(c *call,
				r *oxuser.CreateByModuleAccess) (*oxuser.CreateByModuleAccessResponse, *soap.Fault) {
				u, f := c.create(r.Ctx, r.Usrdata, r.Auth, state.AccessArg{Flags: state.AccessOf(r.Access)})
				return &oxuser.CreateByModuleAccessResponse{Return_: u}, f
			}),
			oxuser.OpCreateByModuleAccessName: on(func(c *call,
				r *oxuser.CreateByModuleAccessName) (*oxuser.CreateByModuleAccessNameResponse, *soap.Fault) {
				u, f := c.create(r.Ctx, r.Usrdata, r.Auth, state.AccessArg{Named: named(r.Access_combination_name)})
				return &oxuser.CreateByModuleAccessNameResponse{Return_: u}, f
			}),
			oxuser.OpChange:                         void(changeUser),
			oxuser.OpChangeByModuleAccess:           void(changeByModuleAccess),
			oxuser.OpChangeByModuleAccessName:       void(changeByModuleAccessName),
			oxuser.OpChangeCapabilities:             void(changeUserCapabilities),
			oxuser.OpChangeMailAddressPersonal:      void(changeMailAddressPersonal),
			oxuser.OpChangeModuleAccessGlobal:       void(changeModuleAccessGlobal),
			oxuser.OpDelete:                         void(deleteUser),
			oxuser.OpDeleteMultiple:                 void(deleteMultiple),
			oxuser.OpExists:                         on(userExists),
			oxuser.OpGetAccessCombinationName:       on(userAccessName),
			oxuser.OpGetContextAdmin:                on(getContextAdmin),
			oxuser.OpGetData:                        on(getUserData),
			oxuser.OpGetModuleAccess:                on(getUserAccess),
			oxuser.OpGetMultipleData:                on(getMultipleUsers),
			oxuser.OpGetUserCapabilities:            on(getUserCapabilities),
			oxuser.OpList:                           on(listUsers),
			oxuser.OpListAll:                        on(listAllUsers),
			oxuser.OpListByAliasDomain:              on(listByAliasDomain),
			oxuser.OpListCaseInsensitive:            on(listCaseInsensitive),
			oxuser.OpMoveFromContextToUserFilestore: on(moveFromContext),
			oxuser.OpMoveFromMasterToUserFilestore:  on(moveFromMaster),
			oxuser.OpMoveFromUserFilestoreToMaster:  on(moveToMaster),
			oxuser.OpMoveFromUserToContextFilestore: on(moveToContext),
			oxuser.OpMoveUserFilestore:              on(moveUserFilestore),
		},
	}
}

// named keeps a missing combination name from meaning inheritance.
func named(p *string) string {
	if state.Text(p) == "" {
		return " "
	}
	return *p
}

func (c *call) create(ctx *oxuser.Context, in *oxuser.User, auth *oxuser.Credentials,
	arg state.AccessArg) (out *oxuser.User, fault *soap.Fault) {
	if in == nil {
		in = &oxuser.User{}
	}
	fault = c.writing(c.admin(ctx, auth), func(cs *state.Context) (f *soap.Fault) {
		out, f = c.st.CreateUser(cs, in, arg, false)
		return f
	})
	return out, fault
}

func changeUser(c *call, r *oxuser.Change) *soap.Fault {
	in := r.Usrdata
	if in == nil {
		in = &oxuser.User{}
	}
	ref := state.Convert[state.ContextRef](r.Ctx)
	var target *state.User
	check := func() (*state.Context, *soap.Fault) {
		s := c.st
		if ref != nil && ref.Id != nil {
			// The target is looked up before anybody is authenticated.
			if cs := s.Context(state.Number(ref.Id)); cs != nil && s.SchemaState(cs) == nil {
				u, f := s.FindUser(cs, changeRef(in), false)
				if f != nil {
					return nil, f
				}
				target = u
			}
		}
		cs, caller, f := s.AuthSelf(ref, r.Auth, state.KindNoUser)
		if f != nil {
			return nil, f
		}
		if caller != target && caller.ID != cs.AdminID {
			return nil, s.Fault(state.KindCredentials, "Permission denied")
		}
		return cs, nil
	}
	return c.writing(check, func(cs *state.Context) *soap.Fault { return c.st.ChangeUser(cs, target, in) })
}

// changeRef names the target of a change: the id, or else the name, which beside
// an id is the new name.
func changeRef(in *oxuser.User) *state.UserRef {
	if in.Id != nil {
		return &state.UserRef{Id: in.Id}
	}
	return &state.UserRef{Name: in.Name}
}

func (c *call) changeAccess(ctx *oxuser.Context, user *oxuser.User, auth *oxuser.Credentials,
	arg state.AccessArg) *soap.Fault {
	return c.writing(c.admin(ctx, auth), func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](user), false)
		if f != nil {
			return f
		}
		a, f := c.st.ResolveAccess(cs, arg, u.ID)
		if f == nil {
			cs.SetAccess(u, a)
		}
		return f
	})
}

func changeByModuleAccess(c *call, r *oxuser.ChangeByModuleAccess) *soap.Fault {
	return c.changeAccess(r.Ctx, r.User, r.Auth, state.AccessArg{Flags: state.AccessOf(r.ModuleAccess)})
}

func changeByModuleAccessName(c *call, r *oxuser.ChangeByModuleAccessName) *soap.Fault {
	return c.changeAccess(r.Ctx, r.User, r.Auth, state.AccessArg{Named: named(r.Access_combination_name)})
}

func changeUserCapabilities(c *call, r *oxuser.ChangeCapabilities) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), false)
		if f != nil {
			return f
		}
		return c.st.ChangeCapabilities(u.Capabilities, &state.CapabilityChange{CapsToAdd: r.CapsToAdd,
			CapsToRemove: r.CapsToRemove, CapsToDrop: r.CapsToDrop})
	})
}

func changeMailAddressPersonal(c *call, r *oxuser.ChangeMailAddressPersonal) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), false)
		if f == nil {
			u.Personal = state.Text(r.Personal)
		}
		return f
	})
}

func changeModuleAccessGlobal(c *call, r *oxuser.ChangeModuleAccessGlobal) *soap.Fault {
	add, remove := state.AccessOf(r.AddAccess), state.AccessOf(r.RemoveAccess)
	return c.locked(func() *soap.Fault {
		s := c.st
		if f := s.AuthMaster(r.Auth); f != nil {
			return f
		}
		if (add | remove).Has(state.GlobalAddressBookDisabled) {
			return s.Fault(state.KindData, "\"GlobalAddressBookDisabled\" can not be changed with this method")
		}
		// OX also takes a number of permission bits, which we do not know.
		filter, ok := state.Combinations[state.Text(r.Filter)]
		if !ok && state.Text(r.Filter) != "" {
			return s.Fault(state.KindData, "No such access combination name \"%s\"", state.Text(r.Filter))
		}
		for _, cs := range s.Contexts {
			for _, u := range cs.Users {
				const aside = state.PublicFolderEditable | state.GlobalAddressBookDisabled
				if ok && u.Access&^state.PublicFolderEditable != filter&^aside {
					continue
				}
				u.Access = (u.Access | add) &^ remove
			}
		}
		return nil
	})
}

func deleteUser(c *call, r *oxuser.Delete) *soap.Fault {
	var l []*oxuser.User
	if r.User != nil {
		l = append(l, r.User)
	}
	return c.delete(r.Ctx, l, r.Auth, r.Reassign)
}

func deleteMultiple(c *call, r *oxuser.DeleteMultiple) *soap.Fault {
	return c.delete(r.Ctx, r.Users, r.Auth, r.Reassign)
}

func (c *call) delete(ctx *oxuser.Context, l []*oxuser.User, auth *oxuser.Credentials, reassign *int32) *soap.Fault {
	return c.writing(c.admin(ctx, auth), func(cs *state.Context) *soap.Fault {
		found, f := c.st.FindUsers(cs, users(l))
		if f != nil {
			return f
		}
		return c.st.DeleteUsers(cs, found, reassign)
	})
}

func userExists(c *call, r *oxuser.Exists) (*oxuser.ExistsResponse, *soap.Fault) {
	out := &oxuser.ExistsResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u := r.User
		found := false
		switch {
		case u == nil || u.Id == nil && u.Name == nil && u.Display_name == nil:
			return c.st.Fault(state.KindData, "Username and userid missing.")
		case u.Id != nil:
			found = cs.Users[state.Number(u.Id)] != nil
		case u.Name != nil:
			found = cs.UserByName(*u.Name) != nil
		default:
			_, found = cs.ByDisplay.Other(*u.Display_name, 0)
		}
		out.Return_ = &found
		return nil
	})
}

func userAccessName(c *call, r *oxuser.GetAccessCombinationName) (*oxuser.GetAccessCombinationNameResponse,
	*soap.Fault) {
	out := &oxuser.GetAccessCombinationNameResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), false)
		if f != nil {
			return f
		}
		if n := state.CombinationName(cs.AccessOf(u)); n != "" {
			out.Return_ = &n
		}
		return nil
	})
}

func getContextAdmin(c *call, r *oxuser.GetContextAdmin) (*oxuser.GetContextAdminResponse, *soap.Fault) {
	out := &oxuser.GetContextAdminResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		out.Return_ = cs.Full(cs.Users[cs.AdminID], nil)
		return nil
	})
}

func getUserData(c *call, r *oxuser.GetData) (*oxuser.GetDataResponse, *soap.Fault) {
	out := &oxuser.GetDataResponse{}
	ref := state.Convert[state.ContextRef](r.Ctx)
	return out, c.locked(func() *soap.Fault {
		cs, caller, f := c.st.AuthSelf(ref, r.Auth, state.KindStorage)
		if f != nil {
			return f
		}
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), true)
		if f != nil {
			return f
		}
		if u != caller && caller.ID != cs.AdminID {
			return c.st.Fault(state.KindCredentials, "Permission denied")
		}
		out.Return_ = cs.Full(u, r.User)
		return nil
	})
}

func getUserAccess(c *call, r *oxuser.GetModuleAccess) (*oxuser.GetModuleAccessResponse, *soap.Fault) {
	out := &oxuser.GetModuleAccessResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), false)
		if f != nil {
			return f
		}
		out.Return_ = state.PutAccess(cs.AccessOf(u))
		return nil
	})
}

func getMultipleUsers(c *call, r *oxuser.GetMultipleData) (*oxuser.GetMultipleDataResponse, *soap.Fault) {
	out := &oxuser.GetMultipleDataResponse{}
	ref := state.Convert[state.ContextRef](r.Ctx)
	return out, c.locked(func() *soap.Fault {
		cs, caller, f := c.st.AuthSelf(ref, r.Auth, state.KindStorage)
		if f != nil {
			return f
		}
		found, f := c.st.FindUsers(cs, users(r.Users))
		if f != nil {
			return f
		}
		if caller.ID != cs.AdminID && (len(found) != 1 || found[0] != caller) {
			return c.st.Fault(state.KindCredentials, "Permission denied")
		}
		for i, u := range found {
			out.Return_ = append(out.Return_, cs.Full(u, r.Users[i]))
		}
		return nil
	})
}

func getUserCapabilities(c *call, r *oxuser.GetUserCapabilities) (*oxuser.GetUserCapabilitiesResponse, *soap.Fault) {
	out := &oxuser.GetUserCapabilitiesResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		u, f := c.st.FindUser(cs, state.Convert[state.UserRef](r.User), false)
		if f != nil {
			return f
		}
		id := "null" // when the user was given by name
		if r.User.Id != nil {
			id = state.Itoa(u.ID)
		}
		out.Return_ = new(state.CapabilityText(u.Capabilities, "user "+id+" in context "+state.Itoa(cs.ID)))
		return nil
	})
}

func isTrue(p *bool) bool { return p != nil && *p }

func listUsers(c *call, r *oxuser.List) (*oxuser.ListResponse, *soap.Fault) {
	out := &oxuser.ListResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		l := state.ByID(cs.Search(state.Text(r.Search_pattern), false, isTrue(r.Include_guests), isTrue(r.Exclude_users)),
			r.Length)
		out.Return_ = cs.IdsOnly(state.Window(l, r.Length, r.Offset))
		return nil
	})
}

func listAllUsers(c *call, r *oxuser.ListAll) (*oxuser.ListAllResponse, *soap.Fault) {
	out := &oxuser.ListAllResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		out.Return_ = cs.IdsOnly(cs.Search("*", false, isTrue(r.Include_guests), isTrue(r.Exclude_users)))
		return nil
	})
}

func listCaseInsensitive(c *call, r *oxuser.ListCaseInsensitive) (*oxuser.ListCaseInsensitiveResponse, *soap.Fault) {
	out := &oxuser.ListCaseInsensitiveResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		l := state.ByID(cs.Search(state.Text(r.Search_pattern), true, false, false), r.Length)
		out.Return_ = cs.IdsOnly(state.Window(l, r.Length, r.Offset))
		return nil
	})
}

func listByAliasDomain(c *call, r *oxuser.ListByAliasDomain) (*oxuser.ListByAliasDomainResponse, *soap.Fault) {
	out := &oxuser.ListByAliasDomainResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		if r.Length != nil && r.Offset == nil {
			return c.st.Fault(state.KindStorage,
				"You have an error in your SQL syntax; check the manual that corresponds to your server version")
		}
		var rows []*state.User // one row per alias, as the window counts them
		for _, id := range cs.UserIDs() {
			u := cs.Users[id]
			for _, a := range u.Data.Aliases {
				if !u.Guest && strings.HasSuffix(strings.ToLower(a), strings.ToLower(state.Text(r.Alias_domain))) {
					rows = append(rows, u)
				}
			}
		}
		var l []*state.User
		for _, u := range state.Window(rows, r.Length, r.Offset) {
			if len(l) == 0 || l[len(l)-1] != u {
				l = append(l, u)
			}
		}
		out.Return_ = cs.IdsOnly(l)
		return nil
	})
}
