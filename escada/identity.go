package escada

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/ictmedia/schoolmail"
)

// parseTraits reads identity material, of which only keyed hashes are kept: HMAC
// with SHA-256, the first 16 bytes in hexadecimal. What cannot be read is
// dropped and told, as nobody's record depends on it.
func (p *rowParser) parseTraits(e *entry) {
	if number := p.text(numNumber); len(number) > 0 {
		if digits, ok := ahvNumber(number); ok {
			e.number = p.hash("ahv", digits[:])
		} else {
			p.drop(ColumnNumber, "expected an AHV number, as in 756.1234.5678.97, whose check digit is right, or nothing")
		}
	}
	if birth := p.text(numBirthDate); len(birth) > 0 {
		v := p.memos.birth.get(birth, p.dateOf)
		if v.why != "" {
			p.drop(ColumnBirthDate, v.why)
		} else {
			e.birth = p.hash("birth", []byte(v.value.String()))
		}
	}
}

// hash gives the number of a keyed hash. Kinds are told apart, so that equal
// texts of different kinds have different hashes.
func (p *rowParser) hash(kind string, text []byte) uint32 {
	return p.texts.number(keyedHash(p.key, kind, text))
}

func keyedHash(key []byte, kind string, text []byte) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(kind))
	m.Write([]byte{0})
	m.Write(text)
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// BirthHash returns the keyed hash that a record has of a date of birth, to compare it
// with one that is known from elsewhere. The key is [Options.IdentityKey].
func BirthHash(key []byte, born schoolmail.Date) string {
	return keyedHash(key, "birth", []byte(born.String()))
}

// ahvNumber reads a Swiss AHV number of thirteen digits: the country 756, nine
// digits, and a check digit as in EAN-13. Dots and spaces may stand between.
func ahvNumber(text []byte) (digits [13]byte, ok bool) {
	n, sum := 0, 0
	for _, c := range text {
		switch {
		case c == '.' || c == ' ':
			continue
		case c < '0' || c > '9' || n == len(digits):
			return digits, false
		}
		digits[n] = c
		if d := int(c - '0'); n%2 == 0 {
			sum += d
		} else {
			sum += 3 * d
		}
		n++
	}
	return digits, n == len(digits) && string(digits[:3]) == "756" && sum%10 == 0
}

// traits gives the keyed hashes of a person.
func (f *folder) traits(p *person) schoolmail.Traits {
	return schoolmail.Traits{Number: f.texts.text(p.number), Birth: f.texts.text(p.birth)}
}
