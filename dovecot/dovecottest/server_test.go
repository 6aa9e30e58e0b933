package dovecottest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

// talk is a raw IMAP connection.
type talk struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, s *dovecottest.Server, user string) *talk {
	t.Helper()
	c, err := net.Dial("tcp", s.IMAPAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second)) // rather fail than hang
	x := &talk{t, c, bufio.NewReader(c)}
	x.line()
	if user != "" {
		if got := x.ask("l LOGIN " + user + " pw"); !strings.HasPrefix(got[len(got)-1], "l OK") {
			t.Fatalf("login: %s", got)
		}
	}
	return x
}

// line reads a line, "" at the end of the connection.
func (x *talk) line() string {
	s, err := x.r.ReadString('\n')
	if err != nil {
		return ""
	}
	return strings.TrimRight(s, "\r\n")
}

// ask sends a command and returns the lines up to the tagged answer or the end.
func (x *talk) ask(cmd string) []string {
	io.WriteString(x.c, cmd+"\r\n")
	tag, _, _ := strings.Cut(cmd, " ")
	var list []string
	for {
		s := x.line()
		list = append(list, s)
		if s == "" || strings.HasPrefix(s, tag+" ") {
			return list
		}
	}
}

func (x *talk) wantLast(cmd, prefix string) {
	x.t.Helper()
	if got := x.ask(cmd); !strings.HasPrefix(got[len(got)-1], prefix) || prefix == "" && got[len(got)-1] != "" {
		x.t.Errorf("%s: %q, want the end %q", cmd, got, prefix)
	}
}

func (x *talk) wantLine(prefix string) {
	x.t.Helper()
	if l := x.line(); !strings.HasPrefix(l, prefix) {
		x.t.Errorf("read %q, want %q", l, prefix)
	}
}

func newSim(t *testing.T, opts ...dovecottest.Option) *dovecottest.Server {
	s := testlife.Of(dovecottest.Start(opts...))(t)
	s.SetUsers(dovecottest.User{Name: "anna@s.test", Password: "pw"}, dovecottest.User{Name: "bea@s.test", Password: "pw"})
	return s
}

// TestIMAPClient drives the server with go-imap's client.
func TestIMAPClient(t *testing.T) {
	t.Parallel()
	s := newSim(t)
	c, err := imapclient.DialInsecure(s.IMAPAddr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(c.Login("anna@s.test", "pw").Wait())
	check(c.Create("Entwürfe/Jänner", nil).Wait())
	check(c.Subscribe("Entwürfe/Jänner").Wait())

	list, err := c.List("", "*", &imap.ListOptions{ReturnSpecialUse: true, ReturnSubscribed: true,
		ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true}}).Collect()
	check(err)
	var names []string
	for _, l := range list {
		names = append(names, fmt.Sprintf("%s %v", l.Mailbox, l.Attrs))
	}
	slices.Sort(names)
	want := []string{`Drafts [\Subscribed \Drafts]`, `Entwürfe [\Noselect]`, `Entwürfe/Jänner [\Subscribed]`, `INBOX []`,
		`Junk [\Subscribed \Junk]`, `Sent [\Subscribed \Sent]`, `Trash [\Subscribed \Trash]`}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("LIST (-want +got):\n%s", d)
	}

	body := "From: Bea Müller <bea@s.test>\r\nTo: anna@s.test\r\nSubject: Test\r\nMessage-ID: <1@s.test>\r\n" +
		"Date: Wed, 01 Jan 2020 10:00:00 +0100\r\n\r\nHallo\r\n"
	at := time.Date(2020, 1, 1, 9, 0, 0, 0, time.UTC)
	for range 2 {
		a := c.Append("INBOX", int64(len(body)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen, "$Label1"}, Time: at})
		io.WriteString(a, body)
		check(a.Close())
		_, err := a.Wait()
		check(err)
	}
	sel, err := c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	check(err)
	if sel.NumMessages != 2 || sel.UIDNext != 3 || sel.HighestModSeq == 0 {
		t.Errorf("SELECT: %+v", sel)
	}
	msgs, err := c.Fetch(imap.SeqSetNum(1, 2), &imap.FetchOptions{UID: true, Flags: true, InternalDate: true,
		RFC822Size: true, Envelope: true, ModSeq: true,
		BodySection: []*imap.FetchItemBodySection{{Peek: true}}}).Collect()
	check(err)
	m := msgs[1]
	if m.UID != 2 || !m.InternalDate.Equal(at) || m.RFC822Size != int64(len(body)) || m.Envelope.Subject != "Test" ||
		m.Envelope.From[0].Mailbox != "bea" || string(m.BodySection[0].Bytes) != body {
		t.Errorf("FETCH: %+v", m)
	}
	data, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-ID",
		Value: "<1@s.test>"}}}, nil).Wait()
	check(err)
	if got := data.AllUIDs(); len(got) != 2 {
		t.Errorf("SEARCH: %v", got)
	}
	if _, err := c.Copy(imap.UIDSetNum(1), "Sent").Wait(); err != nil {
		t.Error(err)
	}
	if _, err := c.Move(imap.UIDSetNum(2), "Trash").Wait(); err != nil {
		t.Error(err)
	}
	check(c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}},
		nil).Close())
	check(c.Expunge().Close())
	st, err := c.Status("INBOX", &imap.StatusOptions{NumMessages: true, Size: true}).Wait()
	check(err)
	if *st.NumMessages != 0 || *st.Size != 0 {
		t.Errorf("STATUS: %+v", st)
	}
	q, err := c.GetQuotaRoot("INBOX").Wait()
	check(err)
	if len(q) != 1 || q[0].Resources[imap.QuotaResourceStorage].Limit != 1<<20 {
		t.Errorf("QUOTA: %+v", q)
	}
	check(c.Logout().Wait())
	if n := len(s.Messages("anna@s.test", "Sent")) + len(s.Messages("anna@s.test", "Trash")); n != 2 {
		t.Errorf("%d messages in Sent and Trash", n)
	}
	if got := s.IMAPCommands(); got["APPEND"] != 2 || got["UID MOVE"] != 1 {
		t.Errorf("commands counted: %v", got)
	}
}

// TestTwoSessions: what one does the other is told, by NOOP and in IDLE.
func TestTwoSessions(t *testing.T) {
	t.Parallel()
	s := newSim(t)
	a, b := dial(t, s, "anna@s.test"), dial(t, s, "anna@s.test")
	b.ask("b SELECT INBOX")
	s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{Body: []byte("Subject: 1\r\n\r\n")})
	s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{Body: []byte("Subject: 2\r\n\r\n")})
	a.ask("a SELECT INBOX") // has \Recent
	got := b.ask("b NOOP")
	if d := cmp.Diff([]string{"* 2 EXISTS", "* 0 RECENT", "b OK NOOP completed."}, got); d != "" {
		t.Errorf("NOOP (-want +got):\n%s", d)
	}
	io.WriteString(b.c, "b IDLE\r\n")
	if l := b.line(); !strings.HasPrefix(l, "+") {
		t.Fatalf("IDLE: %q", l)
	}
	a.ask(`a STORE 1 +FLAGS.SILENT (\Deleted)`)
	if l := b.line(); l != `* 1 FETCH (FLAGS (\Deleted))` {
		t.Errorf("in IDLE: %q", l)
	}
	a.ask("a EXPUNGE")
	if l := b.line(); l != "* 1 EXPUNGE" {
		t.Errorf("in IDLE: %q", l)
	}
	io.WriteString(b.c, "DONE\r\n")
	b.wantLine("b OK")
	a.ask("a SELECT Sent")
	b.ask("b SELECT Sent")
	a.wantLast("a DELETE Sent", "a OK")
	io.WriteString(b.c, "b NOOP\r\n")
	b.wantLine("* BYE")
}

func TestIMAPFaults(t *testing.T) {
	t.Parallel()
	const msg = "Subject: 1\r\n\r\n0123456789"
	for _, tc := range []struct {
		name   string
		fault  dovecottest.IMAPFault
		answer string // the line that the APPEND ends with, "" for the end of the connection
		stored int
	}{
		{"no", dovecottest.IMAPFault{Command: "APPEND", No: "[OVERQUOTA] full"}, "a NO [OVERQUOTA]", 0},
		{"drop", dovecottest.IMAPFault{Command: "APPEND", Disconnect: true}, "", 0},
		{"lost answer", dovecottest.IMAPFault{Command: "APPEND", DisconnectAfter: true}, "", 1},
		{"cut at once", dovecottest.IMAPFault{Command: "APPEND", CutInput: -1}, "", 0},
		{"cut in the middle", dovecottest.IMAPFault{Command: "APPEND", CutInput: 20}, "", 0},
		{"half an answer", dovecottest.IMAPFault{Command: "APPEND", CutOutput: 5}, "", 1},
		{"other user", dovecottest.IMAPFault{Command: "APPEND", User: "bea@s.test", Disconnect: true}, "a OK", 1},
		{"other command", dovecottest.IMAPFault{Command: "COPY", Disconnect: true}, "a OK", 1},
		{"later", dovecottest.IMAPFault{Command: "APPEND", Skip: 1, Disconnect: true}, "a OK", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newSim(t)
			remove := s.InjectIMAP(tc.fault)
			x := dial(t, s, "anna@s.test")
			fmt.Fprintf(x.c, "a APPEND INBOX {%d+}\r\n%s\r\n", len(msg), msg)
			l := x.line()
			if tc.answer == "" && strings.HasPrefix(l, "a ") || !strings.HasPrefix(l, tc.answer) {
				t.Errorf("answer %q, want %q", l, tc.answer)
			}
			for l != "" && tc.answer == "" {
				l = x.line()
			}
			if n := len(s.Messages("anna@s.test", "INBOX")); n != tc.stored {
				t.Errorf("%d messages stored, want %d", n, tc.stored)
			}
			// Once only: the next session works.
			remove()
			dial(t, s, "anna@s.test").wantLast("a NOOP", "a OK")
		})
	}
}

// TestDelay: a delayed command takes its time, and only that one.
func TestDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := dovecottest.New()
		s.SetUsers(dovecottest.User{Name: "anna@s.test", Password: "pw"})
		s.InjectIMAP(dovecottest.IMAPFault{Command: "NOOP", Delay: time.Hour})
		here, there := net.Pipe()
		defer here.Close()
		go s.ServeIMAP(there)
		x := &talk{t, here, bufio.NewReader(here)}
		x.line()
		begin := time.Now()
		x.wantLast("a NOOP", "a OK")
		x.wantLast("a NOOP", "a OK")
		if d := time.Since(begin); d != time.Hour {
			t.Errorf("took %v", d)
		}
	})
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	build := func(change func(*dovecottest.Server)) string {
		s := dovecottest.New()
		s.SetUsers(dovecottest.User{Name: "anna@s.test", Password: "pw"})
		s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{Body: []byte("Subject: 1\n\n"), Date: time.Unix(1e9, 0)})
		change(s)
		return s.Fingerprint()
	}
	base := build(func(*dovecottest.Server) {})
	if again := build(func(*dovecottest.Server) {}); again != base {
		t.Error("two equal servers differ")
	}
	for name, change := range map[string]func(*dovecottest.Server){
		"user": func(s *dovecottest.Server) { s.SetUsers(dovecottest.User{Name: "bea@s.test"}) },
		"quota": func(s *dovecottest.Server) {
			s.SetUsers(dovecottest.User{Name: "anna@s.test", Password: "pw", QuotaBytes: 1})
		},
		"message": func(s *dovecottest.Server) { s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{}) },
		"mailbox": func(s *dovecottest.Server) {
			s.AddMessage("anna@s.test", "X", dovecottest.Message{Body: []byte("x"), Date: time.Unix(1e9, 0)})
		},
	} {
		if build(change) == base {
			t.Errorf("a change of %s leaves the fingerprint", name)
		}
	}
}

// TestManyUsers: 32,000 users are listed and looked up, and take room for mail
// only when used.
func TestManyUsers(t *testing.T) {
	t.Parallel()
	s := dovecottest.New()
	users := make([]dovecottest.User, 32000)
	for i := range users {
		users[i] = dovecottest.User{Name: fmt.Sprintf("u%05d@s.test", i)}
	}
	s.SetUsers(users...)
	if n := len(s.Homes()); n != 0 {
		t.Errorf("%d homes before use", n)
	}
	s.AddMessage("u31999@s.test", "INBOX", dovecottest.Message{Body: []byte("x")})
	if got := s.Homes(); !slices.Equal(got, []string{"/srv/mail/u31999@s.test"}) {
		t.Errorf("homes: %q", got)
	}
}

// TestParallelSessions is for the race detector: many sessions and API calls
// on one mailbox.
func TestParallelSessions(t *testing.T) {
	t.Parallel()
	s := newSim(t)
	const sessions, each = 6, 20
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			x := dial(t, s, "anna@s.test")
			x.ask("a SELECT INBOX")
			for j := range each {
				x.wantLast(fmt.Sprintf("a APPEND INBOX {16+}\r\nSubject: %d%02d\r\n\r\n", i, j), "a OK")
				x.wantLast("a UID FETCH 1:* (FLAGS)", "a OK")
			}
		})
	}
	wg.Go(func() {
		for range each {
			dovecotd.Post(t, s.URL, s.APIKey,
				`[["mailboxStatus",{"user":"anna@s.test","field":["all"],"mailboxMask":["*"]},"t"]]`)
			dovecotd.Post(t, s.URL, s.APIKey, `[["who",{},"t"]]`)
			dovecotd.Post(t, s.URL, s.APIKey, `[["sync",{"user":"bea@s.test","reverseSync":true,"onewaySync":true,`+
				`"destination":["maildir:/srv/mail/anna@s.test/Maildir"]},"t"]]`)
		}
	})
	wg.Wait()
	msgs := s.Messages("anna@s.test", "INBOX")
	if len(msgs) != sessions*each {
		t.Fatalf("%d messages", len(msgs))
	}
	for i, m := range msgs {
		if m.UID != uint32(i+1) {
			t.Fatalf("message %d has UID %d", i, m.UID)
		}
	}
}

// FuzzIMAP: no input of a client makes the server panic or hang.
func FuzzIMAP(f *testing.F) {
	for _, seed := range []string{
		"a LOGIN anna@s.test pw\r\nb SELECT INBOX\r\nc FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.5>)\r\n",
		"a LOGIN anna@s.test pw\r\nb APPEND INBOX (\\Seen) \"01-Jan-2020 10:00:00 +0100\" {3+}\r\nabc {2}\r\n",
		"a LOGIN anna@s.test pw\r\nb LIST (SUBSCRIBED) \"\" (a% *) RETURN (STATUS (MESSAGES) CHILDREN)\r\n",
		"a LOGIN {11}\r\nanna@s.test {2+}\r\npw\r\n",
		"a AUTHENTICATE PLAIN =\r\n*\r\n",
		"a LOGIN anna@s.test pw\r\nb SELECT INBOX (QRESYNC (1 2))\r\nc SEARCH RETURN (ALL) OR (SEEN) NOT UID 1:*,2\r\n" +
			"d STORE 1 (UNCHANGEDSINCE 5) -FLAGS.SILENT \\Seen\r\n",
		"a LOGIN anna@s.test pw\r\nb RENAME INBOX \"&AOQ-\"\r\nc UID MOVE 1 Sent\r\nd IDLE\r\nDONE\r\ne ID (\"a\" NIL)\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		s := dovecottest.New()
		s.SetUsers(dovecottest.User{Name: "anna@s.test", Password: "pw"})
		s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{Body: []byte("Subject: x\n\nbody")})
		here, there := net.Pipe()
		done := make(chan bool)
		go func() { s.ServeIMAP(there); close(done) }()
		go io.Copy(io.Discard, here)
		here.Write(input)
		here.Close()
		<-done
	})
}

// FuzzDoveadm: no request makes the handler panic otherwise than it means to.
func FuzzDoveadm(f *testing.F) {
	for _, seed := range []string{
		`[["mailboxList",{"user":"anna@s.test","mailboxMask":["*"]},"t"]]`,
		`[["search",{"user":"*","query":["mailbox","INBOX","(","NOT","UID","1:*","OR","SINCE","1-Jan-2020",")"]},"t"]]`,
		`[["fetch",{"user":"anna@s.test","field":["hdr","flags","date.sent"],"query":["ALL"]},"t"],["kick",{"mask":["x"]}` +
			`,"u"]]`,
		`[["mailboxRename",{"user":"anna@s.test","mailbox":"A","newName":"A/B"},"t"]]`,
		`[["mailboxDelete",{"user":"anna@s.test","mailbox":[""],"recursive":true},"t"]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := dovecottest.New()
		s.SetUsers(dovecottest.User{Name: "anna@s.test"})
		s.AddMessage("anna@s.test", "INBOX", dovecottest.Message{Body: []byte("Subject: x\n\nbody")})
		request(t, s, body)
	})
}
