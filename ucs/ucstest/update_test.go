package ucstest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

func TestUpdates(t *testing.T) {
	person := func(dn string, extra ...ldap.Attribute) *ldap.AddRequest {
		r := ldap.NewAddRequest(dn, nil)
		r.Attribute("objectClass", []string{"top", "person", "inetOrgPerson"})
		r.Attribute("cn", []string{"x"})
		r.Attribute("sn", []string{"x"})
		r.Attribute("uid", []string{"new"})
		r.Attributes = append(r.Attributes, extra...)
		return r
	}
	attr := func(name string, v ...string) ldap.Attribute { return ldap.Attribute{Type: name, Vals: v} }
	at := "uid=new,cn=users," + base
	mod := func(dn string, f func(m *ldap.ModifyRequest)) func(c *ldap.Conn) error {
		return func(c *ldap.Conn) error {
			m := ldap.NewModifyRequest(dn, nil)
			f(m)
			return c.Modify(m)
		}
	}
	add := func(r *ldap.AddRequest) func(c *ldap.Conn) error {
		return func(c *ldap.Conn) error { return c.Add(r) }
	}
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		for _, tc := range []struct {
			name string
			do   func(c *ldap.Conn) error
			code uint16
		}{
			{"add", add(person(at)), 0},
			{"add again", add(person(strings.ToUpper(at))), ldap.LDAPResultEntryAlreadyExists},
			{"add without parent", add(person("uid=new,cn=nowhere," + base)), ldap.LDAPResultNoSuchObject},
			{"add outside", add(person("uid=new,dc=elsewhere")), ldap.LDAPResultUnwillingToPerform},
			{"add unknown attribute", add(person("uid=new,"+base, attr("nonsense", "1"))),
				ldap.LDAPResultUndefinedAttributeType},
			{"add attribute not allowed", add(person("uid=new,"+base, attr("uidNumber", "1"))),
				ldap.LDAPResultObjectClassViolation},
			{"add value twice", add(person("uid=new,"+base, attr("mail", "a@b", "A@B"))), ldap.LDAPResultAttributeOrValueExists},
			{"add two values to one", add(person("uid=new,"+base, attr("displayName", "a", "b"))),
				ldap.LDAPResultConstraintViolation},
			{"add bad number of a day", add(person("uid=new,"+base, attr("telephoneNumber", "Büro"))),
				ldap.LDAPResultInvalidAttributeSyntax},
			{"add empty value", add(person("uid=new,"+base, attr("displayName", ""))), ldap.LDAPResultInvalidAttributeSyntax},
			{"add operational attribute", add(person("uid=new,"+base, attr("memberOf", class))),
				ldap.LDAPResultConstraintViolation},
			{"add counter without top", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("cn=jan.bauer,"+base, nil)
				r.Attribute("objectClass", []string{"ucsschoolUsername"})
				r.Attribute("cn", []string{"jan.bauer"})
				r.Attribute("ucsschoolUsernameNextNumber", []string{"2"})
				return c.Add(r)
			}, 0},
			{"add without a class", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("cn=x,"+base, nil)
				r.Attribute("cn", []string{"x"})
				return c.Add(r)
			}, ldap.LDAPResultObjectClassViolation},
			{"add auxiliary classes only", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("cn=x,"+base, nil)
				r.Attribute("objectClass", []string{"top", "automount"})
				r.Attribute("cn", []string{"x"})
				return c.Add(r)
			}, ldap.LDAPResultObjectClassViolation},
			{"add unknown class", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("cn=x,"+base, nil)
				r.Attribute("objectClass", []string{"top", "nonsense"})
				r.Attribute("cn", []string{"x"})
				return c.Add(r)
			}, ldap.LDAPResultInvalidAttributeSyntax},
			{"add without a required attribute", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("uid=y,"+base, nil)
				r.Attribute("objectClass", []string{"top", "person", "inetOrgPerson"})
				r.Attribute("uid", []string{"y"})
				return c.Add(r)
			}, ldap.LDAPResultObjectClassViolation},
			{"add two structural classes", func(c *ldap.Conn) error {
				r := ldap.NewAddRequest("cn=x,"+base, nil)
				r.Attribute("objectClass", []string{"top", "posixGroup", "organizationalRole"})
				r.Attribute("cn", []string{"x"})
				r.Attribute("gidNumber", []string{"1"})
				return c.Add(r)
			}, ldap.LDAPResultObjectClassViolation},
			{"add an abstract class", func(c *ldap.Conn) error {
				r := person("uid=new," + base)
				r.Attributes[0].Vals = append(r.Attributes[0].Vals, "ucsschoolType")
				return c.Add(r)
			}, ldap.LDAPResultObjectClassViolation},
			{"the same identifier twice", func(c *ldap.Conn) error {
				r := person("uid=new,"+base, attr("univentionObjectType", "users/user"),
					attr("univentionObjectIdentifier", "CF403376-870f-51a9-80eb-09122a5ad0e5"))
				r.Attributes[0].Vals = append(r.Attributes[0].Vals, "univentionObject")
				return c.Add(r)
			}, ldap.LDAPResultConstraintViolation},

			{"abstract class beside its subclass", mod(ida, func(m *ldap.ModifyRequest) {
				m.Add("objectClass",
					[]string{"ucsschoolType"})
			}), 0},
			{"second value of a single-valued attribute", mod(anna, func(m *ldap.ModifyRequest) {
				m.Add("mailPrimaryAddress",
					[]string{"b@schulen.example"})
			}), ldap.LDAPResultConstraintViolation},
			{"second context", mod(anna, func(m *ldap.ModifyRequest) { m.Add("oxContextIDNum", []string{"102"}) }), 0},
			{"context back", mod(anna, func(m *ldap.ModifyRequest) { m.Delete("oxContextIDNum", []string{"102"}) }), 0},
			{"same address on two", mod(ida, func(m *ldap.ModifyRequest) {
				m.Add("mailPrimaryAddress",
					[]string{"anna.mueller@schulen.example"})
			}), 0},
			{"umlaut in IA5", mod(ida, func(m *ldap.ModifyRequest) {
				m.Replace("mailPrimaryAddress",
					[]string{"ä@schulen.example"})
			}), ldap.LDAPResultInvalidAttributeSyntax},
			{"umlaut in memberUid", mod(class, func(m *ldap.ModifyRequest) { m.Add("memberUid", []string{"ä"}) }),
				ldap.LDAPResultInvalidAttributeSyntax},
			{"ox class without its attributes gone", mod(anna, func(m *ldap.ModifyRequest) {
				m.Delete("objectClass",
					[]string{"oxUserObject"})
			}), ldap.LDAPResultObjectClassViolation},
			{"required attribute away", mod(anna, func(m *ldap.ModifyRequest) { m.Delete("sn", nil) }),
				ldap.LDAPResultObjectClassViolation},
			{"name away", mod(anna, func(m *ldap.ModifyRequest) { m.Replace("uid", []string{"other"}) }),
				ldap.LDAPResultNamingViolation},
			{"present value", mod(class, func(m *ldap.ModifyRequest) { m.Add("memberUid", []string{"anna.mueller"}) }),
				ldap.LDAPResultAttributeOrValueExists},
			{"present value in other letters, exact", mod(class, func(m *ldap.ModifyRequest) {
				m.Add("memberUid",
					[]string{"ANNA.mueller"})
			}), 0},
			{"present name in other letters", mod(class, func(m *ldap.ModifyRequest) {
				m.Add("uniqueMember",
					[]string{strings.ToUpper(anna)})
			}), ldap.LDAPResultAttributeOrValueExists},
			{"absent value", mod(class, func(m *ldap.ModifyRequest) { m.Delete("memberUid", []string{"nobody"}) }),
				ldap.LDAPResultNoSuchAttribute},
			{"absent attribute", mod(ida, func(m *ldap.ModifyRequest) { m.Delete("telephoneNumber", nil) }),
				ldap.LDAPResultNoSuchAttribute},
			{"absent attribute replaced by nothing", mod(ida, func(m *ldap.ModifyRequest) {
				m.Replace("telephoneNumber",
					nil)
			}), 0},
			{"same value twice in one add", mod(ida, func(m *ldap.ModifyRequest) { m.Add("mail", []string{"a@b", "a@b"}) }),
				ldap.LDAPResultAttributeOrValueExists},
			{"delete and add in one", mod(ida, func(m *ldap.ModifyRequest) {
				m.Delete("displayName", []string{"IDA ABEL"})
				m.Add("displayName", []string{"Ida A."})
			}), 0},
			{"all or nothing", mod(ida, func(m *ldap.ModifyRequest) {
				m.Replace("displayName", []string{"half"})
				m.Add("nonsense", []string{"1"})
			}), ldap.LDAPResultUndefinedAttributeType},
			{"operational attribute", mod(ida, func(m *ldap.ModifyRequest) {
				m.Replace("entryUUID",
					[]string{"cf403376-870f-51a9-80eb-09122a5ad0e5"})
			}), ldap.LDAPResultConstraintViolation},
			{"increment", mod(anna, func(m *ldap.ModifyRequest) { m.Increment("krb5KeyVersionNumber", "1") }), 0},
			{"number zero", mod(anna, func(m *ldap.ModifyRequest) { m.Replace("uidNumber", []string{"0"}) }),
				ldap.LDAPResultConstraintViolation},
			{"not a number", mod(anna, func(m *ldap.ModifyRequest) { m.Replace("uidNumber", []string{"many"}) }),
				ldap.LDAPResultInvalidAttributeSyntax},
			{"not a time", mod(ida, func(m *ldap.ModifyRequest) {
				m.Replace("ucsschoolPurgeTimestamp",
					[]string{"tomorrow"})
			}), ldap.LDAPResultInvalidAttributeSyntax},
			{"other structural class", mod(at, func(m *ldap.ModifyRequest) {
				m.Replace("objectClass",
					[]string{"top", "person"})
				m.Delete("uid", nil)
			}), 0xffff},
			{"modify nobody", mod("uid=nobody,"+base, func(m *ldap.ModifyRequest) { m.Replace("sn", []string{"x"}) }),
				ldap.LDAPResultNoSuchObject},

			{"delete with children", func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest("cn=users,"+base, nil)) },
				ldap.LDAPResultNotAllowedOnNonLeaf},
			{"delete nobody", func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest("uid=nobody,"+base, nil)) },
				ldap.LDAPResultNoSuchObject},
			{"rename onto somebody", func(c *ldap.Conn) error {
				return c.ModifyDN(ldap.NewModifyDNRequest(at, "uid=ida.abel", true, "cn=schueler,cn=users,ou=GSMitte,"+base))
			}, ldap.LDAPResultEntryAlreadyExists},
			{"move to nowhere", func(c *ldap.Conn) error {
				return c.ModifyDN(ldap.NewModifyDNRequest(at, "uid=new", true, "cn=nowhere,"+base))
			}, ldap.LDAPResultNoSuchObject},
			{"rename", func(c *ldap.Conn) error { return c.ModifyDN(ldap.NewModifyDNRequest(at, "uid=newer", true, "")) }, 0},
			{"delete", func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest("uid=newer,cn=users,"+base, nil)) }, 0},
		} {
			err := tc.do(c)
			if got := resultCode(err); got != tc.code && (tc.code != 0xffff || got == 0) {
				t.Errorf("%s: result %d (%v), want %d", tc.name, got, err, tc.code)
			}
		}
		res, err := search(c, ida, ldap.ScopeBaseObject, "(objectClass=*)", "displayName")
		if err != nil || res.Entries[0].GetAttributeValue("displayName") != "Ida A." {
			t.Errorf("after a refused change: %v", err)
		}
		for _, tc := range []struct {
			attr, value string
			want        bool
			code        uint16
		}{
			{"sn", "müller", true, 0}, {"sn", "mueller", false, 0}, {"oxContextIDNum", "101", true, 0},
			{"initials", "x", false, ldap.LDAPResultNoSuchAttribute},
		} {
			if got, err := c.Compare(anna, tc.attr, tc.value); got != tc.want || resultCode(err) != tc.code {
				t.Errorf("compare %s with %s: %v, %v", tc.attr, tc.value, got, err)
			}
		}
	})
}

// Groups, moves and deletions as the overlays of UCS do them.
func TestMembership(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		one := func(dn, attr string) []string {
			res, err := search(c, dn, ldap.ScopeBaseObject, "(objectClass=*)", attr)
			if err != nil {
				t.Fatal(err)
			}
			return res.Entries[0].GetAttributeValues(attr)
		}
		csn, groupCSN, uuid := one(ida, "entryCSN"), one(class, "entryCSN"), one(ida, "entryUUID")
		m := ldap.NewModifyRequest(class, nil)
		m.Add("uniqueMember", []string{ida})
		m.Add("memberUid", []string{"ida.abel"})
		if err := c.Modify(m); err != nil {
			t.Fatal(err)
		}
		if got := one(ida, "memberOf"); !slices.Equal(got, []string{class}) {
			t.Errorf("memberOf = %q", got)
		}
		if !slices.Equal(one(ida, "entryCSN"), csn) {
			t.Error("joining a group changed the entryCSN of the user")
		}
		if slices.Equal(one(class, "entryCSN"), groupCSN) {
			t.Error("the entryCSN of the group did not change")
		}
		members := func(want ...string) {
			t.Helper()
			slices.Sort(want)
			for range 2000 { // slapd's refint works a moment later
				if got := one(class, "uniqueMember"); slices.Equal(sorted(got), want) || !s.later {
					break
				}
			}
			if got := sorted(one(class, "uniqueMember")); !slices.Equal(got, want) {
				t.Errorf("uniqueMember = %q, want %q", got, want)
			}
		}
		moved := "uid=ida.abel,cn=lehrer,cn=users,ou=GSMitte," + base
		if err := c.ModifyDN(ldap.NewModifyDNRequest(ida, "uid=ida.abel", true,
			"cn=lehrer,cn=users,ou=GSMitte,"+base)); err != nil {
			t.Fatal(err)
		}
		members(anna, moved)
		if !slices.Equal(one(moved, "entryUUID"), uuid) {
			t.Error("entryUUID changed with the move")
		}
		if err := c.Del(ldap.NewDelRequest(moved, nil)); err != nil {
			t.Fatal(err)
		}
		members(anna)
		if got := sorted(one(class, "memberUid")); !slices.Equal(got, []string{"anna.mueller", "ida.abel"}) {
			t.Errorf("memberUid = %q: it does not follow", got)
		}
	})
}

func sorted(v []string) []string { slices.Sort(v); return v }

func TestControls(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		assert := func(filter string) ldap.Control {
			p, err := ldap.CompileFilter(filter)
			if err != nil {
				t.Fatal(err)
			}
			return ldap.NewControlString("1.3.6.1.1.12", true, string(p.Bytes()))
		}
		for _, tc := range []struct {
			name    string
			control ldap.Control
			code    uint16
		}{
			{"assertion true", assert("(sn=müller)"), 0},
			{"assertion false", assert("(!(sn=*))"), ldap.LDAPResultAssertionFailed},
			{"assertion undefined", assert("(nonsense=1)"), ldap.LDAPResultAssertionFailed},
			{"unknown critical", ldap.NewControlString("1.2.3.4.5", true, ""), ldap.LDAPResultUnavailableCriticalExtension},
			{"unknown", ldap.NewControlString("1.2.3.4.5", false, ""), 0},
			{"paging on a modify", &ldap.ControlString{ControlType: ldap.ControlTypePaging, Criticality: true,
				ControlValue: "x"}, 0xffff},
		} {
			m := ldap.NewModifyRequest(anna, []ldap.Control{tc.control})
			m.Replace("title", []string{"Dr."})
			if got := resultCode(c.Modify(m)); got != tc.code && (tc.code != 0xffff || got == 0) {
				t.Errorf("%s: result %d, want %d", tc.name, got, tc.code)
			}
		}
		req := ldap.NewSearchRequest(base, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil,
			[]ldap.Control{ldap.NewControlString("1.3.6.1.4.1.4203.1.9.1.1", true, "")})
		if _, err := c.Search(req); err == nil {
			t.Error("the sync control, which UCS does not offer, was accepted")
		}
	})
}

// A write can bring back the entry as it was and as it is (RFC 4527).
func TestReadControls(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		const oidPre, oidPost = "1.3.6.1.1.13.1", "1.3.6.1.1.13.2"
		list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		list.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "displayName", ""))
		both := []ldap.Control{&ldap.ControlString{ControlType: oidPre, ControlValue: string(list.Bytes())},
			&ldap.ControlString{ControlType: oidPost, Criticality: true, ControlValue: string(list.Bytes())}}
		// shown decodes the entry in a control of an answer: [name, attributes].
		shown := func(controls []ldap.Control, oid string) string {
			ctl, ok := ldap.FindControl(controls, oid).(*ldap.ControlString)
			if !ok {
				return "nothing"
			}
			p, err := ber.DecodePacketErr([]byte(ctl.ControlValue))
			if err != nil || len(p.Children) != 2 {
				t.Fatalf("%v: %v", oid, err)
			}
			var out []string
			for _, a := range p.Children[1].Children {
				for _, v := range a.Children[1].Children {
					out = append(out, fmt.Sprint(a.Children[0].Value, "=", v.Value))
				}
			}
			return strings.Join(out, " ")
		}
		req := ldap.NewModifyRequest(anna, both)
		req.Replace("displayName", []string{"Dr. Anna"})
		res, err := c.ModifyWithResult(req)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := shown(res.Controls, oidPre), "displayName=Anna  Mueller"; got != want {
			t.Errorf("before: %s, want %s", got, want)
		}
		if got, want := shown(res.Controls, oidPost), "displayName=Dr. Anna"; got != want {
			t.Errorf("after: %s, want %s", got, want)
		}
		if res, err = c.ModifyWithResult(ldap.NewModifyRequest(anna, nil)); err == nil && len(res.Controls) != 0 {
			t.Errorf("controls without asking: %v", res.Controls)
		}
	})
}

// The Password Modify operation (RFC 3062): the administrator changes anybody's
// password, everybody their own, and without a new one the server makes one up.
func TestPasswordModify(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		admin := s.bind(t)
		as := func(dn, password string) *ldap.Conn {
			t.Helper()
			c, err := ldap.DialURL(s.url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			if dn == "" {
				return c
			}
			if err := c.Bind(dn, password); err != nil {
				t.Fatalf("bind as %s: %v", dn, err)
			}
			return c
		}
		try := func(c *ldap.Conn, who, old, fresh string) (string, uint16) {
			res, err := c.PasswordModify(ldap.NewPasswordModifyRequest(who, old, fresh))
			if err != nil {
				return "", resultCode(err)
			}
			return res.GeneratedPassword, 0
		}
		if _, code := try(admin, anna, "", "one"); code != 0 {
			t.Fatalf("the administrator: %d", code)
		}
		own := as(anna, "one")
		for _, tc := range []struct {
			what            string
			c               *ldap.Conn
			who, old, fresh string
			code            uint16
		}{
			{"nobody", as("", ""), anna, "one", "two", ldap.LDAPResultStrongAuthRequired},
			{"with a wrong old one", own, "", "none", "two", ldap.LDAPResultUnwillingToPerform},
			{"of somebody else", own, ida, "", "two", ldap.LDAPResultInsufficientAccessRights},
			{"of nobody", admin, "uid=nobody," + base, "", "two", ldap.LDAPResultNoSuchObject},
			{"one's own", own, "", "one", "two", 0},
		} {
			if _, code := try(tc.c, tc.who, tc.old, tc.fresh); code != tc.code {
				t.Errorf("%s: result %d, want %d", tc.what, code, tc.code)
			}
		}
		as(anna, "two")
		made, code := try(admin, anna, "", "")
		if code != 0 || len(made) < 6 {
			t.Fatalf("made up: %q, %d", made, code)
		}
		as(anna, made)
		res, err := search(admin, anna, ldap.ScopeBaseObject, "(objectClass=*)", "userPassword")
		if err != nil || !strings.HasPrefix(res.Entries[0].GetAttributeValue("userPassword"), "{SSHA}") {
			t.Errorf("stored: %v %v", res, err)
		}
	})
}

// Attributes may have options, as UDM writes translations: each is one of its own, and
// found and shown as the attribute without them.
func TestAttributeOptions(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		change := func(f func(*ldap.ModifyRequest)) error {
			m := ldap.NewModifyRequest(anna, nil)
			f(m)
			return c.Modify(m)
		}
		err := change(func(m *ldap.ModifyRequest) {
			m.Replace("description", []string{"teacher"})
			m.Replace("description;lang-de", []string{"Lehrerin"})
			m.Replace("description;lang-fr", []string{"enseignante"})
		})
		if err != nil {
			t.Fatal(err)
		}
		shown := func(names ...string) string {
			t.Helper()
			res, err := search(c, anna, ldap.ScopeBaseObject, "(objectClass=*)", names...)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, a := range res.Entries[0].Attributes {
				if strings.HasPrefix(a.Name, "description") {
					out = append(out, a.Name+"="+strings.Join(a.Values, "|"))
				}
			}
			slices.Sort(out)
			return strings.Join(out, " ")
		}
		all := "description;lang-de=Lehrerin description;lang-fr=enseignante description=teacher"
		for _, tc := range []struct {
			names []string
			want  string
		}{{nil, all}, {[]string{"description"}, all}, {[]string{"DESCRIPTION;LANG-DE"}, "description;lang-de=Lehrerin"},
			{[]string{"description;lang-it"}, ""}} {
			if got := shown(tc.names...); got != tc.want {
				t.Errorf("asked for %q: %s, want %s", tc.names, got, tc.want)
			}
		}
		for filter, want := range map[string]int{"(description=LEHRERIN)": 1, "(description;lang-de=lehrerin)": 1,
			"(description;lang-fr=Lehrerin)": 0, "(description=teacher)": 1, "(description;lang-de=*)": 1,
			"(description;lang-it=*)": 0} {
			res, err := search(c, base, ldap.ScopeWholeSubtree, filter, "1.1")
			if err != nil || len(res.Entries) != want {
				t.Errorf("%s: %v, %v, want %d", filter, res, err, want)
			}
		}
		for what, try := range map[string]struct {
			err  error
			code uint16
		}{
			"an option that is none": {change(func(m *ldap.ModifyRequest) { m.Add("description;x-y", []string{"x"}) }),
				ldap.LDAPResultUndefinedAttributeType},
			"an attribute that is none": {change(func(m *ldap.ModifyRequest) { m.Add("nothing;lang-de", []string{"x"}) }),
				ldap.LDAPResultUndefinedAttributeType},
			"gone by its own name": {change(func(m *ldap.ModifyRequest) { m.Delete("description;lang-de", nil) }), 0},
		} {
			if got := resultCode(try.err); got != try.code {
				t.Errorf("%s: %d, want %d", what, got, try.code)
			}
		}
		if got, want := shown("description"), "description;lang-fr=enseignante description=teacher"; got != want {
			t.Errorf("afterwards: %s, want %s", got, want)
		}
	})
}
