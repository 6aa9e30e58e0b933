package ucs

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// SetPassword gives an account of ours another password, as a first one is given
// (see [Options.Scheme] and ChangePassword). Nothing else changes. An account of another
// record, on hold, pending or deactivated, or whose log-in somebody has closed, is a
// conflict: a new password would open it.
func (c *Client) SetPassword(ctx context.Context, a schoolmail.Account, password schoolmail.Secret) error {
	a = tidyAccount(a)
	return wrap("set password", a.Username, c.setPassword(ctx, a, password))
}

func (c *Client) setPassword(ctx context.Context, a schoolmail.Account, password schoolmail.Secret) error {
	if err := c.writable(a); err != nil {
		return err
	}
	if password == "" {
		return invalid("password is empty")
	}
	d, err := c.load(ctx)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		l, err := c.lookupToWrite(ctx, a.Username, false)
		if err != nil {
			return err
		}
		if l == nil {
			return &Error{Kind: ErrNotFound, Err: errGone}
		}
		if err := mayEnter(l, a.Key); err != nil {
			return err
		}
		err = c.writePassword(ctx, d, l, password)
		if !again(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// mayEnter says why an account is not one that a password is given to.
func mayEnter(l *live, key schoolmail.RecordKey) error {
	flags, _ := strconv.Atoi(l.e.value("krb5KDCFlags"))
	switch {
	case l.acct.Key != key:
		return conflict("the user name belongs to another record")
	case l.acct.Held:
		return conflict("the account is on hold")
	case l.acct.State != schoolmail.Active && l.acct.State != schoolmail.Leaving:
		return conflict("the account is %s", l.acct.State)
	case l.e.value("shadowExpire") == "1", flags&kdcDisabled != 0, strings.Contains(l.e.value("sambaAcctFlags"), "D"),
		slices.ContainsFunc(l.e.values("userPassword"), func(v string) bool { return strings.Contains(v, "}!") }):
		return conflict("the log-in is closed")
	}
	return nil
}

// writePassword replaces every form of the password at once, if the account is still as
// it was read. The former one must open nothing any more: without Kerberos keys of the
// new password there are none.
func (c *Client) writePassword(ctx context.Context, d *domain, l *live, password schoolmail.Secret) error {
	now, err := c.get(ctx, l.e.dn, "pwhistory", "krb5KeyVersionNumber")
	if err != nil {
		return err
	}
	if now == nil {
		return &Error{Kind: ErrNotFound, Code: ldap.LDAPResultNoSuchObject, Err: errGone}
	}
	m := &mods{e: l.e, req: ldap.NewModifyRequest(l.e.dn, nil), password: password}
	attrs, err := c.passwordAttrs(ctx, d, l.e.value("uid"), parentDN(l.e.dn), password)
	if err != nil {
		return err
	}
	if v, err := strconv.Atoi(now.value("krb5KeyVersionNumber")); err == nil {
		attrs = append(attrs, layout.Attr{Name: "krb5KeyVersionNumber", Values: []string{itoa(v + 1)}})
	}
	given := map[string]bool{}
	for _, a := range attrs {
		given[a.Name] = true
		if a.Name == "pwhistory" {
			a.Values = []string{c.remembered(ctx, d, l.e.dn, now.value("pwhistory"), a.Values[0])}
		}
		m.req.Replace(a.Name, a.Values)
	}
	for _, name := range []string{"krb5Key", "shadowMax", "krb5PasswordEnd"} {
		if !given[name] { // of the former password; there may be none, and not everybody may read keys
			m.req.Replace(name, nil)
		}
	}
	if l.text != "" {
		m.assert = append(m.assert, "("+c.opts.StateAttribute+"="+ldap.EscapeFilter(l.text)+")")
	}
	return m.send(ctx, c)
}

// remembered are the passwords that may not be used again, with the new one as the
// last: as many as the policy wants.
func (c *Client) remembered(ctx context.Context, d *domain, dn, before, last string) string {
	all := append(strings.Fields(before), strings.Fields(last)...)
	if p, err := c.loadPolicies(ctx, d); err == nil { // passwordAttrs has read them
		all = all[max(0, len(all)-p.at(parentDN(dn)).history):]
	}
	return " " + strings.Join(all, " ")
}
