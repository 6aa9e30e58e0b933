package escada_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// slowly is the profile p with a condition that every row fulfils: rows of files
// with conditions are read one by one, without what was learned from earlier ones.
func slowly(p escada.Profile) *escada.Profile {
	p.Where = []escada.Condition{{Title: "PersonId", Matches: "(?s).*"}}
	return &p
}

// sameEitherWay reads an export quickly and slowly.
func sameEitherWay(t *testing.T, p escada.Profile, data string) {
	t.Helper()
	opts := escada.Options{Profile: &p, IdentityKey: []byte("0123456789abcdef"),
		Budget: escada.Budget{Rows: -1, School: -1, Codes: -1}}
	quick, quickErr := read(t, &opts, map[string]string{"x.csv": data})
	opts.Profile = slowly(p)
	slow, slowErr := read(t, &opts, map[string]string{"x.csv": data})
	if diff := cmp.Diff(fmt.Sprint(slowErr), fmt.Sprint(quickErr)); diff != "" {
		t.Fatalf("%s\n%q", diff, data)
	}
	if diff := cmp.Diff(slow, quick); diff != "" {
		t.Fatalf("%s\n%q", diff, data)
	}
}

// nastyFields are texts of a row's fields, the first of which are good.
var nastyFields = [][]string{
	{"17", "18", "a-longer-id.of-20-chars", "19", "1.2E+11", "", " 20", "PersonId", "é1", "a b", strings.Repeat("9", 65)},
	{"S", "L", "m", "Lehrerin", "", "X", "Rolle", " S "},
	{"Schmidlin", "Schmidlig", "von Arx-Schmidhauser Keller", "Müller", "Sm?th", "Schmidli", "", "  ", "Name",
		"Bü\u00ADro", "\ufeffAb", "M\xfcller"},
	{"Léa", "Jo", "Anna  Maria", "Jo\x00", "Zoë", "12345678", "Anna-Lena-Marie-Louise", "", "\t",
		"Vorname", "Le\u0301a", "£"},
	{"ps-au", "sek-b", "ps-birkenfeld-oberdorf", "", "ps au", "-", "Schule"},
	{"P", "S", "Primar", "", "?", " "},
	{"4b", "5a", "Klasse 4b", "4b ", "", "-", " "},
	{"10.08.2026", "1.8.2024", "", "31.02.2026", "2026", " 10.08.2026"},
	{"", "31.07.2027", "31.07.2025", "x"},
	{"", "", "anna@example.org", "anna@", " "},
	{"", "", "031 555 01 02", "x"},
	{"de", "", "fr", "D", "xx"},
	{"", "756.1234.5678.97", "", "1"},
	{"", "01.02.2015", "", "32.01.2015"},
}

// nastyTexts are fields as they stand in a file.
var nastyTexts = []string{
	`"a ""b"""`, "\"a\nb\"", `"a;b"`, `a"b`, `"a"b`, `"open`, "a\rb", "\"a\rb\"", `a\;b`, `a"b"`,
}

// nastyRows makes rows, most of them good.
func nastyRows(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		bad := r.IntN(3 * len(nastyFields)) // this column, if there is one
		var row []string
		for column, texts := range nastyFields {
			text := texts[min(r.IntN(3), len(texts)-1)]
			if column == bad {
				text = texts[r.IntN(len(texts))]
			}
			switch {
			case column == 0 && bad > 0:
				text = strconv.Itoa(r.IntN(10_000))
			case r.IntN(8) == 0:
				text = `"` + text + `"`
			case column == bad && r.IntN(4) == 0:
				text = nastyTexts[r.IntN(len(nastyTexts))]
			}
			row = append(row, text)
		}
		if n := r.IntN(120); n < 14 {
			row = row[:max(1, n)]
		} else if n < 20 {
			row = append(row, make([]string, n-13)...)
		}
		switch r.IntN(60) {
		case 0:
			row = strings.Split(nastyHead, ";")
		case 1:
			row = []string{"END", "12"}
		case 2:
			row = []string{"Total 17"}
		case 3:
			row[0] = "END"
		case 4:
			row[0] = "Totals"
		}
		b.WriteString(strings.Join(row, ";"))
		b.WriteString([]string{"\n", "\r\n", "\n\n"}[min(r.IntN(40), 2)%2+r.IntN(41)/40])
	}
	return b.String()
}

var nastyHead = strings.TrimSpace(head) + ";AHVN13;Geburtsdatum"

// Rows that are read quickly, as their like was there before, come to the same as
// rows that are read one by one: the same people, the same mistakes in the same places.
func TestQuickRowsComeToTheSame(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		p := escada.Profile{ShortRows: r.IntN(4) == 0, Strict: r.IntN(4) == 0, ClassOptional: r.IntN(4) == 0,
			RepeatedRows: r.IntN(4) == 0}
		if r.IntN(4) == 0 {
			p.Trailer = "END"
		}
		if r.IntN(4) == 0 {
			p.Footers = []string{"Total"}
		}
		if r.IntN(4) == 0 {
			p.SchoolLevels = map[schoolmail.SchoolID]schoolmail.SchoolLevel{"ps-au": "primary", "sek-b": "secondary"}
		}
		p.Quoting = []escada.Quoting{"", "", "", escada.QuotingBackslash, escada.QuotingNone}[r.IntN(5)]
		sameEitherWay(t, p, []string{"", "\ufeff"}[r.IntN(2)]+nastyHead+"\n"+nastyRows(r, 1+r.IntN(100)))
	}
}

// A header that is repeated is no person, even where its titles are good values.
func TestRepeatedHeaderOfGoodValues(t *testing.T) {
	t.Parallel()
	p := &escada.Profile{Roles: map[schoolmail.Role][]string{schoolmail.RoleTeacher: {"Rolle"}},
		Optional: []escada.Column{escada.ColumnLevel, escada.ColumnClass, escada.ColumnFrom, escada.ColumnUntil,
			escada.ColumnNoticeMail, escada.ColumnPhone, escada.ColumnLanguage}}
	const titles = "PersonId;Rolle;Name;Vorname;Schule\n"
	d := readOne(t, p, titles+"1;Rolle;Name;Vorname;Schule\n2;Rolle;Name;Vorname;Schule\n"+titles+
		"3;Rolle;Name;Vorname;Schule\n")
	if len(d.Records) != 3 || d.Rows != 3 {
		t.Errorf("%d records of %d rows", len(d.Records), d.Rows)
	}
}

// A level of spaces is none: that of the school counts, in every row.
func TestBlankLevelIsThatOfTheSchool(t *testing.T) {
	t.Parallel()
	p := &escada.Profile{SchoolLevels: map[schoolmail.SchoolID]schoolmail.SchoolLevel{
		"ps-a": "primary", "ps-b": "secondary"}}
	row := func(id int, school string) string {
		return fmt.Sprintf("%d;S;Abt;Ida;%s; ;1a;;;;;\n", id, school)
	}
	d := readOne(t, p, head+row(1, "ps-a")+row(2, "ps-b")+row(3, "ps-a")+row(4, "ps-b")+row(5, "ps-a")+row(6, "ps-b"))
	for i, r := range d.Records {
		if want := []schoolmail.SchoolLevel{"primary", "secondary"}[i%2]; r.Memberships[0].Level != want {
			t.Errorf("%s: %s", r.Key.ID, r.Memberships[0].Level)
		}
	}
}

// Everybody is found again, however rows that are read quickly and others alternate.
func TestEverybodyIsFoundAgain(t *testing.T) {
	t.Parallel()
	const people = 300
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	b.WriteString(head)
	for section := range 600 {
		name, rows := "Abt", 120
		if section%2 == 1 {
			name, rows = `"A""bt"`, 3000 // not quickly; now and then just as many as fit the buffer
		}
		for range r.IntN(rows) {
			id := r.IntN(people)
			if section%2 == 1 {
				id += people
			}
			fmt.Fprintf(&b, "%d;S;%s;Ida;ps-a;P;1a;;;;;\n", 1000+id, name)
		}
	}
	d := readOne(t, &escada.Profile{RepeatedRows: true}, b.String())
	seen := map[string]bool{}
	for _, rec := range d.Records {
		if seen[rec.Key.ID] {
			t.Fatalf("%s stands there twice", rec.Key.ID)
		}
		seen[rec.Key.ID] = true
	}
	if len(seen) != 2*people || len(d.Rejected) > 0 {
		t.Errorf("%d people, rejected %v", len(seen), d.Rejected)
	}
}

// A text that was read before has its own value, not that of one like it.
func TestKnownTexts(t *testing.T) {
	t.Parallel()
	var texts []string
	for i := range 80_000 {
		n := strconv.Itoa(i % 20_000)
		texts = append(texts, n+strings.Repeat("\x00", i/20_000),
			"a name of "+n, n+" is a long name", "a very long name of "+n)
	}
	if wrong := escada.WrongTexts(texts); wrong > 0 {
		t.Errorf("%d texts have the value of another", wrong)
	}
}

// The same with anything.
func FuzzQuick(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		f.Add(nastyRows(r, 20))
	}
	f.Fuzz(func(t *testing.T, data string) {
		if !strings.HasSuffix(data, "\n") {
			data += "\n" // what may be cut off is told in other words where there are conditions
		}
		sameEitherWay(t, escada.Profile{}, nastyHead+"\n"+data)
	})
}

// Rows that are cut by their delimiters alone are cut as all others are, wherever
// buffers end.
func FuzzCut(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(nastyRows(r, 20), 3)
	}
	f.Add("a;b\n"+strings.Repeat("x", 5000)+";\""+strings.Repeat("x", 4090)+"\";b\n"+strings.Repeat("x;", 3000)+"\n", 9)
	f.Add("a;b\n\"x\ny\";\"z\"\r\n;;\n\"\"\r\n", 40_000)
	f.Fuzz(func(t *testing.T, text string, times int) {
		text = strings.Repeat(text, min(max(1, times), 1+200_000/(len(text)+1)))
		for _, quoting := range []escada.Quoting{escada.QuotingRFC4180, escada.QuotingNone, escada.QuotingBackslash} {
			want, got := escada.Cut(text, quoting, false), escada.Cut(text, quoting, true)
			if !slices.Equal(want, got) {
				i := 0
				for i < min(len(want), len(got)) && want[i] == got[i] {
					i++
				}
				t.Errorf("%s: %d and %d rows, the first that differs: %q, %q", quoting, len(want), len(got),
					want[i:min(i+1, len(want))], got[i:min(i+1, len(got))])
			}
		}
	})
}
