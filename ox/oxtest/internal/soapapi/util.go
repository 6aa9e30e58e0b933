package soapapi

import (
	"maps"
	"slices"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func utilService() *service {
	sv := &service{
		name:     oxutil.Service,
		style:    soap.FaultStyle{Namespace: oxutil.Namespace},
		decoder:  soap.NewRequestDecoder(oxutil.Namespace, oxutil.Operations),
		Handlers: map[*soap.Operation]handler{},
	}
	for _, part := range []map[*soap.Operation]handler{utilDatabases(), utilSchemas(), utilFilestores(), utilServers(),
		utilReasons()} {
		maps.Copy(sv.Handlers, part)
	}
	return sv
}

// utilDatabases answers the operations on databases.
func utilDatabases() map[*soap.Operation]handler {
	return map[*soap.Operation]handler{
		oxutil.OpChangeDatabase: void(func(c *call, r *oxutil.ChangeDatabase) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				return state.ChangeRegistered(c.st, c.st.Databases, r.Db, func(v *oxutil.Database) *int32 { return v.Id })
			})
		}),
		oxutil.OpListAllDatabase: on(func(c *call, r *oxutil.ListAllDatabase) (*oxutil.ListAllDatabaseResponse, *soap.Fault) {
			out := &oxutil.ListAllDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault { out.Return_ = c.st.ShowDatabases("*"); return nil })
		}),
		oxutil.OpListDatabase: on(func(c *call, r *oxutil.ListDatabase) (*oxutil.ListDatabaseResponse, *soap.Fault) {
			out := &oxutil.ListDatabaseResponse{}
			return out, c.master(r.Auth,
				func() *soap.Fault { out.Return_ = c.st.ShowDatabases(state.Text(r.Search_pattern)); return nil })
		}),
		oxutil.OpRegisterDatabase: on(func(c *call, r *oxutil.RegisterDatabase) (*oxutil.RegisterDatabaseResponse,
			*soap.Fault) {
			out := &oxutil.RegisterDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Db == nil || state.Text(r.Db.Name) == "" || state.Text(r.Db.Url) == "" {
					return c.st.Fault(state.KindData, "Mandatory fields not set: [name, url]")
				}
				for _, d := range c.st.Databases {
					if state.Text(d.Name) == state.Text(r.Db.Name) {
						return c.st.Fault(state.KindData, "Database %s already exists!", state.Text(r.Db.Name))
					}
				}
				v := *r.Db
				v.Id = c.st.NewID()
				c.st.Databases[state.Number(v.Id)], out.Return_ = &v, &v
				return nil
			})
		}),
		oxutil.OpUnregisterDatabase: void(func(c *call, r *oxutil.UnregisterDatabase) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, cs := range c.st.Contexts {
					if r.Dbhandle != nil && cs.DatabaseID == state.Number(r.Dbhandle.Id) {
						return c.st.Fault(state.KindStorage, "Database pool is in use")
					}
				}
				return state.Unregister(c.st, c.st.Databases, r.Dbhandle, func(v *oxutil.Database) *int32 { return v.Id })
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
				for _, name := range slices.Sorted(maps.Keys(c.st.Updating)) {
					db := *c.st.Databases[4]
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
					id = state.Number(r.OptDBId)
				}
				db := c.st.Databases[id]
				if db == nil {
					return c.st.Fault(state.KindStorage, "No such database %d", id)
				}
				v := *db
				v.Scheme = new("oxdatabase_" + state.Itoa(state.Number(c.st.NewID())))
				out.Return_ = &v
				return nil
			})
		}),
		oxutil.OpUnblockDatabase: on(func(c *call, r *oxutil.UnblockDatabase) (*oxutil.UnblockDatabaseResponse, *soap.Fault) {
			out := &oxutil.UnblockDatabaseResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Db == nil || !c.st.Updating[state.Text(r.Db.Scheme)] {
					return nil
				}
				delete(c.st.Updating, state.Text(r.Db.Scheme))
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
				return state.ChangeRegistered(c.st, c.st.Filestores, r.Fstore, func(v *oxutil.Filestore) *int32 { return v.Id })
			})
		}),
		oxutil.OpListAllFilestore: on(func(c *call, r *oxutil.ListAllFilestore) (*oxutil.ListAllFilestoreResponse,
			*soap.Fault) {
			out := &oxutil.ListAllFilestoreResponse{}
			return out, c.master(r.Auth, func() *soap.Fault { out.Return_ = c.st.ShowFilestores("*"); return nil })
		}),
		oxutil.OpListFilestore: on(func(c *call, r *oxutil.ListFilestore) (*oxutil.ListFilestoreResponse, *soap.Fault) {
			out := &oxutil.ListFilestoreResponse{}
			return out, c.master(r.Auth,
				func() *soap.Fault { out.Return_ = c.st.ShowFilestores(state.Text(r.Search_pattern)); return nil })
		}),
		oxutil.OpRegisterFilestore: on(func(c *call, r *oxutil.RegisterFilestore) (*oxutil.RegisterFilestoreResponse,
			*soap.Fault) {
			out := &oxutil.RegisterFilestoreResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Fstore == nil || state.Text(r.Fstore.Url) == "" {
					return c.st.Fault(state.KindData, "Mandatory fields not set: [url]")
				}
				for _, d := range c.st.Filestores {
					if state.Text(d.Url) == state.Text(r.Fstore.Url) {
						return c.st.Fault(state.KindData, "Store already exists!")
					}
				}
				v := *r.Fstore
				v.Id = c.st.NewID()
				c.st.Filestores[state.Number(v.Id)], out.Return_ = &v, &v
				return nil
			})
		}),
		oxutil.OpUnregisterFilestore: void(func(c *call, r *oxutil.UnregisterFilestore) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, cs := range c.st.Contexts {
					if r.Store != nil && cs.FilestoreID == state.Number(r.Store.Id) {
						return c.st.Fault(state.KindStorage, "Store is in use")
					}
				}
				return state.Unregister(c.st, c.st.Filestores, r.Store, func(v *oxutil.Filestore) *int32 { return v.Id })
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
				out.Return_ = state.Registered(c.st.Servers, "*", func(v *oxutil.Server) string { return state.Text(v.Name) })
				return nil
			})
		}),
		oxutil.OpListServer: on(func(c *call, r *oxutil.ListServer) (*oxutil.ListServerResponse, *soap.Fault) {
			out := &oxutil.ListServerResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = state.Registered(c.st.Servers, state.Text(r.Search_pattern),
					func(v *oxutil.Server) string { return state.Text(v.Name) })
				return nil
			})
		}),
		oxutil.OpRegisterServer: on(func(c *call, r *oxutil.RegisterServer) (*oxutil.RegisterServerResponse, *soap.Fault) {
			out := &oxutil.RegisterServerResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				if r.Srv == nil || state.Text(r.Srv.Name) == "" {
					return c.st.Fault(state.KindData, "Mandatory fields not set: [name]")
				}
				for _, d := range c.st.Servers {
					if state.Text(d.Name) == state.Text(r.Srv.Name) {
						return c.st.Fault(state.KindData, "Server already exists!")
					}
				}
				v := &oxutil.Server{Id: c.st.NewID(), Name: r.Srv.Name}
				c.st.Servers[state.Number(v.Id)], out.Return_ = v, v
				return nil
			})
		}),
		oxutil.OpUnregisterServer: void(func(c *call, r *oxutil.UnregisterServer) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				return state.Unregister(c.st, c.st.Servers, r.Serv, func(v *oxutil.Server) *int32 { return v.Id })
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
				if r.Reason == nil || state.Text(r.Reason.Text) == "" {
					return c.st.Fault(state.KindData, "Reason text missing.")
				}
				v := &oxutil.MaintenanceReason{Id: c.st.NewID(), Idset: new(true), Text: r.Reason.Text, Textset: new(true)}
				c.st.Reasons[state.Number(v.Id)], out.Return_ = v, v
				return nil
			})
		}),
		oxutil.OpDeleteMaintenanceReason: void(func(c *call, r *oxutil.DeleteMaintenanceReason) *soap.Fault {
			return c.master(r.Auth, func() *soap.Fault {
				for _, v := range r.Reasons {
					if c.st.Reasons[state.Number(v.Id)] == nil {
						return c.st.Fault(state.KindData, "Reason with id %d does not exist", state.Number(v.Id))
					}
				}
				for _, v := range r.Reasons {
					delete(c.st.Reasons, state.Number(v.Id))
				}
				return nil
			})
		}),
		oxutil.OpListAllMaintenanceReason: on(func(c *call,
			r *oxutil.ListAllMaintenanceReason) (*oxutil.ListAllMaintenanceReasonResponse, *soap.Fault) {
			out := &oxutil.ListAllMaintenanceReasonResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = state.Registered(c.st.Reasons, "*",
					func(v *oxutil.MaintenanceReason) string { return state.Text(v.Text) })
				return nil
			})
		}),
		oxutil.OpListMaintenanceReason: on(func(c *call,
			r *oxutil.ListMaintenanceReason) (*oxutil.ListMaintenanceReasonResponse, *soap.Fault) {
			out := &oxutil.ListMaintenanceReasonResponse{}
			return out, c.master(r.Auth, func() *soap.Fault {
				out.Return_ = state.Registered(c.st.Reasons, state.Text(r.Search_pattern),
					func(v *oxutil.MaintenanceReason) string { return state.Text(v.Text) })
				return nil
			})
		}),
	}
}

// master runs f after the check of master credentials.
func (c *call) master(auth *oxutil.Credentials, f func() *soap.Fault) *soap.Fault {
	return c.locked(func() *soap.Fault {
		if f := c.st.AuthMaster(auth); f != nil {
			return f
		}
		return f()
	})
}
