package ucstest_test

import (
	"fmt"
	"log"

	"github.com/go-ldap/ldap/v3"

	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

func Example() {
	s, err := ucstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.SeedSchools("gsmitte"); err != nil {
		log.Fatal(err)
	}

	// Any LDAP client will do.
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Bind(s.BindDN, s.Password.Reveal()); err != nil {
		log.Fatal(err)
	}
	res, err := c.Search(ldap.NewSearchRequest(s.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(ucsschoolRole=school_*_group:school:gsmitte)", []string{"cn"}, nil))
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range res.Entries {
		fmt.Println(e.GetAttributeValue("cn"))
	}
	fmt.Println(s.Counts()["search"], "search")
	// Output:
	// Domain Users gsmitte
	// schueler-gsmitte
	// lehrer-gsmitte
	// mitarbeiter-gsmitte
	// 1 search
}

// A server that is busy once, and one that loses an answer after the work.
func ExampleServer_Inject() {
	s, err := ucstest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	s.Inject(ucstest.Fault{Op: "bind", Code: ldap.LDAPResultBusy})
	s.Inject(ucstest.Fault{Op: "delete", Lose: ucstest.LoseAnswer})

	c, err := ldap.DialURL(s.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	err = c.Bind(s.BindDN, s.Password.Reveal())
	fmt.Println(ldap.IsErrorWithCode(err, ldap.LDAPResultBusy))
	fmt.Println(c.Bind(s.BindDN, s.Password.Reveal()))

	dn := "cn=policies," + s.BaseDN
	err = c.Del(ldap.NewDelRequest(dn, nil))
	fmt.Println("answer lost:", err != nil, "- done:", !s.Exists(dn))
	// Output:
	// true
	// <nil>
	// answer lost: true - done: true
}
