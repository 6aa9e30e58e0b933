package ucs_test

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/slapd"
	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// backend is a directory to test against: the simulator or a real slapd.
type backend struct {
	url, ldaps     string
	base, bindDN   string
	password       schoolmail.Secret
	pool           *x509.CertPool
	sim            *ucstest.Server // nil: slapd
	asynchronously bool            // refint works a moment later
}

// onBoth runs a test against the simulator and against slapd.
func onBoth(t *testing.T, f func(t *testing.T, b *backend)) {
	t.Helper()
	t.Parallel()
	t.Run("ucstest", func(t *testing.T) {
		t.Parallel()
		f(t, newSim(t))
	})
	t.Run("slapd", func(t *testing.T) {
		t.Parallel()
		model := ucstest.New()
		if err := model.SeedSchools("gsmitte", "sek-nord"); err != nil {
			t.Fatal(err)
		}
		s := slapd.Start(t, nil)
		if err := s.Load(model.Entries()); err != nil {
			t.Fatal(err)
		}
		f(t, &backend{url: s.URL, ldaps: s.LDAPSURL, base: s.BaseDN, bindDN: s.BindDN, password: s.Password,
			pool: s.CertPool(), asynchronously: true})
	})
}

// newSim starts the simulator with two schools.
func newSim(t *testing.T) *backend {
	t.Helper()
	s := testlife.Of(ucstest.Start())(t)
	if err := s.SeedSchools("gsmitte", "sek-nord"); err != nil {
		t.Fatal(err)
	}
	return &backend{url: s.URL, ldaps: s.LDAPSURL, base: s.BaseDN, bindDN: s.BindDN, password: s.Password,
		pool: s.CertPool(), sim: s}
}

// client makes a client with cheap password hashes.
func (b *backend) client(t *testing.T, change func(*ucs.Options)) *ucs.Client {
	t.Helper()
	o := &ucs.Options{BindDN: b.bindDN, Password: b.password, Plaintext: true, Scheme: ucs.SSHA}
	if change != nil {
		change(o)
	}
	c, err := ucs.New(b.url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// conn is a plain connection of the administrator, to look behind the
// client's back.
func (b *backend) conn(t *testing.T) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(b.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Bind(b.bindDN, b.password.Reveal()); err != nil {
		t.Fatal(err)
	}
	return c
}

// values reads one attribute of one entry, sorted.
func (b *backend) values(t *testing.T, dn, attr string) []string {
	t.Helper()
	c, err := ldap.DialURL(b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(b.bindDN, b.password.Reveal()); err != nil {
		t.Fatal(err)
	}
	res, err := c.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)",
		[]string{attr}, nil))
	if err != nil {
		t.Fatalf("read %s: %v", dn, err)
	}
	v := res.Entries[0].GetEqualFoldAttributeValues(attr)
	slices.Sort(v)
	return v
}

func (b *backend) value(t *testing.T, dn, attr string) string {
	t.Helper()
	return strings.Join(b.values(t, dn, attr), "|")
}

// modify changes an entry behind the client's back. Values of "" delete.
func (b *backend) modify(t *testing.T, dn, attr string, values ...string) {
	t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attr, values)
	if err := b.conn(t).Modify(req); err != nil {
		t.Fatalf("modify %s: %v", dn, err)
	}
}

// add adds an entry of pairs of names and values.
func (b *backend) add(t *testing.T, dn string, pairs ...string) {
	t.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for i := 0; i < len(pairs); i += 2 {
		req.Attribute(pairs[i], strings.Split(pairs[i+1], "|"))
	}
	if err := b.conn(t).Add(req); err != nil {
		t.Fatalf("add %s: %v", dn, err)
	}
}

// canBind reports whether a password opens an account.
func (b *backend) canBind(t *testing.T, dn, password string) bool {
	t.Helper()
	c, err := ldap.DialURL(b.url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Bind(dn, password)
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		t.Fatalf("bind as %s: %v", dn, err)
	}
	return err == nil
}

func (b *backend) tls() *tls.Config { return &tls.Config{RootCAs: b.pool} }

const (
	gsmitte = "ou=gsmitte,dc=schulen,dc=example"
	seknord = "ou=sek-nord,dc=schulen,dc=example"
)

func groupDN(ou, cn string) string { return "cn=" + cn + ",cn=groups," + ou }

func classDN(ou, cn string) string { return "cn=" + cn + ",cn=klassen,cn=schueler,cn=groups," + ou }

// pupil is an account as the planner would make it.
func pupil() schoolmail.Account {
	return schoolmail.Account{
		Key: schoolmail.RecordKey{Source: "escada2", ID: "S-4001"}, Username: "ida.aebel", Role: schoolmail.RolePupil,
		GivenName: "Ida", FamilyName: "Äbel", DisplayName: "Ida Äbel",
		Mail: "ida.aebel@schulen.example", Aliases: []string{"i.aebel@schulen.example"}, Language: "de",
		Memberships: []schoolmail.Membership{{School: "gsmitte", Classes: []string{"1a", "chor"}}},
		Context:     101, State: schoolmail.Active,
	}
}

// teacher works at both schools.
func teacher() schoolmail.Account {
	return schoolmail.Account{
		Key: schoolmail.RecordKey{Source: "escada2", ID: "L-1001"}, Username: "anna.mueller", Role: schoolmail.RoleTeacher,
		GivenName: "Anna", FamilyName: "Müller", DisplayName: "Anna Müller", Mail: "anna.mueller@schulen.example",
		Phone: "+41 31 123 45 67", Language: "fr",
		Memberships: []schoolmail.Membership{{School: "gsmitte", Classes: []string{"1a"}}, {School: "sek-nord"}},
		Context:     102, State: schoolmail.Active,
	}
}

var accountOpts = cmpopts.IgnoreFields(schoolmail.Account{}, "DN")

// with returns a changed copy.
func with(a schoolmail.Account, change func(*schoolmail.Account)) schoolmail.Account {
	a.Aliases = slices.Clone(a.Aliases)
	a.Memberships = slices.Clone(a.Memberships)
	change(&a)
	return a
}
