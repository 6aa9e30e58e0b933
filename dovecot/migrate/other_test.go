package migrate_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// plainServer is go-imap's server in memory: no CONDSTORE, no MULTIAPPEND, no
// LITERAL+ beyond 4,096 bytes, another hand's reading of the RFCs.
func plainServer(t *testing.T) (migrate.Server, string) {
	t.Helper()
	mem := imapmemserver.New()
	u := imapmemserver.NewUser("anna", password)
	if err := u.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	mem.AddUser(u)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapNamespace: {}}, InsecureAuth: true,
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	return insecure(l.Addr().String()), l.Addr().String()
}

// Between servers that offer next to nothing everything arrives all the same.
func TestPlainServers(t *testing.T) {
	t.Parallel()
	from, fromAddr := plainServer(t)
	to, toAddr := plainServer(t)
	c := client(t, fromAddr, "anna")
	for _, f := range []string{"Gesendet", "Entw&APw-rfe"} {
		do(t, c, "CREATE %q", f)
		do(t, c, "SUBSCRIBE %q", f)
	}
	for i := range 20 {
		if _, err := c.Do("APPEND INBOX (\\Seen) \"01-Feb-2020 10:00:00 +0100\" {%d+}\r\n%s", len(mail(i, "")),
			mail(i, "")); err != nil {
			t.Fatal(err)
		}
	}
	put(t, c, "Gesendet", `\Answered`, "01-Feb-2020 10:00:00 +0100", mail(99, ""))
	names := map[string]string{"Gesendet": "Sent", "Entwürfe": "Drafts"}
	m := migrate.New(from, to, t.TempDir(), nil)
	check := func() {
		t.Helper()
		if d := cmp.Diff(read(t, fromAddr, "anna").renamed(names).filled(), read(t, toAddr, "anna").filled()); d != "" {
			t.Errorf("(-source +target)\n%s", d)
		}
	}
	if res := sync(t, m, account("anna")); res.Copied != 21 || res.Failed != 0 {
		t.Errorf("%+v", res)
	}
	check()
	do(t, c, "SELECT INBOX")
	do(t, c, `STORE 3 +FLAGS (\Flagged)`) // nothing but the flags themselves tells
	do(t, c, `STORE 5 +FLAGS (\Deleted)`)
	do(t, c, "EXPUNGE")
	if res := sync(t, m, account("anna")); res.Flags != 1 || res.Deleted != 1 || res.Copied != 0 {
		t.Errorf("%+v", res)
	}
	check()
	if res := sync(t, m, account("anna")); res.Copied+res.Flags+res.Deleted+res.Adopted != 0 {
		t.Errorf("%+v", res)
	}
	cert, err := m.Verify(t.Context(), account("anna"), nil)
	if err != nil || !cert.Complete || cert.Total().Equal != 20 || cert.Digest != "sha256" {
		t.Errorf("%+v, %v", cert, err)
	}
}

// A source that answers as no server should: odd lines, a folder
// name in raw 8 bit, a message it does not send, an empty one, an impossible date.
func TestOddSource(t *testing.T) {
	t.Parallel()
	srv := scripted(t, map[string]string{
		"NAMESPACE": "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n",
		"LIST": "* LIST () \".\" INBOX\r\n* LIST (\\XYZ) \".\" \"INBOX.Entw\xfcrfe\"\r\n* LIST () \".\" {5}\r\n" +
			"INBOX\r\ngarbage\r\n\r\n* XYZZY {3}\r\nabc\r\n",
		"LSUB":    "* LSUB () \".\" \"INBOX.Entw\xfcrfe\"\r\n",
		"STATUS":  "* STATUS INBOX (MESSAGES 6 UIDNEXT 11 UIDVALIDITY 7)\r\n",
		"EXAMINE": "* 6 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 11] x\r\n* FLAGS (a]b)\r\n",
		"SEARCH":  "* SEARCH 1 2 3 4 8 10\r\n",
		"META": "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"01-Feb-2020 10:00:00 +0000\" RFC822.SIZE 20)\r\n" +
			"* 2 FETCH (UID 2 FLAGS (\\Seen \\Recent a]b \"q u\") INTERNALDATE \"31-Feb-2020 10:00:00 +0000\" RFC822.SIZE " +
			"20)\r\n" +
			"* 3 FETCH (UID 3 FLAGS () INTERNALDATE NIL RFC822.SIZE 0)\r\n" +
			"* 4 FETCH (UID 4 FLAGS () INTERNALDATE \"01-Feb-2020 10:00:00 +0000\" RFC822.SIZE 20)\r\n" +
			"* 9 FETCH (FLAGS (\\Seen))\r\n* VANISHED 77\r\n" +
			"* 5 FETCH (UID 8 FLAGS () INTERNALDATE \"01-Feb-2020 10:00:00 +0000\" RFC822.SIZE 20)\r\n",
		"BODY": "* 1 FETCH (UID 1 BODY[] {14}\r\nSubject: 1\r\n\r\n)\r\n* 2 FETCH (UID 2 X {2}\r\n)) BODY[] {14}\r\n" +
			"Subject: 2\r\n\r\n)\r\n" +
			"* 3 FETCH (UID 3 BODY[] \"\")\r\n* 5 FETCH (UID 8 BODY[] NIL)\r\n",
	})
	to, toAddr := plainServer(t)
	m := migrate.New(srv, to, t.TempDir(), &migrate.Options{Attempts: 1})
	res, err := m.Sync(t.Context(), account("anna"))
	if err != nil || res.Copied != 2 || res.Failed != 4 {
		t.Errorf("%+v, %v", res, err)
	}
	var got []string
	for _, p := range res.Problems {
		got = append(got, fmt.Sprintf("%d %s", p.UID, p.Kind))
	}
	slices.Sort(got)
	// 2 was copied without its date and two keywords; 3 is empty, 4 was not sent, 8 has no content, of 10 nothing is told.
	if d := cmp.Diff([]string{"10 missing", "2 date", "2 keyword", "3 empty", "4 missing", "8 missing"}, got); d != "" {
		t.Error(d)
	}
	if n := len(read(t, toAddr, "anna")["INBOX"]); n != 2 {
		t.Errorf("%d messages", n)
	}
	if _, ok := read(t, toAddr, "anna")["Drafts"]; !ok {
		t.Error("the folder with the 8-bit name did not become Drafts")
	}
}

// A source whose list of UIDs cannot be read, or is shorter than its own
// count: that is no reason to delete anything at the target.
func TestUnreadableSearch(t *testing.T) {
	t.Parallel()
	for name, search := range map[string]string{"odd": "* SEARCHED 1 2\r\n", "short": "* SEARCH 1\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := map[string]string{
				"NAMESPACE": "* NAMESPACE ((\"\" \".\")) NIL NIL\r\n",
				"LIST":      "* LIST () \".\" INBOX\r\n",
				"STATUS":    "* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 7)\r\n",
				"EXAMINE":   "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 3] x\r\n",
				"SEARCH":    "* SEARCH 1 2\r\n",
				"META":      "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 14)\r\n* 2 FETCH (UID 2 FLAGS () RFC822.SIZE 14)\r\n",
				"BODY": "* 1 FETCH (UID 1 BODY[] {14}\r\nSubject: 1\r\n\r\n)\r\n* 2 FETCH (UID 2 BODY[] {14}\r\n" +
					"Subject: 2\r\n\r\n)\r\n",
			}
			to, toAddr := plainServer(t)
			m := migrate.New(scripted(t, answers), to, t.TempDir(), &migrate.Options{Attempts: 1})
			if res := sync(t, m, account("anna")); res.Copied != 2 {
				t.Fatalf("%+v", res)
			}
			answers["SEARCH"] = search
			res := sync(t, m, account("anna"))
			if n := len(read(t, toAddr, "anna")["INBOX"]); n != 2 || res.Deleted != 0 || res.Failed != 1 {
				t.Errorf("%d messages are left of 2: %+v", n, res)
			}
		})
	}
}

// scripted is a source server that answers by the kind of command.
func scripted(t *testing.T, answers map[string]string) migrate.Server {
	return migrate.Server{Addr: "scripted:143", Security: migrate.Insecure,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			c, srv := net.Pipe()
			go serveScript(srv, answers)
			return c, nil
		}}
}

func serveScript(c net.Conn, answers map[string]string) {
	defer c.Close()
	io.WriteString(c, "* OK [CAPABILITY IMAP4rev1 NAMESPACE] odd\r\n")
	box := ""
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		kind := f[1]
		switch {
		case kind == "EXAMINE":
			box = line
		case kind == "UID" && f[2] == "SEARCH":
			kind = "SEARCH"
		case kind == "UID" && strings.Contains(line, "BODY"):
			kind = "BODY"
		case kind == "UID":
			kind = "META"
		case kind == "LOGIN", kind == "CAPABILITY":
			io.WriteString(c, "* CAPABILITY IMAP4rev1 NAMESPACE\r\n")
		}
		answer := answers[kind]
		if kind == "EXAMINE" && strings.Contains(line, "INBOX.") {
			answer = "* 0 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\n* OK [UIDNEXT 1] x\r\n"
		}
		if strings.Contains(line, "{") { // the name in raw 8 bit comes as a literal
			io.WriteString(c, "+ go\r\n")
			rest, _ := r.ReadString('\n')
			if kind == "EXAMINE" {
				answer, box = "* 0 EXISTS\r\n* OK [UIDVALIDITY 8] x\r\n* OK [UIDNEXT 1] x\r\n", rest
			} else {
				answer = ""
			}
		}
		if strings.Contains(box, "INBOX.") && f[1] == "UID" {
			answer = ""
		}
		io.WriteString(c, answer+f[0]+" OK done\r\n")
	}
}
