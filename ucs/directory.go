package ucs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// CreateAccount makes an account with its groups, as [schoolmail.Directory]
// demands. If the account exists already with the same key, it is brought to
// a; the password is set only as long as it is pending.
//
// Before it writes it looks whether the user name, an address or the record
// belongs to somebody else, or whether a name is retired: that is a conflict.
func (c *Client) CreateAccount(ctx context.Context, a schoolmail.Account, initial schoolmail.Secret) error {
	a = tidyAccount(a)
	return wrap("create account", a.Username, c.create(ctx, a, initial))
}

func (c *Client) create(ctx context.Context, a schoolmail.Account, initial schoolmail.Secret) error {
	if err := c.writable(a); err != nil {
		return err
	}
	if a.FamilyName == "" {
		return invalid("family name is empty")
	}
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	unlock, err := c.lockForUDM(ctx, d, lockedValue{lockUsername, a.Username}, lockedValue{lockAddress, a.Mail})
	if err != nil {
		return err
	}
	defer unlock()
	for try := 1; ; try++ {
		exists, err := c.occupied(ctx, a)
		if err != nil {
			return err
		}
		if exists {
			err = c.complete(ctx, a, initial)
		} else {
			err = c.createNew(ctx, a, initial)
		}
		if !again(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// again reports whether looking once more may help: the answer was lost, or
// somebody changed the entry between reading and writing.
func again(err error) bool {
	switch code(err) {
	case ldap.LDAPResultNoSuchAttribute, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultAssertionFailed,
		ldap.LDAPResultEntryAlreadyExists, ldap.LDAPResultNoSuchObject:
		return true
	}
	return lost(err)
}

func addresses(a schoolmail.Account) []string {
	var out []string
	if a.Mail != "" {
		out = append(out, a.Mail)
	}
	return append(out, a.Aliases...)
}

func takes(e *entry, addrs []string) bool {
	return slices.ContainsFunc(addrs, func(a string) bool {
		return e.has("mailPrimaryAddress", a) || e.has("mailAlternativeAddress", a)
	})
}

// firstRDN returns the value of the first part of a DN.
func firstRDN(dn string) string {
	p, err := ldap.ParseDN(dn)
	if err != nil || len(p.RDNs) == 0 || len(p.RDNs[0].Attributes) == 0 {
		return ""
	}
	return p.RDNs[0].Attributes[0].Value
}

// complete brings an account that exists to a.
func (c *Client) complete(ctx context.Context, a schoolmail.Account, initial schoolmail.Secret) error {
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	l, err := c.lookupToWrite(ctx, a.Username, true)
	if err != nil {
		return err
	}
	if l == nil {
		return &Error{Kind: ErrNotFound, Code: ldap.LDAPResultNoSuchObject, Err: errGone}
	}
	if l.acct.Held && !a.Held {
		return conflict("the account is on hold")
	}
	if l.text == "" && c.viaUDM() {
		// UDM has made it, and the text that should have followed did not.
		l.acct.State = schoolmail.Pending
	}
	if l.acct.State != schoolmail.Pending && l.acct.State != a.State {
		return conflict("the account is %s already", l.acct.State)
	}
	if l.acct.State != schoolmail.Pending {
		initial = ""
	}
	// An account whose making was cut off may lack groups that do not show.
	if l.acct.State == schoolmail.Pending {
		if _, _, err := c.regroupAndMove(ctx, d, l, a); err != nil {
			return err
		}
		if l, err = c.lookupToWrite(ctx, a.Username, true); err != nil || l == nil {
			return errors.Join(err, nilGone(l))
		}
	}
	l.locked = a.Mail
	return c.write(ctx, d, l, a, initial)
}

func nilGone(l *live) error {
	if l == nil {
		return errGone
	}
	return nil
}

// createNew adds the entry and then the memberships.
func (c *Client) createNew(ctx context.Context, a schoolmail.Account, initial schoolmail.Secret) error {
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	for _, addr := range addresses(a) {
		if err := c.mailDomain(ctx, d, addr); err != nil {
			return err
		}
	}
	s, err := c.primarySchool(ctx, "", a)
	if err != nil {
		return err
	}
	groups, err := c.groupDNs(ctx, d, a, rolesFor(a.Role, nil))
	if err != nil {
		return err
	}
	if c.viaUDM() {
		dn, err := c.createByUDM(ctx, d, a, s, initial)
		if err != nil {
			return err
		}
		return c.regroup(ctx, dn, a.Username, groups, nil)
	}
	e, err := c.newEntry(ctx, d, a, s, initial)
	if err != nil {
		return err
	}
	req := ldap.NewAddRequest(e.DN, nil)
	for _, at := range e.Attrs {
		if at.Values = slices.DeleteFunc(at.Values, func(v string) bool { return v == "" }); len(at.Values) > 0 {
			req.Attribute(at.Name, at.Values)
		}
	}
	if err := c.identify(ctx, d, req); err != nil {
		return err
	}
	if err := c.add(ctx, req); err != nil {
		return err
	}
	if err := c.raiseCounters(ctx, d, a.Username, a.Mail); err != nil {
		return fmt.Errorf("name counter: %w", err)
	}
	return c.regroup(ctx, e.DN, a.Username, groups, nil)
}

// newEntry composes the complete entry of an account.
func (c *Client) newEntry(ctx context.Context, d *domain, a schoolmail.Account, s *school,
	initial schoolmail.Secret) (layout.Entry, error) {
	rs := rolesFor(a.Role, nil)
	p := c.placeOf(a, rs, s)
	g, err := c.primaryGroup(s)
	if err != nil {
		return layout.Entry{}, err
	}
	if d.sid == "" && !c.opts.S4Connector {
		return layout.Entry{}, invalid("the directory has no sambaDomain entry with a sambaSID")
	}
	number, err := c.uids.next(ctx)
	if err != nil {
		return layout.Entry{}, err
	}
	e := layout.Entry{DN: "uid=" + ldap.EscapeDN(a.Username) + "," + p.container}
	classes := []string{"top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount", "shadowAccount",
		"sambaSamAccount", "krb5Principal", "krb5KDCEntry", "univentionPWHistory", "univentionMail", "univentionObject",
		"univentionFreeAttributes"}
	classes = append(classes, rs.classes()...)
	if a.Context != 0 {
		classes = append(classes, "oxUserObject")
	}
	e.Set("objectClass", classes...)
	e.Set("univentionObjectType", "users/user")
	e.Set("uid", a.Username)
	e.Set("cn", commonName(a))
	e.Set("sn", a.FamilyName)
	e.Set("givenName", a.GivenName)
	e.Set("displayName", a.DisplayName)
	e.Set("gecos", gecos(a))
	e.Set("uidNumber", itoa(number))
	e.Set("gidNumber", g.gid)
	e.Set("homeDirectory", p.home)
	e.Set("loginShell", "/bin/bash")
	for _, x := range c.opts.Windows.attrs(a.Username, s.id, rs) {
		e.Set(x.attr, x.value)
	}
	e.Set("departmentNumber", string(s.id))

	e.Set("krb5PrincipalName", a.Username+"@"+d.realm)
	e.Set("krb5MaxLife", "86400")
	e.Set("krb5MaxRenew", "604800")
	e.Set("krb5KeyVersionNumber", "1")
	sid := layout.UserSID(d.sid, number)
	if c.opts.S4Connector {
		sid = "S-1-4-" + itoa(number)
	}
	e.Set("sambaSID", sid)
	e.Set("sambaPrimaryGroupSID", g.sid)
	e.Set("sambaBadPasswordCount", "0")
	e.Set("sambaBadPasswordTime", "0")
	off := a.State == schoolmail.Deactivated
	if initial != "" {
		attrs, err := c.passwordAttrs(ctx, d, a.Username, p.container, initial)
		if err != nil {
			return layout.Entry{}, err
		}
		for _, at := range attrs {
			if off && at.Name == "userPassword" {
				at.Values = lockHashes(at.Values, true)
			}
			e.Attrs = append(e.Attrs, at)
		}
	}
	e.Set("sambaAcctFlags", acctFlags("[U          ]", off))
	if off {
		e.Set("krb5KDCFlags", itoa(126|kdcDisabled))
		e.Set("shadowExpire", "1")
	} else {
		e.Set("krb5KDCFlags", "126")
	}

	e.Set("mailPrimaryAddress", a.Mail)
	e.Set("mail", a.Mail)
	e.Set("mailAlternativeAddress", a.Aliases...)
	e.Set("telephoneNumber", a.Phone)
	e.Set("preferredLanguage", a.Language)
	if a.Context != 0 {
		e.Set("isOxUser", "OK")
		e.Set("oxContextIDNum", itoa(int(a.Context)))
		e.Set("oxDisplayName", a.DisplayName)
		e.Set("oxAccess", c.profile(a))
	}
	for _, x := range c.extras(a).attrs(a.Context) {
		e.Set(x.attr, x.value)
	}
	var schools []string
	for _, m := range a.Memberships {
		schools = append(schools, string(m.School))
	}
	e.Set("ucsschoolSchool", schools...)
	e.Set("ucsschoolRole", rs.strings(a.Memberships)...)
	e.Set("ucsschoolSourceUID", a.Key.Source)
	e.Set("ucsschoolRecordUID", a.Key.ID)
	e.Set(c.opts.StateAttribute, lifeOf(a, nil).String())
	return e, nil
}

// ChangeAccount writes what differs between before and after, as
// [schoolmail.Directory] demands. What does not differ may have been changed
// by somebody else and stays as it is. The key cannot be changed. With another user
// name all else is written first and the entry is renamed last, as UDM does it: the groups
// and the Kerberos principal follow, the home stays, and nobody else gets the old name,
// which must be kept in after.Former.
//
// An account that is on hold can only be changed by who knows that it is:
// before.Held must be set.
func (c *Client) ChangeAccount(ctx context.Context, before, after schoolmail.Account) error {
	before, after = tidyAccount(before), tidyAccount(after)
	return wrap("change account", before.Username, c.change(ctx, before, after))
}

func (c *Client) change(ctx context.Context, before, after schoolmail.Account) error {
	if err := c.writable(after); err != nil {
		return err
	}
	if err := onePerson(before, after); err != nil {
		return err
	}
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	groups := differ(&before, &after, "role", "memberships")
	for try := 1; ; try++ {
		name, err := c.renamedAs(ctx, d, before, after)
		if err != nil {
			return err
		}
		l, err := c.lookupToWrite(ctx, name, groups)
		if err != nil {
			return err
		}
		if err := l.mayChange(before); err != nil {
			return err
		}
		if old := cutOff(&l.acct); old != "" && before.Username == after.Username {
			if err := c.followGroups(ctx, d, old, name); err != nil {
				return err
			}
		}
		want, err := merge(l.acct, before, after)
		if err != nil {
			return err
		}
		if l.acct.Username != after.Username {
			if err = c.renameEntry(ctx, d, l, want, after.Username); err == nil && try < 2*attempts {
				continue // it is read again under the new name
			}
		} else {
			err = c.write(ctx, d, l, want, "")
		}
		if !again(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// onePerson refuses a change of the key, and one of the user name that forgets the old one.
func onePerson(before, after schoolmail.Account) error {
	kept := func(f schoolmail.Former) bool { return f.Username == before.Username }
	switch {
	case before.Key != after.Key:
		return invalid("a record key never changes")
	case before.Username != after.Username && !slices.ContainsFunc(after.Former, kept):
		return invalid("a user name changes only where the old one is kept as a former one")
	}
	return nil
}

// mayChange refuses what is not the account that somebody saw before.
func (l *live) mayChange(before schoolmail.Account) error {
	switch {
	case l == nil:
		return &Error{Kind: ErrNotFound, Err: errGone}
	case l.acct.Key != before.Key:
		return conflict("the user name belongs to another record")
	case l.acct.Held && !before.Held:
		return conflict("the account is on hold")
	}
	return nil
}

// PurgeAccount reserves the names of an account for ever and removes it with
// its memberships. An account that is gone already is success, and its names
// are reserved all the same. An account in another state than a's, on hold or
// of another record is a conflict.
func (c *Client) PurgeAccount(ctx context.Context, a schoolmail.Account, today schoolmail.Date) error {
	a = tidyAccount(a)
	return wrap("purge account", a.Username, c.purge(ctx, a, today))
}

func (c *Client) purge(ctx context.Context, a schoolmail.Account, today schoolmail.Date) error {
	if a.Username == "" || a.Key.IsZero() {
		return invalid("account has no record key: not made by schoolmail")
	}
	if c.opts.Source != "" && a.Key.Source != c.opts.Source {
		return invalid("account belongs to source %q, this client writes %q only", a.Key.Source, c.opts.Source)
	}
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		l, err := c.lookup(ctx, a.Username)
		if err != nil {
			return err
		}
		names := append([]string{a.Username}, addresses(a)...)
		if l != nil {
			switch {
			case l.acct.Key != a.Key:
				return conflict("the user name belongs to another record")
			case l.acct.Held:
				return conflict("the account is on hold")
			case l.acct.State != a.State:
				return conflict("the account is %s, not %s", l.acct.State, a.State)
			}
			names = append(names, addresses(l.acct)...)
		}
		if err := c.retire(ctx, d, names, today); err != nil {
			return err
		}
		if l == nil {
			return nil
		}
		err = c.removeAccount(ctx, d, l)
		if !lost(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// removeAccount takes the account out of its groups (refint would leave
// memberUid behind) and removes the entry.
func (c *Client) removeAccount(ctx context.Context, d *domain, l *live) error {
	var groups []string
	for _, g := range l.groups {
		groups = append(groups, g.dn)
	}
	if err := c.regroup(ctx, l.e.dn, l.e.value("uid"), nil, groups); err != nil {
		return err
	}
	var err error
	if c.viaUDM() {
		err = fromUDM(c.opts.UDM.Remove(ctx, udm.Users, l.e.dn, ""))
	} else {
		err = c.remove(ctx, l.e.dn)
	}
	if code(err) != ldap.LDAPResultNoSuchObject {
		return err
	}
	return nil
}
