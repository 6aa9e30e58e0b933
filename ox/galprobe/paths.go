package galprobe

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/appsuite"
)

// Path is a way to read other people.
type Path struct {
	Name string // as in [Finding.Path]
	What string

	// BeyondOX says that OX gives names on this path to everybody, and has no
	// setting against it.
	BeyondOX bool

	// Unconfirmed says that the form of the request is not confirmed.
	Unconfirmed bool

	ask func(*asker)
}

// Paths lists what is tried, in order.
func Paths() []Path {
	return []Path{
		{"capability", "the capability gab, by which the web client shows the book", false, false, askCapability},
		{"folder list", "folder 6 among the visible contact folders", false, false, askFolderList},
		{"folder", "folder 6 itself, in both notations", false, false, askFolder},
		{"contacts all", "all entries of folder 6, in both modules", false, false, askAll},
		{"contacts get", "single entries of folder 6, one by one and as a list", false, false, askGet},
		{"contacts search", "search in folder 6 and everywhere", false, false, askSearch},
		{"advanced search", "search by filter for internal users, in both modules", false, false, askAdvancedSearch},
		{"autocomplete", "suggestions while an address is typed", false, false, askAutocomplete},
		{"contacts updates", "changes in folder 6 since the beginning", false, false, askUpdates},
		{"export", "folder 6 as CSV and vCard, whole and by entry", false, false, askExport},
		{"user contacts", "the contacts module's calls by user number", true, false, askUserContacts},
		{"users", "the users module: all, search, list, get", true, false, askUsers},
		{"find", "the search module of the web client", false, true, askFind},
		{"profile", "the halo view of a person", true, true, askHalo},
		{"groups", "groups with their members", true, false, askGroups},
		{"carddav", "folder 6 over CardDAV", false, false, askCardDAV},
		{"portraits", "portraits of other people", false, true, askPortraits},
		{"multiple", "contacts and users packed into one request", true, false, askMultiple},
	}
}

// column is a column of contacts with its field's name.
type column struct {
	number int
	name   string
}

var (
	idColumns = []column{{1, "id"}, {20, "folder_id"}, {524, "user_id"}}

	// personal are columns that show more than a name.
	personal = []column{{500, "display_name"}, {501, "first_name"}, {502, "last_name"}, {555, "email1"},
		{551, "cellular_telephone1"},
		{542, "telephone_business1"}, {506, "street_home"}, {511, "birthday"}, {518, "note"}, {519, "department"}}

	bookColumns = append(append([]column{}, idColumns...), personal...)
	userColumns = append(append([]column{{1, "id"}}, personal...), column{610, "aliases"}, column{615, "login_info"})
)

func numbers(columns []column) string {
	var out []string
	for _, c := range columns {
		out = append(out, strconv.Itoa(c.number))
	}
	return strings.Join(out, ",")
}

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func askCapability(a *asker) {
	resp := a.call("capabilities", "all", nil, nil)
	if resp == nil {
		return
	}
	var list []struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(resp.Data, &list) != nil || list == nil {
		a.unexpected()
		return
	}
	for _, c := range list {
		if c.ID == "gab" {
			a.add(1, true)
		}
	}
}

func askFolderList(a *asker) {
	resp := a.call("folders", "allVisible", values("tree", "0", "content_type", "contacts", "columns", "1,305"), nil)
	if resp == nil {
		return
	}
	var parts map[string][][]json.RawMessage
	if json.Unmarshal(resp.Data, &parts) != nil || parts == nil {
		a.unexpected()
		return
	}
	for _, rows := range parts {
		for _, r := range rows {
			if len(r) > 0 && isBook(cell(r[0])) {
				a.add(1, true)
			}
		}
	}
}

func askFolder(a *asker) {
	for _, id := range []string{"6", "con://0/6"} {
		resp := a.call("folders", "get", values("tree", "0", "id", id), nil)
		switch {
		case resp == nil:
		case resp.Data == nil:
			a.unexpected()
		default:
			a.add(1, true)
		}
	}
}

func askAll(a *asker) {
	cols := numbers(bookColumns)
	a.bookRows(a.call("contacts", "all", values("folder", "6", "columns", cols), nil), bookColumns)
	a.bookRows(a.call("addressbooks", "all", values("folder", "con://0/6", "columns", cols), nil), bookColumns)
}

func askGet(a *asker) {
	type ref struct {
		Folder string `json:"folder"`
		ID     string `json:"id"`
	}
	var refs []ref
	for _, o := range a.p.others {
		if resp := a.call("contacts", "get", values("folder", "6", "id", o.contact), nil); resp != nil {
			a.objects(resp.Data, true)
		}
		refs = append(refs, ref{"6", o.contact})
	}
	a.bookRows(a.call("contacts", "list", values("columns", numbers(bookColumns)), refs), bookColumns)
}

func askSearch(a *asker) {
	cols := values("columns", numbers(bookColumns))
	for _, body := range []any{
		map[string]any{"pattern": "*", "folder": []string{"6"}},
		map[string]any{"pattern": "*"},
		map[string]any{"last_name": "*", "first_name": "*", "display_name": "*", "orSearch": true},
		map[string]any{"email1": "*", "email2": "*", "email3": "*", "emailAutoComplete": true, "orSearch": true},
	} {
		a.bookRows(a.call("contacts", "search", cols, body), bookColumns)
	}
}

func askAdvancedSearch(a *asker) {
	filter := map[string]any{"filter": []any{"and", []any{">", map[string]string{"field": "user_id"}, 0}}}
	for _, module := range []string{"contacts", "addressbooks"} {
		a.bookRows(a.call(module, "advancedSearch", values("columns", numbers(bookColumns)), filter), bookColumns)
	}
}

func askAutocomplete(a *asker) {
	for _, q := range []string{"a", "e", "i", "s", "m"} {
		a.bookRows(a.call("contacts", "autocomplete", values("query", q, "email", "false", "columns", numbers(bookColumns)),
			nil), bookColumns)
	}
	a.bookRows(a.call("addressbooks", "autocomplete", values("query", "e", "email", "false", "columns",
		numbers(bookColumns)), nil), bookColumns)
}

func askUpdates(a *asker) {
	// What was deleted is nobody's entry any more.
	params := values("folder", "6", "timestamp", "0", "ignore", "deleted", "columns", numbers(bookColumns))
	a.bookRows(a.call("contacts", "updates", params, nil), bookColumns)
}

func askExport(a *asker) {
	var refs []map[string]string
	for _, o := range a.p.others {
		refs = append(refs, map[string]string{"folder": "6", "folder_id": "6", "id": o.contact})
	}
	for _, action := range []string{"CSV", "VCARD"} {
		for _, rq := range []appsuite.Request{
			{Module: "export", Action: action, Params: values("folder", "6"), Plain: true, ReadOnly: true},
			{Module: "export", Action: action, Params: values(), Body: refs, Plain: true, ReadOnly: true},
		} {
			resp := a.do(rq)
			if resp == nil {
				continue
			}
			// Any content is too much, the own entry included: an export
			// requires to read all of the folder.
			switch {
			case strings.HasPrefix(resp.ContentType, "text/csv"):
				a.add(max(bytes.Count(bytes.TrimSpace(resp.Body), []byte("\n")), 1), true)
			case bytes.Contains(resp.Body, []byte("BEGIN:VCARD")):
				a.add(bytes.Count(resp.Body, []byte("BEGIN:VCARD")), true)
			default:
				a.unexpected() // OX refuses with an error, not with a page
			}
		}
	}
}

func askUserContacts(a *asker) {
	var ids []schoolmail.UserID
	for _, o := range a.p.others {
		if resp := a.call("contacts", "getuser", values("id", decimal(o.user)), nil); resp != nil {
			a.objects(resp.Data, false)
		}
		ids = append(ids, o.user)
	}
	resp := a.call("contacts", "listuser", values("columns", numbers(bookColumns)), ids)
	n := 0
	for _, row := range a.rows(resp, len(bookColumns)) {
		if a.self.is(cell(row[2]), cell(row[0])) {
			continue
		}
		n++
		for i, c := range bookColumns {
			a.o.note(c.name, row[i])
		}
	}
	a.add(n, false)
}

func askUsers(a *asker) {
	cols := values("columns", numbers(userColumns))
	a.listRows(a.call("user", "all", cols, nil), userColumns)
	a.listRows(a.call("user", "search", cols, map[string]string{"pattern": "*"}), userColumns)
	var ids []schoolmail.UserID
	for _, o := range a.p.others {
		ids = append(ids, o.user)
		if resp := a.call("user", "get", values("id", decimal(o.user)), nil); resp != nil {
			a.objects(resp.Data, false)
		}
	}
	a.listRows(a.call("user", "list", cols, ids), userColumns)
}

func askFind(a *asker) {
	if resp := a.call("find", "autocomplete", values("module", "contacts"), map[string]any{"prefix": "e"}); resp != nil {
		a.objects(resp.Data, true)
	}
	body := map[string]any{"facets": []any{}, "start": 0, "size": 100}
	if resp := a.call("find", "query", values("module", "contacts"), body); resp != nil {
		a.objects(resp.Data, true)
	}
}

func askHalo(a *asker) {
	for _, o := range a.p.others {
		if o.mail == "" {
			continue
		}
		resp := a.call("halo/contact", "investigate", values("provider", "com.openexchange.halo.contacts", "email1",
			o.mail), nil)
		if resp != nil {
			a.objects(resp.Data, false)
		}
	}
}

func askGroups(a *asker) {
	count := func(name, members string) {
		if name != "" {
			a.o.fields["group name"] = true
		}
		if strings.ContainsAny(members, "0123456789") {
			a.o.fields["group members"] = true
		}
	}
	if resp := a.call("group", "all", values("columns", "1,700,701,702"), nil); resp != nil {
		rows := a.rows(resp, 4)
		for _, r := range rows {
			count(cell(r[1]), string(r[3]))
		}
		a.add(len(rows), false)
	}
	type group struct {
		Name    string          `json:"name"`
		Members json.RawMessage `json:"members"`
	}
	if resp := a.call("group", "search", nil, map[string]string{"pattern": "*"}); resp != nil {
		var list []group
		if json.Unmarshal(resp.Data, &list) != nil || list == nil {
			a.unexpected()
		}
		for _, g := range list {
			count(g.Name, string(g.Members))
		}
		a.add(len(list), false)
	}
	if resp := a.call("group", "get", values("id", "0"), nil); resp != nil {
		var g group
		if json.Unmarshal(resp.Data, &g) == nil && (g.Name != "" || len(g.Members) > 2) {
			count(g.Name, string(g.Members))
			a.add(1, false)
		}
	}
}

const portraitModule = "contacts/picture"

func askPortraits(a *asker) {
	for _, o := range a.p.others {
		resp := a.do(appsuite.Request{Module: portraitModule, Action: "get", Params: values("user_id", decimal(o.user)),
			Plain: true})
		if resp != nil && resp.Status == http.StatusOK && strings.HasPrefix(resp.ContentType, "image/") {
			a.add(1, true)
		}
	}
}

func askMultiple(a *asker) {
	items := []map[string]any{
		{"module": "contacts", "action": "all", "folder": "6", "columns": numbers(bookColumns)},
		{"module": "contacts", "action": "search", "columns": numbers(bookColumns),
			"data": map[string]any{"pattern": "*", "folder": []string{"6"}}},
		{"module": "user", "action": "all", "columns": numbers(userColumns)},
	}
	resp := a.do(appsuite.Request{Module: "multiple", Params: values("continue", "true"), Body: items, Plain: true,
		ReadOnly: true})
	if resp == nil {
		return
	}
	var answers []struct {
		Data json.RawMessage `json:"data"`
		Code string          `json:"code"`
	}
	if json.Unmarshal(resp.Body, &answers) != nil || len(answers) != len(items) {
		a.unexpected()
		return
	}
	for i, ans := range answers {
		r := &appsuite.Response{Data: ans.Data}
		if ans.Code != "" {
			continue
		}
		if i == 2 {
			a.listRows(r, userColumns)
		} else {
			a.bookRows(r, bookColumns)
		}
	}
}
