package ucstest

import (
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// result is an LDAP result: code 0 is success.
type result struct {
	code     uint16
	matched  string
	message  string
	referral string
}

func fail(code uint16, format string, args ...any) *result {
	return &result{code: code, message: fmt.Sprintf(format, args...)}
}

// checkValues applies the schema to the values of one attribute, as an add or
// a replace gives them.
func (s *schema) checkValues(a attr) *result {
	if a.at.operational {
		return fail(ldap.LDAPResultConstraintViolation, "%s: no user modification allowed", a.at.name)
	}
	if len(a.vals) == 0 {
		return fail(ldap.LDAPResultProtocolError, "%s: no values given", a.at.name)
	}
	for i, v := range a.vals {
		if !s.valid(a.at, v) {
			return fail(ldap.LDAPResultInvalidAttributeSyntax, "%s: value #%d invalid per syntax", a.at.name, i)
		}
	}
	if i, dup := s.duplicate(a); dup {
		return fail(ldap.LDAPResultAttributeOrValueExists, "%s: value #%d provided more than once", a.at.name, i)
	}
	return s.checkCount(a)
}

// checkCount refuses several values of a single-valued attribute, and the
// numbers that the constraint overlay of UCS refuses.
func (s *schema) checkCount(a attr) *result {
	if a.at.single && len(a.vals) > 1 {
		return fail(ldap.LDAPResultConstraintViolation, "%s: multiple values provided", a.at.name)
	}
	if (a.at.lower == "uidnumber" || a.at.lower == "gidnumber") && len(a.vals) > 0 && strings.HasPrefix(a.vals[0], "0") {
		return fail(ldap.LDAPResultConstraintViolation, "add breaks constraint on %s", a.at.name)
	}
	return nil
}

// checkShape applies the schema to an entry whose values are known to be good:
// one chain of structural classes, required and allowed attributes, naming
// attributes present. It returns the structural class.
func (s *schema) checkShape(rdn []ava, attrs []attr) (*objectClass, *result) {
	var classes []string
	for _, a := range attrs {
		if a.at.lower == "objectclass" {
			classes = a.vals
		}
	}
	sc, r := s.checkClasses(classes, attrs)
	if r != nil {
		return nil, r
	}
	for _, n := range rdn {
		if !s.hasValue(attrs, n) {
			return nil, fail(ldap.LDAPResultNamingViolation, "value of naming attribute '%s' is not present in entry",
				n.attr.name)
		}
	}
	return sc, nil
}

// checkEntry applies the schema to a new entry.
func (s *schema) checkEntry(rdn []ava, attrs []attr) (*objectClass, *result) {
	seen := map[*attrType]bool{}
	for _, a := range attrs {
		if seen[a.at] {
			return nil, fail(ldap.LDAPResultAttributeOrValueExists, "attribute '%s' provided more than once", a.at.name)
		}
		seen[a.at] = true
		if r := s.checkValues(a); r != nil {
			return nil, r
		}
	}
	return s.checkShape(rdn, attrs)
}

func (s *schema) duplicate(a attr) (int, bool) {
	if len(a.vals) < 2 {
		return 0, false
	}
	seen := make(map[string]bool, len(a.vals))
	for i, v := range a.vals {
		n := s.normalize(a.at.equality, v)
		if seen[n] {
			return i, true
		}
		seen[n] = true
	}
	return 0, false
}

func (s *schema) hasValue(attrs []attr, n ava) bool {
	want := s.normalize(n.attr.equality, n.value)
	for _, v := range valuesOf(attrs, n.attr) {
		if s.normalize(n.attr.equality, v) == want {
			return true
		}
	}
	return false
}

// checkClasses applies the object classes to the attributes.
func (s *schema) checkClasses(classes []string, attrs []attr) (*objectClass, *result) {
	if len(classes) == 0 {
		return nil, fail(ldap.LDAPResultObjectClassViolation, "no objectClass attribute")
	}
	all := map[string]bool{}
	var sc *objectClass
	for i, n := range classes {
		c := s.class(n)
		if c == nil {
			return nil, fail(ldap.LDAPResultInvalidAttributeSyntax, "objectClass: value #%d invalid per syntax", i)
		}
		for _, sup := range s.supers[strings.ToLower(c.name)] {
			all[sup] = true
		}
		if c.kind != structural {
			continue
		}
		switch {
		case sc == nil || contains(s.supers[strings.ToLower(c.name)], sc.name):
			sc = c
		case !contains(s.supers[strings.ToLower(sc.name)], c.name):
			return nil, fail(ldap.LDAPResultObjectClassViolation, "invalid structural object class chain (%s/%s)", sc.name,
				c.name)
		}
	}
	if sc == nil {
		return nil, fail(ldap.LDAPResultObjectClassViolation, "no structural object class provided")
	}
	for _, n := range classes {
		c := s.class(n)
		if c.kind == abstract && !strings.EqualFold(c.name, "top") && !s.hasSubclass(classes, c) {
			return nil, fail(ldap.LDAPResultObjectClassViolation, "instantiation of abstract objectClass '%s' not allowed",
				c.name)
		}
	}
	allowed := map[*attrType]bool{}
	for n := range all {
		c := s.classes[n]
		for _, at := range c.must {
			if valuesOf(attrs, at) == nil {
				return nil, fail(ldap.LDAPResultObjectClassViolation, "object class '%s' requires attribute '%s'", c.name, at.name)
			}
			allowed[at] = true
		}
		for _, at := range c.may {
			allowed[at] = true
		}
	}
	if all["extensibleobject"] {
		return sc, nil
	}
	for _, a := range attrs {
		if !allowed[a.at.base()] && a.at.lower != "objectclass" { // which slapd allows without class top, too
			return nil, fail(ldap.LDAPResultObjectClassViolation, "attribute '%s' not allowed", a.at.name)
		}
	}
	return sc, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (s *schema) hasSubclass(classes []string, super *objectClass) bool {
	for _, n := range classes {
		if !strings.EqualFold(n, super.name) && contains(s.supers[strings.ToLower(n)], super.name) {
			return true
		}
	}
	return false
}
