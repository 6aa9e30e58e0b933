package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

var userActions = map[string]action{
	"user/me":      userMe,
	"user all":     userAll,
	"user list":    userList,
	"user get":     userGet,
	"user search":  userSearch,
	"group all":    groupAll,
	"group get":    groupGet,
	"group list":   groupList,
	"group search": groupSearch,
}

// seesBook reports whether the caller may read the global address book.
func (rq *request) seesBook() bool {
	return rq.who.user.contacts && unpack(rightsBitsGAB(rq)).read >= levelAll
}

func rightsBitsGAB(rq *request) int { return rq.rights(rq.who.pim.Folders[state.FolderGAB]).pack() }

// limitedFields are what a caller without the global address book sees of
// others; nothing is refused. With the shipped configuration the address is
// among them.
var limitedFields = []string{"display_name", "first_name", "last_name", "second_name", "suffix", "uid"}

// censored is a user's entry as the caller may see it.
func (rq *request) censored(u userView) *state.Contact {
	c := rq.userContact(u)
	if rq.seesBook() || u.id == rq.who.uid {
		return c
	}
	fields := map[string]string{}
	keep := limitedFields
	if !rq.api.Options.HideMail {
		keep = append(slices.Clone(keep), "email1")
	}
	for _, name := range keep {
		if v, ok := c.Fields[name]; ok {
			fields[name] = v
		}
	}
	c.Fields = fields
	return c
}

// userValue is a column of the module user. Numbers 610 to 616 mean something
// else here than in contacts.
func (rq *request) userValue(u userView, c *state.Contact, column int) any {
	open := rq.seesBook() || u.id == rq.who.uid
	switch column {
	case 1:
		return u.id
	case 610:
		if !open {
			return nil
		}
		return u.aliases
	case 611:
		if !open {
			return nil
		}
		return "Europe/Zurich"
	case 612:
		if !open {
			return nil
		}
		return u.locale
	case 613:
		return rq.api.dir.groupsOf(rq.who.cid, u.id)
	case 614:
		return c.ID
	case 615:
		if !open {
			return nil
		}
		return u.login
	case 616:
		return 0
	}
	return rq.contactValue(c, column)
}

func (rq *request) userRows(users []userView) (reply, *failure) {
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	out := make([][]any, 0, len(users))
	latest := int64(0)
	width := len(columns) + rq.surplus()
	for _, u := range users {
		c := rq.censored(u)
		row := make([]any, width)
		for i, n := range columns {
			row[i] = rq.userValue(u, c, n)
		}
		out = append(out, row)
		latest = max(latest, c.Modified)
	}
	return reply{data: out, timestamp: latest}, nil
}

// userParameters are those that the module user knows.
var userParameters = []string{"action", "session", "columns", "sort", "order", "id", "timezone", "left_hand_limit",
	"right_hand_limit"}

// surplus is how many empty columns a list of users has beyond those asked for: the
// module takes each parameter that it does not know for a user's attribute to
// answer, and "multiple" adds four of its own.
func (rq *request) surplus() int {
	n := 0
	for name := range rq.params {
		if !slices.Contains(userParameters, name) {
			n++
		}
	}
	if rq.inMultiple {
		n += 4
	}
	return n
}

func (rq *request) allUsers() []userView {
	var out []userView
	for _, id := range rq.api.dir.users(rq.who.cid) {
		if u, ok := rq.api.dir.user(rq.who.cid, id); ok {
			out = append(out, u)
		}
	}
	return out
}

func userMe(rq *request) (reply, *failure) {
	u := rq.who.user
	return reply{data: map[string]any{
		"user_id": u.id, "context_id": rq.who.cid, "context_admin": rq.who.context.admin, "login_name": u.login,
		"display_name": u.displayName, "mail_login": u.login, "email_address": u.mail, "email_aliases": u.aliases,
	}}, nil
}

func userAll(rq *request) (reply, *failure) { return rq.userRows(rq.allUsers()) }

func noUser(rq *request, id int) *failure {
	return oxErr("USR-0010", catInput, "Cannot find user with identifier %d in context %d.", id, rq.who.cid)
}

// userByParam looks a user up by the parameter id, the caller by default.
func (rq *request) userByParam() (userView, *failure) {
	id := rq.who.uid
	if s := rq.params["id"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return userView{}, badValue("id")
		}
		id = n
	}
	u, ok := rq.api.dir.user(rq.who.cid, id)
	if !ok {
		return userView{}, noUser(rq, id)
	}
	return u, nil
}

// usersByBody looks up the users whose ids are in the body.
func (rq *request) usersByBody() ([]userView, *failure) {
	var ids []json.RawMessage
	if problem := rq.decode(&ids); problem != nil {
		return nil, problem
	}
	var out []userView
	for _, raw := range ids {
		n, err := strconv.Atoi(strings.Trim(string(raw), `"`))
		if err != nil {
			return nil, badValue("id")
		}
		u, ok := rq.api.dir.user(rq.who.cid, n)
		if !ok {
			return nil, noUser(rq, n)
		}
		out = append(out, u)
	}
	return out, nil
}

func userList(rq *request) (reply, *failure) {
	users, problem := rq.usersByBody()
	if problem != nil {
		return reply{}, problem
	}
	return rq.userRows(users)
}

func userGet(rq *request) (reply, *failure) {
	u, problem := rq.userByParam()
	if problem != nil {
		return reply{}, problem
	}
	c := rq.censored(u)
	m := rq.contactObject(c)
	for n, name := range map[int]string{1: "id", 610: "aliases", 611: "timezone", 612: "locale", 613: "groups",
		614: "contact_id", 615: "login_info"} {
		if v := rq.userValue(u, c, n); v != nil {
			m[name] = v
		}
	}
	return reply{data: m, timestamp: c.Modified}, nil
}

func userSearch(rq *request) (reply, *failure) {
	var body struct {
		Pattern string `json:"pattern"`
	}
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	users := slices.DeleteFunc(rq.allUsers(), func(u userView) bool {
		return !nameMatches(body.Pattern, u.displayName) && !nameMatches(body.Pattern, u.givenName) &&
			!nameMatches(body.Pattern, u.surName)
	})
	return rq.userRows(users)
}

func contactsGetUser(rq *request) (reply, *failure) {
	u, problem := rq.userByParam()
	if problem != nil {
		return reply{}, problem
	}
	c := rq.censored(u)
	return reply{data: rq.contactObject(c), timestamp: c.Modified}, nil
}

func contactsListUser(rq *request) (reply, *failure) {
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	users, problem := rq.usersByBody()
	if problem != nil {
		return reply{}, problem
	}
	var list []*state.Contact
	for _, u := range users {
		list = append(list, rq.censored(u))
	}
	return rq.rows(list, columns)
}

// visibleGroups are the groups as the API lists them: group 0 first, the
// standard group hidden.
func (rq *request) visibleGroups() []groupView {
	out := []groupView{{id: 0, name: "allusers", displayName: "All users", members: rq.api.dir.users(rq.who.cid)}}
	for _, g := range rq.api.dir.groups(rq.who.cid) {
		if g.id != 0 && g.id != state.DefaultGroup {
			out = append(out, g)
		}
	}
	return out
}

func groupObject(g groupView) map[string]any {
	members := g.members
	if members == nil {
		members = []int{}
	}
	return map[string]any{"id": g.id, "name": g.name, "display_name": g.displayName, "members": members}
}

func groupAll(rq *request) (reply, *failure) {
	columns, problem := rq.columns()
	if problem != nil {
		return reply{}, problem
	}
	out := [][]any{}
	for _, g := range rq.visibleGroups() {
		row := make([]any, len(columns))
		for i, n := range columns {
			switch n {
			case 1:
				row[i] = g.id
			case 700:
				row[i] = g.name
			case 701:
				row[i] = g.displayName
			case 702:
				row[i] = strings.ReplaceAll(fmt.Sprint(g.members), " ", ", ")
			}
		}
		out = append(out, row)
	}
	return reply{data: out}, nil
}

func (rq *request) group(id int) (groupView, *failure) {
	for _, g := range append(rq.visibleGroups(), rq.api.dir.groups(rq.who.cid)...) {
		if g.id == id {
			return g, nil
		}
	}
	return groupView{}, oxErr("GRP-0017", catInput, "Cannot find group with identifier %d in context %d.", id, rq.who.cid)
}

func groupGet(rq *request) (reply, *failure) {
	s, problem := rq.need("id")
	if problem != nil {
		return reply{}, problem
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return reply{}, badValue("id")
	}
	g, problem := rq.group(n)
	if problem != nil {
		return reply{}, problem
	}
	return reply{data: groupObject(g)}, nil
}

func groupList(rq *request) (reply, *failure) {
	var refs []struct {
		ID json.Number `json:"id"`
	}
	if problem := rq.decode(&refs); problem != nil {
		return reply{}, problem
	}
	out := []any{}
	for _, r := range refs {
		n, err := strconv.Atoi(r.ID.String())
		if err != nil {
			return reply{}, badValue("id")
		}
		g, problem := rq.group(n)
		if problem != nil {
			return reply{}, problem
		}
		out = append(out, groupObject(g))
	}
	return reply{data: out}, nil
}

// groupSearch answers nothing to users who may not share folders.
func groupSearch(rq *request) (reply, *failure) {
	var body struct {
		Pattern string `json:"pattern"`
	}
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	out := []any{}
	if rq.who.user.shareFolders {
		for _, g := range rq.visibleGroups() {
			if nameMatches(body.Pattern, g.displayName) || nameMatches(body.Pattern, g.name) {
				out = append(out, groupObject(g))
			}
		}
	}
	return reply{data: out}, nil
}
