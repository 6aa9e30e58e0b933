package schoolmail

import (
	"maps"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// foldASCII spells a name in lower-case ASCII letters, digits, and whatever of
// keep it contains; everything else is dropped.
func foldASCII(s, keep string) string {
	if isASCII(s) {
		return foldPlain(s, keep)
	}
	var buf [64]byte
	b := buf[:0]
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			if c := lowerASCII(byte(r)); 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(keep, c) >= 0 {
				b = append(b, c)
			}
		case firstLatin <= r && int(r-firstLatin) < len(latin):
			b = append(b, latin[r-firstLatin]...)
		default: // another alphabet, or a mark that belongs to the letter before it
			return strings.Trim(string(appendFolded(buf[:0], spelled(s), keep)), keep)
		}
	}
	return strings.Trim(string(b), keep)
}

// firstLatin is the first of the letters of latin.
const firstLatin = 0xC0

// latin has the spelling of the letters from U+00C0 to U+017F, which are those of
// most names.
var latin = func() (all [0x180 - firstLatin]string) {
	for i := range all {
		all[i] = string(appendFolded(nil, spelled(string(rune(firstLatin+i))), ""))
	}
	return all
}()

// appendFolded appends what foldASCII makes of a composed text.
func appendFolded(b []byte, s, keep string) []byte {
	for _, r := range s {
		r = unicode.ToLower(r)
		if t, ok := special[r]; ok {
			b = append(b, t...)
			continue
		}
		for _, d := range norm.NFD.String(string(r)) {
			if t, ok := special[d]; ok {
				b = append(b, t...)
			} else if d >= 'a' && d <= 'z' || d >= '0' && d <= '9' || strings.ContainsRune(keep, d) {
				b = utf8.AppendRune(b, d)
			}
		}
	}
	return b
}

// foldPlain is foldASCII for what is ASCII already.
func foldPlain(s, keep string) string {
	same := true
	for i := range len(s) {
		c := s[i]
		same = same && ('a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(keep, c) >= 0)
	}
	if same {
		return strings.Trim(s, keep)
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		c := lowerASCII(s[i])
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(keep, c) >= 0 {
			b = append(b, c)
		}
	}
	return strings.Trim(string(b), keep)
}

// callName is the first of several given names ("Anna Maria" is called Anna).
func callName(given string) string {
	if isClean(given) && !strings.Contains(given, " ") {
		return given
	}
	if f := strings.Fields(given); len(f) > 0 {
		return f[0]
	}
	return ""
}

// usernameBase forms "given.family" within limit characters: the given name is
// cut to its initial before the family name is cut.
func usernameBase(given, family string, limit int) string {
	g, f := foldASCII(callName(given), ""), foldASCII(family, "")
	switch {
	case g == "" && f == "":
		return "konto"
	case g == "" || f == "":
		if s := cut(g+f, limit); strings.Trim(s, "0123456789") != "" {
			return s
		}
		return cut("k"+g+f, limit) // user names of digits alone are refused
	}
	if len(g)+1+len(f) > limit {
		g = g[:1]
	}
	return cut(g+"."+f, limit)
}

// addressBase forms the local part of a mail address; hyphens of double names
// stay. 50 characters leave room for a number (RFC 5321 section 4.5.3.1.1
// allows 64).
func addressBase(given, family string) string {
	g, f := foldASCII(callName(given), "-"), foldASCII(strings.Join(strings.Fields(family), "-"), "-")
	for strings.Contains(f, "--") {
		f = strings.ReplaceAll(f, "--", "-")
	}
	switch {
	case g == "" && f == "":
		return "konto"
	case g == "" || f == "":
		return cut(g+f, 50)
	}
	return cut(g+"."+f, 50)
}

func cut(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.TrimRight(s, ".-")
}

// names hands out user names and addresses that were never used before.
type names struct {
	used table[struct{}]
	next map[string]int // base -> number to try first

	texts                  texts
	reserved               map[string]bool
	userScheme, mailScheme *scheme // nil: given.family
}

// follow takes over what a policy says of names. Its schemes have been checked.
func (n *names) follow(p *Naming) {
	n.userScheme, _ = p.userScheme()
	n.mailScheme, _ = p.mailScheme()
	if len(p.Reserved) > 0 {
		n.reserved = maps.Clone(isReserved)
	}
	for _, name := range p.Reserved {
		n.reserved[name] = true
		n.take(name)
	}
}

// unused takes a name, unless it was taken before. Names stand for themselves by a
// hash: should two ever have one, the second gets a number.
func (n *names) unused(s string) bool {
	_, known := n.used.entry(hashOf(s))
	return !known
}

// reserved are the names of roles and systems that no person gets, as a user
// name or before the @ in any domain (RFC 2142, and what servers use).
var reserved = []string{"abuse", "admin", "administrator", "bin", "cyrus", "daemon", "dovecot", "ftp", "guest",
	"hostmaster", "info", "konto",
	"mail", "mailer-daemon", "marketing", "news", "nobody", "noc", "noreply", "no-reply", "operator", "oxadmin",
	"postfix", "postmaster", "root",
	"sales", "security", "support", "sync", "sys", "usenet", "uucp", "webmaster", "www",
	// Devices of Windows, which can be no folder's name; UCS@school refuses them since 5.2v1.
	"con", "prn", "aux", "nul",
	"com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9"}

var isReserved = func() map[string]bool {
	is := make(map[string]bool, len(reserved))
	for _, r := range reserved {
		is[r] = true
	}
	return is
}()

// newNames knows all names of a state; users are those in OX with names that no
// account has.
func newNames(st *State, users []*Place, newcomers int) *names {
	n := &names{used: newTable[struct{}](2 * (len(st.Accounts) + len(st.Retired) + newcomers)), next: map[string]int{},
		reserved: isReserved}
	for _, r := range reserved {
		n.take(r)
	}
	for i := range st.Accounts {
		a := &st.Accounts[i]
		n.take(a.Username)
		n.take(a.Mail)
		for _, s := range a.Aliases {
			n.take(s)
		}
	}
	for _, p := range users {
		n.take(p.Username)
		n.take(p.Mail)
	}
	for _, r := range st.Retired {
		n.take(r.Name)
	}
	return n
}

func (n *names) take(s string) {
	switch {
	case s == "":
	case isASCII(s):
		n.unused(strings.ToLower(s))
	default:
		n.unused(strings.ToLower(norm.NFC.String(s)))
	}
}

// username returns the first free name of base, base2, base3, ... within limit.
func (n *names) username(base string, limit int) string {
	if isDevice(base) { // with the number where it makes another name of it
		return n.numbered(base, 2, func(i int) string { return apart(base, i, limit) }, anyName)
	}
	if n.unused(base) {
		return base
	}
	return n.first(base+"/", func(i int) string {
		num := strconv.Itoa(i)
		return cut(base, limit-len(num)) + num
	})
}

// address returns an address, or the first free one with a number before the @.
func (n *names) address(whole string) string {
	base, domain, _ := strings.Cut(whole, "@")
	if !n.reserved[base] && n.unused(whole) {
		return whole
	}
	return n.first(whole, func(i int) string { return base + strconv.Itoa(i) + "@" + domain })
}

// bases returns the user name and the address that somebody gets if nobody has them.
func bases(given, family, domain string, limit int, made *texts) (username, address string) {
	given = callName(given)
	var buf [128]byte
	b, simple := appendLetters(buf[:0], given)
	first := len(b)
	b, also := appendLetters(append(b, '.'), family)
	n := len(b)
	if !simple || !also || n > 50 {
		return usernameBase(given, family, limit), addressBase(given, family) + "@" + domain
	}
	b = append(append(b, '@'), domain...)
	if n <= limit {
		address = made.text(b)
		return address[:n], address
	}
	// With the initial instead of the given name, behind the address in one piece.
	whole := len(b)
	b = append(append(b, b[0]), b[first:n]...)
	both := made.text(b)
	return cut(both[whole:], limit), both[:whole]
}

// appendLetters appends what foldASCII makes of a name that is one word of Latin
// letters, and reports whether it is; otherwise b has a part of it.
func appendLetters(b []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		c := lowerASCII(s[i])
		switch {
		case 'a' <= c && c <= 'z':
			b = append(b, c)
		case 0xC3 <= c && c <= 0xC5 && i+1 < len(s) && s[i+1]&0xC0 == 0x80: // U+00C0 to U+017F
			t := latin[rune(c&0x1F)<<6|rune(s[i+1]&0x3F)-firstLatin]
			if t == "" {
				return b, false
			}
			b = append(b, t...)
			i++
		default:
			return b, false
		}
	}
	return b, s != ""
}

// first returns the first free name of those with a number, from 2.
func (n *names) first(key string, form func(int) string) string {
	return n.numbered(key, 2, form, anyName)
}

func anyName(string) bool { return true }

// numbered returns the first free name of those with a number that may be, from a
// number on.
func (n *names) numbered(key string, from int, form func(int) string, may func(string) bool) string {
	for i := max(n.next[key], from); ; i++ {
		if s := form(i); may(s) && n.unused(s) {
			n.next[key] = i + 1
			return s
		}
	}
}

// foldName is the key under which two names count as the same: NFC, lower
// case, single blanks.
func foldName(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(s)), " "))
}

// cleanName is how a name is stored: NFC, single blanks, nothing invisible, at
// most 120 characters.
func cleanName(s string) string {
	if isClean(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return -1
		}
		return r
	}, norm.NFC.String(s))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 120 {
		s = strings.TrimSpace(string(r[:120]))
	}
	return s
}

func isAddress(name string) bool { return strings.Contains(name, "@") }
