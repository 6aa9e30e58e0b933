package ucs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// WriteMode says over which path accounts are written. Reading is done by LDAP
// always.
type WriteMode string

// The ways to write.
const (
	// WriteLDAP, the default, writes entries as UDM would. It is the fastest by
	// far, and leaves out what only UDM does (see the package comment).
	WriteLDAP WriteMode = "ldap"
	// WriteUDM writes everything of an account by UDM's REST API, groups by
	// patches of their members. Only the life-cycle text is written by LDAP, unless
	// Options.StateProperty names an extended attribute for it.
	WriteUDM WriteMode = "udm"
	// WriteAuto makes, moves and removes accounts by UDM, so that its hooks, shares
	// and policies see them, and changes attributes and members by LDAP.
	WriteAuto WriteMode = "auto"
)

// viaUDM reports whether accounts are made, moved and removed by UDM.
func (c *Client) viaUDM() bool { return c.opts.Write == WriteUDM || c.opts.Write == WriteAuto }

// fromUDM turns an error of the REST API into one of this package, with the result
// code that LDAP would have given.
func fromUDM(err error) error {
	ue, ok := errors.AsType[*udm.Error](err)
	if !ok {
		return err
	}
	out := &Error{Kind: ErrOther, Err: err}
	switch ue.Kind {
	case udm.ErrNotFound:
		out.Kind, out.Code = ErrNotFound, ldap.LDAPResultNoSuchObject
	case udm.ErrStale:
		out.Kind, out.Code = ErrConflict, ldap.LDAPResultAssertionFailed
	case udm.ErrTaken:
		out.Kind = ErrConflict
	case udm.ErrInvalid, udm.ErrRefused:
		out.Kind = ErrInvalid
	case udm.ErrDenied:
		out.Kind = ErrDenied
	case udm.ErrUnavailable:
		out.Kind, out.Code = ErrUnavailable, ldap.ErrorNetwork
	}
	return out
}

// createByUDM makes an account by UDM. Its groups exist; it is put into them
// afterwards.
func (c *Client) createByUDM(ctx context.Context, d *domain, a schoolmail.Account, s *school,
	initial schoolmail.Secret) (dn string, err error) {
	if a.Context != 0 && a.GivenName == "" {
		return "", invalid("given name is empty: UDM refuses that of people in Open-Xchange")
	}
	if a.Context != 0 && a.Mail == "" {
		return "", invalid("mail address is missing: UDM gives nobody a place in Open-Xchange without one")
	}
	rs := rolesFor(a.Role, nil)
	p := c.placeOf(a, rs, s)
	g, err := c.primaryGroup(s)
	if err != nil {
		return "", err
	}
	u := udm.User{Username: a.Username, FirstName: a.GivenName, LastName: a.FamilyName, DisplayName: a.DisplayName,
		Password: initial, UnixHome: p.home, PrimaryGroup: g.dn, MailPrimaryAddress: a.Mail,
		MailAlternativeAddress: a.Aliases, PreferredLanguage: a.Language, DepartmentNumber: []string{string(s.id)},
		Disabled: a.State == schoolmail.Deactivated, OX: a.Context != 0, OXContext: a.Context,
		SchoolRoles: rs.strings(a.Memberships), SourceUID: a.Key.Source, RecordUID: a.Key.ID,
		Student: slices.Contains(rs, studentRole), Teacher: slices.Contains(rs, teacherRole),
		Staff: slices.Contains(rs, staffRole), Extra: udm.Properties{"overridePWLength": true}}
	if c.opts.ChangePassword {
		u.Extra["pwdChangeNextLogin"] = true
	}
	if a.Mail != "" {
		u.EMail = []string{a.Mail}
	}
	if a.Phone != "" {
		u.Phone = []string{a.Phone}
	}
	if a.Context != 0 {
		u.OXAccess, u.OXDisplayName = c.profile(a), a.DisplayName
	}
	for _, m := range a.Memberships {
		u.School = append(u.School, string(m.School))
	}
	for _, x := range slices.Concat(c.extras(a).attrs(a.Context), c.opts.Windows.attrs(a.Username, s.id, rs)) {
		if x.value == "" {
			continue
		}
		if err := setProperty(u.Extra, x.attr, []string{x.value}); err != nil {
			return "", err
		}
	}
	text := lifeOf(a, nil).String()
	if c.opts.StateProperty != "" {
		u.Extra[c.opts.StateProperty] = text
	}
	ref, err := c.opts.UDM.Create(ctx, udm.Users, u.Object(p.container))
	if err != nil {
		return "", c.refusedByUDM(ctx, a, err)
	}
	if c.opts.StateProperty != "" {
		return ref.DN, nil
	}
	return ref.DN, c.writeText(ctx, ref.DN, text)
}

// refusedByUDM finds out why a create was refused. A lock that somebody holds on
// a name looks as if the name were taken.
func (c *Client) refusedByUDM(ctx context.Context, a schoolmail.Account, err error) error {
	if !errors.Is(err, udm.ErrTaken) {
		return fromUDM(err)
	}
	exists, e := c.occupied(ctx, a)
	switch {
	case e != nil:
		return e
	case exists: // an earlier request was carried out after all
		return &Error{Kind: ErrConflict, Code: ldap.LDAPResultEntryAlreadyExists, Err: err}
	}
	return &Error{Kind: ErrUnavailable,
		Err: fmt.Errorf("a lock of UDM is on the name or address, for five minutes at most: %w", err)}
}

// writeText writes the life-cycle text of an account that has none.
func (c *Client) writeText(ctx context.Context, dn, text string) error {
	e, err := c.get(ctx, dn, "objectClass", c.opts.StateAttribute)
	if err != nil {
		return err
	}
	if e == nil {
		return &Error{Kind: ErrNotFound, Code: ldap.LDAPResultNoSuchObject, Err: errGone}
	}
	m := &mods{e: e, req: ldap.NewModifyRequest(dn, nil)}
	if !e.has("objectClass", "univentionFreeAttributes") {
		m.delta("objectClass", nil, []string{"univentionFreeAttributes"})
	}
	m.delta(c.opts.StateAttribute, nil, []string{text})
	m.assert = append(m.assert, "(!("+c.opts.StateAttribute+"="+stateMark+"*))")
	return m.sendLDAP(ctx, c)
}

// udmProperties are what UDM calls the attributes that are changed.
var udmProperties = map[string]struct {
	name   string
	kind   byte // t: text, l: list, n: number, o: OK or Not
	ignore bool // UDM derives it
}{
	"givenname": {"firstname", 't', false}, "sn": {"lastname", 't', false}, "displayname": {"displayName", 't', false},
	"mailprimaryaddress": {"mailPrimaryAddress", 't', false}, "mail": {"e-mail", 'l', false},
	"mailalternativeaddress": {"mailAlternativeAddress", 'l', false}, "telephonenumber": {"phone", 'l', false},
	"preferredlanguage": {"preferredLanguage", 't', false}, "isoxuser": {"isOxUser", 'o', false},
	"oxcontextidnum": {"oxContext", 'n', false}, "oxaccess": {"oxAccess", 't', false},
	"oxdisplayname": {"oxDisplayName", 't', false}, "oxuserquota": {"oxUserQuota", 't', false},
	"univentionmailuserquota":  {"mailUserQuota", 'n', false},
	"univentionmailhomeserver": {"mailHomeServer", 't', false}, "ucsschoolschool": {"school", 'l', false},
	"ucsschoolrole": {"ucsschoolRole", 'l', false}, "departmentnumber": {"departmentNumber", 'l', false},
	"homedirectory": {"unixhome", 't', false}, "sambahomepath": {"sambahome", 't', false},
	"sambahomedrive": {"homedrive", 't', false}, "sambaprofilepath": {"profilepath", 't', false},
	"sambalogonscript": {"scriptpath", 't', false}, "ucsschoolpurgetimestamp": {"ucsschoolPurgeTimestamp", 't', false},
	"cn": {"", 0, true}, "gecos": {"", 0, true}, "gidnumber": {"", 0, true}, "sambaprimarygroupsid": {"", 0, true},
	"shadowexpire": {"", 0, true}, "krb5kdcflags": {"", 0, true}, "sambaacctflags": {"", 0, true},
	"userpassword": {"", 0, true}, "sambantpassword": {"", 0, true}, "sambapwdlastset": {"", 0, true},
	"shadowlastchange": {"", 0, true}, "krb5key": {"", 0, true}, "pwhistory": {"", 0, true}, "shadowmax": {"", 0, true},
	"krb5passwordend": {"", 0, true}, "krb5keyversionnumber": {"", 0, true},
}

// setProperty adds the values of an attribute to properties.
func setProperty(p udm.Properties, attr string, values []string) error {
	to, ok := udmProperties[strings.ToLower(attr)]
	switch {
	case !ok:
		return invalid("%s cannot be written by UDM", attr)
	case to.ignore:
	case to.kind == 'l':
		p[to.name] = append([]string{}, values...)
	case len(values) == 0:
		p[to.name] = nil
	case to.kind == 'n':
		n, err := strconv.Atoi(values[0])
		if err != nil {
			return invalid("%s is not a number", attr)
		}
		p[to.name] = n
	case to.kind == 'o':
		p[to.name] = strings.EqualFold(values[0], "OK")
	default:
		p[to.name] = values[0]
	}
	return nil
}

// sendUDM carries the changes of an account out by UDM, and by LDAP what UDM has
// no property for.
func (m *mods) sendUDM(ctx context.Context, c *Client) error {
	p := udm.Properties{}
	opts := &udm.PatchOptions{Options: map[string]bool{}}
	rest := &mods{e: m.e, req: ldap.NewModifyRequest(m.req.DN, nil)}
	var touched []string
	for attr, values := range m.result() {
		switch {
		case strings.EqualFold(attr, c.opts.StateAttribute) && c.opts.StateProperty != "":
			p[c.opts.StateProperty] = firstWith(values, stateMark)
		case strings.EqualFold(attr, c.opts.StateAttribute):
			rest.set(attr, values...)
			rest.assert = m.assert
			if !m.e.has("objectClass", "univentionFreeAttributes") {
				rest.delta("objectClass", nil, []string{"univentionFreeAttributes"})
			}
			continue
		case strings.EqualFold(attr, "objectClass"):
			for _, r := range []roleWord{studentRole, teacherRole, staffRole} {
				if on := containsFold(values, r.class); on != m.e.has("objectClass", r.class) {
					opts.Options[r.class] = on
				}
			}
		default:
			if err := setProperty(p, attr, values); err != nil {
				return err
			}
			if udmProperties[strings.ToLower(attr)].ignore {
				continue
			}
		}
		touched = append(touched, attr)
	}
	if m.primary != "" {
		p["primaryGroup"] = m.primary
	}
	if m.password != "" {
		p["password"], p["overridePWLength"], p["overridePWHistory"] = m.password.Reveal(), true, true
		if c.opts.ChangePassword {
			p["pwdChangeNextLogin"] = true
		}
	}
	if m.off != nil {
		p["disabled"] = *m.off
	}
	if len(p) > 0 || len(opts.Options) > 0 {
		if err := m.patch(ctx, c, p, opts, touched); err != nil {
			return err
		}
	}
	return rest.sendLDAP(ctx, c)
}

// patch sends properties if nobody has changed the entry since it was read: the
// Etag is taken first, then the attributes are compared.
func (m *mods) patch(ctx context.Context, c *Client, p udm.Properties, opts *udm.PatchOptions, touched []string) error {
	o, err := c.opts.UDM.Get(ctx, udm.Users, m.req.DN)
	if err != nil {
		return fromUDM(err)
	}
	now, err := c.get(ctx, m.req.DN, append(touched, "1.1")...)
	if err != nil {
		return err
	}
	for _, attr := range touched {
		if now == nil || !sameValues(now.values(attr), m.e.values(attr)) {
			return &Error{Kind: ErrConflict, Code: ldap.LDAPResultAssertionFailed, Err: errors.New("changed meanwhile")}
		}
	}
	opts.Etag = o.Etag
	_, err = c.opts.UDM.Patch(ctx, udm.Users, m.req.DN, p, opts)
	return fromUDM(err)
}

func sameValues(a, b []string) bool { return len(without(a, b)) == 0 && len(without(b, a)) == 0 }

func firstWith(values []string, prefix string) string {
	for _, v := range values {
		if strings.HasPrefix(v, prefix) {
			return v
		}
	}
	return ""
}

// result is what the changed attributes hold afterwards.
func (m *mods) result() map[string][]string {
	out := map[string][]string{}
	for _, ch := range m.req.Changes {
		attr := ch.Modification.Type
		cur, ok := out[attr]
		if !ok {
			cur = slices.Clone(m.e.values(attr))
		}
		switch ch.Operation {
		case ldap.DeleteAttribute:
			cur = without(cur, ch.Modification.Vals)
		case ldap.AddAttribute:
			cur = append(cur, ch.Modification.Vals...)
		default:
			cur = slices.Clone(ch.Modification.Vals)
		}
		out[attr] = cur
	}
	return out
}

// sendMembersByUDM changes a group by UDM. A group that is gone has no members to
// take out.
func (c *Client) sendMembersByUDM(ctx context.Context, groupDN string, ops []*memberOp) error {
	var add, remove []string
	for _, op := range ops {
		if op.add {
			add = append(add, op.dn)
		} else {
			remove = append(remove, op.dn)
		}
	}
	err := fromUDM(c.opts.UDM.Members(ctx, groupDN, add, remove))
	if code(err) == ldap.LDAPResultNoSuchObject && len(add) == 0 {
		return nil
	}
	return err
}
