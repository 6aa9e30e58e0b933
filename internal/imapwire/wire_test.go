package imapwire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script is a server that sends prepared text: for each command line that
// contains the key's words, the answer, with "TAG" replaced.
func script(t *testing.T, greeting string, steps ...string) *Client {
	t.Helper()
	cli, srv := net.Pipe()
	t.Cleanup(func() { cli.Close(); srv.Close() })
	go func() {
		r := bufio.NewReader(srv)
		io.WriteString(srv, greeting+"\r\n")
		for i := 0; i+1 < len(steps); i += 2 {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			tag, cmd, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
			if cmd != steps[i] && strings.TrimRight(line, "\r\n") != steps[i] {
				t.Errorf("server got %q, want %q", cmd, steps[i])
				srv.Close()
				return
			}
			io.WriteString(srv, strings.ReplaceAll(steps[i+1], "TAG", tag))
		}
		io.Copy(io.Discard, r)
	}()
	c, err := New(t.Context(), cli, &Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const caps = "* OK [CAPABILITY IMAP4rev1 NAMESPACE LITERAL+ MULTIAPPEND UIDPLUS CONDSTORE ESEARCH LIST-EXTENDED " +
	"LIST-STATUS SPECIAL-USE] hi"

func TestList(t *testing.T) {
	t.Parallel()
	c := script(t, caps, `LIST "" "*" RETURN (SUBSCRIBED CHILDREN SPECIAL-USE STATUS (MESSAGES UIDNEXT UIDVALIDITY `+
		`HIGHESTMODSEQ))`,
		"* LIST (\\Subscribed \\HasNoChildren \\Sent) \".\" INBOX.Sent\r\n"+
			"* STATUS INBOX.Sent (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 77 HIGHESTMODSEQ 5000000000)\r\n"+
			"* LIST (\\HasNoChildren) \".\" \"Entw\xfcrfe\"\r\n"+
			"* LIST (\\HasNoChildren) \".\" A&-B&x\r\n"+
			"* LIST (\\HasNoChildren) \".\" {10}\r\nsay \"hi\" \\\r\n"+
			"* LIST (\\HasNoChildren) \".\" with blank\r\n"+
			"* STATUS with blank (MESSAGES 1)\r\n"+
			"* LIST (((((((((((((((((((((( \".\" deep\r\n"+
			"* LIST\r\n\r\n"+
			"garbage\r\n"+
			"* XYZZY {5}\r\nabc\r\n (\r\n"+
			"* LIST (\\Noselect) NIL Parent\r\n"+
			"TAG OK done\r\n")
	got, err := c.List(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	want := []Mailbox{
		{Name: "INBOX.Sent", Separator: ".", Attributes: []string{`\Subscribed`, `\HasNoChildren`, `\Sent`}, Subscribed: true,
			Status: &Status{Messages: 3, UIDNext: 9, UIDValidity: 77, HighestModSeq: 5000000000, Size: -1}},
		{Name: "Entw\xfcrfe", Separator: ".", Attributes: []string{`\HasNoChildren`}},
		{Name: "A&-B&x", Separator: ".", Attributes: []string{`\HasNoChildren`}},
		{Name: `say "hi" \`, Separator: ".", Attributes: []string{`\HasNoChildren`}},
		{Name: "with blank", Separator: ".", Attributes: []string{`\HasNoChildren`}, Status: &Status{Messages: 1, Size: -1}},
		{Name: "Parent", Attributes: []string{`\Noselect`}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c.OddCount != 3 || c.Err() != nil {
		t.Errorf("odd %d %q, err %v", c.OddCount, c.Odd, c.Err())
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	c := script(t, caps, `UID FETCH 1:9 (UID FLAGS INTERNALDATE BODY.PEEK[])`,
		"* 1 FETCH (FLAGS (\\Seen a]b \"quoted\") UID 4 INTERNALDATE \" 1-Feb-2020 10:00:00 +0100\" BODY[] {5}\r\nhello)\r\n"+
			"* 2 FETCH (UID 5 X-GUID {3}\r\nabc FLAGS () INTERNALDATE \"31-Foo-2020\" BODY[] NIL)\r\n"+
			"* 3 FETCH (FLAGS (\\Flagged))\r\n"+
			"* 4 FETCH (UID 6 FLAGS NIL BODY[] \"\" BODY[HEADER.FIELDS (FROM TO)] \"x\")\r\n"+
			"* VANISHED (EARLIER) 1:3,8\r\n"+
			"* 5 FETCH (UID 7 FLAGS () BODY[] {4}\r\nskip)\r\n"+
			"*  6  FETCH (BODY[] {3}\r\nnew FLAGS (\\Seen) UID 8)\r\n"+
			"TAG OK done\r\n",
		`NOOP`, "TAG OK\r\n")
	type row struct {
		UID     uint32
		Flags   []string
		Date    string
		Missing bool
		Body    string
	}
	var got []row
	err := c.Fetch(t.Context(), Set{{1, 9}}, "FLAGS INTERNALDATE BODY.PEEK[]", "",
		func(m *Message, body io.Reader, size int64) error {
			r := row{UID: m.UID, Flags: m.Flags, Missing: m.Missing}
			if m.HasDate {
				r.Date = FormatDate(m.Date)
			}
			if body != nil && m.UID != 7 { // the last one is left unread
				b, err := io.ReadAll(body)
				if err != nil || int64(len(b)) != size {
					t.Errorf("read %d of %d: %v", len(b), size, err)
				}
				r.Body = string(b)
			}
			got = append(got, r)
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	want := []row{
		{UID: 4, Flags: []string{`\Seen`, "a]b", "quoted"}, Date: "01-Feb-2020 10:00:00 +0100", Body: "hello"},
		{UID: 5, Missing: true},
		{UID: 6},
		{UID: 7},
		{UID: 8, Flags: []string{`\Seen`}, Body: "new"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMultiAppend(t *testing.T) {
	t.Parallel()
	c := script(t, caps,
		`APPEND "A" (\Seen) "01-Feb-2020 10:00:00 +0100" {5+}`, "",
		`hello () {3+}`, "",
		`abc`, "s1 OK [APPENDUID 7 4:5] done\r\n",
		`APPEND "B" (odd) {3}`, "TAG NO [TRYCREATE] no such mailbox\r\n",
		`NOOP`, "TAG OK\r\n")
	a := c.Append(t.Context(), "A")
	date, _ := ParseDate("1-Feb-2020 10:00:00 +0100")
	a.Add([]string{`\Seen`}, date, 5, strings.NewReader("hello"), false)
	a.Add(nil, time.Time{}, 3, strings.NewReader("abc"), false)
	got, err := a.Commit()
	if err != nil || got.UIDValidity != 7 || got.UIDs.String() != "4:5" {
		t.Errorf("%+v, %v", got, err)
	}
	a = c.Append(t.Context(), "B")
	if err := a.Add([]string{"odd"}, time.Time{}, 3, strings.NewReader("abc"), true); !IsCode(err, "TRYCREATE") {
		t.Errorf("refused before the literal: %v", err)
	}
	if _, err := a.Commit(); !IsCode(err, "TRYCREATE") {
		t.Errorf("commit after a refusal: %v", err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Errorf("connection after a refusal: %v", err)
	}
}

// A body that ends early must never be completed with something else.
func TestAppendShortBody(t *testing.T) {
	t.Parallel()
	c := script(t, caps)
	a := c.Append(t.Context(), "A")
	a.Add(nil, time.Time{}, 10, strings.NewReader("abc"), false)
	if _, err := a.Commit(); !errors.Is(err, ErrConnection) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestContextEndsCommand(t *testing.T) {
	t.Parallel()
	c := script(t, caps, "NOOP", "")
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if err := c.Noop(ctx); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrConnection) {
		t.Errorf("got %v", err)
	}
	if err := c.Noop(t.Context()); !errors.Is(err, ErrConnection) {
		t.Errorf("closed connection: %v", err)
	}
}

func TestPipeline(t *testing.T) {
	t.Parallel()
	c := script(t, caps,
		`CREATE "a"`, "TAG OK\r\n", `CREATE "b"`, "TAG NO [ALREADYEXISTS] there\r\n", `CREATE "c"`, "TAG NO [CANNOT] no\r\n",
		"CREATE {2+}", "", "\xc3\xbc", "s4 OK\r\n")
	errs, err := c.CreateAll(t.Context(), "a", "b", "c", "ü")
	if err != nil || errs[0] != nil || !IsCode(errs[1], "ALREADYEXISTS") || !IsCode(errs[2], "CANNOT") || errs[3] != nil {
		t.Errorf("%v, %v", errs, err)
	}
}

func TestSelectSearchQuota(t *testing.T) {
	t.Parallel()
	c := script(t, caps+"\r\n* CAPABILITY ESEARCH CONDSTORE QUOTA NAMESPACE", `EXAMINE "A" (CONDSTORE)`,
		"* FLAGS (a b)\r\n* 12 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 44] x\r\n"+
			"* OK [HIGHESTMODSEQ 5000000001] x\r\nTAG OK [READ-ONLY] done\r\n",
		`UID SEARCH RETURN (ALL) ALL`, "* ESEARCH (TAG \"TAG\") UID ALL 1:3,9\r\nTAG OK\r\n",
		`GETQUOTAROOT "A"`, "* QUOTAROOT A a b\r\n* QUOTA a (MESSAGE 1 2 STORAGE 10 100)\r\n* QUOTA b (STORAGE 10 50)\r\n"+
			"TAG OK\r\n",
		`NAMESPACE`, "* NAMESPACE ((\"INBOX.\" \".\" \"X\" (\"Y\"))) NIL ((\"\" NIL))\r\nTAG OK\r\n")
	sel, err := c.Select(t.Context(), "A", true)
	if d := cmp.Diff(&Selected{Messages: 12, UIDNext: 44, UIDValidity: 5, HighestModSeq: 5000000001}, sel); d != "" ||
		err != nil {
		t.Error(d, err)
	}
	if s, err := c.Search(t.Context(), "ALL"); err != nil || s.String() != "1:3,9" {
		t.Errorf("search %v, %v", s, err)
	}
	if q, err := c.Quota(t.Context(), "A"); err != nil || q != (Quota{10, 50, "b"}) {
		t.Errorf("quota %v, %v", q, err)
	}
	ns, err := c.Namespace(t.Context())
	if d := cmp.Diff(Namespaces{Personal: []Namespace{{"INBOX.", "."}}, Shared: []Namespace{{"", ""}}}, ns); d != "" ||
		err != nil {
		t.Error(d, err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		name  string
		exact bool
	}{
		"Entw&APw-rfe":        {"Entwürfe", true},
		"A&-B":                {"A&B", true},
		"&2D3eAA-":            {"😀", true},
		"Entw\xfcrfe":         {"Entwürfe", false},
		"Entwürfe":            {"Entwürfe", false},
		"A&B":                 {"A&B", false},
		"&AEE-x":              {"Ax", false},
		"a&":                  {"a&", false},
		"E&AwE-le&AwE-ments":  {"E\u0301le\u0301ments", true},
		"&AMk-l&AOk-ments &-": {"Éléments &", true},
	} {
		if got, exact := DecodeName(raw); got != want.name || exact != want.exact {
			t.Errorf("%q: %q %v, want %q %v", raw, got, exact, want.name, want.exact)
		}
	}
}

func TestCleanFlags(t *testing.T) {
	t.Parallel()
	clean, refused := CleanFlags([]string{`\SEEN`, `\Recent`, `\XYZ`, "$Label1", "a]b", "", `"q"`, "with blank", "ä",
		"$LABEL1", strings.Repeat("x", 51), "NonJunk"})
	if d := cmp.Diff([]string{"$Label1", `\Seen`, "NonJunk"}, clean); d != "" {
		t.Error(d)
	}
	if len(refused) != 5 {
		t.Errorf("refused %q", refused)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	var s Set
	for _, u := range []uint32{5, 3, 4, 9, 1, 4294967295, 10, 8, 2} {
		s.Add(u)
	}
	if s.String() != "1:5,8:10,4294967295" || s.Len() != 9 {
		t.Errorf("set %v, %d", s, s.Len())
	}
	for _, u := range []uint32{1, 5, 9, 4294967295} {
		if !s.Contains(u) {
			t.Errorf("lacks %d", u)
		}
	}
	if s.Contains(6) || s.Contains(7) || s.Contains(11) {
		t.Error("contains too much")
	}
	var all []string
	for _, c := range s.Chunks(4) {
		all = append(all, c.String())
	}
	if d := cmp.Diff([]string{"1:4", "5,8:10", "4294967295"}, all); d != "" {
		t.Error(d)
	}
}

func FuzzDecodeName(f *testing.F) {
	for _, s := range []string{"Entw&APw-rfe", "&-", "&", "&AEE-x", "a\xfc", "&2D0-", "&2D3eAA-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, exact := DecodeName(s)
		back, again := DecodeName(EncodeName(name))
		if back != name || !again {
			t.Errorf("%q decodes to %q, which comes back as %q %v", s, name, back, again)
		}
		if exact && EncodeName(name) != s {
			t.Errorf("%q is not exact", s)
		}
	})
}

func FuzzParseSet(f *testing.F) {
	f.Add("1:3,7", uint8(2))
	f.Add("4294967295,1", uint8(1))
	f.Fuzz(func(t *testing.T, text string, n uint8) {
		s, ok := ParseSet(text)
		if !ok {
			return
		}
		for i, r := range s {
			if r.First > r.Last || i > 0 && (r.First <= s[i-1].Last || r.First-s[i-1].Last == 1) {
				t.Fatalf("%q gives %v", text, s)
			}
		}
		if back, ok := ParseSet(s.String()); !ok || !cmp.Equal(back, s) {
			t.Errorf("%q comes back as %v", s, back)
		}
		if s.Len() < 10000 {
			sum := 0
			for _, c := range s.Chunks(int(n)%50 + 1) {
				sum += c.Len()
			}
			if sum != s.Len() {
				t.Errorf("chunks of %v hold %d", s, sum)
			}
		}
	})
}

// FuzzResponses feeds arbitrary server text to the commands that read data: they must
// end, and never panic or give half a body for a whole one.
func FuzzResponses(f *testing.F) {
	for _, s := range []string{
		"* LIST (\\Sent) \".\" x\r\n", "* 1 FETCH (UID 4 BODY[] {5}\r\nhello FLAGS ())\r\n", "* STATUS a (MESSAGES 1)\r\n",
		"* VANISHED (EARLIER) 1:3\r\n", "* ESEARCH (TAG \"x\") UID ALL 1\r\n", "* 1 FETCH (UID 1 BODY[] {99}\r\nx",
		"* QUOTA a (STORAGE 1 2)\r\n",
		"* OK [UIDNEXT 4] {5}\r\n", "* LIST () NIL {99999999999}\r\n", "* 1 FETCH (BODY[] \"x\" UID 1)\r\n",
		"+ go\r\n* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range 4 {
			text := caps + "\r\n" + string(data) + "\r\ns1 OK done\r\n"
			c, err := New(context.Background(), &canned{r: strings.NewReader(text)}, nil)
			if err != nil {
				return
			}
			switch i {
			case 0:
				c.List(context.Background(), true)
			case 1:
				c.Fetch(context.Background(), Set{{1, 2}}, "BODY.PEEK[]", "", func(m *Message, body io.Reader, size int64) error {
					if m.UID == 0 {
						t.Error("message without a UID")
					}
					if body != nil {
						if n, err := io.Copy(io.Discard, body); err == nil && n > size {
							t.Errorf("%d bytes of %d", n, size)
						}
					}
					return nil
				})
			case 2:
				c.Search(context.Background(), "ALL")
				c.Quota(context.Background(), "x")
			case 3:
				c.Namespace(context.Background())
				c.Select(context.Background(), "x", true)
			}
		}
	})
}

// canned is a connection that reads prepared text and swallows what is written.
type canned struct {
	net.Conn
	r io.Reader
}

func (c *canned) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

func TestSetWithout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ s, t, want string }{
		{"1:10", "", "1:10"}, {"", "1:3", ""}, {"1:10", "1:10", ""}, {"1:10", "3,5:6", "1:2,4,7:10"},
		{"1:10", "10", "1:9"}, {"5:6,9:12", "1:5,6:9,12:4294967295", "10:11"}, {"1:4294967295", "4294967295", "1:4294967294"},
		{"1:3,5:7,9", "2:8", "1,9"}, {"1:2,4:5,7:8", "2:7", "1,8"},
	} {
		a, _ := ParseSet(c.s)
		b, _ := ParseSet(c.t)
		if got := a.Without(b).String(); got != c.want {
			t.Errorf("%s without %s: %s, want %s", c.s, c.t, got, c.want)
		}
	}
}

// An OK in the place of "+" must not let the literal go out as a command.
func TestOKBeforeLiteral(t *testing.T) {
	t.Parallel()
	c := script(t, "* OK [CAPABILITY IMAP4rev1] hi", `CREATE {2}`, "TAG OK done\r\n")
	if err := c.Create(t.Context(), "\xc3\xbc"); !errors.Is(err, ErrConnection) {
		t.Errorf("got %v", err)
	}
}
