package ox

import (
	"context"
	"errors"
	"iter"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

var errGABEverywhere = errors.New("the global address book cannot be changed for everybody at once")

// Cluster administers what lies below the contexts.
type Cluster struct{ c *Client }

func (s *Cluster) call(name string, op *soap.Operation, subject string, req any) call {
	return call{name: name, op: op, subject: subject, req: req, cred: s.c.master}
}

func (s *Cluster) run(ctx context.Context, k call) error { return s.c.do(ctx, &k) }

// Database is a database pool. OX answers its password in clear text.
type Database struct {
	ID, ReadID, MasterID                int
	Name, Driver, URL, Schema           string
	Login                               string
	Password                            schoolmail.Secret
	Master                              bool
	CurrentUnits, MaxUnits              int // contexts
	PoolInitial, PoolMax, PoolHardLimit int // connections
}

func databaseFrom(g *oxutil.Database) Database {
	return Database{
		ID: int(val(g.Id)), ReadID: int(val(g.Read_id)), MasterID: int(val(g.MasterId)),
		Name: val(g.Name), Driver: val(g.Driver), URL: val(g.Url), Schema: val(g.Scheme),
		Login: val(g.Login), Password: schoolmail.Secret(val(g.Password)), Master: val(g.Master),
		CurrentUnits: int(val(g.CurrentUnits)), MaxUnits: int(val(g.MaxUnits)),
		PoolInitial: int(val(g.PoolInitial)), PoolMax: int(val(g.PoolMax)), PoolHardLimit: int(val(g.PoolHardLimit)),
	}
}

func databasesFrom(list []*oxutil.Database) []Database {
	var out []Database
	for _, g := range list {
		out = append(out, databaseFrom(g))
	}
	return out
}

// DatabaseChange is what to write to a database pool or to register it with: nil
// leaves unchanged or to the server's default, and so does an empty password.
type DatabaseChange struct {
	Name, Driver, URL, Login            *string
	Password                            schoolmail.Secret
	Master                              *bool
	MasterID, MaxUnits                  *int
	PoolInitial, PoolMax, PoolHardLimit *int
}

func (ch *DatabaseChange) to() *oxutil.Database {
	return &oxutil.Database{
		Name: ch.Name, Driver: ch.Driver, Url: ch.URL, Login: ch.Login, Password: secretTo(ch.Password), Master: ch.Master,
		MasterId: intTo(ch.MasterID), MaxUnits: intTo(ch.MaxUnits), PoolInitial: intTo(ch.PoolInitial),
		PoolMax: intTo(ch.PoolMax), PoolHardLimit: intTo(ch.PoolHardLimit),
	}
}

// Databases lists the database pools that match a pattern, in which "*" is a
// wildcard; an empty pattern is all.
func (s *Cluster) Databases(ctx context.Context, pattern string) iter.Seq2[Database, error] {
	k := s.call("list databases", oxutil.OpListAllDatabase, pattern, &oxutil.ListAllDatabase{})
	if pattern != "" {
		k.op, k.req = oxutil.OpListDatabase, &oxutil.ListDatabase{Search_pattern: &pattern}
	}
	return each(func() ([]Database, error) { return stream(ctx, s.c, k, databaseFrom) })
}

// RegisterDatabase makes a database known. With schemas > 0 that many schemas are
// created at once.
func (s *Cluster) RegisterDatabase(ctx context.Context, ch DatabaseChange, schemas int) (Database, error) {
	k := s.call("register database", oxutil.OpRegisterDatabase, val(ch.Name), nil)
	k.secrets = append(k.secrets, ch.Password)
	req := &oxutil.RegisterDatabase{Db: ch.to()}
	if schemas > 0 {
		req.CreateSchemas, req.OptNumberOfSchemas = new(true), new(int32Of(schemas))
	}
	k.req = req
	r, err := invoke[oxutil.RegisterDatabaseResponse](ctx, s.c, k)
	if err != nil || r.Return_ == nil {
		return Database{}, err
	}
	return databaseFrom(r.Return_), nil
}

// ChangeDatabase writes to a database pool.
func (s *Cluster) ChangeDatabase(ctx context.Context, id int, ch DatabaseChange) error {
	db := ch.to()
	db.Id = number(id)
	k := s.call("change database", oxutil.OpChangeDatabase, "", &oxutil.ChangeDatabase{Db: db})
	k.secrets = append(k.secrets, ch.Password)
	return s.run(ctx, k)
}

// UnregisterDatabase makes a database unknown, which must hold no context.
func (s *Cluster) UnregisterDatabase(ctx context.Context, id int) error {
	return s.run(ctx, s.call("unregister database", oxutil.OpUnregisterDatabase, "",
		&oxutil.UnregisterDatabase{Dbhandle: &oxutil.Database{Id: number(id)}}))
}

// CreateSchema creates an empty schema in a database, or, with database 0, where
// the server likes.
func (s *Cluster) CreateSchema(ctx context.Context, database int) (Database, error) {
	r, err := invoke[oxutil.CreateSchemaResponse](ctx, s.c, s.call("create schema", oxutil.OpCreateSchema, "",
		&oxutil.CreateSchema{OptDBId: number(database)}))
	if err != nil || r.Return_ == nil {
		return Database{}, err
	}
	return databaseFrom(r.Return_), nil
}

// SchemaState lists the schemas that are not as they should be.
type SchemaState struct {
	NeedUpdate []Database // the first login starts the update
	Blocked    []Database // an update is running, or was broken off
	Outdated   []Database // an update has been running for too long
}

// CheckDatabases tells which schemas need an update or are being updated. Ask it
// while waiting for [ErrDatabaseUpdate] to pass.
func (s *Cluster) CheckDatabases(ctx context.Context) (SchemaState, error) {
	r, err := invoke[oxutil.CheckDatabaseResponse](ctx, s.c, s.call("check databases", oxutil.OpCheckDatabase, "",
		&oxutil.CheckDatabase{}))
	if err != nil || r.Return_ == nil {
		return SchemaState{}, err
	}
	return SchemaState{
		NeedUpdate: databasesFrom(r.Return_.Needsupdate),
		Blocked:    databasesFrom(r.Return_.Blocked),
		Outdated:   databasesFrom(r.Return_.Outdated),
	}, nil
}

// UnblockDatabase takes away the update locks of a schema that was left behind by
// a broken update.
func (s *Cluster) UnblockDatabase(ctx context.Context, id int, schema string) ([]Database, error) {
	return stream(ctx, s.c, s.call("unblock database", oxutil.OpUnblockDatabase, schema,
		&oxutil.UnblockDatabase{Db: &oxutil.Database{Id: number(id), Scheme: text(schema)}}), databaseFrom)
}

// CheckCounts lets the server count again what lies in databases and file stores.
func (s *Cluster) CheckCounts(ctx context.Context, databases, filestores bool) error {
	return s.run(ctx, s.call("check counts", oxutil.OpCheckCountsConsistency, "",
		&oxutil.CheckCountsConsistency{CheckDatabaseCounts: &databases, CheckFilestoreCounts: &filestores}))
}

// Filestore is a file store.
type Filestore struct {
	ID                           int
	URL                          string
	Size, Used, Reserved         int64 // MB
	CurrentContexts, MaxContexts int
}

func filestoreFrom(g *oxutil.Filestore) Filestore {
	return Filestore{ID: int(val(g.Id)), URL: val(g.Url), Size: val(g.Size), Used: val(g.Used), Reserved: val(g.Reserved),
		CurrentContexts: int(val(g.CurrentContexts)), MaxContexts: int(val(g.MaxContexts))}
}

// Filestores lists the file stores whose address matches a pattern, in which "*"
// is a wildcard; an empty pattern is all.
func (s *Cluster) Filestores(ctx context.Context, pattern string) iter.Seq2[Filestore, error] {
	k := s.call("list file stores", oxutil.OpListAllFilestore, pattern, &oxutil.ListAllFilestore{})
	if pattern != "" {
		k.op, k.req = oxutil.OpListFilestore, &oxutil.ListFilestore{Search_pattern: &pattern}
	}
	return each(func() ([]Filestore, error) { return stream(ctx, s.c, k, filestoreFrom) })
}

// FilestoreChange is what to write to a file store or to register it with.
type FilestoreChange struct {
	URL         *string
	Size        *int64 // MB
	MaxContexts *int
}

func (ch *FilestoreChange) to() *oxutil.Filestore {
	return &oxutil.Filestore{Url: ch.URL, Size: ch.Size, MaxContexts: intTo(ch.MaxContexts)}
}

// RegisterFilestore makes a file store known.
func (s *Cluster) RegisterFilestore(ctx context.Context, ch FilestoreChange) (Filestore, error) {
	r, err := invoke[oxutil.RegisterFilestoreResponse](ctx, s.c,
		s.call("register file store", oxutil.OpRegisterFilestore, val(ch.URL), &oxutil.RegisterFilestore{Fstore: ch.to()}))
	if err != nil || r.Return_ == nil {
		return Filestore{}, err
	}
	return filestoreFrom(r.Return_), nil
}

// ChangeFilestore writes to a file store.
func (s *Cluster) ChangeFilestore(ctx context.Context, id int, ch FilestoreChange) error {
	fs := ch.to()
	fs.Id = number(id)
	return s.run(ctx, s.call("change file store", oxutil.OpChangeFilestore, "", &oxutil.ChangeFilestore{Fstore: fs}))
}

// UnregisterFilestore makes a file store unknown, which must hold no context.
func (s *Cluster) UnregisterFilestore(ctx context.Context, id int) error {
	return s.run(ctx, s.call("unregister file store", oxutil.OpUnregisterFilestore, "",
		&oxutil.UnregisterFilestore{Store: &oxutil.Filestore{Id: number(id)}}))
}

// Server is a registered server: a name under which contexts are kept together.
type Server struct {
	ID   int
	Name string
}

func serverFrom(g *oxutil.Server) Server { return Server{ID: int(val(g.Id)), Name: val(g.Name)} }

// Servers lists the registered servers whose name matches a pattern, in which
// "*" is a wildcard; an empty pattern is all.
func (s *Cluster) Servers(ctx context.Context, pattern string) iter.Seq2[Server, error] {
	k := s.call("list servers", oxutil.OpListAllServer, pattern, &oxutil.ListAllServer{})
	if pattern != "" {
		k.op, k.req = oxutil.OpListServer, &oxutil.ListServer{Search_pattern: &pattern}
	}
	return each(func() ([]Server, error) { return stream(ctx, s.c, k, serverFrom) })
}

// RegisterServer makes a server known.
func (s *Cluster) RegisterServer(ctx context.Context, name string) (Server, error) {
	r, err := invoke[oxutil.RegisterServerResponse](ctx, s.c, s.call("register server", oxutil.OpRegisterServer, name,
		&oxutil.RegisterServer{Srv: &oxutil.Server{Name: &name}}))
	if err != nil || r.Return_ == nil {
		return Server{}, err
	}
	return serverFrom(r.Return_), nil
}

// UnregisterServer makes a server unknown.
func (s *Cluster) UnregisterServer(ctx context.Context, id int) error {
	return s.run(ctx, s.call("unregister server", oxutil.OpUnregisterServer, "",
		&oxutil.UnregisterServer{Serv: &oxutil.Server{Id: number(id)}}))
}

// MaintenanceReason is why a context is disabled.
type MaintenanceReason struct {
	ID   int
	Text string
}

func reasonFrom(g *oxutil.MaintenanceReason) MaintenanceReason {
	return MaintenanceReason{ID: int(val(g.Id)), Text: val(g.Text)}
}

// MaintenanceReasons lists the reasons whose text matches a pattern, in which
// "*" is a wildcard; an empty pattern is all.
func (s *Cluster) MaintenanceReasons(ctx context.Context, pattern string) iter.Seq2[MaintenanceReason, error] {
	k := s.call("list maintenance reasons", oxutil.OpListAllMaintenanceReason, pattern, &oxutil.ListAllMaintenanceReason{})
	if pattern != "" {
		k.op, k.req = oxutil.OpListMaintenanceReason, &oxutil.ListMaintenanceReason{Search_pattern: &pattern}
	}
	return each(func() ([]MaintenanceReason, error) { return stream(ctx, s.c, k, reasonFrom) })
}

// CreateMaintenanceReason makes a reason.
func (s *Cluster) CreateMaintenanceReason(ctx context.Context, text string) (MaintenanceReason, error) {
	r, err := invoke[oxutil.CreateMaintenanceReasonResponse](ctx, s.c,
		s.call("create maintenance reason", oxutil.OpCreateMaintenanceReason, "",
			&oxutil.CreateMaintenanceReason{Reason: &oxutil.MaintenanceReason{Text: &text, Textset: new(true)}}))
	if err != nil || r.Return_ == nil {
		return MaintenanceReason{}, err
	}
	return reasonFrom(r.Return_), nil
}

// DeleteMaintenanceReasons removes reasons.
func (s *Cluster) DeleteMaintenanceReasons(ctx context.Context, ids ...int) error {
	req := new(oxutil.DeleteMaintenanceReason)
	for _, id := range ids {
		req.Reasons = append(req.Reasons, &oxutil.MaintenanceReason{Id: number(id), Idset: new(true)})
	}
	return s.run(ctx, s.call("delete maintenance reasons", oxutil.OpDeleteMaintenanceReason, "", req))
}

// ChangeAccessEverywhere adds and removes flags for all users of all contexts
// whose access matches filter, the name of a combination or a number of
// permission bits. The global address book cannot be closed or opened this way.
func (s *Cluster) ChangeAccessEverywhere(ctx context.Context, filter string, add, remove Access) error {
	k := s.call("change access everywhere", oxuser.OpChangeModuleAccessGlobal, filter, &oxuser.ChangeModuleAccessGlobal{
		Filter: &filter, AddAccess: accessTo(add),
		RemoveAccess: accessTo(remove)})
	if (add | remove).Has(AccessGlobalAddressBookDisabled) {
		return k.invalid(errGABEverywhere)
	}
	return s.run(ctx, k)
}
