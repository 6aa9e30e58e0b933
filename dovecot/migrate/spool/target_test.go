package spool

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// A target that provisioning and a curious user have touched before: folders
// are there, empty, with a UIDVALIDITY and indexes of their own, and one is
// open. The plan is made over IMAP, which knows of special use.
func TestProvisionedTarget(t *testing.T) {
	t.Parallel()
	from := cyrus(t, cyrusd.Config{ExpungeMode: "delayed"}, "anna")
	boxes := append(dovecotd.StandardMailboxes(), dovecotd.Mailbox{Name: "Archive", SpecialUse: `\Archive`,
		Auto: "create"})
	to := dovecot(t, dovecotd.Config{Mailboxes: boxes}, "anna")
	c := login(t, from.IMAPAddr, "anna")
	do(t, c, `CREATE Ausgang (USE (\Sent))`)
	for _, f := range []string{"Archiv", "Archiv/2020", "a.b", "A/B", "#x", "Gr&APYA3w-e"} {
		do(t, c, "CREATE %q", f)
		put(t, c, f, `\Seen`, "03-Feb-2020 10:00:00 +0100", mail(1))
	}
	put(t, c, "Ausgang", `\Seen kw`, "03-Feb-2020 10:00:00 +0100", mail(2))
	for i := range 20 {
		put(t, c, "INBOX", ``, "03-Feb-2020 10:00:00 +0100", mail(i))
	}
	names := map[string]string{"Ausgang": "Sent", "Archiv": "Archive", "Archiv/2020": "Archive/2020", "a.b": "a_b",
		"A": "A"}
	d := login(t, to.IMAPAddr, "anna")
	for _, f := range []string{"Sent", "Archive", "INBOX"} {
		do(t, d, "SELECT %s", f)
	}
	acct := Account{Name: "anna", Maildir: filepath.Join(to.Home("anna"), "Maildir")}
	state := t.TempDir()
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), state, nil)
	l := migrate.Login{User: "anna", Password: schoolmail.Secret(password)}
	converter := func() *Converter {
		return New(sourceOf(from, false), state, &Options{Now: later,
			FolderPlan: func(ctx context.Context, account string) (*migrate.FolderPlan, error) {
				return m.Plan(ctx, migrate.Account{Name: account, Source: l, Target: l})
			}})
	}
	res := convert(t, converter(), acct)
	if res.Total.Copied != 27 || len(res.LeftBehind)+len(res.Problems) != 0 {
		t.Errorf("%+v", res)
	}
	check := func(what string) {
		t.Helper()
		want := readIMAP(t, from.IMAPAddr, "anna", true).renamed(names)
		if d := cmp.Diff(want, readIMAP(t, to.IMAPAddr, "anna", true).only(want)); d != "" {
			t.Fatalf("%s: (-source +target)\n%s", what, d)
		}
	}
	check("first")
	// The old session sees that its folder is another one, or ends.
	if out, err := d.Do("NOOP"); err == nil && !strings.Contains(out, "20 EXISTS") {
		t.Errorf("the open session: %s", out)
	}
	d = login(t, to.IMAPAddr, "anna")
	do(t, d, "SELECT INBOX")
	put(t, c, "INBOX", `\Flagged`, "03-Feb-2020 10:00:00 +0100", mail(50))
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 3 +FLAGS (\Seen)`)
	do(t, c, `STORE 5 +FLAGS (\Deleted)`)
	do(t, c, `EXPUNGE`)
	// A session with the folder open sees a later run as if mail had come.
	if res = convert(t, converter(), acct); res.Total.Copied != 1 || res.Total.Flags != 1 || res.Total.Removed != 1 ||
		len(res.Problems) != 0 {
		t.Errorf("second: %+v", res)
	}
	out := do(t, d, "NOOP")
	if !strings.Contains(out, "* 5 EXPUNGE") || !strings.Contains(out, "* 20 EXISTS") ||
		!strings.Contains(out, `* 3 FETCH (FLAGS (\Seen`) {
		t.Errorf("open session: %s", out)
	}
	check("second")
	mres := syncIMAP(t, from, to, "anna", state)
	if mres.Copied != 0 || mres.Adopted != 27 || mres.Flags+mres.Deleted+mres.Failed != 0 {
		t.Errorf("over IMAP: %+v", mres)
	}
	check("over IMAP")
	// It notes that UIDVALIDITY changed, and ends the session that was open.
	if log := to.Log(); strings.Contains(log, "orrupt") || strings.Contains(log, "duplicate") ||
		!strings.Contains(log, "UIDVALIDITY changed") {
		t.Errorf("Dovecot complains:\n%s", log)
	}
}

// What Dovecot makes of files that IMAP could not have brought.
func TestAwkwardServed(t *testing.T) {
	t.Parallel()
	to := dovecot(t, dovecotd.Config{}, "anna")
	w := newWorld(t)
	w.acct = home(t, to, "anna")
	w.opt.Owner = nil
	a := &fake{validity: 123}
	texts := []string{"", "no header", "Subject: bare\n\nlines\n", "Subject: nul\r\n\r\n\x00x\r\n", "\r\n", "\n\n\n",
		"Subject: \xff\xfe\r\n\r\n\xe4\r\n", "a: b\r\n\r\n\r\r\n"}
	for _, text := range texts {
		a.add(text)
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	res := w.convert(t)
	if d := cmp.Diff([]string{"INBOX 1 empty"}, problems(res)); d != "" || res.Total.Copied != len(texts) {
		t.Errorf("%+v %s", res.Total, d)
	}
	got := readIMAP(t, to.IMAPAddr, "anna", true)["INBOX"]
	if len(got) != len(texts)+1 || !slices.Contains(got, "validity 123, next 9") {
		t.Errorf("%q", got)
	}
	for _, line := range got[:len(got)-1] {
		f := strings.Fields(line)
		if f[1] != f[2] {
			t.Errorf("RFC822.SIZE is %s and BODY[] has %s: %s", f[1], f[2], line)
		}
	}
	if log := to.Log(); strings.Contains(log, "Error") || strings.Contains(log, "orrupt") {
		t.Errorf("Dovecot complains:\n%s", log)
	}
}
