package schoolmail

import (
	"strings"
	"testing"
)

// Names of other alphabets are spelled as in passports; where that cannot be done
// by rule nobody gets a name that would stay for ever, but somebody is asked.
func TestNamesOfOtherAlphabets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ given, family, username string }{
		{"Юлия", "Щербакова", "iuliia.shcherbakova"},
		{"Ђорђе", "Љубић", "dorde.ljubic"},
		{"Зоряна", "Гайдай", "zoriana.gaidai"},
		{"Γιώργος", "Παπαδόπουλος", "giorgos.papadopoulos"},
		{"Ευάγγελος", "Αϋφαντής", "evangelos.ayfantis"},
		{"Ａｎｎａ", "Ｋｅｌｌｅｒ", "anna.keller"},
		{"So\ufb01a", "Griﬃn", "sofia.griffin"},
		{"Ɛsi", "Ɔwusu", "esi.owusu"},
		{"Tuʻi", "O’Neill", "tui.oneill"},
		// Asked for.
		{"李", "小龙", ""},
		{"李", "Meier", ""},
		{"محمد", "Keller", ""},
		{"கமலா", "Keller", ""},
		{"Οla", "Keller", ""}, // a Greek letter in a Latin word
		{"Ola", "Мeier", ""},  // a Cyrillic one
		{"Anna", "Мeyer-Кuhn", ""},
		{"'", "-", ""},
	} {
		p := smallPolicy(0)
		p.Naming.MaxUsername = 40
		w := newWorld(t, p)
		rs := []Record{person("1", test.given, test.family, RoleTeacher, at("ps-a", "primary"))}
		plan := w.run(p, delivery(rs), day0)
		if test.username != "" {
			if a := w.accounts[test.username]; a.Mail != test.username+"@teachers.example" || hasFinding(plan, "no-spelling") {
				t.Errorf("%s %s: %v\n%s", test.given, test.family, w.accounts, plan.Summary())
			}
			continue
		}
		if len(w.accounts) != 0 || len(plan.Held) != 1 || plan.Held[0].Guard != guardSpelling || !hasFinding(plan,
			"no-spelling") {
			t.Errorf("%s %s: %v\n%s", test.given, test.family, w.accounts, plan.Summary())
		}
		if _, ok := w.accounts["konto"]; ok {
			t.Errorf("%s %s: an account of no name", test.given, test.family)
		}
		// No override lifts it; a spelling does, and the person is called as before.
		p.Overrides = []Override{{Guard: "creates", Until: day0.AddDays(9), By: "H. Frei", Reason: "all"}}
		p.Spellings = []Spelling{{ID: "1", GivenName: "Ada", FamilyName: "von Asow"}}
		w.run(p, delivery(rs), day0.AddDays(1))
		if a := w.accounts["ada.vonasow"]; a.Mail != "ada.von-asow@teachers.example" || a.GivenName != cleanName(test.given) {
			t.Errorf("%s %s as spelled: %v", test.given, test.family, w.accounts)
		}
	}
}

// A spelling is of letters from a to z, one for a record.
func TestSpellingsAreChecked(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Spellings = []Spelling{{"", "Ada", "Asow"}, {"1", "Ädä", "Asow"}, {"2", "Ada", ""}, {"3", "Ada", "Asow"}, {"3",
		"Ada", "Asow"}}
	err := p.WithDefaults().Validate()
	for _, want := range []string{"spelling number 1", "spelling number 2", "spelling number 3", "spelling number 5"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "spelling number 4") {
		t.Error(err)
	}
}
