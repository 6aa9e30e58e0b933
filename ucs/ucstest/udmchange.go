package ucstest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// changeUser changes a user, with all that follows from it, and returns the name
// that the entry has then.
func (u *UDM) changeUser(e *ldap.Entry, b udmBody, vals map[string][]string) (string, error) {
	set := map[string][]string{}
	classes, err := changeOptions(e, b.Options)
	if err != nil {
		return "", err
	}
	school := slices.ContainsFunc(classes, func(c string) bool { return slices.Contains(roleClasses, c) })
	for n, v := range vals {
		p := u.module("users/user").prop(n)
		if p.virtual || n == "username" || p.school && !school {
			continue
		}
		set[p.attr] = v
		classes = append(classes, p.classes...)
	}
	if err := u.checkAddresses(vals); err != nil {
		return "", err
	}
	l := &udmLocks{u: u}
	defer l.release()
	if m := strings.ToLower(single(set["mailPrimaryAddress"])); m != "" {
		if !strings.EqualFold(m, e.GetAttributeValue("mailPrimaryAddress")) {
			if err := l.takeMail(m); err != nil {
				return "", err
			}
		}
		set["mailPrimaryAddress"] = []string{m}
	}
	followNames(e, set)
	oxHooks(e, vals, set)
	mail, given := set["mailPrimaryAddress"]
	if !given {
		mail = e.GetAttributeValues("mailPrimaryAddress")
	}
	ox, given := set["isOxUser"]
	if !given {
		ox = e.GetAttributeValues("isOxUser")
	}
	if len(mail) == 0 && single(ox) == "OK" {
		return "", refuse(http.StatusUnprocessableEntity, "OX users need an address", "body", "properties", nil)
	}
	u.changeLogin(e, vals, set)
	if g := single(vals["primaryGroup"]); g != "" {
		primary, err := u.primaryGroup(vals)
		if err != nil {
			return "", err
		}
		set["gidNumber"] = primary.GetAttributeValues("gidNumber")
		set["sambaPrimaryGroupSID"] = primary.GetAttributeValues("sambaSID")
		if err := u.join(g, e.DN, e.GetAttributeValue("uid"), true); err != nil {
			return "", err
		}
	}
	if err := u.writeUser(e, classes, set); err != nil {
		return "", err
	}
	if groups, ok := vals["groups"]; ok {
		if err := u.changeGroups(e, vals, groups); err != nil {
			return "", err
		}
	}
	if name := single(vals["username"]); name != "" && !strings.EqualFold(name, e.GetAttributeValue("uid")) {
		return u.rename(l, e, name)
	}
	return e.DN, nil
}

// changeOptions returns the classes with options switched on and off. What UDM
// writes on every school user keeps the last role class from being taken away.
func changeOptions(e *ldap.Entry, options map[string]bool) ([]string, error) {
	classes := slices.Clone(e.GetAttributeValues("objectClass"))
	for _, c := range roleClasses {
		on, ok := options[c]
		switch {
		case ok && on && !hasClass(e, c):
			classes = append(classes, c)
		case ok && !on:
			classes = slices.DeleteFunc(classes, func(o string) bool { return strings.EqualFold(o, c) })
		}
	}
	var roles []string
	for _, c := range roleClasses {
		if slices.ContainsFunc(classes, func(o string) bool { return strings.EqualFold(o, c) }) {
			roles = append(roles, c)
		}
	}
	if err := checkOptions(roles); err != nil {
		return nil, err
	}
	// What UDM adds to every entry that it changes.
	classes = append(classes, "automount", "oxUserObject")
	if len(roles) > 0 {
		classes = append(classes, "ucsschoolType")
	}
	return classes, nil
}

// followNames lets what was made of the name follow it, unless it was changed by
// hand.
func followNames(e *ldap.Entry, set map[string][]string) {
	now := func(attr string) string {
		if v, ok := set[attr]; ok {
			return single(v)
		}
		return e.GetAttributeValue(attr)
	}
	was := strings.TrimSpace(e.GetAttributeValue("givenName") + " " + e.GetAttributeValue("sn"))
	is := strings.TrimSpace(now("givenName") + " " + now("sn"))
	if was == is {
		return
	}
	set["cn"] = []string{is}
	for _, attr := range []string{"displayName", "oxDisplayName"} {
		if _, given := set[attr]; !given && e.GetAttributeValue(attr) == was {
			set[attr] = []string{is}
		}
	}
	if _, given := set["gecos"]; !given && e.GetAttributeValue("gecos") == asciiName(was) {
		set["gecos"] = []string{asciiName(is)}
	}
}

// oxHooks are the defaults that the OX packages' attributes have: whatever is
// changed of an account, it has them afterwards.
func oxHooks(e *ldap.Entry, vals, set map[string][]string) {
	if v, given := vals["isOxUser"]; given && v == nil {
		set["isOxUser"] = []string{"OK"} // null is the default
	}
	fallback := func(attr, value string) {
		if _, given := set[attr]; !given && e.GetAttributeValue(attr) == "" {
			set[attr] = []string{value}
		}
	}
	fallback("isOxUser", "Not")
	fallback("oxAccess", "premium")
	fallback("oxUserQuota", "-1")
	fallback("oxDisplayName", e.GetAttributeValue("displayName"))
	fallback("univentionObjectIdentifier", newID())
}

// changeLogin sets a password and opens or closes the account.
func (u *UDM) changeLogin(e *ldap.Entry, vals, set map[string][]string) {
	off := e.GetAttributeValue("shadowExpire") == "1"
	password := single(vals["password"])
	if password != "" {
		for attr, v := range passwordValues(password, realm(u.base), e.GetAttributeValue("uid"), vals) {
			set[attr] = v
		}
		kvno, _ := strconv.Atoi(e.GetAttributeValue("krb5KeyVersionNumber"))
		set["krb5KeyVersionNumber"] = []string{strconv.Itoa(kvno + 1)}
	} else {
		set["userPassword"] = e.GetAttributeValues("userPassword")
	}
	if v, given := vals["disabled"]; given {
		off = single(v) == "true"
		disable(set, off)
	} else if password != "" {
		disable(set, off)
	} else {
		delete(set, "userPassword")
	}
}

// writeUser sends the change as one modify.
func (u *UDM) writeUser(e *ldap.Entry, classes []string, set map[string][]string) error {
	set["objectClass"] = dedupe(classes)
	if slices.Equal(set["objectClass"], e.GetAttributeValues("objectClass")) {
		delete(set, "objectClass")
	}
	req := ldap.NewModifyRequest(e.DN, nil)
	names := make([]string, 0, len(set))
	for attr := range set {
		names = append(names, attr)
	}
	slices.Sort(names)
	for _, attr := range names {
		v := slices.DeleteFunc(slices.Clone(set[attr]), func(s string) bool { return s == "" })
		if len(v) > 0 || len(e.GetEqualFoldAttributeValues(attr)) > 0 {
			req.Replace(attr, v)
		}
	}
	if len(req.Changes) == 0 {
		return nil
	}
	return u.conn.Modify(req)
}

// changeGroups replaces the memberships, except for that of the primary group.
func (u *UDM) changeGroups(e *ldap.Entry, vals map[string][]string, groups []string) error {
	keep := []string{single(vals["primaryGroup"])}
	if keep[0] == "" {
		list, err := u.find("(&(objectClass=posixGroup)(gidNumber="+ldap.EscapeFilter(e.GetAttributeValue("gidNumber"))+"))",
			"1.1")
		if err != nil {
			return err
		}
		for _, g := range list {
			keep = append(keep, g.DN)
		}
	}
	return u.setGroups(e.DN, e.GetAttributeValue("uid"), groups, keep)
}

// rename gives a user another name. Home directory and addresses stay.
func (u *UDM) rename(l *udmLocks, e *ldap.Entry, name string) (string, error) {
	if err := l.takeUser(name); err != nil {
		return "", err
	}
	groups, err := u.groupsOf(e.DN)
	if err != nil {
		return "", err
	}
	old := e.GetAttributeValue("uid")
	for _, g := range groups {
		if err := u.join(g, e.DN, old, false); err != nil {
			return "", err
		}
	}
	rdn := "uid=" + ldap.EscapeDN(name)
	if err := u.conn.ModifyDN(ldap.NewModifyDNRequest(e.DN, rdn, true, "")); err != nil {
		return "", err
	}
	to := rdn + e.DN[rdnEnd(e.DN):]
	req := ldap.NewModifyRequest(to, nil)
	req.Replace("krb5PrincipalName", []string{name + "@" + realm(u.base)})
	if err := u.conn.Modify(req); err != nil {
		return "", err
	}
	return to, u.setGroups(to, name, groups, nil)
}
