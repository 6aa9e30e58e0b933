// Package translit spells single letters of other alphabets in Latin ones, by the
// tables of a library. It is pure: it reads no file and knows no state.
package translit

import (
	"strings"

	"github.com/mozillazg/go-unidecode"
)

// Letter returns the spelling of a letter in ASCII, without blanks around it; "" if the
// library knows none.
func Letter(r rune) string {
	s := strings.TrimSpace(unidecode.Unidecode(string(r)))
	if strings.Contains(s, "[?]") {
		return ""
	}
	return s
}
