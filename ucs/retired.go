package ucs

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// retire reserves names for ever: one entry of class ucsschoolUsername named
// after the first, with the others as further values of cn.
func (c *Client) retire(ctx context.Context, d *domain, names []string, today schoolmail.Date) error {
	var list []string
	for _, n := range names {
		if n = strings.ToLower(n); n != "" && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	dn := "cn=" + ldap.EscapeDN(list[0]) + "," + d.retired
	for try := 1; ; try++ {
		e, err := c.get(ctx, dn, "cn")
		if err != nil {
			return err
		}
		if e != nil {
			req := ldap.NewModifyRequest(dn, nil)
			var add []string
			for _, n := range list {
				if !e.has("cn", n) {
					add = append(add, n)
				}
			}
			if len(add) == 0 {
				return nil
			}
			req.Add("cn", add)
			err = c.modify(ctx, req)
		} else {
			req := ldap.NewAddRequest(dn, nil)
			req.Attribute("objectClass", []string{"top", "ucsschoolUsername", "univentionFreeAttributes"})
			req.Attribute("cn", list)
			req.Attribute(c.opts.StateAttribute, []string{lifeRecord{tombstone: true, retired: today}.String()})
			err = c.add(ctx, req)
			if code(err) == ldap.LDAPResultNoSuchObject {
				if err := c.retiredContainer(ctx, d); err != nil {
					return err
				}
			}
		}
		if err == nil || !again(err) || try == attempts || ctx.Err() != nil {
			return err
		}
	}
}

// retiredContainer makes the container, and cn=ucsschool above it should that
// be missing.
func (c *Client) retiredContainer(ctx context.Context, d *domain) error {
	parent := parentDN(d.retired)
	e := layout.Container(parent, firstRDN(d.retired))
	err := c.addUnlessThere(ctx, d, e)
	if code(err) != ldap.LDAPResultNoSuchObject {
		return err
	}
	if err := c.addUnlessThere(ctx, d, layout.Container(parentDN(parent), firstRDN(parent))); err != nil {
		return err
	}
	return c.addUnlessThere(ctx, d, e)
}

// reserveDropped reserves the addresses that a change takes away from an
// account: mail that still comes for them must not reach somebody else.
func (c *Client) reserveDropped(ctx context.Context, d *domain, l *live, want schoolmail.Account) error {
	for _, addr := range addresses(l.acct) {
		if slices.Contains(addresses(want), addr) {
			continue
		}
		if err := c.retire(ctx, d, []string{addr}, 0); err != nil {
			return err
		}
	}
	return nil
}
