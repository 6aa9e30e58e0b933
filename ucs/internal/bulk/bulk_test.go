package bulk

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/google/go-cmp/cmp"
)

// canned is a connection on which the server has said everything already.
type canned struct{ io.Reader }

func (canned) Write(b []byte) (int, error)      { return len(b), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func message(id int64, op *ber.Packet, controls ...ldap.Control) []byte {
	m := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	m.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	m.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, c := range controls {
			list.AppendChild(c.Encode())
		}
		m.AppendChild(list)
	}
	return m.Bytes()
}

// entryOp encodes an entry; attributes are name=value|value.
func entryOp(dn string, attrs ...string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(dn))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, a := range attrs {
		name, values, _ := strings.Cut(a, "=")
		at := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
		at.AppendChild(octets(name))
		set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for v := range strings.SplitSeq(values, "|") {
			set.AppendChild(octets(v))
		}
		at.AppendChild(set)
		list.AppendChild(at)
	}
	op.AppendChild(list)
	return op
}

func resultOp(tag ber.Tag, code int64, text string) *ber.Packet {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	op.AppendChild(octets(""))
	op.AppendChild(octets(text))
	return op
}

func paging(cookie string) ldap.Control {
	c := ldap.NewControlPaging(0)
	c.SetCookie([]byte(cookie))
	return c
}

var everybody = Search{Base: "dc=x", Scope: ldap.ScopeWholeSubtree, Filter: "(uid=*)", Attrs: []string{"cn"}}

// page feeds a connection with messages and reads a page.
func page(t *testing.T, messages ...[]byte) (got []Entry, cookie string, err error) {
	t.Helper()
	c := New(canned{bytes.NewReader(bytes.Join(messages, nil))}, time.Minute)
	cookie, err = c.Page(everybody, 100, "", func(e *Entry) bool {
		kept := Entry{DN: e.DN}
		for _, a := range e.Attrs {
			kept.Attrs = append(kept.Attrs, Attr{a.Name, append([]string(nil), a.Values...)})
		}
		got = append(got, kept)
		return true
	})
	return got, cookie, err
}

func TestPage(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 70000)
	reference := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	reference.AppendChild(octets("ldap://elsewhere/"))
	got, cookie, err := page(t, message(1, entryOp("uid=a", "cn=A|B", "jpegPhoto="+long, "sn=")), message(1, reference),
		message(1, entryOp("uid=ä")), message(1, resultOp(ldap.ApplicationSearchResultDone, 0, ""), paging("next")))
	want := []Entry{{"uid=a", []Attr{{"cn", []string{"A", "B"}}, {"jpegPhoto", []string{long}}, {"sn", []string{""}}}},
		{DN: "uid=ä"}}
	if d := cmp.Diff(want, got); d != "" || cookie != "next" || err != nil {
		t.Errorf("cookie %q, %v (-want +got):\n%s", cookie, err, d)
	}
	if _, cookie, err := page(t, message(1, resultOp(ldap.ApplicationSearchResultDone, 0, ""),
		paging(""))); cookie != "" ||
		err != nil {
		t.Errorf("last page: %q, %v", cookie, err)
	}
}

// What is not the answer to the request is an error, never a result.
func TestPageErrors(t *testing.T) {
	t.Parallel()
	done := message(1, resultOp(ldap.ApplicationSearchResultDone, 0, ""))
	whole := message(1, entryOp("uid=a", "cn=A"))
	for name, tc := range map[string]struct {
		messages [][]byte
		is       error
		code     uint16
	}{
		"refused":           {[][]byte{message(1, resultOp(ldap.ApplicationSearchResultDone, 51, "later"))}, nil, 51},
		"limit":             {[][]byte{whole, message(1, resultOp(ldap.ApplicationSearchResultDone, 4, ""))}, nil, 4},
		"nothing":           {nil, io.ErrUnexpectedEOF, 0},
		"cut off":           {[][]byte{whole[:len(whole)-3]}, io.ErrUnexpectedEOF, 0},
		"no end":            {[][]byte{whole}, io.ErrUnexpectedEOF, 0},
		"another request":   {[][]byte{message(2, entryOp("uid=a")), done}, errUnexpected, 0},
		"another operation": {[][]byte{message(1, resultOp(ldap.ApplicationBindResponse, 0, ""))}, errUnexpected, 0},
		"disconnection":     {[][]byte{message(0, resultOp(ldap.ApplicationExtendedResponse, 52, "bye"))}, nil, 52},
		"web server":        {[][]byte{[]byte("HTTP/1.1 400 Bad Request\r\n\r\n")}, errFrame, 0},
		"endless":           {[][]byte{{0x30, 0x80, 0, 0}}, errFrame, 0},
		"huge":              {[][]byte{{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}}, errFrame, 0},
		"inner length":      {[][]byte{{0x30, 0x05, 0x02, 0x01, 0x01, 0x64, 0x20}}, errFrame, 0},
	} {
		_, _, err := page(t, tc.messages...)
		if err == nil || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v, want %v", name, err, tc.is)
		}
		if le, ok := errors.AsType[*ldap.Error](err); tc.code != 0 && (!ok || le.ResultCode != tc.code) {
			t.Errorf("%s: %v, want code %d", name, err, tc.code)
		}
	}
}

// Who has enough of a page gets no more of it, and the connection serves on.
func TestPageStops(t *testing.T) {
	t.Parallel()
	c := New(canned{bytes.NewReader(bytes.Join([][]byte{message(1, entryOp("uid=a")), message(1, entryOp("uid=b")),
		message(1, resultOp(ldap.ApplicationSearchResultDone, 0, "")), message(2, entryOp("uid=c")),
		message(2, resultOp(ldap.ApplicationSearchResultDone, 0, ""))}, nil))}, 0)
	var got []string
	for range 2 {
		if _, err := c.Page(everybody, 1, "", func(e *Entry) bool { got = append(got, e.DN); return false }); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"uid=a", "uid=c"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// FuzzPage: whatever a server sends, reading ends.
func FuzzPage(f *testing.F) {
	f.Add(message(1, entryOp("uid=a", "cn=A|B")))
	f.Add(bytes.Join([][]byte{message(1, entryOp("uid=a")), message(1, resultOp(ldap.ApplicationSearchResultDone, 0, ""),
		paging("x"))}, nil))
	f.Add([]byte{0x30, 0x05, 0x02, 0x01, 0x01, 0x64, 0x00})
	f.Fuzz(func(t *testing.T, data []byte) {
		c := New(canned{bytes.NewReader(data)}, 0)
		c.Page(everybody, 1, "", func(e *Entry) bool {
			for _, a := range e.Attrs {
				_ = a.Values[:len(a.Values):len(a.Values)]
			}
			return true
		})
	})
}
