package ucs

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// Warning is something odd about an account that was read. Such an account is
// reported as held, so that nothing touches it.
type Warning struct {
	Username string
	Text     string
}

// Snapshot is everything about accounts that planning needs.
type Snapshot struct {
	Accounts []schoolmail.Account     // sorted by user name
	Retired  []schoolmail.RetiredName // sorted by name
	Schools  []schoolmail.SchoolID    // sorted
	Warnings []Warning
	Remarks  []Remark // sorted by kind
}

// Snapshot reads all accounts, the names that must not be given to anybody
// and the schools. It takes a handful of searches and one for each page, for
// 32,000 accounts some 40 requests.
//
// Accounts that no record stands behind (administrators, machines, exam
// clones) are in it with a zero key, so that their names count as taken.
// Retired are, besides the names of purged accounts, the names and addresses
// of groups, mailing lists and shared folders, which share a namespace with
// users in UCS; these have no date.
func (c *Client) Snapshot(ctx context.Context) (*Snapshot, error) {
	c.reload()
	s := &Snapshot{}
	d, err := c.load(ctx)
	if err != nil {
		return nil, wrap("read directory", "", err)
	}
	for _, sc := range d.schools {
		s.Schools = append(s.Schools, sc.id)
	}
	slices.Sort(s.Schools)
	told := remarks{}
	for l, err := range c.live(ctx, d) {
		if err != nil {
			return nil, wrap("read accounts", "", err)
		}
		told.note(l)
		s.Accounts = append(s.Accounts, l.acct)
		if l.warning != "" {
			s.Warnings = append(s.Warnings, Warning{l.acct.Username, l.warning})
		}
	}
	slices.SortFunc(s.Accounts, func(a, b schoolmail.Account) int {
		if c := strings.Compare(a.Username, b.Username); c != 0 {
			return c
		}
		return strings.Compare(a.DN, b.DN)
	})
	s.Remarks = told.list()
	if s.Retired, err = c.retiredNames(ctx, d); err != nil {
		return nil, wrap("read retired names", "", err)
	}
	if n := len(s.Warnings); n > 0 {
		c.opts.Logger.WarnContext(ctx, "ucs: accounts put on hold because they are odd", "accounts", n)
	}
	return s, nil
}

// Accounts reads all accounts in the directory's order, a page at a time. The
// sequence holds one of the client's connections while it runs. It ends with
// the first error.
func (c *Client) Accounts(ctx context.Context) iter.Seq2[schoolmail.Account, error] {
	return func(yield func(schoolmail.Account, error) bool) {
		d, err := c.load(ctx)
		if err != nil {
			yield(schoolmail.Account{}, wrap("read directory", "", err))
			return
		}
		for l, err := range c.live(ctx, d) {
			if err != nil {
				yield(schoolmail.Account{}, wrap("read accounts", "", err))
				return
			}
			if !yield(l.acct, nil) {
				return
			}
		}
	}
}

// live reads the class groups, then all entries with a user name.
func (c *Client) live(ctx context.Context, d *domain) iter.Seq2[*live, error] {
	return func(yield func(*live, error) bool) {
		classes, err := c.allClasses(ctx, d)
		if err != nil {
			yield(nil, err)
			return
		}
		q := query{d.base, ldap.ScopeWholeSubtree, "(uid=*)", c.accountAttrs()}
		for e, err := range c.pages(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			l := c.decode(d, e, classes[normDN(e.dn)])
			if !yield(l, nil) {
				return
			}
		}
	}
}

// classesOf maps a member's normalised DN to classes by school.
type classesOf map[string]map[schoolmail.SchoolID][]string

// allClasses reads the members of all class groups.
func (c *Client) allClasses(ctx context.Context, d *domain) (classesOf, error) {
	out := classesOf{}
	q := query{d.base, ldap.ScopeWholeSubtree, "(ucsschoolRole=school_class:school:*)",
		[]string{"cn", "ucsschoolRole", "uniqueMember"}}
	for e, err := range c.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		c.noteClass(d, out, e)
	}
	// Classes that an older release made without a role string.
	q = query{d.base, ldap.ScopeWholeSubtree, "(&(objectClass=univentionGroup)(!(ucsschoolRole=*)))", []string{"cn"}}
	var old []string
	for e, err := range c.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		if _, _, ok := c.classOf(d, e); ok {
			old = append(old, e.dn)
		}
	}
	for _, dn := range old {
		e, err := c.get(ctx, dn, "cn", "uniqueMember")
		if err != nil {
			return nil, err
		}
		if e != nil {
			c.noteClass(d, out, e)
		}
	}
	return out, nil
}

func (c *Client) noteClass(d *domain, out classesOf, e *entry) {
	id, name, ok := c.classOf(d, e)
	if !ok {
		return
	}
	for _, m := range e.values("uniqueMember") {
		n := normDN(m)
		if out[n] == nil {
			out[n] = map[schoolmail.SchoolID][]string{}
		}
		out[n][id] = append(out[n][id], name)
	}
}

// Account reads one account by user name.
func (c *Client) Account(ctx context.Context, username string) (schoolmail.Account, error) {
	l, err := c.lookup(ctx, username)
	if err != nil {
		return schoolmail.Account{}, wrap("read account", username, err)
	}
	if l == nil {
		return schoolmail.Account{}, &Error{Op: "read account", Subject: username, Kind: ErrNotFound}
	}
	return l.acct, nil
}

// lookup reads an account with its classes; nil if there is none. extra are
// further attributes to read.
func (c *Client) lookup(ctx context.Context, username string, extra ...string) (*live, error) {
	d, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, "(uid=" + ldap.EscapeFilter(username) + ")",
		append(c.accountAttrs(), extra...)})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if len(list) > 1 {
		return nil, conflict("%d entries have this user name", len(list))
	}
	e := list[0]
	groups, err := c.groupsOf(ctx, d, e.dn)
	if err != nil {
		return nil, err
	}
	classes := map[schoolmail.SchoolID][]string{}
	for _, g := range groups {
		if id, name, ok := c.classOf(d, g); ok {
			classes[id] = append(classes[id], name)
		}
	}
	l := c.decode(d, e, classes)
	l.groups = groups
	return l, nil
}

// groupsOf reads the groups that have the entry as a member. memberOf has no
// index, uniqueMember has.
func (c *Client) groupsOf(ctx context.Context, d *domain, dn string) ([]*entry, error) {
	return c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, "(uniqueMember=" + ldap.EscapeFilter(dn) + ")",
		[]string{"cn", "ucsschoolRole"}})
}

// retiredNames reads the tombstones, and what groups and lists are called.
func (c *Client) retiredNames(ctx context.Context, d *domain) ([]schoolmail.RetiredName, error) {
	since := map[string]schoolmail.Date{}
	q := query{d.retired, ldap.ScopeSingleLevel, "(objectClass=ucsschoolUsername)", []string{"cn", c.opts.StateAttribute}}
	for e, err := range c.pages(ctx, q) {
		if code(err) == ldap.LDAPResultNoSuchObject {
			break
		}
		if err != nil {
			return nil, err
		}
		var day schoolmail.Date
		for _, v := range e.values(c.opts.StateAttribute) {
			if r, err := parseState(v); err == nil && r.tombstone {
				day = r.retired
			}
		}
		for _, n := range e.values("cn") {
			since[strings.ToLower(n)] = day
		}
	}
	q = query{d.base, ldap.ScopeWholeSubtree,
		"(&(|(objectClass=posixGroup)(mailPrimaryAddress=*)(mailAlternativeAddress=*))(!(uid=*)))",
		[]string{"objectClass", "cn", "mailPrimaryAddress", "mailAlternativeAddress"}}
	for e, err := range c.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		names := append(slices.Clone(e.values("mailPrimaryAddress")), e.values("mailAlternativeAddress")...)
		if e.has("objectClass", "posixGroup") {
			names = append(names, e.values("cn")...)
		}
		for _, n := range names {
			if n = strings.ToLower(n); since[n].IsZero() {
				since[n] = 0
			}
		}
	}
	out := make([]schoolmail.RetiredName, 0, len(since))
	for n, d := range since {
		out = append(out, schoolmail.RetiredName{Name: n, Since: d})
	}
	slices.SortFunc(out, func(a, b schoolmail.RetiredName) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// writable checks what all writes have in common.
func (c *Client) writable(a schoolmail.Account) error {
	switch {
	case a.Username == "":
		return invalid("user name is missing")
	case a.Key.IsZero():
		return invalid("account has no record key: not made by schoolmail")
	case c.opts.Source != "" && a.Key.Source != c.opts.Source:
		return invalid("account belongs to source %q, this client writes %q only", a.Key.Source, c.opts.Source)
	case !a.Role.Valid():
		return invalid("unknown role %q", a.Role)
	case len(a.Memberships) == 0:
		return invalid("account belongs to no school")
	}
	for _, m := range a.Memberships {
		if m.School == "" || slices.Contains(m.Classes, "") {
			return invalid("membership without a school or with an empty class name")
		}
	}
	return nil
}

var errGone = fmt.Errorf("account is gone")
