package ucstest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// entry is a node of the tree. Its fields are guarded by tree.mu through the
// server's read-write lock.
type entry struct {
	id       uint32
	dn       string // as it was given
	ndn      string // normalised
	parent   *entry
	children posting
	attrs    []attr
	uuid     string
	csn      string
	created  string
	modified string
	creator  string
	modifier string
	class    *objectClass // structural
}

// attr is an attribute with its values as they were given.
type attr struct {
	at   *attrType
	vals []string
}

func (e *entry) get(at *attrType) []string {
	for i := range e.attrs {
		if e.attrs[i].at == at {
			return e.attrs[i].vals
		}
	}
	return nil
}

// posting is a sorted list of entry ids.
type posting []uint32

func (p posting) add(id uint32) posting {
	if n := len(p); n == 0 || p[n-1] < id {
		return append(p, id)
	}
	i, found := slices.BinarySearch(p, id)
	if found {
		return p
	}
	return slices.Insert(p, i, id)
}

func (p posting) remove(id uint32) posting {
	i, found := slices.BinarySearch(p, id)
	if !found {
		return p
	}
	return slices.Delete(p, i, i+1)
}

func union(a, b posting) posting {
	out := make(posting, 0, len(a)+len(b))
	out = append(append(out, a...), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// tree is the directory: entries by name and id, and the indexes.
type tree struct {
	schema  *schema
	suffix  string // normalised
	byDN    map[string]*entry
	byID    map[uint32]*entry
	all     posting
	last    uint32
	index   map[*attrType]map[string]posting
	strings map[string]string // interned values
	now     func() time.Time
	csn     int
	csnTime time.Time

	objectClassAttr, uniqueMember, memberUID, memberOf *attrType
}

func newTree(s *schema, suffix string, now func() time.Time) (*tree, error) {
	n, err := s.normalizeDN(suffix)
	if err != nil {
		return nil, err
	}
	t := &tree{schema: s, suffix: n, now: now,
		byDN: map[string]*entry{}, byID: map[uint32]*entry{},
		index: map[*attrType]map[string]posting{}, strings: map[string]string{}}
	t.objectClassAttr = s.attr("objectClass")
	t.uniqueMember = s.attr("uniqueMember")
	t.memberUID = s.attr("memberUid")
	t.memberOf = s.attr("memberOf")
	for _, at := range s.attrs {
		if at.indexed && t.index[at] == nil {
			t.index[at] = map[string]posting{}
		}
	}
	return t, nil
}

// intern returns one copy of short values that many entries share.
func (t *tree) intern(at *attrType, v string) string {
	switch at.lower {
	case "objectclass", "loginshell", "departmentnumber", "ucsschoolschool", "ucsschoolrole", "ucsschoolsourceuid",
		"univentionobjecttype", "sambaacctflags", "isoxuser", "oxaccess", "oxcontextidnum", "krb5maxlife",
		"krb5maxrenew", "krb5kdcflags", "krb5keyversionnumber", "gidnumber", "preferredlanguage",
		"univentionmailhomeserver", "sambaprimarygroupsid", "sambabadpasswordcount", "sambabadpasswordtime":
		if s, ok := t.strings[v]; ok {
			return s
		}
		v = strings.Clone(v)
		t.strings[v] = v
	}
	return v
}

func (t *tree) stamp() (csn, ts string) {
	now := t.now().UTC()
	if now.After(t.csnTime) {
		t.csnTime, t.csn = now, 0
	} else {
		t.csn++ // the clock stands still or went back: the counter makes the difference
	}
	return fmt.Sprintf("%s.%06dZ#%06x#000#000000", t.csnTime.Format("20060102150405"), t.csnTime.Nanosecond()/1000, t.csn),
		now.Format("20060102150405Z")
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// insert puts a complete and checked entry into the tree.
func (t *tree) insert(e *entry) {
	t.last++
	e.id = t.last
	t.byDN[e.ndn] = e
	t.byID[e.id] = e
	t.all = t.all.add(e.id)
	if e.parent != nil {
		e.parent.children = e.parent.children.add(e.id)
	}
	for i := range e.attrs {
		a := &e.attrs[i]
		for j, v := range a.vals {
			a.vals[j] = t.intern(a.at, v)
		}
		t.indexValues(a.at, a.vals, e.id)
	}
}

func (t *tree) remove(e *entry) {
	for _, a := range e.attrs {
		t.unindexValues(a.at, a.vals, e.id)
	}
	if e.parent != nil {
		e.parent.children = e.parent.children.remove(e.id)
	}
	t.all = t.all.remove(e.id)
	delete(t.byDN, e.ndn)
	delete(t.byID, e.id)
}

// keys are the index keys of a value. An object class counts for its super
// classes as well.
func (t *tree) keys(at *attrType, v string) []string {
	if at == t.objectClassAttr {
		return t.schema.supers[strings.ToLower(v)]
	}
	return []string{t.schema.normalize(at.equality, v)}
}

func (t *tree) indexValues(at *attrType, vals []string, id uint32) {
	ix := t.index[at]
	if ix == nil {
		return
	}
	for _, v := range vals {
		for _, k := range t.keys(at, v) {
			ix[k] = ix[k].add(id)
		}
	}
}

func (t *tree) unindexValues(at *attrType, vals []string, id uint32) {
	ix := t.index[at]
	if ix == nil {
		return
	}
	for _, v := range vals {
		for _, k := range t.keys(at, v) {
			t.setIndex(ix, k, id, false)
		}
	}
}

func (t *tree) setIndex(ix map[string]posting, key string, id uint32, present bool) {
	if present {
		ix[key] = ix[key].add(id)
		return
	}
	if p := ix[key].remove(id); len(p) == 0 {
		delete(ix, key)
	} else {
		ix[key] = p
	}
}

// setAttrs replaces the attributes of e and brings the indexes along. Only
// values that came or went are touched, so that a member more in a large
// group costs little.
func (t *tree) setAttrs(e *entry, attrs []attr) {
	for _, a := range e.attrs {
		if t.index[a.at] == nil {
			continue
		}
		gone := missing(a.vals, valuesOf(attrs, a.at))
		t.unindexValues(a.at, gone, e.id)
	}
	old := e.attrs
	e.attrs = attrs
	for _, a := range attrs {
		if t.index[a.at] == nil {
			continue
		}
		if a.at == t.objectClassAttr {
			t.indexValues(a.at, a.vals, e.id) // a removed class may have taken a shared super class along
			continue
		}
		t.indexValues(a.at, missing(a.vals, valuesOf(old, a.at)), e.id)
	}
}

func valuesOf(attrs []attr, at *attrType) []string {
	for _, a := range attrs {
		if a.at == at {
			return a.vals
		}
	}
	return nil
}

// missing returns the values of a that are not in b.
func missing(a, b []string) []string {
	if len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) {
		return nil
	}
	set := make(map[string]bool, len(b))
	for _, v := range b {
		set[v] = true
	}
	var out []string
	for _, v := range a {
		if !set[v] {
			out = append(out, v)
		}
	}
	return out
}

// below reports whether e is base or stands below it.
func below(e, base *entry) bool {
	for ; e != nil; e = e.parent {
		if e == base {
			return true
		}
	}
	return false
}

// memberOfValues are the groups that have e as a unique member, as the
// memberof overlay shows them.
func (t *tree) memberOfValues(e *entry) []string {
	var out []string
	for _, id := range t.index[t.uniqueMember][e.ndn] {
		g := t.byID[id]
		if slices.Contains(t.index[t.objectClassAttr]["posixgroup"], id) {
			out = append(out, g.dn)
		}
	}
	return out
}

// values returns the values of an attribute, computed ones included.
func (t *tree) values(e *entry, at *attrType) []string {
	if !at.operational {
		return e.get(at)
	}
	switch at.lower {
	case "memberof":
		return t.memberOfValues(e)
	case "entryuuid":
		return []string{e.uuid}
	case "entrycsn":
		return []string{e.csn}
	case "entrydn":
		return []string{e.dn}
	case "createtimestamp":
		return []string{e.created}
	case "modifytimestamp":
		return []string{e.modified}
	case "creatorsname":
		return []string{e.creator}
	case "modifiersname":
		return []string{e.modifier}
	case "structuralobjectclass":
		return []string{e.class.name}
	case "hassubordinates":
		if len(e.children) > 0 {
			return []string{"TRUE"}
		}
		return []string{"FALSE"}
	case "subschemasubentry":
		return []string{subschemaDN}
	}
	return e.get(at)
}

const subschemaDN = "cn=Subschema"

// operationalAttrs are what "+" asks for.
var operationalAttrs = []string{"structuralObjectClass", "entryUUID", "creatorsName", "createTimestamp", "entryCSN",
	"modifiersName", "modifyTimestamp", "entryDN", "subschemaSubentry", "hasSubordinates", "memberOf"}
