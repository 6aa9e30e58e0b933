// Command migrate-machines migrates mailboxes on any number of machines, which share one queue:
//
//	migrate-machines -run pilot-first -listen 10.0.0.5:4222 -token-file token -store /var/lib/nats \
//	    -from imaps://cyradm@old.example -from-password old.txt \
//	    -to imaps://master@new.example -to-password new.txt -users pilot.txt -state /var/lib/migrate
//	migrate-machines -run pilot-first -nats nats://10.0.0.5:4222 -token-file token ...   # on each other machine
//
// -h explains all flags.
package main

import (
	"github.com/ictmedia/schoolmail/dovecot/migrate/jetstream/internal/program"
	"github.com/ictmedia/schoolmail/internal/cli"
)

func main() { cli.Main(program.Main) }
