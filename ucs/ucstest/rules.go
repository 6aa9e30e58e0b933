package ucstest

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// rule is an equality matching rule of RFC 4517.
type rule int

const (
	noRule rule = iota
	caseIgnore
	caseExact
	integerRule
	octetString
	dnRule
	telephone
	uuidRule
	boolRule
	timeRule
	csnRule
	oidRule
)

func ruleByName(n string) (rule, bool) {
	switch strings.ToLower(n) {
	case "caseignorematch", "caseignoreia5match", "caseignorelistmatch":
		return caseIgnore, true
	case "caseexactmatch", "caseexactia5match":
		return caseExact, true
	case "integermatch":
		return integerRule, true
	case "octetstringmatch":
		return octetString, true
	case "distinguishednamematch", "uniquemembermatch":
		return dnRule, true
	case "telephonenumbermatch":
		return telephone, true
	case "uuidmatch":
		return uuidRule, true
	case "booleanmatch":
		return boolRule, true
	case "generalizedtimematch":
		return timeRule, true
	case "csnmatch":
		return csnRule, true
	case "objectidentifiermatch":
		return oidRule, true
	case "numericstringmatch", "bitstringmatch", "presentationaddressmatch", "protocolinformationmatch",
		"certificateexactmatch", "objectidentifierfirstcomponentmatch", "integerfirstcomponentmatch":
		return octetString, true
	}
	return noRule, false
}

// normalize brings a value into the form in which equal values are equal
// strings. It does not check the syntax.
func (s *schema) normalize(r rule, v string) string {
	switch r {
	case caseIgnore:
		return foldText(v, true)
	case caseExact:
		return foldText(v, false)
	case integerRule:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		return v
	case dnRule:
		if n, err := s.normalizeDN(v); err == nil {
			return n
		}
		return v
	case telephone:
		return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(v))
	case uuidRule, oidRule:
		return strings.ToLower(v)
	case boolRule:
		return strings.ToUpper(v)
	}
	return v
}

// foldText collapses runs of blanks, trims, and folds case if fold is set.
// Letters are folded but not transliterated: "MÜLLER" equals "Müller", not
// "Mueller" and not "Muller" (as OpenLDAP does it).
func foldText(v string, fold bool) string {
	clean := true
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c >= utf8.RuneSelf || (fold && 'A' <= c && c <= 'Z') || (c == ' ' && (i == 0 || i == len(v)-1 || v[i-1] == ' ')) {
			clean = false
			break
		}
	}
	if clean {
		return v
	}
	var b strings.Builder
	b.Grow(len(v))
	blank := true // drops leading blanks
	for _, c := range norm.NFC.String(v) {
		if c == ' ' {
			if !blank {
				b.WriteByte(' ')
			}
			blank = true
			continue
		}
		blank = false
		b.WriteRune(c)
	}
	out := strings.TrimSuffix(b.String(), " ")
	if fold {
		out = strings.ToLower(out)
	}
	return out
}

// The syntaxes that are checked, RFC 4517.
const (
	synDirectoryString = "1.3.6.1.4.1.1466.115.121.1.15"
	synIA5             = "1.3.6.1.4.1.1466.115.121.1.26"
	synInteger         = "1.3.6.1.4.1.1466.115.121.1.27"
	synBoolean         = "1.3.6.1.4.1.1466.115.121.1.7"
	synTime            = "1.3.6.1.4.1.1466.115.121.1.24"
	synDN              = "1.3.6.1.4.1.1466.115.121.1.12"
	synNameUID         = "1.3.6.1.4.1.1466.115.121.1.34"
	synTelephone       = "1.3.6.1.4.1.1466.115.121.1.50"
	synCountry         = "1.3.6.1.4.1.1466.115.121.1.11"
	synUUID            = "1.3.6.1.1.16.1"
)

// valid reports whether v fits the attribute's syntax.
func (s *schema) valid(at *attrType, v string) bool {
	switch at.syntax {
	case synDirectoryString:
		return v != "" && utf8.ValidString(v)
	case synIA5:
		// The empty IA5 string is valid (RFC 4517 section 3.3.15).
		return ascii(v)
	case synInteger:
		_, err := strconv.ParseInt(v, 10, 64)
		return err == nil && (v == "0" || strings.TrimLeft(v, "-")[0] != '0') && v[0] != '+'
	case synBoolean:
		return v == "TRUE" || v == "FALSE"
	case synTime:
		return validTime(v)
	case synDN, synNameUID:
		_, err := s.normalizeDN(v)
		return err == nil
	case synTelephone:
		return v != "" && ascii(v) && strings.Trim(v, " -") != ""
	case synCountry:
		return len(v) == 2 && ascii(v)
	case synUUID:
		return validUUID(v)
	}
	return true
}

func ascii(v string) bool {
	for i := 0; i < len(v); i++ {
		if v[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func validTime(v string) bool {
	for _, l := range []string{"20060102150405Z", "20060102150405.000000Z", "200601021504Z", "2006010215Z",
		"20060102150405-0700"} {
		if _, err := time.Parse(l, v); err == nil {
			return true
		}
	}
	return false
}

func validUUID(v string) bool {
	if len(v) != 36 {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
			continue
		}
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F') {
			return false
		}
	}
	return true
}
