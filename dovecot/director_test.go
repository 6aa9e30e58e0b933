package dovecot_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

func TestDirector(t *testing.T) {
	t.Parallel()
	t.Run("simulator", func(t *testing.T) {
		t.Parallel()
		sim := testlife.Of(dovecottest.Start(dovecottest.WithDirector("127.0.0.2", "127.0.0.3")))(t)
		sim.SetUsers(dovecottest.User{Name: "a@s.test"}, dovecottest.User{Name: "b@s.test"})
		testPlacement(t, newClient(t, sim.URL, &dovecot.Options{APIKey: "test-key"}))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		cl := dovecotd.StartCluster(t, dovecotd.Config{AuthCache: true, QuotaDict: true,
			Users: []dovecotd.User{{Name: "a@s.test", Password: "pw"}, {Name: "b@s.test", Password: "pw"}}})
		c := newClient(t, cl.Director.URL, &dovecot.Options{APIKey: schoolmail.Secret(cl.Director.APIKey),
			QuotaDict: cl.Director.QuotaDict,
			Hosts:     []string{cl.Backends[0].URL, cl.Backends[1].URL}})
		testPlacement(t, c)
		testCluster(t, cl, c)
	})
}

// testPlacement is what the director says and does, with two backends and the
// users a@s.test and b@s.test.
func testPlacement(t *testing.T, c *dovecot.Client) {
	ctx := t.Context()
	wantSame(t, "backends", get[[]dovecot.Backend](t)(c.Backends(ctx)),
		[]dovecot.Backend{{Host: "127.0.0.2", Up: true}, {Host: "127.0.0.3", Up: true}})
	now, hashed, err := c.BackendOf(ctx, "a@s.test")
	must(t, err)
	if now != "" || hashed != "127.0.0.2" && hashed != "127.0.0.3" {
		t.Errorf("before the first command: at %q, hashed %q", now, hashed)
	}

	// The first command places the user.
	must(t, c.CreateMailbox(ctx, "a@s.test", "X", nil))
	now, _, err = c.BackendOf(ctx, "a@s.test")
	must(t, err)
	wantSame(t, "placed", now, hashed)
	total := 0
	for _, b := range get[[]dovecot.Backend](t)(c.Backends(ctx)) {
		total += b.Users
	}
	wantSame(t, "users", total, 1)

	for _, to := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.3"} {
		move(t, c, "b@s.test", to)
		now, _, err = c.BackendOf(ctx, "b@s.test")
		must(t, err)
		wantSame(t, "moved", now, to)
	}
	wantKind(t, c.MoveBackend(ctx, "b@s.test", "10.0.0.9"), dovecot.ErrNotFound)
	wantKind(t, c.MoveBackend(ctx, "b*", "127.0.0.2"), dovecot.ErrInvalid)
}

// move tries until no earlier move of the user is under way.
func move(t *testing.T, c *dovecot.Client, user, to string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		err := c.MoveBackend(t.Context(), user, to)
		if e, ok := errors.AsType[*dovecot.Error](err); ok && e.Kind == dovecot.ErrTemporary && e.Temporary() &&
			time.Now().Before(end) {
			continue
		}
		must(t, err)
		return
	}
}

// testCluster is the life of an account behind a real director.
func testCluster(t *testing.T, cl *dovecotd.Cluster, c *dovecot.Client) {
	const user = "b@s.test" // placed on the second backend
	ctx := t.Context()
	want := dovecot.Desired{Mailboxes: []string{"Klassen/7b"}, QuotaBytes: 20 << 20}
	state := get[dovecot.State](t)(c.Ensure(ctx, user, want))
	wantSame(t, "missing", state.Missing(want), []string(nil))
	must(t, c.Save(ctx, user, "Klassen/7b", message("x")))
	for _, s := range []*dovecotd.Server{cl.Director, cl.Backends[0], cl.Backends[1]} {
		_, err := os.Stat(s.Home(user) + "/Maildir/.Klassen.7b")
		if found := err == nil; found != (s == cl.Backends[1]) {
			t.Errorf("mail at %s: %v", s.URL, found)
		}
	}
	wantKind(t, c.CreateMailbox(ctx, "nobody@s.test", "X", nil), dovecot.ErrNoUser)
	wantKind(t, c.CreateMailbox(ctx, user, "Klassen/7b", nil), dovecot.ErrExists)

	// Sessions are the backends' own.
	r := login(t, installed{cl.Backends[1]}, user)
	if x := get[[]dovecot.Session](t)(c.Who(ctx, user)); len(x) != 1 || x[0].Host != c.Hosts()[2] {
		t.Errorf("sessions: %+v", x)
	}
	if !get[bool](t)(c.Kick(ctx, user)) {
		t.Error("nobody was kicked")
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("the session: %v", err)
	}

	must(t, c.RemoveMail(ctx, user))
	if left := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user)); slices.ContainsFunc(left,
		func(m dovecot.MailboxStatus) bool { return m.Messages > 0 || m.Mailbox != "INBOX" }) {
		t.Errorf("left: %+v", left)
	}

	// The backend is down: no answer, and nothing that could be told from a
	// command that died. Those who are elsewhere do not notice.
	cl.Backends[1].Stop()
	wantKind(t, c.CreateMailbox(ctx, user, "Y", nil), dovecot.ErrUnknownOutcome)
	move(t, c, "a@s.test", cl.IPs[0])
	must(t, c.CreateMailbox(ctx, "a@s.test", "Y", nil))
	_, err := c.Kick(ctx, "a@s.test")
	wantKind(t, err, dovecot.ErrUnavailable)
}
