package slapd

import (
	"crypto/tls"
	"os"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

// The base tree of ucstest loads into a real server, with this project's
// schema and, where a directory names them, with the vendors'.
func TestLoad(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"own schema": ""}
	if d := os.Getenv("SCHOOLMAIL_UCS_SCHEMA"); d != "" {
		dirs["vendors' schema"] = d
	}
	for name, dir := range dirs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			model := ucstest.New()
			if err := model.SeedSchools("gsmitte"); err != nil {
				t.Fatal(err)
			}
			s := Start(t, &Config{SchemaDir: dir})
			if err := s.Load(model.Entries()); err != nil {
				t.Fatal(err)
			}
			c, err := ldap.DialURL(s.LDAPSURL, ldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CertPool()}))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Bind(s.BindDN, s.Password.Reveal()); err != nil {
				t.Fatal(err)
			}
			res, err := c.Search(ldap.NewSearchRequest(s.BaseDN, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)",
				[]string{"1.1"}, nil))
			if err != nil || len(res.Entries) != model.Len() {
				t.Errorf("found %d entries, %v, want %d", len(res.Entries), err, model.Len())
			}
		})
	}
}
