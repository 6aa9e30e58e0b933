package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// accountNames gives people names by a naming, one after the other.
func accountNames(naming Naming, people ...Record) (list []string) {
	n := newNames(&State{}, nil, len(people))
	n.follow(&naming)
	for i := range people {
		r := &people[i]
		user, mail := n.newcomer(r, naming.spell(r.GivenName), naming.spell(r.FamilyName), "x.example",
			DefaultMaxPupilUsername)
		list = append(list, user+" "+strings.TrimSuffix(mail, "x.example"))
	}
	return list
}

func TestNamingSchemes(t *testing.T) {
	t.Parallel()
	pupil := func(id, given, family string) Record {
		return person(id, given, family, RolePupil, at("ps-a", "primary"))
	}
	for _, c := range []struct {
		name   string
		naming Naming
		people []Record
		want   []string
	}{
		{"the default", Naming{}, []Record{pupil("1", "Jörg Uli", "Müller"), pupil("2", "Jörg", "Müller")},
			[]string{"joerg.mueller joerg.mueller@", "joerg.mueller2 joerg.mueller2@"}},
		{"lengths, and the number", Naming{Username: "{given:2}{family:4}{n}", Address: "{family}_{given:1}{n}"},
			[]Record{pupil("1", "Jörg", "Müller"), pupil("2", "Jonas", "Muelli"), pupil("3", "Jolanda", "Mueller")},
			[]string{"jomuel mueller_j@", "jomuel2 muelli_j@", "jomuel3 mueller_j2@"}},
		{"a number always", Naming{Username: "s{n:4}", Address: "{given}.{family}{n:2}"},
			[]Record{pupil("1", "Ida", "Abel"), pupil("2", "Ida", "Abel")},
			[]string{"s0001 ida.abel01@", "s0002 ida.abel02@"}},
		{"the number in the middle", Naming{Username: "{given}{n}.{family}"},
			[]Record{pupil("1", "Ida", "Abel"), pupil("2", "Ida", "Abel")},
			[]string{"ida.abel ida.abel@", "ida2.abel ida.abel2@"}},
		{"one name only leaves no sign alone", Naming{Username: "{given}.{family}{n}", Address: "{given}-.{family}{n}"},
			[]Record{pupil("1", "", "Abel"), pupil("2", "Ida", "")}, []string{"abel abel@", "ida ida@"}},
		{"too long: the longest part is cut, not the number", Naming{Username: "{given}.{family}{n}"},
			[]Record{pupil("1", "Maximiliana", "Abel"), pupil("2", "Maximiliana", "Abel")},
			[]string{"maximilian.abel maximiliana.abel@", "maximilia.abel2 maximiliana.abel2@"}},
		{"too long: not even a number that is the longest part is cut", Naming{Username: "pupil.{given}{n:6}"},
			[]Record{pupil("1", "Maximiliana", "Abel")}, []string{"pupil.max000001 maximiliana.abel@"}},
		{"id, role and school", Naming{Username: "{role:1}{id}{n}", Address: "{given}{family:1}.{school}.{id}{n}"},
			[]Record{pupil("A-17", "Ida", "Abel")}, []string{"pa17 idaa.ps-a.a17@"}},
		{"reserved by the site", Naming{Username: "{given}.{family}{n}", Reserved: []string{"ida.abel"}},
			[]Record{pupil("1", "Ida", "Abel")}, []string{"ida.abel2 ida.abel2@"}},
		{"reserved by the site, without a scheme", Naming{Reserved: []string{"ida.abel"}},
			[]Record{pupil("1", "Ida", "Abel")}, []string{"ida.abel2 ida.abel2@"}},
		{"digits alone", Naming{Username: "{given}{family}{n}"}, []Record{pupil("1", "7", "8")}, []string{"k78 7.8@"}},
		{"Windows devices", Naming{Username: "{given}.{family}{n}"},
			[]Record{pupil("1", "Con", "Meier"), pupil("2", "Con", "Meier"), pupil("3", "Nul", ""),
				pupil("4", "Conny", "Meier")},
			[]string{"con2.meier con.meier@", "con2.meier2 con.meier2@", "nul2 nul2@", "conny.meier conny.meier@"}},
		{"Windows devices, without a scheme", Naming{},
			[]Record{pupil("1", "Con", "Meier"), pupil("2", "Con", "Meier"), pupil("3", "Lpt1", "Meier")},
			[]string{"con2.meier con.meier@", "con3.meier con.meier2@", "lpt12.meier lpt1.meier@"}},
		{"letters by a library", Naming{Spell: []string{"Armenian", "Georgian"}},
			[]Record{pupil("1", "Անի", "ქართველი"), pupil("2", "Жанна", "Abel")},
			[]string{"ani.kartveli ani.kartveli@", "zhanna.abel zhanna.abel@"}},
		{"Greek and Cyrillic as passports do", Naming{}, []Record{pupil("1", "Χαρά", "Жук")},
			[]string{"chara.zhuk chara.zhuk@"}},
		{"Greek by the library", Naming{Spell: []string{"Greek"}}, []Record{pupil("1", "Χαρά", "Abel")},
			[]string{"khara.abel khara.abel@"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := (Policy{Naming: c.naming}.WithDefaults().Validate()); strings.Contains(err.Error(), "naming:") {
				t.Error(err)
			}
			if got := accountNames(c.naming, c.people...); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Letters that neither the rules nor the library cover are asked for.
func TestLettersWithoutASpellingWait(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Naming = Naming{Username: "{given}.{family}{n}", Spell: []string{"Georgian"}}
	plan := planOf(t, p, newWorld(t, p), []Record{person("1", "Անի", "Abel", RolePupil, at("ps-a", "primary"))}, day0)
	if plan.Count()[KindCreate] != 0 || !hasFinding(plan, "no-spelling") ||
		len(plan.Held) != 1 {
		t.Errorf("%s %+v", plan.Summary(), plan.Findings)
	}
}

// All mistakes of a scheme are told when the policy is checked, each with its place.
func TestSchemesAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		naming Naming
		want   []string
	}{
		{Naming{Username: "{given}.{surname}{n}"}, []string{"character 9, {surname}: expected one of {given} {family}"}},
		{Naming{Username: "{given}.{family}"}, []string{"expected {n} once"}},
		{Naming{Username: "{given}.{family}{n}{n:2}"}, []string{"expected {n} once"}},
		{Naming{Username: "{given}{n}"}, []string{"one name only", "expected both {given} and {family}"}},
		{Naming{Username: "{id}{n}"}, []string{"of digits"}},
		{Naming{Username: "{given:8}.{family:8}{n}"}, []string{"20 characters", "at most 15"}},
		{Naming{Username: "{given}.{family}{n"}, []string{"character 17: expected a }"}},
		{Naming{Username: "{given}_{family}{n}"}, []string{`character 8, '_'`}},
		{Naming{Username: "Ü{given}.{family}{n}"}, []string{"character 1, 'Ü'"}},
		{Naming{Username: "{given:0}.{family:x}{n:9}"}, []string{"character 1, {given:0}", "character 11, {family:x}",
			"character 21, {n:9}"}},
		{Naming{Address: "{given:40}.{family:40}{n}"}, []string{`address "`, "84 characters", "at most 64"}},
		{Naming{Address: "{given} {family}{n}"}, []string{`character 8, ' '`}},
		{Naming{Spell: []string{"Klingon", "Latin"}}, []string{`spell "Klingon"`, `spell "Latin"`}},
		{Naming{Reserved: []string{"Chef", ""}}, []string{`reserved "Chef"`, `reserved ""`}},
	} {
		p := smallPolicy(0)
		p.Naming = c.naming
		err := p.WithDefaults().Validate()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "naming: ") {
				t.Errorf("%+v: nothing about %q in %v", c.naming, want, err)
			}
		}
	}
	p := smallPolicy(0)
	p.Naming = Naming{Username: "{given:5}.{family:6}{n}", Address: "{given}.{family}{n:3}", Spell: []string{"Han"},
		Reserved: []string{"schulleitung"}}
	if err := p.WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

// Whatever people are called, names by a scheme are never empty, too long, taken twice,
// of digits alone or a device's.
func TestSchemedNamesAreSound(t *testing.T) {
	t.Parallel()
	schemes := []string{"{given}.{family}{n}", "{given:3}{family:5}{n}", "{family}{n:3}.{given}",
		"s{n:4}", "{role:1}.{id}{n}",
		"con.{given}{family}{n}"}
	rapid.Check(t, func(rt *rapid.T) {
		naming := Naming{Username: rapid.SampledFrom(schemes).Draw(rt, "scheme"), Address: "{family}-{given}{n}"}
		n := newNames(&State{}, nil, 1)
		n.follow(&naming)
		seen := map[string]bool{}
		for i := range 30 {
			word := rapid.SampledFrom([]string{"", "Con", "Aux", "Ida", "Maximilian", "7", "Meier", "Ä", "O'Neill-Zürcher"})
			r := person(fmt.Sprint(i), word.Draw(rt, "given"), word.Draw(rt, "family"), RolePupil, at("ps-a", "primary"))
			user, mail := n.newcomer(&r, r.GivenName, r.FamilyName, "x.example", 15)
			local, _, _ := strings.Cut(mail, "@")
			if user == "" || len(user) > 15 || strings.Trim(user, "0123456789") == "" || isDevice(user) || seen[user] ||
				strings.Trim(user, ".") != user || strings.Contains(user, "..") || local == "" || len(local) > 64 || seen[mail] {
				rt.Errorf("%q %q: %q %q", r.GivenName, r.FamilyName, user, mail)
			}
			seen[user], seen[mail] = true, true
		}
	})
}
