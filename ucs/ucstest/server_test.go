package ucstest_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/internal/testlife"
	"github.com/ictmedia/schoolmail/ucs/ucstest"
)

func TestLDIFRoundTrip(t *testing.T) {
	t.Parallel()
	a := ucstest.New(ucstest.WithMailDomains("neu.example"))
	if err := a.SeedSchools("GSMitte"); err != nil {
		t.Fatal(err)
	}
	if err := a.LoadLDIF(sample); err != nil {
		t.Fatal(err)
	}
	if got := a.Attributes(ida, "sn"); len(got) != 1 || got[0] != "Abel-Groß" {
		t.Errorf("folded value: %q", got)
	}
	text := a.LDIF()
	_, rest, _ := strings.Cut(text, "\n\n") // a tree has its base already
	b := ucstest.New()
	var missing strings.Builder
	for rec := range strings.SplitSeq(rest, "\n\n") {
		dn, _, _ := strings.Cut(strings.TrimPrefix(rec, "dn: "), "\n")
		if !b.Exists(dn) {
			missing.WriteString(rec + "\n\n")
		}
	}
	if err := b.LoadLDIF(missing.String()); err != nil {
		t.Fatal(err)
	}
	if a.Len() != b.Len() {
		t.Errorf("%d entries, want %d", b.Len(), a.Len())
	}
	if d := cmp.Diff(a.Attributes(anna, "sn"), b.Attributes(anna, "sn")); d != "" {
		t.Error(d)
	}
}

func TestLoadLDIFRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"version: 2\n", "line 1: version"},
		{"cn: x\n", `line 1: "cn" outside of an entry`},
		{"dn: cn=x,dc=schulen,dc=example\nnonsense\n", "line 2: expected"},
		{"dn: cn=x\ndn: cn=y\n", "line 2: an empty line"},
		{"dn: cn=x\nchangetype: delete\n", "line 2: changetype"},
		{"dn: cn=x\ncn:: ***\n", "line 2: attribute cn: invalid base64"},
		{"dn: cn=x\njpegPhoto:< file:///etc/passwd\n", "line 2: attribute jpegPhoto: URL values"},
		{"# a comment\n is folded\n\ndn: cn=x,dc=schulen,dc=example\nobjectClass: organizationalRole\ncn: x\nsn: y\n",
			"result 65: attribute 'sn' not allowed (LDIF line 4)"},
	} {
		s := ucstest.New()
		if err := s.LoadLDIF(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error %v, want %q", tc.text, err, tc.want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	if err := ucstest.New(ucstest.WithBaseDN("o=school")).Listen(); err == nil {
		t.Error("a base DN without dc parts was accepted")
	}
	for _, bad := range []string{"attributetype ( 1.2.3 NAME 'x' EQUALITY nonsense )",
		"attributetype ( 1.2.3 NAME 'uid' )", "objectclass ( 1.2.3 NAME 'x' MUST y )",
		"objectclass ( 1.2.3 NAME 'x' SUP y )", "attributetype 1.2.3", "attributetype ( 1.2.3 NAME 'x'",
		"attributetype ( 1.2.3 NAME 'x", "include x"} {
		if _, err := ucstest.Start(ucstest.WithSchema(bad)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("schema %q: %v", bad, err)
		}
	}
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	lunch := ucstest.New(ucstest.WithSchema("attributetype ( 1.2.3 NAME 'lunch' SUP name )"))
	if err := lunch.SeedSchools("x"); err == nil {
		t.Error("SUP of an unknown type was accepted")
	}
	s := ucstest.New(ucstest.WithBaseDN("dc=amt,dc=be,dc=example"),
		ucstest.WithClock(func() time.Time { return now }),
		ucstest.WithSchema("objectidentifier our 1.2.3\nattributetype ( our:1 NAME ( 'lunch' 'food' )\n\tSUP cn )\n# done\n"+
			"objectclass ( our:2 NAME 'eater' AUXILIARY MAY ( lunch $ cn ) )\n"))
	dn := "cn=x,dc=amt,dc=be,dc=example"
	if err := s.Add(dn, "objectClass", "organizationalRole", "objectClass", "eater", "cn", "x", "FOOD",
		"Älplermagronen"); err != nil {
		t.Fatal(err)
	}
	if got := s.Attributes(dn, "lunch"); len(got) != 1 {
		t.Errorf("lunch = %q", got)
	}
	if got := s.Attributes(dn, "createTimestamp"); len(got) != 1 || got[0] != "20270131120000Z" {
		t.Errorf("createTimestamp = %q", got)
	}
	if got := s.Attributes("cn=nobody", "cn"); got != nil {
		t.Errorf("attributes of nobody: %q", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := testlife.Of(ucstest.Start(ucstest.WithSizeLimit(10), ucstest.WithRecord(3)))(t)
	dial := func() *ldap.Conn {
		c, err := ldap.DialURL(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if err := c.Bind(s.BindDN, s.Password.Reveal()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := dial()
	if res, err := search(c, s.BaseDN, 2, "(objectClass=*)"); resultCode(err) != ldap.LDAPResultSizeLimitExceeded ||
		len(res.Entries) != 10 {
		t.Errorf("size limit of the server: %v", err)
	}
	s.Inject(ucstest.Fault{Op: "search", DN: "CN=users", Code: ldap.LDAPResultBusy, After: 1, Times: 2,
		Message: "come back later"})
	var codes []uint16
	for range 5 {
		_, err := search(c, "cn=users,"+s.BaseDN, 0, "(cn=*)")
		codes = append(codes, resultCode(err))
	}
	if d := cmp.Diff([]uint16{0, 51, 51, 0, 0}, codes); d != "" {
		t.Errorf("codes (-want +got):\n%s", d)
	}
	s.Inject(ucstest.Fault{Op: "search", Lose: ucstest.LoseAnswer, Entries: 4})
	n := 0
	r := c.SearchAsync(t.Context(), ldap.NewSearchRequest(s.BaseDN, 2, 0, 0, 0, false, "(cn=*)", nil, nil), 20)
	for r.Next() {
		n++
	}
	if n != 4 || r.Err() == nil {
		t.Errorf("%d entries before the connection ended, %v", n, r.Err())
	}
	c = dial()
	s.Inject(ucstest.Fault{Op: "add", Lose: ucstest.LoseAnswer})
	add := ldap.NewAddRequest("cn=x,"+s.BaseDN, nil)
	add.Attribute("objectClass", []string{"organizationalRole"})
	add.Attribute("cn", []string{"x"})
	if err := c.Add(add); err == nil {
		t.Error("the answer came")
	}
	if !s.Exists("cn=x," + s.BaseDN) {
		t.Error("LoseAnswer must do the work")
	}
	calls := s.Calls()
	if len(calls) != 3 || calls[2].Op != "add" || calls[2].DN != "cn=x,dc=schulen,dc=example" ||
		!strings.EqualFold(calls[2].User, s.BindDN) {
		t.Errorf("calls = %+v", calls)
	}
	if got := s.Counts(); got["search"] != 7 || got["bind"] != 2 || got["add"] != 1 {
		t.Errorf("counts = %v", got)
	}
	s.ResetCalls()
	remove := s.Inject(ucstest.Fault{Times: -1, Code: 52})
	remove()
	remove()
	if _, err := search(dial(), s.BaseDN, 0, "(dc=*)"); err != nil || len(s.Calls()) != 2 {
		t.Errorf("after clearing: %v, %d calls", err, len(s.Calls()))
	}
	s.Inject(ucstest.Fault{Delay: time.Hour})
	c = dial2(t, s)
	done := make(chan error)
	go func() { done <- c.Bind(s.BindDN, "x") }()
	s.Close() // must not wait for the delay
	if err := <-done; err == nil {
		t.Error("a delayed bind was answered")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func dial2(t *testing.T, s *ucstest.Server) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A message that is none gets a notice of disconnection or just the end.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := testlife.Of(ucstest.Start())(t)
	for _, msg := range []string{"GET / HTTP/1.1\r\n\r\n", "\x30\x84\x7f\xff\xff\xff", "\x30\x80\x00\x00",
		"\x30\x05\x02\x01\x01\x02\x00",
		"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x7f\x80\x00"} {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "ldap://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, msg); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v", msg, err)
		}
		if len(got) > 0 && !strings.Contains(string(got), "1.3.6.1.4.1.1466.20036") {
			t.Errorf("%q: answer %q", msg, got)
		}
		c.Close()
	}
}
