package schoolmail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Traits tell people apart who have the same name. They are keyed hashes, never
// the values themselves: hex text, equal if and only if the values are equal.
// Empty: not delivered.
type Traits struct {
	Birth  string `json:"birth,omitempty"`  // of the birth date
	Number string `json:"number,omitempty"` // of the social insurance number
}

// Link says that a record belongs to the person of an account although its id
// is another one than the account's: the school administration gave the person a new
// id. With Old equal to New it says that the person of this id is still the same,
// although names and school look like somebody else; such a link ends with Until.
type Link struct {
	Old    string `json:"old"` // record id of the account
	New    string `json:"new"` // record id that is delivered now
	Until  Date   `json:"until,omitzero"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// Distinct says that two record ids that look like one person stand for two.
type Distinct struct {
	A      string `json:"a"`
	B      string `json:"b"`
	By     string `json:"by"`
	Reason string `json:"reason"`
}

// guardIdentity is the guard under which everything is held that would make
// somebody into somebody else, or one person into two. No override lifts it: a
// [Link] or a [Distinct] decides about each case.
const guardIdentity = "identity"

// likeness says how sure it is that a record is about the person of an account.
type likeness int

const (
	samePerson    likeness = iota
	renamedPerson          // one of the names is another: to be told, not to be held
	otherPerson            // to be held until somebody decides
)

// compareIdentity decides whether the record of an id still describes the
// person whose account was made for it.
//
//	birth date or number equal         both names differ: ask, otherwise the same
//	birth date or number differ        names alike and a school in common: the same, otherwise held
//	names alike (spelling, double      the same
//	names, given and family swapped)
//	one of two names differs           a school and, where there are any, a class in common: the same
//	                                   (marriage, another first name), otherwise held;
//	                                   held of somebody who had left
//	both names differ                  held
func compareIdentity(a *Account, r *Record, ms []Membership) likeness {
	given, family := alikeNames(a.GivenName, r.GivenName), alikeNames(a.FamilyName, r.FamilyName)
	alike := given && family || swappedNames(a, r)
	school, class := common(a.Memberships, ms)
	switch compareTraits(a.Traits, r.Traits) {
	case traitsEqual:
		if given || family || alike {
			return samePerson
		}
		return otherPerson
	case traitsDiffer:
		if alike && school {
			return samePerson
		}
		return otherPerson
	}
	switch {
	case alike:
		return samePerson
	case (given || family) && school && class && a.State == Active:
		return renamedPerson
	}
	return otherPerson
}

type traitsVerdict int

const (
	traitsUnknown traitsVerdict = iota
	traitsEqual
	traitsDiffer
)

// compareTraits lets a number decide before a birth date, since two people have
// never one number.
func compareTraits(a, b Traits) traitsVerdict {
	for _, t := range [][2]string{{a.Number, b.Number}, {a.Birth, b.Birth}} {
		switch {
		case t[0] == "" || t[1] == "":
		case t[0] == t[1]:
			return traitsEqual
		default:
			return traitsDiffer
		}
	}
	return traitsUnknown
}

// common reports whether two lists of memberships share a school, and at a
// shared school a class or that one of the two has no classes there.
func common(x, y []Membership) (school, class bool) {
	for i := range x {
		for j := range y {
			if x[i].School != y[j].School {
				continue
			}
			school = true
			if len(x[i].Classes) == 0 || len(y[j].Classes) == 0 ||
				slices.ContainsFunc(x[i].Classes, func(c string) bool { return slices.Contains(y[j].Classes, c) }) {
				return true, true
			}
		}
	}
	return school, false
}

// particles are parts of family names that say nothing by themselves.
var particles = []string{"von", "van", "vom", "zu", "zur", "zum", "de", "da", "di", "do", "dos", "das", "du", "del",
	"della", "den", "der", "la", "le", "les", "el", "al", "bin", "ben", "d", "o"}

// nameWords splits a name into its words as they count for a comparison.
func nameWords(name string) []string {
	words := strings.FieldsFunc(foldName(name), func(r rune) bool { return strings.ContainsRune(" -'’.", r) })
	out := words[:0]
	for _, w := range words {
		if f := foldASCII(w, ""); f != "" {
			w = f
		}
		if !slices.Contains(particles, w) {
			out = append(out, w)
		}
	}
	return out
}

// alikeNames reports whether two names may be one: the words of one are among
// those of the other (Anna, Anna Maria; Muster, Muster-Kübler), or they differ by
// one letter (Meier, Meyer).
func alikeNames(x, y string) bool {
	if x == y {
		return true
	}
	a, b := nameWords(x), nameWords(y)
	if len(a) == 0 || len(b) == 0 {
		return foldName(x) == foldName(y)
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	within := !slices.ContainsFunc(a, func(w string) bool { return !slices.Contains(b, w) })
	return within || oneLetterOff(strings.Join(a, ""), strings.Join(b, ""))
}

// swappedNames reports whether given and family name have changed places.
func swappedNames(a *Account, r *Record) bool {
	return alikeNames(a.GivenName, r.FamilyName) && alikeNames(a.FamilyName, r.GivenName)
}

// oneLetterOff reports whether two words of at least four letters differ by at
// most one letter that was added, dropped or replaced, or two that changed places.
func oneLetterOff(x, y string) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) < 4 || len(y)-len(x) > 1 {
		return x == y
	}
	i := 0
	for i < len(x) && x[i] == y[i] {
		i++
	}
	if len(x) < len(y) {
		return x[i:] == y[i+1:]
	}
	return i == len(x) || x[i+1:] == y[i+1:] ||
		i+1 < len(x) && x[i] == y[i+1] && x[i+1] == y[i] && x[i+2:] == y[i+2:]
}

// fullName is the key under which two people count as having one name, however
// it is spelled.
func fullName(given, family string) string {
	g := nameWords(given)
	if len(g) > 1 {
		g = g[:1]
	}
	return strings.Join(g, "") + " " + strings.Join(nameWords(family), "")
}

// sameID reports whether two record ids are one number, written in two ways by
// a spreadsheet: 100147, 00100147, 100147.0.
func sameID(x, y string) bool {
	number := func(s string) string {
		s = strings.TrimSuffix(strings.TrimSuffix(s, ".0"), ",0")
		s = strings.TrimLeft(s, "0")
		if strings.Trim(s, "0123456789") != "" {
			return ""
		}
		return s
	}
	n := number(x)
	return n != "" && n == number(y)
}

// described names a person for those who have to decide.
func described(given, family string, ms []Membership) string {
	return fmt.Sprintf("%s %s (%s)", cleanName(given), cleanName(family), schoolsOf(ms))
}

// someone is a person as the search for doubles sees them.
type someone struct {
	key           RecordKey
	role          Role
	traits        Traits
	schools       []Membership
	given, family string
	name          string // as described
}

func (b *builder) someoneOf(r *Record) someone {
	ms := b.current(r)
	return someone{r.Key, r.Role, r.Traits, ms, r.GivenName, r.FamilyName, described(r.GivenName, r.FamilyName, ms)}
}

func someoneWith(a *Account) someone {
	return someone{a.Key, a.Role, a.Traits, a.Memberships, a.GivenName, a.FamilyName,
		described(a.GivenName, a.FamilyName, a.Memberships)}
}

// mayBe reports whether two people of one name may be one who was gone and came
// with a new id. A pupil is never a teacher of the same name.
func (s *someone) mayBe(o *someone) bool {
	switch compareTraits(s.traits, o.traits) {
	case traitsEqual:
		return true
	case traitsDiffer:
		return false
	}
	school, _ := common(s.schools, o.schools)
	return (s.role == RolePupil) == (o.role == RolePupil) && (school || sameID(s.key.ID, o.key.ID))
}

// renamed reports whether somebody who was gone may have come with a new id and,
// at the same time, one new name: born on the same day, and the other name alike.
func (s *someone) renamed(o *someone) bool {
	return compareTraits(s.traits, o.traits) == traitsEqual && (s.role == RolePupil) == (o.role == RolePupil) &&
		(alikeNames(s.given, o.given) || alikeNames(s.family, o.family))
}

// doubles reports whether two people of one name who are both delivered may be one.
func (s *someone) doubles(o *someone) bool {
	switch compareTraits(s.traits, o.traits) {
	case traitsEqual:
		return true
	case traitsDiffer:
		return false
	}
	_, class := common(s.schools, o.schools)
	return s.role == o.role && class
}

// identify fills b.doubts: what is not to be done for a key because it is not
// certain who stands behind it.
func (b *builder) identify() {
	b.doubts = map[RecordKey]string{}
	distinct := map[[2]string]bool{}
	for _, d := range b.policy.Distinct {
		distinct[[2]string{d.A, d.B}], distinct[[2]string{d.B, d.A}] = true, true
	}
	same := map[string]bool{}
	for _, l := range b.policy.Links {
		if l.Old == l.New && b.now <= l.Until {
			same[l.Old] = true
		}
	}
	keys := make([]RecordKey, 0, len(b.records))
	for k := range b.records {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, RecordKey.Compare)

	// Whose names are new for their id, and which newcomers there are.
	var changed, newcomers []RecordKey
	for _, k := range keys {
		r, a := b.records[k], b.accounts[k]
		switch {
		case a == nil:
			if b.here(r) {
				newcomers = append(newcomers, k)
			}
		case a.Held || same[k.ID] || r.GivenName == a.GivenName && r.FamilyName == a.FamilyName && r.Traits == a.Traits:
		default:
			changed = append(changed, k)
		}
	}
	b.changedPeople(changed)
	b.doublePeople(newcomers, distinct)
}

// changedPeople finds ids that stand for somebody else than before.
func (b *builder) changedPeople(changed []RecordKey) {
	owners := map[string][]*Account{} // of the names that are new for their id
	for _, k := range changed {
		r := b.records[k]
		owners[fullName(r.GivenName, r.FamilyName)] = nil
	}
	if len(owners) == 0 {
		return
	}
	for _, a := range b.accounts {
		n := fullName(a.GivenName, a.FamilyName)
		if _, wanted := owners[n]; wanted {
			owners[n] = append(owners[n], a)
		}
	}
	for _, k := range changed {
		a, r := b.accounts[k], b.records[k]
		ms := b.current(r)
		verdict := compareIdentity(a, r, ms)
		var owner *Account // somebody else whose name it is
		if !alikeNames(a.GivenName, r.GivenName) || !alikeNames(a.FamilyName, r.FamilyName) {
			for _, o := range owners[fullName(r.GivenName, r.FamilyName)] {
				if o.Key != k && b.losesName(o, r, ms) && (owner == nil || o.Key.Compare(owner.Key) < 0) {
					owner = o
				}
			}
			if owner != nil && compareTraits(a.Traits, r.Traits) != traitsEqual {
				verdict = otherPerson
			}
		}
		was, is := described(a.GivenName, a.FamilyName, a.Memberships), described(r.GivenName, r.FamilyName, ms)
		switch {
		case verdict == otherPerson && owner != nil:
			b.doubts[k] = fmt.Sprintf("record %s stood for %s and is now sent for %s, whose account %s has another record",
				k.ID, was, is, owner.Username)
		case verdict == otherPerson:
			b.doubts[k] = fmt.Sprintf("record %s stood for %s and is now sent for %s", k.ID, was, is)
		case verdict == renamedPerson:
			b.find("renamed-person", "%s is now called %s %s: user name and address stay; a rename is made on request",
				a.Username, cleanName(r.GivenName), cleanName(r.FamilyName)).Key = k
		}
		if b.doubts[k] != "" {
			b.find("other-person", "%s: nothing is changed until a link with old and new %q says that it is the same person, "+
				"or the export is put right", b.doubts[k], k.ID).Key = k
			b.misplaced(k, owners[fullName(r.GivenName, r.FamilyName)])
		}
	}
}

// misplaced shields the people whose name is sent under the id of somebody else
// while their own id is missing: they are there, only not where they belong.
func (b *builder) misplaced(k RecordKey, owners []*Account) {
	r := b.records[k]
	for _, o := range owners {
		if next := b.records[o.Key]; o.Key != k && (next == nil || !b.here(next)) &&
			compareTraits(o.Traits, r.Traits) != traitsDiffer && b.doubts[o.Key] == "" {
			b.doubts[o.Key] = fmt.Sprintf("record %s is missing, and record %s is sent for somebody of this name", o.Key.ID, k.ID)
		}
	}
}

// losesName reports whether the name of a record may have been taken from the
// person of another account: somebody of the same school, or who is missing or
// called otherwise now.
func (b *builder) losesName(o *Account, r *Record, ms []Membership) bool {
	if compareTraits(o.Traits, r.Traits) == traitsDiffer {
		return false
	}
	school, _ := common(o.Memberships, ms)
	next := b.records[o.Key]
	return school || next == nil || !alikeNames(next.FamilyName, o.FamilyName) || !alikeNames(next.GivenName, o.GivenName)
}

// doublePeople finds newcomers who look like somebody who is gone, or who is
// delivered a second time.
func (b *builder) doublePeople(newcomers []RecordKey, distinct map[[2]string]bool) {
	byName, byBirth := map[string][]someone{}, map[string][]someone{}
	for _, k := range newcomers {
		r := b.records[k]
		n := fullName(r.GivenName, r.FamilyName)
		byName[n] = append(byName[n], b.someoneOf(r))
		if r.Traits.Birth != "" {
			byBirth[r.Traits.Birth] = append(byBirth[r.Traits.Birth], b.someoneOf(r))
		}
	}
	if len(byName) == 0 {
		return
	}
	keys := make([]RecordKey, 0, 16) // of accounts that some newcomer may be
	present := func(a *Account) *Record {
		if r := b.records[a.Key]; r != nil && b.here(r) {
			return r
		}
		return nil
	}
	for k, a := range b.accounts {
		r := present(a)
		if byName[fullName(a.GivenName, a.FamilyName)] != nil ||
			r != nil && byName[fullName(r.GivenName, r.FamilyName)] != nil ||
			r == nil && byBirth[a.Traits.Birth] != nil {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, RecordKey.Compare)
	for _, k := range keys {
		a := b.accounts[k]
		r := present(a)
		if r != nil { // as they will be, so that the next run sees the same
			for _, n := range byName[fullName(r.GivenName, r.FamilyName)] {
				if who := b.someoneOf(r); !distinct[[2]string{k.ID, n.key.ID}] && who.doubles(&n) {
					b.double(n, who, "account "+a.Username)
				}
			}
			if b.doubts[k] == "" {
				continue
			}
		}
		who := someoneWith(a)
		for _, n := range whoMayBe(&who, r != nil, byName, byBirth) {
			switch {
			case distinct[[2]string{k.ID, n.key.ID}]:
			case r != nil && who.doubles(&n):
				b.double(n, who, "account "+a.Username)
			case r == nil && who.mayBe(&n):
				why := fmt.Sprintf("record %s, %s, is new and looks like %s, account %s, whose record %s is missing: "+
					"probably the same person with a new id", n.key.ID, n.name, who.name, a.Username, k.ID)
				b.doubts[k], b.doubts[n.key] = cmp.Or(b.doubts[k], why), cmp.Or(b.doubts[n.key], why)
				b.find("new-id", "%s; a link with old %q and new %q joins them, a distinct with both says that they are two",
					why, k.ID, n.key.ID).Key = n.key
			}
		}
	}
	for _, k := range newcomers {
		r := b.records[k]
		same := byName[fullName(r.GivenName, r.FamilyName)]
		for i := range same {
			if same[i].key != k {
				continue
			}
			for _, first := range same[:i] {
				if !distinct[[2]string{first.key.ID, k.ID}] && same[i].doubles(&first) {
					b.double(same[i], first, "record "+first.key.ID)
					break
				}
			}
		}
	}
}

// whoMayBe lists the newcomers who may be somebody with an account: those of the
// name, and when the person is gone also those who were born on the same day.
func whoMayBe(who *someone, present bool, byName, byBirth map[string][]someone) []someone {
	same := byName[fullName(who.given, who.family)]
	if present || who.traits.Birth == "" {
		return same
	}
	same = slices.Clone(same)
	for _, n := range byBirth[who.traits.Birth] {
		if who.renamed(&n) && !slices.ContainsFunc(same, func(o someone) bool { return o.key == n.key }) {
			same = append(same, n)
		}
	}
	return same
}

// double holds somebody who seems to be delivered a second time.
func (b *builder) double(n, first someone, as string) {
	if b.doubts[n.key] != "" {
		return
	}
	b.doubts[n.key] = fmt.Sprintf("record %s, %s, looks like %s, who is delivered too: two records look like one person",
		n.key.ID, n.name, as)
	b.find("double-person", "%s; a distinct with %q and %q says that they are two",
		b.doubts[n.key], first.key.ID, n.key.ID).Key = n.key
}

// follow gives records with a new id the key of the account that a link names.
func (b *builder) follow() {
	links := map[string]Link{}
	for _, l := range b.policy.Links {
		if l.Old != l.New && (l.Until.IsZero() || b.now <= l.Until) {
			links[l.New] = l
		}
	}
	if len(links) == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(links)) {
		to := id
		for range links { // a link of a link
			if l, ok := links[to]; ok {
				to = l.Old
			}
		}
		from, old := RecordKey{b.policy.Source, id}, RecordKey{b.policy.Source, to}
		r := b.records[from]
		switch {
		case r == nil:
		case b.accounts[from] != nil:
			b.shielded[from], b.shielded[old] = "a link joins two accounts", "a link joins two accounts"
			delete(b.records, from)
			delete(b.records, old)
			b.find("link-conflict", "a link joins record %s with %s, but both have accounts: both are left alone",
				id, to).Key = from
		case b.records[old] != nil:
			b.shielded[from] = "a link joins two records that are both delivered"
			b.shielded[old] = b.shielded[from]
			delete(b.records, from)
			delete(b.records, old)
			b.find("link-conflict", "a link joins record %s with %s, but both are delivered: both are left alone",
				id, to).Key = from
		default:
			moved := *r
			moved.Key = old
			delete(b.records, from)
			b.records[old] = &moved
			if why := b.shielded[from]; why != "" {
				b.shielded[old] = why
			}
		}
	}
}
