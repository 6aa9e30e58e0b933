package spool

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/cyrusd"
)

const password = "pw"

func login(tb testing.TB, addr, user string) *cyrusd.Conn {
	tb.Helper()
	return cyrusd.Login(tb, addr, user, password)
}

var (
	do  = cyrusd.Do
	put = cyrusd.Put
)

func mail(n int) string {
	return fmt.Sprintf("From: a@school.test\r\nSubject: message %d\r\nMessage-ID: <%d@school.test>\r\n\r\n"+
		"Text of %d\r\n", n, n, n)
}

// sourceOf describes a running Cyrus to the package.
func sourceOf(s *cyrusd.Server, old bool) Source {
	return Source{Partitions: []Partition{{Data: s.Spool}}, Config: filepath.Join(s.Dir, "conf"), OldNames: old}
}

// What the files say is what was put there over IMAP, in each of the trees
// that Cyrus 3.6 can write.
func TestReadReal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		old   bool
		extra string
		sub   string // relative path of anna's INBOX, with * for what is not fixed
	}{
		"by id":                   {false, "", "uuid/*/*/*"},
		"skiplist subscriptions":  {false, "subscription_db: skiplist\n", "uuid/*/*/*"},
		"by id, old names":        {true, "", "uuid/*/*/*"},
		"by name":                 {true, "mailbox_legacy_dirs: yes\n", "user/anna"},
		"by name, hashed":         {true, "mailbox_legacy_dirs: yes\nhashimapspool: yes\n", "a/user/anna"},
		"by name, hashed in full": {false, "mailbox_legacy_dirs: yes\nhashimapspool: yes\nfulldirhash: yes\n", "?/user/anna"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := cyrusd.Start(t, &cyrusd.Config{OldNames: c.old, ExpungeMode: "delayed", DeleteMode: "delayed", Extra: c.extra,
				Users: []cyrusd.User{{Name: "anna", Password: password}, {Name: "beat", Password: password}}})
			conn := login(t, srv.IMAPAddr, "anna")
			prefix, sep := "", "/"
			if c.old {
				prefix, sep = "INBOX.", "."
			}
			do(t, conn, "CREATE %q", prefix+"A"+sep+"B")
			do(t, conn, "CREATE %q", prefix+"weg")
			do(t, conn, "DELETE %q", prefix+"weg")
			for range 3 {
				do(t, conn, "SUBSCRIBE INBOX")
				do(t, conn, "SUBSCRIBE %q", prefix+"A"+sep+"B")
				do(t, conn, "UNSUBSCRIBE INBOX")
			}
			flags := []string{`\Answered`, `\Flagged`, `\Deleted`, `\Draft`, `\Seen`, `$Label1`, `NonJunk $Label1`, ``}
			for i, f := range flags {
				put(t, conn, "INBOX", f, "02-Feb-2020 10:00:00 +0100", mail(i))
			}
			do(t, conn, "SELECT INBOX")
			do(t, conn, "EXPUNGE")
			status := do(t, conn, "STATUS INBOX (UIDVALIDITY UIDNEXT)")

			s := newStore(sourceOf(srv, c.old))
			if users, err := s.accounts(); err != nil || !slices.Equal(users, []string{"anna", "beat"}) {
				t.Errorf("accounts %q, %v", users, err)
			}
			boxes, err := s.mailboxes(t.Context(), "anna")
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, b := range boxes {
				names = append(names, b.folder)
			}
			want := []string{"", "A.B"}
			if slices.Contains(names, "A") { // 3.6 makes it as well
				want = []string{"", "A", "A.B"}
			}
			if d := cmp.Diff(want, names); d != "" {
				t.Fatalf("mailboxes: %s", d)
			}
			if ok, _ := filepath.Match(c.sub, boxes[0].rel); !ok {
				t.Errorf("INBOX lies in %s", boxes[0].rel)
			}
			h, err := boxes[0].header()
			if err != nil || !h.mail() || h.uniqueID == "" || !slices.Equal(h.keywords, []string{"$Label1", "NonJunk"}) {
				t.Errorf("header %+v, %v", h, err)
			}
			subs, err := s.subscriptions("anna", h.uniqueID)
			if d := cmp.Diff(map[string]bool{"A.B": true}, subs); d != "" || err != nil {
				t.Errorf("subscriptions: %v %s", err, d)
			}

			f, err := os.Open(boxes[0].meta("cyrus.index"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			x, err := newIndexReader(f)
			if err != nil {
				t.Fatal(err)
			}
			if x.h.version != 17 || !strings.Contains(status, fmt.Sprintf("UIDVALIDITY %d", x.h.uidValidity)) ||
				!strings.Contains(status, fmt.Sprintf("UIDNEXT %d", x.h.lastUID+1)) {
				t.Errorf("%+v, IMAP says %s", x.h, status)
			}
			bits := []uint32{bitAnswered, bitFlagged, bitDeleted | bitExpunged, bitDraft, bitSeen, 0, 0, 0}
			keywords := []uint32{0, 0, 0, 0, 0, 1, 3, 0}
			for i := range flags {
				r, err := x.next()
				if err != nil {
					t.Fatal(err)
				}
				if r.uid != uint32(i+1) || r.date != 1580634000 || r.size != uint32(len(mail(i))) ||
					r.sha1 != sha1.Sum([]byte(mail(i))) {
					t.Errorf("record %+v", r)
				}
				if got := r.flags; got != bits[i] || r.keywords != [4]uint32{keywords[i]} || r.gone() != (i == 2) {
					t.Errorf("UID %d: flags %#x %v, want %#x %d", r.uid, got, r.keywords, bits[i], keywords[i])
				}
				if b, err := os.ReadFile(boxes[0].message(&r)); err != nil || string(b) != mail(i) {
					t.Errorf("UID %d: %q, %v", r.uid, b, err)
				}
			}
			if _, err := x.next(); err != io.EOF {
				t.Errorf("after the last: %v", err)
			}
		})
	}
}

func TestOwner(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"user.anna":                   {"anna", ""},
		"user.anna.A.B":               {"anna", "A.B"},
		"user.a^muster.x^y":           {"a.muster", "x^y"},
		"school.test!user.a^b.Sent":   {"a.b@school.test", "Sent"},
		"DELETED.user.anna.weg.6B04B": {},
		"shared.x":                    {},
		"user.":                       {},
	} {
		u, f, ok := owner(name)
		if u != want[0] || f != want[1] || ok != (want[0] != "") {
			t.Errorf("%s: %q, %q, %v", name, u, f, ok)
		}
	}
	for _, bad := range []string{"", "../x", "a/b", "a*", "x@../y", "x@.."} {
		if safeUser(bad) == nil {
			t.Errorf("user %q is taken", bad)
		}
	}
}

func TestMailboxHeader(t *testing.T) {
	t.Parallel()
	text := headerMagic + "\"The best thing about this system was that it had lots of goals.\"\n\t--Jim Morris on Andrew\n"
	for name, c := range map[string]struct {
		in   string
		want mailboxHeader
		bad  bool
		mail bool
	}{
		"2.3": {text + "user.anna\t4f2b1c0a5d3e\n$Label1 NonJunk \nanna\tlrswipcda\tanyone\tp\t\n",
			mailboxHeader{uniqueID: "4f2b1c0a5d3e", keywords: []string{"$Label1", "NonJunk"}}, false, true},
		"2.3, no keywords": {text + "\t4f2b\n\nanna\tlrs\t\n", mailboxHeader{uniqueID: "4f2b"}, false, true},
		"3.6": {text + "%(T e N user.anna.A I x1 A %(anna lrs) U ($Label1 NIL \"a b\"))\n",
			mailboxHeader{name: "user.anna.A", uniqueID: "x1", kind: "e", keywords: []string{"$Label1", "", "a b"}}, false,
			true},
		"literal": {text + "%(N {11+}\r\nuser.anna.())\n", mailboxHeader{name: "user.anna.("}, false, true},
		"calendar": {text + "%(T c N user.anna.#calendars I x)\n",
			mailboxHeader{name: "user.anna.#calendars", uniqueID: "x", kind: "c"}, false, false},
		"no magic":  {"x", mailboxHeader{}, true, true},
		"cut off":   {text + "user.anna\t4f2b", mailboxHeader{}, true, true},
		"open list": {text + "%(T e N user.anna", mailboxHeader{}, true, true},
		"no name":   {text + "%(T e)", mailboxHeader{}, true, true},
		"too deep":  {text + "%(" + strings.Repeat("(", 100), mailboxHeader{}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseMailboxHeader([]byte(c.in))
			if c.bad != errors.Is(err, ErrDamaged) {
				t.Fatalf("error %v", err)
			}
			if !c.bad && (cmp.Diff(c.want, got, cmp.AllowUnexported(mailboxHeader{})) != "" || got.mail() != c.mail) {
				t.Errorf("got %+v, mail %v", got, got.mail())
			}
		})
	}
}
