package schoolmail

import (
	"fmt"
	"slices"
	"strings"
)

// takesOver says what to paste into the policy where a school that is new has the
// people of schools that deliver nobody any more, or "".
func (f *facts) takesOver(s SchoolID) string {
	here, from := 0, map[SchoolID]int{}
	sent := map[SchoolID]bool{}
	for i := range f.people {
		p := &f.people[i]
		if p.record == nil {
			continue
		}
		comes := false
		for j := range p.record.Memberships {
			m := &p.record.Memberships[j]
			sent[m.School] = true
			comes = comes || m.School == s
		}
		if !comes || p.account == nil {
			continue
		}
		here++
		for j := range p.account.Memberships {
			from[p.account.Memberships[j].School]++
		}
	}
	var old []SchoolID
	all := 0
	for o, n := range from {
		if !sent[o] {
			old = append(old, o)
			all += n
		}
	}
	if len(old) == 0 || 2*all < here {
		return ""
	}
	slices.Sort(old)
	quoted := make([]string, len(old))
	for i, o := range old {
		quoted[i] = fmt.Sprintf("%q", o)
	}
	return fmt.Sprintf("; if it takes over %s: school = [{ id = %q, formerly = [%s] }]", idList(old), s,
		strings.Join(quoted, ", "))
}

func idList(ids []SchoolID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return strings.Join(texts, " and ")
}
