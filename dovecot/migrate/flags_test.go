package migrate_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// A machine has changed flags at the target, and perhaps copied the messages before, and dies; all that
// is known is what it kept when it began. The source takes the changes back: whoever takes the account over does so at
// the target, too, and leaves there what its user has done to other messages.
func TestFlagsTakenBackAfterAMachineHasDied(t *testing.T) {
	t.Parallel()
	for _, copied := range []bool{false, true} {
		t.Run(fmt.Sprintf("copied before=%v", copied), func(t *testing.T) {
			t.Parallel()
			s := filled(t, 3)
			c, d := client(t, s.IMAPAddr, "a"), client(t, s.IMAPAddr, "b")
			do(t, c, "SELECT INBOX")
			do(t, c, `STORE 1:2 +FLAGS (\Flagged)`)
			q := &keeping{Queue: &oneAccount{name: "a"}, dir: t.TempDir(), kept: t.TempDir()}
			run := func() {
				t.Helper()
				q.Queue = &oneAccount{name: "a"}
				res, err := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), q.dir, quick()).RunWave(t.Context(),
					&migrate.Wave{Accounts: []migrate.Account{toB()}}, &migrate.WaveOptions{Queue: q})
				if err != nil || res.Failed() != 0 {
					t.Fatalf("%v, %+v", err, res)
				}
			}
			if copied {
				run()
				do(t, d, "SELECT INBOX")
				do(t, d, `STORE 3 +FLAGS (\Answered)`)
				do(t, c, `STORE 1 FLAGS (\Seen)`)
				do(t, c, `STORE 2 FLAGS (\Draft)`) // and not taken back
			}
			run()
			if err := os.CopyFS(q.dir+"/other", os.DirFS(q.kept)); err != nil {
				t.Fatal(err)
			}
			q.dir += "/other"
			do(t, c, `STORE 1 FLAGS (\Flagged)`)
			if !copied {
				do(t, c, `STORE 2 FLAGS ()`)
			}
			if err := migrate.TakenOver(q.dir, "a"); err != nil {
				t.Fatal(err)
			}
			run()
			do(t, c, `STORE 2 FLAGS ()`) // the state has to know what was found there
			run()
			var got []string
			for _, l := range read(t, s.IMAPAddr, "b")["INBOX"] {
				got = append(got, strings.Join(strings.Fields(l)[3:], ""))
			}
			slices.Sort(got)
			want := []string{"", "", `\flagged`}
			if copied {
				want[1] = `\answered`
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// oneAccount is a queue with one account.
type oneAccount struct {
	name string
	gone bool
}

func (q *oneAccount) Next(context.Context) (migrate.Lease, error) {
	if q.gone {
		return nil, migrate.ErrNoneLeft
	}
	q.gone = true
	return q, nil
}

func (q *oneAccount) Account() string { return q.name }

func (q *oneAccount) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func (q *oneAccount) Done(context.Context, migrate.AccountResult, bool) error { return nil }
func (q *oneAccount) Return(context.Context) error                            { return nil }

// keeping copies the state aside when it is asked to.
type keeping struct {
	migrate.Queue
	dir, kept string
}

func (q *keeping) Next(ctx context.Context) (migrate.Lease, error) {
	l, err := q.Queue.Next(ctx)
	return &keptLease{l, q}, err
}

type keptLease struct {
	migrate.Lease
	q *keeping
}

func (l *keptLease) Checkpoint(context.Context) {
	os.RemoveAll(l.q.kept)
	if err := os.CopyFS(l.q.kept, os.DirFS(l.q.dir)); err != nil {
		panic(err)
	}
}
