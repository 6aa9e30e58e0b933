package dovecot_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
)

// connect starts a simulated server with one user and returns a client of it.
// A real site needs only dovecot.New with its URL and key.
func connect(names ...string) (*dovecot.Client, *dovecottest.Server) {
	srv, err := dovecottest.Start()
	if err != nil {
		panic(err)
	}
	for _, n := range names {
		srv.SetUsers(dovecottest.User{Name: n, Password: "pw", QuotaBytes: 2 << 30})
	}
	c, err := dovecot.New(srv.URL, &dovecot.Options{APIKey: schoolmail.Secret(srv.APIKey), MailRoot: "/srv/mail"})
	if err != nil {
		panic(err)
	}
	return c, srv
}

// A new account gets its folders, and a second run finds nothing to do.
func ExampleClient_Ensure() {
	c, srv := connect("m.muster@school.test")
	defer srv.Close()
	ctx := context.Background()
	want := dovecot.Desired{Mailboxes: []string{"Sent", "Archiv"}, QuotaBytes: 2 << 30}

	before, err := c.Inspect(ctx, "m.muster@school.test")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range before.Missing(want) {
		fmt.Println("missing:", m)
	}
	after, err := c.Ensure(ctx, "m.muster@school.test", want)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("missing then:", len(after.Missing(want)))
	// Output:
	// missing: mailbox "INBOX"
	// missing: mailbox "Sent"
	// missing: mailbox "Archiv"
	// missing: subscription "Archiv"
	// missing then: 0
}

// A marriage: the login changes, and the mail comes along.
func ExampleClient_MoveMail() {
	c, srv := connect("a.meier@school.test")
	defer srv.Close()
	ctx := context.Background()
	if err := c.Save(ctx, "a.meier@school.test", "INBOX", "Subject: Elternabend\r\n\r\n...\r\n"); err != nil {
		fmt.Println(err)
		return
	}

	before, err := c.Inspect(ctx, "a.meier@school.test") // and into the journal with it
	if err != nil {
		fmt.Println(err)
		return
	}
	// The directory is changed:
	srv.RemoveUsers("a.meier@school.test")
	srv.SetUsers(dovecottest.User{Name: "a.mueller@school.test"})

	after, err := c.MoveMail(ctx, before, "a.mueller@school.test")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(after.Mailboxes[0].Mailbox, after.Mailboxes[0].Messages)
	deleted, err := c.DeleteHome(ctx, before.User.Home)
	fmt.Println(deleted, err)
	// Output:
	// INBOX 1
	// true <nil>
}

// The end of an account: out of all sessions, and all mail away.
func ExampleClient_RemoveMail() {
	c, srv := connect("m.muster@school.test")
	defer srv.Close()
	srv.AddMessage("m.muster@school.test", "Privat", dovecottest.Message{Body: []byte("Subject: x\r\n\r\n")})

	if err := c.RemoveMail(context.Background(), "m.muster@school.test"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", srv.Mailboxes("m.muster@school.test"))
	// Output: ["INBOX"]
}

func ExampleError() {
	c, srv := connect("m.muster@school.test")
	defer srv.Close()
	err := c.DeleteMailbox(context.Background(), "m.muster@school.test", "Entwurf", nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, dovecot.ErrNotFound))
	// Output:
	// dovecot: mailboxDelete "Entwurf" of user "m.muster@school.test": not found (exit code 68)
	// true
}

// Many questions in one request.
func ExampleClient_Batch() {
	c, srv := connect("a@school.test", "b@school.test")
	defer srv.Close()
	var calls []dovecot.Call
	for _, u := range []string{"a@school.test", "nobody@school.test", "b@school.test"} {
		calls = append(calls, dovecot.Call{Command: "mailboxStatus", Params: dovecot.Params{
			"user": u, "field": []string{"messages"}, "mailboxMask": []string{"INBOX"}}})
	}
	results, err := c.Batch(context.Background(), calls...)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		fmt.Println(r.Rows, errors.Is(r.Err, dovecot.ErrNoUser))
	}
	// Output:
	// [map[mailbox:INBOX messages:0]] false
	// [] true
	// [map[mailbox:INBOX messages:0]] false
}
