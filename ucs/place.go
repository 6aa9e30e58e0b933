package ucs

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Extras are further attributes of an account that follow from where it
// belongs. A zero field is not written.
type Extras struct {
	// MailHomeServer is the IMAP server's full host name
	// (univentionMailHomeServer). It is written to accounts that have none; a
	// change would give them a new empty mailbox on UCS's own mail server.
	MailHomeServer string
	MailQuotaMB    int // univentionMailUserQuota
	OXQuotaMB      int // oxUserQuota: files; -1: no limit
}

// attrs are the attributes with their values; "" leaves one alone.
func (x Extras) attrs(context schoolmail.ContextID) []extra {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return itoa(n)
	}
	out := []extra{{"univentionMailHomeServer", x.MailHomeServer, false},
		{"univentionMailUserQuota", number(x.MailQuotaMB), true}}
	if context != 0 {
		out = append(out, extra{"oxUserQuota", number(x.OXQuotaMB), true})
	}
	return out
}

type extra struct {
	attr, value string
	follows     bool // may be changed
}

// extras returns what belongs to an account besides what is in it.
func (c *Client) extras(a schoolmail.Account) Extras {
	x := Extras{MailHomeServer: c.opts.MailHomeServer}
	if c.opts.Extras != nil {
		y := c.opts.Extras(a)
		if y.MailHomeServer == "" {
			y.MailHomeServer = x.MailHomeServer
		}
		x = y
	}
	return x
}

// profile returns the access profile of an account as UDM calls it; "": not
// known.
func (c *Client) profile(a schoolmail.Account) string {
	if a.Access == "" {
		return c.opts.OXAccess
	}
	if p, ok := c.opts.OXProfiles[a.Access]; ok {
		return p
	}
	return a.Access
}

// decodePlace reads where the account has its place in OX, and whether access
// and quota are as they were given.
func (c *Client) decodePlace(l *live) {
	a := &l.acct
	if !strings.EqualFold(l.e.value("isOxUser"), "OK") {
		return
	}
	switch ids := l.e.values("oxContextIDNum"); len(ids) {
	case 0:
	case 1:
		n, err := strconv.Atoi(ids[0])
		if err != nil || n < 1 || strconv.Itoa(n) != ids[0] {
			l.warn("oxContextIDNum is not a context number")
		} else {
			a.Context = schoolmail.ContextID(n)
		}
	default:
		l.warn("oxContextIDNum has several values")
	}
}

// decodeAccess takes over what somebody else has written to oxAccess, so that a
// plan sees it and sets it right. An account without the attribute is as it was
// given; the attribute is filled in whenever the account is written.
func (c *Client) decodeAccess(l *live) {
	a := &l.acct
	have := l.e.value("oxAccess")
	if a.Context == 0 || a.Access == "" || have == "" || have == c.profile(*a) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.opts.OXProfiles)) {
		if c.opts.OXProfiles[name] == have {
			a.Access = name
			return
		}
	}
	a.Access = have
}

// decodeExtras remarks what is not as the options say.
func (c *Client) decodeExtras(l *live) {
	if c.opts.Extras == nil || !l.ours() || l.acct.State == schoolmail.Pending {
		return
	}
	for _, x := range c.extras(l.acct).attrs(l.acct.Context) {
		if have := l.e.value(x.attr); have != "" && x.value != "" && !strings.EqualFold(have, x.value) {
			l.remark(RemarkPlace, "")
			return
		}
	}
}

// setContext writes the OX attributes, in one request: a moment without a
// context would look like a deleted user to the OX Connector.
func (c *Client) setContext(m *mods, l *live, want schoolmail.Account) {
	if l.acct.Context != want.Context {
		if want.Context == 0 {
			m.set("isOxUser", "Not")
			m.set("oxContextIDNum")
		} else {
			if !l.e.has("objectClass", "oxUserObject") {
				m.delta("objectClass", nil, []string{"oxUserObject"})
				m.set("oxDisplayName", want.DisplayName)
			}
			if !strings.EqualFold(l.e.value("isOxUser"), "OK") {
				m.set("isOxUser", "OK")
			}
			m.set("oxContextIDNum", itoa(int(want.Context)))
		}
	}
	if want.Context != 0 {
		have := l.e.value("oxAccess")
		if p := c.profile(want); p != "" && (have == "" || l.acct.Access != want.Access) {
			m.set("oxAccess", p)
		}
	}
	c.setExtras(m, l, want)
}

// setExtras writes what is missing, and what the account had from the options
// and should now have differently.
func (c *Client) setExtras(m *mods, l *live, want schoolmail.Account) {
	before := c.extras(l.acct).attrs(want.Context)
	for i, x := range c.extras(want).attrs(want.Context) {
		have := l.e.value(x.attr)
		if x.value != "" && (have == "" || x.follows && before[i].value != x.value && have == before[i].value) {
			m.set(x.attr, x.value)
		}
	}
}
