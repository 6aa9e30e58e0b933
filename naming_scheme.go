package schoolmail

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/ictmedia/schoolmail/internal/translit"
)

// scheme is how user names, or what stands before the @ of addresses, are made.
type scheme struct {
	pieces []piece
	keep   string // signs of names that stay
	signs  string // what is no letter and no digit, and may stand in the scheme
}

// piece is a literal text or a placeholder of a scheme.
type piece struct {
	text   string // literal; else
	holder string // given, family, id, role, school or n
	width  int    // of n: digits, 0: none for the first; of the others: most letters, 0: what fits
}

var holders = []string{"given", "family", "id", "role", "school", "n"}

// parseScheme reads a scheme such as "{given:6}.{family:8}{n}"; all mistakes are told.
func parseScheme(text, keep, signs string) (*scheme, error) {
	s := &scheme{keep: keep, signs: signs}
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	for at := 0; at < len(text); {
		rest := text[at:]
		if rest[0] != '{' {
			n := strings.IndexByte(rest+"{", '{')
			for i, r := range rest[:n] {
				if !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune(signs, r)) {
					bad("character %d, %q: expected placeholders in { }, letters from a to z, digits and %s", at+i+1, r,
						strings.Join(strings.Split(signs, ""), " "))
				}
			}
			s.pieces = append(s.pieces, piece{text: rest[:n]})
			at += n
			continue
		}
		n := strings.IndexByte(rest, '}')
		if n < 0 {
			bad("character %d: expected a } to the {", at+1)
			break
		}
		name, width, counted := strings.Cut(rest[1:n], ":")
		w, err := strconv.Atoi(width)
		if !slices.Contains(holders, name) {
			bad("character %d, %s: expected one of {%s}", at+1, rest[:n+1], strings.Join(holders, "} {"))
		} else if counted && (err != nil || w < 1 || w > 64 || name == "n" && w > 6) {
			bad("character %d, %s: expected a number of letters from 1 to 64 after the :, of digits from 1 to 6", at+1,
				rest[:n+1])
		}
		s.pieces = append(s.pieces, piece{holder: name, width: w})
		at += n + 1
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

// count returns how often a placeholder stands in the scheme.
func (s *scheme) count(holder string) (n int) {
	for _, p := range s.pieces {
		if p.holder == holder {
			n++
		}
	}
	return n
}

// digits are those for which there must be room after what is as long as can be.
const digits = 3

// check tells what is wrong with names of the scheme if so many characters fit.
func (s *scheme) check(limit int, bad func(format string, a ...any)) {
	if s.count("n") != 1 {
		bad("expected {n} once: two people of one name cannot be told apart without")
	}
	letter := s.count("given") > 0 && s.count("family") > 0 || s.count("role") > 0
	least, most := 0, 0
	for _, p := range s.pieces {
		switch {
		case p.holder == "n":
			least += max(p.width, digits)
			most += max(p.width, digits)
		case p.holder != "":
			least++
			most += p.width
		default:
			least += len(p.text)
			most += len(p.text)
			letter = letter || strings.ContainsFunc(p.text, func(r rune) bool { return 'a' <= r && r <= 'z' })
		}
	}
	if !letter {
		bad("somebody with one name only could get an empty one, or one of digits: expected both {given} and {family}, " +
			"or a letter")
	}
	if least = max(least, most); least > limit {
		bad("it can have %d characters with a number of %d digits: expected at most %d", least, digits, limit)
	}
}

// nameParts are what stands for the placeholders.
type nameParts map[string]string

func (s *scheme) parts(r *Record, given, family string) nameParts {
	school := ""
	if len(r.Memberships) > 0 {
		school = string(r.Memberships[0].School)
	}
	return nameParts{"given": foldASCII(callName(given), s.keep),
		"family": foldASCII(strings.Join(strings.Fields(family), s.keep), s.keep),
		"id":     foldASCII(r.Key.ID, ""), "role": string(r.Role), "school": foldASCII(school, s.keep)}
}

// form returns the name with a number, 1 for the first, cut so that it fits: from the
// longest part always its last letter, never of number and literals.
func (s *scheme) form(p nameParts, number, limit int) string {
	texts := make([]string, len(s.pieces))
	total := 0
	for i, q := range s.pieces {
		switch {
		case q.holder == "n" && q.width > 0:
			texts[i] = fmt.Sprintf("%0*d", q.width, number)
		case q.holder == "n" && number > 1:
			texts[i] = strconv.Itoa(number)
		case q.holder == "n":
		case q.holder == "":
			texts[i] = q.text
		default:
			texts[i] = p[q.holder]
			if q.width > 0 {
				texts[i] = texts[i][:min(q.width, len(texts[i]))]
			}
		}
		total += len(texts[i])
	}
	for ; total > limit; total-- {
		longest := -1
		for i, q := range s.pieces {
			if q.holder != "" && q.holder != "n" && (longest < 0 || len(texts[i]) > len(texts[longest])) {
				longest = i
			}
		}
		if longest < 0 || texts[longest] == "" {
			break
		}
		texts[longest] = texts[longest][:len(texts[longest])-1]
	}
	name := s.tidy(strings.Join(texts, ""))
	if strings.Trim(name, "0123456789") == "" { // user names of digits alone are refused
		name = "k" + name
	}
	return name[:min(limit, len(name))]
}

// tidy leaves out signs at both ends, and all but the first of several in a row.
func (s *scheme) tidy(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if i == 0 || !strings.Contains(s.signs, name[i:i+1]) || !strings.Contains(s.signs, name[i-1:i]) {
			b.WriteByte(name[i])
		}
	}
	return strings.Trim(b.String(), s.signs)
}

// The signs of user names, as UCS@school takes them by default, and of addresses.
const (
	userSigns = "."
	mailSigns = ".-_"
	mailLimit = 64 // RFC 5321 section 4.5.3.1.1
)

func (n *Naming) userScheme() (*scheme, error) {
	if n.Username == "" {
		return nil, nil
	}
	return parseScheme(n.Username, "", userSigns)
}

func (n *Naming) mailScheme() (*scheme, error) {
	if n.Address == "" {
		return nil, nil
	}
	return parseScheme(n.Address, "-", mailSigns)
}

// validateNaming tells the mistakes of the schemes.
func (p *Policy) validateNaming(bad func(format string, a ...any)) {
	for _, x := range []struct {
		key, text string
		parse     func() (*scheme, error)
		limits    []int
	}{
		{"username", p.Naming.Username, p.Naming.userScheme, []int{p.Naming.MaxUsername, p.Naming.MaxPupilUsername}},
		{"address", p.Naming.Address, p.Naming.mailScheme, []int{mailLimit}},
	} {
		s, err := x.parse()
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				bad("naming: %s %q: %s", x.key, x.text, line)
			}
		}
		if s != nil {
			s.check(slices.Min(x.limits), func(format string, a ...any) {
				bad("naming: %s %q: %s", x.key, x.text, fmt.Sprintf(format, a...))
			})
		}
	}
	for _, name := range p.Naming.Spell {
		if unicode.Scripts[name] == nil || name == "Latin" || name == "Common" || name == "Inherited" {
			bad("naming: spell %q: expected the name of an alphabet besides Latin in Unicode, such as Armenian or Georgian",
				name)
		}
	}
	for _, name := range p.Naming.Reserved {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune(mailSigns, r))
		}) {
			bad("naming: reserved %q: expected a name of letters from a to z, digits and . - _", name)
		}
	}
}

// spell spells the letters of the alphabets that the policy names in Latin ones.
// Letters that the library does not know stay.
func (n *Naming) spell(name string) string {
	if len(n.Spell) == 0 || isLatin(name) {
		return name
	}
	var b strings.Builder
	for _, r := range norm.NFKC.String(name) {
		ours := slices.ContainsFunc(n.Spell, func(script string) bool { return unicode.Is(unicode.Scripts[script], r) })
		if t := translit.Letter(r); ours && t != "" {
			b.WriteString(t)
		} else {
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// isDevice reports whether Windows takes a name for a device, also by what stands
// before the first dot; UCS@school refuses such user names since 5.2v1.
func isDevice(name string) bool {
	if i := strings.IndexByte(name, '.'); i >= 0 {
		name = name[:i]
	}
	switch len(name) {
	case 3:
		return name == "con" || name == "prn" || name == "aux" || name == "nul"
	case 4:
		return (name[:3] == "com" || name[:3] == "lpt") && '0' <= name[3] && name[3] <= '9'
	}
	return false
}

// likely returns the user name that somebody gets if nobody has it.
func (n *Naming) likely(r *Record, given, family string, limit int) string {
	if s, err := n.userScheme(); s != nil && err == nil {
		return s.form(s.parts(r, given, family), 1, limit)
	}
	return usernameBase(given, family, limit)
}

// apart returns the name of a device with a number behind what makes it one.
func apart(name string, number, limit int) string {
	label, rest, dotted := strings.Cut(name, ".")
	if label += strconv.Itoa(number); dotted {
		label += "." + rest
	}
	return cut(label, limit)
}

// newcomer returns user name and address of a newcomer.
func (n *names) newcomer(r *Record, given, family, domain string, limit int) (username, address string) {
	username, address = bases(given, family, domain, limit, &n.texts)
	if s := n.userScheme; s != nil {
		p := s.parts(r, given, family)
		form := func(i int) string {
			if name := s.form(p, i, limit); isDevice(name) {
				return apart(name, max(i, 2), limit)
			}
			return s.form(p, i, limit)
		}
		username = n.numbered("{user}"+form(2), 1, form, func(name string) bool { return !n.reserved[name] })
	} else {
		username = n.username(username, limit)
	}
	if s := n.mailScheme; s != nil {
		p := s.parts(r, given, family)
		address = n.numbered("{mail}"+s.form(p, 2, mailLimit)+"@"+domain, 1,
			func(i int) string { return s.form(p, i, mailLimit) + "@" + domain },
			func(whole string) bool {
				local, _, _ := strings.Cut(whole, "@")
				return !n.reserved[local]
			})
	} else {
		address = n.address(address)
	}
	return username, address
}
