package escada

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSuspects is the number of names with letters beyond ASCII that are kept to
// judge the encoding of a file.
const maxSuspects = 2000

// suspects judges whether a file of a single-byte encoding is in the encoding
// that it is read in: by letters that no name has, such as "¦" in "¦imun"
// (ISO 8859-15) or a capital within "MŸller" (Macintosh).
type suspects struct {
	names []string // distinct, as read
	seen  map[string]struct{}
	bad   int
}

// note takes a name as it was read.
func (s *suspects) note(name string) {
	if len(s.names) >= maxSuspects {
		return
	}
	if s.seen == nil {
		s.seen = map[string]struct{}{}
	}
	if _, ok := s.seen[name]; ok {
		return
	}
	s.seen[name] = struct{}{}
	s.names = append(s.names, name)
	if impossible(name) {
		s.bad++
	}
}

// better names the encodings in which the names have fewer impossible letters
// than in enc, the best ones.
func (s *suspects) better(enc Encoding) []Encoding {
	if s.bad == 0 {
		return nil
	}
	best, fewest := []Encoding(nil), s.bad
	for _, other := range sortedKeys(singleByte) {
		if other == enc || singleByte[enc] == nil {
			continue
		}
		bad := 0
		for _, name := range s.names {
			raw, ok := encode(name, enc)
			if !ok {
				bad++
				continue
			}
			table := tableOf(other)
			var b strings.Builder
			for _, c := range raw {
				b.WriteString(table[c])
			}
			if impossible(b.String()) {
				bad++
			}
		}
		switch {
		case bad < fewest:
			best, fewest = []Encoding{other}, bad
		case bad == fewest && len(best) > 0:
			best = append(best, other)
		}
	}
	// ISO 8859-1 is a part of Windows-1252: one of the two is enough to say.
	if slices.Contains(best, EncodingWindows1252) {
		best = slices.DeleteFunc(best, func(e Encoding) bool { return e == EncodingISO8859_1 })
	}
	return best
}

// impossible reports whether s has a character beyond ASCII that no name has, or
// a capital where no name has it: after a small letter, or between another
// capital and a small letter.
func impossible(s string) bool {
	var before rune
	capital := false // the last letter is a capital beyond ASCII within a word
	for _, r := range s {
		if r >= utf8.RuneSelf && strange(r) || capital && unicode.IsLower(r) {
			return true
		}
		capital = r >= utf8.RuneSelf && unicode.IsUpper(r) && unicode.IsLetter(before)
		if capital && unicode.IsLower(before) {
			return true
		}
		before = r
	}
	return false
}

// strange reports whether a character beyond ASCII is in no name: "£", "¦", "³".
func strange(r rune) bool {
	switch {
	case 'À' <= r && r <= 'ſ' && unicode.IsLetter(r):
		return false
	case strings.ContainsRune("’‘ʼʻ´–—‐‑·\u00A0", r):
		return false
	case strings.ContainsRune("ªºµƒˆ˜", r):
		return true
	}
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsSpace(r)
}
