package oxtest

import (
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

func utilService() *service {
	sv := &service{
		name:     oxutil.Service,
		style:    soap.FaultStyle{Namespace: oxutil.Namespace},
		decoder:  soap.NewRequestDecoder(oxutil.Namespace, oxutil.Operations),
		handlers: map[*soap.Operation]handler{},
	}
	for _, part := range []map[*soap.Operation]handler{utilDatabases(), utilSchemas(), utilFilestores(), utilServers(),
		utilReasons()} {
		maps.Copy(sv.handlers, part)
	}
	return sv
}

// utilDatabases answers the operations on databases.
func utilDatabases() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpChangeDatabase: void(func(c *call, r *oxutil.ChangeDatabase) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				return changeRegistered(c.st, c.st.databases, r.Db, func(v *oxutil.Database) *int32 { return v.Id })
			})
		}),
		oxutil.OpListAllDatabase: on(func(c *call, r *oxutil.ListAllDatabase) (*oxutil.ListAllDatabaseResponse, *soap.Fault) {
			out := &oxutil.ListAllDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault { out.Return_ = c.st.showDatabases("*"); return nil })
		}),
		oxutil.OpListDatabase: on(func(c *call, r *oxutil.ListDatabase) (*oxutil.ListDatabaseResponse, *soap.Fault) {
			out := &oxutil.ListDatabaseResponse{}
			return out, c.master(r.Auth,
				func() *soap.Fault { out.Return_ = c.st.showDatabases(text(r.Search_pattern)); return nil })
		}),
		oxutil.OpRegisterDatabase: on(func(c *call, r *oxutil.RegisterDatabase) (*oxutil.RegisterDatabaseResponse,
			*soap.Fault) {
			out := &oxutil.RegisterDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Db == nil || text(r.Db.Name) == "" || text(r.Db.Url) == "" {
					return c.st.fault(kindData, "Mandatory fields not set: [name, url]")
				}
				for _, d := range c.st.databases {
					if text(d.Name) == text(r.Db.Name) {
						return c.st.fault(kindData, "Database %s already exists!", text(r.Db.Name))
					}
				}
				v := *r.Db
				v.Id = c.st.newID()
				c.st.databases[number(v.Id)], out.Return_ = &v, &v
				return nil
			})
		}),
		oxutil.OpUnregisterDatabase: void(func(c *call, r *oxutil.UnregisterDatabase) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, cs := range c.st.contexts {
					if r.Dbhandle != nil && cs.databaseID == number(r.Dbhandle.Id) {
						return c.st.fault(kindStorage, "Database pool is in use")
					}
				}
				return unregister(c.st, c.st.databases, r.Dbhandle, func(v *oxutil.Database) *int32 { return v.Id })
			})
		}),
	}
}

// utilSchemas answers the operations on the schemas of databases.
func utilSchemas() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpCheckCountsConsistency: void(func(c *call, r *oxutil.CheckCountsConsistency) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault { return nil })
		}),
		oxutil.OpCheckDatabase: on(func(c *call, r *oxutil.CheckDatabase) (*oxutil.CheckDatabaseResponse, *soap.Fault) {
			out := &oxutil.CheckDatabaseResponse{Return_: &oxutil.CheckedDatabases{}}
			return out, c.master(r.Auth, func() *soap.Fault {
				for _, name := range slices.Sorted(maps.Keys(c.st.updating)) {
					db := *c.st.databases[4]
					db.Scheme = new(name)
					out.Return_.Blocked = append(out.Return_.Blocked, &db)
				}
				return nil
			})
		}),
		oxutil.OpCreateSchema: on(func(c *call, r *oxutil.CreateSchema) (*oxutil.CreateSchemaResponse, *soap.Fault) {
			out := &oxutil.CreateSchemaResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				id := 4
				if r.OptDBId != nil {
					id = number(r.OptDBId)
				}
				db := c.st.databases[id]
				if db == nil {
					return c.st.fault(kindStorage, "No such database %d", id)
				}
				v := *db
				v.Scheme = new("oxdatabase_" + itoa(number(c.st.newID())))
				out.Return_ = &v
				return nil
			})
		}),
		oxutil.OpUnblockDatabase: on(func(c *call, r *oxutil.UnblockDatabase) (*oxutil.UnblockDatabaseResponse, *soap.Fault) {
			out := &oxutil.UnblockDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Db == nil || !c.st.updating[text(r.Db.Scheme)] {
					return nil
				}
				delete(c.st.updating, text(r.Db.Scheme))
				out.Return_ = append(out.Return_, r.Db)
				return nil
			})
		}),
	}
}

// utilFilestores answers the operations on file stores.
func utilFilestores() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpChangeFilestore: void(func(c *call, r *oxutil.ChangeFilestore) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				return changeRegistered(c.st, c.st.filestores, r.Fstore, func(v *oxutil.Filestore) *int32 { return v.Id })
			})
		}),
		oxutil.OpListAllFilestore: on(func(c *call, r *oxutil.ListAllFilestore) (*oxutil.ListAllFilestoreResponse,
			*soap.Fault) {
			out := &oxutil.ListAllFilestoreResponse{}
			return out, c.master(r.Auth, func() *soap.Fault { out.Return_ = c.st.showFilestores("*"); return nil })
		}),
		oxutil.OpListFilestore: on(func(c *call, r *oxutil.ListFilestore) (*oxutil.ListFilestoreResponse, *soap.Fault) {
			out := &oxutil.ListFilestoreResponse{}
			return out, c.master(r.Auth,
				func() *soap.Fault { out.Return_ = c.st.showFilestores(text(r.Search_pattern)); return nil })
		}),
		oxutil.OpRegisterFilestore: on(func(c *call, r *oxutil.RegisterFilestore) (*oxutil.RegisterFilestoreResponse,
			*soap.Fault) {
			out := &oxutil.RegisterFilestoreResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Fstore == nil || text(r.Fstore.Url) == "" {
					return c.st.fault(kindData, "Mandatory fields not set: [url]")
				}
				for _, d := range c.st.filestores {
					if text(d.Url) == text(r.Fstore.Url) {
						return c.st.fault(kindData, "Store already exists!")
					}
				}
				v := *r.Fstore
				v.Id = c.st.newID()
				c.st.filestores[number(v.Id)], out.Return_ = &v, &v
				return nil
			})
		}),
		oxutil.OpUnregisterFilestore: void(func(c *call, r *oxutil.UnregisterFilestore) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, cs := range c.st.contexts {
					if r.Store != nil && cs.filestoreID == number(r.Store.Id) {
						return c.st.fault(kindStorage, "Store is in use")
					}
				}
				return unregister(c.st, c.st.filestores, r.Store, func(v *oxutil.Filestore) *int32 { return v.Id })
			})
		}),
	}
}

// utilServers answers the operations on servers.
func utilServers() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpListAllServer: on(func(c *call, r *oxutil.ListAllServer) (*oxutil.ListAllServerResponse, *soap.Fault) {
			out := &oxutil.ListAllServerResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = registered(c.st.servers, "*", func(v *oxutil.Server) string { return text(v.Name) })
				return nil
			})
		}),
		oxutil.OpListServer: on(func(c *call, r *oxutil.ListServer) (*oxutil.ListServerResponse, *soap.Fault) {
			out := &oxutil.ListServerResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = registered(c.st.servers, text(r.Search_pattern),
					func(v *oxutil.Server) string { return text(v.Name) })
				return nil
			})
		}),
		oxutil.OpRegisterServer: on(func(c *call, r *oxutil.RegisterServer) (*oxutil.RegisterServerResponse, *soap.Fault) {
			out := &oxutil.RegisterServerResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Srv == nil || text(r.Srv.Name) == "" {
					return c.st.fault(kindData, "Mandatory fields not set: [name]")
				}
				for _, d := range c.st.servers {
					if text(d.Name) == text(r.Srv.Name) {
						return c.st.fault(kindData, "Server already exists!")
					}
				}
				v := &oxutil.Server{Id: c.st.newID(), Name: r.Srv.Name}
				c.st.servers[number(v.Id)], out.Return_ = v, v
				return nil
			})
		}),
		oxutil.OpUnregisterServer: void(func(c *call, r *oxutil.UnregisterServer) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				return unregister(c.st, c.st.servers, r.Serv, func(v *oxutil.Server) *int32 { return v.Id })
			})
		}),
	}
}

// utilReasons answers the operations on reasons for maintenance.
func utilReasons() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpCreateMaintenanceReason: on(func(c *call,
			r *oxutil.CreateMaintenanceReason) (*oxutil.CreateMaintenanceReasonResponse, *soap.Fault) {
			out := &oxutil.CreateMaintenanceReasonResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Reason == nil || text(r.Reason.Text) == "" {
					return c.st.fault(kindData, "Reason text missing.")
				}
				v := &oxutil.MaintenanceReason{Id: c.st.newID(), Idset: new(true), Text: r.Reason.Text, Textset: new(true)}
				c.st.reasons[number(v.Id)], out.Return_ = v, v
				return nil
			})
		}),
		oxutil.OpDeleteMaintenanceReason: void(func(c *call, r *oxutil.DeleteMaintenanceReason) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, v := range r.Reasons {
					if c.st.reasons[number(v.Id)] == nil {
						return c.st.fault(kindData, "Reason with id %d does not exist", number(v.Id))
					}
				}
				for _, v := range r.Reasons {
					delete(c.st.reasons, number(v.Id))
				}
				return nil
			})
		}),
		oxutil.OpListAllMaintenanceReason: on(func(c *call,
			r *oxutil.ListAllMaintenanceReason) (*oxutil.ListAllMaintenanceReasonResponse, *soap.Fault) {
			out := &oxutil.ListAllMaintenanceReasonResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = registered(c.st.reasons, "*", func(v *oxutil.MaintenanceReason) string { return text(v.Text) })
				return nil
			})
		}),
		oxutil.OpListMaintenanceReason: on(func(c *call,
			r *oxutil.ListMaintenanceReason) (*oxutil.ListMaintenanceReasonResponse, *soap.Fault) {
			out := &oxutil.ListMaintenanceReasonResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = registered(c.st.reasons, text(r.Search_pattern),
					func(v *oxutil.MaintenanceReason) string { return text(v.Text) })
				return nil
			})
		}),
	}
}

// master runs f after the check of master credentials.
func (c *call) master(auth *oxutil.Credentials, f func() *soap.Fault) *soap.Fault {
	a := convert[creds](auth)
	return c.locked(func() *soap.Fault {
		if f := c.st.authMaster(a); f != nil {
			return f
		}
		return f()
	})
}

func (s *State) newID() *int32 {
	s.nextID++
	return id32(s.nextID - 1)
}

// registered lists what matches a pattern, by id.
func registered[T any](m map[int]*T, pattern string, name func(*T) string) []*T {
	var out []*T
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if matches(pattern, name(m[id]), true) {
			out = append(out, m[id])
		}
	}
	return out
}

func changeRegistered[T any](s *State, m map[int]*T, in *T, id func(*T) *int32) *soap.Fault {
	if in == nil || m[number(id(in))] == nil {
		return s.fault(kindData, "The given id does not exist")
	}
	v := *m[number(id(in))]
	overlay(&v, in)
	m[number(id(in))] = &v
	return nil
}

func unregister[T any](s *State, m map[int]*T, in *T, id func(*T) *int32) *soap.Fault {
	if in == nil || m[number(id(in))] == nil {
		return s.fault(kindData, "The given id does not exist")
	}
	delete(m, number(id(in)))
	return nil
}

func (s *State) showDatabases(pattern string) []*oxutil.Database {
	l := registered(s.databases, pattern, func(v *oxutil.Database) string { return text(v.Name) })
	for i, d := range l {
		v := *d
		n := 0
		for _, c := range s.contexts {
			if c.databaseID == number(d.Id) {
				n++
			}
		}
		v.CurrentUnits = id32(n)
		l[i] = &v
	}
	return l
}

func (s *State) showFilestores(pattern string) []*oxutil.Filestore {
	l := registered(s.filestores, pattern, func(v *oxutil.Filestore) string { return text(v.Url) })
	for i, d := range l {
		v := *d
		n := 0
		for _, c := range s.contexts {
			if c.filestoreID == number(d.Id) {
				n++
			}
		}
		v.CurrentContexts = id32(n)
		l[i] = &v
	}
	return l
}
