package oxtest

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxcontext"
	"github.com/ictmedia/schoolmail/ox/internal/oxgroup"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// State is everything an installation knows. The SOAP services and the HTTP API
// of one [Server] work on the same State. Its methods seed and inspect it past the
// API; they are safe for use while the server answers requests.
type State struct{ w *state.World }

// Context describes a context, to make one with [State.AddContext] or as
// [State.Context] shows it.
type Context struct {
	ID   schoolmail.ContextID
	Name string // the id when empty
	// LoginMappings are those beside id and name; all of them when shown.
	LoginMappings []string
	// MaxQuota and UsedQuota are megabytes. A MaxQuota of 0 makes an unlimited
	// context, which is shown as -1.
	MaxQuota, UsedQuota int64
	Schema              string // "oxdatabase_5" when empty
	GABMode             string // "individual" when empty, or "global"
	Disabled            bool
	// Admin is the context admin, by default "oxadmin" with password "secret".
	// Access is the admin's combination, inherited by users that are created
	// without one; "webmail_plus" when empty.
	Admin  User
	Access string

	Users, Groups, Resources int // counted when shown
}

// User describes a user, to make one with [State.AddUser] or as [State.User] shows it.
type User struct {
	ID   schoolmail.UserID // given by the server
	Name string
	// Password is "secret" when empty.
	Password                        string
	DisplayName, GivenName, Surname string // the name when empty
	PrimaryEmail                    string // name@context-name.example when empty
	Email1, DefaultSender           string // the primary address when empty
	Aliases                         []string
	Language, Timezone              string
	// Fields are further text fields by their SOAP element name, for example
	// "department" or "userfield01". When shown it holds every text field that is
	// stored.
	Fields map[string]string
	// Access is the combination by which the user is made; as the admin when empty.
	Access string
	// Flags are the module access flags as getModuleAccess reports them, by element
	// name; only shown.
	Flags []string
	Admin bool // only shown
	Guest bool
	// BookOpen reports whether the user may see the global address book; only shown.
	BookOpen bool
	Groups   []int // ids, only shown
	// Attributes are userAttributes: namespace, key, value.
	Attributes map[string]map[string]string
	MaxQuota   int64 // MB, -1 for none; 0 makes none
	Data       PersonalData
}

// Group describes a group.
type Group struct {
	ID          int // given by the server
	Name        string
	DisplayName string // the name when empty
	Members     []schoolmail.UserID
}

func asError(f *soap.Fault) error {
	if f == nil {
		return nil
	}
	return fmt.Errorf("oxtest: %s", f.Message)
}

// AddContext makes a context, under the rules of the SOAP service.
func (s *State) AddContext(c Context) error {
	admin := c.Admin
	if admin.Name == "" {
		admin.Name = "oxadmin"
	}
	name := cmp.Or(c.Name, state.Itoa(c.ID))
	in := &oxcontext.Context{Id: state.Id32(c.ID), Name: &name, LoginMappings: c.LoginMappings, MaxQuota: new(int64(-1))}
	if c.MaxQuota != 0 {
		in.MaxQuota = new(c.MaxQuota)
	}
	if c.GABMode != "" {
		in.GabMode = &c.GABMode
	}
	first, err := admin.request(name)
	if err != nil {
		return err
	}
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	arg := state.AccessArg{Named: cmp.Or(c.Access, state.DefaultAccessName)}
	if _, f := s.w.CreateContext(in, first, c.Schema, arg); f != nil {
		return asError(f)
	}
	cs := s.w.Contexts[int(c.ID)]
	cs.Enabled, cs.UsedQuota = !c.Disabled, c.UsedQuota
	return nil
}

// request makes the request that would create u in a context of that name.
func (u User) request(contextName string) (*oxuser.User, error) {
	mail := cmp.Or(u.PrimaryEmail, u.Name+"@"+strings.ToLower(contextName)+".example")
	in := &oxuser.User{}
	rv := reflect.ValueOf(in).Elem()
	for _, name := range slices.Sorted(maps.Keys(u.Fields)) {
		f := rv.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if !f.IsValid() || f.Type() != reflect.TypeFor[*string]() {
			return nil, fmt.Errorf("oxtest: users have no text field %q", name)
		}
		f.Set(reflect.ValueOf(new(u.Fields[name])))
	}
	in.Name, in.Password = &u.Name, new(cmp.Or(u.Password, "secret"))
	in.Display_name, in.Given_name, in.Sur_name = new(cmp.Or(u.DisplayName, u.Name)), new(cmp.Or(u.GivenName, u.Name)),
		new(cmp.Or(u.Surname, u.Name))
	in.PrimaryEmail, in.Email1, in.Aliases = &mail, &mail, u.Aliases
	for p, v := range map[**string]string{&in.DefaultSenderAddress: u.DefaultSender, &in.Language: u.Language,
		&in.Timezone: u.Timezone} {
		if v != "" {
			*p = &v
		}
	}
	if len(u.Attributes) > 0 {
		in.UserAttributes = state.AttributesOf(u.Attributes)
	}
	if u.MaxQuota > 0 {
		in.MaxQuota = &u.MaxQuota
	}
	return in, nil
}

// AddUser makes a user, under the rules of the SOAP service, and returns the id.
func (s *State) AddUser(context schoolmail.ContextID, u User) (schoolmail.UserID, error) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return 0, fmt.Errorf("oxtest: no context %d", context)
	}
	in, err := u.request(c.Name)
	if err != nil {
		return 0, err
	}
	out, f := s.w.CreateUser(c, in, state.AccessArg{Named: u.Access, Inherit: u.Access == ""}, false)
	if f != nil {
		return 0, asError(f)
	}
	made := c.Users[state.Number(out.Id)]
	made.Guest, made.PersonalData = u.Guest, u.Data.Clone()
	if u.Guest {
		delete(c.Groups[state.DefaultGroup].Members, made.ID)
	}
	return schoolmail.UserID(made.ID), nil
}

// AddGroup makes a group and returns its id.
func (s *State) AddGroup(context schoolmail.ContextID, g Group) (int, error) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return 0, fmt.Errorf("oxtest: no context %d", context)
	}
	in := &oxgroup.Group{Name: &g.Name, Displayname: new(cmp.Or(g.DisplayName, g.Name))}
	for _, m := range g.Members {
		in.Members = append(in.Members, int32(m))
	}
	made, f := s.w.CreateGroup(c, in)
	if f != nil {
		return 0, asError(f)
	}
	return made.ID, nil
}

// Contexts lists all contexts by id.
func (s *State) Contexts() []Context {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	var out []Context
	for _, id := range s.w.ContextIDs() {
		out = append(out, viewContext(s.w.Contexts[id]))
	}
	return out
}

// Context returns a context.
func (s *State) Context(id schoolmail.ContextID) (c Context, ok bool) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	cs := s.w.Contexts[int(id)]
	if cs == nil {
		return Context{}, false
	}
	return viewContext(cs), true
}

func viewContext(c *state.Context) Context {
	return Context{ID: schoolmail.ContextID(c.ID), Name: c.Name, LoginMappings: c.AllMappings(true), MaxQuota: c.MaxQuota,
		UsedQuota: c.UsedQuota, Schema: c.Schema,
		GABMode: c.GABMode, Disabled: !c.Enabled, Admin: viewUser(c, c.Users[c.AdminID]), Users: len(c.Users),
		Groups:    len(c.Groups),
		Resources: len(c.Resources), Access: state.CombinationName(c.AccessOf(c.Users[c.AdminID]))}
}

func viewUser(c *state.Context, u *state.User) User {
	v := User{ID: schoolmail.UserID(u.ID), Name: u.Name(), Password: u.Password, DisplayName: u.Display(),
		GivenName: state.Text(u.Data.Given_name),
		Surname:   state.Text(u.Data.Sur_name), PrimaryEmail: u.Primary(), Email1: state.Text(u.Data.Email1),
		DefaultSender: state.Text(u.Data.DefaultSenderAddress),
		Aliases:       slices.Clone(u.Data.Aliases), Language: state.Text(u.Data.Language),
		Timezone: state.Text(u.Data.Timezone),
		Fields:   map[string]string{},
		Access:   state.CombinationName(c.AccessOf(u)), Flags: c.AccessOf(u).Names(), Admin: u.ID == c.AdminID,
		Guest:      u.Guest,
		BookOpen:   c.BookOpen(u),
		Attributes: u.Attributes.Clone(), Data: u.PersonalData.Clone()}
	if u.Data.MaxQuota != nil {
		v.MaxQuota = *u.Data.MaxQuota
	}
	rv := reflect.ValueOf(u.Data).Elem()
	for i := range rv.NumField() {
		if p, ok := rv.Field(i).Interface().(*string); ok && p != nil {
			local, _, _ := strings.Cut(rv.Type().Field(i).Tag.Get("xml"), ",")
			v.Fields[local[strings.LastIndexByte(local, ' ')+1:]] = *p
		}
	}
	for _, g := range c.GroupsOf(u.ID) {
		v.Groups = append(v.Groups, g.ID)
	}
	return v
}

// Users lists the users of a context by id.
func (s *State) Users(context schoolmail.ContextID) []User {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return nil
	}
	var out []User
	for _, id := range c.UserIDs() {
		out = append(out, viewUser(c, c.Users[id]))
	}
	return out
}

// User returns a user of a context by login name.
func (s *State) User(context schoolmail.ContextID, name string) (u User, ok bool) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	if c := s.w.Contexts[int(context)]; c != nil {
		if u := c.UserByName(name); u != nil {
			return viewUser(c, u), true
		}
	}
	return User{}, false
}

// Find returns the contexts in which a login name exists, by id.
func (s *State) Find(name string) []schoolmail.ContextID {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	var out []schoolmail.ContextID
	for _, id := range s.w.ContextIDs() {
		if s.w.Contexts[id].UserByName(name) != nil {
			out = append(out, schoolmail.ContextID(id))
		}
	}
	return out
}

// SetData replaces what a user owns beyond the account.
func (s *State) SetData(context schoolmail.ContextID, name string, d PersonalData) error {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	if c := s.w.Contexts[int(context)]; c != nil {
		if u := c.UserByName(name); u != nil {
			u.PersonalData = d.Clone()
			return nil
		}
	}
	return fmt.Errorf("oxtest: no user %q in context %d", name, context)
}

// Groups lists the groups of a context by id.
func (s *State) Groups(context schoolmail.ContextID) []Group {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return nil
	}
	var out []Group
	for _, id := range slices.Sorted(maps.Keys(c.Groups)) {
		g := c.Groups[id]
		out = append(out, Group{ID: id, Name: g.Name, DisplayName: g.Display, Members: userIDs(g.Members)})
	}
	return out
}

// Login checks a password as the groupware's own login does: "name@mapping" or
// "name" and "mapping" given apart, minding the case of the name. It reports false
// for an unknown context or user, a wrong password, and a disabled context.
func (s *State) Login(mapping, name, password string) (context schoolmail.ContextID, user schoolmail.UserID, ok bool) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.ByMapping(mapping)
	if c == nil || !c.Enabled {
		return 0, 0, false
	}
	u := c.UserByName(name)
	if u == nil || u.Password != password {
		return 0, 0, false
	}
	return schoolmail.ContextID(c.ID), schoolmail.UserID(u.ID), true
}

// SetSchema puts a context into a schema, as if it had been made there.
func (s *State) SetSchema(context schoolmail.ContextID, schema string) error {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	c := s.w.Contexts[int(context)]
	if c == nil {
		return fmt.Errorf("oxtest: no context %d", context)
	}
	c.Schema = schema
	return nil
}

// SetUpdating puts a schema into the state of a schema update, or takes it out:
// nearly every operation on its contexts is refused with DatabaseUpdateException.
func (s *State) SetUpdating(schema string, on bool) {
	s.w.Mu.Lock()
	defer s.w.Mu.Unlock()
	if on {
		s.w.Updating[schema] = true
	} else {
		delete(s.w.Updating, schema)
	}
}

// userIDs are the members of a group in order.
func userIDs(members map[int]bool) []schoolmail.UserID {
	var out []schoolmail.UserID
	for _, id := range slices.Sorted(maps.Keys(members)) {
		out = append(out, schoolmail.UserID(id))
	}
	return out
}
