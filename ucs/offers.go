package ucs

import (
	"context"
	"strings"
)

// offers reports whether the server's schema knows an attribute or object class
// that not every release or installation has. The schema is read at the first
// question.
func (c *Client) offers(ctx context.Context, d *domain, name string) (bool, error) {
	c.mu.Lock()
	known := d.schema
	c.mu.Unlock()
	if known == nil {
		e, err := c.get(ctx, "cn=Subschema", "attributeTypes", "objectClasses")
		if err != nil {
			return false, err
		}
		known = map[string]bool{}
		for _, n := range optionalNames {
			known[n] = defines(e, n)
		}
		c.mu.Lock()
		d.schema = known
		c.mu.Unlock()
	}
	return known[name], nil
}

const (
	objectIdentifier = "univentionObjectIdentifier" // UCS 5.2-2 and later
	oxGroup          = "oxGroup"                    // where the OX packages are installed
)

var optionalNames = []string{objectIdentifier, oxGroup}

// defines reports whether a schema entry defines a name (RFC 4512 4.1: NAME 'a'
// or NAME ( 'a' 'b' )).
func defines(e *entry, name string) bool {
	if e == nil {
		return false
	}
	quoted := "'" + strings.ToLower(name) + "'"
	for _, list := range [][]string{e.values("attributeTypes"), e.values("objectClasses")} {
		for _, v := range list {
			if _, names, ok := strings.Cut(strings.ToLower(v), " name "); ok && strings.Contains(names, quoted) {
				return true
			}
		}
	}
	return false
}
