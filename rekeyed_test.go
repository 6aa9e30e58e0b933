package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The school administration gives everybody a new id and says so in a list: who is the
// same by name and birth date keeps the account, the rest is held and listed.
func TestListOfNewIDsCountsWhereNamesAgree(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	var rs []Record
	for i := range 40 {
		r := person(fmt.Sprint(i), "Kim", surname(i), RolePupil, class("ps-a", "primary", "6a"))
		if i%2 == 0 {
			r.Traits.Birth = fmt.Sprint("born ", i)
		}
		rs = append(rs, r)
	}
	w.run(p, delivery(rs), day0)
	list := Rekeying{SHA256: "abc", By: "H. Frei", Reason: "new ids"}
	next := slices.Clone(rs)
	for i := range next {
		list.Pairs = append(list.Pairs, Pair{Old: next[i].Key.ID, New: "n" + next[i].Key.ID})
		next[i].Key.ID = "n" + next[i].Key.ID
	}
	list.Pairs = append(list.Pairs, Pair{Old: "nobody", New: "nor-he"})
	next[2].FamilyName = "Zwyssig"           // married, born on the same day
	next[4].Traits.Birth = "another day"     // of this name, and not this person
	next[10].Role = RoleTeacher              // a namesake
	a, b := &list.Pairs[21], &list.Pairs[23] // two of one class, mixed up
	a.New, b.New = b.New, a.New
	p.Rekeyings = []Rekeying{list}
	day := day0.AddDays(1)
	plan := planOf(t, p, w, next, day)
	if n := plan.Count(); n[KindCreate]+n[KindNotice] > 0 || n[KindChange] != 1 {
		t.Errorf("%s", plan.Summary())
	}
	var refused []string
	told := false
	for _, f := range plan.Findings {
		if f.Kind == "pair-refused" {
			refused = append(refused, f.Key.ID)
		}
		told = told || f.Kind == "pairs" &&
			strings.Contains(f.Text, "SHA-256 abc, by H. Frei: 36 pairs joined, 4 refused, 1 without")
	}
	if slices.Sort(refused); !slices.Equal(refused, []string{"n10", "n21", "n23", "n4"}) || !told {
		t.Errorf("refused %q\n%+v", refused, plan.Findings)
	}
	if len(plan.Held) != 8 {
		t.Errorf("held: %+v", plan.Held)
	}
	for _, h := range plan.Held {
		if h.Guard != guardIdentity {
			t.Errorf("%s: %s", h.Step.ID, h.Guard)
		}
	}
	// A link decides where the list is wrong, and the next runs have nothing to do.
	for _, l := range [][2]string{{"4", "n4"}, {"21", "n21"}, {"23", "n23"}, {"10", "n10"}} {
		p.Links = append(p.Links, Link{Old: l[0], New: l[1], By: "H. Frei", Reason: "asked"},
			Link{Old: l[0], New: l[0], Until: day.AddDays(9), By: "H. Frei", Reason: "asked"})
	}
	next[10].Role = RolePupil
	w.run(p, delivery(next), day)
	plan = planOf(t, p, w, next, day.AddDays(1))
	if len(plan.Steps)+len(plan.Held) > 0 || len(w.accounts) != 40 {
		t.Errorf("%d accounts: %s", len(w.accounts), plan.Summary())
	}
}

// A list that gives one new id to two people, or leads in a circle, is refused.
func TestListOfNewIDsIsUnambiguous(t *testing.T) {
	t.Parallel()
	for want, pairs := range map[string][]Pair{
		"another pair already": {{"1", "2"}, {"3", "2"}},
		"part of a circle":     {{"1", "2"}, {"2", "1"}},
		"old and new must be":  {{"1", ""}},
		"":                     {{"1", "2"}, {"2", "3"}, {"5", "5"}},
	} {
		p := guardPolicy()
		p.Rekeyings = []Rekeying{{SHA256: "abc", By: "A", Reason: "r", Pairs: pairs}}
		err := p.WithDefaults().Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", pairs, err)
		}
	}
}
