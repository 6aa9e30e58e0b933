package schoolmail

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A wrong picture of the people or the servers must not be acted upon: what it
// would lead to is held back under a guard that somebody can lift.
func TestWrongPictures(t *testing.T) {
	t.Parallel()
	term := NewDate(2027, 2, 1) // the widest limits
	each := func(f func(*Record)) func([]Record, *State) []Record {
		return func(rs []Record, _ *State) []Record {
			for i := range rs {
				f(&rs[i])
			}
			return rs
		}
	}
	for _, test := range []struct {
		name   string
		change func([]Record, *State) []Record
		given  string // override that does not help
		held   map[Kind]int
		lift   string // override that lets it through
		kind   Kind   // what comes then
		n      int
	}{
		{"the record ids are new", each(func(r *Record) { r.Key.ID = "new-" + r.Key.ID }), "",
			map[Kind]int{KindCreate: 100, KindNotice: 100}, "", "", 0},
		{"the columns of the names are swapped", each(func(r *Record) {
			r.GivenName, r.FamilyName = r.FamilyName,
				r.GivenName
		}), "", map[Kind]int{KindChange: 100}, "renames", KindChange, 100},
		{"the codes of the schools are new", each(func(r *Record) {
			r.Memberships = []Membership{{School: "x-" + r.Memberships[0].School, Level: "primary"}}
		}),
			"transfers", map[Kind]int{KindChange: 100}, "schools", KindChange, 100},
		{"the teachers' file is missing", func(rs []Record, _ *State) []Record {
			return slices.DeleteFunc(rs, func(r Record) bool { return r.Role == RoleTeacher })
		}, "leavers", map[Kind]int{KindNotice: 20}, "collapse", KindNotice, 20},
		{"the directory is empty", func(rs []Record, st *State) []Record { st.Accounts = nil; return rs }, "",
			map[Kind]int{KindCreate: 100}, "creates", KindCreate, 100},
		{"OX shows no users", func(rs []Record, st *State) []Record { st.Places = nil; return rs }, "",
			map[Kind]int{KindRepair: 100}, "repairs", KindRepair, 100},
		{"OX shows no contexts", func(rs []Record, st *State) []Record { st.Places, st.Contexts = nil, nil; return rs },
			"", map[Kind]int{KindCreateContext: 2, KindRepair: 100}, "", "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := guardPolicy()
			w, rs := guardDistrict(t, p)
			st := w.observe()
			rs = test.change(slices.Clone(rs), &st)
			for _, r := range rs { // no school is new to the policy
				p.Schools = append(p.Schools, named(r.Memberships[0].School)...)
			}
			slices.SortFunc(p.Schools, func(x, y School) int { return strings.Compare(string(x.ID), string(y.ID)) })
			p.Schools = slices.CompactFunc(p.Schools, func(x, y School) bool { return x.ID == y.ID })
			lift := func(guard string) {
				if guard != "" {
					p.Overrides = append(p.Overrides, Override{Guard: guard, Until: term, By: "H. Frei", Reason: "it is so"})
				}
			}
			lift(test.given)
			plan, err := NewPlan(p, st, delivery(rs), term)
			if err != nil {
				t.Fatal(err)
			}
			held := map[Kind]int{}
			for _, h := range plan.Held {
				held[h.Step.Kind()]++
			}
			// Context 30 is empty: it may be made.
			if n := plan.Count(); fmt.Sprint(held) != fmt.Sprint(test.held) || len(plan.Steps) != n[KindCreateContext] {
				t.Errorf("steps %v, held back %v, want none and %v", n, held, test.held)
			}
			if test.lift == "" {
				return
			}
			lift(test.lift)
			if plan, err = NewPlan(p, st, delivery(rs), term); err != nil {
				t.Fatal(err)
			}
			if n := plan.Count()[test.kind]; n != test.n {
				t.Errorf("somebody answers for it, but: %v", plan.Count())
			}
		})
	}
}
