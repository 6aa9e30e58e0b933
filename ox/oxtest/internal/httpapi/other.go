package httpapi

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

var otherActions = map[string]action{
	"multiple":                 nil, // see perform
	"capabilities all":         capabilitiesAll,
	"capabilities get":         capabilitiesGet,
	"apps/manifests config":    serverConfig,
	"export CSV":               exportCSV,
	"export VCARD":             exportVCard,
	"import CSV":               importCSV,
	"import OUTLOOK_CSV":       importCSV,
	"find autocomplete":        findAutocomplete,
	"find query":               findQuery,
	"halo/contact investigate": haloInvestigate,
	"contacts/picture get":     contactPicture,
}

// notInMultiple are modules that cannot be part of a "multiple".
var notInMultiple = map[string]bool{"login": true, "multiple": true, "import": true, "export": true,
	"contacts/picture": true}

// multiple carries out the items one after the other. Like 8.19 it does not stop
// at a failing item, whatever the parameter continue says.
func multiple(rq *request) (reply, *failure) {
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(rq.body, &items); err != nil {
		return reply{raw: htmlPage(http.StatusBadRequest)}, nil
	}
	answers := make([]map[string]any, 0, len(items))
	rq.rec.Objects = len(items)
	for _, item := range items {
		sub := &request{api: rq.api, params: map[string]string{}, inMultiple: true, who: rq.who}
		for k, raw := range item {
			switch k {
			case "data":
				sub.body = raw
			case "session":
			default:
				var s string
				if json.Unmarshal(raw, &s) != nil {
					s = string(raw)
				}
				sub.params[k] = s
			}
		}
		sub.module, sub.action = sub.params["module"], sub.params["action"]
		delete(sub.params, "module")
		var out reply
		var problem *failure
		if notInMultiple[sub.module] || !knownModule(sub.module) || slices.Contains(rq.api.Options.Missing, sub.module) {
			problem = oxErr("SVL-0007", catError, "Unknown module: %s.", sub.module)
		} else {
			out, problem = sub.dispatch()
		}
		answers = append(answers, rq.api.envelope(out, problem))
		rq.api.record(sub, http.StatusOK, code(out, problem))
	}
	return reply{raw: jsonReply(answers)}, nil
}

func (rq *request) capabilities() []string {
	out := []string{"webmail"}
	u := rq.who.user
	granted := map[string]bool{"contacts": u.contacts, "calendar": u.calendar, "tasks": u.tasks, "infostore": u.infostore,
		"gab": rq.seesBook(), "edit_public_folders": u.editPublicFolders, "read_create_shared_folders": u.shareFolders}
	for name, on := range granted {
		if on {
			out = append(out, name)
		}
	}
	return out
}

func capabilitiesAll(rq *request) (reply, *failure) {
	out := []map[string]any{}
	for _, c := range rq.capabilities() {
		out = append(out, map[string]any{"id": c, "attributes": map[string]any{}})
	}
	return reply{data: out}, nil
}

func capabilitiesGet(rq *request) (reply, *failure) {
	id, problem := rq.need("id")
	if problem != nil {
		return reply{}, problem
	}
	for _, c := range rq.capabilities() {
		if c == id {
			return reply{data: map[string]any{"id": c, "attributes": map[string]any{}}}, nil
		}
	}
	return reply{data: map[string]any{}}, nil
}

func serverConfig(rq *request) (reply, *failure) {
	return reply{data: map[string]any{"serverVersion": rq.api.Options.Version, "version": rq.api.Options.Version}}, nil
}

// findAutocomplete suggests contacts, as the search field of the web client asks for.
func findAutocomplete(rq *request) (reply, *failure) {
	if _, problem := rq.need("module"); problem != nil {
		return reply{}, problem
	}
	var body struct {
		Prefix string `json:"prefix"`
	}
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	list, problem := rq.searchable(nil)
	if problem != nil {
		return reply{}, problem
	}
	values := []map[string]any{}
	for _, c := range list {
		if nameMatches(body.Prefix, c.Fields["display_name"]) || nameMatches(body.Prefix, c.Fields["last_name"]) ||
			nameMatches(body.Prefix, c.Fields["first_name"]) {
			values = append(values, map[string]any{"id": fmt.Sprintf("contact/%d/%d", c.Folder, c.ID),
				"item": rq.contactObject(c)})
		}
	}
	return reply{data: map[string]any{"facets": []map[string]any{{"id": "contact", "style": "default",
		"values": values}}}}, nil
}

func findQuery(rq *request) (reply, *failure) {
	if _, problem := rq.need("module"); problem != nil {
		return reply{}, problem
	}
	var body struct {
		Facets []json.RawMessage `json:"facets"`
	}
	if problem := rq.decode(&body); problem != nil {
		return reply{}, problem
	}
	list, problem := rq.searchable(nil)
	if problem != nil {
		return reply{}, problem
	}
	results := []map[string]any{}
	for _, c := range list {
		results = append(results, rq.contactObject(c))
	}
	return reply{data: map[string]any{"num_found": len(results), "results": results}}, nil
}

// haloInvestigate tells what is known about an address.
func haloInvestigate(rq *request) (reply, *failure) {
	if _, problem := rq.need("provider"); problem != nil {
		return reply{}, problem
	}
	objects := []map[string]any{}
	for _, u := range rq.allUsers() {
		c := rq.censored(u)
		if mail := rq.params["email1"]; mail != "" && strings.EqualFold(c.Fields["email1"], mail) {
			objects = append(objects, rq.contactObject(c))
		}
	}
	return reply{data: map[string]any{"provider": rq.params["provider"], "objects": objects}}, nil
}

// contactPicture gives a user's portrait to those who see the global address book.
func contactPicture(rq *request) (reply, *failure) {
	u, problem := userView{}, (*failure)(nil)
	if s := rq.params["user_id"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return reply{}, badValue("user_id")
		}
		u, _ = rq.api.dir.user(rq.who.cid, n)
	} else if mail := rq.params["email"]; mail != "" {
		for _, x := range rq.allUsers() {
			if strings.EqualFold(x.mail, mail) {
				u = x
			}
		}
	}
	if problem != nil || u.data == nil || (!rq.seesBook() && u.id != rq.who.uid) {
		return reply{raw: htmlPage(http.StatusNotFound)}, nil
	}
	image, contentType := u.picture()
	if len(image) == 0 {
		return reply{raw: htmlPage(http.StatusNotFound)}, nil
	}
	return reply{raw: &rawReply{http.StatusOK, contentType, image}}, nil
}

// carddav answers PROPFIND: the root lists the address books that the account
// may read, and each of them answers 207; all others are 404.
func (a *API) carddav(w http.ResponseWriter, r *http.Request, rq *request, path string) {
	name, password, ok := r.BasicAuth()
	unlock := a.dir.lock()
	defer unlock()
	cid, uid, user, known := a.authenticate(name, password)
	if !ok || !known || !user.enabled {
		w.Header().Set("WWW-Authenticate", `Basic realm="OX WebDAV"`)
		a.write(w, rq, reply{raw: &rawReply{status: http.StatusUnauthorized}}, nil)
		return
	}
	ctx, _ := a.dir.context(cid)
	ctx.pim.EnsureUser(uid)
	rq.who = caller{cid, uid, user, a.dir.groupsOf(cid, uid), ctx, ctx.pim}
	status, body := rq.propfind(strings.Trim(path, "/"), r.Method)
	a.write(w, rq, reply{raw: &rawReply{status, "text/xml; charset=UTF-8", body}}, nil)
}

type davResponse struct {
	Href string `xml:"DAV: href"`
	Name string `xml:"DAV: propstat>prop>displayname"`
}

func (rq *request) propfind(path, method string) (int, []byte) {
	if method != "PROPFIND" {
		return http.StatusMethodNotAllowed, nil
	}
	var list struct {
		XMLName  xml.Name      `xml:"DAV: multistatus"`
		Response []davResponse `xml:"DAV: response"`
	}
	for _, id := range state.SortedKeys(rq.who.pim.Folders) {
		f := rq.who.pim.Folders[id]
		if f.Module != "contacts" || rq.kindFor(f) == state.TypeShared {
			continue
		}
		if r := rq.rights(f); r.read == 0 || r.folder == 0 || (path != "" && path != strconv.Itoa(id)) {
			continue
		}
		list.Response = append(list.Response, davResponse{"/carddav/" + strconv.Itoa(id) + "/", f.Title})
	}
	if path != "" && len(list.Response) == 0 {
		return http.StatusNotFound, nil
	}
	body, err := xml.Marshal(list)
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	return http.StatusMultiStatus, append([]byte(xml.Header), body...)
}
