package oxtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// What the HTTP API reads of the provisioned state. All methods expect the
// state's lock to be held.

type httpContext struct {
	enabled   bool
	admin     int
	globalGAB bool // gabMode global: one permission for everybody
	pim       *pimStore
}

type httpUser struct {
	id                                            int
	login                                         string
	enabled                                       bool
	displayName, givenName, surName, mail, locale string
	aliases                                       []string
	data                                          *oxuser.User

	contacts, calendar, infostore, editPublicFolders, shareFolders bool

	gabDisabled bool // sees nothing of the global address book
}

type httpGroup struct {
	id                int
	name, displayName string
	members           []int
}

func (s *State) httpLock() (unlock func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

func (s *State) httpContextByMapping(name string) (cid int, ok bool) {
	c := s.byMapping(name)
	if c == nil {
		return 0, false
	}
	return c.id, true
}

// httpLocked reports whether the schema of a context is being updated.
func (s *State) httpLocked(mapping string) bool {
	c := s.byMapping(mapping)
	return c != nil && s.updating[c.schema]
}

func (s *State) httpContext(cid int) (httpContext, bool) {
	c := s.context(cid)
	if c == nil {
		return httpContext{}, false
	}
	return httpContext{enabled: c.enabled, admin: c.adminID, globalGAB: c.gabMode == "global", pim: c.pim}, true
}

// httpUsers lists the ids of all users who are no guests.
func (s *State) httpUsers(cid int) []int {
	c := s.context(cid)
	if c == nil {
		return nil
	}
	return slices.DeleteFunc(c.userIDs(), func(id int) bool { return c.users[id].guest })
}

// httpUserCount is the number of users; guests count, too.
func (s *State) httpUserCount(cid int) int {
	if c := s.context(cid); c != nil {
		return len(c.users)
	}
	return 0
}

func (s *State) httpUser(cid, uid int) (httpUser, bool) {
	c := s.context(cid)
	if c == nil || c.users[uid] == nil || c.users[uid].guest {
		return httpUser{}, false
	}
	u := c.users[uid]
	d := u.data
	a := c.accessOf(u)
	return httpUser{
		id: uid, login: u.name(), enabled: d.Mailenabled == nil || *d.Mailenabled, locale: text(d.Language),
		displayName: u.display(), givenName: text(d.Given_name), surName: text(d.Sur_name), mail: u.primary(),
		aliases: slices.Sorted(slices.Values(d.Aliases)), data: d,
		contacts: a.has("contacts"), calendar: a.has("calendar"), infostore: a.has("infostore"),
		editPublicFolders: a.has("editPublicFolders"), shareFolders: a.has("readCreateSharedFolders"),
		gabDisabled: !c.bookOpen(u),
	}, true
}

// httpGroupsOf lists the groups of a user.
func (s *State) httpGroupsOf(cid, uid int) []int {
	out := []int{}
	if c := s.context(cid); c != nil {
		for _, g := range c.groupsOf(uid) {
			out = append(out, g.id)
		}
	}
	return out
}

func (s *State) httpUserByLogin(cid int, login string) (uid int, ok bool) {
	c := s.context(cid)
	if c == nil || c.userByName(login) == nil {
		return 0, false
	}
	return c.userByName(login).id, true
}

func (s *State) httpCheckPassword(cid, uid int, password string) bool {
	c := s.context(cid)
	return c != nil && c.users[uid] != nil && password != "" && c.users[uid].password == password
}

func (s *State) httpGroups(cid int) []httpGroup {
	c := s.context(cid)
	if c == nil {
		return nil
	}
	var out []httpGroup
	for _, id := range sortedKeys(c.groups) {
		g := c.groups[id]
		out = append(out, httpGroup{id, g.name, g.display, sortedKeys(g.members)})
	}
	return out
}

// userDataFields maps a contact field's JSON name to the field of the
// provisioning API's User that holds it.
var userDataFields = func() map[string]int {
	other := map[string]string{"second_name": "Middle_name", "employee_type": "EmployeeType",
		"number_of_employees": "Number_of_employee",
		"first_name":          "Given_name", "last_name": "Sur_name"}
	t := reflect.TypeFor[oxuser.User]()
	m := map[string]int{}
	for _, c := range appsuite.Columns() {
		name := string(c)
		goName, ok := other[name]
		if !ok {
			goName = strings.ToUpper(name[:1]) + name[1:]
		}
		if f, ok := t.FieldByName(goName); ok {
			m[name] = f.Index[0]
		}
	}
	return m
}()

// contactFields are the fields of a user's entry in the global address book.
func (u *httpUser) contactFields() map[string]string {
	out := map[string]string{}
	v := reflect.ValueOf(u.data).Elem()
	for name, i := range userDataFields {
		value := ""
		switch p := v.Field(i).Interface().(type) {
		case *string:
			value = text(p)
		case *xsd.Date:
			if p != nil {
				value = fmt.Sprintf("%04d-%02d-%02d", p.Year, p.Month, p.Day)
			}
		}
		if value != "" {
			out[name] = value
		}
	}
	if out["email1"] == "" && u.mail != "" {
		out["email1"] = u.mail
	}
	return out
}

// picture is the user's portrait.
func (u *httpUser) picture() (data []byte, contentType string) {
	return u.data.Image1, text(u.data.Image1ContentType)
}
