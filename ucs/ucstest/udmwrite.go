package ucstest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

func (u *UDM) uri(m *module, dn string) string { return u.URL + m.name + "/" + url.PathEscape(dn) }

// create makes an object.
func (u *UDM) create(_ *http.Request, m *module, body []byte) (udmAnswer, error) {
	var b udmBody
	if err := json.Unmarshal(body, &b); err != nil {
		return udmAnswer{}, refuse(http.StatusBadRequest, "body cannot be read")
	}
	if b.Properties == nil {
		return udmAnswer{}, refuse(http.StatusUnprocessableEntity, "argument required", "body", "properties")
	}
	vals, err := m.values(b.Properties)
	if err != nil {
		return udmAnswer{}, err
	}
	if parent, err := u.get(b.Position); err != nil || parent == nil {
		return udmAnswer{}, firstError(err, refuse(http.StatusBadRequest, "no such object"))
	}
	var dn string
	switch m.name {
	case "users/user":
		dn, err = u.createUser(b, vals)
	case "groups/group":
		dn, err = u.createGroup(m, b, vals)
	default:
		dn, err = u.createContext(b, vals)
	}
	if err != nil {
		return udmAnswer{}, err
	}
	e, err := u.get(dn)
	if err != nil || e == nil {
		return udmAnswer{}, firstError(err, refuse(http.StatusInternalServerError, "vanished"))
	}
	return udmAnswer{http.StatusCreated, map[string]string{"Location": u.uri(m, dn), "Etag": etag(m, e)},
		map[string]string{"dn": dn, "uuid": e.GetAttributeValue("entryUUID")}}, nil
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// locks are the locks that a request holds.
type udmLocks struct {
	u    *UDM
	held []string
}

func (u *UDM) lockDN(kind, value string) string {
	return "cn=" + ldap.EscapeDN(value) + ",cn=" + kind + ",cn=temporary,cn=univention," + u.base
}

// take locks a value and looks whether it is free. If it is taken the lock stays,
// as UDM leaves it.
func (l *udmLocks) take(kind, value, filter string) (free bool, err error) {
	dn := l.u.lockDN(kind, value)
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"top", "lock"})
	req.Attribute("cn", []string{value})
	until := strconv.FormatInt(time.Now().Unix()+300, 10)
	req.Attribute("lockTime", []string{until})
	err = l.u.conn.Add(req)
	if ldap.IsErrorWithCode(err, ldap.LDAPResultEntryAlreadyExists) {
		e, err := l.u.get(dn)
		if err != nil {
			return false, err
		}
		if e != nil {
			if end, _ := strconv.ParseInt(e.GetAttributeValue("lockTime"), 10, 64); end >= time.Now().Unix() {
				return false, nil
			}
		}
		m := ldap.NewModifyRequest(dn, nil)
		m.Replace("lockTime", []string{until})
		if err := l.u.conn.Modify(m); err != nil {
			return false, err
		}
	} else if err != nil {
		return false, err
	}
	found, err := l.u.find(filter, "1.1")
	if err != nil || len(found) > 0 {
		return false, err
	}
	l.held = append(l.held, dn)
	return true, nil
}

func (l *udmLocks) release() {
	for _, dn := range l.held {
		l.u.conn.Del(ldap.NewDelRequest(dn, nil))
	}
	l.held = nil
}

// number takes the next number of a counter that nothing has.
func (l *udmLocks) number(counter string) (int, error) {
	e, err := l.u.get("cn=" + counter + ",cn=temporary,cn=univention," + l.u.base)
	if err != nil || e == nil {
		return 0, firstError(err, refuse(http.StatusInternalServerError, "no counter"))
	}
	n, _ := strconv.Atoi(e.GetAttributeValue("univentionLastUsedValue"))
	for n++; ; n++ {
		v := strconv.Itoa(n)
		free, err := l.take(counter, v, "(|(uidNumber="+v+")(gidNumber="+v+"))")
		if err != nil {
			return 0, err
		}
		if free {
			m := ldap.NewModifyRequest(e.DN, nil)
			m.Replace("univentionLastUsedValue", []string{v})
			return n, l.u.conn.Modify(m)
		}
		l.u.conn.Del(ldap.NewDelRequest(l.u.lockDN(counter, v), nil))
	}
}

func (u *UDM) domainSID() (string, error) {
	list, err := u.find("(objectClass=sambaDomain)", "sambaSID")
	if err != nil || len(list) == 0 {
		return "", firstError(err, refuse(http.StatusInternalServerError, "no domain"))
	}
	return list[0].GetAttributeValue("sambaSID"), nil
}

func (u *UDM) createGroup(m *module, b udmBody, vals map[string][]string) (string, error) {
	name := single(vals["name"])
	if name == "" {
		return "", atProperty("name", "required")
	}
	l := &udmLocks{u: u}
	defer l.release()
	esc := ldap.EscapeFilter(name)
	if free, err := l.take("groupName", name, "(|(uid="+esc+")(&(objectClass=posixGroup)(cn="+esc+")))"); err != nil ||
		!free {
		return "", firstError(err, refuse(http.StatusUnprocessableEntity, "object exists", "body", "dn"))
	}
	gid, err := l.number("gidNumber")
	if err != nil {
		return "", err
	}
	sid, err := u.domainSID()
	if err != nil {
		return "", err
	}
	ox := []string{"OK"} // the default of the extended attribute
	if v, ok := vals["isOxGroup"]; ok && v != nil {
		ox = v
	}
	req := ldap.NewAddRequest("cn="+ldap.EscapeDN(name)+","+b.Position, nil)
	req.Attribute("objectClass", []string{"top", "posixGroup", "univentionGroup", "sambaGroupMapping", "univentionObject",
		"ucsschoolGroup", "oxGroup"})
	add := func(attr string, v ...string) {
		if len(v) > 0 && v[0] != "" {
			req.Attribute(attr, v)
		}
	}
	add("univentionObjectType", m.name)
	add("univentionObjectIdentifier", newID())
	add("cn", name)
	add("gidNumber", strconv.Itoa(gid))
	add("sambaSID", sid+"-"+strconv.Itoa(gid*2+1001))
	add("sambaGroupType", "2")
	add("univentionGroupType", "-2147483646")
	add("isOxGroup", ox...)
	add("description", vals["description"]...)
	add("ucsschoolRole", vals["ucsschoolRole"]...)
	add("mailPrimaryAddress", vals["mailAddress"]...)
	// People who do not exist are taken all the same, with a guessed user name.
	var uids []string
	for _, dn := range vals["users"] {
		uids = append(uids, rdnValue(dn))
	}
	add("uniqueMember", vals["users"]...)
	add("memberUid", uids...)
	return req.DN, u.conn.Add(req)
}

func (u *UDM) createContext(b udmBody, vals map[string][]string) (string, error) {
	name := single(vals["name"])
	if name == "" || single(vals["contextid"]) == "" {
		return "", atProperty("name", "required")
	}
	req := ldap.NewAddRequest("cn="+ldap.EscapeDN(name)+","+b.Position, nil)
	req.Attribute("objectClass", []string{"top", "oxContext", "univentionObject"})
	req.Attribute("univentionObjectType", []string{"oxmail/oxcontext"})
	req.Attribute("cn", []string{name})
	req.Attribute("oxContextIDNum", vals["contextid"]) // a number twice is taken without a word
	if v := vals["oxQuota"]; len(v) > 0 {
		req.Attribute("oxQuota", v)
	}
	return req.DN, u.conn.Add(req)
}

func single(v []string) string {
	if len(v) == 0 {
		return ""
	}
	return v[0]
}

func rdnValue(dn string) string {
	p, err := ldap.ParseDN(dn)
	if err != nil || len(p.RDNs) == 0 {
		return ""
	}
	return p.RDNs[0].Attributes[0].Value
}

// remove deletes an object, and takes it out of its groups.
func (u *UDM) remove(m *module, e *ldap.Entry) error {
	if m.name == "oxmail/oxcontext" {
		users, err := u.find("(&(objectClass=oxUserObject)(oxContextIDNum="+
			ldap.EscapeFilter(e.GetAttributeValue("oxContextIDNum"))+"))", "1.1")
		if err != nil || len(users) > 0 {
			return firstError(err, refuse(http.StatusBadRequest, "the context has users"))
		}
	}
	if m.name == "users/user" {
		if err := u.setGroups(e.DN, e.GetAttributeValue("uid"), nil, nil); err != nil {
			return err
		}
	}
	return u.conn.Del(ldap.NewDelRequest(e.DN, nil))
}

// moveMany moves objects and says where to ask how far it is: it is done.
func (u *UDM) moveMany(m *module, body []byte) (udmAnswer, error) {
	var b struct {
		Position string   `json:"position"`
		DN       []string `json:"dn"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return udmAnswer{}, refuse(http.StatusBadRequest, "body cannot be read")
	}
	for _, dn := range b.DN {
		e, err := u.object(m, dn)
		if err != nil {
			return udmAnswer{}, err
		}
		if _, err := u.move(e, b.Position); err != nil {
			return udmAnswer{}, err
		}
	}
	return udmAnswer{status: http.StatusAccepted, header: map[string]string{"Location": u.URL + "progress/" + newID()}},
		nil
}

// move puts an object into another container. Groups follow.
func (u *UDM) move(e *ldap.Entry, position string) (string, error) {
	if parent, err := u.get(position); err != nil || parent == nil {
		return "", firstError(err, refuse(http.StatusBadRequest, "no such object"))
	}
	rdn := e.DN[:rdnEnd(e.DN)]
	to := rdn + "," + position
	groups, err := u.groupsOf(e.DN)
	if err != nil {
		return "", err
	}
	if err := u.conn.ModifyDN(ldap.NewModifyDNRequest(e.DN, rdn, true, position)); err != nil {
		return "", err
	}
	for _, g := range groups { // where the server has not done so itself
		req := ldap.NewModifyRequest(g, nil)
		req.Delete("uniqueMember", []string{e.DN})
		req.Add("uniqueMember", []string{to})
		err := u.conn.Modify(req)
		if err != nil && !ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists) {
			return "", err
		}
	}
	return to, nil
}

// rdnEnd is the index of the comma behind the first part of a DN.
func rdnEnd(dn string) int {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return i
		}
	}
	return len(dn)
}

// put changes an object, or moves it and ignores everything else.
func (u *UDM) put(r *http.Request, m *module, e *ldap.Entry, body []byte) (udmAnswer, error) {
	var b udmBody
	if err := json.Unmarshal(body, &b); err != nil {
		return udmAnswer{}, refuse(http.StatusBadRequest, "body cannot be read")
	}
	if b.Position == "" {
		return udmAnswer{}, refuse(http.StatusUnprocessableEntity, "argument required", "body", "position")
	}
	if !strings.EqualFold(b.Position, e.DN[rdnEnd(e.DN)+1:]) {
		to, err := u.move(e, b.Position)
		return udmAnswer{http.StatusCreated, map[string]string{"Location": u.uri(m, to)},
			map[string]any{"id": newID(), "errors": false, "finished": true, "uri": u.uri(m, to)}}, err
	}
	return u.patch(r, m, e, body)
}

// patch changes an object.
func (u *UDM) patch(r *http.Request, m *module, e *ldap.Entry, body []byte) (udmAnswer, error) {
	var b udmBody
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json-patch+json") {
		var err error
		if b, err = u.jsonPatch(m, e, body); err != nil {
			return udmAnswer{}, err
		}
	} else if err := json.Unmarshal(body, &b); err != nil {
		return udmAnswer{}, refuse(http.StatusBadRequest, "body cannot be read")
	}
	vals, err := m.values(b.Properties)
	if err != nil {
		return udmAnswer{}, err
	}
	dn := e.DN
	if m.name == "users/user" {
		dn, err = u.changeUser(e, b, vals)
	} else {
		err = u.changeOther(m, e, vals)
	}
	if err != nil {
		return udmAnswer{}, err
	}
	if e, err = u.get(dn); err != nil || e == nil {
		return udmAnswer{}, firstError(err, refuse(http.StatusInternalServerError, "vanished"))
	}
	return udmAnswer{status: http.StatusNoContent, header: map[string]string{"Etag": etag(m, e),
		"Location": u.uri(m, dn)}}, nil
}

// jsonPatch turns operations on single properties into new values.
func (u *UDM) jsonPatch(m *module, e *ldap.Entry, body []byte) (udmBody, error) {
	var ops []struct {
		Op, Path string
		Value    any
	}
	b := udmBody{Properties: map[string]any{}}
	if err := json.Unmarshal(body, &ops); err != nil {
		return b, refuse(http.StatusBadRequest, "body cannot be read")
	}
	for _, op := range ops {
		name, ok := strings.CutPrefix(op.Path, "/properties/")
		p := m.prop(name)
		if !ok || p == nil {
			return b, refuse(http.StatusUnprocessableEntity, "no such property", "body", op.Path)
		}
		cur, ok := b.Properties[name].([]any)
		if !ok {
			for _, v := range e.GetEqualFoldAttributeValues(p.attr) {
				cur = append(cur, v)
			}
		}
		switch op.Op {
		case "replace":
			b.Properties[name] = op.Value
			continue
		case "add":
			cur = append(cur, op.Value)
		case "remove":
			cur = slices.DeleteFunc(cur, func(v any) bool {
				a, _ := v.(string)
				b, _ := op.Value.(string)
				return strings.EqualFold(a, b)
			})
		default:
			return b, refuse(http.StatusInternalServerError, "traceback") // as seen with "test"
		}
		if cur == nil {
			cur = []any{}
		}
		b.Properties[name] = cur
	}
	return b, nil
}

// changeOther changes a group or context.
func (u *UDM) changeOther(m *module, e *ldap.Entry, vals map[string][]string) error {
	req := ldap.NewModifyRequest(e.DN, nil)
	for n, v := range vals {
		p := m.prop(n)
		switch {
		case n == "name" && !strings.EqualFold(single(v), e.GetAttributeValue("cn")):
			return refuse(http.StatusUnprocessableEntity, "renaming is not simulated", "body", "properties", n)
		case n == "name":
		case n == "users":
			var uids []string
			for _, dn := range v {
				uids = append(uids, rdnValue(dn))
			}
			if len(v) > 0 || len(e.GetAttributeValues("uniqueMember")) > 0 {
				req.Replace("uniqueMember", dedupe(v))
				req.Replace("memberUid", dedupe(uids))
			}
		default:
			req.Replace(p.attr, v)
		}
	}
	if len(req.Changes) == 0 {
		return nil
	}
	return u.conn.Modify(req)
}

func dedupe(list []string) []string {
	var out []string
	for _, v := range list {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, v) }) {
			out = append(out, v)
		}
	}
	return out
}

// search lists objects.
func (u *UDM) search(r *http.Request, m *module) (udmAnswer, error) {
	q := r.URL.Query()
	if len(q) == 0 {
		return udmAnswer{status: http.StatusOK, body: map[string]any{"_embedded": map[string]any{}}}, nil // the form
	}
	base := u.base
	if p := q.Get("position"); p != "" {
		if e, err := u.get(p); err != nil || e == nil {
			return udmAnswer{}, firstError(err, refuse(http.StatusUnprocessableEntity, "no such position", "query", "position"))
		}
		base = p
	}
	filter := q.Get("filter")
	if filter == "" {
		filter = "(objectClass=*)"
	}
	for i := range m.props { // names of properties are as good as those of attributes
		if p := &m.props[i]; p.attr != "" {
			filter = strings.ReplaceAll(filter, "("+p.name+"=", "("+p.attr+"=")
		}
	}
	if _, err := ldap.CompileFilter(filter); err != nil {
		return udmAnswer{}, refuse(http.StatusUnprocessableEntity, "bad filter", "query", "filter")
	}
	list, err := u.findBelow(base, "(&(univentionObjectType="+m.name+")"+filter+")", "*", "+")
	if err != nil {
		return udmAnswer{}, err
	}
	out := []any{}
	for _, e := range list {
		o, err := u.show(m, e)
		if err != nil {
			return udmAnswer{}, err
		}
		if q.Get("properties") == "dn" || q.Get("opened") == "0" {
			o["properties"] = map[string]any{}
			delete(o, "options")
			delete(o, "policies")
		}
		out = append(out, o)
	}
	return udmAnswer{status: http.StatusOK, body: map[string]any{"_embedded": map[string]any{"udm:object": out},
		"results": len(out)}}, nil
}
