package ucs

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// renamedAs returns the user name that an account has which may be to get another one: the
// new one if that was done and its answer was lost. Otherwise the new one must be
// nobody's, in the way in which that of a new account must.
func (c *Client) renamedAs(ctx context.Context, d *domain, before, after schoolmail.Account) (string, error) {
	if before.Username == after.Username {
		return before.Username, nil
	}
	l, err := c.lookupToWrite(ctx, after.Username, false)
	switch {
	case err != nil:
		return "", err
	case l == nil:
		return before.Username, nil
	case l.acct.Key == before.Key:
		return after.Username, c.followGroups(ctx, d, before.Username, after.Username)
	}
	return "", conflict("the user name belongs to somebody else")
}

// renameEntry writes everything of a change, and only then renames the entry: from the
// former names it has, whoever comes after one that was cut off knows that it was renamed.
func (c *Client) renameEntry(ctx context.Context, d *domain, l *live, want schoolmail.Account, username string) error {
	if err := c.nameFree(ctx, d, l, username); err != nil {
		return err
	}
	if err := c.write(ctx, d, l, want, ""); err != nil {
		return err
	}
	return c.giveUsername(ctx, d, l, username)
}

// giveUsername renames an entry. The old name is reserved first. Members of groups are
// kept by name as well as by DN; the new name stands in them before the old one goes, so
// that nobody is out of a group meanwhile.
func (c *Client) giveUsername(ctx context.Context, d *domain, l *live, username string) error {
	unlock, err := c.lockForUDM(ctx, d, lockedValue{lockUsername, username})
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.nameFree(ctx, d, l, username); err != nil {
		return err
	}
	old := l.e.value("uid")
	if err := c.retire(ctx, d, []string{old}, 0); err != nil {
		return err
	}
	if c.viaUDM() {
		_, err := c.opts.UDM.Patch(ctx, udm.Users, l.e.dn, udm.Properties{"username": username}, nil)
		if err != nil {
			return fromUDM(err)
		}
		return c.followGroups(ctx, d, old, username)
	}
	if err := c.groupNames(ctx, d, old, nil, []string{username}); err != nil {
		return err
	}
	rdn := "uid=" + ldap.EscapeDN(username)
	if err := c.rename(ctx, ldap.NewModifyDNRequest(l.e.dn, rdn, true, "")); err != nil && !again(err) {
		return err
	}
	return c.followGroups(ctx, d, old, username)
}

// nameFree refuses a user name that a user, a group or somebody of the past has.
func (c *Client) nameFree(ctx context.Context, d *domain, l *live, username string) error {
	v := ldap.EscapeFilter(username)
	list, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree,
		"(|(uid=" + v + ")(&(objectClass=posixGroup)(cn=" + v + ")))", []string{"uid"}})
	if err != nil {
		return err
	}
	for _, e := range list {
		if normDN(e.dn) != l.ndn {
			return conflict("the user name belongs to somebody else")
		}
	}
	list, err = c.find(ctx, query{d.retired, ldap.ScopeWholeSubtree, "(&(objectClass=ucsschoolUsername)(cn=" + v + "))",
		[]string{"cn"}})
	if code(err) == ldap.LDAPResultNoSuchObject {
		return nil
	}
	if err == nil && len(list) > 0 && !formerly(&l.acct, username) {
		err = conflict("the user name was somebody else's")
	}
	return err
}

// cutOff returns the user name before a rename that nothing says has come to its end, or "".
func cutOff(a *schoolmail.Account) string {
	for _, f := range a.Former {
		if !f.Told && f.Username != a.Username {
			return f.Username
		}
	}
	return ""
}

// formerly reports whether a name was the account's own.
func formerly(a *schoolmail.Account, username string) bool {
	for _, f := range a.Former {
		if f.Username == username {
			return true
		}
	}
	return false
}

// followGroups completes a rename of the entry: its principal, and the groups that name
// it, which a rename that was cut off may have left behind.
func (c *Client) followGroups(ctx context.Context, d *domain, old, username string) error {
	l, err := c.lookupToWrite(ctx, username, false)
	if err != nil {
		return err
	}
	if l == nil {
		return &Error{Kind: ErrConflict, Code: ldap.LDAPResultAssertionFailed, Err: errGone}
	}
	e, err := c.get(ctx, l.e.dn, "krb5PrincipalName")
	if err != nil {
		return err
	}
	if e != nil && !c.viaUDM() {
		name, realm, _ := strings.Cut(e.value("krb5PrincipalName"), "@")
		if !strings.EqualFold(name, username) && realm != "" {
			m := &mods{e: e, req: ldap.NewModifyRequest(l.e.dn, nil)}
			m.set("krb5PrincipalName", username+"@"+realm)
			if err := m.sendLDAP(ctx, c); err != nil {
				return err
			}
		}
	}
	return c.groupNames(ctx, d, old, []string{old}, []string{username})
}

// groupNames changes the names of members in all groups that have one.
func (c *Client) groupNames(ctx context.Context, d *domain, member string, leave, join []string) error {
	groups, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, "(memberUid=" + ldap.EscapeFilter(member) + ")",
		[]string{"memberUid"}})
	if err != nil {
		return err
	}
	for _, g := range groups {
		req := ldap.NewModifyRequest(g.dn, nil)
		if add := without(join, g.values("memberUid")); len(add) > 0 {
			req.Add("memberUid", add)
		}
		if len(leave) > 0 {
			req.Delete("memberUid", leave)
		}
		if len(req.Changes) == 0 {
			continue
		}
		// Somebody else may have done the same meanwhile.
		if err := c.modify(ctx, req); err != nil && !again(err) {
			return err
		}
	}
	return nil
}
