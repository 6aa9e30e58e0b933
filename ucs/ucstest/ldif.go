package ucstest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// record is one content record of an LDIF file.
type record struct {
	line  int
	dn    string
	attrs []given
}

// parseLDIF reads content records (RFC 2849): comments, folded lines, base64
// values, an optional version line. "changetype: add" is accepted, other
// change records and URL values are not.
func parseLDIF(text string) ([]record, error) {
	var out []record
	var cur *record
	lines := unfold(text)
	for i, l := range lines {
		if l.text == "" {
			cur = nil
			continue
		}
		name, value, err := ldifLine(l.text)
		if err != nil {
			return nil, fmt.Errorf("ucstest: LDIF line %d: %w", l.line, err)
		}
		switch low := strings.ToLower(name); {
		case low == "version" && cur == nil && i < len(lines):
			if value != "1" {
				return nil, fmt.Errorf("ucstest: LDIF line %d: version %q", l.line, value)
			}
		case low == "dn":
			if cur != nil {
				return nil, fmt.Errorf("ucstest: LDIF line %d: an empty line is missing before dn", l.line)
			}
			out = append(out, record{line: l.line, dn: value})
			cur = &out[len(out)-1]
		case cur == nil:
			return nil, fmt.Errorf("ucstest: LDIF line %d: %q outside of an entry", l.line, name)
		case low == "changetype":
			if value != "add" || len(cur.attrs) > 0 {
				return nil, fmt.Errorf("ucstest: LDIF line %d: changetype %q", l.line, value)
			}
		default:
			j := slices.IndexFunc(cur.attrs, func(g given) bool { return strings.EqualFold(g.desc, name) })
			if j < 0 {
				cur.attrs = append(cur.attrs, given{desc: name})
				j = len(cur.attrs) - 1
			}
			cur.attrs[j].vals = append(cur.attrs[j].vals, value)
		}
	}
	return out, nil
}

// unfold joins continuation lines and drops comments.
func unfold(text string) []statement {
	var out []statement
	comment := false
	for i, l := range strings.Split(text, "\n") {
		l = strings.TrimSuffix(l, "\r")
		switch {
		case strings.HasPrefix(l, " "):
			if !comment && len(out) > 0 {
				out[len(out)-1].text += l[1:]
			}
		case strings.HasPrefix(l, "#"):
			comment = true
		default:
			comment = false
			out = append(out, statement{i + 1, l})
		}
	}
	return out
}

func ldifLine(l string) (name, value string, err error) {
	name, value, ok := strings.Cut(l, ":")
	if !ok || name == "" {
		return "", "", fmt.Errorf("expected \"attribute: value\"")
	}
	switch {
	case strings.HasPrefix(value, ":"):
		b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value[1:]))
		if err != nil {
			return "", "", fmt.Errorf("attribute %s: invalid base64", name)
		}
		return name, string(b), nil
	case strings.HasPrefix(value, "<"):
		return "", "", fmt.Errorf("attribute %s: URL values are not read", name)
	}
	return name, strings.TrimLeft(value, " "), nil
}

// LoadLDIF adds the entries of an LDIF text, parents first, with all checks
// of an LDAP add. It stops at the first entry that is refused. Operational
// attributes (an export with "+" holds them) are left out.
func (s *Server) LoadLDIF(text string) error {
	recs, err := parseLDIF(text)
	if err != nil {
		return err
	}
	for _, r := range recs {
		attrs := slices.DeleteFunc(r.attrs, func(g given) bool {
			at := s.schema.attr(g.desc)
			return at != nil && at.operational
		})
		if err := s.addEntry(r.dn, attrs); err != nil {
			return fmt.Errorf("%w (LDIF line %d)", err, r.line)
		}
	}
	return nil
}

// LDIF returns the whole tree without operational attributes, in the order in
// which the entries were made, which is one that LoadLDIF accepts unless
// entries were moved.
func (s *Server) LDIF() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var b strings.Builder
	for _, id := range s.tree.all {
		e := s.tree.byID[id]
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		writeLDIF(&b, "dn", e.dn)
		for _, a := range e.attrs {
			for _, v := range a.vals {
				writeLDIF(&b, a.at.name, v)
			}
		}
	}
	return b.String()
}

// writeLDIF writes one line, in base64 where RFC 2849 demands it.
func writeLDIF(b *strings.Builder, name, v string) {
	b.WriteString(name)
	if safe(v) {
		b.WriteString(": ")
		b.WriteString(v)
	} else {
		b.WriteString(":: ")
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(v)))
	}
	b.WriteByte('\n')
}

func safe(v string) bool {
	if v == "" {
		return true
	}
	if v[0] == ' ' || v[0] == ':' || v[0] == '<' || v[len(v)-1] == ' ' {
		return false
	}
	for i := 0; i < len(v); i++ {
		if c := v[i]; c == 0 || c == '\n' || c == '\r' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
