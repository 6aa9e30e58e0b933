package ucs

import (
	"context"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// classesOf are the classes of all people. A district has one for almost each:
// they are kept in one list, chained by person.
type classesOf struct {
	first map[string]int32 // normalised DN of a member to an index of list
	list  []classLink
}

type classLink struct {
	school schoolmail.SchoolID
	name   string
	next   int32 // -1: the last
}

func (cs *classesOf) add(member string, school schoolmail.SchoolID, name string) {
	n := normDN(member)
	next, ok := cs.first[n]
	if !ok {
		next = -1
	}
	cs.first[n] = int32(len(cs.list))
	cs.list = append(cs.list, classLink{school, name, next})
}

// fill puts the classes into an account.
func (cs *classesOf) fill(a *schoolmail.Account) {
	i, ok := cs.first[normDN(a.DN)]
	for ok {
		l := &cs.list[i]
		addClass(a, l.school, l.name)
		i, ok = l.next, l.next >= 0
	}
	tidyClasses(a)
}

// addClass adds a class of a school to which the account belongs.
func addClass(a *schoolmail.Account, school schoolmail.SchoolID, name string) {
	for i := range a.Memberships {
		if m := &a.Memberships[i]; m.School == school {
			m.Classes = append(m.Classes, name)
		}
	}
}

func tidyClasses(a *schoolmail.Account) {
	for i := range a.Memberships {
		if m := &a.Memberships[i]; len(m.Classes) > 1 {
			slices.Sort(m.Classes)
			m.Classes = slices.Compact(m.Classes)
		}
	}
}

// classQuery finds the class groups, oldClassQuery the groups without a role,
// among which may be classes of an older release.
func (c *Client) classQuery(d *domain) query {
	return query{d.base, ldap.ScopeWholeSubtree, "(ucsschoolRole=school_class:school:*)",
		[]string{"cn", "ucsschoolRole", "uniqueMember"}}
}

func (c *Client) oldClassQuery(d *domain) query {
	return query{d.base, ldap.ScopeWholeSubtree, "(&(objectClass=univentionGroup)(!(ucsschoolRole=*)))", []string{"cn"}}
}

// allClasses reads the members of all class groups.
func (c *Client) allClasses(ctx context.Context, d *domain) (*classesOf, error) {
	out := &classesOf{first: map[string]int32{}}
	note := func(e *entry) bool {
		if id, name, ok := c.classOf(d, e); ok {
			for _, m := range e.values("uniqueMember") {
				out.add(m, id, name)
			}
		}
		return true
	}
	if err := c.scan(ctx, c.classQuery(d), note); err != nil {
		return nil, err
	}
	var old []string
	err := c.scan(ctx, c.oldClassQuery(d), func(e *entry) bool {
		if _, _, ok := c.classOf(d, e); ok {
			old = append(old, e.dn)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	for _, dn := range old {
		e, err := c.get(ctx, dn, "cn", "uniqueMember")
		if err != nil {
			return nil, err
		}
		if e != nil {
			note(e)
		}
	}
	return out, nil
}
