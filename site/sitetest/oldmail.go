package sitetest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/site/district"
)

const (
	oldMaster         = "migration"
	oldMasterPassword = "sandbox-migration"
)

// pilot are mailboxes on the old mail server, for examples/migrate.
var pilot = []string{"pilot.1@schulen.example", "pilot.2@schulen.example", "pilot.3@schulen.example"}

// startOldMail starts the mail server that the district comes from, with a few
// mailboxes in German, which the new one knows as well.
func (s *Sandbox) startOldMail() error {
	if s.oldMail != nil {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.oldMail = dovecottest.New(dovecottest.WithSeparator("."), dovecottest.WithMailboxes(),
		dovecottest.WithMaster(oldMaster, oldMasterPassword))
	s.oldIMAP = l
	for i, user := range pilot {
		s.oldMail.SetUsers(dovecottest.User{Name: user, Password: UserPassword})
		s.Dovecot.SetUsers(dovecottest.User{Name: user, Password: UserPassword})
		for k, folder := range []string{"INBOX", "Gesendet", "Entwürfe", "Klasse 7b"} {
			for n := range 5 {
				if _, err := s.oldMail.AddMessage(user, folder, letter(i, k, n)); err != nil {
					l.Close()
					return err
				}
			}
		}
	}
	s.imapWG.Go(func() { serveIMAP(l, s.oldMail) })
	return nil
}

func letter(user, folder, n int) dovecottest.Message {
	date := time.Date(2026, 3, 1, 8, n, 0, 0, time.UTC)
	return dovecottest.Message{Flags: []string{`\Seen`}, Date: date, Body: fmt.Appendf(nil,
		"From: %s\r\nTo: %s\r\nSubject: Brief %d\r\nMessage-ID: <%d.%d.%d@schulen.example>\r\nDate: %s\r\n\r\nText.\r\n",
		pilot[user], pilot[0], n, user, folder, n, date.Format(time.RFC1123Z))}
}

// migrate is the section of examples/migrate; the list of its accounts is written too.
func (s *Sandbox) migrate(dir string) (district.MigrateSection, error) {
	if err := s.startOldMail(); err != nil {
		return district.MigrateSection{}, err
	}
	users := filepath.Join(dir, "pilot.txt")
	if err := atomicfile.WriteBytes(users, atomicfile.Private, []byte(strings.Join(pilot, "\n")+"\n")); err != nil {
		return district.MigrateSection{}, err
	}
	state := filepath.Join(dir, "migrate-state")
	if err := os.RemoveAll(state); err != nil { // of an earlier sandbox, whose mailboxes are gone
		return district.MigrateSection{}, err
	}
	return district.MigrateSection{
		From: "imap://" + oldMaster + "@" + s.oldIMAP.Addr().String(), FromPassword: oldMasterPassword,
		To: "imap://" + s.Dovecot.MasterUser + "@" + s.IMAPAddr(), ToPassword: schoolmail.Secret(s.Dovecot.MasterPassword),
		Insecure: true, Wave: "pilot", Users: users, StateDir: state,
	}, nil
}
