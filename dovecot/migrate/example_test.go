package migrate_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// A mailbox from an old server to a new one, by the admins of both.
func Example() {
	from, err := dovecottest.Start(dovecottest.WithMailboxes())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer from.Close()
	to, err := dovecottest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer to.Close()
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a.muster", Password: "secret"})
	}
	for i := range 3 {
		from.AddMessage("a.muster", "Gesendet", dovecottest.Message{Flags: []string{`\Seen`},
			Body: fmt.Appendf(nil, "Subject: %d\r\n\r\nText\r\n", i)})
	}
	state, err := os.MkdirTemp("", "migrate")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(state)

	server := func(s *dovecottest.Server) migrate.Server { // on a site: Security is left at its default
		return migrate.Server{Addr: s.IMAPAddr, Security: migrate.Insecure, Admin: s.MasterUser,
			AdminPassword: schoolmail.Secret(s.MasterPassword)}
	}
	m := migrate.New(server(from), server(to), state, nil)
	account := migrate.Account{Name: "a.muster", Source: migrate.Login{User: "a.muster"},
		Target: migrate.Login{User: "a.muster"}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	for range 2 {
		res, err := m.Sync(ctx, account)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %d copied, %d failed\n", res.Stage, res.Copied, res.Failed)
	}
	cert, err := m.Verify(ctx, account, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range cert.Folders {
		fmt.Printf("%s from %v: %d of %d equal\n", f.Target, f.Sources, f.Equal, f.SourceMessages)
	}
	// Output:
	// delta: 3 copied, 0 failed
	// delta: 0 copied, 0 failed
	// INBOX from [INBOX]: 0 of 0 equal
	// Sent from [Gesendet]: 3 of 3 equal
}

func ExampleRoleOfName() {
	for _, name := range []string{"Gesendete Objekte", "E\u0301le\u0301ments envoye\u0301s", "POSTA INVIATA",
		"Klasse 7b"} {
		fmt.Printf("%q\n", migrate.RoleOfName(name))
	}
	// Output:
	// "Sent"
	// "Sent"
	// "Sent"
	// ""
}
