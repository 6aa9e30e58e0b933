package ucstest

import (
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// search answers a search request.
func (c *conn) search(req *request) bool {
	q, err := c.s.schema.decodeSearch(req.op)
	if err != nil {
		return c.reply(req.id, appendResult(ldap.ApplicationSearchResultDone, fail(ldap.LDAPResultProtocolError, "%v", err),
			nil), nil)
	}
	call := Call{Op: "search", User: c.user, DN: q.base, Filter: q.text, Attrs: q.attrs}
	f := c.s.rec.fault(&call)
	if f != nil && (!c.delay(f.Delay) || f.Lose == LoseRequest) {
		c.s.rec.note(call)
		return false
	}
	var r *result
	var controls []byte
	n := 0
	if f != nil && f.Code != 0 && f.Entries == 0 {
		r = fail(f.Code, "%s", f.message())
	} else {
		limit := -1
		if f != nil && f.Entries > 0 {
			limit = f.Entries
		}
		r, controls, n = c.results(req, q, limit)
		if f != nil && f.Code != 0 {
			r, controls = fail(f.Code, "%s", f.message()), nil
		}
	}
	call.Entries = n
	if r != nil {
		call.Code = r.code
	}
	c.s.rec.note(call)
	if f != nil && f.Lose == LoseAnswer {
		if len(c.out) > 0 && f.Entries > 0 {
			c.nc.Write(c.out)
		}
		return false
	}
	return c.reply(req.id, appendResult(ldap.ApplicationSearchResultDone, r, nil), controls)
}

// results encodes the entries of a search into c.out, at most limit if that
// is not negative.
func (c *conn) results(req *request, q *query, limit int) (*result, []byte, int) {
	if r := c.searchControls(req, q); r != nil {
		return r, nil, 0
	}
	if q.scope == ldap.ScopeBaseObject && (q.base == "" || strings.EqualFold(q.base, subschemaDN)) {
		c.virtual(req.id, q)
		return nil, nil, 1
	}
	if c.user == "" {
		return fail(ldap.LDAPResultInsufficientAccessRights, "authentication required"), nil, 0
	}
	if r, ok := c.logEntry(req, q); ok {
		return r, nil, 1
	}
	c.s.mu.RLock()
	defer c.s.mu.RUnlock()
	ids, r := c.found(q)
	if r != nil {
		return r, nil, 0
	}
	if q.paged != nil && q.paged.cookie != "" && q.paged.size == 0 {
		return nil, encodePaged(""), 0 // abandoned by the client, RFC 2696 section 3
	}
	maxEntries := c.s.cfg.sizeLimit
	if q.sizeLimit > 0 {
		maxEntries = min(maxEntries, int(q.sizeLimit))
	}
	sel := c.s.schema.selection(q.attrs)
	n := 0
	for i, id := range ids {
		switch {
		case limit >= 0 && n >= limit:
			return nil, pagedEnd(q), n
		case q.paged != nil && int64(n) >= q.paged.size:
			cookie := newCookie()
			c.pagers[cookie] = &pager{left: ids[i:], key: q.key()}
			return nil, encodePaged(cookie), n
		case n >= maxEntries:
			return fail(ldap.LDAPResultSizeLimitExceeded, ""), nil, n
		}
		e := c.s.tree.byID[id]
		if e == nil {
			continue // deleted since the search began
		}
		c.out = appendEntry(c.out, req.id, e.dn, c.s.tree.view(e, sel, c.admin), q.typesOnly)
		n++
		if !c.flush() {
			return nil, nil, n
		}
	}
	return nil, pagedEnd(q), n
}

// searchControls reads the controls of a search into q.
func (c *conn) searchControls(req *request, q *query) *result {
	if _, r := c.critical(req.controls, ldap.ControlTypePaging, oidAssert, oidManage); r != nil {
		return r
	}
	for _, ctl := range req.controls {
		if ctl.oid == ldap.ControlTypePaging {
			pc, err := decodePaged(ctl.value)
			if err != nil {
				return fail(ldap.LDAPResultProtocolError, "paged results control could not be decoded")
			}
			q.paged = pc
		}
	}
	return nil
}

// found returns the entries that a search finds, or those that are left of it
// when the next page is asked for.
func (c *conn) found(q *query) (posting, *result) {
	base, r := c.s.tree.find(q.base)
	if r != nil {
		return nil, r
	}
	if q.paged == nil || q.paged.cookie == "" {
		return c.s.tree.search(q, base), nil
	}
	pg := c.pagers[q.paged.cookie]
	if pg == nil || pg.key != q.key() {
		return nil, fail(ldap.LDAPResultUnwillingToPerform, "paged results cookie is invalid or old")
	}
	delete(c.pagers, q.paged.cookie)
	return pg.left, nil
}

func pagedEnd(q *query) []byte {
	if q.paged == nil {
		return nil
	}
	return encodePaged("")
}

// flush sends what has been gathered once it is much. Meanwhile others may
// write: a client that reads slowly must not keep them from it.
func (c *conn) flush() bool {
	if len(c.out) < 1<<16 {
		return true
	}
	c.s.mu.RUnlock()
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	c.s.mu.RLock()
	return err == nil
}

// virtual answers for the root DSE and the subschema entry.
func (c *conn) virtual(id int64, q *query) {
	var attrs []given
	dn := ""
	if q.base == "" {
		attrs = []given{{"objectClass", []string{"top", "OpenLDAProotDSE"}}, {"namingContexts", []string{c.s.BaseDN}},
			{"supportedControl", supportedControls}, {"supportedExtension", supportedExtensions},
			{"supportedLDAPVersion", []string{"3"}}, {"subschemaSubentry", []string{subschemaDN}}}
	} else {
		dn = subschemaDN
		attrs = []given{{"objectClass", []string{"top", "subentry", "subschema", "extensibleObject"}},
			{"cn", []string{"Subschema"}},
			{"attributeTypes", c.s.schema.attrDefinitions()}, {"objectClasses", c.s.schema.classDefinitions()}}
	}
	sel := c.s.schema.selection(q.attrs)
	var out []given
	for _, g := range attrs {
		at := c.s.schema.attr(g.desc)
		op := at != nil && at.operational
		if sel.user && !op || sel.operational && op || slices.Contains(sel.attrs, at) {
			out = append(out, g)
		}
	}
	c.out = appendEntry(c.out, id, dn, out, q.typesOnly)
}

func (s *schema) attrDefinitions() []string {
	var out []string
	for k, at := range s.attrs {
		if k == at.oid {
			out = append(out, at.def)
		}
	}
	slices.Sort(out)
	return out
}

func (s *schema) classDefinitions() []string {
	var out []string
	for _, c := range s.classes {
		out = append(out, c.def)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
