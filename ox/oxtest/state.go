package oxtest

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

// State is everything an installation knows: contexts with their users, groups,
// resources and private data, and the registered servers, databases and file
// stores. The SOAP services and the HTTP API of one [Server] work on the same
// State.
//
// Its exported methods seed and inspect it past the API. They are safe for use
// while the server answers requests.
type State struct {
	mu sync.Mutex
	settings

	contexts map[int]*contextState

	servers    map[int]*oxutil.Server
	databases  map[int]*oxutil.Database
	filestores map[int]*oxutil.Filestore
	reasons    map[int]*oxutil.MaintenanceReason
	nextID     int // of databases, file stores, servers, reasons

	jobs    map[int]*job
	nextJob int

	updating map[string]bool // schemas that are being updated
	creates  map[string]int  // creates of contexts under way, by schema
	crossed  int             // creates that met another one
	copies   int             // copyUser calls under way
	// copiesCrossed says that two were, so that none of them can succeed.
	copiesCrossed bool
	exceptions    int
}

// settings are the switches of the installation.
type settings struct {
	masterLogin, masterPassword string
	usernameChangeable          bool // USERNAME_CHANGEABLE
	primaryUnchangeable         bool // PRIMARY_MAIL_UNCHANGEABLE
	masterOverride              bool // MASTER_ACCOUNT_OVERRIDE
	bypassAccessChecks          bool // com.openexchange.admin.bypassAccessCombinationChecks
	sharedDisplayNames          bool // com.openexchange.user.enforceUniqueDisplayName=false
	withoutDeadlocks            bool // creates of contexts do not disturb each other
	capacity                    int  // users of a context, 0 for any number
}

// contextState is one context. Everything is guarded by State.mu.
type contextState struct {
	id            int
	name          string
	enabled       bool
	mappings      map[string]bool // without the id
	maxQuota      int64           // MB, -1 unlimited
	usedQuota     int64
	filestoreID   int
	filestoreName string
	databaseID    int
	schema        string
	attributes    attributes
	gabMode       string           // "individual" or "global"
	gabOpen       bool             // in global mode: the one row for everybody
	quotas        map[string]int64 // by module
	capabilities  map[string]bool

	nextPrincipal int // one sequence for users, groups and resources
	adminID       int
	users         map[int]*userState
	byName        map[string]*userState
	byDisplay     index // exact
	byDisplayFold index
	byPrimary     index // lower case
	groups        map[int]*groupState
	resources     map[int]*oxresource.Resource
	accounts      []secondaryAccount
	nextAccount   int

	pim *pimStore // private data that the HTTP API shows

	lock *writeLock // not part of a snapshot
}

// userState is one user.
type userState struct {
	id       int
	password string
	// data holds the stored fields. It and everything that it points to is never
	// changed in place, so that an answer can be written while others work.
	data         *oxuser.User
	attributes   attributes
	access       access // without globalAddressBookDisabled
	bookHidden   bool   // the user's own row on folder 6 says no
	guest        bool
	capabilities map[string]bool
	personal     string
	personalData PersonalData
}

func (u *userState) name() string    { return text(u.data.Name) }
func (u *userState) display() string { return text(u.data.Display_name) }
func (u *userState) primary() string { return text(u.data.PrimaryEmail) }

// groupState is one group.
type groupState struct {
	id      int
	name    string
	display string
	members map[int]bool
}

// attributes are userAttributes: namespace, key, value.
type attributes map[string]map[string]string

func (a attributes) clone() attributes {
	out := attributes{}
	for ns, m := range a {
		out[ns] = maps.Clone(m)
	}
	return out
}

func (a attributes) set(ns, key, value string) {
	if a[ns] == nil {
		a[ns] = map[string]string{}
	}
	a[ns][key] = value
}

// secondaryAccount is a shared functional mailbox that a user or a group sees.
type secondaryAccount struct {
	data *oxsecaccount.Account
}

// job is a task of OXTaskMgmtService.
type job struct {
	id      int
	context int
	name    string
}

const (
	allUsersGroup     = 0
	defaultGroup      = 1
	defaultSchema     = "oxdatabase_5"
	defaultFilestore  = 3
	averageContextMB  = 200
	defaultAccessName = "webmail_plus"
)

func newState(set settings) *State {
	s := &State{
		settings: set, contexts: map[int]*contextState{}, jobs: map[int]*job{}, updating: map[string]bool{},
		creates: map[string]int{}, nextID: 10,
		servers: map[int]*oxutil.Server{2: {Id: new(int32(2)), Name: new("local")}},
		databases: map[int]*oxutil.Database{4: {Id: new(int32(4)), Name: new("oxdatabase"), Master: new(true),
			MasterId: new(int32(0)),
			Url:      new("jdbc:mysql://localhost"), Driver: new("com.mysql.jdbc.Driver"), Login: new("openexchange"),
			Password: new("db_password"),
			MaxUnits: new(int32(-1)), PoolHardLimit: new(int32(1)), PoolInitial: new(int32(0)), PoolMax: new(int32(100))}},
		filestores: map[int]*oxutil.Filestore{defaultFilestore: {Id: new(int32(defaultFilestore)),
			Url:  new("file:/var/opt/filestore"),
			Size: new(int64(1 << 20)), MaxContexts: new(int32(5000))}},
		reasons: map[int]*oxutil.MaintenanceReason{42: {Id: new(int32(42)), Idset: new(true),
			Text: new("Context disabled by administrator"), Textset: new(true)}},
	}
	return s
}

// context returns a context or nil.
func (s *State) context(id int) *contextState { return s.contexts[id] }

// contextIDs lists all contexts by id.
func (s *State) contextIDs() []int { return slices.Sorted(maps.Keys(s.contexts)) }

// byMapping finds a context by a login mapping, which the id is too.
func (s *State) byMapping(mapping string) *contextState {
	for _, id := range s.contextIDs() {
		if c := s.contexts[id]; c.mappings[mapping] || itoa(id) == mapping {
			return c
		}
	}
	return nil
}

// userIDs lists all users of a context by id.
func (c *contextState) userIDs() []int { return slices.Sorted(maps.Keys(c.users)) }

// userByName finds a user by login name, minding case as OX does.
func (c *contextState) userByName(name string) *userState { return c.byName[name] }

// store makes data the stored fields of u and keeps the indexes right. With nil
// data the user is gone.
func (c *contextState) store(u *userState, data *oxuser.User) {
	if old := u.data; old != nil {
		delete(c.byName, u.name())
		c.byDisplay.remove(u.display(), u.id)
		c.byDisplayFold.remove(strings.ToLower(u.display()), u.id)
		c.byPrimary.remove(strings.ToLower(u.primary()), u.id)
	}
	u.data = data
	if data == nil {
		delete(c.users, u.id)
		return
	}
	c.users[u.id] = u
	c.byName[u.name()] = u
	c.byDisplay.add(u.display(), u.id)
	c.byDisplayFold.add(strings.ToLower(u.display()), u.id)
	c.byPrimary.add(strings.ToLower(u.primary()), u.id)
}

// An index finds users by a text that several may share.
type index map[string][]int

func (x index) add(key string, id int) { x[key] = append(x[key], id) }

func (x index) remove(key string, id int) {
	if x[key] = slices.DeleteFunc(x[key], func(i int) bool { return i == id }); len(x[key]) == 0 {
		delete(x, key)
	}
}

// other returns a user other than except that has the key.
func (x index) other(key string, except int) (id int, ok bool) {
	for _, id := range x[key] {
		if id != except {
			return id, true
		}
	}
	return 0, false
}

// groupByName finds a group by name, ignoring case as OX does.
func (c *contextState) groupByName(name string) *groupState {
	for _, id := range slices.Sorted(maps.Keys(c.groups)) {
		if strings.EqualFold(c.groups[id].name, name) {
			return c.groups[id]
		}
	}
	return nil
}

// groupsOf lists the groups of a user by id, without the virtual group 0.
func (c *contextState) groupsOf(uid int) []*groupState {
	var out []*groupState
	for _, g := range c.groups {
		if g.members[uid] {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b *groupState) int { return cmp.Compare(a.id, b.id) })
	return out
}

// nextID takes an id from the sequence of users, groups and resources.
func (c *contextState) nextID() int {
	c.nextPrincipal++
	return c.nextPrincipal - 1
}

// bookOpen reports whether a user may see the global address book.
func (c *contextState) bookOpen(u *userState) bool {
	if c.gabMode == "global" {
		return c.gabOpen
	}
	return !u.bookHidden
}

// accessOf returns a user's access as getModuleAccess reports it.
func (c *contextState) accessOf(u *userState) access {
	a := u.access &^ flag("globalAddressBookDisabled")
	if !c.bookOpen(u) {
		a |= flag("globalAddressBookDisabled")
	}
	return a
}

// allMappings lists the login mappings, with the id if asked for.
func (c *contextState) allMappings(withID bool) []string {
	out := slices.Collect(maps.Keys(c.mappings))
	if withID && !c.mappings[itoa(c.id)] {
		out = append(out, itoa(c.id))
	}
	if !withID {
		out = slices.DeleteFunc(out, func(m string) bool { return m == itoa(c.id) })
	}
	slices.Sort(out)
	return out
}
