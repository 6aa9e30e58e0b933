package years

import (
	"slices"

	"github.com/ictmedia/schoolmail"
)

// lie is what an export says wrongly about who somebody is, for some days.
type lie struct {
	name  string
	until int               // day of the life
	ids   map[string]string // truth -> id in the export
	twice string            // who is sent a second time, under the id of ids
	gone  string            // who is not sent, because their id stands for somebody who does not exist
}

// export makes the day's export, and reports whether it is spoilt.
func (l *Life) export() (schoolmail.Delivery, bool) {
	rs := l.records()
	l.truth.export = "whole"
	l.truth.behind, l.truth.there = map[schoolmail.RecordKey]string{}, map[string]bool{}
	for i := range rs {
		l.truth.there[rs[i].Key.ID] = true
	}
	l.lies = slices.DeleteFunc(l.lies, func(x lie) bool { return x.until < l.Days })
	// Who has a new id and is otherwise not as they were either, nobody can know.
	if len(l.lies) < 3 && l.chance(50) && len(l.strange) == 0 && l.Days > l.calm {
		l.lie(rs)
	}
	lied := len(l.lies) > 0
	for _, x := range l.lies {
		l.truth.export += ", " + x.name
	}
	rs = l.told(rs)
	filled := len(l.strange) == 0 && l.fillDown(rs)
	d := schoolmail.Delivery{Source: source, Kind: schoolmail.DeliveryFull, Rows: len(rs)}
	spoilt := l.spoil(&rs, &d)
	slices.SortFunc(rs, func(a, b schoolmail.Record) int { return a.Key.Compare(b.Key) })
	l.truth.delivered = map[string]bool{}
	for i := range rs {
		l.truth.delivered[l.truth.behind[rs[i].Key]] = true
	}
	for name := range l.World.told {
		if l.truth.delivered[l.World.owner[name]] {
			delete(l.World.told, name) // what they were told holds no more
		}
	}
	d.Records = rs
	d.Fingerprint = fingerprint(rs)
	return d, spoilt || lied || filled
}

// told applies the lies.
func (l *Life) told(rs []schoolmail.Record) []schoolmail.Record {
	taken := map[string]bool{}
	var out []schoolmail.Record
	add := func(r schoolmail.Record, id, who string) {
		if taken[id] {
			return
		}
		taken[id] = true
		r.Key.ID = id
		l.truth.behind[r.Key] = who
		out = append(out, r)
	}
	var plain []schoolmail.Record
next:
	for _, r := range rs {
		who := r.Key.ID
		for _, x := range l.lies {
			id, ok := x.ids[who]
			switch {
			case x.gone == who:
				r.GivenName, r.FamilyName, r.Traits = "Xaver", "Nievonhier", schoolmail.Traits{}
				add(r, who, "nobody "+who)
				continue next
			case ok && x.twice == who:
				add(r, id, who)
			case ok:
				if !l.births && x.name == "re-keyed" && l.renamed(&r) {
					l.truth.there[who] = false // a new id and a new name: nobody can tell
				}
				add(r, id, who)
				continue next
			}
		}
		plain = append(plain, r)
	}
	for _, r := range plain { // an id that is given to somebody else is not sent twice
		add(r, r.Key.ID, r.Key.ID)
	}
	return out
}

// renamed reports whether somebody has another name than in the directory.
func (l *Life) renamed(r *schoolmail.Record) bool {
	for _, a := range l.World.accounts {
		if a.Key == r.Key {
			return a.GivenName != r.GivenName || a.FamilyName != r.FamilyName
		}
	}
	return false
}

// lie begins a new one, about people who have accounts.
func (l *Life) lie(rs []schoolmail.Record) {
	known := map[string]schoolmail.Account{}
	for _, a := range l.World.accounts {
		if l.World.owner[a.Username] == a.Key.ID {
			known[a.Key.ID] = a
		}
	}
	busy := map[string]bool{}
	for _, x := range l.lies {
		busy[x.gone] = true
		for who, id := range x.ids {
			busy[who], busy[id] = true, true
		}
	}
	var here, fresh []schoolmail.Record
	for _, r := range rs {
		if a, ok := known[r.Key.ID]; ok && !busy[r.Key.ID] && a.State == schoolmail.Active {
			here = append(here, r)
		} else if !ok && !busy[r.Key.ID] {
			fresh = append(fresh, r)
		}
	}
	if len(here) < 10 {
		return
	}
	x := lie{until: l.Days + l.rng.IntN(12), ids: map[string]string{}}
	if l.exchange(&x, here) || l.replace(&x, here) || l.reissue(&x, fresh, known, busy) {
		l.Lies[x.name]++
		l.lies = append(l.lies, x)
	}
}

// exchange gives people of one class, or any two, the ids of one another.
func (l *Life) exchange(x *lie, here []schoolmail.Record) bool {
	a := pick(l.rng, here)
	who := []schoolmail.Record{a, pick(l.rng, here)}
	switch l.rng.IntN(6) {
	case 0:
		x.name = "swapped"
	case 1:
		x.name = "rotated"
		who = slices.DeleteFunc(slices.Clone(here), func(r schoolmail.Record) bool { return !sameClass(a, r) })
		if len(who) < 3 {
			return false
		}
	default:
		return false
	}
	for i := range who {
		for j := range who[:i] {
			if namesakes(who[i], who[j]) {
				return false
			}
		}
	}
	for i := range who {
		x.ids[who[i].Key.ID] = who[(i+1)%len(who)].Key.ID
	}
	return true
}

// replace gives somebody a new id, sends them twice, or sends somebody who does
// not exist under their id.
func (l *Life) replace(x *lie, here []schoolmail.Record) bool {
	id := pick(l.rng, here).Key.ID
	switch l.rng.IntN(4) {
	case 0:
		x.name = "re-keyed"
		x.ids[id] = "9" + id
	case 1:
		x.name, x.twice = "doubled", id
		x.ids[id] = "8" + id
	case 2:
		x.name, x.gone = "re-issued to nobody", id
	default:
		return false
	}
	return true
}

// reissue gives somebody new the id of somebody who is gone.
func (l *Life) reissue(x *lie, fresh []schoolmail.Record, known map[string]schoolmail.Account,
	busy map[string]bool) bool {
	var gone []schoolmail.Account
	for _, id := range sortedKeys(known) {
		if o := known[id]; !l.truth.there[id] && !busy[id] && !o.Held {
			gone = append(gone, o)
		}
	}
	if len(gone) == 0 || len(fresh) == 0 {
		return false
	}
	f, o := pick(l.rng, fresh), pick(l.rng, gone)
	x.name = "re-issued"
	x.ids[f.Key.ID] = o.Key.ID
	return f.GivenName != o.GivenName || f.FamilyName != o.FamilyName
}

func sortedKeys[V any](m map[string]V) []string {
	ks := make([]string, 0, len(m))
	for k := range m {
		ks = append(ks, k)
	}
	slices.Sort(ks)
	return ks
}

// namesakes reports whether nobody can tell two people apart by name.
func namesakes(a, b schoolmail.Record) bool {
	return a.GivenName == b.GivenName && a.FamilyName == b.FamilyName
}

func atSchool(ms []schoolmail.Membership, s schoolmail.SchoolID) bool {
	return slices.ContainsFunc(ms, func(m schoolmail.Membership) bool { return m.School == s })
}

func sameClass(a, b schoolmail.Record) bool {
	x, y := a.Memberships[0], b.Memberships[0]
	return a.Role == b.Role && x.School == y.School && len(x.Classes) > 0 && slices.Equal(x.Classes, y.Classes)
}

// spoil loses people of the export in a way that says so.
func (l *Life) spoil(rs *[]schoolmail.Record, d *schoolmail.Delivery) bool {
	if !l.chance(250) || len(*rs) == 0 {
		return false
	}
	lose := func(f func(*schoolmail.Record) bool) {
		*rs = slices.DeleteFunc(*rs, func(r schoolmail.Record) bool { return f(&r) })
	}
	victim := pick(l.rng, *rs)
	school := victim.Memberships[0].School
	reject := schoolmail.Rejection{Position: schoolmail.Position{File: "export.csv", Line: 7}, Reason: "unreadable"}
	known := map[string]bool{} // who has an account at the school
	for _, a := range l.World.accounts {
		known[l.World.owner[a.Username]] = atSchool(a.Memberships, school)
	}
	at := func(r *schoolmail.Record) bool {
		return slices.ContainsFunc(r.Memberships, func(m schoolmail.Membership) bool { return m.School == school })
	}
	way := l.rng.IntN(7)
	l.truth.export += ", " + []string{"an unreadable row", "a school's unreadable row",
		"an unreadable row without school", "a cut file", "a school missing", "half a school missing", "a delta"}[way]
	switch way {
	case 0:
		lose(func(r *schoolmail.Record) bool { return r.Key == victim.Key })
		reject.Key = victim.Key
		if who := l.truth.behind[victim.Key]; who != victim.Key.ID {
			l.truth.there[who] = false // an unreadable row about an id that nobody knows
		}
		d.Rejected = append(d.Rejected, reject)
	case 1: // what could be read of the school's people is enough to know who they are
		n := 3
		lose(func(r *schoolmail.Record) bool { n--; return n > 0 && at(r) })
		reject.School = school
		l.shielded(known)
		d.Rejected = append(d.Rejected, reject)
	case 2:
		lose(func(*schoolmail.Record) bool { return l.chance(20) })
		d.Rejected = append(d.Rejected, reject)
	case 3:
		n := l.rng.IntN(len(*rs))
		lose(func(*schoolmail.Record) bool { n--; return n < 0 })
		d.Incomplete = "the file ends in the middle of a row"
	case 4: // a school sends nobody
		lose(at)
		l.shielded(known)
	case 5: // a school sends a part
		n := 0
		lose(func(r *schoolmail.Record) bool { n++; return at(r) && n%3 > 0 })
		if !l.part(school, *rs) {
			known = nil // too many to be told from people who left
		}
		l.shielded(known)
	case 6:
		d.Kind = schoolmail.DeliveryDelta
		lose(func(*schoolmail.Record) bool { return l.chance(900) })
	}
	return true
}

// shielded says that only those can be known to be there who are delivered or known
// at the school that sends too little: who moved there since has left the old
// school for all that anybody can see.
func (l *Life) shielded(known map[string]bool) {
	for who := range l.truth.there {
		l.truth.there[who] = known[who]
	}
}

// part reports whether so few people of a school are left in the export that it
// must count as not delivered.
func (l *Life) part(school schoolmail.SchoolID, rs []schoolmail.Record) bool {
	sent := map[schoolmail.RecordKey]bool{}
	n := 0
	for i := range rs {
		sent[rs[i].Key] = true
		if atSchool(rs[i].Memberships, school) {
			n++
		}
	}
	missing := 0
	for _, a := range l.World.accounts {
		if !sent[a.Key] && (a.State == schoolmail.Active || a.State == schoolmail.Leaving) &&
			atSchool(a.Memberships, school) {
			missing++
		}
	}
	return missing >= 4 && n*100 < (n+missing)*50
}
