package ucstest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// Requests of all kinds as go-ldap encodes them, for the fuzzer to start from.
func seeds(f *testing.F) {
	f.Helper()
	client, server := net.Pipe()
	c := ldap.NewConn(client, false)
	c.Start()
	go func() {
		paging := ldap.NewControlPaging(5)
		c.SearchAsync(f.Context(), ldap.NewSearchRequest("dc=schulen,dc=example", 2, 0, 10, 0, false,
			"(&(uid=a*b*c)(|(sn=x)(!(cn>=y)))(z:dn:2.5.13.2:=v))", []string{"*", "+"}, []ldap.Control{paging}), 1)
	}()
	r := bufio.NewReader(server)
	frame, err := readFrame(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(frame)
	c.Close()
	server.Close()
	for _, hex := range []string{
		"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", // anonymous bind
		"\x30\x05\x02\x01\x01\x42\x00",                             // unbind
		"\x30\x0a\x02\x01\x02\x4a\x05\x64\x63\x3d\x78\x79",         // delete
		"\x30\x84\x00\x00\x00\x05\x02\x01\x01\x42\x00",             // long form of the length
	} {
		f.Add([]byte(hex))
	}
}

// Whatever a client sends, the server answers or hangs up, and never panics.
func FuzzRequest(f *testing.F) {
	seeds(f)
	s := New()
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, admin := range []bool{false, true} {
			c := &conn{s: s, nc: discard{}, r: bufio.NewReader(bytes.NewReader(data)), pagers: map[string]*pager{}, admin: admin}
			if admin {
				c.user = "cn=admin,dc=schulen,dc=example"
			}
			c.serve()
		}
	})
}

// discard is a connection that swallows what is written.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Read([]byte) (int, error)    { return 0, io.EOF }
func (discard) Close() error                { return nil }

func FuzzLDIF(f *testing.F) {
	for _, s := range []string{"version: 1\n\ndn: cn=x\ncn: x\n", "dn:: Y249eA==\ncn: a\n b\n# c\n d\nsn:< file:///x\n",
		"dn: a\n\nx\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		recs, err := parseLDIF(text)
		if err != nil {
			return
		}
		// What was read can be written, and reads the same.
		var b strings.Builder
		for _, r := range recs {
			writeLDIF(&b, "dn", r.dn)
			for _, a := range r.attrs {
				for _, v := range a.vals {
					writeLDIF(&b, a.desc, v)
				}
			}
			b.WriteByte('\n')
		}
		again, err := parseLDIF(b.String())
		if err != nil {
			t.Fatalf("does not read again: %v\n%s", err, b.String())
		}
		if len(again) != len(recs) {
			t.Fatalf("%d records, then %d", len(recs), len(again))
		}
		for i := range recs {
			if recs[i].dn != again[i].dn || len(recs[i].attrs) != len(again[i].attrs) {
				t.Fatalf("record %d differs: %v, then %v", i, recs[i], again[i])
			}
		}
	})
}

// The quick way through a DN gives the same as the thorough one.
func FuzzNormalizeDN(f *testing.F) {
	for _, s := range []string{"uid=Anna,cn=Lehrer und Mitarbeiter,ou=X,dc=y", "cn=a\\,b", "cn=a+sn=b,cn= c",
		"commonName=x,cn=ä", "cn=,x", "cn=a b ,cn=c"} {
		f.Add(s)
	}
	sch, err := newSchema(standardSchema, ucsSchema)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		quick, err := sch.normalizeDN(dn)
		rdns, err2 := sch.parseDN(dn)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v and %v", dn, err, err2)
		}
		if err == nil && quick != sch.joinDN(rdns) {
			t.Fatalf("%q: %q and %q", dn, quick, sch.joinDN(rdns))
		}
		if err != nil || quick == "" {
			return
		}
		if again, err := sch.normalizeDN(quick); err != nil || again != quick {
			t.Fatalf("%q: normal form %q becomes %q, %v", dn, quick, again, err)
		}
	})
}
