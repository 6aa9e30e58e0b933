package sitetest

import (
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// Estrange makes the district one that lives, but that schoolmail has never seen: source,
// record id and life-cycle text are taken from all accounts. It returns how many they
// were.
func (s *Sandbox) Estrange() (int, error) {
	c, err := ldap.DialURL(s.LDAP.URL)
	if err == nil {
		defer c.Close()
		err = c.Bind(s.LDAP.BindDN, s.LDAP.Password.Reveal())
	}
	if err != nil {
		return 0, fmt.Errorf("sandbox: directory: %w", err)
	}
	ours := []string{"ucsschoolSourceUID", "ucsschoolRecordUID", "univentionFreeAttribute20"}
	req := ldap.NewSearchRequest(s.LDAP.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(ucsschoolRecordUID=*)", ours, nil)
	res, err := c.SearchWithPaging(req, 500)
	if err != nil {
		return 0, fmt.Errorf("sandbox: directory: %w", err)
	}
	for _, e := range res.Entries {
		req := ldap.NewModifyRequest(e.DN, nil)
		for _, a := range ours {
			if len(e.GetAttributeValues(a)) > 0 {
				req.Delete(a, nil)
			}
		}
		if err := c.Modify(req); err != nil {
			return 0, fmt.Errorf("sandbox: directory: %w", err)
		}
	}
	return len(res.Entries), nil
}
