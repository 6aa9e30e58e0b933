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
	numbers []int32 // of the schools as [reading] numbers them
	n       []int32 // people of each kind
}

func (k *kinds) init(f *facts) {
	k.pops, k.spots = f.policy.Populations, f.policy.Contexts
	k.school = map[SchoolID]int32{}
	last := SchoolID("")
	read := f.sorted.read()
	seen := make([]bool, len(read.schools)) // those of people who are settled
	see := func(ms []Membership) {
		for i := range ms {
			if s := ms[i].School; s != last {
				k.school[s], last = 0, s
			}
		}
	}
	k.school[""] = 0
	for i := range f.people {
		p := &f.people[i]
		if p.settled >= 0 && read.only[p.at] > 0 {
			seen[read.only[p.at]-1] = true
			continue
		}
		if p.record != nil {
			see(p.record.Memberships)
		}
		if p.account != nil {
			see(p.account.Memberships)
		}
	}
	for n, s := range read.schools {
		if seen[n] {
			k.school[s] = 0
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
	k.numbers = make([]int32, len(read.schools))
	for n, s := range read.schools {
		k.numbers[n] = k.school[s]
	}
	k.n = make([]int32, k.size())
}

func (k *kinds) size() int { return len(k.pops) * len(k.schools) * len(k.spots) }

// of returns the number of a kind, -1 if the context is not declared.
func (k *kinds) of(pop int, s SchoolID, c ContextID) int32 {
	spot := k.spot(c)
	if spot < 0 {
		return -1
	}
	return k.number(int32(pop), k.school[s], spot)
}

// spot returns the number of a context among those that are declared, or -1.
func (k *kinds) spot(c ContextID) int32 {
	return int32(slices.IndexFunc(k.spots, func(s ContextSpec) bool { return s.ID == c }))
}

func (k *kinds) number(pop, school, spot int32) int32 {
	return (pop*int32(len(k.schools))+school)*int32(len(k.spots)) + spot
}

// parts of the number of a kind.
func (k *kinds) parts(kind int) (pop, school, spot int) {
	spot, kind = kind%len(k.spots), kind/len(k.spots)
	return kind / len(k.schools), kind % len(k.schools), spot
}

// settle looks whether a record says what the account says, and whether the account
// is where its population lives, with nothing that is due. It returns the numbers of
// the population and of the context, as of a kind at the only school; -1 for everybody
// else, and for those of whom it takes a closer look to know.
func (f *facts) settle(a *Account, r *Record) int32 {
	if a == nil || r == nil || a.Held || a.State != Active || a.Mail == "" || a.Previous.Context != 0 || !f.namesStay(a) {
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
		if !m.On(f.now) || m.School != o.School || !slices.Equal(m.Classes, o.Classes) || !sortedOnce(m.Classes) ||
			i > 0 && m.School <= r.Memberships[i-1].School {
			return -1
		}
	}
	if !isClean(a.GivenName) || !isClean(a.FamilyName) || !hasOwnName(a) {
		return -1
	}
	pop := f.policy.populationIndex(r.Role, r.Memberships)
	if pop < 0 || a.Access != "" && a.Access != f.policy.Populations[pop].Access ||
		!slices.Contains(f.policy.Populations[pop].Contexts, a.Context) {
		return -1
	}
	k := kinds{spots: f.policy.Contexts, schools: make([]SchoolID, 1)}
	if spot := k.spot(a.Context); spot >= 0 {
		return k.number(int32(pop), 0, spot)
	}
	return -1
}

// steady returns the kind of somebody who is settled, whose display name is nobody
// else's, and who lives where the directory says; -1 of everybody else, and of those
// about whom it takes a closer look.
func (d *decisions) steady(p *individual) int32 {
	if p.settled < 0 || p.place == nil || !p.agrees || !d.display.sole(p) {
		return -1
	}
	if len(d.doubts) > 0 && d.doubts[p.account.Key] != "" || d.lost != "" ||
		len(d.schools)+len(d.lostAt) > 0 && d.uncertain(p.account, p.record.Memberships) != "" {
		return -1
	}
	spots := int32(len(d.kinds.spots))
	if only := d.sorted.read().only[p.at]; only > 0 {
		return d.kinds.number(p.settled/spots, d.kinds.numbers[only-1], p.settled%spots)
	}
	return d.kinds.number(p.settled/spots, d.kinds.school[p.account.Memberships[0].School], p.settled%spots)
}

// hasOwnName reports whether the display name of an account is the one that it would
// be given if it is nobody else's: both names, or these with the user name behind them.
func hasOwnName(a *Account) bool {
	n, g, f := a.DisplayName, a.GivenName, a.FamilyName
	plain := len(g) + 1 + len(f)
	if g == "" || f == "" || plain > 120 || len(n) < plain || n[:len(g)] != g || n[len(g)] != ' ' ||
		n[len(g)+1:plain] != f {
		return false
	}
	return len(n) == plain || isMarked(a, n[:plain])
}

// agrees reports whether a user in OX is as the open account wants it.
func agrees(p *Place, a *Account) bool {
	return p.MailEnabled && p.DisplayName == a.DisplayName && p.GivenName == a.GivenName && p.FamilyName == a.FamilyName &&
		(p.Mail == a.Mail || strings.EqualFold(p.Mail, a.Mail))
}
