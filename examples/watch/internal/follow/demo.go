package follow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/district"
	"github.com/ictmedia/schoolmail/site/sitetest"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
	"github.com/ictmedia/schoolmail/ucs/udm"
)

// demonstrate enters pupils by hand in a sandbox that is watched, and measures how
// long it takes until they have everything. What the watch says goes to log.
func demonstrate(ctx context.Context, out, log io.Writer, people, pupils int) (err error) {
	fmt.Fprintf(out, "A made-up district of %d people on simulated servers, with the accounts of the night before.\n",
		people)
	sb, err := sitetest.StartPopulated(ctx, sitetest.WithPeople(people))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	hand, err := startEntry(sb)
	if err != nil {
		return err
	}
	defer hand.close()
	file, remove, err := districtFile(sb, hand.notifier.Addr)
	if err != nil {
		return err
	}
	defer remove()
	ready := &waitFor{Writer: log, word: "everybody is looked at", seen: make(chan struct{})}
	f, _, err := open(options{config: file, apply: true, now: sb.District.Today()}, ready)
	if err != nil {
		return err
	}
	defer f.close()
	inner, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { err = errors.Join(err, f.follow(inner)) })
	defer func() { stop(); watching.Wait() }()
	select {
	case <-ready.seen:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	fmt.Fprintf(out, "\nPupils entered by hand over UDM's API, one after the other: %d\n", pupils)
	return hand.enter(ctx, out, pupils)
}

// waitFor passes text on, and says when a word was in it.
type waitFor struct {
	io.Writer
	word string
	once sync.Once
	seen chan struct{}
}

func (w *waitFor) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.word) {
		w.once.Do(func() { close(w.seen) })
	}
	return w.Writer.Write(b)
}

// districtFile writes the sandbox's district file with a section [watch].
func districtFile(sb *sitetest.Populated, notifier string) (file string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "schoolmail-watch-*")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	export, file := filepath.Join(dir, "export"), filepath.Join(dir, "district.toml")
	delivered, err := sb.District.Export(nil)
	if err == nil {
		err = errors.Join(os.Mkdir(export, 0o700), delivered.WriteDir(export))
	}
	if err == nil {
		c := sb.Config(export, filepath.Join(dir, "state"))
		c.Watch = district.WatchSection{Notifier: notifier, SettleSeconds: 1, Adopt: []schoolmail.Role{schoolmail.RolePupil}}
		err = district.WriteFile(file, c)
	}
	if err != nil {
		remove()
		return "", nil, err
	}
	return file, remove, nil
}

// entry is somebody in an office who enters pupils.
type entry struct {
	sb       *sitetest.Populated
	notifier *ucstest.Notifier
	sim      *ucstest.UDM
	client   *udm.Client
	school   schoolmail.SchoolID
	class    string
}

func startEntry(sb *sitetest.Populated) (*entry, error) {
	e := &entry{sb: sb}
	for _, a := range sb.Accounts {
		if a.Role == schoolmail.RolePupil && len(a.Memberships) == 1 && len(a.Memberships[0].Classes) > 0 {
			e.school, e.class = a.Memberships[0].School, a.Memberships[0].Classes[0]
			break
		}
	}
	var err error
	if e.notifier, err = ucstest.StartNotifier(sb.LDAP); err != nil {
		return nil, err
	}
	if e.sim, err = ucstest.StartUDM(sb.LDAP.URL, sb.LDAP.BindDN, sb.LDAP.Password); err == nil {
		e.client, err = udm.New(e.sim.URL, e.sim.User, e.sim.Password, nil)
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *entry) close() {
	if e.sim != nil {
		e.sim.Close()
	}
	e.notifier.Close()
}

// pupil is the form that the office fills in; it knows nothing of record ids.
func (e *entry) pupil(n int) udm.User {
	name := fmt.Sprintf("neu.eintritt%d", n)
	ou := "ou=" + string(e.school) + "," + e.sb.LDAP.BaseDN
	return udm.User{Username: name, FirstName: "Neu", LastName: fmt.Sprintf("Eintritt%d", n), Password: "Xy7-ooP2-rr41",
		UnixHome:           "/home/" + string(e.school) + "/schueler/" + name,
		MailPrimaryAddress: name + "@lernende.example", EMail: []string{name + "@lernende.example"}, Student: true,
		School: []string{string(e.school)}, SchoolRoles: []string{"student:school:" + string(e.school)},
		PrimaryGroup: "cn=Domain Users " + string(e.school) + ",cn=groups," + ou,
		Groups: []string{"cn=Domain Users " + string(e.school) + ",cn=groups," + ou,
			"cn=schueler-" + strings.ToLower(string(e.school)) + ",cn=groups," + ou,
			"cn=" + string(e.school) + "-" + e.class + ",cn=klassen,cn=schueler,cn=groups," + ou}}
}

// enter enters pupils and waits for each until they have everything.
func (e *entry) enter(ctx context.Context, out io.Writer, pupils int) error {
	ou := "ou=" + string(e.school) + "," + e.sb.LDAP.BaseDN
	all := map[string][]time.Duration{}
	for n := range pupils {
		u := e.pupil(n + 1)
		if _, err := e.client.Create(ctx, udm.Users, u.Object("cn=schueler,cn=users,"+ou)); err != nil {
			return err
		}
		entered := time.Now()
		for _, what := range []struct {
			name  string
			there func(udm.User) bool
		}{{"place in Open-Xchange", e.placed}, {"mailbox", e.hasMailbox}, {"class book", e.inBook}} {
			for !what.there(u) {
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
					return fmt.Errorf("%s: %w", what.name, context.Cause(ctx))
				}
			}
			all[what.name] = append(all[what.name], time.Since(entered))
		}
	}
	fmt.Fprintf(out, "\nSeconds from the moment at which UDM has made the account, the quiet of a second included:\n\n")
	for _, name := range []string{"place in Open-Xchange", "mailbox", "class book"} {
		t := all[name]
		slices.Sort(t)
		fmt.Fprintf(out, "  %-22s median %.1f, longest %.1f\n", name, t[len(t)/2].Seconds(), t[len(t)-1].Seconds())
	}
	return nil
}

func (e *entry) placed(u udm.User) bool { return len(e.sb.OX.State().Find(u.Username)) > 0 }

func (e *entry) hasMailbox(u udm.User) bool {
	return len(e.sb.Dovecot.Mailboxes(u.MailPrimaryAddress)) > 0
}

// inBook reports whether a book that is named after the class has the pupil.
func (e *entry) inBook(u udm.User) bool {
	for _, c := range e.sb.OX.State().Find(u.Username) {
		titles := map[int]string{}
		for _, f := range e.sb.OX.State().Folders(c) {
			titles[f.ID] = f.Title
		}
		for _, x := range e.sb.OX.State().Contacts(c, 0) {
			if x.Fields["email1"] == u.MailPrimaryAddress && strings.Contains(titles[x.Folder], e.class) {
				return true
			}
		}
	}
	return false
}
