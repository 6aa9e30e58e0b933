package ucs

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// maxLookups is how many accounts are looked up with one search, lookupLinger how
// long one waits for more of them.
const (
	maxLookups   = 50
	lookupLinger = 2 * time.Millisecond
)

// lookups are the questions after single accounts that are asked at the same
// time.
type lookups struct {
	plain, full *gather[string, []*entry] // by user name; full: with writeAttrs
	occupied    *gather[schoolmail.Account, []*entry]
}

func newLookups(c *Client) lookups {
	byName := func(attrs []string) *gather[string, []*entry] {
		return newGather(maxLookups, lookupLinger, func(ctx context.Context, names []string) []outcome[[]*entry] {
			return c.findNames(ctx, names, attrs)
		})
	}
	return lookups{
		plain:    byName(c.accountAttrs()),
		full:     byName(append(c.accountAttrs(), writeAttrs...)),
		occupied: newGather(maxLookups, lookupLinger, c.findOccupants),
	}
}

// findNames finds the entries of user names.
func (c *Client) findNames(ctx context.Context, names []string, attrs []string) []outcome[[]*entry] {
	var f strings.Builder
	for _, n := range names {
		f.WriteString("(uid=" + ldap.EscapeFilter(n) + ")")
	}
	return c.findAll(ctx, anyOf(f.String(), len(names)), attrs, len(names), func(i int, e *entry) bool {
		return len(names) == 1 || e.has("uid", names[i])
	})
}

// anyOf makes one filter of n.
func anyOf(filters string, n int) string {
	if n == 1 {
		return filters
	}
	return "(|" + filters + ")"
}

// findAll sends the search of n questions, and gives to each what is its.
func (c *Client) findAll(ctx context.Context, filter string, attrs []string, n int,
	concerns func(i int, e *entry) bool) []outcome[[]*entry] {
	out := make([]outcome[[]*entry], n)
	d, err := c.load(ctx)
	var list []*entry
	if err == nil {
		list, err = c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, filter, attrs})
	}
	for i := range out {
		out[i].err = err
		for _, e := range list {
			if concerns(i, e) {
				out[i].value = append(out[i].value, e)
			}
		}
	}
	return out
}

// lookup reads an account with its classes; nil if there is none.
func (c *Client) lookup(ctx context.Context, username string) (*live, error) {
	return c.lookupIn(ctx, c.lookups.plain, username, true)
}

// lookupToWrite reads what is needed to change an account; groups says whether
// its groups and classes are.
func (c *Client) lookupToWrite(ctx context.Context, username string, groups bool) (*live, error) {
	return c.lookupIn(ctx, c.lookups.full, username, groups)
}

func (c *Client) lookupIn(ctx context.Context, g *gather[string, []*entry], username string, groups bool) (*live,
	error) {
	d, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	list, err := g.do(ctx, username)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if len(list) > 1 {
		return nil, conflict("%d entries have this user name", len(list))
	}
	l := &live{}
	c.decode(d, list[0], l)
	l.ndn = normDN(l.e.dn)
	if !groups {
		return l, nil
	}
	if l.groups, err = c.groupsOf(ctx, d, l.e.dn); err != nil {
		return nil, err
	}
	for _, g := range l.groups {
		if id, name, ok := c.classOf(d, g); ok {
			addClass(&l.acct, id, name)
		}
	}
	tidyClasses(&l.acct)
	return l, nil
}

// groupsOf reads the groups that have the entry as a member. memberOf has no
// index, uniqueMember has.
func (c *Client) groupsOf(ctx context.Context, d *domain, dn string) ([]*entry, error) {
	return c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, "(uniqueMember=" + ldap.EscapeFilter(dn) + ")",
		[]string{"cn", "ucsschoolRole"}})
}

// findOccupants finds everything that may stand in the way of new accounts.
func (c *Client) findOccupants(ctx context.Context, accounts []schoolmail.Account) []outcome[[]*entry] {
	var f strings.Builder
	n := 0
	add := func(filter string) { f.WriteString(filter); n++ }
	for _, a := range accounts {
		name := ldap.EscapeFilter(a.Username)
		add("(uid=" + name + ")")
		add("(ucsschoolRecordUID=" + ldap.EscapeFilter(a.Key.ID) + ")")
		add("(&(|(objectClass=posixGroup)(objectClass=ucsschoolUsername))(cn=" + name + "))")
		for _, addr := range addresses(a) {
			addr = ldap.EscapeFilter(addr)
			add("(mailPrimaryAddress=" + addr + ")")
			add("(mailAlternativeAddress=" + addr + ")")
			add("(&(objectClass=ucsschoolUsername)(cn=" + addr + "))")
		}
	}
	attrs := []string{"objectClass", "uid", "cn", "ucsschoolSourceUID", "ucsschoolRecordUID", "mailPrimaryAddress",
		"mailAlternativeAddress"}
	return c.findAll(ctx, anyOf(f.String(), n), attrs, len(accounts), func(i int, e *entry) bool {
		a := accounts[i]
		names := append([]string{a.Username}, addresses(a)...)
		return e.has("uid", a.Username) || e.has("ucsschoolRecordUID", a.Key.ID) || takes(e, addresses(a)) ||
			slices.ContainsFunc(names, func(n string) bool { return e.has("cn", n) })
	})
}

// occupied looks for everything that stands in the way of a new account. It
// reports true if the account exists.
func (c *Client) occupied(ctx context.Context, a schoolmail.Account) (exists bool, err error) {
	d, err := c.load(ctx)
	if err != nil {
		return false, err
	}
	list, err := c.lookups.occupied.do(ctx, a)
	if err != nil {
		return false, err
	}
	for _, e := range list {
		there, err := occupies(e, a, normDN(d.retired))
		if err != nil {
			return false, err
		}
		exists = exists || there
	}
	return exists, nil
}

// occupies reports whether an entry is the account itself, or an error if it
// stands in its way.
func occupies(e *entry, a schoolmail.Account, retired string) (bool, error) {
	key := schoolmail.RecordKey{Source: e.value("ucsschoolSourceUID"), ID: e.value("ucsschoolRecordUID")}
	same := key == a.Key && !e.has("objectClass", "ucsschoolExam")
	switch {
	case strings.EqualFold(e.value("uid"), a.Username):
		if !same {
			return false, conflict("the user name belongs to somebody else")
		}
		return true, nil
	case same:
		return false, conflict("the record has an account already, %q", e.value("uid"))
	case e.has("objectClass", "ucsschoolUsername"):
		if below(normDN(e.dn), retired) {
			return false, conflict("the user name or an address is retired")
		}
		// else: a counter of the UCS@school import
	case e.has("objectClass", "posixGroup") && strings.EqualFold(firstRDN(e.dn), a.Username):
		return false, conflict("a group has this name")
	case takes(e, addresses(a)):
		return false, conflict("an address belongs to somebody else")
	}
	return false, nil
}
