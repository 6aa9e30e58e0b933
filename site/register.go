package site

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail"
)

// register knows under which words people are known, to take these out of
// sentences that are kept: each gives way to the key of the person's record.
//
// On most nights a few sentences are kept and a whole district is not named in them. So
// people are added when the first sentence comes, and after [register.expect] only those
// who share a word with what is expected; when another word comes, everybody is.
type register struct {
	mu    sync.Mutex
	words map[string]string   // user names and addresses, in small letters
	full  map[string][]called // whole names, by their first word

	people []func()        // that add people, and were not called yet
	called []func()        // that were
	only   map[string]bool // the words that were looked for; nil: everybody is there
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
	r.people = append(r.people, func() {
		for i := range w.State.Accounts {
			r.account(&w.State.Accounts[i])
		}
		for i := range w.Delivery.Records {
			d := &w.Delivery.Records[i]
			r.word(d.NoticeMail, d.Key)
			r.names(d.GivenName, d.FamilyName, d.Key)
		}
	})
	return r
}

// plan adds the people of a plan: those who have no account yet.
func (r *register) plan(p *schoolmail.Plan) {
	r.people = append(r.people, func() {
		for i := range p.Steps {
			r.step(&p.Steps[i])
		}
		for i := range p.Held {
			r.step(&p.Held[i].Step)
		}
	})
}

// expectable is how many sentences are worth looking through before people are added.
const expectable = 1000

// expect says which sentences are to come, before the first one: all of an act that are
// known when it is planned.
func (r *register) expect(p *schoolmail.Plan, w *World) {
	if len(p.Steps)+len(p.Held)+len(p.Findings)+len(w.Findings)+len(w.Delivery.Rejected) > expectable {
		return
	}
	r.only = map[string]bool{}
	look := func(s string) {
		inside := false // a word may go on behind a name that is replaced: "Zoë Müller's"
		for i, c := range s {
			if n := wordEnd(s[i:]); n > 0 && !inside {
				first, word := beginning(s[i:], n)
				r.only[first], r.only[strings.ToLower(word)] = true, true
			}
			inside = !ends(string(c))
		}
	}
	for i := range p.Steps {
		look(p.Steps[i].Reason)
	}
	for i := range p.Held {
		look(p.Held[i].Why)
		look(p.Held[i].Step.Reason)
	}
	for _, findings := range [][]schoolmail.Finding{p.Findings, w.Findings} {
		for i := range findings {
			look(findings[i].Text)
		}
	}
	for i := range w.Delivery.Rejected {
		look(w.Delivery.Rejected[i].Reason)
	}
}

// add adds who is still to be added.
func (r *register) add() {
	for _, f := range r.people {
		f()
	}
	r.called, r.people = append(r.called, r.people...), nil
}

// know sees to it that everybody is there who has one of two words.
func (r *register) know(first, word string) {
	if r.only == nil || r.only[first] && r.only[word] {
		return
	}
	r.only = nil
	r.people, r.called = append(r.called, r.people...), nil
	r.add()
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
	r.names(a.GivenName, a.FamilyName, a.Key)
}

func (r *register) word(w string, k schoolmail.RecordKey) {
	if w == "" {
		return
	}
	if w = strings.ToLower(w); r.only == nil || r.only[w] {
		r.words[w] = instead(k)
	}
}

// names adds a name that is in two parts.
func (r *register) names(given, family string, k schoolmail.RecordKey) {
	if r.expected(given) || r.expected(family) && strings.TrimSpace(given) == "" {
		r.whole(given+" "+family, k)
	}
}

// expected reports whether a name is looked for that begins with these words.
func (r *register) expected(name string) bool {
	if r.only == nil {
		return true
	}
	for first := range strings.FieldsSeq(name) {
		return r.only[first]
	}
	return false
}

// whole adds a name of several words; one of a single word may be any word.
func (r *register) whole(name string, k schoolmail.RecordKey) {
	if !r.expected(name) {
		return
	}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add()
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
	first, word := beginning(s, n)
	lower := strings.ToLower(word)
	r.know(first, lower)
	for _, c := range r.full[first] {
		if len(c.name) > length && strings.HasPrefix(s, c.name) && ends(s[len(c.name):]) {
			key, length = c.key, len(c.name)
		}
	}
	if key != "" {
		return key, length
	}
	if key := r.words[lower]; key != "" {
		return key, len(word)
	}
	if local, domain, ok := strings.Cut(word, "@"); ok && local != "" && strings.Contains(domain, ".") {
		return someAddress, len(word)
	}
	return "", 0
}

// beginning returns what s, whose first word has n bytes, begins with: all up to a space, as
// the first word of a whole name, and the word alone.
func beginning(s string, n int) (first, word string) {
	first, _, _ = strings.Cut(s, " ")
	return first, strings.TrimRight(s[:n], ".-'’")
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
