package migrate_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/lacking"
)

// Everything that other tools are known to lose or change: duplicates on
// purpose, no Message-Id, INBOX.INBOX, ~tilde, \Deleted, many keywords, 8-bit
// content, future dates, odd names. Acting as admin on both sides.
func TestNastyAccount(t *testing.T) {
	t.Parallel()
	from := cyrus(t, true, "anna", "leer")
	to := dovecot(t, dovecotd.Config{}, "anna")
	c := client(t, from.IMAPAddr, "anna")
	names := map[string]string{
		"INBOX.INBOX": "INBOX/INBOX", "INBOX.INBOX.unter": "INBOX/INBOX/unter", "INBOX.~tilde": "_tilde",
		"INBOX.a b": "a b", "INBOX.*stern": "*stern",
		"INBOX.x^y": "x^y", "INBOX.Test": "Test", "INBOX.TEST": "TEST", "INBOX.&2D3eAA-": "😀", "INBOX.😀": "😀",
		"INBOX.Gesendete Objekte":             "Sent",
		"INBOX." + strings.Repeat("lang", 40): strings.Repeat("lang", 40),
	}
	for n := range names {
		if n != "INBOX.😀" {
			do(t, c, "CREATE %q", n)
			put(t, c, n, `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(len(n), "in "+strings.Trim(n, "&-")))
		}
	}
	put(t, c, "INBOX", "", "", "Subject: no id\r\n\r\nx\r\n")
	put(t, c, "INBOX", "", "", "Subject: no id\r\n\r\nx\r\n")
	put(t, c, "INBOX", `\Deleted`, "01-Jan-2031 10:00:00 +0100",
		mail(1, "from the future")) // Dovecot takes the present instead
	put(t, c, "INBOX", "", "01-Jan-1970 10:00:00 +0000", "X-Only: text in 8 bit: \xe4\xf6\r\n\r\nbody \x80\xff")
	put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 -1130", "\r\n\r\n")
	put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0000", mail(2, strings.Repeat("y", 20000)+"\r\nlone \r cr"))
	var keywords []string
	for i := range 40 { // more than the 26 that Maildir's file names hold
		keywords = append(keywords, fmt.Sprintf("kw%d", i))
	}
	put(t, c, "INBOX", strings.Join(keywords, " ")+` $Forwarded @todo \Answered`, "01-Feb-2020 10:00:00 +0000",
		mail(3, ""))
	put(t, c, "INBOX", strings.Repeat("k", 60), "01-Feb-2020 10:00:00 +0000", mail(4, "keyword of 60 characters"))

	src, dst := insecure(from.IMAPAddr), insecure(to.IMAPAddr)
	src.Admin, src.AdminPassword = from.ProxyUser, schoolmail.Secret(from.ProxyPassword)
	dst.Admin, dst.AdminPassword = to.MasterUser, schoolmail.Secret(to.MasterPassword)
	m := migrate.New(src, dst, t.TempDir(), nil)
	anna := migrate.Account{Name: "anna", Source: migrate.Login{User: "anna"}, Target: migrate.Login{User: "anna"}}
	res := sync(t, m, anna)
	if res.Failed != 0 || len(res.Problems) != 1 || res.Problems[0].Kind != migrate.ProblemKeyword ||
		res.Problems[0].UID == 0 {
		t.Errorf("problems %+v", res.Problems)
	}
	want, got := read(t, from.IMAPAddr, "anna").renamed(names).filled(), read(t, to.IMAPAddr, "anna").filled()
	for _, b := range []box{want, got} { // the two known differences
		for i, l := range b["INBOX"] {
			if strings.Contains(l, ` \deleted`) {
				b["INBOX"][i] = l[:12] + " future"
			}
			b["INBOX"][i] = strings.Replace(b["INBOX"][i], strings.Repeat("k", 60), "", 1)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-source +target)\n%s", d)
	}

	// The certificate says the same, with reasons.
	cert, err := m.Verify(t.Context(), anna, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum := cert.Total(); !cert.Complete || sum.Dates != 1 || sum.Flags != 0 || sum.Equal != sum.SourceMessages ||
		sum.SourceBytes != sum.TargetBytes || sum.Extra != 0 {
		t.Errorf("certificate %+v", sum)
	}
	if res := sync(t, m, anna); len(res.Folders) != 0 {
		t.Errorf("second run: %+v", res.Folders[0])
	}

	// Whoever does not exist is no empty mailbox: Cyrus lets the proxy act for anybody.
	ghost := migrate.Account{Name: "ghost", Source: migrate.Login{User: "ghost"}, Target: migrate.Login{User: "anna"}}
	if _, err := m.Sync(t.Context(), ghost); err == nil || !strings.Contains(err.Error(), migrate.ErrNoMailbox.Error()) {
		t.Errorf("unknown user: %v", err)
	}
	if stage, why, _ := m.Stage("ghost"); stage != migrate.Failed || why == "" {
		t.Errorf("stage %v %q", stage, why)
	}
}

// mbsync was there before: it adds a header to every message, drops keywords and
// dates. Nothing is doubled, and what it dropped and IMAP can still set is set.
func TestAfterMbsync(t *testing.T) {
	t.Parallel()
	bin, err := exec.LookPath("mbsync")
	if err != nil {
		lacking.Skip(t, "mbsync (Debian package isync)")
	}
	s := dovecot(t, dovecotd.Config{}, "a", "b")
	c := client(t, s.IMAPAddr, "a")
	for i := range 40 {
		put(t, c, "INBOX", `\Seen $Label1`, "01-Feb-2020 10:00:00 +0100",
			mail(i/2, strings.Repeat("z", i/2*10)+"\r\n")) // each twice
	}
	host, port, _ := strings.Cut(s.IMAPAddr, ":")
	dir := t.TempDir()
	store := func(name string) string {
		return fmt.Sprintf("IMAPStore %s\nHost %s\nPort %s\nUser %s\nPass %s\nSSLType None\nAuthMechs LOGIN\n\n", name,
			host, port, name, password)
	}
	conf := store("a") + store("b") +
		"Channel c\nFar :a:\nNear :b:\nPatterns INBOX\nSync Pull\nCreate Near\nCopyArrivalDate yes\nSyncState " + dir + "/\n"
	file := filepath.Join(dir, "rc")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(bin, "-c", file, "c").CombinedOutput(); err != nil {
		t.Fatalf("mbsync: %v\n%s", err, out)
	}
	put(t, c, "INBOX", "", "02-Feb-2020 10:00:00 +0100", mail(0, "\r\n")) // a third of the first two, since
	a := account("a")
	a.Target.User = "b"
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), &migrate.Options{Settle: settle})
	res := sync(t, m, a)
	if res.Adopted != 40 || res.Copied != 1 {
		t.Errorf("%+v %q", res, res.Findings)
	}
	got := read(t, s.IMAPAddr, "b")["INBOX"]
	if all := strings.Join(got, "\n"); len(got) != 41 || strings.Count(all, `$label1,\seen`) != 40 {
		t.Errorf("%d messages\n%s", len(got), all)
	}
	cert, err := m.Verify(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sum := cert.Total(); !cert.Complete || sum.Content != 40 || sum.Equal != 1 {
		t.Errorf("certificate %+v", sum)
	}
}

// The source numbers its messages anew (restored, moved to another store). What
// the user deleted at the target before stays deleted, nothing is doubled.
func TestNewUIDValidity(t *testing.T) {
	t.Parallel()
	s := dovecot(t, dovecotd.Config{Mailboxes: []dovecotd.Mailbox{}}, "a", "b")
	c := client(t, s.IMAPAddr, "a")
	do(t, c, "CREATE box")
	for i := range 10 {
		put(t, c, "box", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(i, ""))
	}
	a := account("a")
	a.Target.User = "b"
	m := migrate.New(insecure(s.IMAPAddr), insecure(s.IMAPAddr), t.TempDir(), &migrate.Options{Settle: settle})
	sync(t, m, a)
	d := client(t, s.IMAPAddr, "b")
	do(t, d, "SELECT box")
	do(t, d, `STORE 2:3 +FLAGS (\Deleted)`)
	do(t, d, "EXPUNGE")
	do(t, c, "CREATE box2")
	do(t, c, "SELECT box")
	do(t, c, "COPY 1:10 box2")
	do(t, c, "UNSELECT")
	do(t, c, "DELETE box")
	do(t, c, "RENAME box2 box")
	c = client(t, s.IMAPAddr, "a")
	put(t, c, "box", "", "", mail(77, ""))
	res := sync(t, m, a)
	if res.Adopted != 8 || res.Copied != 1 || res.Deleted != 0 {
		t.Errorf("%+v %q", res, res.Findings)
	}
	if got := read(t, s.IMAPAddr, "b")["box"]; len(got) != 9 {
		t.Errorf("%d messages", len(got))
	}
}

// What the target refuses is named by UID, the rest arrives.
func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	from := dovecot(t, dovecotd.Config{}, "a")
	to := dovecot(t, dovecotd.Config{Extra: "plugin {\n  quota_max_mail_size = 100k\n}"}, "a")
	c := client(t, from.IMAPAddr, "a")
	for i := range 30 {
		more := ""
		if i == 11 || i == 25 {
			more = strings.Repeat("big\r\n", 40000)
		}
		put(t, c, "INBOX", "", "01-Feb-2020 10:00:00 +0100", mail(i, more))
	}
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), t.TempDir(), &migrate.Options{Batch: 10})
	for range 2 { // the second run tries those two again, and nothing else
		res := sync(t, m, account("a"))
		var uids []uint32
		for _, p := range res.Problems {
			uids = append(uids, p.UID)
		}
		if d := cmp.Diff([]uint32{12, 26}, uids); d != "" || res.Failed != 2 {
			t.Errorf("%s %+v", d, res)
		}
	}
	if got := read(t, to.IMAPAddr, "a")["INBOX"]; len(got) != 28 {
		t.Errorf("%d messages", len(got))
	}
	cert, err := m.Verify(t.Context(), account("a"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cert.Complete || cert.Total().Missing != 2 || cert.Differences[0].UID != 12 {
		t.Errorf("certificate %+v", cert)
	}
}
