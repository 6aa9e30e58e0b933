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
		var classes []string
		if e != nil {
			for _, v := range e.values("objectClasses") {
				if n, ok := classWith(v, []string{"mailPrimaryAddress", "mailAlternativeAddress"}, "uid"); ok {
					classes = append(classes, n)
				}
			}
		}
		c.mu.Lock()
		d.addressClasses = classes
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

// addressClasses are the object classes of what has an address without being a
// person, as far as the schema tells: classes that allow one and do not demand a
// user name.
func (c *Client) addressClasses(ctx context.Context, d *domain) ([]string, error) {
	if _, err := c.offers(ctx, d, oxGroup); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.addressClasses, nil
}

// classWith returns the first name of an object class that allows one of the
// attributes and does not demand the other.
func classWith(definition string, attrs []string, demanded string) (string, bool) {
	_, name, ok := strings.Cut(definition, "NAME ")
	if !ok {
		return "", false
	}
	_, name, _ = strings.Cut(name, "'")
	name, rest, ok := strings.Cut(name, "'")
	if !ok {
		return "", false
	}
	allows := false
	must := false
	for w := range strings.FieldsSeq(strings.NewReplacer("(", " ( ", ")", " ) ", "$", " ").Replace(rest)) {
		switch {
		case w == "MUST":
			must = true
		case w == "MAY":
			must = false
		case containsFold(attrs, w):
			allows = true
		case must && strings.EqualFold(w, demanded):
			return "", false
		}
	}
	return name, allows
}

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
