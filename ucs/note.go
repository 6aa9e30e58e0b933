package ucs

import (
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// Note reads a text that a site keeps in the directory under a name, such as
// who is running; "" if there is none. Whoever may read the directory may read
// it: nothing secret and nobody's data belong there.
//
// Notes are entries of class ucsschoolUsername below
// cn=schoolmail,cn=univention.
func (c *Client) Note(ctx context.Context, name string) (string, error) {
	d, err := c.load(ctx)
	if err != nil {
		return "", wrap("read note", name, err)
	}
	e, err := c.get(ctx, noteDN(d, name), c.opts.StateAttribute)
	if err != nil {
		return "", wrap("read note", name, err)
	}
	return strings.TrimPrefix(valueOf(e, c.opts.StateAttribute), notePrefix), nil
}

// SwapNote replaces a note if it still reads as old, and reports whether it did:
// of several who try at the same time, from whatever machine, one wins. An old
// of "" means that there must be none, a text of "" removes it. If the answer of
// the server is lost the error says so, and the note must be read to know.
func (c *Client) SwapNote(ctx context.Context, name, old, text string) (bool, error) {
	done, err := c.swapNote(ctx, name, old, text)
	return done, wrap("write note", name, err)
}

const notePrefix = "note:" // values are never empty, and never a life-cycle text

func noteDN(d *domain, name string) string {
	return "cn=" + ldap.EscapeDN(name) + ",cn=schoolmail,cn=univention," + d.base
}

func (c *Client) swapNote(ctx context.Context, name, old, text string) (bool, error) {
	if name == "" || old == text {
		return false, invalid("a note needs a name and another text than before")
	}
	d, err := c.load(ctx)
	if err != nil {
		return false, err
	}
	dn := noteDN(d, name)
	switch {
	case old == "":
		return c.addNote(ctx, d, dn, text)
	case text == "":
		return c.removeIf(ctx, dn, "("+c.opts.StateAttribute+"="+ldap.EscapeFilter(notePrefix+old)+")")
	}
	done, err := c.swap(ctx, dn, c.opts.StateAttribute, notePrefix+old, notePrefix+text)
	if code(err) == ldap.LDAPResultNoSuchObject {
		return false, nil
	}
	return done, err
}

func (c *Client) addNote(ctx context.Context, d *domain, dn, text string) (bool, error) {
	req := ldap.NewAddRequest(dn, nil)
	req.Attribute("objectClass", []string{"top", "ucsschoolUsername", "univentionFreeAttributes"})
	req.Attribute("cn", []string{firstRDN(dn)})
	req.Attribute(c.opts.StateAttribute, []string{notePrefix + text})
	err := c.add(ctx, req)
	if code(err) == ldap.LDAPResultNoSuchObject {
		if err := c.addUnlessThere(ctx, d, layout.Container("cn=univention,"+d.base, "schoolmail")); err != nil {
			return false, err
		}
		err = c.add(ctx, req)
	}
	if code(err) == ldap.LDAPResultEntryAlreadyExists {
		return false, nil
	}
	return err == nil, err
}

// removeIf removes an entry if a filter holds for it.
func (c *Client) removeIf(ctx context.Context, dn, filter string) (bool, error) {
	ctl, err := assertion(filter)
	if err != nil {
		return false, err
	}
	err = named(dn, c.pool.do(ctx, "delete", false, func(conn *ldap.Conn) error {
		return conn.Del(ldap.NewDelRequest(dn, []ldap.Control{ctl}))
	}))
	switch code(err) {
	case ldap.LDAPResultAssertionFailed, ldap.LDAPResultNoSuchObject:
		return false, nil
	}
	return err == nil, err
}
