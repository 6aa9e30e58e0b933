package schoolmail

import "testing"

// A link joins a new record to an account that has none any more. Between two
// accounts, or to somebody who is delivered, it joins nothing.
func TestLinksNeverJoinTwo(t *testing.T) {
	t.Parallel()
	link := []Link{{Old: "100147", New: "100148", By: "H. Frei", Reason: "test"}}
	t.Run("two accounts, one of them without a record", func(t *testing.T) {
		t.Parallel()
		p, w, rs := twoSchools(t)
		p.Links = link
		if plan := planOf(t, p, w, rs[1:], day0.AddDays(1)); !plan.Empty() || !hasFinding(plan, "link-conflict") {
			t.Errorf("%s", plan.Summary())
		}
	})
	t.Run("a newcomer and somebody who is delivered", func(t *testing.T) {
		t.Parallel()
		p, w, rs := twoSchools(t)
		p.Links = []Link{{Old: "100147", New: "300000", By: "H. Frei", Reason: "test"}}
		rs = append(rs, person("300000", "Gerold", "Wyss", RolePupil, class("ps-birkenhof", "primary", "6b")))
		if plan := planOf(t, p, w, rs, day0.AddDays(1)); !plan.Empty() || !hasFinding(plan, "link-conflict") {
			t.Errorf("%s", plan.Summary())
		}
	})
}

// A link to a new id is followed until its last day, that day included.
func TestLinkToANewIDHoldsUntilItsLastDay(t *testing.T) {
	t.Parallel()
	p, w, rs := twoSchools(t)
	rs[0].Key.ID = "999001"
	last := day0.AddDays(3)
	p.Links = []Link{{Old: "100147", New: "999001", Until: last, By: "H. Frei", Reason: "new id"}}
	for day, held := range map[Date]int{last: 0, last.AddDays(1): 2} {
		if plan := planOf(t, p, w, rs, day); len(plan.Held) != held {
			t.Errorf("%s: %s, want %d held", day, plan.Summary(), held)
		}
	}
}

// Who marries while the export gives out new ids is found by the birth date:
// neither a second account nor a notice.
func TestNewIDAndNewNameOfOneBirthday(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		birth string
		held  int
	}{{"1", 2}, {"2", 0}} {
		p, w, rs := twoSchools(t)
		rs[0].Traits = Traits{Birth: "1"}
		w.run(p, delivery(rs), day0)
		rs[0].Key.ID, rs[0].FamilyName, rs[0].Traits.Birth = "999001", "Wyss", test.birth
		if plan := planOf(t, p, w, rs, day0.AddDays(1)); len(plan.Held) != test.held {
			t.Errorf("birth date %s: %s, want %d held", test.birth, plan.Summary(), test.held)
		}
	}
}
