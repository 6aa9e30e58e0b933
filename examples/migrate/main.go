// Command migrate brings mailboxes from one IMAP server, such as Cyrus, to
// another, such as Dovecot.
//
//	go run ./examples/migrate
//
// shows it on two servers in the process. With -from and -to, or -config, it
// works on a site's servers:
//
//	migrate -from imaps://cyradm@old.example -to imaps://master@new.example \
//	        -users pilot.txt -state /var/lib/migrate -report pilot.json
//
// The first copy can be made from the files of Cyrus, which is faster and keeps UIDs:
//
//	migrate -spool /var/spool/cyrus/mail -maildir /srv/mail/%u/Maildir -state /var/lib/migrate
//
// Run it as often as you like; -h explains all flags.
package main

import (
	"github.com/ictmedia/schoolmail/examples/migrate/internal/program"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(program.Main) }
