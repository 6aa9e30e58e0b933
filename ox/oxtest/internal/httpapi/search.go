package httpapi

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// nameMatches matches ignoring case; "*" and "?" stand for any text and any
// character, and a pattern matches any text that begins so.
func nameMatches(pattern, text string) bool {
	p, t := []rune(strings.ToLower(pattern)+"*"), []rune(strings.ToLower(text))
	pi, ti, star, mark := 0, 0, -1, 0
	for ti < len(t) {
		switch {
		case pi < len(p) && p[pi] == '*':
			star, mark = pi, ti
			pi++
		case pi < len(p) && (p[pi] == '?' || p[pi] == t[ti]):
			pi++
			ti++
		case star >= 0:
			pi = star + 1
			mark++
			ti = mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}

// searchable lists the contacts of the given folders (all visible ones if nil)
// that the caller may read. Of a global address book that is closed to the
// caller, only the caller's own entry is found, and only when asked for by name.
func (rq *request) searchable(folders []string) ([]*state.Contact, *failure) {
	if !rq.who.user.contacts {
		return nil, oxErr("FLD-0002", catPermission, "No access to the module contacts.")
	}
	var out []*state.Contact
	add := func(f *state.Folder) {
		r := rq.rights(f)
		if r.folder == 0 {
			return
		}
		for _, c := range rq.contents(f) {
			if rq.mayRead(f, r, c) {
				out = append(out, c)
			}
		}
	}
	if folders == nil {
		for _, id := range state.SortedKeys(rq.who.pim.Folders) {
			if f := rq.who.pim.Folders[id]; f.Module == "contacts" && rq.visible(f) {
				add(f)
			}
		}
		return out, nil
	}
	for _, name := range folders {
		f, problem := rq.contactFolder(name)
		if problem != nil {
			return nil, problem
		}
		if f.ID == state.FolderGAB && !rq.seesBook() {
			out = append(out, rq.userContact(rq.who.user))
			continue
		}
		if rq.rights(f).read == 0 {
			return nil, noRead(f)
		}
		add(f)
	}
	return out, nil
}

// folderNames reads one folder or several, as numbers or texts.
func folderNames(raw json.RawMessage) []string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var many []json.RawMessage
	if json.Unmarshal(raw, &many) != nil {
		many = []json.RawMessage{raw}
	}
	var out []string
	for _, m := range many {
		out = append(out, strings.Trim(string(m), `"`))
	}
	return out
}

var searchFields = []string{"display_name", "first_name", "last_name", "email1", "email2", "email3", "company",
	"categories"}

func contactsSearch(rq *request) (reply, *failure) {
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	var body map[string]json.RawMessage
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	list, problem := rq.searchable(folderNames(body["folder"]))
	if problem != nil {
		return reply{}, problem
	}
	value := func(name string) (string, bool) {
		var s string
		ok := json.Unmarshal(body[name], &s) == nil && len(body[name]) > 0
		return s, ok
	}
	or := string(body["orSearch"]) == "true" || string(body["emailAutoComplete"]) == "true"
	list = slices.DeleteFunc(list, func(c *state.Contact) bool {
		asked, hits := 0, 0
		if p, ok := value("pattern"); ok {
			asked++
			if slices.ContainsFunc(searchFields, func(f string) bool { return nameMatches(p, c.Fields[f]) }) {
				hits++
			}
		}
		for _, f := range searchFields {
			if p, ok := value(f); ok {
				asked++
				if nameMatches(p, c.Fields[f]) {
					hits++
				}
			}
		}
		if or {
			return asked > 0 && hits == 0
		}
		return hits < asked
	})
	return rq.rows(list, columns)
}

func contactsAdvancedSearch(rq *request) (reply, *failure) {
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	var body struct {
		Filter  json.RawMessage `json:"filter"`
		Folders json.RawMessage `json:"folders"`
	}
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	if len(body.Filter) == 0 {
		return reply{}, missingField("filter")
	}
	folders := folderNames(body.Folders)
	if f := rq.params["folder"]; f != "" {
		folders = []string{f}
	}
	list, problem := rq.searchable(folders)
	if problem != nil {
		return reply{}, problem
	}
	out := []*state.Contact{}
	for _, c := range list {
		ok, problem := rq.matches(c, body.Filter)
		if problem != nil {
			return reply{}, problem
		}
		if ok {
			out = append(out, c)
		}
	}
	return rq.rows(out, columns)
}

// matches evaluates a filter in prefix notation.
func (rq *request) matches(c *state.Contact, filter json.RawMessage) (bool, *failure) {
	bad := oxErr("SVL-0010", catInput, "Invalid search term.")
	var term []json.RawMessage
	if json.Unmarshal(filter, &term) != nil || len(term) < 2 {
		return false, bad
	}
	var operator string
	if json.Unmarshal(term[0], &operator) != nil {
		return false, bad
	}
	switch operator {
	case "and", "or":
		result := operator == "and"
		for _, t := range term[1:] {
			ok, problem := rq.matches(c, t)
			if problem != nil {
				return false, problem
			}
			if operator == "and" {
				result = result && ok
			} else {
				result = result || ok
			}
		}
		return result, nil
	case "not":
		ok, problem := rq.matches(c, term[1])
		return !ok, problem
	}
	if len(term) != 3 {
		return false, bad
	}
	left, ok1 := rq.operand(c, term[1])
	right, ok2 := rq.operand(c, term[2])
	if !ok1 || !ok2 {
		return false, bad
	}
	if operator == "=" && strings.ContainsAny(right, "*?") {
		return nameMatches(right, left), nil
	}
	d := strings.Compare(strings.ToLower(left), strings.ToLower(right))
	x, errx := strconv.ParseInt(left, 10, 64)
	y, erry := strconv.ParseInt(right, 10, 64)
	if errx == nil && erry == nil {
		d = 0
		if x < y {
			d = -1
		} else if x > y {
			d = 1
		}
	}
	switch operator {
	case "=":
		return d == 0, nil
	case "<>", "!=":
		return d != 0, nil
	case "<":
		return d < 0, nil
	case ">":
		return d > 0, nil
	case "<=":
		return d <= 0, nil
	case ">=":
		return d >= 0, nil
	}
	return false, bad
}

// operand is a field of the contact, or a constant.
func (rq *request) operand(c *state.Contact, raw json.RawMessage) (string, bool) {
	var field struct {
		Field string `json:"field"`
	}
	if json.Unmarshal(raw, &field) == nil && field.Field != "" {
		for n, name := range contactColumnNames {
			if name == field.Field {
				return sortKeyPlain(rq.contactValue(c, n)), true
			}
		}
		return c.Fields[field.Field], KnownField(field.Field)
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String(), true
	}
	return "", false
}

func sortKeyPlain(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func contactsAutocomplete(rq *request) (reply, *failure) {
	query, problem := rq.need("query")
	if problem != nil {
		return reply{}, problem
	}
	columns, problem := rq.contactColumns()
	if problem != nil {
		return reply{}, problem
	}
	var folders []string
	if f := rq.params["folder"]; f != "" {
		folders = []string{f}
	}
	list, problem := rq.searchable(folders)
	if problem != nil {
		return reply{}, problem
	}
	needMail := rq.params["email"] != "false"
	list = slices.DeleteFunc(list, func(c *state.Contact) bool {
		if needMail && c.Fields["email1"] == "" && !c.List {
			return true
		}
		return !slices.ContainsFunc(searchFields[:6], func(f string) bool { return nameMatches(query, c.Fields[f]) })
	})
	return rq.rows(list, columns)
}
