package ucstest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/layout"
	"github.com/ictmedia/schoolmail/ucs/internal/passwd"
)

// createUser makes a user as UDM does: locks, looks, counts, adds, joins groups,
// and takes everything back if that fails.
func (u *UDM) createUser(b udmBody, vals map[string][]string) (string, error) {
	var on []string
	for _, c := range roleClasses {
		if b.Options[c] {
			on = append(on, c)
		}
	}
	if err := checkOptions(on); err != nil {
		return "", err
	}
	if err := u.checkUser(vals); err != nil {
		return "", err
	}
	uid, mail := single(vals["username"]), strings.ToLower(single(vals["mailPrimaryAddress"]))
	primary, err := u.primaryGroup(vals)
	if err != nil {
		return "", err
	}
	l := &udmLocks{u: u}
	defer l.release()
	if err := l.takeUser(uid); err != nil {
		return "", err
	}
	if mail != "" {
		if err := l.takeMail(mail); err != nil {
			return "", err
		}
	}
	number, err := l.number("uidNumber")
	if err != nil {
		return "", err
	}
	sid, err := u.domainSID()
	if err != nil {
		return "", err
	}
	e := u.userEntry(vals, on, number, sid, primary)
	e.DN = "uid=" + ldap.EscapeDN(uid) + "," + b.Position
	req := ldap.NewAddRequest(e.DN, nil)
	for _, a := range e.Attrs {
		if len(a.Values) > 0 && a.Values[0] != "" {
			req.Attribute(a.Name, a.Values)
		}
	}
	if err := u.conn.Add(req); err != nil {
		return "", err
	}
	// The primary group is joined whether or not it is among the groups.
	for _, g := range dedupe(append([]string{primary.DN}, vals["groups"]...)) {
		if err := u.join(g, e.DN, uid, true); err != nil {
			u.setGroups(e.DN, uid, nil, nil)
			u.conn.Del(ldap.NewDelRequest(e.DN, nil))
			return "", err // 400, rolled back; the number is spent
		}
	}
	return e.DN, nil
}

// checkUser refuses what UDM refuses before it writes.
func (u *UDM) checkUser(vals map[string][]string) error {
	uid := single(vals["username"])
	switch {
	case uid == "" || strings.Contains(uid, " "):
		return atProperty("username", "invalid user name")
	case single(vals["lastname"]) == "":
		return atProperty("lastname", "required")
	case single(vals["password"]) == "":
		return atProperty("password", "required")
	case len(single(vals["password"])) < 8 && single(vals["overridePWLength"]) != "true":
		return atProperty("password", "too short")
	}
	if err := u.checkAddresses(vals); err != nil {
		return err
	}
	// The hook of the OX packages, which names no property.
	if single(vals["isOxUser"]) != "Not" && single(vals["mailPrimaryAddress"]) != "" && single(vals["firstname"]) == "" {
		return refuse(http.StatusUnprocessableEntity, "OX users need a first name", "body", "properties", nil)
	}
	return nil
}

// checkAddresses refuses addresses of domains that are not registered. For the
// primary address UDM does not say which property it is.
func (u *UDM) checkAddresses(vals map[string][]string) error {
	for name, list := range map[string][]string{"mailPrimaryAddress": vals["mailPrimaryAddress"],
		"mailAlternativeAddress": vals["mailAlternativeAddress"]} {
		for _, addr := range list {
			local, domain, ok := strings.Cut(addr, "@")
			if !ok || local == "" || strings.Contains(addr, "..") {
				return atProperty(name, "invalid address")
			}
			found, err := u.find("(&(objectClass=univentionMailDomainname)(cn="+ldap.EscapeFilter(domain)+"))", "1.1")
			if err != nil {
				return err
			}
			if len(found) == 0 && name == "mailPrimaryAddress" {
				return refuse(http.StatusUnprocessableEntity, "mail domain does not exist", "body", "properties", nil)
			}
			if len(found) == 0 {
				return atProperty(name, "mail domain does not exist")
			}
		}
	}
	return nil
}

func (l *udmLocks) takeUser(uid string) error {
	esc := ldap.EscapeFilter(uid)
	free, err := l.take("uid", uid, "(|(uid="+esc+")(&(objectClass=posixGroup)(cn="+esc+")))")
	if err != nil || !free {
		return firstError(err, refuse(http.StatusUnprocessableEntity, "object exists", "body", "dn"))
	}
	return nil
}

func (l *udmLocks) takeMail(mail string) error {
	free, err := l.take("mailPrimaryAddress", mail, "(mailPrimaryAddress="+ldap.EscapeFilter(mail)+")")
	if err != nil || !free {
		return firstError(err, atProperty("mailPrimaryAddress", "already in use"))
	}
	return nil
}

// primaryGroup is the group that was given, or the domain's.
func (u *UDM) primaryGroup(vals map[string][]string) (*ldap.Entry, error) {
	dn := single(vals["primaryGroup"])
	if dn == "" {
		dn = "cn=Domain Users,cn=groups," + u.base
	}
	g, err := u.get(dn)
	if err != nil || g == nil {
		return nil, firstError(err, refuse(http.StatusBadRequest, "no such object"))
	}
	return g, nil
}

// userEntry composes an entry without its name.
func (u *UDM) userEntry(vals map[string][]string, on []string, number int, sid string,
	primary *ldap.Entry) layout.Entry {
	var e layout.Entry
	uid, first, last := single(vals["username"]), single(vals["firstname"]), single(vals["lastname"])
	name := strings.TrimSpace(first + " " + last)
	classes := append([]string{"top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount", "shadowAccount",
		"sambaSamAccount", "krb5Principal", "krb5KDCEntry", "univentionPWHistory", "univentionMail", "univentionObject",
		"automount", "oxUserObject"}, on...)
	if len(on) > 0 {
		classes = append(classes, "ucsschoolType")
	}
	set := map[string][]string{}
	for i := range userProperties {
		p := &userProperties[i]
		if v, ok := vals[p.name]; ok && !p.virtual && (!p.school || len(on) > 0) { // else dropped without a word
			set[p.attr] = v
			classes = append(classes, p.classes...)
		}
	}
	for _, p := range u.properties {
		if v, ok := vals[p.name]; ok {
			set[p.attr] = v
			classes = append(classes, p.classes...)
		}
	}
	fallback := func(attr, value string) {
		if single(set[attr]) == "" {
			set[attr] = []string{value}
		}
	}
	if m := set["mailPrimaryAddress"]; len(m) > 0 {
		set["mailPrimaryAddress"] = []string{strings.ToLower(m[0])} // aliases keep their case
	}
	fallback("displayName", name)
	fallback("gecos", asciiName(name))
	fallback("homeDirectory", "/home/"+uid)
	fallback("loginShell", "/bin/bash")
	fallback("isOxUser", "OK")
	if len(set["mailPrimaryAddress"]) == 0 {
		set["isOxUser"] = []string{"Not"} // whatever was asked for
	}
	fallback("oxDisplayName", single(set["displayName"]))
	fallback("oxUserQuota", "-1")
	fallback("oxAccess", "premium")
	e.Set("objectClass", dedupe(classes)...)
	e.Set("univentionObjectType", "users/user")
	e.Set("univentionObjectIdentifier", newID())
	e.Set("cn", name)
	e.Set("uidNumber", strconv.Itoa(number))
	e.Set("gidNumber", primary.GetAttributeValue("gidNumber"))
	e.Set("krb5PrincipalName", uid+"@"+realm(u.base))
	e.Set("krb5MaxLife", "86400")
	e.Set("krb5MaxRenew", "604800")
	e.Set("krb5KeyVersionNumber", "1")
	e.Set("sambaSID", layout.UserSID(sid, number))
	e.Set("sambaPrimaryGroupSID", primary.GetAttributeValue("sambaSID"))
	e.Set("sambaBadPasswordCount", "0")
	e.Set("sambaBadPasswordTime", "0")
	for attr, v := range passwordValues(single(vals["password"]), realm(u.base), uid, vals) {
		set[attr] = v
	}
	disable(set, single(vals["disabled"]) == "true")
	for attr, v := range set {
		if attr != "gidNumber" && attr != "uidNumber" {
			e.Set(attr, v...)
		}
	}
	return e
}

// asciiName is a name as gecos can hold it.
func asciiName(name string) string {
	r := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss")
	return strings.Map(func(c rune) rune {
		if c >= 0x80 {
			return -1
		}
		return c
	}, r.Replace(name))
}

func realm(base string) string {
	var labels []string
	for part := range strings.SplitSeq(base, ",") {
		_, v, _ := strings.Cut(part, "=")
		labels = append(labels, v)
	}
	return strings.ToUpper(strings.Join(labels, "."))
}

// passwordValues are the attributes of a password. The salt is fixed: nobody's
// real password comes here. One that must be changed at the next login is expired.
func passwordValues(password, realm, uid string, vals map[string][]string) map[string][]string {
	now := time.Now().Unix()
	out := map[string][]string{
		"userPassword":    {"{crypt}" + passwd.Crypt(password, "udmsimulator", 1000)},
		"sambaNTPassword": {passwd.NT(password)},
		"sambaPwdLastSet": {strconv.FormatInt(now, 10)}, "shadowLastChange": {strconv.FormatInt(now/86400, 10)},
	}
	if single(vals["pwdChangeNextLogin"]) == "true" {
		out["sambaPwdLastSet"], out["shadowMax"] = []string{"0"}, []string{"1"}
		out["shadowLastChange"] = []string{strconv.FormatInt(now/86400-2, 10)}
		out["krb5PasswordEnd"] = []string{time.Unix(now, 0).UTC().Format("20060102") + "000000Z"}
	}
	if keys, err := passwd.Keys(password, realm, uid); err == nil {
		out["krb5Key"] = keys
	}
	return out
}

// disable opens or closes the ways to log in.
func disable(set map[string][]string, off bool) {
	flags, acct, hash := "126", "[U          ]", single(set["userPassword"])
	hash = strings.Replace(hash, "}!", "}", 1)
	if off {
		flags, acct, hash = "254", "[UD         ]", strings.Replace(hash, "}", "}!", 1)
		set["shadowExpire"] = []string{"1"}
	} else {
		set["shadowExpire"] = nil
	}
	set["krb5KDCFlags"], set["sambaAcctFlags"], set["userPassword"] = []string{flags}, []string{acct}, []string{hash}
}

// join puts a user into a group or takes it out; being there already is success.
func (u *UDM) join(group, dn, uid string, in bool) error {
	for _, v := range [][2]string{{"uniqueMember", dn}, {"memberUid", uid}} {
		req := ldap.NewModifyRequest(group, nil)
		if in {
			req.Add(v[0], []string{v[1]})
		} else {
			req.Delete(v[0], []string{v[1]})
		}
		err := u.conn.Modify(req)
		if err != nil && !ldap.IsErrorAnyOf(err, ldap.LDAPResultAttributeOrValueExists, ldap.LDAPResultNoSuchAttribute) {
			return err
		}
	}
	return nil
}

func (u *UDM) groupsOf(dn string) ([]string, error) {
	list, err := u.find("(&(objectClass=posixGroup)(uniqueMember="+ldap.EscapeFilter(dn)+"))", "1.1")
	var out []string
	for _, g := range list {
		out = append(out, g.DN)
	}
	slices.Sort(out)
	return out, err
}

// setGroups brings the memberships of a user to want; keep is left alone.
func (u *UDM) setGroups(dn, uid string, want, keep []string) error {
	have, err := u.groupsOf(dn)
	if err != nil {
		return err
	}
	in := func(list []string, g string) bool {
		return slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, g) })
	}
	for _, g := range have {
		if !in(want, g) && !in(keep, g) {
			if err := u.join(g, dn, uid, false); err != nil {
				return err
			}
		}
	}
	for _, g := range want {
		if !in(have, g) {
			if err := u.join(g, dn, uid, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// showUser adds what is computed.
func (u *UDM) showUser(e *ldap.Entry, p map[string]any) error {
	groups, err := u.groupsOf(e.DN)
	if err != nil {
		return err
	}
	if groups == nil {
		groups = []string{}
	}
	p["groups"], p["password"] = groups, nil
	p["disabled"] = e.GetAttributeValue("shadowExpire") == "1" &&
		strings.Contains(e.GetAttributeValue("sambaAcctFlags"), "D")
	list, err := u.find("(&(objectClass=posixGroup)(gidNumber="+ldap.EscapeFilter(e.GetAttributeValue("gidNumber"))+"))",
		"1.1")
	if err != nil {
		return err
	}
	p["primaryGroup"] = nil
	if len(list) > 0 {
		p["primaryGroup"] = list[0].DN
	}
	return nil
}
