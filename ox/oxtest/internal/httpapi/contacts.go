package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

var contactActions = map[string]action{
	"contacts new":            contactsNew,
	"contacts update":         contactsUpdate,
	"contacts delete":         contactsDelete,
	"contacts get":            contactsGet,
	"contacts all":            contactsAll,
	"contacts list":           contactsList,
	"contacts updates":        contactsUpdates,
	"contacts search":         contactsSearch,
	"contacts advancedSearch": contactsAdvancedSearch,
	"contacts autocomplete":   contactsAutocomplete,
	"contacts getuser":        contactsGetUser,
	"contacts listuser":       contactsListUser,

	"addressbooks new":            contactsNew,
	"addressbooks update":         contactsUpdate,
	"addressbooks delete":         contactsDelete,
	"addressbooks get":            contactsGet,
	"addressbooks all":            contactsAll,
	"addressbooks list":           contactsList,
	"addressbooks updates":        contactsUpdates,
	"addressbooks advancedSearch": contactsAdvancedSearch,
	"addressbooks autocomplete":   contactsAutocomplete,
}

// composite reports whether answers of this call name folders as "con://0/33".
func (rq *request) composite() bool {
	return rq.module == "addressbooks" && !rq.api.Options.PlainFolderIDs
}

// offset is what is added to times in local time: an hour, unless the client
// asks for UTC.
func (rq *request) offset() int64 {
	if strings.EqualFold(rq.params["timezone"], "utc") {
		return 0
	}
	return 3_600_000
}

// contactFolder looks up a folder for a contacts call. Unlike [httpRequest.folder]
// it does not complain about what is not visible: that is up to the rights.
func (rq *request) contactFolder(s string) (*state.Folder, *failure) {
	if rq.module == "contacts" && strings.HasPrefix(s, compositePrefix) {
		return nil, oxErr("CON-2011", catInput, "Unexpected folder identifier %q.", s)
	}
	if !rq.who.user.contacts {
		return nil, oxErr("FLD-0002", catPermission, "No access to the module contacts.")
	}
	id, _, problem := rq.folderID(s)
	if problem != nil {
		return nil, problem
	}
	f := rq.who.pim.Folders[id]
	if f == nil {
		return nil, oxErr("FLD-0008", catError, "Folder %d does not exist in context %d.", id, rq.who.cid)
	}
	if f.Module != "contacts" {
		return nil, oxErr("CON-0103", catPermission, "Folder %d is no contact folder.", id)
	}
	return f, nil
}

func noRead(f *state.Folder) *failure {
	return oxErr("CON-0104", catPermission, "You do not have the permission to read objects in folder %d.", f.ID)
}

func noContact(id int) *failure {
	return oxErr("CON-0125", catError, "Contact %d not found.", id)
}

// mayRead reports whether the caller may read a contact of a folder.
func (rq *request) mayRead(f *state.Folder, r rights, c *state.Contact) bool {
	return r.read >= levelAll || (r.read >= levelOwn && c.CreatedBy == rq.who.uid)
}

// contents lists what a folder holds. Folder 6 is made up from the users.
func (rq *request) contents(f *state.Folder) []*state.Contact {
	if f.ID != state.FolderGAB {
		return rq.who.pim.ContactsIn(f.ID)
	}
	var out []*state.Contact
	for _, uid := range rq.api.dir.users(rq.who.cid) {
		if u, ok := rq.api.dir.user(rq.who.cid, uid); ok {
			out = append(out, rq.userContact(u))
		}
	}
	return out
}

// userContact is a user's entry in folder 6, complete.
func (rq *request) userContact(u userView) *state.Contact {
	rq.who.pim.EnsureUser(u.id)
	fields := u.contactFields()
	fields["uid"] = fmt.Sprintf("user-%d-%d", rq.who.cid, u.id)
	return &state.Contact{ID: rq.who.pim.UserContact[u.id], Folder: state.FolderGAB, CreatedBy: u.id, ModifiedBy: u.id,
		Created: rq.who.pim.Folders[state.FolderGAB].Created, Modified: rq.who.pim.Folders[state.FolderGAB].Created,
		Fields: fields}
}

// userOf is the user a contact stands for.
func (rq *request) userOf(c *state.Contact) int {
	if c.Folder != state.FolderGAB {
		return 0
	}
	return rq.who.pim.ContactUser[c.ID]
}

func (rq *request) contactID(id int) any {
	if rq.api.Options.NumberIDs {
		return id
	}
	return strconv.Itoa(id)
}

func (rq *request) folderRef(id int, composite bool) any {
	if composite {
		return compositePrefix + strconv.Itoa(id)
	}
	return rq.contactID(id)
}

var contactColumnNames = map[int]string{1: "id", 2: "created_by", 3: "modified_by", 4: "creation_date",
	5: "last_modified",
	6: "last_modified_utc", 20: "folder_id", 524: "user_id", 592: "distribution_list", 594: "number_of_distribution_list",
	602: "mark_as_distributionlist"}

// contactValue is a column of a contact; null for columns that do not exist.
func (rq *request) contactValue(c *state.Contact, column int) any {
	switch column {
	case 1:
		return rq.contactID(c.ID)
	case 2:
		return c.CreatedBy
	case 3:
		return c.ModifiedBy
	case 4:
		return c.Created + rq.offset()
	case 5:
		return c.Modified + rq.offset()
	case 6:
		return c.Modified
	case 20:
		return rq.folderRef(c.Folder, rq.composite())
	case 524:
		return rq.userOf(c)
	case 592:
		if !c.List {
			return nil
		}
		out := []map[string]any{}
		for _, m := range c.Members {
			j := map[string]any{"display_name": m.DisplayName, "mail": m.Mail, "mail_field": m.MailField}
			if m.MailField > 0 {
				j["id"], j["folder_id"] = rq.contactID(m.ID), rq.folderRef(m.Folder, rq.composite())
			}
			out = append(out, j)
		}
		return out
	case 594:
		return len(c.Members)
	case 602:
		return c.List
	}
	if name, ok := fieldsByNumber[column]; ok {
		return fieldJSON(c.Fields, name)
	}
	return nil
}

func (rq *request) contactRow(c *state.Contact, columns []int) []any {
	row := make([]any, len(columns))
	for i, n := range columns {
		row[i] = rq.contactValue(c, n)
	}
	return row
}

// contactObject is a contact with all fields that have a value.
func (rq *request) contactObject(c *state.Contact) map[string]any {
	m := map[string]any{}
	for n, name := range contactColumnNames {
		if v := rq.contactValue(c, n); v != nil {
			m[name] = v
		}
	}
	for name := range c.Fields {
		m[name] = fieldJSON(c.Fields, name)
	}
	return m
}

// contactColumns reads the columns of a contacts call. Missing columns are no
// error on the real server: rows come out empty.
func (rq *request) contactColumns() ([]int, *failure) {
	switch s := rq.params["columns"]; s {
	case "":
		return nil, nil
	case "all":
		return []int{20, 1, 5, 2, 602}, nil
	case "list":
		return []int{20, 1, 5, 2, 500, 501, 502, 505, 523, 525, 526, 527, 542, 555, 102, 602, 592, 101, 551, 552, 543, 547,
			548, 549, 556, 569}, nil
	}
	return rq.columns()
}

// rows renders contacts, sorted and cut as the parameters say.
func (rq *request) rows(contacts []*state.Contact, columns []int) (reply, *failure) {
	if s := rq.params["sort"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return reply{}, badValue("sort")
		}
		slices.SortStableFunc(contacts, func(x, y *state.Contact) int {
			d := 0
			if n == 1 {
				d = x.ID - y.ID
			} else {
				d = strings.Compare(sortKey(rq.contactValue(x, n)), sortKey(rq.contactValue(y, n)))
			}
			if strings.EqualFold(rq.params["order"], "desc") {
				return -d
			}
			return d
		})
	}
	left, right := 0, len(contacts)
	for name, p := range map[string]*int{"left_hand_limit": &left, "right_hand_limit": &right} {
		if s := rq.params[name]; s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 {
				return reply{}, badValue(name)
			}
			*p = n
		}
	}
	if right < left {
		return reply{}, badValue("right_hand_limit")
	}
	contacts = contacts[min(left, len(contacts)):min(right, len(contacts))]
	out := make([][]any, 0, len(contacts))
	latest := int64(0)
	for _, c := range contacts {
		out = append(out, rq.contactRow(c, columns))
		latest = max(latest, c.Modified)
	}
	return reply{data: out, timestamp: latest}, nil
}

func sortKey(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.ToLower(v)
	case int64:
		return fmt.Sprintf("%020d", v)
	}
	return fmt.Sprint(v)
}

func contactsAll(rq *request) (reply, *failure) {
	name, ok := rq.params["folder"]
	if !ok || name == "" {
		return reply{}, missingField("folder")
	}
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	f, problem := rq.contactFolder(name)
	if problem != nil {
		return reply{}, problem
	}
	r := rq.rights(f)
	if r.read == 0 || r.folder == 0 {
		return reply{}, noRead(f)
	}
	var list []*state.Contact
	for _, c := range rq.contents(f) {
		if rq.mayRead(f, r, c) && !(rq.params["admin"] == "false" && rq.userOf(c) == rq.who.context.admin) {
			list = append(list, c)
		}
	}
	reply, problem := rq.rows(list, columns)
	reply.timestamp = max(reply.timestamp, rq.who.pim.FolderTimes[f.ID])
	return reply, problem
}

// findContact looks a contact up by the ids a client sent.
func (rq *request) findContact(folder, id string) (*state.Folder, *state.Contact, *failure) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return nil, nil, oxErr("CON-0261", catInput, "Invalid contact identifier %q.", id)
	}
	f, problem := rq.contactFolder(folder)
	if problem != nil {
		return nil, nil, problem
	}
	r := rq.rights(f)
	if f.ID == state.FolderGAB {
		if r.read == 0 {
			return nil, nil, noRead(f)
		}
		u, ok := rq.api.dir.user(rq.who.cid, rq.who.pim.ContactUser[n])
		if !ok {
			return nil, nil, noContact(n)
		}
		return f, rq.userContact(u), nil
	}
	c := rq.who.pim.Contacts[n]
	switch {
	case c == nil:
		return nil, nil, noContact(n)
	case c.Folder != f.ID:
		return nil, nil, oxErr("CON-0174", catError, "Contact %d is not in folder %d.", n, f.ID)
	}
	return f, c, nil
}

func contactsGet(rq *request) (reply, *failure) {
	folder, id := rq.params["folder"], rq.params["id"]
	if folder == "" {
		return reply{}, missingField("folder")
	}
	if id == "" {
		return reply{}, missingField("id")
	}
	f, c, problem := rq.findContact(folder, id)
	if problem != nil {
		return reply{}, problem
	}
	if !rq.mayRead(f, rq.rights(f), c) {
		return reply{}, noRead(f)
	}
	return reply{data: rq.contactObject(c), timestamp: c.Modified}, nil
}

// contactRefs reads the body of list and delete.
func (rq *request) contactRefs() ([][2]string, *failure) {
	type ref struct {
		Folder json.RawMessage `json:"folder"`
		ID     json.RawMessage `json:"id"`
	}
	var many []ref
	if strings.HasPrefix(strings.TrimSpace(string(rq.body)), "{") {
		var one ref
		if problem := rq.decode(&one); problem != nil {
			return nil, problem
		}
		many = []ref{one}
	} else if problem := rq.decode(&many); problem != nil {
		return nil, problem
	}
	var out [][2]string
	for _, r := range many {
		folder, id := strings.Trim(string(r.Folder), `"`), strings.Trim(string(r.ID), `"`)
		if folder == "" {
			return nil, missingField("folder")
		}
		if id == "" {
			return nil, missingField("id")
		}
		out = append(out, [2]string{folder, id})
	}
	return out, nil
}

func contactsList(rq *request) (reply, *failure) {
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	refs, problem := rq.contactRefs()
	if problem != nil {
		return reply{}, problem
	}
	var list []*state.Contact
	for _, ref := range refs {
		f, c, problem := rq.findContact(ref[0], ref[1])
		if problem != nil {
			if problem.code == "CON-0125" || problem.code == "CON-0174" {
				continue
			}
			return reply{}, problem
		}
		if !rq.mayRead(f, rq.rights(f), c) {
			return reply{}, noRead(f)
		}
		list = append(list, c)
	}
	return rq.rows(list, columns)
}

func contactsUpdates(rq *request) (reply, *failure) {
	if rq.params["folder"] == "" {
		return reply{}, missingField("folder")
	}
	since, err := strconv.ParseInt(rq.params["timestamp"], 10, 64)
	if err != nil {
		return reply{}, badValue("timestamp")
	}
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	f, problem := rq.contactFolder(rq.params["folder"])
	if problem != nil {
		return reply{}, problem
	}
	r := rq.rights(f)
	if r.read == 0 {
		return reply{}, noRead(f)
	}
	out := []any{}
	latest := since
	for _, c := range rq.contents(f) {
		if c.Modified > since && rq.mayRead(f, r, c) {
			out = append(out, rq.contactRow(c, columns))
			latest = max(latest, c.Modified)
		}
	}
	if rq.params["ignore"] != "deleted" {
		for _, d := range rq.who.pim.Deleted {
			if d.Folder == f.ID && d.At > since {
				out = append(out, rq.contactID(d.ID))
				latest = max(latest, d.At)
			}
		}
	}
	return reply{data: out, timestamp: latest}, nil
}
