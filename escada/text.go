package escada

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ictmedia/schoolmail"
)

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// foldTitle makes titles comparable: lower case, letters and digits only.
func foldTitle(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFC.String(s))
}

// foldCode makes codes comparable: lower case, single spaces.
func foldCode(s string) string {
	return strings.ToLower(strings.Join(strings.Fields(norm.NFC.String(s)), " "))
}

// cleanName gives a name its canonical form: NFC, single spaces, no soft
// hyphens or zero width spaces. The second result says what is wrong with it.
func cleanName(s string) (string, string) {
	simple, latin := true, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == latinLead && i+1 < len(s) { // "À" to "ÿ"
			latin = true
			i++
			continue
		}
		if c < ' ' || c >= utf8.RuneSelf || c == ' ' && (i == 0 || i == len(s)-1 || s[i+1] == ' ') {
			simple = false
			break
		}
	}
	if !simple {
		s = strings.Map(func(r rune) rune {
			switch r {
			case '\u00AD', '\u200B', '\uFEFF':
				return -1
			}
			return r
		}, s)
		s = norm.NFC.String(strings.Join(strings.Fields(s), " "))
	}
	if (!simple || latin) && doubleEncoded(s) {
		return s, encodedTwice
	}
	n, letter := 0, false
	for _, r := range s {
		n++
		switch {
		case unicode.IsLetter(r):
			letter = true
		case r == utf8.RuneError:
			return s, "a character that was lost in an earlier conversion: expected text in one encoding"
		case r == '?':
			return s, lettersLost
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return s, "a control character: expected text only"
		}
		if r >= utf8.RuneSelf && strange(r) {
			return s, strangeLetter
		}
	}
	switch {
	case n == 0:
		return s, "empty: expected a name"
	case !letter:
		return s, "no letter: expected a name"
	case n > 128:
		return s, "longer than 128 characters"
	}
	return s, ""
}

// latinLead is the first of the two bytes of the letters from "À" to "ÿ", which stand
// for themselves in every normal form that we use.
const latinLead = 0xC3

// What happens to names on their way through programs with other encodings.
const (
	lettersLost   = "letters were lost: a question mark in a name is what is left of a letter"
	strangeLetter = "letters were lost: a sign that no name has, as when a file is read in the wrong encoding"
	encodedTwice  = "looks like UTF-8 that was read as Windows-1252 and converted again"
)

// validID accepts what can be a person's id: ASCII without spaces.
func validID[T string | []byte](s T) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] >= 0x7F {
			return false
		}
	}
	return true
}

// spreadsheetNumber recognises what spreadsheets make of long numbers, such as
// "1.23457E+11". The digits are lost, so two people may have the same.
func spreadsheetNumber(s []byte) bool {
	i := bytes.IndexByte(s, '+')
	if i < 2 || i+1 >= len(s) || s[i-1]|0x20 != 'e' {
		return false
	}
	return len(bytes.Trim(s[:i-1], "0123456789.,")) == 0 && len(bytes.Trim(s[i+1:], "0123456789")) == 0
}

// validSchool accepts the names of UCS@school organisational units.
func validSchool(s string) bool {
	if s == "" || len(s) > 63 || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isAlnum(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// validClass accepts what can be the end of a group name: letters and digits,
// and between them space, ".", "_" and "-".
func validClass(s string) bool {
	if utf8.RuneCountInString(s) > 32 {
		return false
	}
	between := true // no letter or digit just before
	for i, r := range s {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			between = false
		case (r == ' ' || r == '.' || r == '_' || r == '-') && i > 0:
			between = true
		default:
			return false
		}
	}
	return !between
}

// validMail is a coarse check: one "@", a dot in the domain, no spaces or
// control characters, no list of addresses.
func validMail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > 254 || !strings.Contains(domain, ".") ||
		strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	for _, r := range s {
		if unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError {
			return false
		}
	}
	return !strings.ContainsAny(s, `,;:<>()[]\"`) && !strings.Contains(domain, "@")
}

// plainMail knows most of the addresses that validMail accepts, without a look at
// characters: ASCII letters and digits, and single dots and hyphens in the domain.
func plainMail(s []byte) bool {
	at := bytes.IndexByte(s, '@')
	if at < 1 || len(s) > 254 {
		return false
	}
	for _, c := range s[:at] {
		if !isAlnum(c) && c != '.' && c != '-' && c != '_' && c != '+' {
			return false
		}
	}
	dots, between := 0, true // no letter or digit just before
	for _, c := range s[at+1:] {
		switch {
		case isAlnum(c):
			between = false
			continue
		case c == '.':
			dots++
		}
		if between || c != '.' && c != '-' {
			return false
		}
		between = true
	}
	return dots > 0 && !between
}

// validPhone accepts digits and what people put between them.
func validPhone(s []byte) bool {
	digits := 0
	for i, c := range s {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c == '+' && i == 0, c == ' ', c == '(', c == ')', c == '/', c == '-', c == '.':
		default:
			return false
		}
	}
	return digits >= 3 && len(s) <= 32
}

// dateFormat is a profile's date format taken apart.
type dateFormat struct {
	order [3]byte   // 'd', 'm', 'y'
	seps  [2]string // between the parts
}

// parseDateFormat reads "dd.mm.yyyy" and the like.
func parseDateFormat(s string) (dateFormat, bool) {
	var f dateFormat
	seen := map[byte]bool{}
	for i := range 3 {
		var part string
		switch {
		case strings.HasPrefix(s, "yyyy"):
			part = "yyyy"
		case strings.HasPrefix(s, "dd"), strings.HasPrefix(s, "mm"):
			part = s[:2]
		default:
			return f, false
		}
		if seen[part[0]] {
			return f, false
		}
		seen[part[0]], f.order[i] = true, part[0]
		s = s[len(part):]
		if i < 2 {
			n := strings.IndexAny(s, "dmy")
			if n < 0 {
				return f, false
			}
			f.seps[i], s = s[:n], s[n:]
			for j := range len(f.seps[i]) {
				if c := f.seps[i][j]; c < ' ' || c >= utf8.RuneSelf || isAlnum(c) || c == '"' {
					return f, false
				}
			}
		}
	}
	return f, s == "" && (f.seps[0] == "") == (f.seps[1] == "")
}

// parse reads a date; the empty string is no date.
func (f dateFormat) parse(s string) (schoolmail.Date, bool) {
	if s == "" {
		return 0, true
	}
	var d, m, y int
	for i, part := range f.order {
		want := 2
		if part == 'y' {
			want = 4
		}
		n, v := 0, 0
		for n < len(s) && n < want && '0' <= s[n] && s[n] <= '9' {
			v = v*10 + int(s[n]-'0')
			n++
		}
		if n < want && (n == 0 || part == 'y' || f.seps[0] == "") {
			return 0, false
		}
		switch s = s[n:]; part {
		case 'd':
			d = v
		case 'm':
			m = v
		case 'y':
			y = v
		}
		if i < 2 {
			rest, ok := strings.CutPrefix(s, f.seps[i])
			if !ok {
				return 0, false
			}
			s = rest
		}
	}
	if i := strings.IndexAny(s, "T "); i == 0 && isTime(s[1:]) {
		s = ""
	}
	if s != "" || m < 1 || m > 12 || d < 1 || d > daysIn(m, y) || y < 1900 {
		return 0, false
	}
	return newDate(y, m, d), true
}

// isTime recognises the time that databases write after a date.
func isTime(s string) bool {
	return len(s) >= 5 && s[2] == ':' && strings.Trim(s, "0123456789:.+-Z") == ""
}

// format writes a date in the format; no date is the empty string.
func (f dateFormat) format(date schoolmail.Date) string {
	if date.IsZero() {
		return ""
	}
	y, m, d := date.Time().Date()
	var b []byte
	for i, part := range f.order {
		switch part {
		case 'd':
			b = append(b, byte('0'+d/10), byte('0'+d%10))
		case 'm':
			b = append(b, byte('0'+m/10), byte('0'+m%10))
		case 'y':
			b = append(b, byte('0'+y/1000%10), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10))
		}
		if i < 2 {
			b = append(b, f.seps[i]...)
		}
	}
	return string(b)
}
