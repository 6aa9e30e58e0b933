package dovecottest

import (
	"maps"
	"slices"
	"strings"
)

// The ACL commands that Dovecot answers, although without its imap_acl plugin no
// capability tells of them. Rights are kept and not enforced.

// ownRights are the letters of the owner's rights (RFC 4314), in Dovecot's order.
const ownRights = "lrwstipekxacd"

// rightLetters are the letters of doveadm's words for rights.
var rightLetters = []struct{ word, letter string }{{"lookup", "l"}, {"read", "r"}, {"write", "w"}, {"write-seen", "s"},
	{"write-deleted", "t"}, {"insert", "i"}, {"post", "p"}, {"expunge", "e"}, {"create", "k"}, {"delete", "x"},
	{"admin", "a"}}

// aclBox reads the one argument of both commands and calls f with the mailbox, whose store is
// locked.
func (x *session) aclBox(f func(name string, b *mailbox) answer) (answer, error) {
	name, a, err := x.mailboxArgument()
	if err != nil || a.status != "" {
		return a, err
	}
	if err := x.in.end(); err != nil {
		return answer{}, err
	}
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	b := x.st.open(name)
	if b == nil {
		return missing("", name), nil
	}
	return f(name, b), nil
}

func (x *session) myRights() (answer, error) {
	return x.aclBox(func(name string, _ *mailbox) answer {
		x.line("* MYRIGHTS %s %s", quoteMailbox(name), ownRights)
		return ok("Myrights completed.")
	})
}

func (x *session) getACL() (answer, error) {
	return x.aclBox(func(name string, b *mailbox) answer {
		line := []string{"* ACL", quoteMailbox(name), x.user.Name, ownRights}
		for _, id := range slices.Sorted(maps.Keys(b.acl)) {
			var letters strings.Builder
			for _, r := range rightLetters {
				if slices.Contains(b.acl[id], r.word) {
					letters.WriteString(r.letter)
				}
			}
			line = append(line, strings.TrimPrefix(id, "user="), letters.String())
		}
		x.line("%s", strings.Join(line, " "))
		return ok("Getacl completed.")
	})
}
