// Package state is what a simulated Open-Xchange installation holds, and the rules by
// which it changes: contexts, users, groups, resources, private folders and contacts,
// registered servers and stores. It knows neither of the servers that work on it.
package state

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/internal/oxutil"
)

// World is everything an installation knows: contexts with their users, groups,
// resources and private data, and the registered servers, databases and file
// stores, and the rules by which they change. Who uses it holds the lock.
type World struct {
	Mu sync.Mutex
	Settings

	Contexts map[int]*Context

	Servers    map[int]*oxutil.Server
	Databases  map[int]*oxutil.Database
	Filestores map[int]*oxutil.Filestore
	Reasons    map[int]*oxutil.MaintenanceReason
	nextID     int // of databases, file stores, servers, reasons

	Jobs    map[int]*Job
	nextJob int

	Updating map[string]bool // schemas that are being updated
	Creates  map[string]int  // creates of contexts under way, by schema
	crossed  int             // creates that met another one
	Copies   int             // copyUser calls under way
	// copiesCrossed says that two were, so that none of them can succeed.
	CopiesCrossed bool
	exceptions    int
}

// Settings are the switches of the installation.
type Settings struct {
	MasterLogin, MasterPassword string
	UsernameChangeable          bool // USERNAME_CHANGEABLE
	PrimaryUnchangeable         bool // PRIMARY_MAIL_UNCHANGEABLE
	MasterOverride              bool // MASTER_ACCOUNT_OVERRIDE
	BypassAccessChecks          bool // com.openexchange.admin.bypassAccessCombinationChecks
	SharedDisplayNames          bool // com.openexchange.user.enforceUniqueDisplayName=false
	WithoutDeadlocks            bool // creates of contexts do not disturb each other
	Capacity                    int  // users of a context, 0 for any number
}

// Context is one context. Everything is guarded by World.Mu.
type Context struct {
	ID            int
	Name          string
	Enabled       bool
	mappings      map[string]bool // without the id
	MaxQuota      int64           // MB, -1 unlimited
	UsedQuota     int64
	FilestoreID   int
	filestoreName string
	DatabaseID    int
	Schema        string
	attributes    Attributes
	GABMode       string           // "individual" or "global"
	gabOpen       bool             // in global mode: the one row for everybody
	Quotas        map[string]int64 // by module
	Capabilities  map[string]bool

	nextPrincipal int // one sequence for users, groups and resources
	AdminID       int
	Users         map[int]*User
	byName        map[string]*User
	ByDisplay     index // exact
	byDisplayFold index
	byPrimary     index // lower case
	Groups        map[int]*Group
	Resources     map[int]*oxresource.Resource
	Accounts      []SecondaryAccount
	NextAccount   int

	PIM *PIM // private data that the HTTP API shows

	Lock *writeLock // not part of a snapshot
}

// User is one user.
type User struct {
	ID       int
	Password string
	// data holds the stored fields. It and everything that it points to is never
	// changed in place, so that an answer can be written while others work.
	Data         *oxuser.User
	Attributes   Attributes
	Access       Access // without globalAddressBookDisabled
	bookHidden   bool   // the user's own row on folder 6 says no
	Guest        bool
	Capabilities map[string]bool
	Personal     string
	PersonalData PersonalData
}

func (u *User) Name() string    { return Text(u.Data.Name) }
func (u *User) Display() string { return Text(u.Data.Display_name) }
func (u *User) Primary() string { return Text(u.Data.PrimaryEmail) }

// Group is one group.
type Group struct {
	ID      int
	Name    string
	Display string
	Members map[int]bool
}

// Attributes are userAttributes: namespace, key, value.
type Attributes map[string]map[string]string

func (a Attributes) Clone() Attributes {
	out := Attributes{}
	for ns, m := range a {
		out[ns] = maps.Clone(m)
	}
	return out
}

func (a Attributes) set(ns, key, value string) {
	if a[ns] == nil {
		a[ns] = map[string]string{}
	}
	a[ns][key] = value
}

// SecondaryAccount is a shared functional mailbox that a user or a group sees.
type SecondaryAccount struct {
	Data *oxsecaccount.Account
}

// Job is a task of OXTaskMgmtService.
type Job struct {
	ID      int
	Context int
	Name    string
}

const (
	AllUsersGroup     = 0
	DefaultGroup      = 1
	DefaultSchema     = "oxdatabase_5"
	DefaultFilestore  = 3
	averageContextMB  = 200
	DefaultAccessName = "webmail_plus"
)

func New(set Settings) *World {
	s := &World{
		Settings: set, Contexts: map[int]*Context{}, Jobs: map[int]*Job{}, Updating: map[string]bool{},
		Creates: map[string]int{}, nextID: 10,
		Servers: map[int]*oxutil.Server{2: {Id: new(int32(2)), Name: new("local")}},
		Databases: map[int]*oxutil.Database{4: {Id: new(int32(4)), Name: new("oxdatabase"), Master: new(true),
			MasterId: new(int32(0)),
			Url:      new("jdbc:mysql://localhost"), Driver: new("com.mysql.jdbc.Driver"), Login: new("openexchange"),
			Password: new("db_password"),
			MaxUnits: new(int32(-1)), PoolHardLimit: new(int32(1)), PoolInitial: new(int32(0)), PoolMax: new(int32(100))}},
		Filestores: map[int]*oxutil.Filestore{DefaultFilestore: {Id: new(int32(DefaultFilestore)),
			Url:  new("file:/var/opt/filestore"),
			Size: new(int64(1 << 20)), MaxContexts: new(int32(5000))}},
		Reasons: map[int]*oxutil.MaintenanceReason{42: {Id: new(int32(42)), Idset: new(true),
			Text: new("Context disabled by administrator"), Textset: new(true)}},
	}
	return s
}

// Context returns a context or nil.
func (s *World) Context(id int) *Context { return s.Contexts[id] }

// ContextIDs lists all contexts by id.
func (s *World) ContextIDs() []int { return slices.Sorted(maps.Keys(s.Contexts)) }

// ByMapping finds a context by a login mapping, which the id is too.
func (s *World) ByMapping(mapping string) *Context {
	for _, id := range s.ContextIDs() {
		if c := s.Contexts[id]; c.mappings[mapping] || Itoa(id) == mapping {
			return c
		}
	}
	return nil
}

// UserIDs lists all users of a context by id.
func (c *Context) UserIDs() []int { return slices.Sorted(maps.Keys(c.Users)) }

// UserByName finds a user by login name, minding case as OX does.
func (c *Context) UserByName(name string) *User { return c.byName[name] }

// Store makes data the stored fields of u and keeps the indexes right. With nil
// data the user is gone.
func (c *Context) Store(u *User, data *oxuser.User) {
	if old := u.Data; old != nil {
		delete(c.byName, u.Name())
		c.ByDisplay.remove(u.Display(), u.ID)
		c.byDisplayFold.remove(strings.ToLower(u.Display()), u.ID)
		c.byPrimary.remove(strings.ToLower(u.Primary()), u.ID)
	}
	u.Data = data
	if data == nil {
		delete(c.Users, u.ID)
		return
	}
	c.Users[u.ID] = u
	c.byName[u.Name()] = u
	c.ByDisplay.add(u.Display(), u.ID)
	c.byDisplayFold.add(strings.ToLower(u.Display()), u.ID)
	c.byPrimary.add(strings.ToLower(u.Primary()), u.ID)
}

// An index finds users by a text that several may share.
type index map[string][]int

func (x index) add(key string, id int) { x[key] = append(x[key], id) }

func (x index) remove(key string, id int) {
	if x[key] = slices.DeleteFunc(x[key], func(i int) bool { return i == id }); len(x[key]) == 0 {
		delete(x, key)
	}
}

// Other returns a user other than except that has the key.
func (x index) Other(key string, except int) (id int, ok bool) {
	for _, id := range x[key] {
		if id != except {
			return id, true
		}
	}
	return 0, false
}

// groupByName finds a group by name, ignoring case as OX does.
func (c *Context) groupByName(name string) *Group {
	for _, id := range slices.Sorted(maps.Keys(c.Groups)) {
		if strings.EqualFold(c.Groups[id].Name, name) {
			return c.Groups[id]
		}
	}
	return nil
}

// GroupsOf lists the groups of a user by id, without the virtual group 0.
func (c *Context) GroupsOf(uid int) []*Group {
	var out []*Group
	for _, g := range c.Groups {
		if g.Members[uid] {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *Group) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// NextID takes an id from the sequence of users, groups and resources.
func (c *Context) NextID() int {
	c.nextPrincipal++
	return c.nextPrincipal - 1
}

// BookOpen reports whether a user may see the global address book.
func (c *Context) BookOpen(u *User) bool {
	if c.GABMode == "global" {
		return c.gabOpen
	}
	return !u.bookHidden
}

// AccessOf returns a user's access as getModuleAccess reports it.
func (c *Context) AccessOf(u *User) Access {
	a := u.Access &^ GlobalAddressBookDisabled
	if !c.BookOpen(u) {
		a |= GlobalAddressBookDisabled
	}
	return a
}

// AllMappings lists the login mappings, with the id if asked for.
func (c *Context) AllMappings(withID bool) []string {
	out := slices.Collect(maps.Keys(c.mappings))
	if withID && !c.mappings[Itoa(c.ID)] {
		out = append(out, Itoa(c.ID))
	}
	if !withID {
		out = slices.DeleteFunc(out, func(m string) bool { return m == Itoa(c.ID) })
	}
	slices.Sort(out)
	return out
}
