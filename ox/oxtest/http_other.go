package oxtest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var otherActions = map[string]httpAction{
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
func multiple(rq *httpRequest) (httpReply, *httpError) {
	var items []map[string]json.RawMessage
	if err := json.Unmarshal(rq.body, &items); err != nil {
		return httpReply{raw: htmlPage(http.StatusBadRequest)}, nil
	}
	answers := make([]map[string]any, 0, len(items))
	rq.rec.Objects = len(items)
	for _, item := range items {
		sub := &httpRequest{api: rq.api, params: map[string]string{}, inMultiple: true, who: rq.who}
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
		var reply httpReply
		var problem *httpError
		if notInMultiple[sub.module] || !knownModule(sub.module) || slices.Contains(rq.api.opts.Missing, sub.module) {
			problem = oxErr("SVL-0007", catError, "Unknown module: %s.", sub.module)
		} else {
			reply, problem = sub.dispatch()
		}
		answers = append(answers, rq.api.envelope(reply, problem))
		rq.api.record(sub, http.StatusOK, code(reply, problem))
	}
	body, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	return httpReply{raw: &rawReply{http.StatusOK, "application/json; charset=UTF-8", body}}, nil
}

func (rq *httpRequest) capabilities() []string {
	out := []string{"webmail"}
	u := rq.who.user
	for name, on := range map[string]bool{"contacts": u.contacts, "calendar": u.calendar, "infostore": u.infostore,
		"gab": rq.seesBook(), "edit_public_folders": u.editPublicFolders, "read_create_shared_folders": u.shareFolders} {
		if on {
			out = append(out, name)
		}
	}
	return out
}

func capabilitiesAll(rq *httpRequest) (httpReply, *httpError) {
	out := []map[string]any{}
	for _, c := range rq.capabilities() {
		out = append(out, map[string]any{"id": c, "attributes": map[string]any{}})
	}
	return httpReply{data: out}, nil
}

func capabilitiesGet(rq *httpRequest) (httpReply, *httpError) {
	id, problem := rq.need("id")
	if problem != nil {
		return httpReply{}, problem
	}
	for _, c := range rq.capabilities() {
		if c == id {
			return httpReply{data: map[string]any{"id": c, "attributes": map[string]any{}}}, nil
		}
	}
	return httpReply{data: map[string]any{}}, nil
}

func serverConfig(rq *httpRequest) (httpReply, *httpError) {
	return httpReply{data: map[string]any{"serverVersion": rq.api.opts.Version, "version": rq.api.opts.Version}}, nil
}

// findAutocomplete suggests contacts, as the search field of the web client asks for.
func findAutocomplete(rq *httpRequest) (httpReply, *httpError) {
	if _, problem := rq.need("module"); problem != nil {
		return httpReply{}, problem
	}
	var body struct {
		Prefix string `json:"prefix"`
	}
	if problem := rq.decode(&body); problem != nil {
		return httpReply{}, problem
	}
	list, problem := rq.searchable(nil)
	if problem != nil {
		return httpReply{}, problem
	}
	values := []map[string]any{}
	for _, c := range list {
		if nameMatches(body.Prefix, c.fields["display_name"]) || nameMatches(body.Prefix, c.fields["last_name"]) ||
			nameMatches(body.Prefix, c.fields["first_name"]) {
			values = append(values, map[string]any{"id": fmt.Sprintf("contact/%d/%d", c.folder, c.id),
				"item": rq.contactObject(c)})
		}
	}
	return httpReply{data: map[string]any{"facets": []map[string]any{{"id": "contact", "style": "default",
		"values": values}}}}, nil
}

func findQuery(rq *httpRequest) (httpReply, *httpError) {
	if _, problem := rq.need("module"); problem != nil {
		return httpReply{}, problem
	}
	var body struct {
		Facets []json.RawMessage `json:"facets"`
	}
	if problem := rq.decode(&body); problem != nil {
		return httpReply{}, problem
	}
	list, problem := rq.searchable(nil)
	if problem != nil {
		return httpReply{}, problem
	}
	results := []map[string]any{}
	for _, c := range list {
		results = append(results, rq.contactObject(c))
	}
	return httpReply{data: map[string]any{"num_found": len(results), "results": results}}, nil
}

// haloInvestigate tells what is known about an address.
func haloInvestigate(rq *httpRequest) (httpReply, *httpError) {
	if _, problem := rq.need("provider"); problem != nil {
		return httpReply{}, problem
	}
	objects := []map[string]any{}
	for _, u := range rq.allUsers() {
		c := rq.censored(u)
		if mail := rq.params["email1"]; mail != "" && strings.EqualFold(c.fields["email1"], mail) {
			objects = append(objects, rq.contactObject(c))
		}
	}
	return httpReply{data: map[string]any{"provider": rq.params["provider"], "objects": objects}}, nil
}

// contactPicture gives a user's portrait to those who see the global address book.
func contactPicture(rq *httpRequest) (httpReply, *httpError) {
	u, problem := httpUser{}, (*httpError)(nil)
	if s := rq.params["user_id"]; s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			return httpReply{}, badValue("user_id")
		}
		u, _ = rq.api.dir.httpUser(rq.who.cid, n)
	} else if mail := rq.params["email"]; mail != "" {
		for _, x := range rq.allUsers() {
			if strings.EqualFold(x.mail, mail) {
				u = x
			}
		}
	}
	if problem != nil || u.data == nil || (!rq.seesBook() && u.id != rq.who.uid) {
		return httpReply{raw: htmlPage(http.StatusNotFound)}, nil
	}
	image, contentType := u.picture()
	if len(image) == 0 {
		return httpReply{raw: htmlPage(http.StatusNotFound)}, nil
	}
	return httpReply{raw: &rawReply{http.StatusOK, contentType, image}}, nil
}

// carddav answers PROPFIND: the root lists the address books that the account
// may read, and each of them answers 207; all others are 404.
func (a *httpAPI) carddav(w http.ResponseWriter, r *http.Request, rq *httpRequest, path string) {
	name, password, ok := r.BasicAuth()
	unlock := a.dir.httpLock()
	defer unlock()
	cid, uid, user, known := a.authenticate(name, password)
	if !ok || !known || !user.enabled {
		w.Header().Set("WWW-Authenticate", `Basic realm="OX WebDAV"`)
		a.write(w, rq, httpReply{raw: &rawReply{status: http.StatusUnauthorized}}, nil)
		return
	}
	ctx, _ := a.dir.httpContext(cid)
	ctx.pim.ensureUser(uid)
	rq.who = httpCaller{cid, uid, user, a.dir.httpGroupsOf(cid, uid), ctx, ctx.pim}
	status, body := rq.propfind(strings.Trim(path, "/"), r.Method)
	a.write(w, rq, httpReply{raw: &rawReply{status, "text/xml; charset=UTF-8", body}}, nil)
}

type davResponse struct {
	Href string `xml:"DAV: href"`
	Name string `xml:"DAV: propstat>prop>displayname"`
}

func (rq *httpRequest) propfind(path, method string) (int, []byte) {
	if method != "PROPFIND" {
		return http.StatusMethodNotAllowed, nil
	}
	var list struct {
		XMLName  xml.Name      `xml:"DAV: multistatus"`
		Response []davResponse `xml:"DAV: response"`
	}
	for _, id := range sortedKeys(rq.who.pim.folders) {
		f := rq.who.pim.folders[id]
		if f.module != "contacts" || rq.kindFor(f) == typeShared {
			continue
		}
		if r := rq.rights(f); r.read == 0 || r.folder == 0 || (path != "" && path != strconv.Itoa(id)) {
			continue
		}
		list.Response = append(list.Response, davResponse{"/carddav/" + strconv.Itoa(id) + "/", f.title})
	}
	if path != "" && len(list.Response) == 0 {
		return http.StatusNotFound, nil
	}
	body, err := xml.Marshal(list)
	if err != nil {
		panic(err)
	}
	return http.StatusMultiStatus, append([]byte(xml.Header), body...)
}
