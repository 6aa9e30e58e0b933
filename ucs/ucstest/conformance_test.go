package ucstest_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

const base = "dc=schulen,dc=example"

// target is a server that both kinds of test talk to.
type target struct {
	url      string
	password string
	later    bool // refint works a moment after the answer
}

// onBoth runs a test against this package's server and against slapd, loaded
// with the same small district.
func onBoth(t *testing.T, f func(t *testing.T, s target)) {
	t.Helper()
	t.Parallel()
	model := testlife.Of(ucstest.Start())(t)
	if err := model.SeedSchools("GSMitte"); err != nil {
		t.Fatal(err)
	}
	if err := model.LoadLDIF(sample); err != nil {
		t.Fatal(err)
	}
	entries := model.Entries()
	t.Run("slapd", func(t *testing.T) {
		s := slapd.Start(t, nil)
		if err := s.Load(entries); err != nil {
			t.Fatal(err)
		}
		f(t, target{s.URL, s.Password.Reveal(), true})
	})
	t.Run("ucstest", func(t *testing.T) { f(t, target{model.URL, model.Password.Reveal(), false}) })
}

func (s target) bind(t *testing.T) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Bind("cn=admin,"+base, s.password); err != nil {
		t.Fatal(err)
	}
	return c
}

func search(c *ldap.Conn, dn string, scope int, filter string, attrs ...string) (*ldap.SearchResult, error) {
	return c.Search(ldap.NewSearchRequest(dn, scope, 0, 0, 0, false, filter, attrs, nil))
}

func resultCode(err error) uint16 {
	if e, ok := err.(*ldap.Error); ok {
		return e.ResultCode
	}
	if err != nil {
		return 999
	}
	return 0
}

const (
	anna  = "uid=anna.mueller,cn=lehrer,cn=users,ou=GSMitte," + base
	ida   = "uid=ida.abel,cn=schueler,cn=users,ou=GSMitte," + base
	class = "cn=GSMitte-1a,cn=klassen,cn=schueler,cn=groups,ou=GSMitte," + base
)

// sample are a teacher, a pupil and their class.
const sample = `version: 1
# A teacher with everything that UDM writes.
dn: ` + anna + `
objectClass: top
objectClass: person
objectClass: organizationalPerson
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: shadowAccount
objectClass: sambaSamAccount
objectClass: krb5Principal
objectClass: krb5KDCEntry
objectClass: univentionPWHistory
objectClass: univentionMail
objectClass: univentionObject
objectClass: oxUserObject
objectClass: ucsschoolTeacher
univentionObjectType: users/user
univentionObjectIdentifier: cf403376-870f-51a9-80eb-09122a5ad0e5
uid: anna.mueller
cn: Anna Mueller
sn:: TcO8bGxlcg==
givenName: Anna
displayName: Anna  Mueller
uidNumber: 2001
gidNumber: 5100
homeDirectory: /home/GSMitte/lehrer/anna.mueller
userPassword: geheim
krb5PrincipalName: anna.mueller@SCHULEN.EXAMPLE
krb5KDCFlags: 126
krb5KeyVersionNumber: 1
sambaSID: S-1-5-21-1-2-3-5002
sambaAcctFlags: [U          ]
mailPrimaryAddress: anna.mueller@schulen.example
mail: anna.mueller@schulen.example
isOxUser: OK
oxContextIDNum: 101
telephoneNumber: +41 31 123 45 67
ucsschoolSchool: GSMitte
ucsschoolRecordUID: L-1001
ucsschoolSourceUID: asvbw
ucsschoolRole: teacher:school:GSMitte

dn: ` + ida + `
objectClass: top
objectClass: person
objectClass: inetOrgPerson
objectClass: univentionMail
objectClass: univentionObject
objectClass: ucsschoolStudent
univentionObjectType: users/user
uid: ida.abel
cn: Ida Abel
sn: Abel-Gro
 ß
displayName: Ida Abel
userPassword: {SSHA}!W6ph5Mm5Pz8GgiULbPgzG37mj9g=
ucsschoolSchool: GSMitte
ucsschoolRecordUID: s-4010
ucsschoolSourceUID: asvbw
ucsschoolRole: student:school:GSMitte

dn: ` + class + `
objectClass: top
objectClass: posixGroup
objectClass: univentionGroup
objectClass: sambaGroupMapping
objectClass: univentionObject
objectClass: ucsschoolGroup
univentionObjectType: groups/group
cn: GSMitte-1a
gidNumber: 5120
sambaGroupType: 2
univentionGroupType: -2147483646
sambaSID: S-1-5-21-1-2-3-11241
uniqueMember: ` + anna + `
memberUid: anna.mueller
ucsschoolRole: school_class:school:GSMitte
`

func TestFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		for _, tc := range []struct {
			filter string
			want   int
		}{
			{"(uid=ANNA.MUELLER)", 1},
			{"(mailPrimaryAddress=ANNA.mueller@Schulen.example)", 1},
			{"(isOxUser=ok)", 1},
			{"(&(ucsschoolSchool=gsmitte)(uid=*))", 2},
			{"(ucsschoolRecordUID=S-4010)", 1},
			{"(memberUid=ANNA.mueller)", 0},
			{"(krb5PrincipalName=Anna.mueller@SCHULEN.EXAMPLE)", 0},
			{"(univentionObjectType=Users/User)", 0},
			{"(univentionObjectType=users/user)", 2},
			{"(oxContextIDNum=0101)", 0},
			{"(oxContextIDNum=101)", 1},
			{"(sn=MÜLLER)", 1},
			{"(sn=mueller)", 0},
			{"(sn=muller)", 0},
			{"(sn=Abel-GROSS)", 0},
			{"(displayName=anna mueller)", 1}, // runs of blanks collapse
			{"(displayName=Anna   Mueller )", 1},
			{"(objectClass=ucsschoolType)", 2},
			{"(objectClass=person)", 2},
			{"(objectClass=2.16.840.1.113730.3.2.2)", 2},
			{"(uidNumber>=2001)", 1},
			{"(uidNumber>=2002)", 0},
			{"(&(uidNumber>=1)(uidNumber<=2001))", 1},
			{"(uidNumber=02001)", 0}, // not the syntax of a number: undefined
			{"(!(uidNumber=02001))", 0},
			{"(oxContextIDNum>=1)", 0},
			{"(uid=*.m*ll*)", 1},
			{"(uid=a*ll*ell*)", 0},
			{"(uid=ANNA*)", 1},
			{"(cn=*a mu*)", 1},
			{"(ucsschoolRole=school_class:school:*)", 1},
			{"(krb5PrincipalName=anna*)", 0}, // no substring rule
			{"(&(uid=*)(!(ucsschoolRole=teacher*)))", 1},
			{"(!(nonsense=1))", 0}, // undefined stays undefined
			{"(|(nonsense=1)(uid=ida.abel))", 1},
			{"(&(uid=ida.abel)(!(memberUid=x)))", 1},
			{"(uniqueMember=UID=anna.mueller, CN=lehrer,cn=users,OU=gsmitte,dc=schulen,dc=EXAMPLE)", 1},
			{"(memberOf=" + class + ")", 1},
			{"(&(objectClass=person)(memberOf=*))", 1},
			{"(krb5KDCFlags:1.2.840.113556.1.4.803:=2)", 1},
			{"(krb5KDCFlags:1.2.840.113556.1.4.803:=128)", 0},
			{"(uid:caseExactMatch:=anna.mueller)", 1},
			{"(uid:caseExactMatch:=Anna.mueller)", 0},
			{"(telephoneNumber=+4131-1234567)", 1},
			{"(entryUUID=00000000-0000-0000-0000-000000000000)", 0},
			{"(&)", -1}, {"(|)", 0},
			{"(&(uid=*)(ou:dn:=GSMITTE))", 2}, // the parts of the name count
			{"(&(uid=*)(ou:dn:=elsewhere))", 0},
			{"(&(uid=*)(cn:dn:=lehrer))", 1},
			{"(&(uid=*)(cn:=lehrer))", 0},
		} {
			res, err := search(c, base, ldap.ScopeWholeSubtree, tc.filter, "1.1")
			if err != nil {
				t.Errorf("%s: %v", tc.filter, err)
				continue
			}
			if n := len(res.Entries); n != tc.want && (tc.want >= 0 || n < 20) {
				t.Errorf("%s: %d entries, want %d", tc.filter, n, tc.want)
			}
		}
	})
}

func TestSearchScopesAndAttributes(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		users := "cn=users,ou=GSMitte," + base
		for _, tc := range []struct {
			base  string
			scope int
			want  int
			code  uint16
		}{
			{users, ldap.ScopeBaseObject, 1, 0},
			{users, ldap.ScopeSingleLevel, 5, 0},
			{users, ldap.ScopeWholeSubtree, 8, 0},
			{users, ldap.ScopeChildren, 7, 0},
			{"CN=Users , OU=gsmitte," + base, ldap.ScopeBaseObject, 1, 0},
			{"cn=nobody," + users, ldap.ScopeBaseObject, 0, ldap.LDAPResultNoSuchObject},
			{"dc=elsewhere", ldap.ScopeBaseObject, 0, ldap.LDAPResultNoSuchObject},
			{"nonsense", ldap.ScopeBaseObject, 0, ldap.LDAPResultInvalidDNSyntax},
		} {
			res, err := search(c, tc.base, tc.scope, "(objectClass=*)", "1.1")
			if resultCode(err) != tc.code || err == nil && len(res.Entries) != tc.want {
				t.Errorf("%s scope %d: %v, %d entries, want code %d and %d", tc.base, tc.scope, err, len(res.Entries), tc.code,
					tc.want)
			}
		}
		names := func(attrs ...string) []string {
			res, err := search(c, anna, ldap.ScopeBaseObject, "(objectClass=*)", attrs...)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, a := range res.Entries[0].Attributes {
				out = append(out, strings.ToLower(a.Name))
			}
			slices.Sort(out)
			return out
		}
		if got := names("1.1"); len(got) != 0 {
			t.Errorf("1.1 gives %q", got)
		}
		if got := names(); len(got) != 26 || slices.Contains(got, "memberof") || slices.Contains(got, "entryuuid") {
			t.Errorf("no attributes gives %d: %q", len(got), got)
		}
		if got, want := names("UID", "entryCSN", "memberOf", "nonsense"),
			[]string{"entrycsn", "memberof", "uid"}; !slices.Equal(got, want) {
			t.Errorf("chosen attributes: %q, want %q", got, want)
		}
		got := names("+")
		for _, n := range []string{"createtimestamp", "creatorsname", "entrycsn", "entrydn", "entryuuid", "hassubordinates",
			"memberof", "modifiersname", "modifytimestamp", "structuralobjectclass", "subschemasubentry"} {
			if !slices.Contains(got, n) {
				t.Errorf("+ lacks %s: %q", n, got)
			}
		}
		res, err := search(c, "", ldap.ScopeBaseObject, "(objectClass=*)", "namingContexts", "supportedControl")
		if err != nil || res.Entries[0].GetAttributeValue("namingContexts") != base ||
			!slices.Contains(res.Entries[0].GetAttributeValues("supportedControl"), ldap.ControlTypePaging) {
			t.Errorf("root DSE: %v", err)
		}
		res, err = search(c, "cn=Subschema", ldap.ScopeBaseObject, "(objectClass=*)", "objectClasses")
		if err != nil || !slices.ContainsFunc(res.Entries[0].GetAttributeValues("objectClasses"), func(v string) bool {
			return strings.Contains(v, "'ucsschoolStudent'")
		}) {
			t.Errorf("subschema: %v", err)
		}
	})
}

func TestPaging(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		c := s.bind(t)
		all, err := search(c, base, ldap.ScopeWholeSubtree, "(objectClass=*)", "1.1")
		if err != nil {
			t.Fatal(err)
		}
		page := ldap.NewControlPaging(5)
		req := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", []string{"1.1"},
			[]ldap.Control{page})
		seen := map[string]bool{}
		pages := 0
		for {
			res, err := c.Search(req)
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, e := range res.Entries {
				seen[e.DN] = true
			}
			next := ldap.FindControl(res.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
			if len(next.Cookie) == 0 {
				break
			}
			page.SetCookie(next.Cookie)
		}
		if n := len(all.Entries); len(seen) != n || pages != (n+4)/5 {
			t.Errorf("%d entries in %d pages, want %d", len(seen), pages, n)
		}
		page.SetCookie([]byte("made up!"))
		if _, err := c.Search(req); err == nil {
			t.Error("a made-up cookie was accepted")
		}
		limited := ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 3, 0, false, "(objectClass=*)", []string{"1.1"},
			nil)
		res, err := c.Search(limited)
		if resultCode(err) != ldap.LDAPResultSizeLimitExceeded || len(res.Entries) != 3 {
			t.Errorf("size limit: %v with %d entries", err, len(res.Entries))
		}
	})
}

func TestAccess(t *testing.T) {
	onBoth(t, func(t *testing.T, s target) {
		dial := func() *ldap.Conn {
			c, err := ldap.DialURL(s.url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			return c
		}
		c := dial()
		if _, err := search(c, base, ldap.ScopeWholeSubtree,
			"(uid=*)"); resultCode(err) != ldap.LDAPResultInsufficientAccessRights &&
			resultCode(err) != ldap.LDAPResultNoSuchObject {
			t.Errorf("anonymous search: %v", err)
		}
		for _, tc := range []struct {
			name, dn, password string
			code               uint16
		}{
			{"administrator", "cn=admin," + base, "wrong", ldap.LDAPResultInvalidCredentials},
			{"user", anna, "geheim", 0},
			{"user in other letters", strings.ToUpper(anna), "geheim", 0},
			{"wrong password", anna, "Geheim", ldap.LDAPResultInvalidCredentials},
			{"disabled", ida, "x", ldap.LDAPResultInvalidCredentials},
			{"nobody", "uid=nobody," + base, "x", ldap.LDAPResultInvalidCredentials},
			{"no DN", "nonsense", "x", ldap.LDAPResultInvalidDNSyntax},
		} {
			if err := dial().Bind(tc.dn, tc.password); resultCode(err) != tc.code {
				t.Errorf("bind as %s: %v, want %d", tc.name, err, tc.code)
			}
		}
		if err := dial().UnauthenticatedBind(anna); resultCode(err) != ldap.LDAPResultUnwillingToPerform {
			t.Errorf("bind without password: %v", err)
		}
		if err := c.Bind(anna, "geheim"); err != nil {
			t.Fatal(err)
		}
		who, err := c.WhoAmI(nil)
		if err != nil || !strings.EqualFold(who.AuthzID, "dn:"+anna) {
			t.Errorf("who am I: %v, %v", who, err)
		}
		res, err := search(c, anna, ldap.ScopeBaseObject, "(objectClass=*)", "uid", "userPassword")
		if err != nil || len(res.Entries) != 1 || len(res.Entries[0].GetAttributeValues("userPassword")) != 0 {
			t.Errorf("a user sees hashes: %v", err)
		}
		m := ldap.NewModifyRequest(ida, nil)
		m.Replace("displayName", []string{"x"})
		if err := c.Modify(m); resultCode(err) != ldap.LDAPResultInsufficientAccessRights {
			t.Errorf("a user writes: %v", err)
		}
	})
}

// slapd adds a naming value that the attributes lack. This package refuses it,
// to bring such an oversight to light.
func TestStricterNaming(t *testing.T) {
	t.Parallel()
	s := ucstest.New()
	err := s.Add("uid=other,cn=users,"+base, "objectClass", "person", "objectClass", "inetOrgPerson", "cn", "x", "sn",
		"x", "uid", "new")
	if err == nil || !strings.Contains(err.Error(), "naming attribute 'uid'") {
		t.Errorf("error = %v", err)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := testlife.Of(ucstest.Start())(t)
	cfg := &tls.Config{RootCAs: s.CertPool(), ServerName: "127.0.0.1"}
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(cfg); err != nil {
		t.Fatal(err)
	}
	if err := c.Bind(s.BindDN, s.Password.Reveal()); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.TLSConnectionState(); !ok {
		t.Error("not encrypted")
	}
	l, err := ldap.DialURL(s.LDAPSURL, ldap.DialWithTLSConfig(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Bind(s.BindDN, s.Password.Reveal()); err != nil {
		t.Fatal(err)
	}
}
