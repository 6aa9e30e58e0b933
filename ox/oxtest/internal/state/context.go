package state

import (
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Deadlock is one of the three answers to a create that another one got in the way
// of, in turn. The context is rolled back.
func (s *World) Deadlock(id int) *soap.Fault {
	const sql = "Deadlock found when trying to get lock; try restarting transaction"
	s.crossed++
	switch s.crossed % 3 {
	case 1:
		return s.Fault(KindStorage, "FLD-0038 Categories=ERROR Message='A SQL error occurred: %s'", sql)
	case 2:
		return s.Fault(KindStorage, "FLD-0033 Categories=ERROR Message='No admin user found in context %d'", id)
	}
	return BareFault("Can't overwrite cause with java.lang.Exception: " + sql)
}

// CreateContext makes a context with its default group and its admin.
func (s *World) CreateContext(in *oxcontext.Context, admin *oxuser.User, schema string,
	arg AccessArg) (*oxcontext.Context, *soap.Fault) {
	id := Number(in.Id)
	switch {
	case in.Id == nil:
		return nil, s.Fault(KindData, "Mandatory fields in context not set: [id]")
	case id <= 0:
		return nil, s.Fault(KindData, "The context identifier %d is not allowed!", id)
	case in.MaxQuota == nil:
		return nil, s.Fault(KindData, "Mandatory fields in context not set: [maxQuota]")
	case s.Contexts[id] != nil:
		return nil, s.Fault(kindCtxExists, "Context %d already exists!", id)
	}
	name := Text(in.Name)
	if name == "" {
		name = Itoa(id)
	}
	for _, m := range append([]string{name}, in.LoginMappings...) {
		if bad := illegal(mappingChars, m); bad != "" {
			return nil, s.Fault(KindData, "Illegal chars: \"%s\" in login mapping", bad)
		}
	}
	for _, m := range append([]string{Itoa(id), name}, in.LoginMappings...) {
		if s.ByMapping(m) != nil {
			return nil, s.Fault(KindStorage, "Cannot map '%s' to the newly created context. This mapping is already in use.", m)
		}
	}
	if schema == "" {
		schema = s.FreeSchema()
	}
	c := &Context{
		ID: id, Name: name, Enabled: true, mappings: map[string]bool{name: true}, MaxQuota: *in.MaxQuota,
		FilestoreID: DefaultFilestore, filestoreName: Itoa(id) + "_ctx_store", DatabaseID: 4, Schema: schema,
		attributes: Attributes{}, GABMode: "individual", gabOpen: true, Quotas: map[string]int64{},
		Capabilities:  map[string]bool{},
		nextPrincipal: 1, Users: map[int]*User{}, byName: map[string]*User{}, ByDisplay: index{},
		byDisplayFold: index{},
		byPrimary:     index{}, Groups: map[int]*Group{}, Resources: newResources(), PIM: newPIM(),
		Lock: newWriteLock(),
	}
	if strings.EqualFold(Text(in.GabMode), "global") {
		c.GABMode = "global"
	}
	if in.FilestoreId != nil {
		if s.Filestores[Number(in.FilestoreId)] == nil {
			return nil, s.Fault(KindStorage, "No such filestore %d", Number(in.FilestoreId))
		}
		c.FilestoreID = Number(in.FilestoreId)
	}
	for _, m := range in.LoginMappings {
		c.mappings[m] = true
	}
	mergeAttributes(c.attributes, in.UserAttributes)
	g := &Group{ID: c.NextID(), Name: "users", Display: "Standard group", Members: map[int]bool{}}
	c.Groups[g.ID] = g
	if _, f := s.CreateUser(c, admin, arg, true); f != nil {
		return nil, f
	}
	c.gabOpen = !c.Users[c.AdminID].bookHidden
	s.Contexts[id] = c

	out := *in
	out.Name, out.Enabled = &name, new(true)
	out.FilestoreId, out.Filestore_name = Id32(c.FilestoreID), new(c.filestoreName)
	out.LoginMappings = c.AllMappings(true)
	if in.GabMode != nil {
		out.GabMode = new(strings.ToUpper(*in.GabMode))
	}
	return &out, nil
}

// FreeSchema returns the schema for a new context: the default one unless it is
// being updated.
func (s *World) FreeSchema() string {
	for n := 5; ; n++ {
		if name := "oxdatabase_" + Itoa(n); !s.Updating[name] {
			return name
		}
	}
}

// ChangeContext applies what a request sets.
func (s *World) ChangeContext(c *Context, in *oxcontext.Context) *soap.Fault {
	for _, m := range append([]string{Text(in.Name)}, in.LoginMappings...) {
		if bad := illegal(mappingChars, m); bad != "" {
			return s.Fault(KindData, "Illegal chars: \"%s\" in login mapping", bad)
		}
	}
	if n := Text(in.Name); n != "" && n != c.Name {
		for _, other := range s.Contexts {
			if other != c && other.Name == n {
				return s.Fault(KindData, "Context %s already exists!", n)
			}
		}
	}
	for _, m := range in.LoginMappings {
		if other := s.ByMapping(m); other != nil && other != c {
			return s.Fault(KindStorage, "A mapping with login info \"%s\" already exists in the system!", m)
		}
	}
	if in.FilestoreId != nil {
		if s.Filestores[Number(in.FilestoreId)] == nil {
			return s.Fault(KindStorage, "No such filestore %d", Number(in.FilestoreId))
		}
		c.FilestoreID = Number(in.FilestoreId)
	}
	attrs := c.attributes.Clone()
	if !mergeAttributes(attrs, in.UserAttributes) {
		return s.Fault(KindStorage, "Attribute namespace without entries")
	}
	c.attributes = attrs
	if n := Text(in.Name); n != "" {
		c.Name = n // the mappings stay as they are
	}
	if in.LoginMappings != nil {
		c.mappings = map[string]bool{c.Name: true}
		for _, m := range in.LoginMappings {
			c.mappings[m] = true
		}
	}
	if in.MaxQuota != nil {
		c.MaxQuota = *in.MaxQuota
	}
	return nil
}

// Show is a context as getData and lists answer it.
func (c *Context) Show(withIDMapping bool) *oxcontext.Context {
	db := &oxcontext.Database{Id: Id32(c.DatabaseID), Scheme: &c.Schema}
	out := &oxcontext.Context{
		Average_size: new(int64(averageContextMB)), Enabled: new(c.Enabled), FilestoreId: Id32(c.FilestoreID),
		Filestore_name: new(c.filestoreName),
		Id:             Id32(c.ID), LoginMappings: c.AllMappings(withIDMapping), Name: new(c.Name), ReadDatabase: db,
		WriteDatabase:  db,
		UsedQuota:      new(c.UsedQuota),
		UserAttributes: AttributesOf(c.attributes),
	}
	if c.MaxQuota >= 0 {
		out.MaxQuota = new(c.MaxQuota)
	}
	return out
}
