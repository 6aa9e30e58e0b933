package ucstest

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// maxMessage is the longest request that is read. slapd's default for
// authenticated connections is 4 MiB (sockbuf_max_incoming_auth); a group
// with all members of a large district stays below this.
const maxMessage = 16 << 20

var errFrame = errors.New("ucstest: not an LDAP message")

// readFrame reads one BER element with definite length, the only form that
// LDAP allows (RFC 4511 section 5.1).
func readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(2)
	if err != nil {
		return nil, err
	}
	if head[0] != 0x30 {
		return nil, errFrame
	}
	n, hl := int(head[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 {
			return nil, errFrame
		}
		if head, err = r.Peek(2 + k); err != nil {
			return nil, err
		}
		n, hl = 0, 2+k
		for _, b := range head[2:] {
			if n > maxMessage {
				return nil, errFrame
			}
			n = n<<8 | int(b)
		}
	}
	if n > maxMessage {
		return nil, fmt.Errorf("ucstest: message of %d bytes", n)
	}
	buf := make([]byte, hl+n)
	_, err = io.ReadFull(r, buf)
	return buf, err
}

// request is a decoded LDAP message.
type request struct {
	id       int64
	op       *ber.Packet
	controls []control
}

type control struct {
	oid      string
	critical bool
	value    []byte
}

// maxDepth is how deeply the elements of a message may be nested: filters
// take three levels for each of theirs.
const maxDepth = 3*maxFilterDepth + 10

// checkFrame walks through the elements before they are decoded: lengths are
// definite and add up, nesting has an end. The decoder would believe any
// length and make room for it.
func checkFrame(b []byte, depth int) error {
	for len(b) > 0 {
		if depth > maxDepth || len(b) < 2 || b[0]&0x1f == 0x1f {
			return errFrame // LDAP has no tags above 30
		}
		n, hl := int(b[1]), 2
		if n >= 0x80 {
			k := n & 0x7f
			if k == 0 || k > 4 || len(b) < 2+k {
				return errFrame
			}
			n, hl = 0, 2+k
			for _, x := range b[2:hl] {
				if n > maxMessage {
					return errFrame
				}
				n = n<<8 | int(x)
			}
		}
		if n > len(b)-hl {
			return errFrame
		}
		if b[0]&0x20 != 0 {
			if err := checkFrame(b[hl:hl+n], depth+1); err != nil {
				return err
			}
		}
		b = b[hl+n:]
	}
	return nil
}

// decodeRequest checks the envelope of RFC 4511 section 4.1.1.
func decodeRequest(frame []byte) (*request, error) {
	if err := checkFrame(frame, 0); err != nil {
		return nil, err
	}
	p, err := ber.DecodePacketErr(frame)
	if err != nil {
		return nil, err
	}
	if len(p.Children) < 2 || len(p.Children) > 3 || p.Children[0].Tag != ber.TagInteger {
		return nil, errFrame
	}
	id, ok := p.Children[0].Value.(int64)
	if !ok || id < 0 || id > 1<<31-1 {
		return nil, errFrame
	}
	r := &request{id: id, op: p.Children[1]}
	if r.op.ClassType != ber.ClassApplication {
		return nil, errFrame
	}
	if len(p.Children) == 3 {
		if r.controls, err = decodeControls(p.Children[2]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func decodeControls(p *ber.Packet) ([]control, error) {
	if p.ClassType != ber.ClassContext || p.Tag != 0 {
		return nil, errFrame
	}
	var out []control
	for _, c := range p.Children {
		if len(c.Children) == 0 || len(c.Children) > 3 {
			return nil, errFrame
		}
		ctl := control{oid: text(c.Children[0])}
		for _, f := range c.Children[1:] {
			switch f.Tag {
			case ber.TagBoolean:
				ctl.critical, _ = f.Value.(bool)
			case ber.TagOctetString:
				ctl.value = []byte(text(f))
			default:
				return nil, errFrame
			}
		}
		out = append(out, ctl)
	}
	return out, nil
}

// text returns the bytes of a primitive element of any tag.
func text(p *ber.Packet) string {
	if p == nil {
		return ""
	}
	if s, ok := p.Value.(string); ok {
		return s
	}
	if p.Data != nil {
		return p.Data.String()
	}
	return ""
}

func number(p *ber.Packet) (int64, bool) {
	n, ok := p.Value.(int64)
	return n, ok
}

// decodeValue decodes the BER value of a control.
func decodeValue(v []byte) (*ber.Packet, error) {
	if err := checkFrame(v, 0); err != nil || len(v) == 0 {
		return nil, errFrame
	}
	return ber.DecodePacketErr(v)
}

// attributeList reads a list of descriptions with values.
func attributeList(p *ber.Packet) ([]given, error) {
	var out []given
	for _, c := range p.Children {
		g, err := attributeOf(c)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}

func attributeOf(p *ber.Packet) (given, error) {
	if len(p.Children) != 2 {
		return given{}, errFrame
	}
	g := given{desc: text(p.Children[0]), vals: make([]string, 0, len(p.Children[1].Children))}
	for _, v := range p.Children[1].Children {
		g.vals = append(g.vals, text(v))
	}
	return g, nil
}

// The encoder writes straight into a buffer, inner elements first in size:
// search results are most of what a directory sends.

func appendLen(b []byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xff:
		return append(b, 0x81, byte(n))
	case n <= 0xffff:
		return append(b, 0x82, byte(n>>8), byte(n))
	case n <= 0xffffff:
		return append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

func sizeOf(n int) int {
	switch {
	case n < 0x80:
		return 2 + n
	case n <= 0xff:
		return 3 + n
	case n <= 0xffff:
		return 4 + n
	case n <= 0xffffff:
		return 5 + n
	}
	return 6 + n
}

func appendString(b []byte, tag byte, s string) []byte {
	return append(appendLen(append(b, tag), len(s)), s...)
}

func appendInt(b []byte, tag byte, n int64) []byte {
	var v []byte
	for {
		v = append([]byte{byte(n)}, v...)
		if n >= -0x80 && n < 0x80 {
			break
		}
		n >>= 8
	}
	return append(appendLen(append(b, tag), len(v)), v...)
}

// appendMessage wraps an operation and its controls (already encoded).
func appendMessage(b []byte, id int64, op, controls []byte) []byte {
	mid := appendInt(nil, 0x02, id)
	n := len(mid) + len(op)
	if controls != nil {
		n += sizeOf(len(controls))
	}
	b = appendLen(append(b, 0x30), n)
	b = append(append(b, mid...), op...)
	if controls != nil {
		b = append(appendLen(append(b, 0xa0), len(controls)), controls...)
	}
	return b
}

// appendResult encodes an LDAPResult under an application tag; extra follows
// the standard fields.
func appendResult(tag byte, r *result, extra []byte) []byte {
	if r == nil {
		r = &result{}
	}
	var in []byte
	in = appendInt(in, 0x0a, int64(r.code))
	in = appendString(in, 0x04, r.matched)
	in = appendString(in, 0x04, r.message)
	if r.referral != "" {
		ref := appendString(nil, 0x04, r.referral)
		in = append(appendLen(append(in, 0xa3), len(ref)), ref...)
	}
	in = append(in, extra...)
	return append(appendLen([]byte{0x60 | tag}, len(in)), in...)
}

// appendEntry encodes a SearchResultEntry.
func appendEntry(b []byte, id int64, dn string, attrs []given, typesOnly bool) []byte {
	return appendMessage(b, id, appendEntryBody(nil, dn, attrs, typesOnly), nil)
}

// appendEntryBody encodes it without the message around it.
func appendEntryBody(b []byte, dn string, attrs []given, typesOnly bool) []byte {
	list := 0
	sizes := make([]int, len(attrs))
	for i, a := range attrs {
		if !typesOnly {
			for _, v := range a.vals {
				sizes[i] += sizeOf(len(v))
			}
		}
		list += sizeOf(sizeOf(len(a.desc)) + sizeOf(sizes[i]))
	}
	b = appendLen(append(b, 0x60|ldap.ApplicationSearchResultEntry), sizeOf(len(dn))+sizeOf(list))
	b = appendString(b, 0x04, dn)
	b = appendLen(append(b, 0x30), list)
	for i, a := range attrs {
		b = appendLen(append(b, 0x30), sizeOf(len(a.desc))+sizeOf(sizes[i]))
		b = appendString(b, 0x04, a.desc)
		b = appendLen(append(b, 0x31), sizes[i])
		if typesOnly {
			continue
		}
		for _, v := range a.vals {
			b = appendString(b, 0x04, v)
		}
	}
	return b
}

// appendControl encodes a control of an answer.
func appendControl(b []byte, oid string, value []byte) []byte {
	in := appendString(appendString(nil, 0x04, oid), 0x04, string(value))
	return append(appendLen(append(b, 0x30), len(in)), in...)
}
