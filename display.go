package schoolmail

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// displayNames knows who has which display name. Display names are unique
// without regard to case, because OX wants them so within a context and people
// move. Names stand for themselves by a hash of 64 bits.
type displayNames struct {
	accounts []Account
	owner    table[int32]   // number of the account, then of those who came later; from 1
	later    []string       // user names of those who came later
	shared   map[int32]bool // numbers of accounts that have one display name with others

	others []*Place // users in OX whose display name is not that of their account
	whole  bool     // they have been looked at, too
}

func newDisplayNames(sorted *sortedState, people int) *displayNames {
	d := &displayNames{accounts: sorted.state.Accounts, owner: newTable[int32](max(len(sorted.accounts), people)),
		shared: map[int32]bool{}, later: make([]string, 0, max(0, people-len(sorted.accounts)))}
	names := sorted.read().names
	for i, r := range sorted.accounts {
		if names[i] == 0 {
			continue
		}
		owner, taken := d.owner.entry(names[i])
		if taken {
			d.shared[*owner-1], d.shared[r.at] = true, true
		}
		*owner = r.at + 1
	}
	return d
}

// user returns the user name of an owner, "" for nobody.
func (d *displayNames) user(owner int32) string {
	switch n := int(owner) - 1; {
	case n < 0:
		return ""
	case n < len(d.accounts):
		return d.accounts[n].Username
	default:
		return d.later[n-len(d.accounts)]
	}
}

// complete adds users in OX; as long as nobody asks for a name they are not needed.
func (d *displayNames) complete() {
	if d.whole {
		return
	}
	d.whole = true
	for _, p := range d.others {
		if p.DisplayName == "" {
			continue
		}
		if owner, _ := d.owner.entry(hashName(p.DisplayName)); d.user(*owner) == "" {
			d.give(owner, p.Username)
		}
	}
}

// of returns whose display name it is, "" for nobody's.
func (d *displayNames) of(name string) string { return d.user(*d.entry(name)) }

// entry returns where it is kept whose display name it is, until the next name is
// asked for.
func (d *displayNames) entry(name string) *int32 {
	d.complete()
	owner, _ := d.owner.entry(hashName(name))
	return owner
}

// isFree reports whether a display name with an owner can be that of a user.
func (d *displayNames) isFree(owner int32, username string) bool {
	u := d.user(owner)
	return u == "" || u == username
}

// give makes a user the owner of a name.
func (d *displayNames) give(owner *int32, username string) {
	d.later = append(d.later, username)
	*owner = int32(len(d.accounts) + len(d.later))
}

// sole reports whether the display name of somebody's account is that of no other, or
// has the user name behind it.
func (d *displayNames) sole(p *individual) bool {
	a := p.account
	return len(d.shared) == 0 || !d.shared[p.at] || len(a.DisplayName) > len(a.GivenName)+1+len(a.FamilyName)
}

const (
	hashStart = 14695981039346656037 // FNV-1a
	hashPrime = 1099511628211
)

// hashName hashes a name as foldName spells it.
func hashName(s string) uint64 {
	h := uint64(hashStart)
	if !isASCII(s) {
		return hashLetters(s)
	}
	blank := false
	for i := range len(s) {
		c := s[i]
		if c == ' ' || '\t' <= c && c <= '\r' {
			blank = blank || h != hashStart
			continue
		}
		if blank {
			h = (h ^ ' ') * hashPrime
			blank = false
		}
		h = (h ^ uint64(lowerASCII(c))) * hashPrime
	}
	return h
}

// hashLetters is hashName for names that are not all ASCII.
func hashLetters(s string) uint64 {
	if !composed(s) {
		s = norm.NFC.String(s)
	}
	h, blank := uint64(hashStart), false
	var buf [utf8.UTFMax]byte
	for _, r := range s {
		if unicode.IsSpace(r) {
			blank = blank || h != hashStart
			continue
		}
		if blank {
			h = (h ^ ' ') * hashPrime
			blank = false
		}
		for _, c := range buf[:utf8.EncodeRune(buf[:], unicode.ToLower(r))] {
			h = (h ^ uint64(c)) * hashPrime
		}
	}
	return h
}

// isClean reports whether cleanName would leave a name as it is.
func isClean(s string) bool {
	blank := true // at the beginning, or after a blank
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return isCleanText(s)
		}
		if c < ' ' || c == 0x7f || c == ' ' && blank {
			return false
		}
		blank = c == ' '
	}
	return (!blank || s == "") && len(s) <= 120
}

// composed reports whether a text is in NFC, as all letters before U+0300 are.
func composed(s string) bool {
	for i := range len(s) {
		if s[i] >= 0xCC {
			return norm.NFC.IsNormalString(s)
		}
	}
	return true
}

func isCleanText(s string) bool {
	if !composed(s) {
		return false
	}
	blank, n := true, 0
	for _, r := range s {
		n++
		switch {
		case r == ' ':
			if blank {
				return false
			}
			blank = true
			continue
		case unicode.IsSpace(r), unicode.In(r, unicode.Cc, unicode.Cf), r == unicode.ReplacementChar:
			return false
		}
		blank = false
	}
	return !blank && n <= 120
}
