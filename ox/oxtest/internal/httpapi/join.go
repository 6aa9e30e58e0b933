package httpapi

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// directory is what the HTTP API reads of the provisioned state. All methods expect
// the state's lock to be held.
type directory struct{ w *state.World }

type contextView struct {
	enabled   bool
	admin     int
	globalGAB bool // gabMode global: one permission for everybody
	pim       *state.PIM
}

type userView struct {
	id                                            int
	login                                         string
	enabled                                       bool
	displayName, givenName, surName, mail, locale string
	aliases                                       []string
	data                                          *oxuser.User

	contacts, calendar, tasks, infostore, editPublicFolders, shareFolders bool

	owns state.PersonalData

	gabDisabled bool // sees nothing of the global address book
}

type groupView struct {
	id                int
	name, displayName string
	members           []int
}

func (d directory) lock() (unlock func()) {
	d.w.Mu.Lock()
	return d.w.Mu.Unlock
}

func (d directory) contextByMapping(name string) (cid int, ok bool) {
	c := d.w.ByMapping(name)
	if c == nil {
		return 0, false
	}
	return c.ID, true
}

// locked reports whether the schema of a context is being updated.
func (d directory) locked(mapping string) bool {
	c := d.w.ByMapping(mapping)
	return c != nil && d.w.Updating[c.Schema]
}

func (d directory) context(cid int) (contextView, bool) {
	c := d.w.Context(cid)
	if c == nil {
		return contextView{}, false
	}
	return contextView{enabled: c.Enabled, admin: c.AdminID, globalGAB: c.GABMode == "global", pim: c.PIM}, true
}

// users lists the ids of all users who are no guests.
func (d directory) users(cid int) []int {
	c := d.w.Context(cid)
	if c == nil {
		return nil
	}
	return slices.DeleteFunc(c.UserIDs(), func(id int) bool { return c.Users[id].Guest })
}

// userCount is the number of users; guests count, too.
func (d directory) userCount(cid int) int {
	if c := d.w.Context(cid); c != nil {
		return len(c.Users)
	}
	return 0
}

func (d directory) user(cid, uid int) (userView, bool) {
	c := d.w.Context(cid)
	if c == nil || c.Users[uid] == nil || c.Users[uid].Guest {
		return userView{}, false
	}
	u := c.Users[uid]
	data := u.Data
	a := c.AccessOf(u)
	return userView{
		id: uid, login: u.Name(), enabled: data.Mailenabled == nil || *data.Mailenabled, locale: state.Text(data.Language),
		displayName: u.Display(), givenName: state.Text(data.Given_name), surName: state.Text(data.Sur_name),
		mail:    u.Primary(),
		aliases: slices.Sorted(slices.Values(data.Aliases)), data: data,
		contacts: a.Has(state.Contacts), calendar: a.Has(state.Calendar), tasks: a.Has(state.Tasks), owns: u.PersonalData,
		infostore:         a.Has(state.Infostore),
		editPublicFolders: a.Has(state.EditPublicFolders), shareFolders: a.Has(state.ReadCreateSharedFolders),
		gabDisabled: !c.BookOpen(u),
	}, true
}

// groupsOf lists the groups of a user.
func (d directory) groupsOf(cid, uid int) []int {
	out := []int{}
	if c := d.w.Context(cid); c != nil {
		for _, g := range c.GroupsOf(uid) {
			out = append(out, g.ID)
		}
	}
	return out
}

func (d directory) userByLogin(cid int, login string) (uid int, ok bool) {
	c := d.w.Context(cid)
	if c == nil || c.UserByName(login) == nil {
		return 0, false
	}
	return c.UserByName(login).ID, true
}

func (d directory) checkPassword(cid, uid int, password string) bool {
	c := d.w.Context(cid)
	return c != nil && c.Users[uid] != nil && password != "" && c.Users[uid].Password == password
}

func (d directory) groups(cid int) []groupView {
	c := d.w.Context(cid)
	if c == nil {
		return nil
	}
	var out []groupView
	for _, id := range state.SortedKeys(c.Groups) {
		g := c.Groups[id]
		out = append(out, groupView{id, g.Name, g.Display, state.SortedKeys(g.Members)})
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
func (u *userView) contactFields() map[string]string {
	out := map[string]string{}
	v := reflect.ValueOf(u.data).Elem()
	for name, i := range userDataFields {
		value := ""
		switch p := v.Field(i).Interface().(type) {
		case *string:
			value = state.Text(p)
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
func (u *userView) picture() (data []byte, contentType string) {
	return u.data.Image1, state.Text(u.data.Image1ContentType)
}
