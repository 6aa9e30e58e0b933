package schoolmail

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// About somebody on hold nothing is done, whatever is delivered, until the hold ends.
func TestHold(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	day := day0.AddDays(1)
	held := func(p Policy, rs []Record, day Date) (list []string) {
		plan, err := NewPlan(p, w.observe(), delivery(rs), day)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range plan.Held {
			if h.Guard != guardHold || !strings.Contains(h.Why, "by meier: court") {
				t.Errorf("%s: guard %q, %s", h.Step.ID, h.Guard, h.Why)
			}
			list = append(list, string(h.Step.Kind()))
		}
		for _, s := range plan.Steps {
			list = append(list, "does "+string(s.Kind()))
		}
		return list
	}
	with := func(id string, until Date) Policy {
		q := p
		q.Holds = []Hold{{ID: id, Until: until, By: "meier", Reason: "court"}}
		return q
	}
	moved := slices.Clone(rs)
	moved[0].Memberships = []Membership{class("sek-rosenfeld", "secondary", "7a")}
	gone := rs[1:]
	newcomer := append(slices.Clone(rs),
		person("900001", "Zora", "Zahn", RolePupil, class("ps-birkenhof", "primary", "6b")))
	for _, c := range []struct {
		name   string
		policy Policy
		rs     []Record
		day    Date
		want   []string
	}{
		{"nothing is due", with(rs[0].Key.ID, day), rs, day, nil},
		{"moves", with(rs[0].Key.ID, day), moved, day, []string{"change"}},
		{"gone", with(rs[0].Key.ID, day), gone, day, []string{"notice"}},
		{"gone, the day after the hold", with(rs[0].Key.ID, day), gone, day.AddDays(1), []string{"does notice"}},
		{"new", with("900001", day), newcomer, day, []string{"create"}},
		{"somebody else", with("900001", day), gone, day, []string{"does notice"}},
	} {
		if diff := cmp.Diff(c.want, held(c.policy, c.rs, c.day)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	// Told, then put on hold: the mailbox does not close.
	w.run(p, delivery(gone), day)
	late := day.AddDays(56)
	if diff := cmp.Diff([]string{"deactivate"}, held(with(rs[0].Key.ID, late), gone, late)); diff != "" {
		t.Errorf("after the notice: %s", diff)
	}
	if diff := cmp.Diff([]string{"cancel-notice"}, held(with(rs[0].Key.ID, late), rs, late)); diff != "" {
		t.Errorf("comes back: %s", diff)
	}
}

// A hold that is over, and one that means nobody, are told.
func TestHoldsAreTold(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	day := day0.AddDays(1)
	p.Holds = []Hold{
		{ID: rs[0].Key.ID, Until: day0, By: "meier", Reason: "court"},
		{ID: "nobody", Until: day, By: "meier", Reason: "court"},
		{ID: rs[1].Key.ID, Until: day, By: "meier", Reason: "court"},
	}
	plan, err := NewPlan(p, w.observe(), delivery(rs), day)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"hold-expired", "hold-unused", "on-hold"} {
		if !hasFinding(plan, kind) {
			t.Errorf("no finding %s in %+v", kind, plan.Findings)
		}
	}
	p.Holds = []Hold{{ID: "x"}}
	if err := p.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "hold number 1") {
		t.Errorf("a hold without a reason: %v", err)
	}
}
