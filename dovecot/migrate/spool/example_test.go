package spool_test

import (
	"context"
	"fmt"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/spool"
)

// A first copy, as an operator would look at it. Without a spool it says so.
func Example() {
	c := spool.New(spool.Source{
		Partitions: []spool.Partition{{Data: "/no/such/spool"}},
		Config:     "/var/lib/cyrus",
	}, "/tmp/never-made", &spool.Options{
		Folders: migrate.FolderRules{Roles: map[migrate.Role]string{migrate.Sent: "Gesendete Objekte"}},
	})
	for _, o := range c.ConvertAll(context.Background(), []spool.Account{
		{Name: "a.muster", Maildir: "/srv/mail/a.muster/Maildir"},
	}) {
		if o.Err != nil {
			fmt.Println(o.Err)
			continue
		}
		fmt.Printf("%s: %d copied, %d folders left to IMAP\n", o.Account.Name, o.Result.Total.Copied,
			len(o.Result.LeftBehind))
		for _, p := range o.Result.Problems {
			fmt.Printf("%s, UID %d: %s: %s (%s)\n", p.Folder, p.UID, p.Kind, p.Text, p.Path)
		}
	}
	// Output:
	// spool: a.muster: open: no spool: open /no/such/spool: no such file or directory
}
