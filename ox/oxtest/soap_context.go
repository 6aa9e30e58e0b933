package oxtest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

func contextService() *service {
	type (
		resp = oxcontext.CreateResponse
	)
	return &service{
		name:    oxcontext.Service,
		style:   soap.FaultStyle{Namespace: oxcontext.Namespace},
		decoder: soap.NewRequestDecoder(oxcontext.Namespace, oxcontext.Operations),
		handlers: map[*soap.Operation]handler{
			oxcontext.OpCreate: on(func(c *call, r *oxcontext.Create) (*resp, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					accessArg{named: defaultAccessName})
				return &resp{Return_: out}, f
			}),
			oxcontext.OpCreateModuleAccess: on(func(c *call,
				r *oxcontext.CreateModuleAccess) (*oxcontext.CreateModuleAccessResponse, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					accessArg{flags: accessOf(r.Access)})
				return &oxcontext.CreateModuleAccessResponse{Return_: out}, f
			}),
			oxcontext.OpCreateModuleAccessByName: on(func(c *call,
				r *oxcontext.CreateModuleAccessByName) (*oxcontext.CreateModuleAccessByNameResponse, *soap.Fault) {
				out, f := c.createContext(r.Ctx, r.Admin_user, r.Auth, r.Schema_select_strategy,
					accessArg{named: named(r.Access_combination_name)})
				return &oxcontext.CreateModuleAccessByNameResponse{Return_: out}, f
			}),
			oxcontext.OpChange: void(func(c *call, r *oxcontext.Change) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault { return c.st.changeContext(cs, r.Ctx) })
			}),
			oxcontext.OpChangeCapabilities: void(func(c *call, r *oxcontext.ChangeCapabilities) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					return c.st.changeCapabilities(cs.capabilities, &capabilityChange{r.CapsToAdd, r.CapsToRemove, r.CapsToDrop})
				})
			}),
			oxcontext.OpChangeModuleAccess: void(func(c *call, r *oxcontext.ChangeModuleAccess) *soap.Fault {
				return c.accessOfAll(r.Ctx, r.Auth, accessArg{flags: accessOf(r.Access)})
			}),
			oxcontext.OpChangeModuleAccessByName: void(func(c *call, r *oxcontext.ChangeModuleAccessByName) *soap.Fault {
				return c.accessOfAll(r.Ctx, r.Auth, accessArg{named: named(r.Access_combination_name)})
			}),
			oxcontext.OpChangeQuota: void(changeQuota),
			oxcontext.OpDelete: void(func(c *call, r *oxcontext.Delete) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					delete(c.st.contexts, cs.id)
					return nil
				})
			}),
			oxcontext.OpDisable: void(func(c *call, r *oxcontext.Disable) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault { cs.enabled = false; return nil })
			}),
			oxcontext.OpEnable: void(func(c *call, r *oxcontext.Enable) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault { cs.enabled = true; return nil })
			}),
			oxcontext.OpDisableAll: void(func(c *call, r *oxcontext.DisableAll) *soap.Fault {
				return c.enableAll(r.Auth,
					false)
			}),
			oxcontext.OpEnableAll: void(func(c *call, r *oxcontext.EnableAll) *soap.Fault { return c.enableAll(r.Auth, true) }),
			oxcontext.OpDowngrade: void(func(c *call, r *oxcontext.Downgrade) *soap.Fault {
				return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault { return c.st.schemaState(cs) })
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
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					if n := combinationName(cs.accessOf(cs.users[cs.adminID])); n != "" {
						out.Return_ = &n
					}
					return nil
				})
			}),
			oxcontext.OpGetAdminId: on(func(c *call, r *oxcontext.GetAdminId) (*oxcontext.GetAdminIdResponse, *soap.Fault) {
				out := &oxcontext.GetAdminIdResponse{}
				return out, c.ofContext(r.Ctx, r.Auth,
					func(cs *contextState) *soap.Fault { out.Return_ = id32(cs.adminID); return nil })
			}),
			oxcontext.OpGetContextCapabilities: on(func(c *call,
				r *oxcontext.GetContextCapabilities) (*oxcontext.GetContextCapabilitiesResponse, *soap.Fault) {
				out := &oxcontext.GetContextCapabilitiesResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					out.Return_ = new(capabilityText(cs.capabilities, "context "+itoa(cs.id)))
					return nil
				})
			}),
			oxcontext.OpGetData: on(getContextData),
			oxcontext.OpGetModuleAccess: on(func(c *call, r *oxcontext.GetModuleAccess) (*oxcontext.GetModuleAccessResponse,
				*soap.Fault) {
				out := &oxcontext.GetModuleAccessResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					out.Return_ = putAccess[oxcontext.UserModuleAccess](cs.accessOf(cs.users[cs.adminID]))
					return nil
				})
			}),
			oxcontext.OpList: on(func(c *call, r *oxcontext.List) (*oxcontext.ListResponse, *soap.Fault) {
				l, f := c.listContexts(r.Auth, byPattern(text(r.Search_pattern)), nil, nil, nil)
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
				l, f := c.listContexts(r.Auth, byPattern(text(r.Search_pattern)), nil, paging(r.Offset), paging(r.Length))
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
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					for _, m := range slices.Sorted(maps.Keys(cs.quotas)) {
						out.Return_ = append(out.Return_, &oxcontext.Quota{Module: new(m), Limit: cs.quotas[m]})
					}
					return nil
				})
			}),
			oxcontext.OpMoveContextDatabase: on(func(c *call,
				r *oxcontext.MoveContextDatabase) (*oxcontext.MoveContextDatabaseResponse, *soap.Fault) {
				out := &oxcontext.MoveContextDatabaseResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					if f := c.st.schemaState(cs); f != nil {
						return f
					}
					if r.Dst_database_id == nil || c.st.databases[number(r.Dst_database_id.Id)] == nil {
						return c.st.fault(kindContext, "The given target database does not exist")
					}
					cs.databaseID = number(r.Dst_database_id.Id)
					out.Return_ = c.st.newJob(cs.id, "moveContextDatabase")
					return nil
				})
			}),
			oxcontext.OpMoveContextFilestore: on(func(c *call,
				r *oxcontext.MoveContextFilestore) (*oxcontext.MoveContextFilestoreResponse, *soap.Fault) {
				out := &oxcontext.MoveContextFilestoreResponse{}
				return out, c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
					id, f := c.st.findFilestore(convert[filestoreRef](r.Dst_filestore_id))
					if f != nil {
						return f
					}
					cs.filestoreID = id
					out.Return_ = c.st.newJob(cs.id, "moveContextFilestore")
					return nil
				})
			}),
		},
	}
}

// ofContext runs f on a context after the check of master credentials.
func (c *call) ofContext(ctx *oxcontext.Context, auth *oxcontext.Credentials,
	f func(cs *contextState) *soap.Fault) *soap.Fault {
	ref, a := convert[ctxRef](ctx), convert[creds](auth)
	return c.locked(func() *soap.Fault {
		cs, fault := c.st.authMasterFor(ref, a)
		if fault != nil {
			return fault
		}
		return f(cs)
	})
}

func (c *call) createContext(in *oxcontext.Context, admin *oxcontext.User, auth *oxcontext.Credentials,
	strategy *oxcontext.SchemaSelectStrategy, arg accessArg) (out *oxcontext.Context, fault *soap.Fault) {
	a := convert[creds](auth)
	if in == nil {
		in = &oxcontext.Context{}
	}
	adminUser := convert[oxuser.User](admin)
	if adminUser == nil {
		adminUser = &oxuser.User{}
	}
	crossed, done := c.meetsAnother(strategy)
	defer done()
	fault = c.locked(func() (f *soap.Fault) {
		if strategy != nil && strategy.Schema_name != nil && strategy.Strategy != nil {
			return bareFault("Schema name and strategy are both given.")
		}
		if strategy != nil && strategy.Strategy != nil && *strategy.Strategy != "automatic" &&
			*strategy.Strategy != "in-memory" {
			return bareFault("Invalid schema select strategy " + *strategy.Strategy)
		}
		if f := c.st.authMaster(a); f != nil {
			return f
		}
		schema := ""
		if strategy != nil {
			schema = text(strategy.Schema_name)
		}
		if crossed && c.st.contexts[number(in.Id)] == nil {
			return c.st.deadlock(number(in.Id))
		}
		out, f = c.st.createContext(in, adminUser, schema, arg)
		return f
	})
	return out, fault
}

// meetsAnother notes that a create of a context is under way, and reports whether
// another one in the same schema is.
func (c *call) meetsAnother(strategy *oxcontext.SchemaSelectStrategy) (crossed bool, done func()) {
	s := c.st
	s.mu.Lock()
	defer s.mu.Unlock()
	schema := s.freeSchema()
	if strategy != nil && strategy.Schema_name != nil {
		schema = *strategy.Schema_name
	}
	s.creates[schema]++
	return s.creates[schema] > 1 && !s.withoutDeadlocks, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.creates[schema]--; s.creates[schema] == 0 {
			delete(s.creates, schema)
		}
	}
}

// deadlock is one of the three answers to a create that another one got in the way
// of, in turn. The context is rolled back.
func (s *State) deadlock(id int) *soap.Fault {
	const sql = "Deadlock found when trying to get lock; try restarting transaction"
	s.crossed++
	switch s.crossed % 3 {
	case 1:
		return s.fault(kindStorage, "FLD-0038 Categories=ERROR Message='A SQL error occurred: %s'", sql)
	case 2:
		return s.fault(kindStorage, "FLD-0033 Categories=ERROR Message='No admin user found in context %d'", id)
	}
	return bareFault("Can't overwrite cause with java.lang.Exception: " + sql)
}

// createContext makes a context with its default group and its admin.
func (s *State) createContext(in *oxcontext.Context, admin *oxuser.User, schema string,
	arg accessArg) (*oxcontext.Context, *soap.Fault) {
	id := number(in.Id)
	switch {
	case in.Id == nil:
		return nil, s.fault(kindData, "Mandatory fields in context not set: [id]")
	case id <= 0:
		return nil, s.fault(kindData, "The context identifier %d is not allowed!", id)
	case in.MaxQuota == nil:
		return nil, s.fault(kindData, "Mandatory fields in context not set: [maxQuota]")
	case s.contexts[id] != nil:
		return nil, s.fault(kindCtxExists, "Context %d already exists!", id)
	}
	name := text(in.Name)
	if name == "" {
		name = itoa(id)
	}
	for _, m := range append([]string{name}, in.LoginMappings...) {
		if bad := illegal(mappingChars, m); bad != "" {
			return nil, s.fault(kindData, "Illegal chars: \"%s\" in login mapping", bad)
		}
	}
	for _, m := range append([]string{itoa(id), name}, in.LoginMappings...) {
		if s.byMapping(m) != nil {
			return nil, s.fault(kindStorage, "Cannot map '%s' to the newly created context. This mapping is already in use.", m)
		}
	}
	if schema == "" {
		schema = s.freeSchema()
	}
	c := &contextState{
		id: id, name: name, enabled: true, mappings: map[string]bool{name: true}, maxQuota: *in.MaxQuota,
		filestoreID: defaultFilestore, filestoreName: itoa(id) + "_ctx_store", databaseID: 4, schema: schema,
		attributes: attributes{}, gabMode: "individual", gabOpen: true, quotas: map[string]int64{},
		capabilities:  map[string]bool{},
		nextPrincipal: 1, users: map[int]*userState{}, byName: map[string]*userState{}, byDisplay: index{},
		byDisplayFold: index{},
		byPrimary:     index{}, groups: map[int]*groupState{}, resources: newResources(), pim: newPIMStore(),
		lock: newWriteLock(),
	}
	if strings.EqualFold(text(in.GabMode), "global") {
		c.gabMode = "global"
	}
	if in.FilestoreId != nil {
		if s.filestores[number(in.FilestoreId)] == nil {
			return nil, s.fault(kindStorage, "No such filestore %d", number(in.FilestoreId))
		}
		c.filestoreID = number(in.FilestoreId)
	}
	for _, m := range in.LoginMappings {
		c.mappings[m] = true
	}
	mergeAttributes(c.attributes, convert[oxuser.SOAPStringMapMap](in.UserAttributes))
	g := &groupState{id: c.nextID(), name: "users", display: "Standard group", members: map[int]bool{}}
	c.groups[g.id] = g
	if _, f := s.createUser(c, admin, arg, true); f != nil {
		return nil, f
	}
	c.gabOpen = !c.users[c.adminID].bookHidden
	s.contexts[id] = c

	out := *in
	out.Name, out.Enabled = &name, new(true)
	out.FilestoreId, out.Filestore_name = id32(c.filestoreID), new(c.filestoreName)
	out.LoginMappings = c.allMappings(true)
	if in.GabMode != nil {
		out.GabMode = new(strings.ToUpper(*in.GabMode))
	}
	return &out, nil
}

// freeSchema returns the schema for a new context: the default one unless it is
// being updated.
func (s *State) freeSchema() string {
	for n := 5; ; n++ {
		if name := "oxdatabase_" + itoa(n); !s.updating[name] {
			return name
		}
	}
}

// changeContext applies what a request sets.
func (s *State) changeContext(c *contextState, in *oxcontext.Context) *soap.Fault {
	for _, m := range append([]string{text(in.Name)}, in.LoginMappings...) {
		if bad := illegal(mappingChars, m); bad != "" {
			return s.fault(kindData, "Illegal chars: \"%s\" in login mapping", bad)
		}
	}
	if n := text(in.Name); n != "" && n != c.name {
		for _, other := range s.contexts {
			if other != c && other.name == n {
				return s.fault(kindData, "Context %s already exists!", n)
			}
		}
	}
	for _, m := range in.LoginMappings {
		if other := s.byMapping(m); other != nil && other != c {
			return s.fault(kindStorage, "A mapping with login info \"%s\" already exists in the system!", m)
		}
	}
	if in.FilestoreId != nil {
		if s.filestores[number(in.FilestoreId)] == nil {
			return s.fault(kindStorage, "No such filestore %d", number(in.FilestoreId))
		}
		c.filestoreID = number(in.FilestoreId)
	}
	attrs := c.attributes.clone()
	if !mergeAttributes(attrs, convert[oxuser.SOAPStringMapMap](in.UserAttributes)) {
		return s.fault(kindStorage, "Attribute namespace without entries")
	}
	c.attributes = attrs
	if n := text(in.Name); n != "" {
		c.name = n // the mappings stay as they are
	}
	if in.LoginMappings != nil {
		c.mappings = map[string]bool{c.name: true}
		for _, m := range in.LoginMappings {
			c.mappings[m] = true
		}
	}
	if in.MaxQuota != nil {
		c.maxQuota = *in.MaxQuota
	}
	return nil
}

// accessOfAll rewrites the access of all users of a context.
func (c *call) accessOfAll(ctx *oxcontext.Context, auth *oxcontext.Credentials, arg accessArg) *soap.Fault {
	return c.ofContext(ctx, auth, func(cs *contextState) *soap.Fault {
		for _, id := range append([]int{cs.adminID}, cs.userIDs()...) {
			a, f := c.st.resolveAccess(cs, arg, id)
			if f != nil {
				return f
			}
			cs.setAccess(cs.users[id], a)
		}
		return nil
	})
}

func changeQuota(c *call, r *oxcontext.ChangeQuota) *soap.Fault {
	n, err := strconv.ParseInt(strings.TrimSpace(text(r.QuotaValue)), 10, 64)
	if err != nil {
		return bareFault("Invalid quota value.")
	}
	return c.ofContext(r.Ctx, r.Auth, func(cs *contextState) *soap.Fault {
		if n > 4294967295 {
			return c.st.fault(kindData, "Quota value is out of range (allowed range is -1 to 4294967295)")
		}
		modules := capabilityList(r.Module)
		if len(modules) == 0 {
			return c.st.fault(kindData, "No modules specified.")
		}
		for _, m := range modules {
			if n < 0 {
				delete(cs.quotas, m)
			} else {
				cs.quotas[m] = n
			}
		}
		return nil
	})
}

func (c *call) enableAll(auth *oxcontext.Credentials, on bool) *soap.Fault {
	a := convert[creds](auth)
	return c.locked(func() *soap.Fault {
		if f := c.st.authMaster(a); f != nil {
			return f
		}
		for _, cs := range c.st.contexts {
			cs.enabled = on
		}
		return nil
	})
}

// contextExists has an order of checks of its own: a context that does not exist
// is answered before anybody's password is looked at, except for the master's login.
func (c *call) contextExists(ctx *oxcontext.Context, auth *oxcontext.Credentials) (found bool, fault *soap.Fault) {
	ref, a := convert[ctxRef](ctx), convert[creds](auth)
	fault = c.locked(func() *soap.Fault {
		s := c.st
		var cs *contextState
		switch {
		case ref == nil || ref.Id == nil && ref.Name == nil:
			return s.fault(kindData, "Context id and name missing.")
		case ref.Id != nil:
			cs = s.context(number(ref.Id))
		default:
			for _, other := range s.contexts {
				if other.name == *ref.Name {
					cs = other
				}
			}
		}
		if cs == nil && (ref.Id == nil || a == nil || text(a.Login) != s.masterLogin) {
			return nil
		}
		found = cs != nil
		return s.authMaster(a)
	})
	return found && fault == nil, fault
}

// show is a context as getData and lists answer it.
func (c *contextState) show(withIDMapping bool) *oxcontext.Context {
	db := &oxcontext.Database{Id: id32(c.databaseID), Scheme: &c.schema}
	out := &oxcontext.Context{
		Average_size: new(int64(averageContextMB)), Enabled: new(c.enabled), FilestoreId: id32(c.filestoreID),
		Filestore_name: new(c.filestoreName),
		Id:             id32(c.id), LoginMappings: c.allMappings(withIDMapping), Name: new(c.name), ReadDatabase: db,
		WriteDatabase:  db,
		UsedQuota:      new(c.usedQuota),
		UserAttributes: convert[oxcontext.SOAPStringMapMap](attributesOf(c.attributes)),
	}
	if c.maxQuota >= 0 {
		out.MaxQuota = new(c.maxQuota)
	}
	return out
}

func getContextData(c *call, r *oxcontext.GetData) (*oxcontext.GetDataResponse, *soap.Fault) {
	out := &oxcontext.GetDataResponse{}
	ref, a := convert[ctxRef](r.Ctx), convert[creds](r.Auth)
	return out, c.locked(func() *soap.Fault {
		s := c.st
		if ref == nil || ref.Id == nil {
			return s.fault(kindCredentials, "Client sent invalid context data object")
		}
		cs := s.context(number(ref.Id))
		if !s.isMaster(a) && (cs == nil || !cs.isAdmin(a)) {
			return s.authFailed()
		}
		if cs == nil {
			return s.fault(kindNoContext, "Context %d does not exist", number(ref.Id))
		}
		out.Return_ = cs.show(false)
		return nil
	})
}
