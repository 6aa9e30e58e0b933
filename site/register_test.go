package site

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail"
)

// TestExpectedSentencesNameNobody: what a register says is the same whether it was told
// before which sentences come, or knows everybody, also for sentences that nobody
// expected.
func TestExpectedSentencesNameNobody(t *testing.T) {
	t.Parallel()
	w := &World{}
	given := []string{"Ana", "Ana Lucía", "Łucja", "  Zoë", "", "Jean-Luc"}
	family := []string{"de la Cruz", "Müller", "O'Hara", "Ana", ""}
	for i, g := range given {
		for j, f := range family {
			name := strings.ToLower(fmt.Sprintf("u%d.%d", i, j))
			w.State.Accounts = append(w.State.Accounts, schoolmail.Account{Username: name, Mail: name + "@s.example",
				Aliases: []string{"x" + name + "@s.example"}, GivenName: g, FamilyName: f, DisplayName: f + ", " + g,
				Key: schoolmail.RecordKey{Source: "escada", ID: fmt.Sprint(i*10 + j)}})
			w.Delivery.Records = append(w.Delivery.Records, schoolmail.Record{GivenName: f, FamilyName: g,
				NoticeMail: name + "@home.example", Key: schoolmail.RecordKey{Source: "escada", ID: fmt.Sprint(i*10 + j)}})
		}
	}
	pieces := []string{"account", "u1.2", "U3.1", "xu2.1@s.example", "u0.0@home.example", "who@else.example",
		"Ana de la Cruz", "Ana Lucía Müller", "Müller Ana", "Łucja O'Hara's", "Zoë", "Müller,", "O'Hara, Jean-Luc",
		"looks like", "(", "):", "Ana"}
	rng := rand.New(rand.NewPCG(1, 2))
	sentence := func() string {
		var words []string
		for range 1 + rng.IntN(6) {
			words = append(words, pieces[rng.IntN(len(pieces))])
		}
		return strings.Join(words, " ")
	}
	step := func(why string) schoolmail.Step {
		key := schoolmail.RecordKey{Source: "escada", ID: "new"}
		return schoolmail.Step{Subject: "newcomer", Reason: why, Key: key, Action: schoolmail.CreateAccount{
			Account: schoolmail.Account{Username: "newcomer", GivenName: "Ana", FamilyName: "Neu", Key: key}}}
	}
	for range 300 {
		p := &schoolmail.Plan{Steps: []schoolmail.Step{step(sentence())},
			Held:     []schoolmail.Held{{Why: sentence(), Step: step(sentence())}},
			Findings: []schoolmail.Finding{{Text: sentence()}}}
		w := *w
		w.Findings = []schoolmail.Finding{{Text: sentence()}}
		w.Delivery.Rejected = []schoolmail.Rejection{{Reason: sentence()}}
		all, some := worldRegister(&w), worldRegister(&w)
		all.plan(p)
		some.plan(p)
		some.expect(p, &w)
		said := []string{p.Steps[0].Reason, p.Held[0].Why, p.Held[0].Step.Reason, p.Findings[0].Text, w.Findings[0].Text,
			w.Delivery.Rejected[0].Reason}
		for _, s := range said {
			if got, want := some.sentence(s), all.sentence(s); got != want {
				t.Fatalf("%q: %q, want %q", s, got, want)
			}
		}
		if len(some.words) >= len(all.words) {
			t.Fatalf("all %d words are there", len(some.words))
		}
		for range 3 { // such as what a server says
			s := sentence() + " of newcomer, Ana Neu"
			if got, want := some.sentence(s), all.sentence(s); got != want {
				t.Fatalf("not expected, %q: %q, want %q", s, got, want)
			}
		}
	}
}
