package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/internal/cyrusd"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
)

// box is what go-imap's client sees of an account: per folder a line of
// UIDVALIDITY and one for each message.
type box map[string][]string

// readIMAP looks at a whole account. Without uids, UIDs and UIDVALIDITY are left out.
func readIMAP(tb testing.TB, addr, user string, uids bool) box {
	tb.Helper()
	out := box{}
	cyrusd.Look(tb, addr, user, password, func(folder string, sel *imap.SelectData, list []cyrusd.Seen) {
		var lines []string
		for _, m := range list {
			uid := ""
			if uids {
				uid = fmt.Sprintf("%d ", m.UID)
			}
			lines = append(lines, fmt.Sprintf("%s%d %d %s %s %s", uid, m.Size, m.Length, m.Digest, m.Date,
				strings.Join(m.Flags, ",")))
		}
		slices.Sort(lines)
		if uids {
			lines = append(lines, fmt.Sprintf("validity %d, next %d", sel.UIDValidity, sel.UIDNext))
		}
		out[folder] = lines
	})
	return out
}

func (b box) renamed(names map[string]string) box {
	out := box{}
	for k, v := range b {
		if to, ok := names[k]; ok {
			k = to
		}
		if k != "" {
			out[k] = v
		}
	}
	return out
}

// only keeps some folders.
func (b box) only(other box) box {
	out := box{}
	for k := range other {
		out[k] = b[k]
	}
	return out
}

// later is a clock by which no file has changed this moment.
func later() time.Time { return time.Now().Add(time.Minute) }

func cyrus(tb testing.TB, cfg cyrusd.Config, users ...string) *cyrusd.Server {
	return cyrusd.Start(tb, cfg.With(password, users...))
}

func dovecot(tb testing.TB, cfg dovecotd.Config, users ...string) *dovecotd.Server {
	return dovecotd.Start(tb, cfg.With(password, users...))
}

// home makes a user's directory, as provisioning does.
func home(tb testing.TB, s *dovecotd.Server, user string) Account {
	tb.Helper()
	dir := s.Home(user)
	uid, gid := s.MailOwner()
	if err := os.Mkdir(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		tb.Fatal(err)
	}
	return Account{Name: user, Maildir: filepath.Join(dir, "Maildir")}
}

func convert(tb testing.TB, c *Converter, a Account) *Result {
	tb.Helper()
	res, err := c.Convert(tb.Context(), a)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

func insecure(addr string) migrate.Server {
	return migrate.Server{Addr: addr, Security: migrate.Insecure, Timeout: time.Minute}
}

func syncIMAP(tb testing.TB, from *cyrusd.Server, to *dovecotd.Server, user, state string) *migrate.Result {
	tb.Helper()
	m := migrate.New(insecure(from.IMAPAddr), insecure(to.IMAPAddr), state,
		&migrate.Options{Settle: 100 * time.Millisecond})
	l := migrate.Login{User: user, Password: schoolmail.Secret(password)}
	res, err := m.Sync(tb.Context(), migrate.Account{Name: user, Source: l, Target: l})
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

// The life of an account from the spool of a Cyrus with names of before 3.0:
// conversion, Dovecot, changes on both sides, conversion, migration over IMAP.
func TestCyrusToDovecot(t *testing.T) {
	t.Parallel()
	from := cyrus(t, cyrusd.Config{OldNames: true, ExpungeMode: "delayed", DeleteMode: "delayed"}, "anna", "annab")
	to := dovecot(t, dovecotd.Config{}, "anna")
	c := login(t, from.IMAPAddr, "anna")
	for _, f := range []string{"INBOX.Gesendet", "INBOX.Sent", "INBOX.Entw&APw-rfe", "INBOX.Projekte",
		"INBOX.Projekte.7b", "INBOX.INBOX", "INBOX.inbox.unter", "INBOX.~tilde", "INBOX.leer", "INBOX.weg"} {
		do(t, c, "CREATE %q", f)
	}
	do(t, c, "DELETE INBOX.weg")
	do(t, c, "SUBSCRIBE INBOX.Projekte.7b")
	for i := range 60 {
		put(t, c, "INBOX", `\Seen`, "01-Feb-2020 10:00:00 +0100", mail(i))
	}
	for i, f := range []string{`\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `\Seen`, `$Label1`,
		`NonJunk $Label1 \Seen`, ``} {
		put(t, c, "INBOX", f, "02-Feb-2020 10:00:00 +0100", mail(100+i))
	}
	for range 3 { // real duplicates, on purpose
		put(t, c, "INBOX.Projekte", "", "03-Feb-2020 10:00:00 +0100", mail(2000))
	}
	put(t, c, "INBOX.Projekte.7b", `\Answered`, "03-Feb-2035 10:00:00 +0100",
		"Subject: in the future, neither date nor id\r\n\r\nx\r\n")
	put(t, c, "INBOX.Gesendet", `\Seen`, "03-Feb-2020 10:00:00 +0100", mail(3000))
	put(t, c, "INBOX.Gesendet", `\Seen`, "03-Feb-2020 11:00:00 +0100", mail(3001))
	put(t, c, "INBOX.Sent", `\Seen`, "03-Feb-2020 11:00:00 +0100", mail(3002))
	put(t, c, "INBOX.Sent", `\Seen`, "03-Feb-2020 11:00:00 +0100", mail(3001))
	put(t, c, "INBOX.INBOX", ``, "03-Feb-2020 11:00:00 +0100", mail(4001))
	put(t, c, "INBOX.inbox.unter", ``, "03-Feb-2020 11:00:00 +0100", mail(4002))
	put(t, c, "INBOX.Entw&APw-rfe", `\Draft`, "03-Feb-2020 11:00:00 +0100", mail(5001))
	put(t, c, "INBOX.~tilde", ``, "03-Feb-2020 11:00:00 +0100", mail(6001))
	do(t, c, "SELECT INBOX")
	do(t, c, `UID STORE 7:9 +FLAGS (\Deleted)`)
	do(t, c, `UID EXPUNGE 7:9`)
	do(t, c, `UID STORE 11 -FLAGS (\Seen)`)
	names := map[string]string{"INBOX.Gesendet": "Sent", "INBOX.Sent": "", "INBOX.Entwürfe": "Drafts",
		"INBOX.Projekte": "Projekte", "INBOX.inbox": "INBOX/inbox",
		"INBOX.Projekte.7b": "Projekte/7b", "INBOX.INBOX": "INBOX/INBOX", "INBOX.inbox.unter": "INBOX/inbox/unter",
		"INBOX.leer": "leer", "INBOX.~tilde": "_tilde"}

	acct := home(t, to, "anna")
	state := t.TempDir()
	converter := func() *Converter { return New(sourceOf(from, true), state, &Options{Now: later}) }
	plan, err := converter().Plan(t.Context(), acct)
	if err != nil || len(plan.Folders) != 10 || exists(acct.Maildir) {
		t.Fatalf("plan %+v, %v", plan, err)
	}
	res := convert(t, converter(), acct)
	// "Sent" and "Gesendet" have as many messages: the name decides.
	if res.Total.Copied != 75 || res.Total.Failed != 0 || len(res.Problems) != 0 || len(res.LeftBehind) != 1 ||
		res.LeftBehind[0].Why != LeftMerged || res.LeftBehind[0].Source != "Sent" {
		t.Errorf("first: %+v", res)
	}
	if d := cmp.Diff(readIMAP(t, from.IMAPAddr, "anna", true).renamed(names),
		readIMAP(t, to.IMAPAddr, "anna", true).only(readIMAP(t, from.IMAPAddr, "anna", true).renamed(names))); d != "" {
		t.Fatalf("first: (-source +target)\n%s", d)
	}
	if out := do(t, login(t, to.IMAPAddr, "anna"), `LIST (SUBSCRIBED) "" "*"`); !strings.Contains(out, "Projekte/7b") ||
		strings.Contains(out, "leer") {
		t.Errorf("subscriptions %s", out)
	}
	res = convert(t, converter(), acct)
	if res.Total.Copied+res.Total.Adopted+res.Total.Flags+res.Total.Removed != 0 || res.Unchanged != 10 {
		t.Errorf("unchanged: %+v", res)
	}

	// The old system is used on.
	do(t, c, `UID STORE 1:5 -FLAGS (\Seen)`)
	do(t, c, `UID STORE 6 +FLAGS ($wichtig)`)
	do(t, c, `UID MOVE 20:22 INBOX.Projekte`)
	do(t, c, `UID STORE 30:31 +FLAGS (\Deleted)`)
	do(t, c, `UID EXPUNGE 30:31`)
	do(t, c, `CREATE INBOX.neu`)
	names["INBOX.neu"] = "neu"
	put(t, c, "INBOX.neu", "", "", mail(6000))
	put(t, c, "INBOX", `\Flagged`, "", mail(6001))
	// Meanwhile somebody works at the target, too.
	d := login(t, to.IMAPAddr, "anna")
	do(t, d, "SELECT INBOX")
	do(t, d, `UID STORE 41:42 +FLAGS (\Deleted)`)
	do(t, d, `UID EXPUNGE 41:42`)
	do(t, d, `UID STORE 1 +FLAGS (\Flagged mine)`)
	do(t, d, `UID STORE 50 -FLAGS (\Seen)`)
	do(t, d, `UID MOVE 51 Projekte`)
	do(t, d, "UNSUBSCRIBE Projekte/7b")
	res = convert(t, converter(), acct)
	if res.Total.Copied != 5 || res.Total.Flags != 6 || res.Total.Removed != 5 || res.Total.Gone != 3 ||
		res.Total.Failed != 0 || len(res.Problems) != 0 {
		t.Errorf("second: %+v", res)
	}
	want := readIMAP(t, from.IMAPAddr, "anna", true).renamed(names)
	got := readIMAP(t, to.IMAPAddr, "anna", true).only(want)
	in := want["INBOX"]
	in = slices.DeleteFunc(in, func(l string) bool {
		return strings.HasPrefix(l, "41 ") || strings.HasPrefix(l, "42 ") || strings.HasPrefix(l, "51 ")
	})
	for i, l := range in {
		if strings.HasPrefix(l, "1 ") {
			in[i] = l + `\flagged,mine`
		}
		if strings.HasPrefix(l, "50 ") {
			in[i] = strings.TrimSuffix(l, `\seen`)
		}
	}
	want["INBOX"] = in
	// Dovecot gave the UID 4 in Projekte to what the user moved there; what
	// the source moved there comes after it.
	if len(got["Projekte"]) != len(want["Projekte"])+1 || res.Total.Renumbered != 3 {
		t.Errorf("Projekte: %q, source %q, %d renumbered", got["Projekte"], want["Projekte"], res.Total.Renumbered)
	}
	delete(got, "Projekte")
	delete(want, "Projekte")
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("second: (-source +target)\n%s", d)
	}
	if out := do(t, d, `LIST (SUBSCRIBED) "" "*"`); strings.Contains(out, "7b") {
		t.Errorf("subscribed again: %s", out)
	}

	// The migration over IMAP goes on from there.
	put(t, c, "INBOX", ``, "", mail(7000))
	before := len(readIMAP(t, to.IMAPAddr, "anna", false)["INBOX"])
	mres := syncIMAP(t, from, to, "anna", state)
	// New are: the last message, the one of "Sent" that "Gesendet" does not
	// have, and, as the migration does not know that they were there, the
	// three that the user removed or moved at the target.
	if mres.Copied != 1+1+3 || mres.Failed != 0 {
		t.Errorf("over IMAP: %+v %+v", mres, mres.Problems)
	}
	if n := len(readIMAP(t, to.IMAPAddr, "anna", false)["INBOX"]); n != before+1+3 {
		t.Errorf("INBOX had %d messages and has %d", before, n)
	}
	if _, err := converter().Convert(t.Context(), acct); !errors.Is(err, ErrMigrated) {
		t.Errorf("after the migration over IMAP has begun: %v", err)
	}
	if mres = syncIMAP(t, from, to, "anna", state); mres.Copied+mres.Adopted+mres.Flags+mres.Deleted != 0 {
		t.Errorf("over IMAP, again: %+v", mres)
	}
}
