package ucstest

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// query is a decoded search request.
type query struct {
	base      string
	scope     int64
	sizeLimit int64
	typesOnly bool
	filter    *filter
	text      string // the filter as text, for the record
	attrs     []string
	paged     *pagedControl
}

type pagedControl struct {
	size   int64
	cookie string
}

func (s *schema) decodeSearch(p *ber.Packet) (*query, error) {
	if len(p.Children) != 8 {
		return nil, errFrame
	}
	q := &query{base: text(p.Children[0])}
	var ok1, ok2 bool
	q.scope, ok1 = number(p.Children[1])
	q.sizeLimit, ok2 = number(p.Children[3])
	if !ok1 || !ok2 || q.scope < 0 || q.scope > 3 || q.sizeLimit < 0 {
		return nil, errFrame
	}
	q.typesOnly, _ = p.Children[5].Value.(bool)
	f, err := s.newFilter(p.Children[6])
	if err != nil {
		return nil, err
	}
	q.filter = f
	q.text, _ = ldap.DecompileFilter(p.Children[6])
	for _, a := range p.Children[7].Children {
		q.attrs = append(q.attrs, text(a))
	}
	return q, nil
}

// find returns the ids of all matching entries in the order of their creation.
func (t *tree) search(q *query, base *entry) posting {
	var out posting
	take := func(e *entry) {
		if e != nil && t.match(q.filter, e) == yes {
			out = append(out, e.id)
		}
	}
	switch q.scope {
	case ldap.ScopeBaseObject:
		take(base)
		return out
	case ldap.ScopeSingleLevel:
		for _, id := range base.children {
			take(t.byID[id])
		}
		return out
	}
	if p, ok := t.candidates(q.filter); ok {
		for _, id := range p {
			e := t.byID[id]
			if e == base && q.scope == ldap.ScopeChildren {
				continue
			}
			if below(e, base) {
				take(e)
			}
		}
		return out
	}
	if base.ndn == t.suffix {
		for _, id := range t.all {
			if e := t.byID[id]; e != base || q.scope != ldap.ScopeChildren {
				take(e)
			}
		}
		return out
	}
	var walk func(e *entry)
	walk = func(e *entry) {
		if e != base || q.scope != ldap.ScopeChildren {
			take(e)
		}
		for _, id := range e.children {
			walk(t.byID[id])
		}
	}
	walk(base)
	return out
}

// selection is what a search asks to see.
type selection struct {
	user, operational bool
	attrs             []*attrType
}

func (s *schema) selection(names []string) selection {
	var sel selection
	if len(names) == 0 {
		sel.user = true
		return sel
	}
	for _, n := range names {
		switch n {
		case "*":
			sel.user = true
		case "+":
			sel.operational = true
		case "1.1":
		default:
			if at := s.attr(n); at != nil {
				sel.attrs = append(sel.attrs, at)
			}
		}
	}
	return sel
}

// secretAttrs are shown to the administrator only.
var secretAttrs = map[string]bool{"userpassword": true, "krb5key": true, "sambantpassword": true,
	"sambalmpassword": true, "pwhistory": true}

func (t *tree) view(e *entry, sel selection, secrets bool) []given {
	var out []given
	seen := map[*attrType]bool{}
	show := func(at *attrType) {
		if seen[at] || secretAttrs[at.base().lower] && !secrets {
			return
		}
		seen[at] = true
		if vals := t.values(e, at); len(vals) > 0 {
			out = append(out, given{at.name, vals})
		}
	}
	if sel.user {
		for _, a := range e.attrs {
			show(a.at)
		}
	}
	for _, at := range sel.attrs {
		show(at)
		for _, a := range e.attrs { // those with options belong to it
			if a.at.plain == at {
				show(a.at)
			}
		}
	}
	if sel.operational {
		for _, n := range operationalAttrs {
			if at := t.schema.attr(n); at != nil {
				show(at)
			}
		}
	}
	return out
}

// pager keeps what is left of a paged search (RFC 2696). Cookies are random
// and die with the connection.
type pager struct {
	left posting
	key  string // base, scope, filter and attributes: a cookie fits one search only
}

func newCookie() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func (q *query) key() string {
	return strings.Join([]string{q.base, string(rune('0' + q.scope)), q.text, strings.Join(q.attrs, " ")}, "\x00")
}

func decodePaged(v []byte) (*pagedControl, error) {
	p, err := decodeValue(v)
	if err != nil || len(p.Children) != 2 {
		return nil, errFrame
	}
	n, ok := number(p.Children[0])
	if !ok || n < 0 {
		return nil, errFrame
	}
	return &pagedControl{size: n, cookie: text(p.Children[1])}, nil
}

func encodePaged(cookie string) []byte {
	var in []byte
	in = appendInt(in, 0x02, 0)
	in = appendString(in, 0x04, cookie)
	val := append(appendLen([]byte{0x30}, len(in)), in...)
	return appendControl(nil, ldap.ControlTypePaging, val)
}
