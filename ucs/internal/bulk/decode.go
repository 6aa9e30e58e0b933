package bulk

import (
	"errors"

	"github.com/go-ldap/ldap/v3"
)

// text is what elements are made of: bytes as they came, or a string of them.
type text interface{ ~[]byte | ~string }

// element takes the first element off b: its tag, its content and what follows.
// It is not ok if b is cut off, or has a form that LDAP does not use.
func element[T text](b T) (tag byte, content, rest T, ok bool) {
	if len(b) < 2 || b[0]&0x1f == 0x1f {
		return 0, content, rest, false
	}
	n, at := int(b[1]), 2
	if n >= 0x80 {
		k := n & 0x7f
		if k == 0 || k > 4 || len(b) < 2+k {
			return 0, content, rest, false
		}
		n = 0
		for i := 2; i < 2+k; i++ {
			n = n<<8 | int(b[i])
		}
		at += k
	}
	if n < 0 || n > len(b)-at {
		return 0, content, rest, false
	}
	return b[0], b[at : at+n], b[at+n:], true
}

// decodeEntry reads a SearchResultEntry into c.entry.
func (c *Conn) decodeEntry(body []byte) error {
	s := string(body) // the one allocation
	tag, dn, rest, ok := element(s)
	if !ok || tag != 0x04 {
		return errFrame
	}
	tag, list, rest, ok := element(rest)
	if !ok || tag != 0x30 || rest != "" {
		return errFrame
	}
	e := &c.entry
	e.DN, e.Attrs, c.values = dn, e.Attrs[:0], c.values[:0]
	for list != "" {
		var attr, name, set, v string
		if tag, attr, list, ok = element(list); !ok || tag != 0x30 {
			return errFrame
		}
		if tag, name, attr, ok = element(attr); !ok || tag != 0x04 {
			return errFrame
		}
		if tag, set, attr, ok = element(attr); !ok || tag != 0x31 || attr != "" {
			return errFrame
		}
		begin := len(c.values)
		for set != "" {
			if tag, v, set, ok = element(set); !ok || tag != 0x04 {
				return errFrame
			}
			c.values = append(c.values, v)
		}
		// Should the backing grow, the attributes before keep the old one.
		e.Attrs = append(e.Attrs, Attr{name, c.values[begin:len(c.values):len(c.values)]})
	}
	return nil
}

// result reads an LDAPResult; success is nil.
func result(body []byte) error {
	tag, code, rest, ok := element(body)
	if !ok || tag != 0x0a || len(code) == 0 || len(code) > 2 {
		return errFrame
	}
	n := uint16(code[0])
	if len(code) == 2 {
		n = n<<8 | uint16(code[1])
	}
	if n == ldap.LDAPResultSuccess {
		return nil
	}
	_, _, rest, ok = element(rest) // matched DN
	_, message, _, ok2 := element(rest)
	if !ok || !ok2 {
		return errFrame
	}
	return ldap.NewError(n, errors.New(string(message)))
}

// cookieOf finds the cookie of the next page among controls.
func cookieOf(controls []byte) (string, error) {
	for len(controls) > 0 {
		tag, ctl, rest, ok := element(controls)
		if !ok || tag != 0x30 {
			return "", errFrame
		}
		controls = rest
		_, oid, ctl, ok := element(ctl)
		if !ok {
			return "", errFrame
		}
		if string(oid) != ldap.ControlTypePaging {
			continue
		}
		tag, value, ctl, ok := element(ctl)
		if ok && tag == 0x01 { // critical
			tag, value, _, ok = element(ctl)
		}
		if !ok || tag != 0x04 {
			return "", errFrame
		}
		tag, value, _, ok = element(value)
		if !ok || tag != 0x30 {
			return "", errFrame
		}
		_, _, value, ok = element(value) // size
		if !ok {
			return "", errFrame
		}
		tag, cookie, _, ok := element(value)
		if !ok || tag != 0x04 {
			return "", errFrame
		}
		return string(cookie), nil
	}
	return "", nil
}
