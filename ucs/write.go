package ucs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
	"github.com/ictmedia/schoolmail/ucs/internal/passwd"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// writeAttrs are read besides accountAttrs before an account is changed.
var writeAttrs = []string{"ucsschoolRole", "cn", "gecos", "mail", "oxDisplayName", "homeDirectory",
	"departmentNumber", "gidNumber",
	"sambaPrimaryGroupSID", "krb5ValidEnd", "userPassword", "univentionMailHomeServer", "univentionMailUserQuota",
	"oxUserQuota",
	"sambaHomePath", "sambaHomeDrive", "sambaProfilePath", "sambaLogonScript"}

// mods gathers the changes of one entry. Values are deleted and added by name,
// so that a change by somebody else in between makes the server refuse
// everything.
type mods struct {
	e      *entry
	req    *ldap.ModifyRequest
	assert []string
	// What UDM wants to know in its own words; see sendUDM.
	primary  string            // DN of the new primary group
	password schoolmail.Secret // initial
	off      *bool             // closed or opened
}

// set makes the values of an attribute those of want.
func (m *mods) set(attr string, want ...string) {
	want = slices.DeleteFunc(slices.Clone(want), func(v string) bool { return v == "" })
	old := m.e.values(attr)
	m.delta(attr, without(old, want), without(want, old))
}

// delta removes and adds single values of an attribute. Where there was none,
// the server is asked to see to it that there still is none.
func (m *mods) delta(attr string, del, add []string) {
	if len(m.e.values(attr)) == 0 && len(add) > 0 {
		m.assert = append(m.assert, "(!("+attr+"=*))")
	}
	if len(del) > 0 {
		m.req.Delete(attr, del)
	}
	if len(add) > 0 {
		m.req.Add(attr, add)
	}
}

func without(a, b []string) []string {
	var out []string
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}

// send carries the changes out. Nothing to change is success without asking.
func (m *mods) send(ctx context.Context, c *Client) error {
	if c.opts.Write == WriteUDM && len(m.req.Changes) > 0 {
		return m.sendUDM(ctx, c)
	}
	return m.sendLDAP(ctx, c)
}

func (m *mods) sendLDAP(ctx context.Context, c *Client) error {
	if len(m.req.Changes) == 0 {
		return nil
	}
	if len(m.assert) > 0 {
		ctl, err := assertion("(&" + strings.Join(m.assert, "") + ")")
		if err != nil {
			return err
		}
		m.req.Controls = append(m.req.Controls, ctl)
	}
	return c.modify(ctx, m.req)
}

// write changes a live account into want, and nothing else. Groups and place
// come first and the entry last: until the entry says so, the account does
// not read as changed, and whoever repeats a write that was cut off completes
// it.
func (c *Client) write(ctx context.Context, d *domain, l *live, want schoolmail.Account,
	password schoolmail.Secret) error {
	unlock, err := c.claimAddresses(ctx, d, l, want)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.reserveDropped(ctx, d, l, want); err != nil {
		return err
	}
	moved := differ(&l.acct, &want, "role", "memberships")
	dn := l.e.dn
	var p place
	if moved {
		var err error
		if dn, p, err = c.regroupAndMove(ctx, d, l, want); err != nil {
			return err
		}
	}
	m := &mods{e: l.e, req: ldap.NewModifyRequest(dn, nil)}
	if moved {
		if err := c.setSchools(m, l, want, p); err != nil {
			return err
		}
	}
	if err := c.setPerson(ctx, d, m, l, want); err != nil {
		return err
	}
	c.setContext(m, l, want)
	if err := c.setLife(ctx, d, m, l, want, password); err != nil {
		return err
	}
	return m.send(ctx, c)
}

// claimAddresses sees to it that addresses which an account gets belong to
// nobody else, and with Options.BesideUDM that UDM gives them to nobody until
// they are written.
func (c *Client) claimAddresses(ctx context.Context, d *domain, l *live, want schoolmail.Account) (unlock func(),
	err error) {
	gained := without(addresses(want), addresses(l.acct))
	if len(gained) == 0 {
		return func() {}, nil
	}
	mail := lockedValue{kind: lockAddress}
	if want.Mail != l.acct.Mail && want.Mail != l.locked {
		mail.value = want.Mail
	}
	if unlock, err = c.lockForUDM(ctx, d, mail); err != nil {
		return nil, err
	}
	var f strings.Builder
	f.WriteString("(|")
	for _, a := range gained {
		a = ldap.EscapeFilter(a)
		f.WriteString("(mailPrimaryAddress=" + a + ")(mailAlternativeAddress=" + a + ")")
	}
	f.WriteString(")")
	list, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree, f.String(), []string{"uid"}})
	for _, e := range list {
		if normDN(e.dn) != l.ndn {
			err = conflict("an address belongs to somebody else")
		}
	}
	if err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// setPerson writes names, addresses and contact data.
func (c *Client) setPerson(ctx context.Context, d *domain, m *mods, l *live, want schoolmail.Account) error {
	have := l.acct
	if differ(&have, &want, "given name", "family name") {
		if want.FamilyName == "" {
			return invalid("family name is empty")
		}
		m.set("givenName", want.GivenName)
		m.set("sn", want.FamilyName)
		m.set("cn", commonName(want))
		m.set("gecos", gecos(want))
	}
	if have.DisplayName != want.DisplayName {
		m.set("displayName", want.DisplayName)
		if l.e.has("objectClass", "oxUserObject") {
			m.set("oxDisplayName", want.DisplayName)
		}
	}
	if have.Mail != want.Mail {
		if want.Mail != "" {
			if err := c.mailDomain(ctx, d, want.Mail); err != nil {
				return err
			}
		}
		m.set("mailPrimaryAddress", want.Mail)
		m.delta("mail", matching(l.e.values("mail"), have.Mail), missingFold(l.e.values("mail"), want.Mail))
	}
	if !slices.Equal(have.Aliases, want.Aliases) || have.Mail != want.Mail {
		m.set("mailAlternativeAddress", want.Aliases...)
	}
	if have.Phone != want.Phone {
		// Other numbers that somebody entered stay.
		old := l.e.values("telephoneNumber")
		m.delta("telephoneNumber", matching(old, have.Phone), missingFold(old, want.Phone))
	}
	if have.Language != want.Language {
		m.set("preferredLanguage", want.Language)
	}
	return nil
}

// matching returns the values equal to v without regard to case.
func matching(values []string, v string) []string {
	var out []string
	for _, o := range values {
		if v != "" && strings.EqualFold(o, v) {
			out = append(out, o)
		}
	}
	return out
}

// missingFold returns v alone unless it is among the values or empty.
func missingFold(values []string, v string) []string {
	if v == "" || containsFold(values, v) {
		return nil
	}
	return []string{v}
}

// setLife writes the state text, opens or closes the ways to log in, and sets
// the initial password of an account that is still being made.
func (c *Client) setLife(ctx context.Context, d *domain, m *mods, l *live, want schoolmail.Account,
	password schoolmail.Secret) error {
	text := lifeOf(want, l.life.extra).String()
	if text != l.text {
		if l.text != "" {
			m.delta(c.opts.StateAttribute, []string{l.text}, []string{text})
		} else {
			m.delta(c.opts.StateAttribute, nil, []string{text})
			m.assert = append(m.assert, "(!("+c.opts.StateAttribute+"="+stateMark+"*))")
		}
		if !l.e.has("objectClass", "univentionFreeAttributes") {
			m.delta("objectClass", nil, []string{"univentionFreeAttributes"})
		}
	}
	was, is := l.acct.State == schoolmail.Deactivated, want.State == schoolmail.Deactivated
	if password != "" && !is {
		m.password = password
		attrs, err := c.passwordAttrs(ctx, d, l.e.value("uid"), parentDN(m.req.DN), password)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			m.req.Replace(a.Name, a.Values)
		}
	}
	if is != was {
		m.off = &is
	}
	switch {
	case is && !was:
		closeLogin(m)
	case was && !is:
		openLogin(m, password == "")
	}
	return nil
}

// closeLogin closes the four ways to log in (POSIX, Kerberos, Samba and the
// password itself), as UDM does for a disabled account.
func closeLogin(m *mods) {
	e := m.e
	m.set("shadowExpire", "1")
	flags, _ := strconv.Atoi(e.value("krb5KDCFlags"))
	m.set("krb5KDCFlags", itoa(flags|kdcDisabled))
	m.set("sambaAcctFlags", acctFlags(e.value("sambaAcctFlags"), true))
	m.set("userPassword", lockHashes(e.values("userPassword"), true)...)
}

// openLogin opens them again. An expiry date that somebody set holds on; a
// planned deletion by UCS@school is called off.
func openLogin(m *mods, hashes bool) {
	e := m.e
	if e.value("shadowExpire") == "1" {
		days := ""
		if end, err := time.Parse("20060102150405Z", e.value("krb5ValidEnd")); err == nil {
			days = strconv.FormatInt(end.Unix()/86400, 10)
		}
		m.set("shadowExpire", days)
	}
	flags, _ := strconv.Atoi(e.value("krb5KDCFlags"))
	m.set("krb5KDCFlags", itoa(flags&^kdcDisabled))
	m.set("sambaAcctFlags", acctFlags(e.value("sambaAcctFlags"), false))
	if hashes {
		m.set("userPassword", lockHashes(e.values("userPassword"), false)...)
	}
	m.set("ucsschoolPurgeTimestamp")
}

// acctFlags sets or clears the letter D. The text always has 13 characters.
func acctFlags(old string, disabled bool) string {
	letters := strings.Map(func(r rune) rune {
		if r == '[' || r == ']' || r == ' ' || r == 'D' {
			return -1
		}
		return r
	}, old)
	if letters == "" {
		letters = "U"
	}
	if disabled {
		letters += "D"
	}
	return fmt.Sprintf("[%-11s]", letters)
}

// lockHashes puts an exclamation mark between scheme and hash, or takes it
// away.
func lockHashes(old []string, lock bool) []string {
	out := make([]string, 0, len(old))
	for _, v := range old {
		i := strings.IndexByte(v, '}') + 1
		scheme, hash := v[:i], strings.TrimPrefix(v[i:], "!")
		if lock {
			hash = "!" + hash
		}
		out = append(out, scheme+hash)
	}
	return out
}

// passwordAttrs are the attributes of a password of somebody in a container.
func (c *Client) passwordAttrs(ctx context.Context, d *domain, username, container string,
	p schoolmail.Secret) ([]layout.Attr, error) {
	now := time.Now()
	hash := passwd.SSHA(p.Reveal(), randomBytes(8))
	if c.opts.Scheme == Crypt {
		hash = "{crypt}" + passwd.Crypt(p.Reveal(), passwd.Salt(randomBytes(16)), 0)
	}
	out := []layout.Attr{
		{Name: "userPassword", Values: []string{hash}},
		{Name: "sambaNTPassword", Values: []string{passwd.NT(p.Reveal())}},
		{Name: "sambaPwdLastSet", Values: []string{strconv.FormatInt(now.Unix(), 10)}},
		{Name: "shadowLastChange", Values: []string{strconv.FormatInt(now.Unix()/86400, 10)}},
	}
	policies, err := c.loadPolicies(ctx, d)
	if err != nil {
		return nil, err
	}
	policy := policies.at(container)
	out = append(out, policy.attrs(hash, now)...)
	if c.opts.ChangePassword {
		out = policy.expired(out, now)
	}
	if c.opts.Scheme == Crypt {
		keys, err := passwd.Keys(p.Reveal(), d.realm, username)
		if err != nil {
			return nil, err
		}
		out = append(out, layout.Attr{Name: "krb5Key", Values: keys})
	}
	return out, nil
}

// setSchools writes what follows from role and schools.
func (c *Client) setSchools(m *mods, l *live, want schoolmail.Account, p place) error {
	e := l.e
	keep := rolesFor(want.Role, l)
	var schools []string
	for _, ms := range want.Memberships {
		schools = append(schools, string(ms.School))
	}
	if l.acct.Role != want.Role {
		var del, add []string
		for _, o := range []roleWord{studentRole, teacherRole, staffRole} {
			if slices.Contains(keep, o) {
				add = append(add, missingFold(e.values("objectClass"), o.class)...)
			} else {
				del = append(del, matching(e.values("objectClass"), o.class)...)
			}
		}
		m.delta("objectClass", del, add)
	}
	m.set("ucsschoolSchool", schools...)
	wanted := keep.strings(want.Memberships)
	var stay []string
	for _, r := range e.values("ucsschoolRole") {
		if !roleGoes(r, schools, keep) && !containsFold(wanted, r) {
			stay = append(stay, r)
		}
	}
	m.set("ucsschoolRole", append(stay, wanted...)...)
	m.set("departmentNumber", string(p.school.id))
	if l.acct.Role != want.Role || !below(l.ndn, p.school.ndn) || e.value("homeDirectory") == "" {
		m.set("homeDirectory", p.home)
		for _, x := range c.opts.Windows.attrs(e.value("uid"), p.school.id, keep) {
			m.set(x.attr, x.value)
		}
	}
	g, err := c.primaryGroup(p.school)
	if err != nil {
		return err
	}
	if e.value("gidNumber") != g.gid {
		m.primary = g.dn
	}
	m.set("gidNumber", g.gid)
	m.set("sambaPrimaryGroupSID", g.sid)
	return nil
}

func below(ndn, parent string) bool { return strings.HasSuffix(ndn, ","+parent) }

// regroupAndMove brings groups and place in line. Groups to leave come first
// (under the old name), then the move, then groups to join (under the new).
func (c *Client) regroupAndMove(ctx context.Context, d *domain, l *live, want schoolmail.Account) (string, place,
	error) {
	dn := l.e.dn
	s, err := c.primarySchool(ctx, l.ndn, want)
	if err != nil {
		return "", place{}, err
	}
	keep := rolesFor(want.Role, l)
	p := c.placeOf(want, keep, s)
	groups, err := c.groupDNs(ctx, d, want, keep)
	if err != nil {
		return "", p, err
	}
	wanted := map[string]bool{}
	for _, g := range groups {
		wanted[normDN(g)] = true
	}
	have := map[string]bool{}
	var leave, join []string
	for _, g := range l.groups {
		n := normDN(g.dn)
		have[n] = true
		if !wanted[n] && c.managed(d, g, want) {
			leave = append(leave, g.dn)
		}
	}
	for _, g := range groups {
		if !have[normDN(g)] {
			join = append(join, g)
		}
	}
	uid := l.e.value("uid")
	if err := c.regroup(ctx, dn, uid, nil, leave); err != nil {
		return "", p, err
	}
	if l.acct.Role != want.Role || !below(l.ndn, s.ndn) {
		if dn, err = c.move(ctx, dn, p.container); err != nil {
			return "", p, err
		}
	}
	return dn, p, c.regroup(ctx, dn, uid, join, nil)
}

// move puts an entry into a container; being there already is success.
func (c *Client) move(ctx context.Context, dn, container string) (string, error) {
	if normDN(parentDN(dn)) == normDN(container) {
		return dn, nil
	}
	if c.viaUDM() {
		to, err := c.opts.UDM.Move(ctx, udm.Users, dn, container)
		return to, fromUDM(err)
	}
	rdn := strings.TrimRight(strings.TrimSuffix(dn, parentDN(dn)), " ,")
	to := rdn + "," + container
	for try := 1; ; try++ {
		err := c.rename(ctx, ldap.NewModifyDNRequest(dn, rdn, true, container))
		if err == nil {
			return to, nil
		}
		if !lost(err) || try == attempts || ctx.Err() != nil {
			return dn, err
		}
		if e, err := c.get(ctx, to, "uid"); err != nil || e != nil {
			return to, err
		}
	}
}

// primarySchool is the school whose unit holds the entry, if the person still
// belongs to it, else the first.
func (c *Client) primarySchool(ctx context.Context, ndn string, want schoolmail.Account) (*school, error) {
	var first *school
	for _, m := range want.Memberships {
		s, err := c.school(ctx, m.School)
		if err != nil {
			return nil, err
		}
		if ndn != "" && below(ndn, s.ndn) {
			return s, nil
		}
		if first == nil {
			first = s
		}
	}
	return first, nil
}

// managed reports whether an account that no longer belongs into a group is
// to be taken out: class groups and the groups of a school; of work groups and
// others only those of a school that the person leaves.
func (c *Client) managed(d *domain, g *entry, want schoolmail.Account) bool {
	if _, _, ok := c.classOf(d, g); ok {
		return true
	}
	n := normDN(g.dn)
	for _, s := range d.schools {
		if !below(n, s.ndn) {
			continue
		}
		for _, sg := range c.names.Groups(s.dn, string(s.id)) {
			if n == normDN(sg.DN) {
				return true
			}
		}
		return !slices.ContainsFunc(want.Memberships, func(m schoolmail.Membership) bool {
			return strings.EqualFold(string(m.School), string(s.id))
		})
	}
	return false
}

// commonName is cn as UCS writes it.
func commonName(a schoolmail.Account) string {
	return strings.TrimSpace(a.GivenName + " " + a.FamilyName)
}

// gecos is the name in ASCII.
func gecos(a schoolmail.Account) string {
	var b strings.Builder
	r := strings.NewReplacer("Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss",
		"Æ", "Ae", "æ", "ae", "Ø", "O", "ø", "o", "Œ", "Oe", "œ", "oe", "Ł", "L", "ł", "l", "Đ", "D", "đ", "d",
		"Ð", "D", "ð", "d", "Þ", "Th", "þ", "th", "ı", "i", "’", "'")
	for _, c := range norm.NFD.String(r.Replace(norm.NFC.String(commonName(a)))) {
		if c < 0x80 {
			b.WriteRune(c)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
