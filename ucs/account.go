package ucs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// accountAttrs are read of every account. userPassword is not among them.
func (c *Client) accountAttrs() []string {
	list := []string{"objectClass", "uid", "givenName", "sn", "displayName", "mailPrimaryAddress",
		"mailAlternativeAddress",
		"telephoneNumber", "preferredLanguage", "isOxUser", "oxContextIDNum", "oxAccess", "ucsschoolSchool",
		"ucsschoolSourceUID", "ucsschoolRecordUID", "ucsschoolPurgeTimestamp", "univentionObjectFlag",
		"shadowExpire", "krb5KDCFlags", "sambaAcctFlags", c.opts.StateAttribute}
	if c.opts.Birth != nil {
		list = append(list, "univentionBirthday")
	}
	if c.opts.Extras != nil {
		list = append(list, "univentionMailHomeServer", "univentionMailUserQuota", "oxUserQuota")
	}
	return list
}

// live is an account as it was read, with what the planner does not need.
type live struct {
	acct    schoolmail.Account
	ndn     string
	life    lifeRecord
	text    string // the state text as stored; "" if there is none
	warning string
	remarks []remarkKey
	locked  string          // address on which UDM's lock is held already
	stamp   schoolmail.Date // day of a deletion that somebody else has set
	e       *entry
	groups  []*entry // that have it as member; only where it was looked up
}

// ours reports whether the entry is a person that a record stands behind.
func (l *live) ours() bool { return !l.acct.Key.IsZero() }

// decode reads an account out of an entry, except for its classes, into l.
func (c *Client) decode(d *domain, e *entry, l *live) {
	*l = live{e: e}
	a := &l.acct
	a.DN = e.dn
	a.Username = strings.ToLower(e.value("uid"))
	if e.has("objectClass", "ucsschoolExam") {
		l.remark(RemarkExam, schoolmail.SchoolID(e.value("ucsschoolSchool")))
		return // a copy of somebody for the time of an exam: only the name counts
	}
	a.GivenName, a.FamilyName, a.DisplayName = e.value("givenName"), e.value("sn"), e.value("displayName")
	a.Mail = strings.ToLower(e.value("mailPrimaryAddress"))
	a.Aliases = aliases(e.values("mailAlternativeAddress"), a.Mail)
	a.Phone = smallest(e.values("telephoneNumber"))
	a.Language = e.value("preferredLanguage")
	a.Role = roleOf(e)
	a.Memberships = memberships(d, e)
	if id := e.value("ucsschoolRecordUID"); id != "" && e.value("ucsschoolSourceUID") != "" &&
		!e.has("univentionObjectFlag", "temporary") && !e.has("univentionObjectFlag", "functional") {
		a.Key = schoolmail.RecordKey{Source: e.value("ucsschoolSourceUID"), ID: id}
	}
	c.decodePlace(l)
	c.decodeLife(l)
	if !l.ours() && c.opts.Birth != nil {
		if born, err := schoolmail.ParseDate(e.value("univentionBirthday")); err == nil && !born.IsZero() {
			a.Traits.Birth = c.opts.Birth(born)
		}
	}
	if l.ours() {
		c.decodeRole(l)
		c.decodeAccess(l)
		c.decodeStamp(l)
		c.decodeExtras(l)
		if l.warning != "" {
			a.Held = true
		}
	}
}

// decodeLife reads the state text. A text that cannot be read puts the account
// on hold.
func (c *Client) decodeLife(l *live) {
	if !l.ours() {
		return
	}
	a := &l.acct
	for _, v := range l.e.values(c.opts.StateAttribute) {
		if !strings.HasPrefix(v, "schoolmail") {
			continue
		}
		if l.text != "" {
			l.warn("there are two state texts")
			break
		}
		l.text = v
	}
	if l.text == "" {
		a.State = schoolmail.Active
		return
	}
	r, err := parseState(l.text)
	if err != nil || r.tombstone {
		if err != nil {
			l.warn(err.Error())
		} else {
			l.warn("state text of a retired name on an account")
		}
		a.State = schoolmail.Active
	} else {
		l.life = r
		r.into(a)
	}
	if a.State == schoolmail.Deactivated && !disabled(l.e) {
		l.warn("recorded as deactivated, but a way to log in is open")
	}
}

// decodeRole puts accounts on hold that UCS@school counts as something that
// this package does not write.
func (c *Client) decodeRole(l *live) {
	switch {
	case l.acct.Role == "":
		l.acct.Held = true
		l.remark(RemarkOtherRole, "")
	case mixed(l.e):
		l.warn("is pupil and something else at once")
	}
}

func (l *live) remark(k RemarkKind, school schoolmail.SchoolID) {
	l.remarks = append(l.remarks, remarkKey{k, school})
}

func (l *live) warn(text string) {
	if l.warning != "" {
		l.warning += "; "
	}
	l.warning += text
}

// aliases returns the addresses in lower case, sorted, without the primary.
func aliases(values []string, mail string) []string {
	var out []string
	for _, v := range values {
		if v = strings.ToLower(v); v != mail {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func smallest(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return slices.Min(values)
}

// memberships are the schools of an entry, sorted.
func memberships(d *domain, e *entry) []schoolmail.Membership {
	values := e.values("ucsschoolSchool")
	if len(values) == 0 {
		return nil
	}
	out := make([]schoolmail.Membership, 0, len(values))
	for _, v := range values {
		id := schoolmail.SchoolID(v)
		if s := d.schools[strings.ToLower(v)]; s != nil {
			id = s.id
		}
		out = append(out, schoolmail.Membership{School: id})
	}
	slices.SortFunc(out, func(x, y schoolmail.Membership) int {
		return strings.Compare(string(x.School), string(y.School))
	})
	return out
}

// disabled reports whether every way to log in that can be seen without
// reading the password is closed.
func disabled(e *entry) bool {
	flags, _ := strconv.Atoi(e.value("krb5KDCFlags"))
	return e.value("shadowExpire") == "1" && flags&kdcDisabled != 0 && strings.Contains(e.value("sambaAcctFlags"), "D")
}

// kdcDisabled is the bit of krb5KDCFlags that forbids tickets.
const kdcDisabled = 128

// classOf returns the school and the name of a class group, if it is one: by
// its role string, or for groups of older releases by its place.
func (c *Client) classOf(d *domain, e *entry) (schoolmail.SchoolID, string, bool) {
	cn := e.value("cn")
	for _, r := range e.values("ucsschoolRole") {
		f := strings.SplitN(r, ":", 3)
		if len(f) != 3 || !strings.EqualFold(f[0], "school_class") || !strings.EqualFold(f[1], "school") {
			continue
		}
		s := d.schools[strings.ToLower(f[2])]
		if s == nil {
			continue
		}
		if name, ok := cutSchool(cn, s.id); ok {
			return s.id, name, true
		}
	}
	if len(e.values("ucsschoolRole")) > 0 {
		return "", "", false
	}
	parent := normDN(parentDN(e.dn))
	for _, s := range d.schools {
		if parent == normDN(c.names.ClassContainer(s.dn)) {
			if name, ok := cutSchool(cn, s.id); ok {
				return s.id, name, true
			}
		}
	}
	return "", "", false
}

// cutSchool removes the school's prefix from a class name.
func cutSchool(cn string, id schoolmail.SchoolID) (string, bool) {
	n := len(id) + 1
	if len(cn) > n && strings.EqualFold(cn[:n], string(id)+"-") {
		return cn[n:], true
	}
	return "", false
}
