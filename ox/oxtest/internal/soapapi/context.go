package soapapi

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func contextService() *service {
	type (
		resp = oxcontext.CreateResponse
	)
	return &service{
		name:    oxcontext.Service,
		style:   soap.FaultStyle{Namespace: oxcontext.Namespace},
		decoder: soap.NewRequestDecoder(oxcontext.Namespace, oxcontext.Operations),
		Handlers: map[*soap.Operation]handler{
			oxcontext.OpCreate: on(func(c *call, r *oxcontext.Create) (*resp, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					state.AccessArg{Named: state.DefaultAccessName})
				return &resp{Return_: out}, f
			}),
			oxcontext.OpCreateModuleAccess: on(func(c *call,
				r *oxcontext.CreateModuleAccess) (*oxcontext.CreateModuleAccessResponse, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					state.AccessArg{Flags: state.AccessOf(r.Access)})
				return &oxcontext.CreateModuleAccessResponse{Return_: out}, f
			}),
			oxcontext.OpCreateModuleAccessByName: on(func(c *call,
				r *oxcontext.CreateModuleAccessByName) (*oxcontext.CreateModuleAccessByNameResponse, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					state.AccessArg{Named: named(r.Access_combination_name)})
				return &oxcontext.CreateModuleAccessByNameResponse{Return_: out}, f
			}),
			oxcontext.OpChange: void(func(c *call, r *oxcontext.Change) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault { return c.st.ChangeContext(cs, r.Ctx) })
			}),
			oxcontext.OpChangeCapabilities: void(func(c *call, r *oxcontext.ChangeCapabilities) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					return c.st.ChangeCapabilities(cs.Capabilities, &state.CapabilityChange{CapsToAdd: r.CapsToAdd,
						CapsToRemove: r.CapsToRemove, CapsToDrop: r.CapsToDrop})
				})
			}),
			oxcontext.OpChangeModuleAccess: void(func(c *call, r *oxcontext.ChangeModuleAccess) *soap.Fault {
				return c.accessOfAll(r.Ctx, r.Auth, state.AccessArg{Flags: state.AccessOf(r.Access)})
			}),
			oxcontext.OpChangeModuleAccessByName: void(func(c *call, r *oxcontext.ChangeModuleAccessByName) *soap.Fault {
				return c.accessOfAll(r.Ctx, r.Auth, state.AccessArg{Named: named(r.Access_combination_name)})
			}),
			oxcontext.OpChangeQuota: void(changeQuota),
			oxcontext.OpDelete: void(func(c *call, r *oxcontext.Delete) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					delete(c.st.Contexts, cs.ID)
					return nil
				})
			}),
			oxcontext.OpDisable: void(func(c *call, r *oxcontext.Disable) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault { cs.Enabled = false; return nil })
			}),
			oxcontext.OpEnable: void(func(c *call, r *oxcontext.Enable) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault { cs.Enabled = true; return nil })
			}),
			oxcontext.OpDisableAll: void(func(c *call, r *oxcontext.DisableAll) *soap.Fault {
				return c.enableAll(r.Auth,
					false)
			}),
			oxcontext.OpEnableAll: void(func(c *call, r *oxcontext.EnableAll) *soap.Fault { return c.enableAll(r.Auth, true) }),
			oxcontext.OpDowngrade: void(func(c *call, r *oxcontext.Downgrade) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault { return c.st.SchemaState(cs) })
			}),
			oxcontext.OpExists: on(func(c *call, r *oxcontext.Exists) (*oxcontext.ExistsResponse, *soap.Fault) {
				found, f := c.contextExists(r.Ctx, r.Auth)
				return &oxcontext.ExistsResponse{Return_: &found}, f
			}),
			oxcontext.OpExistsInServer: on(func(c *call, r *oxcontext.ExistsInServer) (*oxcontext.ExistsInServerResponse,
				*soap.Fault) {
				found, f := c.contextExists(r.Ctx, r.Auth)
				return &oxcontext.ExistsInServerResponse{Return_: &found}, f
			}),
			oxcontext.OpGetAccessCombinationName: on(func(c *call,
				r *oxcontext.GetAccessCombinationName) (*oxcontext.GetAccessCombinationNameResponse, *soap.Fault) {
				out := &oxcontext.GetAccessCombinationNameResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					if n := state.CombinationName(cs.AccessOf(cs.Users[cs.AdminID])); n != "" {
						out.Return_ = &n
					}
					return nil
				})
			}),
			oxcontext.OpGetAdminId: on(func(c *call, r *oxcontext.GetAdminId) (*oxcontext.GetAdminIdResponse, *soap.Fault) {
				out := &oxcontext.GetAdminIdResponse{}
				return out, c.ofContext(r.Ctx, r.Auth,
					func(cs *state.Context) *soap.Fault { out.Return_ = state.Id32(cs.AdminID); return nil })
			}),
			oxcontext.OpGetContextCapabilities: on(func(c *call,
				r *oxcontext.GetContextCapabilities) (*oxcontext.GetContextCapabilitiesResponse, *soap.Fault) {
				out := &oxcontext.GetContextCapabilitiesResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					out.Return_ = new(state.CapabilityText(cs.Capabilities, "context "+state.Itoa(cs.ID)))
					return nil
				})
			}),
			oxcontext.OpGetData: on(getContextData),
			oxcontext.OpGetModuleAccess: on(func(c *call, r *oxcontext.GetModuleAccess) (*oxcontext.GetModuleAccessResponse,
				*soap.Fault) {
				out := &oxcontext.GetModuleAccessResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					out.Return_ = state.PutAccess(cs.AccessOf(cs.Users[cs.AdminID]))
					return nil
				})
			}),
			oxcontext.OpList: on(func(c *call, r *oxcontext.List) (*oxcontext.ListResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, byPattern(state.Text(r.Search_pattern)), nil, nil, nil)
				return &oxcontext.ListResponse{Return_: l}, f
			}),
			oxcontext.OpListAll: on(func(c *call, r *oxcontext.ListAll) (*oxcontext.ListAllResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, everyContext, nil, nil, nil)
				return &oxcontext.ListAllResponse{Return_: l}, f
			}),
			oxcontext.OpListByDatabase: on(func(c *call, r *oxcontext.ListByDatabase) (*oxcontext.ListByDatabaseResponse,
				*soap.Fault) {
				l, f := c.listContexts(r.Auth, byDatabase(r.Db), c.databaseMustExist(r.Db), nil, nil)
				return &oxcontext.ListByDatabaseResponse{Return_: bare(l)}, f
			}),
			oxcontext.OpListByFilestore: on(func(c *call, r *oxcontext.ListByFilestore) (*oxcontext.ListByFilestoreResponse,
				*soap.Fault) {
				l, f := c.listContexts(r.Auth, byFilestore(r.Fs), c.filestoreMustExist(r.Fs), nil, nil)
				return &oxcontext.ListByFilestoreResponse{Return_: bare(l)}, f
			}),
			oxcontext.OpListPage: on(func(c *call, r *oxcontext.ListPage) (*oxcontext.ListPageResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, byPattern(state.Text(r.Search_pattern)), nil, paging(r.Offset), paging(r.Length))
				return &oxcontext.ListPageResponse{Return_: l}, f
			}),
			oxcontext.OpListPageAll: on(func(c *call, r *oxcontext.ListPageAll) (*oxcontext.ListPageAllResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, everyContext, nil, paging(r.Offset), paging(r.Length))
				return &oxcontext.ListPageAllResponse{Return_: l}, f
			}),
			oxcontext.OpListPageByDatabase: on(func(c *call,
				r *oxcontext.ListPageByDatabase) (*oxcontext.ListPageByDatabaseResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, byDatabase(r.Db), c.databaseMustExist(r.Db), paging(r.Offset), paging(r.Length))
				return &oxcontext.ListPageByDatabaseResponse{Return_: bare(l)}, f
			}),
			oxcontext.OpListPageByFilestore: on(func(c *call,
				r *oxcontext.ListPageByFilestore) (*oxcontext.ListPageByFilestoreResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, byFilestore(r.Fs), c.filestoreMustExist(r.Fs), paging(r.Offset), paging(r.Length))
				return &oxcontext.ListPageByFilestoreResponse{Return_: bare(l)}, f
			}),
			oxcontext.OpListQuota: on(func(c *call, r *oxcontext.ListQuota) (*oxcontext.ListQuotaResponse, *soap.Fault) {
				out := &oxcontext.ListQuotaResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					for _, m := range slices.Sorted(maps.Keys(cs.Quotas)) {
						out.Return_ = append(out.Return_, &oxcontext.Quota{Module: new(m), Limit: cs.Quotas[m]})
					}
					return nil
				})
			}),
			oxcontext.OpMoveContextDatabase: on(func(c *call,
				r *oxcontext.MoveContextDatabase) (*oxcontext.MoveContextDatabaseResponse, *soap.Fault) {
				out := &oxcontext.MoveContextDatabaseResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					if f := c.st.SchemaState(cs); f != nil {
						return f
					}
					if r.Dst_database_id == nil || c.st.Databases[state.Number(r.Dst_database_id.Id)] == nil {
						return c.st.Fault(state.KindContext, "The given target database does not exist")
					}
					cs.DatabaseID = state.Number(r.Dst_database_id.Id)
					out.Return_ = c.st.NewJob(cs.ID, "moveContextDatabase")
					return nil
				})
			}),
			oxcontext.OpMoveContextFilestore: on(func(c *call,
				r *oxcontext.MoveContextFilestore) (*oxcontext.MoveContextFilestoreResponse, *soap.Fault) {
				out := &oxcontext.MoveContextFilestoreResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					id, f := c.st.FindFilestore(r.Dst_filestore_id)
					if f != nil {
						return f
					}
					cs.FilestoreID = id
					out.Return_ = c.st.NewJob(cs.ID, "moveContextFilestore")
					return nil
				})
			}),
		},
	}
}

// ofContext runs f on a context after the check of master credentials.
func (c *call) ofContext(ctx *oxcontext.Context, auth *oxcontext.Credentials,
	f func(cs *state.Context) *soap.Fault) *soap.Fault {
	ref := state.Convert[state.ContextRef](ctx)
	return c.locked(func() *soap.Fault {
		cs, fault := c.st.AuthMasterFor(ref, auth)
		if fault != nil {
			return fault
		}
		return f(cs)
	})
}

func (c *call) createContext(in *oxcontext.Context, admin *oxcontext.User, auth *oxcontext.Credentials,
	strategy *oxcontext.SchemaSelectStrategy, arg state.AccessArg) (out *oxcontext.Context, fault *soap.Fault) {
	if in == nil {
		in = &oxcontext.Context{}
	}
	adminUser := state.Convert[oxuser.User](admin)
	if adminUser == nil {
		adminUser = &oxuser.User{}
	}
	crossed, done := c.meetsAnother(strategy)
	defer done()
	fault = c.locked(func() (f *soap.Fault) {
		if strategy != nil && strategy.Schema_name != nil && strategy.Strategy != nil {
			return state.BareFault("Schema name and strategy are both given.")
		}
		if strategy != nil && strategy.Strategy != nil && *strategy.Strategy != "automatic" &&
			*strategy.Strategy != "in-memory" {
			return state.BareFault("Invalid schema select strategy " + *strategy.Strategy)
		}
		if f := c.st.AuthMaster(auth); f != nil {
			return f
		}
		schema := ""
		if strategy != nil {
			schema = state.Text(strategy.Schema_name)
		}
		if crossed && c.st.Contexts[state.Number(in.Id)] == nil {
			return c.st.Deadlock(state.Number(in.Id))
		}
		out, f = c.st.CreateContext(in, adminUser, schema, arg)
		return f
	})
	return out, fault
}

// meetsAnother notes that a create of a context is under way, and reports whether
// another one in the same schema is.
func (c *call) meetsAnother(strategy *oxcontext.SchemaSelectStrategy) (crossed bool, done func()) {
	s := c.st
	s.Mu.Lock()
	defer s.Mu.Unlock()
	schema := s.FreeSchema()
	if strategy != nil && strategy.Schema_name != nil {
		schema = *strategy.Schema_name
	}
	s.Creates[schema]++
	return s.Creates[schema] > 1 && !s.WithoutDeadlocks, func() {
		s.Mu.Lock()
		defer s.Mu.Unlock()
		if s.Creates[schema]--; s.Creates[schema] == 0 {
			delete(s.Creates, schema)
		}
	}
}

// accessOfAll rewrites the access of all users of a context.
func (c *call) accessOfAll(ctx *oxcontext.Context, auth *oxcontext.Credentials, arg state.AccessArg) *soap.Fault {
	return c.ofContext(ctx, auth, func(cs *state.Context) *soap.Fault {
		for _, id := range append([]int{cs.AdminID}, cs.UserIDs()...) {
			a, f := c.st.ResolveAccess(cs, arg, id)
			if f != nil {
				return f
			}
			cs.SetAccess(cs.Users[id], a)
		}
		return nil
	})
}

func changeQuota(c *call, r *oxcontext.ChangeQuota) *soap.Fault {
	n, err := strconv.ParseInt(strings.TrimSpace(state.Text(r.QuotaValue)), 10, 64)
	if err != nil {
		return state.BareFault("Invalid quota value.")
	}
	return c.ofContext(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		if n > 4294967295 {
			return c.st.Fault(state.KindData, "Quota value is out of range (allowed range is -1 to 4294967295)")
		}
		modules := state.CapabilityList(r.Module)
		if len(modules) == 0 {
			return c.st.Fault(state.KindData, "No modules specified.")
		}
		for _, m := range modules {
			if n < 0 {
				delete(cs.Quotas, m)
			} else {
				cs.Quotas[m] = n
			}
		}
		return nil
	})
}

func (c *call) enableAll(auth *oxcontext.Credentials, on bool) *soap.Fault {
	return c.locked(func() *soap.Fault {
		if f := c.st.AuthMaster(auth); f != nil {
			return f
		}
		for _, cs := range c.st.Contexts {
			cs.Enabled = on
		}
		return nil
	})
}

// contextExists has an order of checks of its own: a context that does not exist
// is answered before anybody's password is looked at, except for the master's login.
func (c *call) contextExists(ctx *oxcontext.Context, auth *oxcontext.Credentials) (found bool, fault *soap.Fault) {
	ref := state.Convert[state.ContextRef](ctx)
	fault = c.locked(func() *soap.Fault {
		s := c.st
		var cs *state.Context
		switch {
		case ref == nil || ref.Id == nil && ref.Name == nil:
			return s.Fault(state.KindData, "Context id and name missing.")
		case ref.Id != nil:
			cs = s.Context(state.Number(ref.Id))
		default:
			for _, other := range s.Contexts {
				if other.Name == *ref.Name {
					cs = other
				}
			}
		}
		if cs == nil && (ref.Id == nil || auth == nil || state.Text(auth.Login) != s.MasterLogin) {
			return nil
		}
		found = cs != nil
		return s.AuthMaster(auth)
	})
	return found && fault == nil, fault
}

func getContextData(c *call, r *oxcontext.GetData) (*oxcontext.GetDataResponse, *soap.Fault) {
	out := &oxcontext.GetDataResponse{}
	ref := state.Convert[state.ContextRef](r.Ctx)
	return out, c.locked(func() *soap.Fault {
		s := c.st
		if ref == nil || ref.Id == nil {
			return s.Fault(state.KindCredentials, "Client sent invalid context data object")
		}
		cs := s.Context(state.Number(ref.Id))
		if !s.IsMaster(r.Auth) && (cs == nil || !cs.IsAdmin(r.Auth)) {
			return s.AuthFailed()
		}
		if cs == nil {
			return s.Fault(state.KindNoContext, "Context %d does not exist", state.Number(ref.Id))
		}
		out.Return_ = cs.Show(false)
		return nil
	})
}
