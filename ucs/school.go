package ucs

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// EnsureSchool makes the school's organisational unit with the containers and
// groups that accounts need, or completes it. An existing school is left as
// it is.
//
// It is meant for test directories. On a real site schools are made with
// UCS@school's own tools, which also set up shares, DHCP, DNS, policies,
// school servers and the administrators' group.
func (c *Client) EnsureSchool(ctx context.Context, id schoolmail.SchoolID, displayName string) error {
	return wrap("ensure school", string(id), c.ensureSchool(ctx, id, displayName))
}

func (c *Client) ensureSchool(ctx context.Context, id schoolmail.SchoolID, displayName string) error {
	if err := checkSchoolName(id); err != nil {
		return err
	}
	unlock, err := c.locks.lock(ctx, "school "+strings.ToLower(string(id)))
	if err != nil {
		return err
	}
	defer unlock()
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	s := d.schools[strings.ToLower(string(id))]
	c.mu.Unlock()
	if s == nil {
		s = &school{id: id, dn: "ou=" + string(id) + "," + d.base, display: displayName}
		s.ndn = normDN(s.dn)
	}
	if displayName == "" {
		displayName = string(s.id)
	}
	entries := append([]layout.Entry{layout.OU(s.dn, string(s.id), displayName)}, c.names.Containers(s.dn)...)
	for _, e := range entries {
		if err := c.addUnlessThere(ctx, d, e); err != nil {
			return err
		}
	}
	have, err := c.loadGroups(ctx, s)
	if err != nil {
		return err
	}
	for _, g := range c.names.Groups(s.dn, string(s.id)) {
		if have[normDN(g.DN)] != nil {
			continue
		}
		if err := c.addGroup(ctx, d, g.DN, g.Name, g.Role); err != nil {
			return err
		}
	}
	groups, err := c.loadGroups(ctx, s)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.groups = groups
	d.schools[strings.ToLower(string(id))] = s
	return nil
}

// checkSchoolName applies UCS@school's rule: letters, digits, "-" and "_",
// alphanumeric at both ends.
func checkSchoolName(id schoolmail.SchoolID) error {
	for i, r := range string(id) {
		alnum := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alnum && (r != '-' && r != '_' || i == 0 || i == len(id)-1) {
			return invalid("school name may hold letters, digits, - and _ only")
		}
	}
	if id == "" {
		return invalid("school name is empty")
	}
	return nil
}

func (c *Client) addUnlessThere(ctx context.Context, d *domain, e layout.Entry) error {
	req := ldap.NewAddRequest(e.DN, nil)
	for _, a := range e.Attrs {
		req.Attribute(a.Name, a.Values)
	}
	if err := c.identify(ctx, d, req); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := c.add(ctx, req)
		if err == nil || code(err) == ldap.LDAPResultEntryAlreadyExists {
			return nil
		}
		if !lost(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// identify adds the permanent identifier that newer releases write, if the
// schema knows it.
func (c *Client) identify(ctx context.Context, d *domain, req *ldap.AddRequest) error {
	ok, err := c.offers(ctx, d, objectIdentifier)
	if err != nil || !ok {
		return err
	}
	req.Attribute(objectIdentifier, []string{newUUID()})
	return nil
}

// addGroup makes a group; one that exists is fine.
func (c *Client) addGroup(ctx context.Context, d *domain, dn, cn, role string) error {
	if d.sid == "" {
		return invalid("the directory has no sambaDomain entry with a sambaSID")
	}
	gid, err := c.gids.next(ctx)
	if err != nil {
		return err
	}
	e := layout.Group(dn, cn, role, "", gid, d.sid)
	ox, err := c.offers(ctx, d, oxGroup)
	if err != nil {
		return err
	}
	if ox {
		e.Attrs[0].Values = append(e.Attrs[0].Values, oxGroup)
		e.Set("isOxGroup", map[bool]string{true: "OK", false: "Not"}[c.opts.ClassesInOX])
	}
	unlock, err := c.lockForUDM(ctx, d, lockedValue{lockOfGroups, cn})
	if err != nil {
		return err
	}
	defer unlock()
	return c.addUnlessThere(ctx, d, e)
}

// loadGroups reads all groups of a school, without their members.
func (c *Client) loadGroups(ctx context.Context, s *school) (map[string]*group, error) {
	out := map[string]*group{}
	for e, err := range c.pages(ctx, query{"cn=groups," + s.dn, ldap.ScopeWholeSubtree, "(objectClass=posixGroup)",
		[]string{"cn", "gidNumber", "sambaSID"}}) {
		if code(err) == ldap.LDAPResultNoSuchObject {
			break
		}
		if err != nil {
			return nil, err
		}
		out[normDN(e.dn)] = &group{dn: e.dn, gid: e.value("gidNumber"), sid: e.value("sambaSID")}
	}
	return out, nil
}

// school returns a school with its groups. A missing one is made if the
// client may do so.
func (c *Client) school(ctx context.Context, id schoolmail.SchoolID) (*school, error) {
	d, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	find := func() *school {
		c.mu.Lock()
		defer c.mu.Unlock()
		s := d.schools[strings.ToLower(string(id))]
		if s != nil && s.groups == nil {
			return nil
		}
		return s
	}
	if s := find(); s != nil {
		return s, nil
	}
	c.mu.Lock()
	s := d.schools[strings.ToLower(string(id))]
	c.mu.Unlock()
	if s == nil {
		if !c.opts.CreateSchools {
			return nil, invalid("school %q does not exist", id)
		}
		if err := c.ensureSchool(ctx, id, ""); err != nil {
			return nil, fmt.Errorf("school %q: %w", id, err)
		}
		if s = find(); s != nil {
			return s, nil
		}
		return nil, invalid("school %q could not be made", id)
	}
	unlock, err := c.locks.lock(ctx, "school "+s.ndn)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s := find(); s != nil {
		return s, nil
	}
	groups, err := c.loadGroups(ctx, s)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	s.groups = groups
	c.mu.Unlock()
	return s, nil
}

// primaryGroup is "Domain Users OU".
func (c *Client) primaryGroup(s *school) (*group, error) {
	g := c.names.Groups(s.dn, string(s.id))[0]
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := s.groups[normDN(g.DN)]; have != nil {
		return have, nil
	}
	return nil, invalid("school %q has no group %q", s.id, g.Name)
}

// ensureClass makes the class group unless the school has it.
func (c *Client) ensureClass(ctx context.Context, d *domain, s *school, class string) (dn string, err error) {
	cn := string(s.id) + "-" + class
	dn = "cn=" + ldap.EscapeDN(cn) + "," + c.names.ClassContainer(s.dn)
	ndn := normDN(dn)
	known := func() *group {
		c.mu.Lock()
		defer c.mu.Unlock()
		return s.groups[ndn]
	}
	if g := known(); g != nil {
		return g.dn, nil
	}
	unlock, err := c.locks.lock(ctx, "group "+ndn)
	if err != nil {
		return "", err
	}
	defer unlock()
	if g := known(); g != nil {
		return g.dn, nil
	}
	if err := c.addGroup(ctx, d, dn, cn, "school_class:school:"+string(s.id)); err != nil {
		return "", fmt.Errorf("class %q: %w", cn, err)
	}
	c.mu.Lock()
	s.groups[ndn] = &group{dn: dn}
	c.mu.Unlock()
	return dn, nil
}

// mailDomain makes sure that the domain of an address is registered: UCS
// refuses addresses of other domains.
func (c *Client) mailDomain(ctx context.Context, d *domain, address string) error {
	i := strings.LastIndexByte(address, '@')
	if i < 1 || i == len(address)-1 {
		return invalid("%q is not a mail address", address)
	}
	name := strings.ToLower(address[i+1:])
	c.mu.Lock()
	ok := d.mailDomains[name]
	c.mu.Unlock()
	if ok {
		return nil
	}
	if !c.opts.CreateSchools {
		// Perhaps it was registered after the domain was read.
		list, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree,
			"(&(objectClass=univentionMailDomainname)(cn=" + ldap.EscapeFilter(name) + "))", []string{"cn"}})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return invalid("mail domain %q is not registered in the directory", name)
		}
	} else {
		e := layout.Entry{DN: "cn=" + ldap.EscapeDN(name) + ",cn=domain,cn=mail," + d.base}
		e.Set("objectClass", "top", "univentionMailDomainname", "univentionObject")
		e.Set("univentionObjectType", "mail/domain")
		e.Set("cn", name)
		if err := c.addUnlessThere(ctx, d, e); err != nil {
			return fmt.Errorf("mail domain %q: %w", name, err)
		}
	}
	c.mu.Lock()
	d.mailDomains[name] = true
	c.mu.Unlock()
	return nil
}

// place is where an account belongs.
type place struct {
	school    *school // primary school
	container string  // below it
	home      string
}

// placeOf returns the container and home directory of somebody with these roles
// at a school.
func (c *Client) placeOf(a schoolmail.Account, rs roles, s *school) place {
	return place{s, "cn=" + rs.container(c.names) + ",cn=users," + s.dn,
		"/home/" + string(s.id) + "/" + rs.home(c.names) + "/" + a.Username}
}

// groupDNs returns the groups an account belongs to: for each school
// everybody and its roles, and its classes, which are made if missing.
func (c *Client) groupDNs(ctx context.Context, d *domain, a schoolmail.Account, rs roles) ([]string, error) {
	var out []string
	for _, m := range a.Memberships {
		s, err := c.school(ctx, m.School)
		if err != nil {
			return nil, err
		}
		all := c.names.Groups(s.dn, string(s.id))
		out = append(out, all[0].DN)
		for _, r := range rs {
			out = append(out, all[r.group].DN)
		}
		for _, class := range m.Classes {
			dn, err := c.ensureClass(ctx, d, s, class)
			if err != nil {
				return nil, err
			}
			out = append(out, dn)
		}
	}
	return out, nil
}

func itoa(n int) string { return strconv.Itoa(n) }
