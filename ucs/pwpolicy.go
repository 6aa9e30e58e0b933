package ucs

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/internal/layout"
)

// pwPolicy is what UDM's password policies (univentionPolicyPWHistory) say
// about passwords in one container.
type pwPolicy struct {
	history int // passwords remembered; 0: none
	expiry  int // days until a password must be changed; 0: never
}

// pwPolicies are all password policies of a domain and what refers to them.
type pwPolicies struct {
	policies map[string]*entry   // by normalised DN
	refs     map[string][]string // container to normalised DNs of policies
}

// loadPolicies reads the policies once.
func (c *Client) loadPolicies(ctx context.Context, d *domain) (*pwPolicies, error) {
	c.mu.Lock()
	p := d.policies
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p = &pwPolicies{policies: map[string]*entry{}, refs: map[string][]string{}}
	q := query{d.base, ldap.ScopeWholeSubtree,
		"(|(objectClass=univentionPolicyPWHistory)(objectClass=univentionPolicyReference))",
		[]string{"univentionPolicyReference", "univentionPWHistoryLen", "univentionPWExpiryInterval", "fixedAttributes",
			"emptyAttributes", "objectClass"}}
	for e, err := range c.pages(ctx, q) {
		if err != nil {
			return nil, err
		}
		n := normDN(e.dn)
		if e.has("objectClass", "univentionPolicyPWHistory") {
			p.policies[n] = e
		}
		for _, r := range e.values("univentionPolicyReference") {
			p.refs[n] = append(p.refs[n], normDN(r))
		}
	}
	c.mu.Lock()
	d.policies = p
	c.mu.Unlock()
	return p, nil
}

// at evaluates the policies for an entry in a container: the nearest that says
// something about an attribute decides, unless one above has fixed it.
func (p *pwPolicies) at(container string) pwPolicy {
	number := func(attr string) int {
		value := ""
		found := false
		for dn := normDN(container); dn != ""; dn = parentDN(dn) {
			for _, ref := range p.refs[dn] {
				e := p.policies[ref]
				if e == nil {
					continue
				}
				fixed := e.has("fixedAttributes", attr)
				switch {
				case found && !fixed:
				case e.has("emptyAttributes", attr):
					value, found = "", true
				case e.value(attr) != "":
					value, found = e.value(attr), true
				}
			}
		}
		n, _ := strconv.Atoi(value)
		return max(n, 0)
	}
	return pwPolicy{history: number("univentionPWHistoryLen"), expiry: number("univentionPWExpiryInterval")}
}

// expired makes of the attributes of a password those of one that must be changed at
// the next login, as UDM does for pwdChangeNextLogin.
func (p pwPolicy) expired(attrs []layout.Attr, now time.Time) []layout.Attr {
	most := 1
	if p.expiry > 0 {
		most = p.expiry
	}
	values := map[string]string{"sambaPwdLastSet": "0", "shadowMax": itoa(most),
		"shadowLastChange": itoa(int(now.Unix()/86400) - most - 1),
		"krb5PasswordEnd":  now.UTC().Format("20060102") + "000000Z"}
	out := slices.DeleteFunc(attrs, func(a layout.Attr) bool { return values[a.Name] != "" })
	for _, name := range slices.Sorted(maps.Keys(values)) {
		out = append(out, layout.Attr{Name: name, Values: []string{values[name]}})
	}
	return out
}

// attrs are what a password that is set now has beside its hashes.
func (p pwPolicy) attrs(hash string, now time.Time) []layout.Attr {
	var out []layout.Attr
	if p.history > 0 {
		// UDM writes a blank before the first.
		out = append(out, layout.Attr{Name: "pwhistory", Values: []string{" " + hash[strings.IndexByte(hash, '}')+1:]}})
	}
	if p.expiry > 0 {
		out = append(out, layout.Attr{Name: "shadowMax", Values: []string{itoa(p.expiry - 1)}},
			layout.Attr{Name: "krb5PasswordEnd", Values: []string{now.UTC().AddDate(0, 0,
				p.expiry).Format("20060102") + "000000Z"}})
	}
	return out
}
