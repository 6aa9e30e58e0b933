//go:build unix

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// message is one LDAP message. Its bytes are there where they are of use.
type message struct {
	id    int64
	op    byte // the tag of the operation
	bytes []byte
}

// The tags of operations, as on the wire.
const (
	opUnbind    = 0x42
	opAbandon   = 0x50
	opSearch    = 0x63
	opEntry     = 0x64
	opDone      = 0x65
	opReference = 0x73
)

// wantsAnswer reports whether a request gets an answer.
func (m message) wantsAnswer() bool { return m.op != opUnbind && m.op != opAbandon }

// final reports whether an answer is the last one of its request.
func (m message) final() bool { return m.op != opEntry && m.op != opReference }

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }

// readMessage reads a message; with all its bytes, or of single entries only what
// they are.
func readMessage(r *bufio.Reader, all bool) (m message, err error) {
	head, length, err := header(r, 0)
	if err != nil {
		return m, err
	}
	idHead, idLength, err := header(r, head)
	if err != nil {
		return m, err
	}
	at := head + idHead
	b, err := r.Peek(at + idLength + 1)
	if err != nil {
		return m, err
	}
	for _, x := range b[at : at+idLength] {
		m.id = m.id<<8 | int64(x)
	}
	m.op = b[at+idLength]
	if !all && !m.final() {
		_, err = r.Discard(head + length)
		return m, err
	}
	m.bytes = make([]byte, head+length)
	_, err = io.ReadFull(r, m.bytes)
	return m, err
}

// header looks at the tag and the length of what begins at an offset.
func header(r *bufio.Reader, at int) (size, length int, err error) {
	b, err := r.Peek(at + 2)
	if err != nil {
		return 0, 0, err
	}
	n := int(b[at+1])
	if n < 0x80 {
		return 2, n, nil
	}
	n &= 0x7f
	if n == 0 || n > 4 {
		return 0, 0, errors.New("an LDAP message of an odd length")
	}
	if b, err = r.Peek(at + 2 + n); err != nil {
		return 0, 0, err
	}
	for _, x := range b[at+2 : at+2+n] {
		length = length<<8 | int(x)
	}
	return 2 + n, length, nil
}

// cookie returns the cookie of a page, if the message is about pages.
func (m message) cookie() ([]byte, error) {
	if m.op != opSearch && m.op != opDone {
		return nil, nil
	}
	p, err := ber.DecodePacketErr(m.bytes)
	if err != nil {
		return nil, fmt.Errorf("a message that cannot be read: %w", err)
	}
	if c := paging(p); c != nil {
		return c.Cookie, nil
	}
	return nil, nil
}

// paging returns the control of pages of a message, nil if there is none.
func paging(p *ber.Packet) *ldap.ControlPaging {
	if len(p.Children) < 3 {
		return nil
	}
	for _, child := range p.Children[2].Children {
		if c, err := ldap.DecodeControl(child); err == nil {
			if c, ok := c.(*ldap.ControlPaging); ok {
				return c
			}
		}
	}
	return nil
}

// withCookie returns a request for a page with another cookie.
func withCookie(b, cookie []byte) ([]byte, error) {
	p, err := ber.DecodePacketErr(b)
	if err != nil {
		return nil, err
	}
	c := paging(p)
	if c == nil {
		return nil, errors.New("a request for a page without the control of pages")
	}
	c.SetCookie(cookie)
	controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "Controls")
	if p, err = ber.DecodePacketErr(b); err != nil { // the first one was taken apart
		return nil, err
	}
	for _, child := range p.Children[2].Children {
		again, err := ber.DecodePacketErr(child.Bytes())
		if err != nil {
			return nil, err
		}
		if old, err := ldap.DecodeControl(again); err == nil {
			if _, ok := old.(*ldap.ControlPaging); ok {
				child = c.Encode()
			}
		}
		controls.AppendChild(child)
	}
	out := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "Message")
	out.AppendChild(p.Children[0])
	out.AppendChild(p.Children[1])
	out.AppendChild(controls)
	return out.Bytes(), nil
}
