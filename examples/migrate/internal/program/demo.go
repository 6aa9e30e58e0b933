package program

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/dovecot/migrate/runner"
)

// demo migrates three mailboxes between two servers in the process: the plan,
// the first copy, a run with nothing to do, a day's changes, the cut-over and
// the certificate.
func demo(ctx context.Context, w io.Writer) error {
	from, err := dovecottest.Start(dovecottest.WithSeparator("."), dovecottest.WithMailboxes())
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := dovecottest.Start()
	if err != nil {
		return err
	}
	defer to.Close()
	dir, err := os.MkdirTemp("", "migrate-demo")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	var accounts []migrate.Account
	for _, user := range []string{"a.muster@school.test", "l.dubois@school.test", "p.bernasconi@school.test"} {
		from.SetUsers(dovecottest.User{Name: user, Password: "secret"})
		to.SetUsers(dovecottest.User{Name: user, Password: "secret"})
		accounts = append(accounts, migrate.Account{Name: user, Source: migrate.Login{User: user},
			Target: migrate.Login{User: user}})
	}
	if err := fill(from); err != nil {
		return err
	}

	server := func(s *dovecottest.Server) migrate.Server {
		return migrate.Server{Addr: s.IMAPAddr, Security: migrate.Insecure, Admin: s.MasterUser,
			AdminPassword: schoolmail.Secret(s.MasterPassword)}
	}
	p := newProgress(w, false)
	m := migrate.New(server(from), server(to), dir, &migrate.Options{Observer: migrate.ObserverFunc(func(e migrate.Event) {
		if _, wave := e.(migrate.WaveStatus); !wave { // the headings tell of the waves
			p.Observe(e)
		}
	})})

	fmt.Fprintln(w, "The plan: where every folder goes, before anything is copied")
	for _, a := range accounts {
		plan, err := m.Plan(ctx, a)
		if err != nil {
			return err
		}
		writePlan(w, a.Name, plan)
	}
	s := &settings{sample: 1}
	wave := &migrate.Wave{Name: "pilot school", Accounts: accounts, Parallel: 3}
	s.Wave = wave.Name
	round := func(title string) error {
		fmt.Fprintf(w, "\n%s\n", title)
		res, err := m.RunWave(ctx, wave, nil)
		if err != nil {
			return err
		}
		if n := res.Failed(); n > 0 {
			summary(w, res)
			return fmt.Errorf("migrate: %d accounts of the demonstration failed", n)
		}
		return nil
	}
	if err := round("The first copy"); err != nil {
		return err
	}
	if err := round("The same again: nothing to do"); err != nil {
		return err
	}
	for i, a := range accounts {
		if _, err := from.AddMessage(a.Name, "INBOX", message(1000+i)); err != nil {
			return err
		}
	}
	wave.CutOver = true
	if err := round("A new message each on the old system, then the cut-over"); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nThe certificate: both sides read again and compared")
	sum := runner.Certify(ctx, m, s.Wave, accounts, s.sample)
	certified(w, sum)
	if sum.Complete != sum.Accounts {
		return fmt.Errorf("migrate: the demonstration left %d messages behind", sum.Missing)
	}
	return nil
}

// fill gives each user the folders of a mail program in another language.
func fill(s *dovecottest.Server) error {
	boxes := map[string][]string{
		"a.muster@school.test": {"INBOX", "Gesendet", "Gesendete Objekte", "Entwürfe", "Papierkorb", "Klasse 7b",
			"Klasse 7b.Noten"},
		"l.dubois@school.test": {"INBOX", "Éléments envoyés", "Brouillons", "Corbeille", "Courrier indésirable",
			"Parents"},
		"p.bernasconi@school.test": {"INBOX", "Posta inviata", "Sent Items", "Bozze", "Cestino"},
	}
	n := 0
	for _, user := range slices.Sorted(maps.Keys(boxes)) {
		for _, box := range boxes[user] {
			for range 40 {
				n++
				if _, err := s.AddMessage(user, box, message(n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func message(n int) dovecottest.Message {
	flags := [][]string{{`\Seen`}, {`\Seen`, `\Answered`}, {}, {`\Flagged`, "$Label1"}}[n%4]
	date := time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
	return dovecottest.Message{Flags: flags, Date: date, Body: fmt.Appendf(nil,
		"From: a.muster@school.test\r\nTo: l.dubois@school.test\r\nSubject: Message %d\r\nMessage-ID: <%d@school.test>\r\n"+
			"Date: %s\r\n\r\nText of message %d.\r\n",
		n, n, date.Format(time.RFC1123Z), n)}
}
