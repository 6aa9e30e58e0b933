package addressbook

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

func mustBuild(t testing.TB, rules Rules, accounts []schoolmail.Account) Desired {
	t.Helper()
	d, err := Build(rules, accounts)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// outline is one line per context and book.
func outline(d Desired) string {
	var b strings.Builder
	for _, c := range d.Contexts {
		for _, k := range c.Books {
			var readers []string
			for _, a := range k.Readers {
				readers = append(readers, strings.Join(slices.Concat(a.Users, a.Groups), " "))
			}
			fmt.Fprintf(&b, "%d %s (%s) %d people, readers %s\n", c.Context, k.Key, strings.Join(k.Path, "/"), k.People(),
				strings.Join(readers, "; "))
		}
	}
	for _, f := range d.Findings {
		fmt.Fprintf(&b, "! %v\n", f)
	}
	return b.String()
}

func TestBuild(t *testing.T) {
	t.Parallel()
	got := outline(mustBuild(t, villageRules(), village()))
	want := `1 class/au/3a (Schule Au/Klasse 3a) 2 people, readers theo tina lehrer-au
1 class/au/3b (Schule Au/Klasse 3b) 1 people, readers theo tina lehrer-au
1 class/berg/1b (Schule Berg/Klasse 1b) 1 people, readers theo tom lehrer-berg
1 district-teachers (Lehrpersonen aller Schulen) 3 people, readers sara theo tina tom
1 school/au (Schule Au/Ganze Schule) 6 people, readers theo tina lehrer-au; sara mitarbeiter-au
1 school/berg (Schule Berg/Ganze Schule) 3 people, readers theo tom lehrer-berg
1 staff/au (Schule Au/Kollegium) 3 people, readers theo tina lehrer-au; sara mitarbeiter-au
1 staff/berg (Schule Berg/Kollegium) 2 people, readers theo tom lehrer-berg
1 teachers/au (Schule Au/Lehrpersonen) 2 people, readers theo tina lehrer-au; sara mitarbeiter-au
1 teachers/berg (Schule Berg/Lehrpersonen) 2 people, readers theo tom lehrer-berg
2 class/au/3a (Schule Au/Klasse 3a) 2 people, readers anna ben au-3a
2 class/berg/1b (Schule Berg/Klasse 1b) 1 people, readers dora berg-1b
2 teachers/au (Schule Au/Lehrpersonen) 2 people, readers anna ben schueler-au
2 teachers/berg (Schule Berg/Lehrpersonen) 2 people, readers dora schueler-berg
3 class/au/3b (Schule Au/Klasse 3b) 1 people, readers cleo au-3b
3 teachers/au (Schule Au/Lehrpersonen) 2 people, readers cleo schueler-au
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestBuildWhoIsLeftOut(t *testing.T) {
	t.Parallel()
	change := func(f func(*schoolmail.Account)) []schoolmail.Account {
		people := everyone("tina teacher 1 au", "anna pupil 2 au:3a")
		f(&people[1])
		return people
	}
	const listed = 2
	tests := []struct {
		name   string
		people []schoolmail.Account
		rules  func(*Rules)
		want   int // people in the school's book
	}{
		{"active", change(func(*schoolmail.Account) {}), nil, listed},
		{"leaving", change(func(a *schoolmail.Account) { a.State = schoolmail.Leaving }), nil, 1},
		{"leaving kept", change(func(a *schoolmail.Account) { a.State = schoolmail.Leaving }),
			func(r *Rules) { r.KeepLeaving = true }, listed},
		{"deactivated kept", change(func(a *schoolmail.Account) { a.State = schoolmail.Deactivated }),
			func(r *Rules) { r.KeepLeaving = true }, 1},
		{"pending", change(func(a *schoolmail.Account) { a.State = schoolmail.Pending }), nil, 1},
		{"no address", change(func(a *schoolmail.Account) { a.Mail = "" }), nil, 1},
		{"address OX refuses", change(func(a *schoolmail.Account) { a.Mail = "anna@@example" }), nil, 1},
		{"address with a name", change(func(a *schoolmail.Account) { a.Mail = "Anna <anna@example.org>" }), nil, 1},
		{"no role", change(func(a *schoolmail.Account) { a.Role = "" }), nil, 1},
		{"no place in OX", change(func(a *schoolmail.Account) { a.Context = 0 }), nil, listed},
		{"made by hand", change(func(a *schoolmail.Account) { a.Key = schoolmail.RecordKey{} }), nil, listed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rules := DefaultRules()
			if tt.rules != nil {
				tt.rules(&rules)
			}
			for _, b := range booksOf(mustBuild(t, rules, tt.people), 1).Books {
				if b.Rule == "school" && b.People() != tt.want {
					t.Errorf("people = %d, want %d", b.People(), tt.want)
				}
			}
		})
	}
}

func TestPupilsShowNameAndMailOnly(t *testing.T) {
	t.Parallel()
	people := village()
	for i := range people {
		people[i].Phone = "+41 31 111 11 11"
	}
	pupil := map[string]bool{}
	for _, p := range people {
		pupil[p.Mail] = p.Role == schoolmail.RolePupil
	}
	pupils, phones := 0, 0
	for _, c := range mustBuild(t, villageRules(), people).Contexts {
		for _, b := range c.Books {
			for _, e := range b.Entries {
				if e.Phone != "" {
					phones++
				}
				if !pupil[e.Mail] {
					continue
				}
				pupils++
				e.Key, e.DisplayName, e.GivenName, e.FamilyName, e.Mail = "", "", "", "", ""
				if !e.Equal(Entry{}) {
					t.Errorf("book %s shows more of a pupil: %+v", b.Key, e)
				}
			}
		}
	}
	if pupils == 0 || phones == 0 {
		t.Errorf("pupils %d, phones %d: the test saw nothing", pupils, phones)
	}
}

func TestSameTitlesAreSeparated(t *testing.T) {
	t.Parallel()
	rules := DefaultRules()
	rules.Books = []BookRule{rules.Books[4]}
	d := mustBuild(t, rules, everyone("tina teacher 1 au", "anna pupil 1 au:3a", "ben pupil 1 au:3A",
		"cleo pupil 1 AU:3a"))
	got := outline(d)
	want := `1 class/AU/3a (AU/Klasse 3a) 1 people, readers cleo AU-3a
1 class/au/3A (AU/Klasse 3A (2)) 1 people, readers ben au-3A; tina lehrer-au
1 class/au/3a (AU/Klasse 3a (3)) 1 people, readers anna au-3a; tina lehrer-au
! context 1: book class/au/3A: another folder has the same title; this one gets a number
! context 1: book class/au/3a: another folder has the same title; this one gets a number
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestKeysTellNothing(t *testing.T) {
	t.Parallel()
	rules := villageRules()
	key := func(r Rules) string { return mustBuild(t, r, village()).Contexts[0].Books[0].Entries[0].Key }
	plain := key(rules)
	rules.Salt = "pepper"
	salted := key(rules)
	if plain == salted {
		t.Error("the salt changes nothing")
	}
	if strings.Contains(salted, "anna") || !strings.HasPrefix(salted, "schoolmail:p:") || len(salted) > 64 {
		t.Errorf("key %q", salted)
	}
}

func TestFieldText(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"umlauts", "Zoë Müller-Ångström", "Zoë Müller-Ångström"},
		{"line breaks", "Haus A\r\nTür 2\rhinten", "Haus A\nTür 2\nhinten"},
		{"control characters", "a\x00b\x1bc\u0085d", "abcd"},
		{"bad UTF-8", "a\xffb", "a\uFFFDb"},
		{"blanks at the ends", "  =1+2 \n", "=1+2"},
		{"too long", strings.Repeat("ä", 12), strings.Repeat("ä", 10)},
		{"cut at a blank", "abcdefghi jkl", "abcdefghi"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fieldText(tt.in, 10)
			if tt.name == "umlauts" || tt.name == "line breaks" {
				got = fieldText(tt.in, 100)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if again := fieldText(got, 100); again != got {
				t.Errorf("not stable: %q becomes %q", got, again)
			}
		})
	}
}
