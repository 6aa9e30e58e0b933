package ucstest

import (
	"crypto/rand"
	"slices"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/passwd"
)

// changePassword is the Password Modify operation (RFC 3062) as slapd carries it out:
// the administrator changes anybody's, everybody their own, and without a new one the
// server makes one up and tells it.
func (c *conn) changePassword(value []*ber.Packet) (*result, []byte) {
	who, old, fresh, hasOld := c.user, "", "", false
	if len(value) > 0 {
		p, err := decodeValue(value[0].Data.Bytes())
		if err != nil {
			return fail(ldap.LDAPResultProtocolError, "the request cannot be read"), nil
		}
		for _, part := range p.Children {
			switch part.Tag {
			case 0:
				if who, err = c.s.schema.normalizeDN(part.Data.String()); err != nil {
					return fail(ldap.LDAPResultInvalidDNSyntax, "invalid DN"), nil
				}
			case 1:
				old, hasOld = part.Data.String(), true
			case 2:
				fresh = part.Data.String()
			}
		}
	}
	if c.user == "" {
		return fail(ldap.LDAPResultStrongAuthRequired, "only authenticated users may change passwords"), nil
	}
	var answer []byte
	if fresh == "" {
		fresh = rand.Text()[:8]
		answer = appendString(nil, 0x8b, string(appendString([]byte{}, 0x30, string(appendString(nil, 0x80, fresh)))))
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	e := c.s.tree.byDN[who]
	if e == nil {
		return fail(ldap.LDAPResultNoSuchObject, ""), nil
	}
	stored := e.get(c.s.schema.attr("userPassword"))
	switch {
	case hasOld && !slices.ContainsFunc(stored, func(v string) bool { return passwd.Check(v, old) }):
		return fail(ldap.LDAPResultUnwillingToPerform, "unwilling to verify old password"), nil
	case !c.admin && who != c.user:
		return fail(ldap.LDAPResultInsufficientAccessRights, "no write access"), nil
	}
	var salt [8]byte
	rand.Read(salt[:]) // never fails
	r := c.s.tree.modify(e, []change{{ldap.ReplaceAttribute, given{"userPassword",
		[]string{passwd.SSHA(fresh, salt[:])}}}}, c.user)
	if r == nil {
		c.s.logged("m", e.dn)
	}
	return r, answer
}
