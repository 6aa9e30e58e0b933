package ucstest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// given is an attribute as a request names it.
type given struct {
	desc string
	vals []string
}

// find returns the entry, or noSuchObject with the deepest ancestor that
// exists.
func (t *tree) find(dn string) (*entry, *result) {
	n, err := t.schema.normalizeDN(dn)
	if err != nil {
		return nil, fail(ldap.LDAPResultInvalidDNSyntax, "invalid DN")
	}
	if e := t.byDN[n]; e != nil {
		return e, nil
	}
	if n != t.suffix && !strings.HasSuffix(n, ","+t.suffix) {
		return nil, fail(ldap.LDAPResultNoSuchObject, "")
	}
	r := fail(ldap.LDAPResultNoSuchObject, "")
	for n != "" {
		_, n = cutDN(n)
		if e := t.byDN[n]; e != nil {
			r.matched = e.dn
			break
		}
	}
	return nil, r
}

// attributes resolves the names of a request.
func (s *schema) attributes(list []given) ([]attr, *result) {
	out := make([]attr, 0, len(list))
	for _, g := range list {
		at := s.attr(g.desc)
		if at == nil {
			return nil, fail(ldap.LDAPResultUndefinedAttributeType, "%s: attribute type undefined", g.desc)
		}
		out = append(out, attr{at, g.vals})
	}
	return out, nil
}

// add is the add operation, RFC 4511 section 4.7.
func (t *tree) add(dn string, list []given, by string) *result {
	rdns, err := t.schema.parseDN(dn)
	if err != nil || len(rdns) == 0 {
		return fail(ldap.LDAPResultInvalidDNSyntax, "invalid DN")
	}
	ndn := t.schema.joinDN(rdns)
	attrs, r := t.schema.attributes(list)
	if r != nil {
		return r
	}
	var parent *entry
	if ndn != t.suffix {
		pdn := t.schema.joinDN(rdns[1:])
		if !strings.HasSuffix(ndn, ","+t.suffix) {
			return fail(ldap.LDAPResultUnwillingToPerform, "no global superior knowledge")
		}
		if parent = t.byDN[pdn]; parent == nil {
			_, r := t.find(pdn)
			return r
		}
	}
	if t.byDN[ndn] != nil {
		return fail(ldap.LDAPResultEntryAlreadyExists, "")
	}
	sc, r := t.schema.checkEntry(rdns[0], attrs)
	if r != nil {
		return r
	}
	if r := t.unique(attrs, nil); r != nil {
		return r
	}
	csn, ts := t.stamp()
	t.insert(&entry{dn: dn, ndn: ndn, parent: parent, attrs: attrs, uuid: newUUID(), csn: csn,
		created: ts, modified: ts, creator: by, modifier: by, class: sc})
	return nil
}

// unique is the overlay of the same name on a UCS primary: it guards
// univentionObjectIdentifier and nothing else.
func (t *tree) unique(attrs []attr, self *entry) *result {
	at := t.schema.attr("univentionObjectIdentifier")
	if at == nil {
		return nil
	}
	for _, v := range valuesOf(attrs, at) {
		for _, id := range t.index[at][t.schema.normalize(at.equality, v)] {
			if t.byID[id] != self {
				return fail(ldap.LDAPResultConstraintViolation, "some attributes not unique")
			}
		}
	}
	return nil
}

// change is one part of a modify request.
type change struct {
	op uint // ldap.AddAttribute, ...
	given
}

// modify is the modify operation, RFC 4511 section 4.6: all changes or none.
func (t *tree) modify(e *entry, changes []change, by string) *result {
	attrs := slices.Clone(e.attrs)
	edits := map[*attrType]*edit{}
	for _, c := range changes {
		at := t.schema.attr(c.desc)
		if at == nil {
			return fail(ldap.LDAPResultUndefinedAttributeType, "%s: attribute type undefined", c.desc)
		}
		if at.operational {
			return fail(ldap.LDAPResultConstraintViolation, "%s: no user modification allowed", at.name)
		}
		for i, v := range c.vals {
			if !t.schema.valid(at, v) {
				return fail(ldap.LDAPResultInvalidAttributeSyntax, "%s: value #%d invalid per syntax", at.name, i)
			}
		}
		ed := edits[at]
		if ed == nil {
			ed = &edit{t: t, at: at, id: e.id, vals: valuesOf(attrs, at)}
			edits[at] = ed
		}
		if r := ed.apply(c); r != nil {
			return r
		}
	}
	for at, ed := range edits {
		if r := t.schema.checkCount(attr{at, ed.vals}); r != nil {
			return r
		}
		attrs = setValues(attrs, at, ed.vals)
	}
	rdns, err := t.schema.parseDN(e.dn)
	if err != nil {
		return fail(ldap.LDAPResultOther, "stored DN is broken")
	}
	sc, r := t.schema.checkShape(rdns[0], attrs)
	if r != nil {
		return r
	}
	if sc != e.class {
		return fail(ldap.LDAPResultObjectClassModsProhibited,
			"structural object class modification from '%s' to '%s' not allowed", e.class.name, sc.name)
	}
	if r := t.unique(attrs, e); r != nil {
		return r
	}
	if old := valuesOf(e.attrs, t.objectClassAttr); edits[t.objectClassAttr] != nil {
		t.unindexValues(t.objectClassAttr, old, e.id)
		t.indexValues(t.objectClassAttr, valuesOf(attrs, t.objectClassAttr), e.id)
	}
	for at, ed := range edits {
		if ix := t.index[at]; ix != nil && at != t.objectClassAttr {
			for k, present := range ed.touched {
				t.setIndex(ix, k, e.id, present)
			}
		}
	}
	e.attrs = attrs
	e.csn, e.modified = t.stamp()
	e.modifier = by
	return nil
}

// edit is the work on one attribute during a modify. Values of indexed
// attributes are looked up in the index, so that a member more in a group of
// thousands costs no more than the first.
type edit struct {
	t       *tree
	at      *attrType
	id      uint32
	vals    []string
	touched map[string]bool // normalised values that came (true) or went
	all     map[string]bool // all values, of an attribute without index
}

func (ed *edit) norm(v string) string { return ed.t.schema.normalize(ed.at.equality, v) }

func (ed *edit) has(n string) bool {
	if present, ok := ed.touched[n]; ok {
		return present
	}
	if ix := ed.t.index[ed.at]; ix != nil && ed.at != ed.t.objectClassAttr {
		_, found := slices.BinarySearch(ix[n], ed.id)
		return found
	}
	if ed.all == nil {
		ed.all = map[string]bool{}
		for _, v := range ed.vals {
			ed.all[ed.norm(v)] = true
		}
	}
	return ed.all[n]
}

func (ed *edit) touch(n string, present bool) {
	if ed.touched == nil {
		ed.touched = map[string]bool{}
	}
	ed.touched[n] = present
}

// apply carries out one change.
func (ed *edit) apply(c change) *result {
	at := ed.at
	switch c.op {
	case ldap.ReplaceAttribute:
		if len(c.vals) > 0 {
			if r := ed.t.schema.checkValues(attr{at, c.vals}); r != nil {
				return r
			}
		}
		ed.has("") // before the values change
		for _, v := range ed.vals {
			ed.touch(ed.norm(v), false)
		}
		for _, v := range c.vals {
			ed.touch(ed.norm(v), true)
		}
		ed.vals = c.vals
	case ldap.AddAttribute:
		if len(c.vals) == 0 {
			return fail(ldap.LDAPResultProtocolError, "modify/add: %s: no values given", at.name)
		}
		for i, v := range c.vals {
			n := ed.norm(v)
			if ed.has(n) {
				return fail(ldap.LDAPResultAttributeOrValueExists, "modify/add: %s: value #%d already exists", at.name, i)
			}
			ed.touch(n, true)
		}
		for _, v := range c.vals {
			ed.vals = append(ed.vals, ed.t.intern(at, v))
		}
	case ldap.DeleteAttribute:
		return ed.remove(c.vals)
	case ldap.IncrementAttribute: // RFC 4525
		if at.equality != integerRule || len(c.vals) != 1 || len(ed.vals) == 0 {
			return fail(ldap.LDAPResultConstraintViolation, "modify/increment: %s: not possible", at.name)
		}
		by, _ := strconv.ParseInt(c.vals[0], 10, 64)
		out := make([]string, len(ed.vals))
		for i, v := range ed.vals {
			n, _ := strconv.ParseInt(v, 10, 64)
			out[i] = strconv.FormatInt(n+by, 10)
			ed.touch(ed.norm(v), false)
		}
		for _, v := range out {
			ed.touch(ed.norm(v), true)
		}
		ed.vals = out
	default:
		return fail(ldap.LDAPResultProtocolError, "unrecognized modify operation")
	}
	return nil
}

func (ed *edit) remove(vals []string) *result {
	at := ed.at
	if len(ed.vals) == 0 {
		return fail(ldap.LDAPResultNoSuchAttribute, "modify/delete: %s: no such attribute", at.name)
	}
	if len(vals) == 0 {
		ed.has("")
		for _, v := range ed.vals {
			ed.touch(ed.norm(v), false)
		}
		ed.vals = nil
		return nil
	}
	if at.equality == noRule {
		return fail(ldap.LDAPResultInappropriateMatching, "modify/delete: %s: no equality matching rule", at.name)
	}
	kept := slices.Clone(ed.vals)
	for _, v := range vals {
		n := ed.norm(v)
		if !ed.has(n) {
			return fail(ldap.LDAPResultNoSuchAttribute, "modify/delete: %s: no such value", at.name)
		}
		ed.touch(n, false)
		i := slices.Index(kept, v) // as it was written, mostly
		if i < 0 {
			i = slices.IndexFunc(kept, func(k string) bool { return ed.norm(k) == n })
		}
		kept = slices.Delete(kept, i, i+1)
	}
	ed.vals = kept
	return nil
}

func setValues(attrs []attr, at *attrType, vals []string) []attr {
	for i := range attrs {
		if attrs[i].at != at {
			continue
		}
		if len(vals) == 0 {
			return slices.Delete(attrs, i, i+1)
		}
		attrs[i].vals = vals
		return attrs
	}
	if len(vals) == 0 {
		return attrs
	}
	return append(attrs, attr{at, vals})
}

// del is the delete operation. The refint overlay's work is done at once:
// the name disappears from uniqueMember; memberUid keeps the user name.
func (t *tree) del(e *entry) *result {
	if len(e.children) > 0 {
		return fail(ldap.LDAPResultNotAllowedOnNonLeaf, "subordinate objects must be deleted first")
	}
	t.remove(e)
	t.rewriteMembers(e.ndn, "")
	return nil
}

// rewriteMembers is the refint overlay on uniqueMember.
func (t *tree) rewriteMembers(ndn, dn string) {
	for _, id := range slices.Clone(t.index[t.uniqueMember][ndn]) {
		g := t.byID[id]
		old := g.get(t.uniqueMember)
		vals := make([]string, 0, len(old))
		for _, v := range old {
			if t.schema.normalize(dnRule, v) != ndn {
				vals = append(vals, v)
			} else if dn != "" {
				vals = append(vals, dn)
			}
		}
		t.setAttrs(g, setValues(slices.Clone(g.attrs), t.uniqueMember, vals))
		g.csn, g.modified = t.stamp()
	}
}

// rename is the modify DN operation, RFC 4511 section 4.9. newSuperior is
// empty if the entry stays where it is.
func (t *tree) rename(e *entry, newRDN string, deleteOld bool, newSuperior, by string) *result {
	rdn, err := t.schema.parseDN(newRDN)
	if err != nil || len(rdn) != 1 {
		return fail(ldap.LDAPResultInvalidDNSyntax, "invalid new RDN")
	}
	oldRDNs, _ := t.schema.parseDN(e.dn)
	parent := e.parent
	if newSuperior != "" {
		p, r := t.find(newSuperior)
		if r != nil {
			return r
		}
		parent = p
	}
	if parent == nil || below(parent, e) {
		return fail(ldap.LDAPResultUnwillingToPerform, "cannot place an entry below itself")
	}
	dn := newRDN + "," + parent.dn
	ndn := t.schema.joinDN(rdn) + "," + parent.ndn
	if other := t.byDN[ndn]; other != nil && other != e {
		return fail(ldap.LDAPResultEntryAlreadyExists, "")
	}
	attrs := slices.Clone(e.attrs)
	if deleteOld {
		for _, o := range oldRDNs[0] {
			n := t.schema.normalize(o.attr.equality, o.value)
			var kept []string
			for _, v := range valuesOf(attrs, o.attr) {
				if t.schema.normalize(o.attr.equality, v) != n {
					kept = append(kept, v)
				}
			}
			attrs = setValues(attrs, o.attr, kept)
		}
	}
	for _, n := range rdn[0] {
		if !t.schema.hasValue(attrs, n) {
			attrs = setValues(attrs, n.attr, append(slices.Clone(valuesOf(attrs, n.attr)), n.value))
		}
	}
	if _, r := t.schema.checkEntry(rdn[0], attrs); r != nil {
		return r
	}
	t.setAttrs(e, attrs)
	e.csn, e.modified = t.stamp()
	e.modifier = by
	if parent != e.parent {
		e.parent.children = e.parent.children.remove(e.id)
		parent.children = parent.children.add(e.id)
		e.parent = parent
	}
	t.relocate(e, dn, ndn)
	return nil
}

// relocate gives an entry and everything below it their new names.
func (t *tree) relocate(e *entry, dn, ndn string) {
	old := e.ndn
	delete(t.byDN, old)
	e.dn, e.ndn = dn, ndn
	t.byDN[ndn] = e
	if old != ndn {
		t.rewriteMembers(old, dn)
	}
	for _, id := range e.children {
		c := t.byID[id]
		rdn, _ := cutDN(c.dn)
		nrdn, _ := cutDN(c.ndn)
		t.relocate(c, rdn+","+dn, nrdn+","+ndn)
	}
}
