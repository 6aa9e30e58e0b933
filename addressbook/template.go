package addressbook

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most characters of a field. Open-Xchange 8.19 refuses longer values and
// its CSV import cuts them without a word, so they are cut here already.
const (
	maxTitle   = 255 // 8.19 takes 767; longer titles help nobody
	maxField   = 128
	maxDisplay = 320
	maxPhone   = 64
	maxMail    = 256
)

// titleText makes one line of s: control characters and runs of blanks become
// one blank.
func titleText(s string) string {
	return clip(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " "), maxTitle)
}

// fieldText makes a value that OX gives back as it was sent: line breaks are
// "\n", other control characters are gone, no blanks at the ends, at most max characters.
func fieldText(s string, max int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	return clip(strings.TrimSpace(s), max)
}

func clip(s string, max int) string {
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:max]))
}

// usableMail reports whether OX takes the address; its CSV import would
// silently blank a bad one.
func usableMail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && len(s) <= maxMail && a.Name == "" && a.Address == s && !strings.ContainsAny(s, "<>\" \t\r\n,;")
}

// expand fills in the placeholders in one pass, so that a school's name may
// contain braces.
func expand(template, school, schoolID, class string) string {
	return strings.NewReplacer("{school}", school, "{school_id}", schoolID, "{class}", class).Replace(template)
}
