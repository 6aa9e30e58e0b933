package schoolmail

import (
	"strings"
	"testing"
)

// On the first day after two schools have become one, and a third has closed, the
// plan says what to paste into the policy; with that nothing waits.
func TestMergedSchoolsAreProposed(t *testing.T) {
	t.Parallel()
	p := guardPolicy()
	w := newWorld(t, p)
	rs := school(school(school(nil, "ps-a", RolePupil, 30), "ps-b", RolePupil, 30), "ps-c", RolePupil, 4)
	rs = school(rs, "ps-large", RolePupil, 300)
	w.run(p, delivery(rs), day0)
	var next []Record
	for _, r := range rs {
		switch r.Memberships[0].School {
		case "ps-a", "ps-b":
			r.Memberships = []Membership{{School: "ps-united", Level: "primary"}}
		case "ps-c":
			continue
		}
		next = append(next, r)
	}
	plan := planOf(t, p, w, next, day0.AddDays(30))
	if !plan.Empty() {
		t.Errorf("%s", plan.Summary())
	}
	for _, want := range []string{
		`school = [{ id = "ps-united", formerly = ["ps-a", "ps-b"] }]`, `school = [{ id = "ps-c", closed = 2026-09-09 }]`,
	} {
		found := false
		for _, f := range plan.Findings {
			found = found || strings.Contains(f.Text, want)
		}
		if !found {
			t.Errorf("no %s in %+v", want, plan.Findings)
		}
	}
	p.Schools = append(named("ps-a", "ps-b", "ps-large"), School{ID: "ps-united", Formerly: []SchoolID{"ps-a", "ps-b"}},
		School{ID: "ps-c", Closed: day0.AddDays(30)})
	plan = planOf(t, p, w, next, day0.AddDays(30))
	if n := plan.Count(); len(plan.Held) > 0 || n[KindChange] != 60 || n[KindNotice] != 4 {
		t.Errorf("declared: %s", plan.Summary())
	}
}
