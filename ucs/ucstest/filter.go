package ucstest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// truth is the three-valued logic of RFC 4511 section 4.5.1.7.
type truth int8

const (
	no truth = iota
	undefined
	yes
)

// filter is a search filter bound to a schema.
type filter struct {
	op    uint64
	attr  *attrType // nil: not in the schema, undefined
	value string    // normalised
	parts substrings
	subs  []*filter
	rule  string // extensible match
	inDN  bool   // of it: the parts of the name count, too
	bad   bool   // the value does not fit the syntax: undefined
}

type substrings struct {
	initial, final string
	any            []string
}

// maxFilterDepth keeps a hostile filter from exhausting the stack.
const maxFilterDepth = 100

// newFilter reads a filter as it came over the wire.
func (s *schema) newFilter(p *ber.Packet) (*filter, error) { return s.filterAt(p, 0) }

func (s *schema) filterAt(p *ber.Packet, depth int) (*filter, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("filter nested too deeply")
	}
	if p == nil || p.ClassType != ber.ClassContext {
		return nil, fmt.Errorf("malformed filter")
	}
	f := &filter{op: uint64(p.Tag)}
	switch p.Tag {
	case ldap.FilterAnd, ldap.FilterOr, ldap.FilterNot:
		return f, s.filterSet(f, p, depth)
	case ldap.FilterPresent:
		f.attr = s.attr(text(p))
		return f, nil
	case ldap.FilterEqualityMatch, ldap.FilterGreaterOrEqual, ldap.FilterLessOrEqual, ldap.FilterApproxMatch:
		return f, s.filterAssertion(f, p)
	case ldap.FilterSubstrings:
		return f, s.filterSubstrings(f, p)
	case ldap.FilterExtensibleMatch:
		s.filterExtensible(f, p)
		return f, nil
	}
	return nil, fmt.Errorf("unknown filter choice %d", p.Tag)
}

// filterSet reads what "and", "or" and "not" combine.
func (s *schema) filterSet(f *filter, p *ber.Packet, depth int) error {
	if p.Tag == ldap.FilterNot && len(p.Children) != 1 {
		return fmt.Errorf("malformed filter: not")
	}
	for _, c := range p.Children {
		sub, err := s.filterAt(c, depth+1)
		if err != nil {
			return err
		}
		f.subs = append(f.subs, sub)
	}
	return nil
}

// filterAssertion reads an attribute and the value that it is compared with.
func (s *schema) filterAssertion(f *filter, p *ber.Packet) error {
	if len(p.Children) != 2 {
		return fmt.Errorf("malformed filter: assertion")
	}
	f.attr = s.attr(text(p.Children[0]))
	f.value = text(p.Children[1])
	if f.attr != nil {
		f.bad = f.attr.equality != oidRule && !s.valid(f.attr, f.value)
		f.value = s.normalize(f.attr.equality, f.value)
		if f.attr.equality == oidRule {
			f.value = s.canonicalClass(f.value)
		}
	}
	return nil
}

func (s *schema) filterSubstrings(f *filter, p *ber.Packet) error {
	if len(p.Children) != 2 || len(p.Children[1].Children) == 0 {
		return fmt.Errorf("malformed filter: substrings")
	}
	f.attr = s.attr(text(p.Children[0]))
	for _, c := range p.Children[1].Children {
		v := text(c)
		if f.attr != nil {
			v = substringValue(f.attr.equality, v)
		}
		switch c.Tag {
		case ldap.FilterSubstringsInitial:
			f.parts.initial = v
		case ldap.FilterSubstringsAny:
			f.parts.any = append(f.parts.any, v)
		case ldap.FilterSubstringsFinal:
			f.parts.final = v
		default:
			return fmt.Errorf("malformed filter: substring")
		}
	}
	return nil
}

func (s *schema) filterExtensible(f *filter, p *ber.Packet) {
	for _, c := range p.Children {
		switch c.Tag {
		case 1:
			f.rule = text(c)
		case 2:
			f.attr = s.attr(text(c))
		case 3:
			f.value = text(c)
		case 4:
			f.inDN = strings.Trim(text(c), "\x00") != ""
		}
	}
	if f.attr != nil && f.rule == "" {
		f.value = s.normalize(f.attr.equality, f.value)
	}
}

// canonicalClass turns any name or OID of an object class into the lower-case
// first name.
func (s *schema) canonicalClass(v string) string {
	c := s.classes[v]
	if c == nil {
		c = s.classOIDs[v]
	}
	if c == nil {
		return v
	}
	return strings.ToLower(c.name)
}

// substringValue folds an assertion without trimming: the blanks of
// "(cn=Domain *)" count.
func substringValue(r rule, v string) string {
	switch r {
	case caseIgnore, telephone:
		return strings.ToLower(v)
	}
	return v
}

// match evaluates the filter on an entry.
func (t *tree) match(f *filter, e *entry) truth {
	switch f.op {
	case ldap.FilterAnd:
		return t.matchAll(f.subs, e)
	case ldap.FilterOr:
		return t.matchAny(f.subs, e)
	case ldap.FilterNot:
		return yes - t.match(f.subs[0], e)
	}
	if f.attr == nil || f.bad {
		return undefined
	}
	vals := t.values(e, f.attr)
	for _, a := range e.attrs {
		if a.at.plain == f.attr {
			vals = append(slices.Clip(vals), a.vals...)
		}
	}
	switch f.op {
	case ldap.FilterPresent:
		return when(len(vals) > 0)
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch:
		return t.matchEqual(f, vals)
	case ldap.FilterGreaterOrEqual, ldap.FilterLessOrEqual:
		return t.matchOrder(f, vals)
	case ldap.FilterSubstrings:
		if !f.attr.substr {
			return undefined
		}
		return when(slices.ContainsFunc(vals, func(v string) bool {
			return f.parts.match(t.schema.normalize(f.attr.equality, v))
		}))
	case ldap.FilterExtensibleMatch:
		if f.inDN {
			vals = append(slices.Clone(vals), t.schema.dnValues(e.dn, f.attr)...)
		}
		return t.extensible(f, vals)
	}
	return undefined
}

// matchAll is the least of all, matchAny the greatest: no, undefined, yes.
func (t *tree) matchAll(subs []*filter, e *entry) truth {
	r := yes
	for _, c := range subs {
		if r = min(r, t.match(c, e)); r == no {
			break
		}
	}
	return r
}

func (t *tree) matchAny(subs []*filter, e *entry) truth {
	r := no
	for _, c := range subs {
		if r = max(r, t.match(c, e)); r == yes {
			break
		}
	}
	return r
}

func (t *tree) matchEqual(f *filter, vals []string) truth {
	switch {
	case f.attr.equality == noRule:
		return undefined
	case f.attr == t.objectClassAttr:
		return when(slices.ContainsFunc(vals, func(v string) bool {
			return slices.Contains(t.schema.supers[strings.ToLower(v)], f.value)
		}))
	}
	return when(slices.ContainsFunc(vals, func(v string) bool {
		return t.schema.normalize(f.attr.equality,
			v) == f.value
	}))
}

func (t *tree) matchOrder(f *filter, vals []string) truth {
	if !f.attr.ordering {
		return undefined
	}
	for _, v := range vals {
		c, ok := compare(f.attr, t.schema.normalize(f.attr.equality, v), f.value)
		if !ok {
			return undefined
		}
		if f.op == ldap.FilterGreaterOrEqual && c >= 0 || f.op == ldap.FilterLessOrEqual && c <= 0 {
			return yes
		}
	}
	return no
}

func when(b bool) truth {
	if b {
		return yes
	}
	return no
}

func compare(at *attrType, a, b string) (int, bool) {
	if at.equality != integerRule {
		return strings.Compare(a, b), true
	}
	x, err1 := strconv.ParseInt(a, 10, 64)
	y, err2 := strconv.ParseInt(b, 10, 64)
	if err1 != nil || err2 != nil {
		return 0, false
	}
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

func (p substrings) match(v string) bool {
	v, ok := strings.CutPrefix(v, p.initial)
	if !ok {
		return false
	}
	for _, a := range p.any {
		i := strings.Index(v, a)
		if i < 0 {
			return false
		}
		v = v[i+len(a):]
	}
	return strings.HasSuffix(v, p.final)
}

// extensible knows the plain form, caseExactMatch and caseIgnoreMatch, and the
// bit rules that Active Directory made popular.
func (t *tree) extensible(f *filter, vals []string) truth {
	for _, v := range vals {
		switch strings.ToLower(f.rule) {
		case "":
			if t.schema.normalize(f.attr.equality, v) == f.value {
				return yes
			}
		case "caseexactmatch", "2.5.13.5":
			if foldText(v, false) == foldText(f.value, false) {
				return yes
			}
		case "caseignorematch", "2.5.13.2":
			if foldText(v, true) == foldText(f.value, true) {
				return yes
			}
		case "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.804":
			x, err1 := strconv.ParseInt(v, 10, 64)
			y, err2 := strconv.ParseInt(f.value, 10, 64)
			if err1 != nil || err2 != nil {
				return undefined
			}
			if and := x & y; and == y || and != 0 && strings.HasSuffix(f.rule, "804") {
				return yes
			}
		default:
			return undefined
		}
	}
	return no
}

// candidates returns the entries that may match, or ok false when no index
// helps and the tree must be scanned.
func (t *tree) candidates(f *filter) (p posting, ok bool) {
	switch f.op {
	case ldap.FilterAnd:
		for _, c := range f.subs {
			if q, k := t.candidates(c); k && (!ok || len(q) < len(p)) {
				p, ok = q, true
			}
		}
		return p, ok
	case ldap.FilterOr:
		for _, c := range f.subs {
			q, k := t.candidates(c)
			if !k {
				return nil, false
			}
			p = union(p, q)
		}
		return p, true
	case ldap.FilterEqualityMatch:
		if f.attr == nil || f.bad {
			return nil, true
		}
		if f.attr == t.memberOf {
			return t.members(f.value), true
		}
		if _, tagged := t.schema.isTagged.Load(f.attr); tagged {
			return nil, false // the index does not know values of attributes with options
		}
		if ix := t.index[f.attr]; ix != nil {
			return ix[f.value], true
		}
	}
	return nil, false
}

// members are the entries that the group of this name has as members.
func (t *tree) members(group string) posting {
	g := t.byDN[group]
	if g == nil {
		return nil
	}
	var p posting
	for _, v := range g.get(t.uniqueMember) {
		if n, err := t.schema.normalizeDN(v); err == nil {
			if e := t.byDN[n]; e != nil {
				p = p.add(e.id)
			}
		}
	}
	return p
}

// dnValues are the values of an attribute in a name, for the matching of
// "(ou:dn:=x)" (RFC 4511 4.5.1.7.7).
func (s *schema) dnValues(dn string, at *attrType) []string {
	p, err := ldap.ParseDN(dn)
	if err != nil {
		return nil
	}
	var out []string
	for _, r := range p.RDNs {
		for _, a := range r.Attributes {
			if s.attr(a.Type) == at {
				out = append(out, a.Value)
			}
		}
	}
	return out
}
