package schoolmail

import (
	"fmt"
	"maps"
	"slices"
)

// Rekeying is a list by which the school administration has given people new record
// ids on purpose. Each pair counts as a [Link] as soon as the account of the old id and
// the record of the new one agree: both names alike, or the birth date or number equal
// and one of the names; neither differs, and a pupil is no teacher. Those that do not
// agree are held and told. A [Link] for the same new id takes the place of a pair.
type Rekeying struct {
	SHA256 string `json:"sha256"` // of the file, hex: plans and reports tell it
	By     string `json:"by"`
	Reason string `json:"reason"`
	Pairs  []Pair `json:"pairs"`
}

// Pair are two ids of one person.
type Pair struct {
	Old string `json:"old"` // record id of the account
	New string `json:"new"` // record id that is delivered now
}

// Joins are the links of a policy, and the pairs of its lists that no link decides.
func (p *Policy) Joins() []Link {
	list := slices.Clone(p.Links)
	decided := map[string]bool{}
	for _, l := range p.Links {
		decided[l.New] = decided[l.New] || l.Old != l.New
	}
	for _, k := range p.Rekeyings {
		for _, x := range k.Pairs {
			if x.Old != x.New && !decided[x.New] {
				list = append(list, Link{Old: x.Old, New: x.New, By: k.By, Reason: k.Reason})
			}
		}
	}
	return list
}

// checkRekeyings checks lists of pairs: each new id leads to one old one.
func (p *Policy) checkRekeyings(bad func(string, ...any)) {
	from := map[string]string{}
	for i, k := range p.Rekeyings {
		what := fmt.Sprintf("rekeying number %d", i+1)
		if k.SHA256 == "" || k.By == "" || k.Reason == "" {
			bad("%s: sha256, by and reason must be given", what)
		}
		for j, x := range k.Pairs {
			old, dup := from[x.New]
			switch {
			case x.Old == "" || x.New == "":
				bad("%s: pair number %d: old and new must be given", what, j+1)
			case dup && old != x.Old:
				bad("%s: pair number %d: the new id is in another pair already", what, j+1)
			}
			from[x.New] = x.Old
		}
	}
}

// checkCircles holds that no chain of links and pairs comes back to where it began.
func (p *Policy) checkCircles(bad func(string, ...any)) {
	joins := p.Joins()
	from := make(map[string]string, len(joins))
	for _, l := range joins {
		if l.Old != l.New {
			from[l.New] = l.Old
		}
	}
	for i, l := range joins {
		id, steps := l.New, 0
		for from[id] != "" && steps <= len(from) {
			id, steps = from[id], steps+1
		}
		if steps <= len(from) {
			continue
		}
		if i < len(p.Links) {
			bad("link number %d: the links lead in a circle", i+1)
			continue
		}
		bad("rekeying: the pair of the new id %q is part of a circle", l.New)
		return
	}
}

// follow gives records with a new id the key of the account that a link or an agreeing
// pair names.
func (f *facts) follow() {
	from := map[string]string{} // new -> old
	for _, l := range f.policy.Joins() {
		if l.Old != l.New && (l.Until.IsZero() || f.now <= l.Until) {
			from[l.New] = l.Old
		}
	}
	if len(from) == 0 {
		return
	}
	root := func(id string) RecordKey {
		for range from { // a link of a link
			if old, ok := from[id]; ok {
				id = old
			}
		}
		return RecordKey{f.policy.Source, id}
	}
	listed := f.checkPairs(root)
	who := map[RecordKey]*individual{}
	for id := range from {
		for _, k := range []RecordKey{{f.policy.Source, id}, root(id)} {
			if p := f.personOf(k); p != nil {
				who[k] = p
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(from)) {
		if agrees, pair := listed[id]; agrees || !pair {
			f.join(RecordKey{f.policy.Source, id}, root(id), who)
		}
	}
	f.people = slices.DeleteFunc(f.people, individual.nobody)
	slices.SortStableFunc(f.people, func(x, y individual) int { return compareFold(x.key().ID, y.key().ID) })
}

// checkPairs says for each new id in a list of pairs whether it is to be joined, and
// holds those of whom old and new do not agree.
func (f *facts) checkPairs(root func(id string) RecordKey) map[string]bool {
	listed := map[string]bool{}
	decided := map[string]bool{}
	for _, l := range f.policy.Links {
		decided[l.New] = true
	}
	for _, k := range f.policy.Rekeyings {
		joined, refused, absent := 0, 0, 0
		for _, x := range k.Pairs {
			if x.Old == x.New || decided[x.New] {
				continue
			}
			key, old := RecordKey{f.policy.Source, x.New}, root(x.New)
			source, target := f.personOf(key), f.personOf(old)
			listed[x.New] = false
			switch {
			case source == nil || source.record == nil || target == nil || target.account == nil:
				absent++
			case agreesWith(target.account, source.record):
				listed[x.New] = true
				joined++
			default:
				refused++
				f.doubtPair(target.account, key)
			}
		}
		f.find("pairs", "list of new ids with SHA-256 %s, by %s: %d pairs joined, %d refused, %d without an account or a "+
			"record", k.SHA256, k.By, joined, refused, absent)
	}
	return listed
}

// doubtPair holds both sides of a pair that does not agree.
func (f *facts) doubtPair(a *Account, key RecordKey) {
	why := fmt.Sprintf("a list of new ids joins record %s with %s, but names or birth date do not agree", key.ID, a.Key.ID)
	f.doubts[a.Key], f.doubts[key] = why, why
	f.find("pair-refused", "%s: both are left alone until a link with old %q and new %q says that it is the same person, "+
		"or the list is put right", why, a.Key.ID, key.ID).Key = key
}

// agreesWith reports whether nothing speaks against a record being about the person of
// an account, and its names for it.
func agreesWith(a *Account, r *Record) bool {
	if (a.Role == RolePupil) != (r.Role == RolePupil) {
		return false
	}
	given, family := alikeNames(a.GivenName, r.GivenName), alikeNames(a.FamilyName, r.FamilyName)
	switch compareTraits(a.Traits, r.Traits) {
	case traitsDiffer:
		return false
	case traitsEqual:
		return given || family || swappedNames(a, r)
	}
	return given && family || swappedNames(a, r)
}
