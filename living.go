package schoolmail

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Adoption is an account without a record id, as all are on a site that is taken over,
// beside a delivered record that may be that of its person. Somebody has to decide; until
// then no account is made for the record.
type Adoption struct {
	Username string    `json:"username"`
	Key      RecordKey `json:"key"` // of the record
	// Sure says that nothing speaks against it: they agree in both names and at least in
	// one thing more, and neither could be anybody else's.
	Sure bool   `json:"sure"`
	Why  string `json:"why"` // in what they agree, and what speaks against it; names nobody
}

// Adoptions lists the accounts without a record id that may belong to a delivered person
// without an account, by user name and record. It is as pure as [NewPlan], has its
// errors, and sees what a plan of the same day holds for it as "living-account".
func Adoptions(policy Policy, state State, delivery Delivery, now Date) ([]Adoption, error) {
	in, err := newGiven(&policy, &state, &delivery, now)
	if err != nil {
		return nil, err
	}
	defer in.sorted.fingerprint()
	return lookAt(in).living, nil
}

// RefuseAdoption says why an account without a record id is not to get that of a record,
// whoever says so: the next plan would take its person for somebody else. Empty: it may.
func RefuseAdoption(a *Account, r *Record, now Date) string {
	if (a.Role == RolePupil) != (r.Role == RolePupil) {
		return "one of the two is a pupil, the other is not"
	}
	in := given{now: now}
	if !in.here(r) {
		return "the record's time at school is over"
	}
	active := *a
	active.State = Active
	if compareIdentity(&active, r, in.current(r)) == otherPerson {
		return "names, birth date or school say that they are two people"
	}
	return ""
}

// livingAccounts finds newcomers who may have an account already: one without a record
// id. Nothing is made for them until the account has their record id, or a [Distinct]
// with record id and user name says that they are two.
func (f *facts) livingAccounts(n *newcomers, distinct map[[2]string]bool) {
	var living []*Account
	for _, at := range f.sorted.read().strangers {
		living = append(living, &f.state.Accounts[at])
	}
	if len(living) == 0 {
		return
	}
	matches := f.matches(living, n, distinct)
	whose := map[RecordKey][]string{}
	// A namesake at another school makes nobody doubtful who is found at their own.
	near, accounts := map[string]int{}, map[RecordKey]int{}
	for _, m := range matches {
		whose[m.key] = append(whose[m.key], m.username)
		if m.near() {
			near[m.username]++
			accounts[m.key]++
		}
	}
	for _, m := range matches {
		f.living = append(f.living, m.judge(near[m.username], accounts[m.key], f.doubts[m.key] != ""))
	}
	for _, p := range n.people {
		k := p.record.Key
		names := whose[k]
		if len(names) == 0 || f.doubts[k] != "" {
			continue
		}
		slices.Sort(names)
		f.doubts[k] = "the person may have an account already, one without a record id"
		f.find("living-account", "record %s could be that of account %s, which has no record id: no account is made until "+
			"it has this one; a distinct with a %q and the user name as b says that they are two", k.ID,
			strings.Join(names, " or "), k.ID).Key = k
	}
}

// match is an account without a record id and a newcomer who may be one person.
type match struct {
	username string
	key      RecordKey
	names    bool // both are alike
	roles    bool
	traits   traitsVerdict
	school   bool // in common
	class    bool // in common
	classes  bool // both have some, at a school in common
	mail     bool // the address is made of the record's names, or delivered with it
	pupil    bool
}

// matches finds who may be one person, in the order of user names and records.
func (f *facts) matches(living []*Account, n *newcomers, distinct map[[2]string]bool) []match {
	byAddress := make(map[string][]int32, len(n.people))
	for i, p := range n.people {
		for _, w := range addressesOf(p.record) {
			byAddress[w] = append(byAddress[w], int32(i))
		}
	}
	named := 0
	for _, a := range living {
		if n.anyNamed(a.GivenName, a.FamilyName) {
			named++
		}
	}
	// Where most of those without a record id are found by their names, they are the
	// people of the export, whatever school the directory has them at.
	anywhere := 2*named >= len(living)
	var found []match
	for _, a := range living {
		who := someoneWith(a)
		var candidates []int32
		for i := n.named(hashPerson(a.GivenName, a.FamilyName)); i >= 0; i = n.next[i] {
			candidates = append(candidates, i)
		}
		if a.Traits.Birth != "" {
			candidates = append(candidates, n.byBirth[a.Traits.Birth]...)
		}
		for _, w := range wordsOf(a) {
			candidates = append(candidates, byAddress[w]...)
		}
		slices.Sort(candidates)
		for _, i := range slices.Compact(candidates) {
			r := n.people[i].record
			o := f.someoneOf(r)
			m := matchOf(a, r, &who, &o)
			if !distinct[[2]string{r.Key.ID, a.Username}] && m.possible(&who, &o, anywhere || len(a.Memberships) == 0) {
				found = append(found, m)
			}
		}
	}
	slices.SortFunc(found, func(x, y match) int {
		return cmp.Or(strings.Compare(x.username, y.username), x.key.Compare(y.key))
	})
	return found
}

// addressesOf are what the address of a record's person could be, in the words of
// [wordsOf].
func addressesOf(r *Record) []string {
	words := make([]string, 0, 2)
	if foldASCII(r.GivenName, "") != "" && foldASCII(r.FamilyName, "") != "" {
		words = append(words, addressBase(r.GivenName, r.FamilyName))
	}
	if r.NoticeMail != "" {
		words = append(words, strings.ToLower(r.NoticeMail))
	}
	return words
}

// wordsOf are the words by which an account may be that of a record: user name and local
// parts of addresses without the number behind them, and whole addresses.
func wordsOf(a *Account) []string {
	words := []string{strings.TrimRight(a.Username, "0123456789")}
	for _, m := range append([]string{a.Mail}, a.Aliases...) {
		if local, _, ok := strings.Cut(strings.ToLower(m), "@"); ok {
			words = append(words, strings.TrimRight(local, "0123456789"), strings.ToLower(m))
		}
	}
	return words
}

func matchOf(a *Account, r *Record, who, o *someone) match {
	m := match{username: a.Username, key: r.Key, traits: compareTraits(who.traits, o.traits), pupil: r.Role == RolePupil,
		roles: (who.role == RolePupil) == (o.role == RolePupil),
		names: alikeNames(a.GivenName, r.GivenName) && alikeNames(a.FamilyName, r.FamilyName) || swappedNames(a, r)}
	m.school, m.class = common(who.schools, o.schools)
	for i := range who.schools {
		for j := range o.schools {
			x, y := &who.schools[i], &o.schools[j]
			m.classes = m.classes || x.School == y.School && len(x.Classes) > 0 && len(y.Classes) > 0
		}
	}
	words := wordsOf(a)
	m.mail = slices.ContainsFunc(addressesOf(r), func(w string) bool { return slices.Contains(words, w) })
	return m
}

// near reports whether more than names and role agree.
func (m *match) near() bool { return m.school || m.traits == traitsEqual }

// possible reports whether the two may be one person.
func (m *match) possible(who, o *someone, anywhere bool) bool {
	one := alikeNames(who.given, o.given) || alikeNames(who.family, o.family) || m.names
	switch m.traits {
	case traitsEqual:
		return one
	case traitsDiffer: // one of the two may be wrong
		return m.names && m.roles && m.school && m.class
	}
	same := fullName(who.given, who.family) == fullName(o.given, o.family)
	return m.roles && (m.school || anywhere) && (same || m.mail && one)
}

// judge says how sure it is; accounts and records are how many each could have.
func (m *match) judge(records, accounts int, doubted bool) Adoption {
	var agree, against []string
	say := func(list *[]string, when bool, what string) {
		if when {
			*list = append(*list, what)
		}
	}
	say(&agree, m.names, "names")
	say(&agree, m.traits == traitsEqual, "birth date or number")
	say(&agree, m.school, "school")
	say(&agree, m.classes && m.class, "class")
	say(&agree, m.mail, "address")
	say(&against, !m.names, "another name")
	say(&against, !m.roles, "another role")
	say(&against, m.traits == traitsDiffer, "another birth date or number")
	say(&against, !m.school, "no school in common")
	say(&against, m.classes && !m.class, "no class in common")
	// A class is small, a school is not, and most of its people are pupils.
	enough := m.traits == traitsEqual || m.school && (m.classes || m.mail || !m.pupil)
	say(&against, !enough && len(against) == 0, "nothing but names and school to go by")
	say(&against, records > 1, fmt.Sprintf("%d records could be this account's", records))
	say(&against, accounts > 1, fmt.Sprintf("%d accounts could be this record's", accounts))
	say(&against, doubted, "the record itself is held")
	why := strings.Join(agree, ", ") + " alike"
	if len(agree) == 0 {
		why = "nothing alike"
	}
	// Where the birth date is the same, the class may be last year's.
	sure := len(against) == 0 || m.traits == traitsEqual && m.names && m.roles && records == 1 && accounts == 1 && !doubted
	if len(against) > 0 {
		why += "; but " + strings.Join(against, ", ")
	}
	return Adoption{Username: m.username, Key: m.key, Sure: sure, Why: why}
}
