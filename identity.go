package schoolmail

import (
	"cmp"
	"fmt"
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

// Distinct says that two record ids that look like one person stand for two. B may be
// the user name of an account without a record id.
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

// guardSpelling is the guard under which newcomers wait whose names cannot be
// spelled in the letters of a user name. No override lifts it: a [Spelling] does.
const guardSpelling = "spelling"

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

// contradicts reports whether something that is known is otherwise in another.
func (t Traits) contradicts(o Traits) bool {
	return t.Birth != "" && t.Birth != o.Birth || t.Number != "" && t.Number != o.Number
}

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
	var buf [128]byte
	if b, simple := appendFullName(buf[:0], given, family); simple {
		return string(b)
	}
	return joinedWords(given, family)
}

// joinedWords is fullName for names of any letters.
func joinedWords(given, family string) string {
	g := nameWords(given)
	if len(g) > 1 {
		g = g[:1]
	}
	return strings.Join(g, "") + " " + strings.Join(nameWords(family), "")
}

// appendFullName appends what fullName returns for names of Latin letters; of others
// it reports false, and b has a part of it.
func appendFullName(b []byte, given, family string) ([]byte, bool) {
	b, simple := appendWords(b, given, true)
	if !simple {
		return b, false
	}
	return appendWords(append(b, ' '), family, false)
}

// appendWords appends the words of a name of Latin letters as nameWords spells
// them, without what is between them, or only the first of them.
func appendWords(b []byte, name string, first bool) ([]byte, bool) {
	for len(name) > 0 {
		n := 0
		for n < len(name) && !isBetween(name[n]) {
			n++
		}
		word := name[:n]
		name = name[min(n+1, len(name)):]
		if word == "" {
			continue
		}
		from, simple := len(b), false
		if b, simple = appendLetters(b, word); !simple {
			return b, false
		}
		switch {
		case len(b)-from <= 5 && slices.Contains(particles, string(b[from:])):
			b = b[:from]
		case first:
			// Whether the rest is simple makes no difference.
			return b, true
		}
	}
	return b, true
}

// isBetween reports whether an ASCII letter parts words of a name.
func isBetween(c byte) bool { return c == ' ' || c == '-' || c == '\'' || c == '.' }

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

func (in *given) someoneOf(r *Record) someone {
	ms := in.current(r)
	return someone{r.Key, r.Role, r.Traits, ms, r.GivenName, r.FamilyName, described(r.GivenName, r.FamilyName, ms)}
}

func someoneWith(a *Account) someone {
	return someone{a.Key, a.Role, a.Traits, a.Memberships, a.GivenName, a.FamilyName,
		described(a.GivenName, a.FamilyName, a.Memberships)}
}

// mayBe reports whether two people of one name may be one who was gone and came
// with a new id, at another school only if anywhere is given. A pupil is never a
// teacher of the same name.
func (s *someone) mayBe(o *someone, anywhere bool) bool {
	switch compareTraits(s.traits, o.traits) {
	case traitsEqual:
		return true
	case traitsDiffer:
		return false
	}
	school, _ := common(s.schools, o.schools)
	return (s.role == RolePupil) == (o.role == RolePupil) && (school || anywhere || sameID(s.key.ID, o.key.ID))
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

// identify fills f.doubts: what is not to be done for a key because it is not
// certain who stands behind it.
func (f *facts) identify() {
	distinct := map[[2]string]bool{}
	for _, d := range f.policy.Distinct {
		distinct[[2]string{d.A, d.B}], distinct[[2]string{d.B, d.A}] = true, true
	}
	same := map[string]bool{}
	for _, l := range f.policy.Links {
		if l.Old == l.New && f.now <= l.Until {
			same[l.Old] = true
		}
	}
	// Whose names are new for their id, and which newcomers there are.
	var changed, newcomers []*individual
	for i := range f.people {
		p := &f.people[i]
		r, a := p.record, p.account
		switch {
		case r == nil || p.settled >= 0:
		case a == nil:
			if f.here(r) {
				newcomers = append(newcomers, p)
			}
		case r.GivenName == a.GivenName && r.FamilyName == a.FamilyName && wantedTraits(a, r) == a.Traits:
		case a.Held || same[a.Key.ID]:
		default:
			changed = append(changed, p)
		}
	}
	byKey := func(x, y *individual) int { return x.key().Compare(y.key()) }
	slices.SortFunc(changed, byKey)
	slices.SortFunc(newcomers, byKey)
	f.changedPeople(changed)
	if len(newcomers) > 0 {
		n := f.newcomers(newcomers)
		f.doublePeople(n, distinct)
		f.livingAccounts(n, distinct)
	}
}

// changedPeople finds ids that stand for somebody else than before.
func (f *facts) changedPeople(changed []*individual) {
	if len(changed) == 0 {
		return
	}
	owners := make(map[uint64][]*individual, len(changed)) // of the names that are new for their id
	for _, p := range changed {
		owners[hashPerson(p.record.GivenName, p.record.FamilyName)] = nil
	}
	for i := range f.people {
		p := &f.people[i]
		if p.account == nil {
			continue
		}
		n := hashPerson(p.account.GivenName, p.account.FamilyName)
		if _, wanted := owners[n]; wanted {
			owners[n] = append(owners[n], p)
		}
	}
	for _, p := range changed {
		a, r := p.account, p.record
		ms := f.current(r)
		verdict := compareIdentity(a, r, ms)
		owner := f.owner(p, ms, owners[hashPerson(r.GivenName, r.FamilyName)])
		if owner != nil && compareTraits(a.Traits, r.Traits) != traitsEqual {
			verdict = otherPerson
		}
		k, why := a.Key, ""
		was, is := described(a.GivenName, a.FamilyName, a.Memberships), described(r.GivenName, r.FamilyName, ms)
		switch {
		case verdict == otherPerson && owner != nil:
			why = fmt.Sprintf("record %s stood for %s and is now sent for %s, whose account %s has another record",
				k.ID, was, is, owner.Username)
		case verdict == otherPerson:
			why = fmt.Sprintf("record %s stood for %s and is now sent for %s", k.ID, was, is)
		case verdict == renamedPerson:
			f.find("renamed-person", "%s is now called %s %s: user name and address stay; a rename is made on request",
				a.Username, cleanName(r.GivenName), cleanName(r.FamilyName)).Key = k
		}
		if why != "" {
			f.doubts[k] = why
			f.find("other-person", "%s: nothing is changed until a link with old and new %q says that it is the same person, "+
				"or the export is put right", why, k.ID).Key = k
			f.misplaced(p, owners[hashPerson(r.GivenName, r.FamilyName)])
		}
	}
}

// misplaced shields the people whose name is sent under the id of somebody else
// while their own id is missing: they are there, only not where they belong.
func (f *facts) misplaced(p *individual, owners []*individual) {
	r := p.record
	name := fullName(r.GivenName, r.FamilyName)
	for _, o := range owners {
		a := o.account
		if o != p && f.hereAs(o) == nil && fullName(a.GivenName, a.FamilyName) == name &&
			compareTraits(a.Traits, r.Traits) != traitsDiffer && f.doubts[a.Key] == "" {
			f.doubts[a.Key] = fmt.Sprintf("record %s is missing, and record %s is sent for somebody of this name", a.Key.ID,
				r.Key.ID)
		}
	}
}

// owner returns the account of somebody else whose name a record has now, or nil.
func (f *facts) owner(p *individual, ms []Membership, those []*individual) *Account {
	r := p.record
	if alikeNames(p.account.GivenName, r.GivenName) && alikeNames(p.account.FamilyName, r.FamilyName) {
		return nil
	}
	name := fullName(r.GivenName, r.FamilyName)
	var owner *Account
	for _, o := range those {
		a := o.account
		if o != p && fullName(a.GivenName, a.FamilyName) == name && losesName(o, r, ms) &&
			(owner == nil || a.Key.Compare(owner.Key) < 0) {
			owner = a
		}
	}
	return owner
}

// losesName reports whether the name of a record may have been taken from another
// person: somebody of the same school, or who is missing or called otherwise now.
func losesName(o *individual, r *Record, ms []Membership) bool {
	a := o.account
	if compareTraits(a.Traits, r.Traits) == traitsDiffer {
		return false
	}
	school, _ := common(a.Memberships, ms)
	next := o.record
	return school || next == nil || !alikeNames(next.FamilyName, a.FamilyName) || !alikeNames(next.GivenName, a.GivenName)
}

// hashPerson hashes what fullName returns.
func hashPerson(given, family string) uint64 {
	var buf [128]byte
	b, simple := appendFullName(buf[:0], given, family)
	if !simple {
		return hashOf(fullName(given, family))
	}
	return hashOf(string(b))
}

// doublePeople finds newcomers who look like somebody who is gone, or who is
// delivered a second time.
func (f *facts) doublePeople(n *newcomers, distinct map[[2]string]bool) {
	var like []*individual // people with an account whom some newcomer may be
	for i := range f.people {
		if p := &f.people[i]; p.account != nil && n.like(f, p) {
			like = append(like, p)
		}
	}
	n.anywhere = f.foundAgain(n)
	slices.SortFunc(like, func(x, y *individual) int { return x.key().Compare(y.key()) })
	for _, p := range like {
		f.doubleOf(p, n, distinct)
	}
	for i := range n.people {
		if first := n.named(n.names[i]); first < int32(i) {
			f.doubleNewcomer(n, first, int32(i), distinct)
		}
	}
}

// newcomers are those who come, by what they may have in common with others.
type newcomers struct {
	people  []*individual
	names   []uint64     // hashes of their names
	byName  table[int32] // the number of the first of a name
	next    []int32      // of each, the next one of the same name; none: -1
	byBirth map[string][]int32
	// anywhere says that most of those who are missing are found again by their
	// names: that is no chance, but new ids, whatever school they are at.
	anywhere bool
}

func (f *facts) newcomers(people []*individual) *newcomers {
	n := &newcomers{people: people, names: make([]uint64, len(people)), byName: newTable[int32](len(people)),
		next: make([]int32, len(people)), byBirth: map[string][]int32{}}
	for i, p := range people {
		if b := p.record.Traits.Birth; b != "" {
			n.byBirth[b] = append(n.byBirth[b], int32(i))
		}
		n.names[i] = hashPerson(p.record.GivenName, p.record.FamilyName)
	}
	for i := len(people) - 1; i >= 0; i-- {
		n.next[i] = -1
		first, known := n.byName.entry(n.names[i])
		if known {
			n.next[i] = *first
		}
		*first = int32(i)
	}
	return n
}

// named returns the number of the first newcomer whose name has a hash, or -1.
func (n *newcomers) named(hash uint64) int32 {
	if first, known := n.byName.get(hash); known {
		return first
	}
	return -1
}

// anyNamed reports whether there is a newcomer of a name.
func (n *newcomers) anyNamed(given, family string) bool {
	return n.named(hashPerson(given, family)) >= 0
}

// like reports whether some newcomer may be a person with an account.
func (n *newcomers) like(f *facts, p *individual) bool {
	a := p.account
	if n.anyNamed(a.GivenName, a.FamilyName) {
		return true
	}
	r := f.hereAs(p)
	if r == nil {
		return a.Traits.Birth != "" && n.byBirth[a.Traits.Birth] != nil
	}
	return (r.GivenName != a.GivenName || r.FamilyName != a.FamilyName) &&
		n.anyNamed(r.GivenName, r.FamilyName)
}

// foundAgain reports whether at least half of the active people who are missing have
// the name of a newcomer.
func (f *facts) foundAgain(n *newcomers) bool {
	missing, found := 0, 0
	for i := range f.people {
		p := &f.people[i]
		a := p.account
		if a == nil || a.State != Active || f.hereAs(p) != nil {
			continue
		}
		missing++
		if n.anyNamed(a.GivenName, a.FamilyName) {
			found++
		}
	}
	return found > 0 && 2*found >= missing
}

// called lists the newcomers of a name.
func (n *newcomers) called(f *facts, given, family string) []someone {
	var out []someone
	name := fullName(given, family)
	for i := n.named(hashPerson(given, family)); i >= 0; i = n.next[i] {
		if r := n.people[i].record; fullName(r.GivenName, r.FamilyName) == name {
			out = append(out, f.someoneOf(r))
		}
	}
	return out
}

// doubleOf finds newcomers who look like somebody with an account.
func (f *facts) doubleOf(p *individual, n *newcomers, distinct map[[2]string]bool) {
	a, r := p.account, f.hereAs(p)
	two := func(o *someone) bool { return distinct[[2]string{a.Key.ID, o.key.ID}] }
	if r != nil { // as they will be, so that the next run sees the same
		who := f.someoneOf(r)
		for _, o := range n.called(f, r.GivenName, r.FamilyName) {
			if !two(&o) && who.doubles(&o) {
				f.double(&o, &who, "account "+a.Username)
			}
		}
		if f.doubts[a.Key] == "" {
			return
		}
	}
	who := someoneWith(a)
	if r == nil && a.Traits.Birth != "" { // with a new id and one new name
		for _, i := range n.byBirth[a.Traits.Birth] {
			o := f.someoneOf(n.people[i].record)
			if who.renamed(&o) && fullName(o.given, o.family) != fullName(a.GivenName, a.FamilyName) && !two(&o) {
				f.rekeyed(a, &o, &who)
			}
		}
	}
	for _, o := range n.called(f, a.GivenName, a.FamilyName) {
		switch {
		case two(&o):
		case r != nil && who.doubles(&o):
			f.double(&o, &who, "account "+a.Username)
		case r == nil && who.mayBe(&o, n.anywhere && a.State == Active):
			f.rekeyed(a, &o, &who)
		}
	}
}

// hereAs returns the record of somebody who is at a school, or nil.
func (f *facts) hereAs(p *individual) *Record {
	if p.record != nil && f.here(p.record) {
		return p.record
	}
	return nil
}

// rekeyed holds somebody who is missing and a newcomer who seem to be one person.
func (f *facts) rekeyed(a *Account, n, who *someone) {
	why := fmt.Sprintf("record %s, %s, is new and looks like %s, account %s, whose record %s is missing: "+
		"probably the same person with a new id", n.key.ID, n.name, who.name, a.Username, a.Key.ID)
	f.doubts[a.Key], f.doubts[n.key] = cmp.Or(f.doubts[a.Key], why), cmp.Or(f.doubts[n.key], why)
	f.find("new-id", "%s; a link with old %q and new %q joins them, a distinct with both says that they are two",
		why, a.Key.ID, n.key.ID).Key = n.key
}

// doubleNewcomer compares a newcomer with those of the same name before.
func (f *facts) doubleNewcomer(all *newcomers, first, i int32, distinct map[[2]string]bool) {
	r := all.people[i].record
	n := f.someoneOf(r)
	for j := first; j < i; j = all.next[j] {
		o := all.people[j].record
		if fullName(o.GivenName, o.FamilyName) != fullName(r.GivenName, r.FamilyName) ||
			distinct[[2]string{o.Key.ID, r.Key.ID}] {
			continue
		}
		if first := f.someoneOf(o); n.doubles(&first) {
			f.double(&n, &first, "record "+first.key.ID)
			return
		}
	}
}

// double holds somebody who seems to be delivered a second time.
func (f *facts) double(n, first *someone, as string) {
	if f.doubts[n.key] != "" {
		return
	}
	f.doubts[n.key] = fmt.Sprintf("record %s, %s, looks like %s, who is delivered too: two records look like one person",
		n.key.ID, n.name, as)
	f.find("double-person", "%s; a distinct with %q and %q says that they are two",
		f.doubts[n.key], first.key.ID, n.key.ID).Key = n.key
}

// join gives the record of one key to the person of another. Those that it is about
// are looked up before, since whoever has given their record away has no key left.
func (f *facts) join(from, old RecordKey, who map[RecordKey]*individual) {
	source, target := who[from], who[old]
	if source == nil || source.record == nil {
		return
	}
	conflict := func(why, what string) {
		f.shielded[from] = "a link joins " + why
		f.shielded[old] = f.shielded[from]
		f.give(source, nil)
		source.sent = true
		if target != nil {
			f.give(target, nil)
			target.sent = true
		}
		f.find("link-conflict", "a link joins record %s with %s, but both %s: both are left alone", from.ID, old.ID,
			what).Key = from
	}
	switch {
	case source.account != nil:
		conflict("two accounts", "have accounts")
	case target != nil && target.record != nil:
		conflict("two records that are both delivered", "are delivered")
	default:
		moved := *source.record
		moved.Key = old
		if why := f.shielded[from]; why != "" {
			f.shielded[old] = why
		}
		if target == nil {
			f.give(source, &moved) // nobody had the old id: a newcomer under it
			who[old] = source
			return
		}
		f.give(source, nil)
		f.give(target, &moved)
		target.sent = true
	}
}
