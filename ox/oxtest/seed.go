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
)

// Context describes a context, to make one with [State.AddContext] or as
// [State.Context] shows it.
type Context struct {
	ID   int
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

// PersonalData stands for what a user owns beyond the account. Contacts and
// folders are not here but in the HTTP API's store. copyUser copies
// Appointments, Tasks, Files and DriveBytes, neither SharedFiles nor UISettings.
type PersonalData struct {
	Appointments, Tasks, Files []string
	DriveBytes                 int64
	// SharedFiles lie in public folders; deleting the user hands them to whoever
	// inherits.
	SharedFiles []string
	UISettings  string
}

func (p PersonalData) clone() PersonalData {
	p.Appointments, p.Tasks, p.Files = slices.Clone(p.Appointments), slices.Clone(p.Tasks), slices.Clone(p.Files)
	p.SharedFiles = slices.Clone(p.SharedFiles)
	return p
}

func (p PersonalData) copied() PersonalData {
	p = p.clone()
	p.SharedFiles, p.UISettings = nil, ""
	return p
}

func (p *PersonalData) inherit(from PersonalData) {
	p.SharedFiles = append(slices.Clone(p.SharedFiles), from.SharedFiles...)
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
	name := cmp.Or(c.Name, itoa(c.ID))
	in := &oxcontext.Context{Id: id32(c.ID), Name: &name, LoginMappings: c.LoginMappings, MaxQuota: new(int64(-1))}
	if c.MaxQuota != 0 {
		in.MaxQuota = new(c.MaxQuota)
	}
	if c.GABMode != "" {
		in.GabMode = &c.GABMode
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	arg := accessArg{named: cmp.Or(c.Access, defaultAccessName)}
	if _, f := s.createContext(in, admin.request(name), c.Schema, arg); f != nil {
		return asError(f)
	}
	cs := s.contexts[c.ID]
	cs.enabled, cs.usedQuota = !c.Disabled, c.UsedQuota
	return nil
}

// request makes the request that would create u in a context of that name.
func (u User) request(contextName string) *oxuser.User {
	mail := cmp.Or(u.PrimaryEmail, u.Name+"@"+strings.ToLower(contextName)+".example")
	in := &oxuser.User{}
	rv := reflect.ValueOf(in).Elem()
	for _, name := range slices.Sorted(maps.Keys(u.Fields)) {
		f := rv.FieldByName(strings.ToUpper(name[:1]) + name[1:])
		if !f.IsValid() || f.Type() != reflect.TypeFor[*string]() {
			panic("oxtest: User has no text field " + name)
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
		in.UserAttributes = attributesOf(u.Attributes)
	}
	if u.MaxQuota > 0 {
		in.MaxQuota = &u.MaxQuota
	}
	return in
}

// AddUser makes a user, under the rules of the SOAP service, and returns the id.
func (s *State) AddUser(context int, u User) (schoolmail.UserID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return 0, fmt.Errorf("oxtest: no context %d", context)
	}
	out, f := s.createUser(c, u.request(c.name), accessArg{named: u.Access, inherit: u.Access == ""}, false)
	if f != nil {
		return 0, asError(f)
	}
	made := c.users[number(out.Id)]
	made.guest, made.personalData = u.Guest, u.Data.clone()
	if u.Guest {
		delete(c.groups[defaultGroup].members, made.id)
	}
	return schoolmail.UserID(made.id), nil
}

// AddGroup makes a group and returns its id.
func (s *State) AddGroup(context int, g Group) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return 0, fmt.Errorf("oxtest: no context %d", context)
	}
	in := &oxgroup.Group{Name: &g.Name, Displayname: new(cmp.Or(g.DisplayName, g.Name))}
	for _, m := range g.Members {
		in.Members = append(in.Members, int32(m))
	}
	made, f := s.createGroup(c, in)
	if f != nil {
		return 0, asError(f)
	}
	return made.id, nil
}

// Contexts lists all contexts by id.
func (s *State) Contexts() []Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Context
	for _, id := range s.contextIDs() {
		out = append(out, s.contexts[id].view())
	}
	return out
}

// Context returns a context.
func (s *State) Context(id int) (c Context, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := s.contexts[id]
	if cs == nil {
		return Context{}, false
	}
	return cs.view(), true
}

func (c *contextState) view() Context {
	return Context{ID: c.id, Name: c.name, LoginMappings: c.allMappings(true), MaxQuota: c.maxQuota,
		UsedQuota: c.usedQuota, Schema: c.schema,
		GABMode: c.gabMode, Disabled: !c.enabled, Admin: c.userView(c.users[c.adminID]), Users: len(c.users),
		Groups:    len(c.groups),
		Resources: len(c.resources), Access: combinationName(c.accessOf(c.users[c.adminID]))}
}

func (c *contextState) userView(u *userState) User {
	v := User{ID: schoolmail.UserID(u.id), Name: u.name(), Password: u.password, DisplayName: u.display(),
		GivenName: text(u.data.Given_name),
		Surname:   text(u.data.Sur_name), PrimaryEmail: u.primary(), Email1: text(u.data.Email1),
		DefaultSender: text(u.data.DefaultSenderAddress),
		Aliases:       slices.Clone(u.data.Aliases), Language: text(u.data.Language), Timezone: text(u.data.Timezone),
		Fields: map[string]string{},
		Access: combinationName(c.accessOf(u)), Flags: c.accessOf(u).names(), Admin: u.id == c.adminID, Guest: u.guest,
		BookOpen:   c.bookOpen(u),
		Attributes: u.attributes.clone(), Data: u.personalData.clone()}
	if u.data.MaxQuota != nil {
		v.MaxQuota = *u.data.MaxQuota
	}
	rv := reflect.ValueOf(u.data).Elem()
	for i := range rv.NumField() {
		if p, ok := rv.Field(i).Interface().(*string); ok && p != nil {
			local, _, _ := strings.Cut(rv.Type().Field(i).Tag.Get("xml"), ",")
			v.Fields[local[strings.LastIndexByte(local, ' ')+1:]] = *p
		}
	}
	for _, g := range c.groupsOf(u.id) {
		v.Groups = append(v.Groups, g.id)
	}
	return v
}

// Users lists the users of a context by id.
func (s *State) Users(context int) []User {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return nil
	}
	var out []User
	for _, id := range c.userIDs() {
		out = append(out, c.userView(c.users[id]))
	}
	return out
}

// User returns a user of a context by login name.
func (s *State) User(context int, name string) (u User, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.contexts[context]; c != nil {
		if u := c.userByName(name); u != nil {
			return c.userView(u), true
		}
	}
	return User{}, false
}

// Find returns the contexts in which a login name exists, by id.
func (s *State) Find(name string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []int
	for _, id := range s.contextIDs() {
		if s.contexts[id].userByName(name) != nil {
			out = append(out, id)
		}
	}
	return out
}

// SetData replaces what a user owns beyond the account.
func (s *State) SetData(context int, name string, d PersonalData) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.contexts[context]; c != nil {
		if u := c.userByName(name); u != nil {
			u.personalData = d.clone()
			return nil
		}
	}
	return fmt.Errorf("oxtest: no user %q in context %d", name, context)
}

// Groups lists the groups of a context by id.
func (s *State) Groups(context int) []Group {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contexts[context]
	if c == nil {
		return nil
	}
	var out []Group
	for _, id := range slices.Sorted(maps.Keys(c.groups)) {
		g := c.groups[id]
		out = append(out, Group{ID: id, Name: g.name, DisplayName: g.display, Members: userIDs(g.members)})
	}
	return out
}

// Login checks a password as the groupware's own login does: "name@mapping" or
// "name" and "mapping" given apart, minding the case of the name. It reports false
// for an unknown context or user, a wrong password, and a disabled context.
func (s *State) Login(mapping, name, password string) (context, user int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.byMapping(mapping)
	if c == nil || !c.enabled {
		return 0, 0, false
	}
	u := c.userByName(name)
	if u == nil || u.password != password {
		return 0, 0, false
	}
	return c.id, u.id, true
}

// SetUpdating puts a schema into the state of a schema update, or takes it out:
// nearly every operation on its contexts is refused with DatabaseUpdateException.
func (s *State) SetUpdating(schema string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.updating[schema] = true
	} else {
		delete(s.updating, schema)
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
