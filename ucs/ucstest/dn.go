package ucstest

import (
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

var errDN = errors.New("invalid DN syntax")

// ava is one attribute value assertion of a relative distinguished name.
type ava struct {
	attr  *attrType
	value string
}

// parseDN splits a DN (RFC 4514) into its RDNs, the leftmost first. The types
// must be known to the schema.
func (s *schema) parseDN(dn string) ([][]ava, error) {
	if dn == "" {
		return nil, nil
	}
	if !strings.ContainsAny(dn, "\\\"+#;<>") {
		var out [][]ava
		for part := range strings.SplitSeq(dn, ",") {
			t, v, ok := strings.Cut(part, "=")
			v = strings.Trim(v, " ")
			at := s.attr(strings.Trim(t, " "))
			if !ok || v == "" || at == nil {
				return nil, errDN
			}
			out = append(out, []ava{{at, v}})
		}
		return out, nil
	}
	p, err := ldap.ParseDN(dn)
	if err != nil {
		return nil, errDN
	}
	var out [][]ava
	for _, r := range p.RDNs {
		var rdn []ava
		for _, a := range r.Attributes {
			at := s.attr(a.Type)
			if at == nil || a.Value == "" {
				return nil, errDN
			}
			rdn = append(rdn, ava{at, a.Value})
		}
		out = append(out, rdn)
	}
	return out, nil
}

// normalizeDN returns the form in which equal names are equal strings.
func (s *schema) normalizeDN(dn string) (string, error) {
	if plain, upper := s.plainDN(dn); plain {
		if upper {
			dn = strings.ToLower(dn)
		}
		return dn, nil
	}
	rdns, err := s.parseDN(dn)
	if err != nil {
		return "", err
	}
	return s.joinDN(rdns), nil
}

func (s *schema) joinDN(rdns [][]ava) string {
	var b strings.Builder
	for i, r := range rdns {
		if i > 0 {
			b.WriteByte(',')
		}
		if len(r) == 1 {
			s.writeAVA(&b, r[0])
			continue
		}
		parts := make([]string, len(r))
		for j, a := range r {
			var p strings.Builder
			s.writeAVA(&p, a)
			parts[j] = p.String()
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, "+"))
	}
	return b.String()
}

func (s *schema) writeAVA(b *strings.Builder, a ava) {
	b.WriteString(a.attr.lower)
	b.WriteByte('=')
	v := s.normalize(a.attr.equality, a.value)
	if strings.ContainsAny(v, ",+\"\\<>;=#") {
		v = ldap.EscapeDN(v)
	}
	b.WriteString(v)
}

// cutDN splits a DN in text form after its first RDN, without changing either.
func cutDN(dn string) (rdn, parent string) {
	for i := 0; i < len(dn); i++ {
		switch dn[i] {
		case '\\':
			i++
		case ',':
			return dn[:i], strings.TrimLeft(dn[i+1:], " ")
		}
	}
	return dn, ""
}

// plainDN reports whether a DN is normal but for its letter case: ASCII,
// nothing escaped, no blanks around separators, usual attribute names. Nearly
// all are.
func (s *schema) plainDN(dn string) (plain, upper bool) {
	value := false // left of "=" or right
	begin := 0
	for i := 0; i < len(dn); i++ {
		switch c := dn[i]; {
		case c >= 0x80 || c == '\\' || c == '"' || c == '+' || c == '#' || c == ';' || c == '<' || c == '>':
			return false, false
		case 'A' <= c && c <= 'Z':
			upper = true
		case c == ' ':
			if !value || i == begin || i+1 == len(dn) || dn[i+1] == ' ' || dn[i+1] == ',' {
				return false, false
			}
		case c == '=':
			if value {
				return false, false
			}
			at := s.attrs[dn[begin:i]]
			if at == nil || at.equality != caseIgnore || !strings.EqualFold(at.name, dn[begin:i]) {
				return false, false
			}
			value, begin = true, i+1
		case c == ',':
			if !value || i == begin {
				return false, false
			}
			value, begin = false, i+1
		}
	}
	return value && begin < len(dn), upper
}
