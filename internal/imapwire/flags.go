package imapwire

import (
	"slices"
	"strings"
)

// systemFlags are the flags that a client may set, by their lower-case name.
var systemFlags = map[string]string{
	`\answered`: `\Answered`, `\flagged`: `\Flagged`, `\deleted`: `\Deleted`, `\seen`: `\Seen`, `\draft`: `\Draft`,
}

// maxKeyword is Dovecot's limit for the length of a keyword.
const maxKeyword = 50

// CleanFlags returns the flags that may be sent to any server, sorted and once
// each, and the keywords that may not. \Recent and unknown system flags fall
// away without a word: they belong to the server. A keyword must be an IMAP
// atom of at most 50 characters without "]".
func CleanFlags(flags []string) (clean, refused []string) {
	for _, f := range flags {
		if strings.HasPrefix(f, `\`) {
			if name, ok := systemFlags[strings.ToLower(f)]; ok {
				clean = append(clean, name)
			}
			continue
		}
		if keyword(f) {
			clean = append(clean, f)
		} else if f != "" {
			refused = append(refused, f)
		}
	}
	// Keywords compare without regard to case; the first spelling stays.
	slices.SortStableFunc(clean, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	clean = slices.CompactFunc(clean, strings.EqualFold)
	return clean, refused
}

func keyword(s string) bool {
	if s == "" || len(s) > maxKeyword {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return true
}
