package schoolmail

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// special lists letters that do not decompose into a base letter and marks, or
// that German spells out. The spelling follows the :umlauts modifier of UDM.
var special = map[rune]string{
	'ä': "ae", 'ö': "oe", 'ü': "ue", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "oe", 'å': "aa",
	'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i", 'ħ': "h", 'ŋ': "n", 'ə': "e", 'ŧ': "t",
	'ɛ': "e", 'ɔ': "o", 'ɖ': "d", 'ƒ': "f", 'ɓ': "b", 'ɗ': "d", 'ƙ': "k", 'ŀ': "l", 'ĸ': "k",
}

// cyrillic are the letters of Russian, Ukrainian, Belarusian, Serbian, Macedonian and
// Bulgarian as passports spell them: ICAO Doc 9303, part 3, section 6 B, 8th edition
// (2021). Where the languages differ it is the general column.
var cyrillic = letters(
	"а", "a", "б", "b", "в", "v", "г", "g", "д", "d", "е", "e", "ё", "e", "ж", "zh",
	"з", "z", "и", "i", "й", "i", "к", "k", "л", "l", "м", "m", "н", "n", "о", "o",
	"п", "p", "р", "r", "с", "s", "т", "t", "у", "u", "ф", "f", "х", "kh", "ц", "ts",
	"ч", "ch", "ш", "sh", "щ", "shch", "ъ", "ie", "ы", "y", "ь", "", "э", "e", "ю", "iu",
	"я", "ia", "ѣ", "ie", "ѳ", "f", "ѵ", "y", "ґ", "g", "ў", "u", "є", "ie", "і", "i",
	"ї", "i", "љ", "lj", "њ", "nj", "ћ", "c", "ђ", "d", "џ", "dz", "ѓ", "g", "ќ", "k",
	"ѕ", "dz", "ј", "j", "ѐ", "e", "ѝ", "i",
)

// greek are the letters of Greek as passports spell them: ISO 843, type 2, without
// what it says of pairs of letters, which greekPairs holds.
var greek = letters(
	"α", "a", "β", "v", "γ", "g", "δ", "d", "ε", "e", "ζ", "z", "η", "i", "θ", "th",
	"ι", "i", "κ", "k", "λ", "l", "μ", "m", "ν", "n", "ξ", "x", "ο", "o", "π", "p",
	"ρ", "r", "σ", "s", "ς", "s", "τ", "t", "υ", "y", "φ", "f", "χ", "ch", "ψ", "ps",
	"ω", "o",
)

var greekPairs = strings.NewReplacer("ου", "ou", "αυ", "av", "ευ", "ev", "ηυ", "iv",
	"γγ", "ng", "γξ", "nx", "γχ", "nch")

func letters(pairs ...string) map[rune]string {
	m := make(map[rune]string, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[[]rune(pairs[i])[0]] = pairs[i+1]
	}
	return m
}

// spelled is a name in small letters, those of Cyrillic and Greek as passports spell
// them. Letters of other alphabets stay. Compatibility letters (full width, ligatures)
// are what they stand for.
func spelled(s string) string {
	s = strings.ToLower(norm.NFKC.String(s))
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cyrillic, unicode.Greek) }) {
		return s
	}
	const parted = '\u0308'   // a diaeresis: the letter is none of a pair with the one before
	var plain strings.Builder // Greek without accents
	for _, r := range s {
		if !unicode.Is(unicode.Greek, r) {
			plain.WriteRune(r)
			continue
		}
		d := []rune(norm.NFD.String(string(r)))
		if slices.Contains(d, parted) {
			plain.WriteRune(parted)
		}
		plain.WriteRune(d[0])
	}
	var b strings.Builder
	for _, r := range greekPairs.Replace(plain.String()) {
		if t, ok := cyrillic[r]; ok {
			b.WriteString(t)
		} else if t, ok := greek[r]; ok {
			b.WriteString(t)
		} else if r != parted {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

// unspellable says why a name cannot be spelled in the letters of a user name, or "":
// letters would be lost, or a word has letters of several alphabets that look alike.
func unspellable(name string) string {
	if isLatin(name) {
		return ""
	}
	return unspellableLetters(name)
}

// unspellableLetters is unspellable for names of any letters.
func unspellableLetters(name string) string {
	for _, word := range strings.FieldsFunc(norm.NFKC.String(name), func(r rune) bool { return r == ' ' || r == '-' }) {
		latin, other := false, false
		for _, r := range word {
			latin = latin || unicode.Is(unicode.Latin, r)
			other = other || unicode.In(r, unicode.Cyrillic, unicode.Greek)
		}
		if latin && other {
			return "a word of it has letters of several alphabets"
		}
	}
	for _, r := range spelled(name) {
		if unicode.IsLetter(r) && !unicode.Is(unicode.Lm, r) && foldASCII(string(r), "") == "" {
			return "it has letters for which there is no spelling"
		}
	}
	return ""
}

// isLatin reports whether a name has no sign but those of ASCII and Latin letters for
// which there is a spelling.
func isLatin(name string) bool {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return onlyLatin(name[i:])
		}
	}
	return true
}

func onlyLatin(s string) bool {
	for _, r := range s {
		if r >= utf8.RuneSelf && (r < firstLatin || int(r-firstLatin) >= len(latin) || latin[r-firstLatin] == "") {
			return false
		}
	}
	return true
}

// hasLetter reports whether foldASCII leaves anything of a name.
func hasLetter(name string) bool {
	for i := range len(name) {
		if c := lowerASCII(name[i]); 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return true
		}
	}
	return foldASCII(name, "") != ""
}

// Spelling gives the names of which a user name and an address are made, where a
// name cannot be spelled by rule: names never change afterwards.
type Spelling struct {
	ID         string `json:"id"` // record id
	GivenName  string `json:"given_name"`
	FamilyName string `json:"family_name"`
}

// spelling returns the names of which a record's user name is made, and why there
// can be none, or "".
func (in *given) spelling(r *Record) (given, family, why string) {
	for _, s := range in.policy.Spellings {
		if s.ID == r.Key.ID {
			return s.GivenName, s.FamilyName, ""
		}
	}
	given, family = in.policy.Naming.spell(r.GivenName), in.policy.Naming.spell(r.FamilyName)
	switch {
	case unspellable(given) != "":
		why = "the given name: " + unspellable(given)
	case unspellable(family) != "":
		why = "the family name: " + unspellable(family)
	case !hasLetter(given) && !hasLetter(family):
		why = "the names have no letter"
	}
	return given, family, why
}
