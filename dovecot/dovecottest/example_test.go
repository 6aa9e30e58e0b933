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
	err := dovecottest.Run(func(ctx context.Context, srv *dovecottest.Server) error {
		srv.SetUsers(dovecottest.User{Name: "a.muster@school.test", Password: "secret"})
		c, err := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
		if err != nil {
			return err
		}
		if err := c.CreateMailbox(ctx, "a.muster@school.test", "Klasse 7b", nil); err != nil {
			return err
		}
		fmt.Printf("%q\n", srv.Mailboxes("a.muster@school.test"))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: ["INBOX" "Klasse 7b"]
}

// A fault: the server does the work, and the answer is lost on the way.
func ExampleServer_Inject() {
	srv, err := dovecottest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	srv.SetUsers(dovecottest.User{Name: "a.muster@school.test"})
	remove := srv.Inject(dovecottest.Fault{Command: "mailboxCreate", DisconnectAfter: true})
	defer remove()

	c, _ := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey)})
	err = c.CreateMailbox(context.Background(), "a.muster@school.test", "Archiv", nil)
	e, _ := errors.AsType[*dovecot.Error](err)
	fmt.Println(errors.Is(err, dovecot.ErrUnknownOutcome), "again blindly:", e.Temporary())
	fmt.Printf("%q\n", srv.Mailboxes("a.muster@school.test"))
	// Output:
	// true again blindly: false
	// ["Archiv" "INBOX"]
}
