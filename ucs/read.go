package ucs

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/sync/errgroup"

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
	// Closed are the user names of active accounts of ours whose log-in somebody has
	// closed by hand, sorted.
	Closed []string
}

// Snapshot reads all accounts, the names that must not be given to anybody
// and the schools. It takes a handful of searches, some of them at the same
// time, and one for each page: for 32,000 accounts some 40 requests.
//
// Accounts that no record stands behind (administrators, machines, exam
// clones) are in it with a zero key, so that their names count as taken.
// Retired are, besides the names of purged accounts, the names and addresses
// of groups, mailing lists and shared folders, which share a namespace with
// users in UCS; these have no date.
func (c *Client) Snapshot(ctx context.Context) (*Snapshot, error) {
	c.reload()
	d, err := c.load(ctx)
	if err != nil {
		return nil, wrap("read directory", "", err)
	}
	s := &Snapshot{}
	for _, sc := range d.schools {
		s.Schools = append(s.Schools, sc.id)
	}
	slices.Sort(s.Schools)
	var classes *classesOf
	var all heap
	told := remarks{}
	g, inner := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		classes, err = c.allClasses(inner, d)
		return wrap("read classes", "", err)
	})
	g.Go(func() (err error) {
		s.Retired, err = c.retiredNames(inner, d)
		return wrap("read retired names", "", err)
	})
	g.Go(func() error {
		return wrap("read accounts", "", c.scanAccounts(inner, d, func(l *live) bool {
			told.note(l)
			all.add(&l.acct)
			if l.ours() && l.acct.State == schoolmail.Active && disabled(l.e) {
				s.Closed = append(s.Closed, l.acct.Username)
			}
			if l.warning != "" {
				s.Warnings = append(s.Warnings, Warning{l.acct.Username, l.warning})
			}
			return true
		}))
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, a := range all.accounts {
		if a.Memberships != nil {
			classes.fill(a.Account)
		}
	}
	s.Accounts = all.sorted()
	slices.Sort(s.Closed)
	s.Remarks = told.list()
	if n := len(s.Warnings); n > 0 {
		c.opts.Logger.WarnContext(ctx, "ucs: accounts put on hold because they are odd", "accounts", n)
	}
	return s, nil
}

// heap gathers accounts whose number nobody knows. They are large: they are moved once.
type heap struct {
	accounts []heaped
	room     []schoolmail.Account // for the next ones
}

// heaped is an account with the beginning of its user name, which tells nearly all apart.
type heaped struct {
	begins uint64
	*schoolmail.Account
}

func (h *heap) add(a *schoolmail.Account) {
	if len(h.room) == cap(h.room) {
		h.room = make([]schoolmail.Account, 0, 512)
	}
	h.room = append(h.room, *a)
	var begins [8]byte
	copy(begins[:], a.Username)
	h.accounts = append(h.accounts, heaped{binary.BigEndian.Uint64(begins[:]), &h.room[len(h.room)-1]})
}

// sorted returns the accounts by user name.
func (h *heap) sorted() []schoolmail.Account {
	slices.SortFunc(h.accounts, func(a, b heaped) int {
		if a.begins != b.begins {
			return cmp.Compare(a.begins, b.begins)
		}
		return cmp.Or(strings.Compare(a.Username, b.Username), strings.Compare(a.DN, b.DN))
	})
	out := slices.Grow([]schoolmail.Account(nil), len(h.accounts))
	for _, a := range h.accounts {
		out = append(out, *a.Account)
	}
	return out
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
		classes, err := c.allClasses(ctx, d)
		if err != nil {
			yield(schoolmail.Account{}, wrap("read classes", "", err))
			return
		}
		err = c.scanAccounts(ctx, d, func(l *live) bool {
			classes.fill(&l.acct)
			return yield(l.acct, nil)
		})
		if err != nil {
			yield(schoolmail.Account{}, wrap("read accounts", "", err))
		}
	}
}

// accountQuery finds all entries with a user name.
func (c *Client) accountQuery(d *domain) query {
	return query{d.base, ldap.ScopeWholeSubtree, "(uid=*)", c.accountAttrs()}
}

// scanAccounts hands all entries with a user name to f, without their classes. f
// may keep the account, but not l itself.
func (c *Client) scanAccounts(ctx context.Context, d *domain, f func(l *live) bool) error {
	k := keeper{common: map[string]string{}}
	var l live
	return c.scan(ctx, c.accountQuery(d), func(e *entry) bool {
		c.decode(d, e, &l)
		k.account(&l.acct)
		return f(&l)
	})
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

// retiredQuery finds the tombstones, namesQuery what groups and lists are called.
func (c *Client) retiredQuery(d *domain) query {
	return query{d.retired, ldap.ScopeSingleLevel, "(objectClass=ucsschoolUsername)",
		[]string{"cn", c.opts.StateAttribute}}
}

func (c *Client) namesQuery(ctx context.Context, d *domain) (query, error) {
	attrs := []string{"objectClass", "cn", "uid", "mailPrimaryAddress", "mailAlternativeAddress"}
	q := query{d.base, ldap.ScopeWholeSubtree,
		"(|(objectClass=posixGroup)(mailPrimaryAddress=*)(mailAlternativeAddress=*))", attrs}
	// The server looks at every account for this; where the schema tells which
	// classes have addresses, it need not.
	classes, err := c.addressClasses(ctx, d)
	if err != nil || len(classes) == 0 {
		return q, err
	}
	var f strings.Builder
	f.WriteString("(|(objectClass=posixGroup)")
	for _, cl := range classes {
		f.WriteString("(objectClass=" + ldap.EscapeFilter(cl) + ")")
	}
	f.WriteString(")")
	q.filter = f.String()
	return q, nil
}

// retiredNames reads the tombstones, and what groups and lists are called.
func (c *Client) retiredNames(ctx context.Context, d *domain) ([]schoolmail.RetiredName, error) {
	since := map[string]schoolmail.Date{}
	err := c.scan(ctx, c.retiredQuery(d), func(e *entry) bool {
		var day schoolmail.Date
		for _, v := range e.values(c.opts.StateAttribute) {
			if r, err := parseState(v); err == nil && r.tombstone {
				day = r.retired
			}
		}
		for _, n := range e.values("cn") {
			since[strings.ToLower(strings.Clone(n))] = day
		}
		return true
	})
	if err != nil && code(err) != ldap.LDAPResultNoSuchObject {
		return nil, err
	}
	q, err := c.namesQuery(ctx, d)
	if err != nil {
		return nil, err
	}
	note := func(names []string) {
		for _, n := range names {
			if n = strings.ToLower(n); since[n].IsZero() {
				since[strings.Clone(n)] = 0
			}
		}
	}
	err = c.scan(ctx, q, func(e *entry) bool {
		if len(e.values("uid")) > 0 {
			return true // a person, who is among the accounts
		}
		note(e.values("mailPrimaryAddress"))
		note(e.values("mailAlternativeAddress"))
		if e.has("objectClass", "posixGroup") {
			note(e.values("cn"))
		}
		return true
	})
	if err != nil {
		return nil, err
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
