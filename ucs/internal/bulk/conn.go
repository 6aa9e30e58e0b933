// Package bulk reads large results of LDAP searches with few allocations: one
// string for each entry, of which names and values are parts. It is a client
// for simple bind, StartTLS and paged searches (RFC 4511, RFC 2696) on one
// connection, and knows nothing else.
//
// The LDAP library that the rest of package ucs uses decodes every element of
// an answer into a tree of objects, some thousand for an account; reading a
// district that way takes longer than the server needs to send it.
package bulk

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Conn is a connection. It is not safe for concurrent use; Close is.
type Conn struct {
	nc      net.Conn
	r       *bufio.Reader
	id      int64
	buf     []byte
	entry   Entry
	values  []string // backing of the entry's values
	Timeout time.Duration
}

// New makes a client of a connection. Timeout is how long it waits for the next
// message; 0: for ever.
func New(nc net.Conn, timeout time.Duration) *Conn {
	return &Conn{nc: nc, r: bufio.NewReaderSize(nc, 1<<16), Timeout: timeout}
}

// Close ends the connection, and whatever waits for it.
func (c *Conn) Close() error { return c.nc.Close() }

// Attr is an attribute of an entry.
type Attr struct {
	Name   string
	Values []string
}

// Entry is an entry of a result. The strings stay valid; the slices are used
// again for the next entry.
type Entry struct {
	DN    string
	Attrs []Attr
}

// Search is what to look for.
type Search struct {
	Base   string
	Scope  int
	Filter string
	Attrs  []string
}

// StartTLS encrypts the connection (RFC 4511 4.14).
func (c *Conn) StartTLS(cfg *tls.Config) error {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationExtendedRequest, nil, "")
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, "1.3.6.1.4.1.1466.20037", ""))
	if _, err := c.ask(op, ldap.ApplicationExtendedResponse); err != nil {
		return err
	}
	tc := tls.Client(c.nc, cfg)
	if c.Timeout > 0 {
		tc.SetDeadline(time.Now().Add(c.Timeout))
	}
	if err := tc.Handshake(); err != nil {
		return err
	}
	c.nc, c.r = tc, bufio.NewReaderSize(tc, 1<<16)
	return nil
}

// Bind proves who asks, by name and password.
func (c *Conn) Bind(dn, password string) error {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationBindRequest, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 3, ""))
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	op.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 0, password, ""))
	_, err := c.ask(op, ldap.ApplicationBindResponse)
	return err
}

// Page reads one page of a search and hands every entry to f, which must not
// keep the entry itself. It returns the cookie of the next page; "": that was the
// last. If f says false, the rest of the page is read and discarded.
func (c *Conn) Page(s Search, size int, cookie string, f func(*Entry) bool) (next string, err error) {
	filter, err := ldap.CompileFilter(s.Filter)
	if err != nil {
		return "", err
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchRequest, nil, "")
	op.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s.Base, ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, uint64(s.Scope), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated,
		uint64(ldap.NeverDerefAliases), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, uint64(0), ""))
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, uint64(0), ""))
	op.AppendChild(ber.NewBoolean(ber.ClassUniversal, ber.TypePrimitive, ber.TagBoolean, false, ""))
	op.AppendChild(filter)
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	for _, a := range s.Attrs {
		list.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, a, ""))
	}
	op.AppendChild(list)
	paging := ldap.NewControlPaging(uint32(size))
	paging.SetCookie([]byte(cookie))
	if err := c.send(op, paging); err != nil {
		return "", err
	}
	for wanted := true; ; {
		tag, body, controls, err := c.receive()
		if err != nil {
			return "", err
		}
		switch tag {
		case 0x60 | ldap.ApplicationSearchResultEntry:
			if !wanted {
				continue
			}
			if err := c.decodeEntry(body); err != nil {
				return "", err
			}
			wanted = f(&c.entry)
		case 0x60 | ldap.ApplicationSearchResultReference:
			// Parts of the tree that another server has: not ours to follow.
		case 0x60 | ldap.ApplicationSearchResultDone:
			if err := result(body); err != nil {
				return "", err
			}
			return cookieOf(controls)
		default:
			return "", errUnexpected
		}
	}
}

// ask sends a request and waits for its answer.
func (c *Conn) ask(op *ber.Packet, answer byte) ([]byte, error) {
	if err := c.send(op); err != nil {
		return nil, err
	}
	tag, body, _, err := c.receive()
	if err != nil {
		return nil, err
	}
	if tag != 0x60|answer {
		return nil, errUnexpected
	}
	return body, result(body)
}

func (c *Conn) send(op *ber.Packet, controls ...ldap.Control) error {
	c.id++
	msg := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	msg.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, c.id, ""))
	msg.AppendChild(op)
	if len(controls) > 0 {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		for _, ctl := range controls {
			list.AppendChild(ctl.Encode())
		}
		msg.AppendChild(list)
	}
	if c.Timeout > 0 {
		c.nc.SetWriteDeadline(time.Now().Add(c.Timeout))
	}
	_, err := c.nc.Write(msg.Bytes())
	return err
}

// maxMessage is the largest message that is read; the largest group of a
// district has a few megabytes.
const maxMessage = 256 << 20

var (
	errFrame      = errors.New("the server's answer is no LDAP message")
	errUnexpected = errors.New("the server's answer does not belong to the request")
)

// receive reads the next message of the request at hand. What it returns is
// valid until the next call.
func (c *Conn) receive() (tag byte, body, controls []byte, err error) {
	if c.Timeout > 0 {
		c.nc.SetReadDeadline(time.Now().Add(c.Timeout))
	}
	n, err := c.readHeader()
	if err != nil {
		return 0, nil, nil, err
	}
	if cap(c.buf) < n {
		c.buf = make([]byte, n+n/2)
	}
	c.buf = c.buf[:n]
	if _, err := io.ReadFull(c.r, c.buf); err != nil {
		return 0, nil, nil, unexpectedEOF(err)
	}
	return c.split(c.buf)
}

// split takes a message without its header apart.
func (c *Conn) split(msg []byte) (tag byte, body, controls []byte, err error) {
	t, id, rest, ok := element(msg)
	if !ok || t != 0x02 || len(id) == 0 || len(id) > 8 {
		return 0, nil, nil, errFrame
	}
	var wide [8]byte
	copy(wide[8-len(id):], id)
	tag, body, rest, ok = element(rest)
	if !ok {
		return 0, nil, nil, errFrame
	}
	if len(rest) > 0 {
		t, controls, rest, ok = element(rest)
		if !ok || t != 0xa0 || len(rest) > 0 {
			return 0, nil, nil, errFrame
		}
	}
	switch binary.BigEndian.Uint64(wide[:]) {
	case uint64(c.id):
		return tag, body, controls, nil
	case 0: // a notice of disconnection
		if err = result(body); err == nil {
			err = errUnexpected
		}
		return 0, nil, nil, fmt.Errorf("the server ends the connection: %w", err)
	}
	return 0, nil, nil, errUnexpected
}

// readHeader reads the tag and the length of a message.
func (c *Conn) readHeader() (int, error) {
	t, err := c.r.ReadByte()
	if err != nil {
		return 0, unexpectedEOF(err)
	}
	l, err := c.r.ReadByte()
	if err != nil {
		return 0, unexpectedEOF(err)
	}
	if t != 0x30 {
		return 0, errFrame
	}
	if l < 0x80 {
		return int(l), nil
	}
	if l == 0x80 || l > 0x84 {
		return 0, errFrame
	}
	n := 0
	for range l & 0x7f {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, unexpectedEOF(err)
		}
		n = n<<8 | int(b)
	}
	if n > maxMessage || n < 0 {
		return 0, errFrame
	}
	return n, nil
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
