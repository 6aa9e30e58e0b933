package migrate_test

import (
	"slices"
	"testing"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// A run ends between the STORE at the target and the note of it, and the source takes the change
// back: the state then knows the flags that the source has, and the target has others.
func TestFlagsTakenBackAfterAnInterruptedRun(t *testing.T) {
	t.Parallel()
	from, to := testlife.Of(dovecottest.Start())(t), testlife.Of(dovecottest.Start())(t)
	for _, s := range []*dovecottest.Server{from, to} {
		s.SetUsers(dovecottest.User{Name: "a", Password: "pw"})
	}
	a := account("a")
	c := client(t, from.IMAPAddr, "a")
	put(t, c, "INBOX", `\Answered`, "01-Feb-2020 10:00:00 +0100", mail(1, ""))
	dir := t.TempDir()
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), dir, &migrate.Options{Settle: settle, Attempts: 1})
	sync(t, m, a)
	want := []string{`\Answered`}
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1 +FLAGS (\Draft)`)
	do(t, c, `STORE 1 -FLAGS (\Answered)`)
	remove := to.InjectIMAP(dovecottest.IMAPFault{Command: "UID STORE", DisconnectAfter: true, Times: -1, Skip: 1})
	if _, err := m.Sync(t.Context(), a); err == nil {
		t.Fatal("the connection ended, and the run did not")
	}
	remove()
	if got := to.Messages("a", "INBOX")[0].Flags; slices.Equal(got, want) {
		t.Fatalf("the interrupted run changed nothing: %q", got)
	}
	do(t, c, `STORE 1 -FLAGS (\Draft)`)
	do(t, c, `STORE 1 +FLAGS (\Answered)`)
	sync(t, m, a)
	if got := to.Messages("a", "INBOX")[0].Flags; !slices.Equal(got, want) {
		t.Errorf("the target has %q, want %q", got, want)
	}
	if res := sync(t, m, a); res.Flags != 0 {
		t.Errorf("something to do again: %+v", res)
	}
}
