package dovecot_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
)

// A layout says where the home of a login is.
type layout func(login string) string

var layouts = map[string]layout{
	"login":       func(login string) string { return login },
	"domain/name": func(login string) string { name, domain, _ := strings.Cut(login, "@"); return domain + "/" + name },
	"MD5":         func(login string) string { return fmt.Sprintf("%x", md5.Sum([]byte(login))) },
}

// rename is what a night does of a rename at the mail server.
func rename(ctx context.Context, c *dovecot.Client, from, to string) error {
	return dovecot.NewMailstore(c, nil, dovecot.Desired{}).MoveMailbox(ctx, schoolmail.Account{Mail: from},
		schoolmail.Account{Mail: to})
}

// testRenamed: whatever of the login is in the path of the home, the mail of the old login
// is at the new one after a rename, with folders, flags, subscriptions and UIDs, and so it
// is however often it is cut off and done again; what came to the old home since is
// carried, too.
func testRenamed(t *testing.T, s site) {
	for name, home := range layouts {
		testRenamedIn(t, s, name, home)
	}
}

func testRenamedIn(t *testing.T, s site, name string, home layout) {
	ctx, c := t.Context(), s.client(t)
	// Logins of their own: Dovecot 2.4 cannot be made to forget where a home was. Whoever
	// stands in for the old login later has its home, and is another to the server.
	first := strings.ToLower(name[:3])
	maiden, married, late := first+".zumthor@s.test", first+".abegg@s.test", first+".late@s.test"
	s.setUsers(t, account{name: maiden, home: home(maiden)}, account{name: married, home: home(married)},
		account{name: late, home: home(maiden)})
	for _, subject := range []string{"one", "two", "three"} {
		must(t, c.Save(ctx, maiden, "INBOX", message(subject)))
	}
	must(t, c.Expunge(ctx, maiden, "INBOX", "UID", "1"))
	must(t, c.CreateMailbox(ctx, maiden, "Klassen/7b", &dovecot.CreateOptions{Subscribe: true}))
	must(t, c.Save(ctx, maiden, "Klassen/7b", message("four")))
	must(t, c.AddFlags(ctx, maiden, []string{`\Seen`, "$Label1"}, "mailbox", "INBOX", "UID", "2"))
	before := get[dovecot.State](t)(c.Inspect(ctx, maiden))

	session, early := login(t, s, maiden), login(t, s, married)
	s.removeUsers(t, maiden)
	must(t, c.Save(ctx, married, "INBOX", message("arrived early")))

	// Every request may be the last, whether the server has heard it or not.
	for _, heard := range []bool{false, true} {
		for n := int32(0); ; n++ {
			cut := &cutOff{heard: heard}
			cut.left.Store(n)
			err := rename(ctx, s.client(t, dovecot.Options{HTTPClient: &http.Client{Transport: cut}}), maiden,
				married)
			if err == nil {
				if n < 4 {
					t.Errorf("%s: only %d requests", name, n)
				}
				break
			}
		}
	}
	must(t, rename(ctx, c, maiden, married))
	for who, r := range map[string]io.Reader{"old": session, "new": early} {
		if rest, _ := io.ReadAll(r); !strings.Contains(string(rest), "* BYE") {
			t.Errorf("%s: the session of the %s login was not ended", name, who)
		}
	}

	after := get[dovecot.State](t)(c.Inspect(ctx, married))
	wantSame(t, name+": subscriptions", after.Subscribed, before.Subscribed)
	wantSame(t, name+": INBOX", subjects(t, c, married, "INBOX"), []string{"2 two", "3 three", "4 arrived early"})
	wantSame(t, name+": folder", subjects(t, c, married, "Klassen/7b"), []string{"1 four"})
	for _, old := range before.Mailboxes {
		for _, m := range after.Mailboxes {
			if m.Mailbox == old.Mailbox && m.UIDValidity != old.UIDValidity && old.Messages > 0 {
				t.Errorf("%s: %s has another UIDVALIDITY", name, m.Mailbox)
			}
		}
	}
	rows := get[[]dovecot.ResultRow](t)(c.Fetch(ctx, married, []string{"uid"}, "mailbox", "INBOX", "SEEN", "KEYWORD",
		"$Label1"))
	wantSame(t, name+": flags", rows, []dovecot.ResultRow{{"uid": "2"}})

	// A mail server that had not heard of the rename has delivered to the old home.
	must(t, c.Save(ctx, late, "INBOX", message("arrived late")))
	must(t, rename(ctx, c, maiden, married))
	got := strings.Join(subjects(t, c, married, "INBOX"), ", ")
	for _, subject := range []string{"two", "three", "arrived early", "arrived late"} {
		if strings.Count(got, subject) != 1 {
			t.Errorf("%s: %q is not there once: %s", name, subject, got)
		}
	}
	kept := get[bool](t)(c.DeleteHome(ctx, before.User.Home))
	if !kept {
		t.Errorf("%s: the old home was not kept", name)
	}
	must(t, rename(ctx, c, maiden, married)) // the old home is gone: nothing to do
	if again := strings.Join(subjects(t, c, married, "INBOX"), ", "); again != got {
		t.Errorf("%s: with the old home gone %s, before %s", name, again, got)
	}
}

// testRenamedElsewhere: where the home does not follow from the login nothing is moved,
// and where it cannot be told whether it does, nothing is taken for done.
func testRenamedElsewhere(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	const from, to, moved = "vera.quirin@s.test", "vera.yersin@s.test", "vera.moved@s.test"
	const numbered = "vera.zumthor@s.test"
	s.setUsers(t, account{name: numbered, home: "4711"}, account{name: "vera.abegg@s.test", home: "4711"},
		account{name: to, home: "7f/vera.yersin"}, account{name: from, home: "a3/vera.quirin"},
		account{name: moved, home: "7f/vera.quirin"},
		account{name: "hugo.yersin@s.test", home: "h/hugo.yersin"}, account{name: "leo@s.test", home: "4712"})
	must(t, c.Save(ctx, numbered, "INBOX", message("kept")))
	must(t, c.Save(ctx, from, "INBOX", message("elsewhere")))
	s.removeUsers(t, numbered, from)

	must(t, rename(ctx, c, numbered, "vera.abegg@s.test"))
	wantSame(t, "the same home", len(get[[]dovecot.ResultRow](t)(c.Fetch(ctx, "vera.abegg@s.test", []string{"uid"},
		"mailbox", "INBOX"))), 1)
	must(t, rename(ctx, c, "otto.yersin@s.test", "hugo.yersin@s.test")) // no old home, and nothing that hides it
	wantKind(t, rename(ctx, c, "lea@s.test", "leo@s.test"), dovecot.ErrInvalid)

	for range 2 {
		err := rename(ctx, c, from, to)
		wantKind(t, err, dovecot.ErrInvalid)
		if err == nil || !strings.Contains(err.Error(), "make an empty directory") {
			t.Errorf("the error does not help: %v", err)
		}
	}
	// What the message asks for.
	must(t, c.Save(ctx, moved, "INBOX", message("found")))
	must(t, rename(ctx, c, from, to))
	wantSame(t, "the home that was moved", len(get[[]dovecot.ResultRow](t)(c.Fetch(ctx, to, []string{"uid"}, "mailbox",
		"INBOX"))), 1)
	wantKind(t, rename(ctx, c, from, "nobody@s.test"), dovecot.ErrNoUser)
}

// cutOff lets some requests pass and loses all others, or their answers.
type cutOff struct {
	left  atomic.Int32
	heard bool
}

func (c *cutOff) RoundTrip(r *http.Request) (*http.Response, error) {
	cut := c.left.Add(-1) < 0
	if cut && !(c.heard && c.left.Load() == -1) {
		return nil, errors.New("cut off")
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if cut && err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return nil, errors.New("cut off")
	}
	return resp, err
}
