package ucs

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/bulk"
)

// entry is an entry as a search returned it.
type entry struct {
	dn    string
	attrs []bulk.Attr
}

func (e *entry) values(name string) []string {
	for i := range e.attrs {
		if a := &e.attrs[i]; len(a.Name) == len(name) && strings.EqualFold(a.Name, name) {
			return a.Values
		}
	}
	return nil
}

func (e *entry) value(name string) string {
	if v := e.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (e *entry) has(name, value string) bool { return containsFold(e.values(name), value) }

func containsFold(list []string, s string) bool {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return true
		}
	}
	return false
}

func newEntry(le *ldap.Entry) *entry {
	e := &entry{dn: le.DN, attrs: make([]bulk.Attr, len(le.Attributes))}
	for i, a := range le.Attributes {
		e.attrs[i] = bulk.Attr{Name: a.Name, Values: a.Values}
	}
	return e
}

// query is a search.
type query struct {
	base   string
	scope  int
	filter string
	attrs  []string
}

func (q query) request(controls ...ldap.Control) *ldap.SearchRequest {
	return ldap.NewSearchRequest(q.base, q.scope, ldap.NeverDerefAliases, 0, 0, false, q.filter, q.attrs, controls)
}

// find runs a search whose result is small, without paging.
func (c *Client) find(ctx context.Context, q query) ([]*entry, error) {
	var res *ldap.SearchResult
	err := c.pool.do(ctx, "search", true, func(conn *ldap.Conn) (err error) {
		res, err = conn.Search(q.request())
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]*entry, len(res.Entries))
	for i, le := range res.Entries {
		out[i] = newEntry(le)
	}
	return out, nil
}

// get reads one entry by name; nil if there is none.
func (c *Client) get(ctx context.Context, dn string, attrs ...string) (*entry, error) {
	list, err := c.find(ctx, query{dn, ldap.ScopeBaseObject, "(objectClass=*)", attrs})
	if code(err) == ldap.LDAPResultNoSuchObject {
		return nil, nil
	}
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// add adds an entry.
func (c *Client) add(ctx context.Context, req *ldap.AddRequest) error {
	return named(req.DN, c.pool.do(ctx, "add", false, func(conn *ldap.Conn) error { return conn.Add(req) }))
}

func (c *Client) modify(ctx context.Context, req *ldap.ModifyRequest) error {
	return named(req.DN, c.pool.do(ctx, "modify", false, func(conn *ldap.Conn) error { return conn.Modify(req) }))
}

func (c *Client) remove(ctx context.Context, dn string) error {
	return named(dn, c.pool.do(ctx, "delete", false,
		func(conn *ldap.Conn) error { return conn.Del(ldap.NewDelRequest(dn, nil)) }))
}

func (c *Client) rename(ctx context.Context, req *ldap.ModifyDNRequest) error {
	return named(req.DN, c.pool.do(ctx, "rename", false, func(conn *ldap.Conn) error { return conn.ModifyDN(req) }))
}

// named says where a right to write is missing: below which entry, since the entry
// itself may be somebody's.
func named(dn string, err error) error {
	e, ok := err.(*Error)
	if !ok || e.Code != ldap.LDAPResultInsufficientAccessRights {
		return err
	}
	out := *e
	out.Err = fmt.Errorf("the account in [directory] may not write below %s: %w", parentDN(dn), e.Err)
	return &out
}

// assertion is the assertion control of RFC 4528: the server carries the
// request out only if the filter holds.
func assertion(filter string) (ldap.Control, error) {
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		return nil, err
	}
	return ldap.NewControlString("1.3.6.1.1.12", true, string(p.Bytes())), nil
}

// normDN brings a DN into a form in which equal names are equal strings: lower
// case, no blanks around separators, runs of blanks collapsed.
func normDN(dn string) string {
	if !strings.ContainsAny(dn, "\\\"+") && !strings.Contains(dn, ", ") && !strings.Contains(dn, "= ") &&
		!strings.Contains(dn, " ,") && !strings.Contains(dn, " =") && !strings.Contains(dn, "  ") {
		return strings.ToLower(dn)
	}
	p, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	var b strings.Builder
	for i, r := range p.RDNs {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, a := range r.Attributes {
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(strings.ToLower(a.Type) + "=" + strings.ToLower(ldap.EscapeDN(strings.Join(strings.Fields(a.Value),
				" "))))
		}
	}
	return b.String()
}

// parentDN returns the name without its first part.
func parentDN(dn string) string {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return strings.TrimLeft(dn[i+1:], " ")
		}
	}
	return ""
}
