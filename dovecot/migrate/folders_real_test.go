package migrate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// counts gives each filled folder's number of messages.
func (b box) counts() map[string]int {
	out := map[string]int{}
	for k, v := range b {
		if len(v) > 0 {
			out[k] = len(v)
		}
	}
	return out
}

// pairOnDovecot is two accounts of one Dovecot whose source has no special folders.
func pairOnDovecot(t *testing.T) (source, target *cyrusd.Conn, m *migrate.Migrator, a migrate.Account,
	look func() map[string]int) {
	t.Helper()
	from := dovecot(t, dovecotd.Config{Mailboxes: []dovecotd.Mailbox{}}, "a")
	to := dovecot(t, dovecotd.Config{}, "a")
	a = account("a")
	m = migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(),
		&migrate.Options{Settle: settle, MaxDeleted: 1})
	return client(t, from.IMAPAddr, "a"), client(t, to.IMAPAddr, "a"), m, a,
		func() map[string]int { return read(t, to.IMAPAddr, "a").counts() }
}

// Two folders meet in one: what is in both is there once, duplicates within one
// folder stay, and a message goes only when both have lost it.
func TestMergedFolders(t *testing.T) {
	t.Parallel()
	c, _, m, a, look := pairOnDovecot(t)
	do(t, c, "CREATE Gesendet")
	do(t, c, "CREATE %q", "Sent Items")
	for i := range 5 {
		put(t, c, "Gesendet", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	put(t, c, "Gesendet", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(0, "")) // twice on purpose
	for i := 3; i < 8; i++ {                                                  // 3 and 4 are in both
		put(t, c, "Sent Items", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	res := sync(t, m, a)
	if d := cmp.Diff(map[string]int{"Sent": 9}, look()); d != "" || res.Copied != 9 || res.Adopted != 2 {
		t.Errorf("%s %+v", d, res)
	}
	cert, err := m.Verify(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum := cert.Total(); !cert.Complete || sum.Shared != 2 || sum.Extra != 0 || sum.SourceMessages != 11 ||
		sum.TargetMessages != 9 {
		t.Errorf("%+v", sum)
	}
	do(t, c, "SELECT Gesendet")
	do(t, c, `STORE 4:5 +FLAGS (\Deleted)`) // 3 and 4, which the other folder still has
	do(t, c, `STORE 1 +FLAGS (\Deleted)`)   // one of the two 0
	do(t, c, "EXPUNGE")
	if res := sync(t, m, a); res.Deleted != 1 {
		t.Errorf("%+v", res)
	}
	do(t, c, "SELECT %q", "Sent Items")
	do(t, c, `STORE 1:2 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	if res := sync(t, m, a); res.Deleted != 2 {
		t.Errorf("%+v", res)
	}
	if d := cmp.Diff(map[string]int{"Sent": 6}, look()); d != "" {
		t.Error(d)
	}
}

// A folder renamed at the source is renamed in effect: the old one, which we
// had made, is gone when it is empty. One with the user's own mail stays.
func TestRenamedFolder(t *testing.T) {
	t.Parallel()
	c, d, m, a, look := pairOnDovecot(t)
	for _, f := range []string{"Klasse 7a", "Klasse 7b"} {
		do(t, c, "CREATE %q", f)
		put(t, c, f, "", "", mail(1, f))
		put(t, c, f, "", "", mail(2, f))
	}
	sync(t, m, a)
	put(t, d, "Klasse 7b", "", "", mail(3, "filed by the user"))
	do(t, c, "RENAME %q %q", "Klasse 7a", "Klasse 8a")
	do(t, c, "RENAME %q %q", "Klasse 7b", "Klasse 8b")
	res := sync(t, m, a)
	if diff := cmp.Diff(map[string]int{"Klasse 8a": 2, "Klasse 8b": 2, "Klasse 7b": 1}, look()); diff != "" {
		t.Errorf("%s %+v", diff, res)
	}
	if out := do(t, d, `LIST "" "Klasse*"`); strings.Contains(out, "7a") {
		t.Errorf("left: %s", out)
	}
	if res := sync(t, m, a); len(res.Folders) != 0 {
		t.Errorf("again: %+v", res.Folders[0])
	}
}

// A folder that the user removes at the target stays removed until new mail
// comes, and then holds only that.
func TestFolderRemovedAtTarget(t *testing.T) {
	t.Parallel()
	c, d, m, a, look := pairOnDovecot(t)
	do(t, c, "CREATE weg")
	for i := range 3 {
		put(t, c, "weg", "", "", mail(i, ""))
	}
	sync(t, m, a)
	do(t, d, "DELETE weg")
	do(t, c, "SELECT weg")
	do(t, c, `STORE 1 +FLAGS (\Seen)`)
	for range 2 {
		sync(t, m, a)
		if diff := cmp.Diff(map[string]int{}, look()); diff != "" {
			t.Error(diff)
		}
	}
	put(t, c, "weg", "", "", mail(9, ""))
	for range 2 {
		sync(t, m, a)
		if diff := cmp.Diff(map[string]int{"weg": 1}, look()); diff != "" {
			t.Error(diff)
		}
	}
	// Made anew by the user with other UIDs: what it lacks comes again, and it is said.
	do(t, d, "DELETE weg")
	do(t, d, "CREATE weg")
	put(t, d, "weg", "", "", mail(1, "")) // restored from a backup
	put(t, c, "weg", "", "", mail(10, ""))
	res := sync(t, m, a)
	if res.Adopted != 1 || res.Copied != 4 {
		t.Errorf("%+v", res)
	}
	if diff := cmp.Diff(map[string]int{"weg": 5}, look()); diff != "" ||
		!strings.Contains(strings.Join(res.Findings, " "), "made anew") {
		t.Errorf("%s %q", diff, res.Findings)
	}
}
