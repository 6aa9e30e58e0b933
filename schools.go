package schoolmail

import (
	"fmt"
	"slices"
	"strings"
)

// School is what the policy knows of a school. Schools that merge, close or are
// renamed are declared, not guessed.
type School struct {
	ID SchoolID `json:"id"`
	// Formerly are codes whose people the school takes over: that all of them
	// leave one code for the other is no broken limit.
	Formerly []SchoolID `json:"formerly,omitempty"`
	// Closed is the day from which it is no surprise that the school delivers
	// nobody and its people leave.
	Closed Date `json:"closed,omitzero"`
}

// guardNewSchools is the guard under which people wait whose school nobody knows.
const guardNewSchools = "new-schools"

// declared says why the policy expects that a guard's limit is broken at a
// school, or "".
func (in *given) declared(guard string, s SchoolID) string {
	for i := range in.policy.Schools {
		x := &in.policy.Schools[i]
		switch {
		case x.ID == s && !x.Closed.IsZero() && in.now >= x.Closed &&
			slices.Contains([]string{"leavers", "deactivations", "collapse", "memberships"}, guard):
			return fmt.Sprintf("the policy: closed since %s", x.Closed)
		case slices.Contains(x.Formerly, s) && slices.Contains([]string{"schools", "memberships", "classes", "collapse",
			"transfers", "access"}, guard):
			return fmt.Sprintf("the policy: now %s", x.ID)
		}
	}
	return ""
}

// spell gives schools one code whatever its case: that of the accounts.
func (f *facts) spell() {
	folded := f.knownSchools()
	if f.managed == 0 { // the first run: all schools are new
		return
	}
	count := map[SchoolID]int{}
	for i := range f.people {
		if p := &f.people[i]; p.record != nil && p.settled < 0 { // whoever is settled is at schools of accounts
			f.spellRecord(p, folded, count)
		}
	}
	for s, n := range count {
		f.doubtful[s] = f.strange(s)
		f.find("new-school", "school %s is new, and %s: %s wait until the policy names it, "+
			"or an override of the guard %q lets them in%s",
			s, f.doubtful[s], people(n), guardNewSchools, f.takesOver(s)).School = s
	}
}

// knownSchools fills in which schools are known, and returns them by their codes
// in lower case.
func (f *facts) knownSchools() map[string]SchoolID {
	f.known = map[SchoolID]bool{}
	folded := map[string]SchoolID{}
	know := func(s SchoolID) {
		if f.known[s] {
			return
		}
		f.known[s] = true
		if o, ok := folded[strings.ToLower(string(s))]; !ok || s < o {
			folded[strings.ToLower(string(s))] = s
		}
	}
	read := f.sorted.read()
	seen := make([]bool, len(read.schools))
	for i := range f.people {
		p := &f.people[i]
		if p.account == nil {
			continue
		}
		if n := read.only[p.at]; n > 0 {
			seen[n-1] = true
			continue
		}
		for j := range p.account.Memberships {
			know(p.account.Memberships[j].School)
		}
	}
	for n, s := range read.schools {
		if seen[n] {
			know(s)
		}
	}
	for _, s := range f.policy.Schools {
		f.known[s.ID] = true
	}
	return folded
}

// spellRecord gives the schools of a record the codes that are known, and counts
// those that are new.
func (f *facts) spellRecord(p *individual, folded map[string]SchoolID, count map[SchoolID]int) {
	for j := range p.record.Memberships {
		m := &p.record.Memberships[j]
		if f.known[m.School] {
			continue
		}
		if as, ok := folded[strings.ToLower(string(m.School))]; ok {
			f.give(p, respelled(p.record, m.School, as))
		} else if m.Until.IsZero() || f.now <= m.Until {
			count[m.School]++
		}
	}
}

// strange says why a new school may be a mistake: its code may be misspelt.
func (f *facts) strange(s SchoolID) string {
	like := SchoolID("")
	for o := range f.known {
		if misspelt(string(s), string(o)) && (like == "" || o < like) {
			like = o
		}
	}
	if like != "" {
		return "its code is almost that of " + string(like)
	}
	return "the policy does not name it"
}

// misspelt reports whether two codes differ by a letter, and not by a number.
func misspelt(x, y string) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if '0' <= r && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	return min(len(x), len(y)) >= 8 && digits(x) == digits(y) && oneLetterOff(strings.ToLower(x), strings.ToLower(y))
}

// respelled is a record with another code for a school.
func respelled(r *Record, from, to SchoolID) *Record {
	c := *r
	c.Memberships = slices.Clone(r.Memberships)
	for i := range c.Memberships {
		if c.Memberships[i].School == from {
			c.Memberships[i].School = to
		}
	}
	return &c
}

// unknownSchool returns the first of some schools that may be a mistake and that
// no override lets in, or "".
func (f *facts) unknownSchool(ms []Membership) SchoolID {
	if len(f.doubtful) == 0 {
		return ""
	}
	for i := range ms {
		if s := ms[i].School; f.doubtful[s] != "" && f.override(guardNewSchools, s) == "" {
			return s
		}
	}
	return ""
}

// orphans reports people in OX whose account has no record id: nothing ever
// happens to them.
func (f *facts) orphans() {
	var names []string
	for _, at := range f.sorted.read().strangers {
		a := &f.state.Accounts[at]
		if a.Context != 0 && a.State != Deactivated {
			names = append(names, a.Username)
		}
	}
	if len(names) > 0 {
		list, more := names, ""
		if len(list) > 20 {
			list, more = list[:20], ", ..."
		}
		f.find("orphan-accounts", "%d accounts in OX contexts have no record id, and nothing is done about them: %s%s",
			len(names), strings.Join(list, ", "), more)
	}
}

// overrides tells about overrides that have ended, name a school that nobody
// knows, or let nothing through; used are the numbers of those that did.
func (f *facts) overrides(used map[int]bool) []Finding {
	if len(f.policy.Overrides) == 0 {
		return nil
	}
	var out []Finding
	tell := func(kind, format string, a ...any) {
		out = append(out, Finding{Kind: kind, Text: fmt.Sprintf(format, a...)})
	}
	sent := map[SchoolID]bool{}
	for i := range f.delivery.Records {
		for j := range f.delivery.Records[i].Memberships {
			sent[f.delivery.Records[i].Memberships[j].School] = true
		}
	}
	for i, o := range f.policy.Overrides {
		what := fmt.Sprintf("override number %d (guard %s", i+1, o.Guard)
		if o.School != "" {
			what += ", school " + string(o.School)
		}
		what += ")"
		switch {
		case f.now > o.Until:
			tell("override-expired", "%s has ended on %s", what, o.Until)
		case o.School != "" && !f.known[o.School] && !sent[o.School]:
			tell("override-school", "%s names a school that neither the export nor the directory knows", what)
		case !used[i]:
			tell("override-unused", "%s lets nothing through today; it ends on %s", what, o.Until)
		}
	}
	return out
}
