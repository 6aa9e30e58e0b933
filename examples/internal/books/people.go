package books

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// people gives a made-up district accounts in five contexts: 1 to 3 for pupils
// of primary schools, 4 and 5 for those of secondary schools, teachers and
// staff in 5. What somebody got once they keep.
type people struct {
	contexts map[schoolmail.SchoolID]schoolmail.ContextID // of a school's pupils
	names    map[schoolmail.RecordKey]displayName
	taken    map[string]bool
}

type displayName struct{ given, family, display string }

const adults schoolmail.ContextID = 5

func newPeople(d *escadatest.District) *people {
	p := &people{contexts: map[schoolmail.SchoolID]schoolmail.ContextID{}, names: map[schoolmail.RecordKey]displayName{},
		taken: map[string]bool{}}
	pupils, grownUp := map[schoolmail.SchoolID]int{}, 0
	for _, r := range d.Records() {
		if r.Role == schoolmail.RolePupil {
			pupils[r.Memberships[0].School]++
		} else {
			grownUp++
		}
	}
	schools := d.Schools()
	slices.SortStableFunc(schools, func(a, b escadatest.School) int { return cmp.Compare(pupils[b.ID], pupils[a.ID]) })
	load := map[schoolmail.ContextID]int{adults: grownUp}
	for _, s := range schools { // the largest first, each into the emptiest
		among := []schoolmail.ContextID{1, 2, 3}
		if s.Level == escadatest.Secondary {
			among = []schoolmail.ContextID{4, 5}
		}
		c := slices.MinFunc(among, func(a, b schoolmail.ContextID) int { return cmp.Compare(load[a], load[b]) })
		p.contexts[s.ID] = c
		load[c] += pupils[s.ID]
	}
	return p
}

func (p *people) accounts(d *escadatest.District) []schoolmail.Account {
	var out []schoolmail.Account
	for _, r := range d.Records() {
		n := p.name(r)
		a := schoolmail.Account{
			Key: r.Key, Role: r.Role, Username: "u" + r.Key.ID,
			GivenName: n.given, FamilyName: n.family, DisplayName: n.display,
			Mail:  ascii(n.given) + "." + ascii(n.family) + "." + r.Key.ID + "@schulen.example",
			Phone: r.Phone, Language: r.Language, State: schoolmail.Active, Context: adults,
		}
		for _, m := range r.Memberships {
			if m.On(d.Today()) || len(r.Memberships) == 1 {
				a.Memberships = append(a.Memberships, schoolmail.Membership{School: m.School, Classes: m.Classes})
			}
		}
		if r.Role == schoolmail.RolePupil {
			a.Context = p.contexts[r.Memberships[0].School]
		}
		out = append(out, a)
	}
	return out
}

// name makes the display name unique, as Open-Xchange wants it.
func (p *people) name(r schoolmail.Record) displayName {
	n, ok := p.names[r.Key]
	if ok && n.given == r.GivenName && n.family == r.FamilyName {
		return n
	}
	n = displayName{r.GivenName, r.FamilyName, r.GivenName + " " + r.FamilyName}
	if p.taken[n.display] {
		n.display += fmt.Sprintf(" (%s)", r.Key.ID)
	}
	p.taken[n.display] = true
	p.names[r.Key] = n
	return n
}

// ascii makes the part of an address.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r == ' ' || r == '-' || unicode.IsPunct(r):
			return '-'
		}
		return -1
	}, strings.ToLower(norm.NFD.String(strings.ReplaceAll(s, "ß", "ss"))))
}
