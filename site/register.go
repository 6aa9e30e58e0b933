package site

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail"
)

// register knows under which words people are known, to take these out of
// sentences that are kept: each gives way to the key of the person's record.
type register struct {
	words map[string]string   // user names and addresses, in small letters
	full  map[string][]called // whole names, by their first word
}

// called is a whole name and who has it.
type called struct{ name, key string }

const (
	withoutRecord = "(account without record id)"
	someAddress   = "(address)"
)

func newRegister() *register {
	return &register{words: map[string]string{}, full: map[string][]called{}}
}

// worldRegister knows all people of a world.
func worldRegister(w *World) *register {
	r := newRegister()
	for i := range w.State.Accounts {
		r.account(&w.State.Accounts[i])
	}
	for i := range w.Delivery.Records {
		d := &w.Delivery.Records[i]
		r.word(d.NoticeMail, d.Key)
		r.whole(d.GivenName+" "+d.FamilyName, d.Key)
	}
	return r
}

// plan adds the people of a plan: those who have no account yet.
func (r *register) plan(p *schoolmail.Plan) {
	for i := range p.Steps {
		r.step(&p.Steps[i])
	}
	for i := range p.Held {
		r.step(&p.Held[i].Step)
	}
}

func (r *register) step(s *schoolmail.Step) {
	if s.Key.IsZero() {
		return
	}
	before, after := s.Accounts()
	for _, a := range []*schoolmail.Account{before, after} {
		if a != nil {
			r.account(a)
		}
	}
	r.word(s.Subject, s.Key)
}

func (r *register) account(a *schoolmail.Account) {
	r.word(a.Username, a.Key)
	r.word(a.Mail, a.Key)
	r.word(a.NoticeMail, a.Key)
	for _, alias := range a.Aliases {
		r.word(alias, a.Key)
	}
	r.whole(a.DisplayName, a.Key)
	r.whole(a.GivenName+" "+a.FamilyName, a.Key)
}

func (r *register) word(w string, k schoolmail.RecordKey) {
	if w != "" {
		r.words[strings.ToLower(w)] = instead(k)
	}
}

// whole adds a name of several words; one of a single word may be any word.
func (r *register) whole(name string, k schoolmail.RecordKey) {
	name = strings.Join(strings.Fields(name), " ")
	first, _, several := strings.Cut(name, " ")
	if !several {
		return
	}
	for _, c := range r.full[first] {
		if c.name == name {
			return
		}
	}
	r.full[first] = append(r.full[first], called{name, instead(k)})
}

func instead(k schoolmail.RecordKey) string {
	if k.IsZero() {
		return withoutRecord
	}
	return k.String()
}

// sentence returns a sentence with the keys of records where people were named.
func (r *register) sentence(s string) string {
	var b strings.Builder
	from := 0
	for i := 0; i < len(s); {
		n := wordEnd(s[i:])
		if n == 0 {
			_, size := utf8.DecodeRuneInString(s[i:])
			i += size
			continue
		}
		if key, length := r.at(s[i:], n); key != "" {
			b.WriteString(s[from:i])
			b.WriteString(key)
			i += length
			from = i
			continue
		}
		i += n
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

// at returns who is named at the beginning of s, whose first word has n bytes, and
// how many bytes name them; "": nobody.
func (r *register) at(s string, n int) (key string, length int) {
	first, _, _ := strings.Cut(s, " ")
	for _, c := range r.full[first] {
		if len(c.name) > length && strings.HasPrefix(s, c.name) && ends(s[len(c.name):]) {
			key, length = c.key, len(c.name)
		}
	}
	if key != "" {
		return key, length
	}
	word := strings.TrimRight(s[:n], ".-'’")
	if key := r.words[strings.ToLower(word)]; key != "" {
		return key, len(word)
	}
	if local, domain, ok := strings.Cut(word, "@"); ok && local != "" && strings.Contains(domain, ".") {
		return someAddress, len(word)
	}
	return "", 0
}

// wordEnd returns how many bytes at the beginning of s belong to one word.
func wordEnd(s string) int {
	if r, size := utf8.DecodeRuneInString(s); size == 0 || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		return 0
	}
	for i, r := range s {
		if !inWord(r) {
			return i
		}
	}
	return len(s)
}

func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r) || strings.ContainsRune("._-+@'’", r)
}

// ends reports whether a name ends before s.
func ends(s string) bool {
	r, size := utf8.DecodeRuneInString(s)
	return size == 0 || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}
