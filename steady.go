package schoolmail

import (
	"slices"
	"strings"
)

// kinds count the people who are where they may be, by population, school and
// context, so that nobody has to be listed who stays.
type kinds struct {
	pops    []Population
	spots   []ContextSpec
	schools []SchoolID // sorted
	school  map[SchoolID]int32
	n       []int32 // people of each kind
}

func (k *kinds) init(f *facts) {
	k.pops, k.spots = f.policy.Populations, f.policy.Contexts
	k.school = map[SchoolID]int32{}
	last := SchoolID("")
	see := func(ms []Membership) {
		for i := range ms {
			if s := ms[i].School; s != last {
				k.school[s], last = 0, s
			}
		}
	}
	k.school[""] = 0
	for i := range f.people {
		if p := &f.people[i]; p.record != nil {
			see(p.record.Memberships)
		}
		if p := &f.people[i]; p.account != nil {
			see(p.account.Memberships)
		}
	}
	k.schools = make([]SchoolID, 0, len(k.school))
	for s := range k.school {
		k.schools = append(k.schools, s)
	}
	slices.Sort(k.schools)
	for i, s := range k.schools {
		k.school[s] = int32(i)
	}
	k.n = make([]int32, k.size())
}

func (k *kinds) size() int { return len(k.pops) * len(k.schools) * len(k.spots) }

// of returns the number of a kind, -1 if the context is not declared.
func (k *kinds) of(pop int, s SchoolID, c ContextID) int32 {
	for i := range k.spots {
		if k.spots[i].ID == c {
			return (int32(pop)*int32(len(k.schools))+k.school[s])*int32(len(k.spots)) + int32(i)
		}
	}
	return -1
}

// parts of the number of a kind.
func (k *kinds) parts(kind int) (pop, school, spot int) {
	spot, kind = kind%len(k.spots), kind/len(k.spots)
	return kind / len(k.schools), kind % len(k.schools), spot
}

// steady returns the kind of somebody whose record says what the account says,
// and who lives where the directory says, as they may; -1 of everybody else, and
// of those about whom it takes a closer look.
func (d *decisions) steady(p *individual) int32 {
	a, r := p.account, p.record
	if a == nil || r == nil || p.place == nil || a.Held || a.State != Active || a.Mail == "" || a.Previous.Context != 0 {
		return -1
	}
	if !d.namesStay(a) {
		return -1
	}
	if r.Role != a.Role || r.GivenName != a.GivenName || r.FamilyName != a.FamilyName || phoneOf(r) != a.Phone ||
		r.NoticeMail != a.NoticeMail || r.Language != "" && r.Language != a.Language || wantedTraits(a, r) != a.Traits {
		return -1
	}
	if len(r.Memberships) != len(a.Memberships) || len(a.Memberships) == 0 {
		return -1
	}
	for i := range r.Memberships {
		m, o := &r.Memberships[i], &a.Memberships[i]
		if !m.On(d.now) || m.School != o.School || !slices.Equal(m.Classes, o.Classes) || !sortedOnce(m.Classes) ||
			i > 0 && m.School <= r.Memberships[i-1].School {
			return -1
		}
	}
	if !isClean(a.GivenName) || !isClean(a.FamilyName) || !d.keepsDisplayName(a) || !agrees(p.place, a) {
		return -1
	}
	pop := d.policy.populationIndex(r.Role, r.Memberships)
	if pop < 0 || a.Access != "" && a.Access != d.policy.Populations[pop].Access ||
		!slices.Contains(d.policy.Populations[pop].Contexts, a.Context) {
		return -1
	}
	if len(d.doubts) > 0 && d.doubts[a.Key] != "" || d.lost != "" ||
		len(d.schools)+len(d.lostAt) > 0 && d.uncertain(a, r.Memberships) != "" {
		return -1
	}
	return d.kinds.of(pop, a.Memberships[0].School, a.Context)
}

// keepsDisplayName reports whether the display name of an account is the one
// that it would be given: both names, or these with the user name behind them.
func (d *decisions) keepsDisplayName(a *Account) bool {
	n, g, f := a.DisplayName, a.GivenName, a.FamilyName
	plain := len(g) + 1 + len(f)
	if g == "" || f == "" || plain > 120 || len(n) < plain || n[:len(g)] != g || n[len(g)] != ' ' ||
		n[len(g)+1:plain] != f {
		return false
	}
	switch rest := n[plain:]; {
	case rest == "":
		return d.display.sole(n)
	default:
		return len(rest) == len(a.Username)+3 && rest[:2] == " (" && rest[2:len(rest)-1] == a.Username &&
			rest[len(rest)-1] == ')'
	}
}

// agrees reports whether a user in OX is as the open account wants it.
func agrees(p *Place, a *Account) bool {
	return p.MailEnabled && p.DisplayName == a.DisplayName && p.GivenName == a.GivenName && p.FamilyName == a.FamilyName &&
		(p.Mail == a.Mail || strings.EqualFold(p.Mail, a.Mail))
}
