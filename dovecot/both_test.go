package dovecot_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot"
	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// A site is what the scenarios run against: the simulator or the real Dovecot.
type site interface {
	// client returns a client; o may set what the site itself does not.
	client(t *testing.T, o ...dovecot.Options) *dovecot.Client
	home(user string) string
	imapAddr() string
	// setUsers changes accounts in the directory.
	setUsers(t *testing.T, users ...account)
	removeUsers(t *testing.T, names ...string)
	// quotaDict is where limits can be written, "" if nowhere.
	quotaDict() string
}

type account struct {
	name  string
	quota int64
	home  string // below the mail root; "" is the site's
}

// scenarios run on both. Each has users of its own, which exist when it starts.
var scenarios = []struct {
	name  string
	users []account
	run   func(*testing.T, site)
}{
	{"users", []account{{name: "users1@s.test"}, {name: "users2@s.test", quota: 50 << 20}}, testUsers},
	{"mailboxes", []account{{name: "boxes@s.test"}}, testMailboxes},
	{"inbox is safe", []account{{name: "inbox@s.test"}}, testInboxIsSafe},
	{"delete recursively", []account{{name: "recursive@s.test"}}, testDeleteRecursively},
	{"odd names", []account{{name: "odd@s.test"}}, testOddNames},
	{"messages", []account{{name: "msg1@s.test"}, {name: "msg2@s.test"}}, testMessages},
	{"quota", []account{{name: "quota@s.test", quota: 10 << 10}}, testQuota},
	{"set quota", []account{{name: "setquota@s.test", quota: 10 << 20}, {name: "default@s.test"}}, testSetQuota},
	{"acl", []account{{name: "acl@s.test"}}, testACL},
	{"sessions", []account{{name: "12345"}, {name: "123456"}}, testSessions},
	{"ensure", []account{{name: "ensure@s.test", quota: 20 << 20}}, testEnsure},
	{"move", []account{{name: "old.name@s.test"}, {name: "new.name@s.test"}}, testMoveMail},
	{"renamed", nil, testRenamed},
	{"renamed elsewhere", nil, testRenamedElsewhere},
	{"remove", []account{{name: "gone@s.test"}}, testRemoveMail},
	{"delete home", []account{{name: "home@s.test"}}, testDeleteHome},
	{"dsync", []account{{name: "src@s.test"}, {name: "dst@s.test"}}, testDsync},
	{"dsync by counts", []account{{name: "counts1@s.test"}, {name: "counts2@s.test"}}, testDsyncByCounts},
	{"backup over own mail", []account{{name: "counts3@s.test"}, {name: "counts4@s.test"}}, testBackupOverOwnMail},
	{"batch", []account{{name: "batch1@s.test"}, {name: "batch2@s.test"}}, testBatch},
	{"raw", []account{{name: "raw@s.test"}}, testDo},
	{"mail store", []account{{name: "store@s.test"}}, testMailstore},
	{"maintenance", []account{{name: "maint@s.test"}}, testMaintenance},
}

// runScenarios runs all at once, but the last, which reloads the server, alone.
func runScenarios(t *testing.T, s site) {
	last := len(scenarios) - 1
	t.Run("together", func(t *testing.T) {
		for _, sc := range scenarios[:last] {
			t.Run(sc.name, func(t *testing.T) { t.Parallel(); sc.run(t, s) })
		}
	})
	t.Run(scenarios[last].name, func(t *testing.T) { scenarios[last].run(t, s) })
}

func TestSimulator(t *testing.T) {
	t.Parallel()
	s := simulated{testlife.Of(dovecottest.Start(dovecottest.WithMailRoot("/srv/mail"), dovecottest.WithAuthCache(),
		dovecottest.WithQuotaDict("proxy::quota"), dovecottest.WithMailboxes(
			dovecottest.Mailbox{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"})))(t)}
	for _, sc := range scenarios {
		s.setUsers(t, sc.users...)
	}
	runScenarios(t, s)
}

// TestSimulator24 is TestSimulator as Dovecot 2.4.
func TestSimulator24(t *testing.T) {
	t.Parallel()
	s := simulated{testlife.Of(dovecottest.Start(dovecottest.WithSeries24(), dovecottest.WithMailRoot("/srv/mail"),
		dovecottest.WithQuotaDict("quota_clone"),
		dovecottest.WithMailboxes(
			dovecottest.Mailbox{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"})))(t)}
	for _, sc := range scenarios {
		s.setUsers(t, sc.users...)
	}
	runScenarios(t, s)
}

func TestRealDovecot(t *testing.T) {
	t.Parallel()
	cfg := &dovecotd.Config{ACL: true, AuthCache: true, QuotaDict: true,
		Mailboxes: []dovecotd.Mailbox{{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"}}}
	for _, sc := range scenarios {
		for _, a := range sc.users {
			cfg.Users = append(cfg.Users, realUser(a))
		}
	}
	s := installed{dovecotd.Start(t, cfg)}
	runScenarios(t, s)
}

// TestRealDovecot24 runs on Dovecot 2.4.1 what it has in common with 2.3.
func TestRealDovecot24(t *testing.T) {
	t.Parallel()
	cfg := &dovecotd.Config{Series24: true, ACL: true, AuthCache: true, QuotaDict: dovecotd.QuotaDict24(),
		Mailboxes: []dovecotd.Mailbox{{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"}}}
	for _, sc := range scenarios {
		for _, a := range sc.users {
			cfg.Users = append(cfg.Users, realUser(a))
		}
	}
	runScenarios(t, installed{dovecotd.Start(t, cfg)})
}

type simulated struct{ *dovecottest.Server }

func (s simulated) client(t *testing.T, o ...dovecot.Options) *dovecot.Client {
	return siteClient(t, s.URL, s.APIKey, s.MailRoot, o)
}
func (s simulated) home(user string) string { return s.MailRoot + "/" + user }
func (s simulated) imapAddr() string        { return s.IMAPAddr }
func (s simulated) setUsers(_ *testing.T, users ...account) {
	for _, a := range users {
		u := dovecottest.User{Name: a.name, Password: "pw", QuotaBytes: a.quota}
		if a.home != "" {
			u.Home = s.home(a.home)
		}
		s.SetUsers(u)
	}
}
func (s simulated) removeUsers(_ *testing.T, names ...string) { s.RemoveUsers(names...) }

func (s simulated) quotaDict() string { return s.QuotaDict }

type installed struct{ *dovecotd.Server }

func (s installed) client(t *testing.T, o ...dovecot.Options) *dovecot.Client {
	return siteClient(t, s.URL, s.APIKey, s.Server.MailRoot(), o)
}
func (s installed) home(user string) string { return s.Home(user) }
func (s installed) imapAddr() string        { return s.IMAPAddr }
func (s installed) quotaDict() string       { return s.QuotaDict }
func (s installed) setUsers(t *testing.T, users ...account) {
	t.Helper()
	var real []dovecotd.User
	for _, a := range users {
		u := realUser(a)
		if a.home != "" {
			u.Home = s.home(a.home)
		}
		real = append(real, u)
	}
	must(t, s.SetUsers(real...))
}
func (s installed) removeUsers(t *testing.T, names ...string) {
	t.Helper()
	if err := s.RemoveUsers(names...); err != nil {
		t.Fatal(err)
	}
}

func realUser(a account) dovecotd.User {
	u := dovecotd.User{Name: a.name, Password: "pw"}
	if a.quota > 0 {
		u.QuotaRule = fmt.Sprintf("*:bytes=%d", a.quota)
	}
	return u
}

func siteClient(t *testing.T, url, key, mailRoot string, o []dovecot.Options) *dovecot.Client {
	t.Helper()
	var opts dovecot.Options
	if len(o) > 0 {
		opts = o[0]
	}
	opts.APIKey, opts.MailRoot = schoolmail.Secret(key), mailRoot
	return newClient(t, url, &opts)
}

func newClient(t *testing.T, url string, o *dovecot.Options) *dovecot.Client {
	t.Helper()
	c, err := dovecot.New(url, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// get fails the test on an error and returns the value.
func get[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t *testing.T, err error, kind dovecot.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got error %v, want %q", err, kind)
	}
}

func wantSame(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// message makes a mail of a subject.
func message(subject string) string {
	return "From: Bea <bea@s.test>\r\nSubject: " + subject + "\r\n\r\nhello\r\n"
}

// login opens an IMAP session and selects INBOX.
func login(t *testing.T, s site, user string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", s.imapAddr())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	r := bufio.NewReader(conn)
	fmt.Fprintf(conn, "a LOGIN %s pw\r\nb SELECT INBOX\r\n", user)
	for {
		line, err := r.ReadString('\n')
		must(t, err)
		if strings.HasPrefix(line, "b ") {
			if !strings.HasPrefix(line, "b OK") {
				t.Fatalf("select: %s", line)
			}
			return r
		}
	}
}

// is24 reports a site of Dovecot 2.4.
func is24(t *testing.T, c *dovecot.Client) bool {
	t.Helper()
	return get[*dovecot.ServerInfo](t)(c.Server(t.Context())).Series == "2.4"
}

func testUsers(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	new := is24(t, c)
	u := get[dovecot.User](t)(c.User(ctx, "users2@s.test"))
	wantSame(t, "home", u.Home, s.home("users2@s.test"))
	wantSame(t, "location", u.MailLocation(), "maildir:"+s.home("users2@s.test")+"/Maildir")
	if new {
		wantSame(t, "quota", u.Fields["quota_storage_size"], "52428800B")
	} else {
		wantSame(t, "quota rule", u.QuotaRule, "*:bytes=52428800")
	}
	if u := get[dovecot.User](t)(c.User(ctx, "Users2@S.test")); u.Name != "users2@s.test" {
		t.Errorf("the server's own name is %q", u.Name)
	}

	_, err := c.User(ctx, "nobody@s.test")
	wantKind(t, err, dovecot.ErrNoUser)
	for name, want := range map[string]bool{"users1@s.test": true, "nobody@s.test": false} {
		if got := get[bool](t)(c.Exists(ctx, name)); got != want {
			t.Errorf("Exists(%q) = %v", name, got)
		}
	}

	var names []string
	for n, err := range c.Users(ctx, "users?@*") {
		must(t, err)
		names = append(names, n)
	}
	wantSame(t, "users", names, []string{"users1@s.test", "users2@s.test"})
	for n, err := range c.Users(ctx, "nothing*") {
		t.Errorf("a mask without match gives %q, %v", n, err)
	}
	for _, err := range c.Users(ctx, "users1@s.test") {
		wantKind(t, err, dovecot.ErrInvalid)
	}
	_, err = c.FlushAuthCache(ctx, "users1@s.test", "users2@s.test")
	if new {
		wantKind(t, err, dovecot.ErrUnsupported)
	} else {
		must(t, err)
	}
}

func testMailboxes(t *testing.T, s site) {
	const user = "boxes@s.test"
	ctx, c := t.Context(), s.client(t)
	if got := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user)); len(got) != 0 {
		t.Errorf("a new user has mailboxes on disk: %v", got)
	}
	wantSame(t, "listed", get[[]string](t)(c.Mailboxes(ctx, user, nil)), []string{"INBOX", "Sent"})

	must(t, c.CreateMailbox(ctx, user, "Entwürfe/Jänner", &dovecot.CreateOptions{Subscribe: true}))
	const guid = "0123456789abcdef0123456789abcdef"
	must(t, c.CreateMailbox(ctx, user, "Archiv", &dovecot.CreateOptions{GUID: guid}))
	wantKind(t, c.CreateMailbox(ctx, user, "Archiv", nil), dovecot.ErrExists)
	wantKind(t, c.CreateMailbox(ctx, user, "a.b", nil), dovecot.ErrInvalid)
	wantKind(t, c.CreateMailbox(ctx, "nobody@s.test", "Archiv", nil), dovecot.ErrNoUser)
	wantSame(t, "created", get[[]string](t)(c.Mailboxes(ctx, user, nil)),
		[]string{"Archiv", "Entwürfe", "Entwürfe/Jänner", "INBOX", "Sent"})
	wantSame(t, "masked", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Masks: []string{"Ent*", "A%"}})),
		[]string{"Archiv", "Entwürfe", "Entwürfe/Jänner"})
	wantSame(t, "subscribed", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Subscribed: true})),
		[]string{"Entwürfe/Jänner", "Sent"})
	_, err := c.Mailboxes(ctx, user, &dovecot.ListOptions{Masks: []string{"Archiv"}})
	wantKind(t, err, dovecot.ErrInvalid)

	for name, want := range map[string]bool{"Archiv": true, "Nope": false, "Entwürfe": false, "INBOX": true} {
		if got := get[bool](t)(c.MailboxExists(ctx, user, name)); got != want {
			t.Errorf("MailboxExists(%q) = %v", name, got)
		}
	}
	m := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user, "Archiv"))
	if len(m) != 1 || m[0].GUID != guid || m[0].UIDNext != 1 || m[0].UIDValidity == 0 || !m[0].FirstSaved.IsZero() {
		t.Errorf("status of an empty mailbox: %+v", m)
	}

	wantKind(t, c.RenameMailbox(ctx, user, "Nope", "Other"), dovecot.ErrNotFound)
	wantKind(t, c.RenameMailbox(ctx, user, "Archiv", "Entwürfe/Jänner"), dovecot.ErrExists)
	wantKind(t, c.RenameMailbox(ctx, user, "Archiv", "Archiv/2020"), dovecot.ErrInvalid)
	must(t, c.RenameMailbox(ctx, user, "Archiv", "Archive"))
	must(t, c.Subscribe(ctx, user, "Archive", "Nope"))
	must(t, c.Unsubscribe(ctx, user, "Entwürfe/Jänner", "Never"))
	wantSame(t, "subscribed", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Subscribed: true})),
		[]string{"Archive", "Nope", "Sent"})

	must(t, c.Save(ctx, user, "Archive", message("keep")))
	wantKind(t, c.DeleteMailbox(ctx, user, "Archive", &dovecot.DeleteOptions{RequireEmpty: true}), dovecot.ErrNotPossible)
	must(t, c.DeleteMailbox(ctx, user, "Archive", &dovecot.DeleteOptions{KeepSubscription: true}))
	wantSame(t, "subscribed", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Subscribed: true})),
		[]string{"Archive", "Nope", "Sent"})
	wantKind(t, c.DeleteMailbox(ctx, user, "Archive", nil), dovecot.ErrNotFound) // and the subscription goes
	wantSame(t, "subscribed", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Subscribed: true})),
		[]string{"Nope", "Sent"})
}

func testInboxIsSafe(t *testing.T, s site) {
	const user = "inbox@s.test"
	ctx, c := t.Context(), s.client(t)
	must(t, c.Save(ctx, user, "INBOX", message("precious")))
	for _, name := range []string{"INBOX", "inbox", "Inbox/", "", "/"} {
		wantKind(t, c.DeleteMailbox(ctx, user, name, &dovecot.DeleteOptions{Recursive: true}), dovecot.ErrInvalid)
	}
	wantKind(t, c.RenameMailbox(ctx, user, "INBOX", "Old"), dovecot.ErrInvalid)
	m := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user, "INBOX"))
	if m[0].Messages != 1 || m[0].Unseen != 1 || m[0].Size != int64(len(message("precious"))) || m[0].FirstSaved.IsZero() {
		t.Errorf("INBOX: %+v", m[0])
	}
}

func testDeleteRecursively(t *testing.T, s site) {
	const user = "recursive@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, name := range []string{"P/C", "P/C/D", "PC", "Q", "Q/R"} {
		must(t, c.CreateMailbox(ctx, user, name, &dovecot.CreateOptions{Subscribe: true}))
	}
	// P has no mailbox of its own: the server says "not found" and deletes.
	must(t, c.DeleteMailbox(ctx, user, "P", &dovecot.DeleteOptions{Recursive: true}))
	wantKind(t, c.DeleteMailbox(ctx, user, "P", &dovecot.DeleteOptions{Recursive: true}), dovecot.ErrNotFound)
	wantSame(t, "left", get[[]string](t)(c.Mailboxes(ctx, user, nil)), []string{"INBOX", "PC", "Q", "Q/R", "Sent"})
	// Not recursive: the child stays.
	must(t, c.DeleteMailbox(ctx, user, "Q", nil))
	wantSame(t, "left", get[[]string](t)(c.Mailboxes(ctx, user, nil)), []string{"INBOX", "PC", "Q", "Q/R", "Sent"})
}

func testOddNames(t *testing.T, s site) {
	const user = "odd@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, name := range []string{"x*y%", "x&y", `quote"back\slash`, "🎒 Schule", "INBOX/Sub", "tab<>"} {
		must(t, c.CreateMailbox(ctx, user, name, nil))
		must(t, c.Save(ctx, user, name, message(name)))
	}
	must(t, c.CreateMailbox(ctx, user, "xzy!", nil))
	must(t, c.Save(ctx, user, "xzy!", message("not to be touched")))
	must(t, c.Expunge(ctx, user, "x*y%", "ALL")) // not a mask
	var got []string
	for _, m := range get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user)) {
		got = append(got, fmt.Sprintf("%s=%d", m.Mailbox, m.Messages))
	}
	wantSame(t, "messages", got, []string{"INBOX=0", "INBOX/Sub=1", `quote"back\slash=1`, "tab<>=1", "x&y=1", "x*y%=0",
		"xzy!=1", "🎒 Schule=1"})
	for _, name := range []string{"a\x01b", "a\nb", "caf\xe9", "a\x00b"} {
		wantKind(t, c.CreateMailbox(ctx, user, name, nil), dovecot.ErrInvalid)
	}
}

func testMessages(t *testing.T, s site) {
	const user, other = "msg1@s.test", "msg2@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, subject := range []string{"one", "two", "three"} {
		must(t, c.Save(ctx, user, "INBOX", message(subject)))
	}
	wantKind(t, c.Save(ctx, user, "Nope", message("x")), dovecot.ErrNotFound)
	wantKind(t, c.Save(ctx, user, "INBOX", "caf\xe9"), dovecot.ErrInvalid)
	wantKind(t, c.Save(ctx, user, "INBOX", ""), dovecot.ErrInvalid)

	guid := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user, "INBOX"))[0].GUID
	wantSame(t, "search", get[[]dovecot.MessageRef](t)(c.Search(ctx, user, "mailbox", "INBOX", "SUBJECT", "TWO")),
		[]dovecot.MessageRef{{MailboxGUID: guid, UID: 2}})
	wantSame(t, "search or", get[[]dovecot.MessageRef](t)(c.Search(ctx, user, "mailbox", "INBOX", "(", "SUBJECT", "one",
		"OR",
		"UID", "3", ")")),
		[]dovecot.MessageRef{{MailboxGUID: guid, UID: 1}, {MailboxGUID: guid, UID: 3}})
	hits, err := c.Search(ctx, user, "mailbox", "Nope", "ALL")
	if is24(t, c) { // finds nothing there
		must(t, err)
		wantSame(t, "hits", len(hits), 0)
	} else {
		wantKind(t, err, dovecot.ErrNotFound)
	}
	_, err = c.Search(ctx, user)
	wantKind(t, err, dovecot.ErrInvalid)
	_, err = c.Search(ctx, user, "mailbox INBOX ALL")
	wantKind(t, err, dovecot.ErrInvalid)
	_, err = c.Search(ctx, user, "mailbox", "INBOX", "BOGUS")
	wantKind(t, err, dovecot.ErrUnknownOutcome)

	must(t, c.AddFlags(ctx, user, []string{`\Seen`, "$Label1"}, "mailbox", "INBOX", "UID", "2"))
	must(t, c.RemoveFlags(ctx, user, []string{`\Seen`}, "mailbox", "INBOX", "UID", "2"))
	rows := get[[]dovecot.ResultRow](t)(c.Fetch(ctx, user, []string{"uid", "flags", "hdr.subject"}, "mailbox", "INBOX",
		"UID",
		"2"))
	wantSame(t, "fetch", rows, []dovecot.ResultRow{{"uid": "2", "flags": `\Recent $Label1`, "hdr.subject": "two"}})

	must(t, c.Copy(ctx, other, "INBOX", user, "mailbox", "INBOX", "UID", "2"))
	must(t, c.Copy(ctx, user, "Sent", "", "mailbox", "INBOX", "ALL"))
	must(t, c.Move(ctx, other, "INBOX", user, "mailbox", "INBOX", "UID", "3"))
	wantKind(t, c.Copy(ctx, user, "Nope", "", "mailbox", "INBOX", "ALL"), dovecot.ErrNotFound)

	// OR would swallow the mailbox, were it not put in parentheses.
	must(t, c.Expunge(ctx, user, "INBOX", "SUBJECT", "nothing", "OR", "UID", "1"))
	wantKind(t, c.Expunge(ctx, user, "Nope", "ALL"), dovecot.ErrNotFound)
	wantKind(t, c.Expunge(ctx, user, "INBOX"), dovecot.ErrInvalid)
	count := map[string]uint32{}
	for _, u := range []string{user, other} {
		for _, m := range get[[]dovecot.MailboxStatus](t)(c.Status(ctx, u)) {
			count[u+" "+m.Mailbox] = m.Messages
		}
	}
	wantSame(t, "counts", count, map[string]uint32{user + " INBOX": 1, user + " Sent": 3, other + " INBOX": 2})
}

func testQuota(t *testing.T, s site) {
	const user = "quota@s.test"
	ctx, c := t.Context(), s.client(t)
	must(t, c.Save(ctx, user, "INBOX", message("fits")))
	wantKind(t, c.Save(ctx, user, "INBOX", message(strings.Repeat("long ", 4000))), dovecot.ErrOverQuota)
	must(t, c.RecalcQuota(ctx, user))
	wantSame(t, "quota", get[[]dovecot.Quota](t)(c.Quota(ctx, user)), []dovecot.Quota{
		{Root: "User quota", StorageUsed: 1 << 10, StorageLimit: 10 << 10, MessagesUsed: 1}})
	_, err := c.Quota(ctx, "nobody@s.test")
	wantKind(t, err, dovecot.ErrNoUser)
}

func testSetQuota(t *testing.T, s site) {
	const user, other = "setquota@s.test", "default@s.test"
	ctx, c := t.Context(), s.client(t, dovecot.Options{QuotaDict: s.quotaDict()})
	if s.quotaDict() == "" { // 2.4 from a root without SQLite
		wantKind(t, c.SetQuota(ctx, user, 1<<20), dovecot.ErrUnsupported)
		return
	}
	limit := func(user string) int64 {
		t.Helper()
		return get[[]dovecot.Quota](t)(c.Quota(ctx, user))[0].StorageLimit
	}
	before := limit(other)
	wantSame(t, "limit of the directory", limit(user), int64(10<<20))
	// From the directory's own limit up, down, to what is no whole KiB, to none.
	for _, set := range []struct{ bytes, want int64 }{{20 << 20, 20 << 20}, {20 << 20, 20 << 20}, {5 << 20, 5 << 20},
		{1025, 2048}, {0, 0}, {30 << 20, 30 << 20}} {
		must(t, c.SetQuota(ctx, user, set.bytes))
		wantSame(t, "limit", limit(user), set.want)
	}
	wantSame(t, "limit of somebody else", limit(other), before)

	// It is a limit.
	must(t, c.SetQuota(ctx, "SetQuota@S.test", 2000)) // the same user
	wantKind(t, c.Save(ctx, user, "INBOX", message(strings.Repeat("long ", 4000))), dovecot.ErrOverQuota)

	// Ensure sets it along with the rest, once.
	want := dovecot.Desired{Mailboxes: []string{"Drafts"}, QuotaBytes: 40 << 20}
	state := get[dovecot.State](t)(c.Ensure(ctx, user, want))
	wantSame(t, "missing", state.Missing(want), []string(nil))
	sets := c.Stats().Commands["dictSet"]
	wantSame(t, "second run", get[dovecot.State](t)(c.Ensure(ctx, user, want)), state)
	wantSame(t, "dictSet on the second run", c.Stats().Commands["dictSet"]-sets, int64(0))

	// The server would write all of these.
	sets = c.Stats().Commands["dictSet"]
	wantKind(t, c.SetQuota(ctx, "nobody@s.test", 1<<20), dovecot.ErrNoUser)
	for _, name := range []string{"*", "setquota?s.test", "", "../../setquota@s.test", "a\nb"} {
		wantKind(t, c.SetQuota(ctx, name, 1<<20), dovecot.ErrInvalid)
	}
	wantKind(t, c.SetQuota(ctx, user, -1), dovecot.ErrInvalid)
	wantSame(t, "sent", c.Stats().Commands["dictSet"]-sets, int64(0))

	// Sites without a dict.
	wantKind(t, s.client(t).SetQuota(ctx, user, 1<<20), dovecot.ErrUnsupported)
	_, err := s.client(t).Ensure(ctx, user, dovecot.Desired{QuotaBytes: 50 << 20})
	wantKind(t, err, dovecot.ErrQuotaDiffers)
	for _, uri := range []string{"proxy::none", "bogus:x"} {
		err := s.client(t, dovecot.Options{QuotaDict: uri}).SetQuota(ctx, user, 1<<20)
		wantKind(t, err, dovecot.ErrUnsupported)
		if e, _ := errors.AsType[*dovecot.Error](err); e.Temporary() {
			t.Errorf("%s: temporary: %v", uri, err)
		}
	}
	wantSame(t, "limit at the end", limit(user), int64(40<<20))
}

func testACL(t *testing.T, s site) {
	const user = "acl@s.test"
	ctx, c := t.Context(), s.client(t)
	must(t, c.CreateMailbox(ctx, user, "Team", nil))
	must(t, c.SetACL(ctx, user, "Team", "user=bea@s.test", "lookup", "read"))
	must(t, c.AddACL(ctx, user, "Team", "user=bea@s.test", "insert"))
	must(t, c.RemoveACL(ctx, user, "Team", "user=bea@s.test", "read"))
	wantSame(t, "entries", get[[]dovecot.ACLEntry](t)(c.ACL(ctx, user, "Team")), []dovecot.ACLEntry{
		{ID: "user=bea@s.test", Rights: []string{"insert", "lookup"}}})
	if r := get[[]string](t)(c.Rights(ctx, user, "Team")); len(r) != 11 {
		t.Errorf("the owner's rights: %q", r)
	}
	must(t, c.DeleteACL(ctx, user, "Team", "user=bea@s.test"))
	must(t, c.DeleteACL(ctx, user, "Team", "user=bea@s.test"))
	if e := get[[]dovecot.ACLEntry](t)(c.ACL(ctx, user, "Team")); len(e) != 0 {
		t.Errorf("entries after delete: %v", e)
	}
	wantKind(t, c.SetACL(ctx, user, "Team", "bea", "read"), dovecot.ErrInvalid)
	wantKind(t, c.SetACL(ctx, user, "Team", "anyone", "reed"), dovecot.ErrInvalid)
	wantKind(t, c.SetACL(ctx, user, "Team", "anyone"), dovecot.ErrInvalid)
	wantKind(t, c.SetACL(ctx, user, "Nope", "anyone", "read"), dovecot.ErrNotFound)
}

func testSessions(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	first, second := login(t, s, "12345"), login(t, s, "12345")
	other := login(t, s, "123456")
	var got []string
	for _, x := range get[[]dovecot.Session](t)(c.Who(ctx, "12345*")) {
		got = append(got, x.User+" "+x.Service+" "+x.IP)
		if x.PID == 0 || x.Host != c.Hosts()[0] {
			t.Errorf("session %+v", x)
		}
	}
	wantSame(t, "sessions", got, []string{"12345 imap 127.0.0.1", "12345 imap 127.0.0.1", "123456 imap 127.0.0.1"})

	if !get[bool](t)(c.Kick(ctx, "12345")) {
		t.Error("nobody was kicked")
	}
	for _, r := range []*bufio.Reader{first, second} {
		for {
			if _, err := r.ReadString('\n'); err != nil {
				break // BYE, then the end
			}
		}
	}
	if get[bool](t)(c.Kick(ctx, "12345")) {
		t.Error("kicked twice")
	}
	if x := get[[]dovecot.Session](t)(c.Who(ctx, "123456")); len(x) != 1 {
		t.Errorf("the other user's sessions: %v", x)
	}
	get[bool](t)(c.Kick(ctx, "123456"))
	if line, err := other.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* BYE") {
		t.Errorf("kicked session reads %q, %v", line, err)
	}
	// A name that reads as an address is one to the server: everybody's.
	login(t, s, "12345")
	for _, mask := range []string{"127.0.0.1", "127.1", "127.0.0.0/8", "0x7f.1"} {
		if x := get[[]dovecot.Session](t)(c.Who(ctx, mask)); !slices.ContainsFunc(x,
			func(x dovecot.Session) bool { return x.User == "12345" }) {
			t.Errorf("Who(%q): %v", mask, x)
		}
		_, err := c.Kick(ctx, mask)
		wantKind(t, err, dovecot.ErrInvalid)
	}
	for _, name := range []string{"1234?", "::1", "::/0", "fe80::1"} {
		_, err := c.Kick(ctx, name)
		wantKind(t, err, dovecot.ErrInvalid)
	}
	for _, name := range []string{"127", "1.2.3.4.5", "a.b", "1.b"} { // are names
		get[bool](t)(c.Kick(ctx, name))
	}
	if !get[bool](t)(c.Kick(ctx, "12345")) {
		t.Error("the session is gone")
	}
}

func testEnsure(t *testing.T, s site) {
	const user = "ensure@s.test"
	ctx, c := t.Context(), s.client(t)
	want := dovecot.Desired{Mailboxes: []string{"Sent", "Drafts", "Klassen/7b"}, QuotaBytes: 20 << 20}
	before := get[dovecot.State](t)(c.Inspect(ctx, user))
	wantSame(t, "missing before", before.Missing(want), []string{
		`mailbox "INBOX"`, `mailbox "Sent"`, `mailbox "Drafts"`, `mailbox "Klassen/7b"`, `subscription "Drafts"`,
		`subscription "Klassen/7b"`})
	after := get[dovecot.State](t)(c.Ensure(ctx, user, want))
	if m := after.Missing(want); len(m) != 0 {
		t.Errorf("missing after Ensure: %q", m)
	}
	again := get[dovecot.State](t)(c.Ensure(ctx, user, want))
	wantSame(t, "second run", again, after)

	_, err := c.Ensure(ctx, "nobody@s.test", want)
	wantKind(t, err, dovecot.ErrNoUser)
	want.QuotaBytes = 30 << 20
	_, err = c.Ensure(ctx, user, want)
	wantKind(t, err, dovecot.ErrQuotaDiffers)
	s.setUsers(t, account{name: user, quota: 30 << 20})
	get[dovecot.State](t)(c.Ensure(ctx, user, want))
}

func testMoveMail(t *testing.T, s site) {
	const from, to = "old.name@s.test", "new.name@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, subject := range []string{"one", "two", "three"} {
		must(t, c.Save(ctx, from, "INBOX", message(subject)))
	}
	must(t, c.Expunge(ctx, from, "INBOX", "UID", "1"))
	must(t, c.CreateMailbox(ctx, from, "Klassen/7b", &dovecot.CreateOptions{Subscribe: true}))
	must(t, c.Save(ctx, from, "Klassen/7b", message("four")))
	must(t, c.AddFlags(ctx, from, []string{`\Seen`, "$Label1"}, "mailbox", "INBOX", "UID", "2"))
	before := get[dovecot.State](t)(c.Inspect(ctx, from))

	// The directory changes; mail arrives before we do.
	s.removeUsers(t, from)
	must(t, c.Save(ctx, to, "INBOX", message("arrived early")))

	after := get[dovecot.State](t)(c.MoveMail(ctx, before, to))
	type box struct {
		Name              string
		Messages          uint32
		Validity, UIDNext uint32
	}
	list := func(s dovecot.State) (l []box) {
		for _, m := range s.Mailboxes {
			l = append(l, box{m.Mailbox, m.Messages, m.UIDValidity, m.UIDNext})
		}
		return l
	}
	want := list(before)
	want[0].Messages++ // INBOX, the mail that came early
	want[0].UIDNext++
	wantSame(t, "mailboxes", list(after), want)
	wantSame(t, "subscriptions", after.Subscribed, before.Subscribed)
	rows := get[[]dovecot.ResultRow](t)(c.Fetch(ctx, to, []string{"uid", "hdr.subject"}, "mailbox", "INBOX"))
	wantSame(t, "INBOX", rows, []dovecot.ResultRow{{"uid": "2", "hdr.subject": "two"},
		{"uid": "3", "hdr.subject": "three"},
		{"uid": "4", "hdr.subject": "arrived early"}})
	rows = get[[]dovecot.ResultRow](t)(c.Fetch(ctx, to, []string{"uid"}, "mailbox", "INBOX", "SEEN", "KEYWORD", "$Label1"))
	wantSame(t, "flags", rows, []dovecot.ResultRow{{"uid": "2"}})

	again := get[dovecot.State](t)(c.MoveMail(ctx, before, to))
	wantSame(t, "mailboxes after the second run", list(again), want)

	if !get[bool](t)(c.DeleteHome(ctx, before.User.Home)) {
		t.Error("the old home was not there")
	}
	_, err := c.MoveMail(ctx, before, to)
	wantKind(t, err, dovecot.ErrNotFound)
	wantSame(t, "mailboxes with the old home gone", list(get[dovecot.State](t)(c.Inspect(ctx, to))), want)

	// The same home: nothing to do.
	state := get[dovecot.State](t)(c.Inspect(ctx, to))
	get[dovecot.State](t)(c.MoveMail(ctx, state, to))
	_, err = c.MoveMail(ctx, dovecot.State{User: dovecot.User{Name: from}}, to)
	wantKind(t, err, dovecot.ErrInvalid)
}

func testRemoveMail(t *testing.T, s site) {
	const user = "gone@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, name := range []string{"INBOX", "Sent", "P", "P/C", "x*y"} {
		if name != "INBOX" && name != "Sent" {
			must(t, c.CreateMailbox(ctx, user, name, &dovecot.CreateOptions{Subscribe: true}))
		}
		must(t, c.Save(ctx, user, name, message(name)))
	}
	r := login(t, s, user)
	must(t, c.RemoveMail(ctx, user))
	for {
		if _, err := r.ReadString('\n'); err != nil {
			break // the session was ended
		}
	}
	for _, m := range get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user)) {
		if m.Mailbox != "INBOX" || m.Messages != 0 {
			t.Errorf("left: %+v", m)
		}
	}
	wantSame(t, "subscriptions", get[[]string](t)(c.Mailboxes(ctx, user, &dovecot.ListOptions{Subscribed: true})),
		[]string{"Sent"})
	must(t, c.RemoveMail(ctx, user))
	wantKind(t, c.RemoveMail(ctx, "nobody@s.test"), dovecot.ErrNoUser)
}

func testDeleteHome(t *testing.T, s site) {
	const user = "home@s.test"
	ctx, c := t.Context(), s.client(t)
	must(t, c.Save(ctx, user, "INBOX", message("x")))
	home := get[dovecot.User](t)(c.User(ctx, user)).Home
	root := strings.TrimSuffix(home, "/"+user)
	for _, bad := range []string{"", "/", root, root + "/", root + "/../etc", root + "x/y", "relative", home + "/",
		home + "/../" + user} {
		_, err := c.DeleteHome(ctx, bad)
		wantKind(t, err, dovecot.ErrInvalid)
	}
	if !get[bool](t)(c.DeleteHome(ctx, home)) {
		t.Error("home was not there")
	}
	if get[bool](t)(c.DeleteHome(ctx, home)) {
		t.Error("deleted twice")
	}
	if list := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, user)); len(list) != 0 {
		t.Errorf("mail after DeleteHome: %v", list)
	}
}

func testDsync(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	must(t, c.Save(ctx, "src@s.test", "INBOX", message("one")))
	src := "maildir:" + s.home("src@s.test") + "/Maildir"
	res := get[dovecot.SyncResult](t)(c.Backup(ctx, "dst@s.test", src,
		&dovecot.SyncOptions{Reverse: true, Incremental: true}))
	if res.State == "" || res.Again {
		t.Errorf("result: %+v", res)
	}
	if m := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, "dst@s.test", "INBOX")); m[0].Messages != 1 {
		t.Errorf("INBOX: %+v", m)
	}
	_, err := c.Backup(ctx, "dst@s.test", src, &dovecot.SyncOptions{OneWay: true})
	wantKind(t, err, dovecot.ErrInvalid)
	_, err = c.Sync(ctx, "dst@s.test", "/no/type", nil)
	wantKind(t, err, dovecot.ErrInvalid)
	_, err = c.Sync(ctx, "dst@s.test", "tcp:127.0.0.1:1", nil)
	if is24(t, c) {
		wantKind(t, err, dovecot.ErrTemporary)
	} else {
		wantKind(t, err, dovecot.ErrUnknownOutcome)
	}
	// A source that is not there would be taken for empty mail.
	for _, f := range []func(context.Context, string, string, *dovecot.SyncOptions) (dovecot.SyncResult, error){c.Sync,
		c.Backup} {
		_, err = f(ctx, "dst@s.test", "maildir:"+s.home("mistyped@s.test")+"/Maildir", &dovecot.SyncOptions{Reverse: true})
		wantKind(t, err, dovecot.ErrNotFound)
	}
	if m := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, "dst@s.test", "INBOX")); m[0].Messages != 1 {
		t.Errorf("INBOX after a mistyped source: %+v", m)
	}
}

// testDsyncByCounts: without Full a mailbox is left alone when both sides give the same numbers, even
// though mail has come to both. With it, what is new comes, and of two messages that have the same UID
// both get another; flags set at the target stay.
func testDsyncByCounts(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	const from, to = "counts1@s.test", "counts2@s.test"
	source := "maildir:" + s.home(from) + "/Maildir"
	sync := func(full bool) {
		t.Helper()
		get[dovecot.SyncResult](t)(c.Sync(ctx, to, source, &dovecot.SyncOptions{Reverse: true, OneWay: true, Full: full}))
	}
	must(t, c.Save(ctx, from, "INBOX", message("base")))
	sync(false)
	must(t, c.Save(ctx, from, "INBOX", message("late")))
	must(t, c.Save(ctx, to, "INBOX", message("own")))
	sync(false)
	wantSame(t, "without Full", subjects(t, c, to, "INBOX"), []string{"1 base", "2 own"})
	for range 2 {
		sync(true)
		got := subjects(t, c, to, "INBOX")
		slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[2:], b[2:]) })
		if len(got) != 3 || got[0] != "1 base" || got[1][1:] != " late" || got[2][1:] != " own" || got[1] == "2 late" ||
			got[2] == "2 own" {
			t.Errorf("with Full: %q", got)
		}
	}
	must(t, c.AddFlags(ctx, from, []string{`\Flagged`}, "mailbox", "INBOX", "UID", "1"))
	must(t, c.AddFlags(ctx, to, []string{`\Answered`}, "mailbox", "INBOX", "SUBJECT", "own"))
	sync(true)
	for _, flag := range []string{"FLAGGED", "ANSWERED"} {
		rows := get[[]dovecot.ResultRow](t)(c.Fetch(ctx, to, []string{"uid"}, "mailbox", "INBOX", flag))
		wantSame(t, flag, len(rows), 1)
	}
}

// testBackupOverOwnMail: a backup whose target has another message where one of the source's belongs, or
// no longer has one, deletes the mailbox: an INBOX is empty afterwards for ever.
func testBackupOverOwnMail(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	const from, to = "counts3@s.test", "counts4@s.test"
	source := "maildir:" + s.home(from) + "/Maildir"
	backup := func(full bool) error {
		_, err := c.Backup(ctx, to, source, &dovecot.SyncOptions{Reverse: true, Full: full})
		return err
	}
	must(t, c.Save(ctx, from, "INBOX", message("base")))
	must(t, c.CreateMailbox(ctx, from, "K", nil))
	must(t, c.Save(ctx, from, "K", message("base")))
	must(t, backup(false))
	must(t, c.Save(ctx, from, "K", message("late")))
	must(t, c.Save(ctx, to, "K", message("own")))
	must(t, backup(false))
	wantSame(t, "without Full", subjects(t, c, to, "K"), []string{"1 base", "2 own"})
	wantKind(t, backup(true), dovecot.ErrTemporary)
	must(t, backup(true))
	wantSame(t, "made anew", subjects(t, c, to, "K"), []string{"1 base", "2 late"})
	must(t, c.Save(ctx, to, "K", message("own")))
	must(t, backup(true))
	wantSame(t, "own mail behind all", subjects(t, c, to, "K"), []string{"1 base", "2 late"})
	must(t, c.Expunge(ctx, to, "K", "UID", "1"))
	wantKind(t, backup(true), dovecot.ErrTemporary)
	must(t, backup(true))
	wantSame(t, "made anew", subjects(t, c, to, "K"), []string{"1 base", "2 late"})

	must(t, c.Save(ctx, from, "INBOX", message("late")))
	must(t, c.Save(ctx, to, "INBOX", message("own")))
	for range 2 {
		wantKind(t, backup(true), dovecot.ErrNotPossible)
		wantSame(t, "INBOX", subjects(t, c, to, "INBOX"), []string(nil))
	}
}

// subjects are the UIDs and subjects of a mailbox.
func subjects(t *testing.T, c *dovecot.Client, user, mailbox string) (list []string) {
	t.Helper()
	for _, row := range get[[]dovecot.ResultRow](t)(c.Fetch(t.Context(), user, []string{"uid", "hdr.subject"}, "mailbox",
		mailbox)) {
		list = append(list, row["uid"]+" "+row["hdr.subject"])
	}
	return list
}

func testBatch(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	list := get[[]dovecot.Result](t)(c.Batch(ctx,
		dovecot.Call{Command: "quotaGet", Params: dovecot.Params{"user": "batch1@s.test"}},
		dovecot.Call{Command: "quotaGet", Params: dovecot.Params{"user": "nobody@s.test"}},
		dovecot.Call{Command: "mailboxList", Params: dovecot.Params{"user": "batch2@s.test"}},
	))
	must(t, list[0].Err)
	wantKind(t, list[1].Err, dovecot.ErrNoUser)
	must(t, list[2].Err)
	if len(list[0].Rows) != 2 || len(list[2].Rows) != 2 {
		t.Errorf("rows: %v", list)
	}
	before := c.Stats().Requests
	good := dovecot.Call{Command: "mailboxCreate", Params: dovecot.Params{"user": "batch1@s.test",
		"mailbox": []string{"X"}}}
	for _, bad := range []dovecot.Call{
		{Command: "noSuch"},
		{Command: "quotaGet", Params: dovecot.Params{"user": "batch1@s.test", "bogus": "x"}},
		{Command: "quotaGet"},
		{Command: "quotaGet", Params: dovecot.Params{"user": "batch?@s.test"}},
		{Command: "quotaGet", Params: dovecot.Params{"user": nil}},
	} {
		if _, err := c.Batch(ctx, good, bad); err == nil {
			t.Errorf("no error for %v", bad)
		}
	}
	if n := c.Stats().Requests - before; n != 0 {
		t.Errorf("%d requests for batches that are refused", n)
	}
	if found := get[bool](t)(c.MailboxExists(ctx, "batch1@s.test", "X")); found {
		t.Error("a refused batch was carried out")
	}
}

func testDo(t *testing.T, s site) {
	const user = "raw@s.test"
	ctx, c := t.Context(), s.client(t)
	for _, name := range []string{"P", "P/C"} {
		must(t, c.CreateMailbox(ctx, user, name, nil))
	}
	// A false that was sent would delete P/C, too.
	get[[]dovecot.ResultRow](t)(c.Do(ctx, "mailboxDelete", dovecot.Params{"user": user, "mailbox": []string{"P"},
		"recursive": false}))
	wantSame(t, "left", get[[]string](t)(c.Mailboxes(ctx, user, nil)), []string{"INBOX", "P", "P/C", "Sent"})
	rows := get[[]dovecot.ResultRow](t)(c.Do(ctx, "mailboxPath", dovecot.Params{"user": user, "mailbox": "P/C"}))
	wantSame(t, "path", rows, []dovecot.ResultRow{{"path": s.home(user) + "/Maildir/.P.C"}})

	for name, p := range map[string]struct {
		command string
		params  dovecot.Params
		kind    dovecot.Kind
	}{
		"unknown command":   {"MAILBOXLIST", dovecot.Params{"user": user}, dovecot.ErrUnsupported},
		"unknown parameter": {"mailboxList", dovecot.Params{"user": user, "x": "y"}, dovecot.ErrUnsupported},
		"null":              {"mailboxList", dovecot.Params{"user": user, "socketPath": nil}, dovecot.ErrInvalid},
		"array for string":  {"index", dovecot.Params{"user": user, "mailboxMask": []string{"*"}}, dovecot.ErrInvalid},
		"text for boolean":  {"mailboxList", dovecot.Params{"user": user, "mutf7": "yes"}, dovecot.ErrInvalid},
		"no user":           {"mailboxList", nil, dovecot.ErrInvalid},
		"empty user":        {"mailboxList", dovecot.Params{"user": ""}, dovecot.ErrInvalid},
		"mask as user":      {"mailboxList", dovecot.Params{"user": "raw*"}, dovecot.ErrInvalid},
		"control character": {"mailboxList", dovecot.Params{"user": "raw\n@s.test"}, dovecot.ErrInvalid},
	} {
		if name == "array for string" && is24(t, c) {
			continue // it is one there
		}
		_, err := c.Do(ctx, p.command, p.params)
		if !errors.Is(err, p.kind) {
			t.Errorf("%s: %v, want %q", name, err, p.kind)
		}
	}
}

// testMailstore is the life of an account as Apply sees it.
func testMailstore(t *testing.T, s site) {
	ctx, c := t.Context(), s.client(t)
	var port schoolmail.Mailstore = dovecot.NewMailstore(c, nil, dovecot.Desired{Mailboxes: []string{"Drafts"}})
	a := schoolmail.Account{Mail: "store@s.test"}
	for range 2 { // existing is success
		must(t, port.EnsureMailbox(ctx, a))
	}
	must(t, c.Save(ctx, a.Mail, "Drafts", message("x")))
	r := login(t, s, a.Mail)
	must(t, port.Disconnect(ctx, a))
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "* BYE") {
		t.Errorf("after Disconnect: %q, %v", line, err)
	}
	for range 2 { // gone is success
		must(t, port.RemoveMailbox(ctx, a))
	}
	// MailRoot is set, so that the home goes, too.
	if m := get[[]dovecot.MailboxStatus](t)(c.Status(ctx, a.Mail)); len(m) != 0 {
		t.Errorf("left: %+v", m)
	}
	must(t, port.RemoveMailbox(ctx, schoolmail.Account{Mail: "nobody@s.test"}))
	wantKind(t, port.EnsureMailbox(ctx, schoolmail.Account{Mail: "nobody@s.test"}), dovecot.ErrNoUser)
}

// TestBrokenNames: folders on disk whose names are none, as a conversion or a
// restored backup may leave them, hide the state of all others. Removal works
// nevertheless where homes may be deleted, and says so where not.
func TestBrokenNames(t *testing.T) {
	t.Parallel()
	const user = "broken@s.test"
	s := installed{dovecotd.Start(t, &dovecotd.Config{Users: []dovecotd.User{{Name: user, Password: "pw"}}})}
	ctx, c := t.Context(), s.client(t)
	must(t, c.Save(ctx, user, "INBOX", message("x")))
	uid, gid := s.MailOwner()
	for _, name := range []string{".&bogus", ".caf\xe9", ".tab\tx"} {
		for _, d := range []string{"", "cur", "new", "tmp"} {
			dir := filepath.Join(s.home(user), "Maildir", name, d)
			must(t, os.Mkdir(dir, 0o755))
			must(t, os.Chown(dir, uid, gid))
		}
	}
	_, err := c.Status(ctx, user)
	wantKind(t, err, dovecot.ErrNotFound)
	if !strings.Contains(err.Error(), "a mailbox that is listed cannot be opened") {
		t.Errorf("the error does not help: %v", err)
	}
	port := dovecot.NewMailstore(c, nil, dovecot.Desired{})
	a := schoolmail.Account{Mail: user}
	must(t, port.EnsureMailbox(ctx, a))

	careful := newClient(t, s.URL, &dovecot.Options{APIKey: schoolmail.Secret(s.APIKey)}) // no MailRoot
	err = dovecot.NewMailstore(careful, nil, dovecot.Desired{}).RemoveMailbox(ctx, a)
	wantKind(t, err, dovecot.ErrNotFound)
	for range 2 {
		must(t, port.RemoveMailbox(ctx, a))
	}
	if _, err := os.Stat(filepath.Join(s.home(user), "Maildir", ".&bogus")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the home is still there: %v", err)
	}
}

func testMaintenance(t *testing.T, s site) {
	const user = "maint@s.test"
	ctx, c := t.Context(), s.client(t)
	must(t, c.Index(ctx, user, "*"))
	must(t, c.ForceResync(ctx, user, "INBOX"))
	must(t, c.Reload(ctx))
	_, err := c.User(ctx, "nobody@s.test")
	wantKind(t, err, dovecot.ErrNoUser)
	info := get[*dovecot.ServerInfo](t)(c.Server(ctx))
	if info.Series == "2.4" {
		wantSame(t, "director", info.Director, false)
		return
	}
	// info.Sieve is true where dovecot-sieve is installed beside, and that is as well.
	if info.Series != "2.3" || !info.Director || info.Commands["mailboxCreate"]["mailbox"] != dovecot.Array {
		t.Errorf("server: series %q, director %v", info.Series, info.Director)
	}
}
