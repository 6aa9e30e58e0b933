package schoolmail

import (
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// Names are spelled the same on the short way and on the long one.
func TestNamesAreSpelledOneWay(t *testing.T) {
	t.Parallel()
	letters := []rune("aAzZdDeEvon09 -.'’éÉèüÜöÖßñÑçÇåÅøØłŁđĐıİŠšſŉ·" +
		"\u00ad\u0301\u0308\u0327\u212b\u1e9e李")
	rapid.Check(t, func(rt *rapid.T) {
		given := rapid.StringOfN(rapid.SampledFrom(letters), 0, 70, -1).Draw(rt, "given")
		family := rapid.StringOfN(rapid.SampledFrom(letters), 0, 70, -1).Draw(rt, "family")
		limit := rapid.IntRange(5, 60).Draw(rt, "limit")
		var made texts
		if u, a := bases(given, family, "x.example", limit, &made); u != usernameBase(given, family, limit) ||
			a != addressBase(given, family)+"@x.example" {
			rt.Errorf("%q %q: %s %s", given, family, u, a)
		}
		for _, keep := range []string{"", "-"} {
			long := string(appendFolded(nil, spelled(given), keep))
			if keep != "" {
				for long != "" && long[0] == '-' {
					long = long[1:]
				}
				for long != "" && long[len(long)-1] == '-' {
					long = long[:len(long)-1]
				}
			}
			if got := foldASCII(given, keep); got != long {
				rt.Errorf("%q: %q, the long way %q", given, got, long)
			}
		}
		if got, long := fullName(given, family), joinedWords(given, family); got != long {
			rt.Errorf("%q %q: %q, the long way %q", given, family, got, long)
		}
		if hasLetter(given) != (foldASCII(given, "") != "") {
			rt.Errorf("%q has a letter: %v", given, hasLetter(given))
		}
		if isLatin(given) && unspellableLetters(given) != "" {
			rt.Errorf("%q has only Latin letters, and the long way finds %q", given, unspellableLetters(given))
		}
		if composed(given) != norm.NFC.IsNormalString(given) {
			rt.Errorf("%q is taken for composed: %v", given, composed(given))
		}
	})
}
