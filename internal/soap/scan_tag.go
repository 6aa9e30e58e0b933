package soap

import (
	"bytes"
)

// Tags, attributes and namespaces.

// scanStart reads a start tag or an empty-element tag.
func (s *scanner) scanStart() error {
	if s.begun && len(s.open) == 0 {
		return s.failStricter("second root element")
	}
	if len(s.open) >= maxDepth {
		return s.failStricter("elements are nested too deeply")
	}
	if s.scanNil() {
		return nil
	}
	n, err := s.tagEnd()
	if err != nil {
		return err
	}
	b := s.buf[s.pos+1 : s.pos+n] // without < and >
	if len(b) > 0 && b[len(b)-1] == '/' {
		s.selfClosed = true
		b = b[:len(b)-1]
	}
	qname, rest := splitName(b)
	prefix, local, ok := splitQName(qname)
	if !ok {
		return s.failStricter("bad element name")
	}
	s.begun = true
	s.open = append(s.open, openElement{name: len(s.names), bindings: len(s.bindings)})
	s.names = append(s.names, qname...)
	s.isNil = false
	if len(rest) > 0 {
		if err := s.scanAttrs(rest); err != nil {
			return err
		}
	}
	if s.space, ok = s.lookup(prefix); !ok {
		return s.failStricter("prefix %q is not declared", prefix)
	}
	s.local = local
	if own := len(s.bindings) - 1; s.isNil && s.selfClosed && len(s.attrs) == 2 && own == s.open[len(s.open)-1].bindings &&
		s.bindings[own].space == instanceSpace && string(s.attrs[1].prefix) == s.bindings[own].prefix {
		s.nilTail = append(s.nilTail[:0], s.buf[s.pos+1+len(qname):s.pos+n+1]...)
		s.nilBinding = s.bindings[own]
	}
	s.pos += n + 1
	return nil
}

// scanNil reads an empty-element tag that is nil in the same words as the last
// one, and reports false, having done nothing, for any other tag.
func (s *scanner) scanNil() bool {
	const longestName = 128
	window := s.buf[s.pos:s.end]
	i := bytes.IndexByte(window[:min(len(window), longestName)], ' ')
	if len(s.nilTail) == 0 || i < 0 || !bytes.HasPrefix(window[i:], s.nilTail) {
		return false
	}
	prefix, local, ok := splitQName(window[1:i])
	if !ok || string(prefix) == s.nilBinding.prefix {
		return false
	}
	space, ok := s.lookup(prefix)
	if !ok || len(s.bindings) >= maxBindings {
		return false
	}
	s.open = append(s.open, openElement{name: len(s.names), bindings: len(s.bindings)})
	s.names = append(s.names, window[1:i]...)
	s.bindings = append(s.bindings, s.nilBinding)
	s.space, s.local, s.isNil, s.selfClosed, s.begun = space, local, true, true, true
	s.pos += i + len(s.nilTail)
	return true
}

// tagEnd returns the distance from pos to the > that ends the tag there.
func (s *scanner) tagEnd() (int, error) {
	i, quote := 1, byte(0)
	for {
		window := s.buf[s.pos:s.end]
		for i < len(window) {
			if quote != 0 {
				j := bytes.IndexByte(window[i:], quote)
				if j < 0 {
					i = len(window)
					break
				}
				i += j + 1
				quote = 0
				continue
			}
			switch window[i] {
			case '>':
				return i, nil
			case '"', '\'':
				quote = window[i]
			case '<':
				return 0, s.fail("< inside a tag")
			}
			i++
		}
		if i > maxTag {
			return 0, ErrTooLarge
		}
		if err := s.more(); err != nil {
			return 0, cutOff(err)
		}
	}
}

// scanAttrs reads the attributes of a start tag: namespace declarations, and
// xsi:nil; others are checked and forgotten.
func (s *scanner) scanAttrs(b []byte) error {
	s.attrs = s.attrs[:0]
	for {
		trimmed := trimLeft(b)
		if len(trimmed) == 0 {
			return s.useAttrs()
		}
		if len(trimmed) == len(b) && len(s.attrs) > 0 {
			return s.failStricter("attributes are not separated")
		}
		var a attribute
		var err error
		if a, b, err = s.scanAttr(trimmed); err != nil {
			return err
		}
		for _, other := range s.attrs {
			if bytes.Equal(other.local, a.local) && bytes.Equal(other.prefix, a.prefix) {
				return s.failStricter("attribute %q is repeated", a.local)
			}
		}
		s.attrs = append(s.attrs, a)
		if err := s.declare(a); err != nil {
			return err
		}
	}
}

// scanAttr reads the attribute at the beginning of b and returns what follows it.
func (s *scanner) scanAttr(b []byte) (a attribute, rest []byte, err error) {
	qname, rest := splitName(b)
	prefix, local, ok := splitQName(qname)
	if !ok {
		return a, nil, s.failStricter("bad attribute name")
	}
	rest = trimLeft(rest)
	if len(rest) == 0 || rest[0] != '=' {
		return a, nil, s.fail("attribute without value")
	}
	rest = trimLeft(rest[1:])
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return a, nil, s.fail("attribute value without quotes")
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return a, nil, s.fail("attribute value without end")
	}
	raw := rest[1 : end+1]
	if bytes.IndexByte(raw, '<') >= 0 {
		return a, nil, s.failStricter("< in an attribute value")
	}
	value, err := s.unescape(raw, true)
	if err != nil {
		return a, nil, err
	}
	if len(value) > 0 && len(raw) > 0 && &value[0] != &raw[0] {
		value = bytes.Clone(value)
	}
	return attribute{prefix, local, value}, rest[end+2:], nil
}

// declare takes an attribute into account that declares a namespace.
func (s *scanner) declare(a attribute) error {
	local := a.local
	isDefault := len(a.prefix) == 0 && string(local) == "xmlns"
	if !isDefault && string(a.prefix) != "xmlns" {
		return nil
	}
	space, err := s.intern(a.value)
	switch {
	case err != nil:
		return err
	case isDefault:
		local = nil
	case space == "" || string(local) == "xmlns" || (string(local) == "xml") != (space == xmlSpace):
		return s.failStricter("bad declaration of prefix %q", local)
	}
	if space == xmlnsSpace {
		return s.failStricter("bad namespace declaration")
	}
	if len(s.bindings) >= maxBindings {
		return s.failStricter("too many namespace declarations")
	}
	s.bindings = append(s.bindings, binding{prefixName(local), space})
	return nil
}

// useAttrs checks the prefixes of the attributes and finds xsi:nil.
func (s *scanner) useAttrs() error {
	for _, a := range s.attrs {
		if len(a.prefix) == 0 || string(a.prefix) == "xmlns" {
			continue
		}
		space, ok := s.lookup(a.prefix)
		if !ok {
			return s.failStricter("prefix %q is not declared", a.prefix)
		}
		if space == instanceSpace && string(a.local) == "nil" {
			v := trimSpace(a.value)
			s.isNil = string(v) == "true" || string(v) == "1"
		}
	}
	return nil
}

// prefixName avoids an allocation for the prefixes that OX declares again and again.
func prefixName(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "xsi":
		return "xsi"
	case "xs":
		return "xs"
	}
	return string(b)
}

func (s *scanner) intern(b []byte) (string, error) {
	if v, ok := s.spaces[string(b)]; ok {
		return v, nil
	}
	if len(s.spaces) >= maxSpaces {
		return "", s.failStricter("too many namespaces")
	}
	v := string(b)
	s.spaces[v] = v
	return v, nil
}

func (s *scanner) lookup(prefix []byte) (string, bool) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(prefix) {
			return s.bindings[i].space, true
		}
	}
	return "", false
}

// scanEnd reads an end tag.
func (s *scanner) scanEnd() error {
	b, err := s.until(">", 2, maxTag)
	if err != nil {
		return err
	}
	name, rest := splitName(b[2:])
	if len(trimSpace(rest)) > 0 {
		return s.fail("bad end tag")
	}
	if len(s.open) == 0 || !bytes.Equal(name, s.names[s.open[len(s.open)-1].name:]) {
		return s.fail("end tag does not match")
	}
	s.pos += len(b) + 1
	s.close()
	return nil
}

// close takes the innermost element off the stack.
func (s *scanner) close() {
	e := s.open[len(s.open)-1]
	s.open = s.open[:len(s.open)-1]
	s.names = s.names[:e.name]
	s.bindings = s.bindings[:e.bindings]
}
