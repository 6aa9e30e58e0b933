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

// aclBox reads the one argument of both commands.
func (x *session) aclBox() (name string, b *mailbox, a answer, err error) {
	name, a, err = x.mailboxArgument()
	if err != nil || a.status != "" {
		return "", nil, a, err
	}
	if err := x.in.end(); err != nil {
		return "", nil, answer{}, err
	}
	if b = x.st.open(name); b == nil {
		a = missing("", name)
	}
	return name, b, a, nil
}

func (x *session) myRights() (answer, error) {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	name, b, a, err := x.aclBox()
	if b == nil {
		return a, err
	}
	x.line("* MYRIGHTS %s %s", quoteMailbox(name), ownRights)
	return ok("Myrights completed."), nil
}

func (x *session) getACL() (answer, error) {
	x.st.mu.Lock()
	defer x.st.mu.Unlock()
	name, b, a, err := x.aclBox()
	if b == nil {
		return a, err
	}
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
	return ok("Getacl completed."), nil
}
