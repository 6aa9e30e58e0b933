package ucs

import (
	"cmp"
	"context"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail"
)

// Guardians returns those legal guardians of a pupil who have a mail address, in the
// order of their names in the directory. UCS@school 5.2v4 and later keep up to four of
// a pupil, in the pupil's attribute ucsschoolLegalGuardian; where there are none, or
// the directory knows no such attribute, nobody is returned. A guardian whose entry is
// gone or may not be read is left out.
func (c *Client) Guardians(ctx context.Context, username string) ([]schoolmail.Recipient, error) {
	list, err := c.guardians(ctx, username)
	return list, wrap("read guardians", username, err)
}

const legalGuardian = "ucsschoolLegalGuardian"

func (c *Client) guardians(ctx context.Context, username string) ([]schoolmail.Recipient, error) {
	d, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	pupils, err := c.find(ctx, query{d.base, ldap.ScopeWholeSubtree,
		"(&(objectClass=ucsschoolStudent)(uid=" + ldap.EscapeFilter(username) + "))", []string{legalGuardian}})
	if err != nil || len(pupils) != 1 {
		return nil, err
	}
	var list []schoolmail.Recipient
	for _, dn := range pupils[0].values(legalGuardian) {
		e, err := c.get(ctx, dn, "displayName", "givenName", "sn", "mailPrimaryAddress", "mail", "preferredLanguage")
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		r := schoolmail.Recipient{Relation: schoolmail.RelationGuardians, Language: e.value("preferredLanguage"),
			Name: cmp.Or(e.value("displayName"), strings.TrimSpace(e.value("givenName")+" "+e.value("sn"))),
			Mail: cmp.Or(e.value("mailPrimaryAddress"), e.value("mail"))}
		if r.Mail != "" {
			list = append(list, r)
		}
	}
	return list, nil
}
