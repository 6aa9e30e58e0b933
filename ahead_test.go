package schoolmail

import (
	"fmt"
	"testing"
)

// Where old copies keep their seats for a grace, a newcomer without a seat is
// not seated today; somebody who may live elsewhere moves, so that the seat is
// free when the copy has gone.
func TestRoomIsMadeAheadOfANewcomer(t *testing.T) {
	t.Parallel()
	p := smallPolicy(5)
	p.Contexts[1].Headroom = 0
	p.Populations[1].Contexts = []ContextID{20}
	w := newWorld(t, p)
	var rs []Record
	for i := range p.Contexts[1].Capacity {
		rs = append(rs, person(fmt.Sprint(100+i), "Kim", fmt.Sprintf("Berg%c", 'a'+i), RolePupil, at("ss-a", "secondary")))
	}
	w.run(p, delivery(rs), day0)
	p.Populations[1].Contexts = []ContextID{30, 20}
	rs = append(rs, person("1", "Ida", "Keller", RolePupil, at("ps-a", "primary")))
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	if n := plan.Count(); n[KindTransfer] != 1 || len(plan.Held) != 1 {
		t.Errorf("%s: want one transfer that makes room, and the newcomer held", plan.Summary())
	}
	w.run(p, delivery(rs), day0.AddDays(1))
	for day := 2; day <= 8; day++ {
		w.run(p, delivery(rs), day0.AddDays(day))
	}
	if place := w.accounts["ida.keller"]; place.Context != 20 {
		t.Errorf("the newcomer lives in %d after the grace, want 20", place.Context)
	}
}
