package dovecottest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
)

// A program that uses package dovecot is tested against a server of its own.
func Example() {
	srv := dovecottest.NewServer()
	defer srv.Close()
	srv.SetUsers(dovecottest.User{Name: "a.muster@school.test", Password: "secret"})

	c, err := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.CreateMailbox(context.Background(), "a.muster@school.test", "Klasse 7b", nil); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", srv.Mailboxes("a.muster@school.test"))
	// Output: ["INBOX" "Klasse 7b"]
}

// A fault: the server does the work, and the answer is lost on the way.
func ExampleServer_AddFault() {
	srv := dovecottest.NewServer()
	defer srv.Close()
	srv.SetUsers(dovecottest.User{Name: "a.muster@school.test"})
	srv.AddFault(dovecottest.Fault{Command: "mailboxCreate", DropAfter: true})

	c, _ := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
	err := c.CreateMailbox(context.Background(), "a.muster@school.test", "Archiv", nil)
	e, _ := errors.AsType[*dovecot.Error](err)
	fmt.Println(errors.Is(err, dovecot.ErrUnknownOutcome), "again blindly:", e.Temporary())
	fmt.Printf("%q\n", srv.Mailboxes("a.muster@school.test"))
	// Output:
	// true again blindly: false
	// ["Archiv" "INBOX"]
}
