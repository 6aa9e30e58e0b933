package migrate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// The life of one account from Cyrus, with the names of before 3.0, to Dovecot.
func TestCyrusToDovecot(t *testing.T) {
	t.Parallel()
	from := cyrus(t, true, "anna")
	to := dovecot(t, dovecotd.Config{}, "anna")
	c := client(t, from.IMAPAddr, "anna")
	for _, f := range []string{"INBOX.Gesendet", "INBOX.Sent", "INBOX.Entw&APw-rfe", "INBOX.Projekte",
		"INBOX.Projekte.7b", "INBOX.INBOX", "INBOX.Papierkorb", "INBOX.leer"} {
		do(t, c, "CREATE %q", f)
	}
	do(t, c, "SUBSCRIBE INBOX.Projekte.7b")
	for i := range 250 {
		put(t, c, "INBOX", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	put(t, c, "INBOX", `\Flagged $Label1 NonJunk`, "02-Feb-2020 10:00:00 +0100", mail(1000, ""))
	for range 3 { // real duplicates, on purpose
		put(t, c, "INBOX.Projekte", "", "03-Feb-2020 10:00:00 +0100", mail(2000, ""))
	}
	put(t, c, "INBOX.Projekte.7b", `\Deleted \Answered`, "03-Feb-2020 10:00:00 +0100",
		"Subject: neither date nor id\r\n\r\nx\r\n")
	put(t, c, "INBOX.Gesendet", `\Seen`, "03-Feb-2020 10:00:00 +0100", mail(3000, ""))
	put(t, c, "INBOX.Sent", `\Seen`, "03-Feb-2020 11:00:00 +0100", mail(3001, ""))
	put(t, c, "INBOX.INBOX", ``, "03-Feb-2020 11:00:00 +0100", mail(4001, ""))
	put(t, c, "INBOX.Entw&APw-rfe", `\Draft`, "03-Feb-2020 11:00:00 +0100", mail(5001, ""))
	names := map[string]string{"INBOX.Gesendet": "Sent", "INBOX.Sent": "Sent", "INBOX.Entwürfe": "Drafts",
		"INBOX.Projekte":    "Projekte",
		"INBOX.Projekte.7b": "Projekte/7b", "INBOX.INBOX": "INBOX/INBOX", "INBOX.Papierkorb": "Trash", "INBOX.leer": "leer"}

	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(),
		&migrate.Options{Settle: 200 * time.Millisecond})
	check := func(what string) {
		t.Helper()
		want := read(t, from.IMAPAddr, "anna").renamed(names).filled()
		if d := cmp.Diff(want, read(t, to.IMAPAddr, "anna").filled()); d != "" {
			t.Fatalf("%s: (-source +target)\n%s", what, d)
		}
	}
	res := sync(t, m, account("anna"))
	if res.Copied != 259 || res.Failed != 0 || len(res.Problems) != 0 {
		t.Errorf("first: %+v", res)
	}
	check("first copy")
	subscribed := do(t, client(t, to.IMAPAddr, "anna"), `LIST (SUBSCRIBED) "" "*"`)
	if !strings.Contains(subscribed, `"Projekte/7b"`) && !strings.Contains(subscribed, ` Projekte/7b`) ||
		strings.Contains(subscribed, "leer") {
		t.Errorf("subscriptions %s", subscribed)
	}
	res = sync(t, m, account("anna"))
	if res.Copied+res.Adopted+res.Flags+res.Deleted != 0 || len(res.Folders) != 0 {
		t.Errorf("unchanged: %+v", res)
	}

	// The old system is used on: new mail, changed flags, a move, deletions, a new folder.
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 1:5 -FLAGS (\Seen)`)
	do(t, c, `STORE 6 +FLAGS ($wichtig)`)
	do(t, c, `MOVE 10:12 INBOX.Projekte`)
	do(t, c, `STORE 20:22 +FLAGS (\Deleted)`)
	do(t, c, `EXPUNGE`)
	do(t, c, `CREATE INBOX.neu`)
	put(t, c, "INBOX.neu", "", "", mail(6000, ""))
	names["INBOX.neu"] = "neu"
	put(t, c, "INBOX", "", "", mail(6001, ""))
	// Meanwhile the user works at the target, too.
	d := client(t, to.IMAPAddr, "anna")
	do(t, d, "SELECT INBOX")
	do(t, d, `STORE 100 +FLAGS (\Deleted)`)
	do(t, d, "EXPUNGE")
	res = sync(t, m, account("anna"))
	if res.Copied != 5 || res.Flags != 6 || res.Deleted != 6 {
		t.Errorf("delta: %+v", res)
	}
	want := read(t, from.IMAPAddr, "anna").renamed(names).filled()
	got := read(t, to.IMAPAddr, "anna").filled()
	if len(got["INBOX"]) != len(want["INBOX"])-1 {
		t.Errorf("a message deleted at the target came back: %d, %d", len(got["INBOX"]), len(want["INBOX"]))
	}
	delete(got, "INBOX")
	delete(want, "INBOX")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("delta: %s", d)
	}
}

// The state is lost: nothing is doubled, and what the user had deleted comes back.
func TestLostState(t *testing.T) {
	t.Parallel()
	s := dovecot(t, dovecotd.Config{}, "a", "b")
	c := client(t, s.IMAPAddr, "a")
	for i := range 30 {
		put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0100", mail(i/3, "")) // each three times
	}
	put(t, c, "Sent", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(99, ""))
	a := account("a")
	a.Target.User = "b"
	o := &migrate.Options{Settle: 100 * time.Millisecond}
	sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), o), a)
	d := client(t, s.IMAPAddr, "b")
	do(t, d, "SELECT INBOX")
	do(t, d, `STORE 3 +FLAGS (\Deleted)`)
	do(t, d, `STORE 4 +FLAGS (\Seen)`)
	do(t, d, "EXPUNGE")
	res := sync(t, migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), o), a)
	if res.Copied != 1 || res.Adopted != 30 || res.Flags != 0 {
		t.Errorf("%+v", res)
	}
	want, got := read(t, s.IMAPAddr, "a"), read(t, s.IMAPAddr, "b")
	if n := len(got["INBOX"]); n != 30 {
		t.Errorf("%d messages", n)
	}
	want["INBOX"], got["INBOX"] = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
