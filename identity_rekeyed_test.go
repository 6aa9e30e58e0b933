package schoolmail

import (
	"fmt"
	"strings"
	"testing"
)

// Whole exports with new ids, of people who go to other schools at the same time and of
// whom nothing but the name is known: nobody gets a second account or a notice.
func TestRekeyedExportAcrossSchools(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	var rs []Record
	for i := range 40 {
		rs = append(rs, person(fmt.Sprint(i), "Kim", surname(i), RolePupil, class("ps-a", "primary", "6a")))
	}
	w.run(p, delivery(rs), day0)
	for i := range rs {
		rs[i].Key.ID = "n" + rs[i].Key.ID
		if i%2 == 0 {
			rs[i].Memberships = []Membership{class("ss-b", "secondary", "7a")}
		}
	}
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	if n := plan.Count(); n[KindCreate]+n[KindNotice] > 0 {
		t.Errorf("%s", plan.Summary())
	}
	// One of many who leave may have the name of one of many who come.
	few := rs[:1]
	for i := range 10 {
		few = append(few, person(fmt.Sprint("x", i), "Kim", surname(100+i), RolePupil, class("ss-b", "secondary", "7a")))
	}
	p.Overrides = []Override{{Guard: "leavers", Until: day0.AddDays(9), By: "H. Frei", Reason: "they leave"},
		{Guard: "collapse", Until: day0.AddDays(9), By: "H. Frei", Reason: "they leave"}}
	plan = planOf(t, p, w, few, day0.AddDays(1))
	if n := plan.Count(); n[KindCreate] != 11 || n[KindNotice] != 40 {
		t.Errorf("%s %+v", plan.Summary(), plan.Findings)
	}
}

// A row without an id may be about anybody who is missing: who has its name is
// shielded at whatever school, and named.
func TestRowWithoutIDNamesWhoIsMissing(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(nil, "ps-a", RolePupil, 40), "ps-b", RolePupil, 40)
	rs = append(rs, person("moves", "Robin", "Spycher", RolePupil, class("ps-a", "primary", "6b")),
		person("leaves", "Gerold", "Wyss", RolePupil, class("ps-a", "primary", "6b")))
	w.run(p, delivery(rs), day0)
	d := delivery(rs[:80])
	d.Rejected = []Rejection{{Position: Position{File: "x.csv", Line: 7}, Kind: RejectedMissing, Reason: "empty",
		School:    "ps-b",
		GivenName: "Robin", FamilyName: "SPYCHER"}}
	for _, state := range []string{"active", "had a notice"} {
		plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range plan.Steps {
			if s.Subject == "robin.spycher" {
				t.Errorf("%s: %s", state, s.ID)
			}
		}
		if state == "active" && (plan.Count()[KindNotice] != 1 || plan.Steps[0].Subject != "gerold.wyss") {
			t.Errorf("%s", plan.Summary())
		}
		named := false
		for _, f := range plan.Findings {
			named = named || f.Kind == "rejected-row" && strings.Contains(f.Text, "most likely the row of robin.spycher")
		}
		if !named {
			t.Errorf("%s: %+v", state, plan.Findings)
		}
		a := w.accounts["robin.spycher"]
		a.State, a.NoticedOn = Leaving, day0.AddDays(-100)
		w.accounts["robin.spycher"] = a
	}
	// Without a school it may be about anybody, and the name is told all the same.
	d.Rejected[0].School = ""
	plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
	if err != nil || plan.Count()[KindNotice] != 0 || !strings.Contains(fmt.Sprint(plan.Findings), "robin.spycher") {
		t.Errorf("%v\n%s", err, plan.Summary())
	}
}
