package schoolmail

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// spoil makes Open-Xchange differ from the directory for people of a school: their users
// are missing, or carry another name.
func spoil(w *world, s SchoolID, n int, missing bool) {
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[name]
		u, ok := w.contexts[a.Context].users[name]
		// Nobody twice: it is people who are counted.
		marked := slices.ContainsFunc(a.Marks, func(m Mark) bool { return m.Guard == guardRepairs })
		if n == 0 || !ok || marked || u.spec.DisplayName != a.DisplayName || a.Memberships[0].School != s {
			continue
		}
		if n--; missing {
			delete(w.contexts[a.Context].users, name)
			continue
		}
		u.spec.DisplayName += " (Gast)"
		w.contexts[a.Context].users[name] = u
	}
}

// What was repaired within the window counts: whether users were missing or not as the
// directory says, by school and in the district, in schools of any size.
func TestRepairsCountOverTheWindow(t *testing.T) {
	t.Parallel()
	const a, b, small = SchoolID("ps-a"), SchoolID("ps-b"), SchoolID("ps-c") // 200, 380 and 20 pupils
	for _, test := range []struct {
		name          string
		first, second map[SchoolID]int
		days          int // between the two
		done          int // of the second
	}{
		{"one below", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 3}, 1, 3},
		{"at the limit", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 4}, 1, 4},
		{"one above", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 5}, 1, 0},
		{"one above on the same day", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 5}, 0, 0},
		{"one above on the last day of the window", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 5}, 6, 0},
		{"the window is over", map[SchoolID]int{a: 6}, map[SchoolID]int{a: 5}, 7, 5},
		{"another school", map[SchoolID]int{a: 6}, map[SchoolID]int{b: 5}, 1, 5},
		{"a small school at what is free", map[SchoolID]int{small: 3}, map[SchoolID]int{small: 2}, 1, 2},
		{"a small school, one above", map[SchoolID]int{small: 3}, map[SchoolID]int{small: 3}, 1, 0},
		{"the district at its limit", map[SchoolID]int{a: 6, small: 1}, map[SchoolID]int{b: 5}, 1, 5},
		{"the district, one above", map[SchoolID]int{a: 6, small: 2}, map[SchoolID]int{b: 5}, 1, 0},
	} {
		for _, missing := range []bool{true, false} {
			t.Run(fmt.Sprint(test.name, ", missing ", missing), func(t *testing.T) {
				t.Parallel()
				p, w, rs := repairable(t)
				for s, n := range test.first {
					spoil(w, s, n, missing)
				}
				w.run(p, delivery(rs), day0.AddDays(1))
				w.sees(t, p, rs, day0.AddDays(1), 0, 0)
				wanted := 0
				for s, n := range test.second {
					spoil(w, s, n, !missing) // both sorts count together
					wanted += n
				}
				w.sees(t, p, rs, day0.AddDays(1+test.days), test.done, wanted-test.done)
			})
		}
	}
}

// sees plans twice for a day, and applies between: what the first run holds the second
// does not release, and it finds nothing else to do.
func (w *world) sees(t *testing.T, p Policy, rs []Record, day Date, done, held int) {
	t.Helper()
	plan := w.run(p, delivery(rs), day)
	again := w.run(p, delivery(rs), day)
	if len(plan.Steps) != done || len(plan.Held) != held || !again.Empty() || len(again.Held) != held {
		t.Errorf("%s: %d steps, want %d; %d held, want %d; then %d and %d\n%s", day, len(plan.Steps), done,
			len(plan.Held), held, len(again.Steps), len(again.Held), plan.Summary())
	}
	for _, h := range plan.Held {
		if h.Guard != guardRepairs && h.Guard != guardCopies {
			t.Errorf("held by %q: %s", h.Guard, h.Why)
		}
	}
}

// Within a change of terms repairs count from its first day on.
func TestRepairsCountOverAChangeOfTerms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		first, second int // days of the change of terms
		done          int
	}{
		{"its first and its last day", 1, 21, 0},
		{"the day before it", 0, 21, 5},
		{"the day before it, within the usual window", 0, 6, 0},
		{"the day after it", 1, 22, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, w, rs := repairable(t)
			began := p.TermChanges[0].From // 21 days
			spoil(w, "ps-a", 6, true)
			w.run(p, delivery(rs), began.AddDays(test.first-1))
			spoil(w, "ps-a", 5, true)
			w.sees(t, p, rs, began.AddDays(test.second-1), test.done, 5-test.done)
		})
	}
}

// A repair that fails night after night is one person's: it is counted once, and so is
// the repair of what was repaired before.
func TestRepairOfTheSamePersonCountsOnce(t *testing.T) {
	t.Parallel()
	p, w, rs := repairable(t)
	for day := 1; day < 20; day++ {
		for _, name := range slices.Sorted(maps.Keys(w.accounts))[:2] {
			delete(w.contexts[20].users, name)
		}
		if day == 1 {
			spoil(w, "ps-a", 8, true)
		}
		plan := planOf(t, p, w, rs, day0.AddDays(day))
		if day%2 == 1 {
			w.fault = func(_ int, what string, done bool) error {
				if what == "ensure-user" && !done {
					return errCrash
				}
				return nil
			}
		}
		if len(plan.Held) > 0 || len(plan.Steps) == 0 {
			t.Fatalf("day %d: %s", day, plan.Summary())
		}
		if _, err := Apply(t.Context(), plan, w.ports(), nil); err != nil {
			t.Fatal(err)
		}
		w.fault = nil
		for name, a := range w.accounts {
			if len(a.Marks) > 1 {
				t.Fatalf("day %d: %s has the marks %v", day, name, a.Marks)
			}
		}
	}
}

// When the window is over, the repair of what was repaired before counts as any other.
func TestRepairOfTheSamePersonCountsAgain(t *testing.T) {
	t.Parallel()
	for others, held := range map[int]int{2: 0, 3: 11} { // ten are allowed
		p, w, rs := repairable(t)
		spoil(w, "ps-a", 8, true)
		var same []string
		for name, a := range w.accounts {
			if _, ok := w.contexts[a.Context].users[name]; !ok {
				same = append(same, name)
			}
		}
		w.run(p, delivery(rs), day0.AddDays(1))
		for _, name := range same {
			delete(w.contexts[w.accounts[name].Context].users, name)
		}
		spoil(w, "ps-a", others, true)
		w.sees(t, p, rs, day0.AddDays(8), 8+others-held, held)
	}
}

// A repair that is cut off anywhere is counted, and done later; it is never done without
// being counted.
func TestRepairCutOffAnywhereIsCounted(t *testing.T) {
	t.Parallel()
	for _, missing := range []bool{true, false} {
		for n := 1; ; n++ {
			p := mayEmpty(smallPolicy(14))
			w := newWorld(t, p)
			w.run(p, delivery(ida("primary")), day0)
			spoil(w, "ps-a", 1, missing)
			plan := planOf(t, p, w, ida("primary"), day0.AddDays(1))
			dead := diesAt(w, n)
			_, _ = Apply(t.Context(), plan, w.ports(), nil)
			w.fault = nil
			u, ok := w.contexts[20].users["ida.abel"]
			marked := slices.ContainsFunc(w.accounts["ida.abel"].Marks, func(m Mark) bool { return m.Guard == guardRepairs })
			if ok && u.spec.DisplayName == "Ida Abel" && !marked {
				t.Fatalf("cut off at %d: repaired and not counted", n)
			}
			if !*dead {
				break
			}
			if n%2 == 0 { // the same plan goes on, or another one
				_, _ = Apply(t.Context(), plan, w.ports(), nil)
			}
			w.run(p, delivery(ida("primary")), day0.AddDays(1))
			wantSteps(t, planOf(t, p, w, ida("primary"), day0.AddDays(1)), nil, nil)
			if a := w.accounts["ida.abel"]; len(a.Marks) != 1 {
				t.Errorf("cut off at %d: marks %v", n, a.Marks)
			}
		}
	}
}

// diesAt lets the power fail at the n-th call of any port.
func diesAt(w *world, n int) *bool {
	calls, dead := 0, false
	w.fault = func(int, string, bool) error {
		if calls++; calls >= n {
			dead = true
			return fmt.Errorf("%w: %w", ErrLostAnswer, errCrash)
		}
		return nil
	}
	return &dead
}

// Somebody whose user is missing and who has another telephone gets both in one run, and
// counts; also when the access combination is another one.
func TestMissingUserOfSomebodyWhoChanges(t *testing.T) {
	t.Parallel()
	teacher := func(phone string) []Record {
		r := person("1", "Ida", "Abel", RoleTeacher, at("ps-a", "primary"))
		r.Phone = phone
		return []Record{r}
	}
	for _, access := range []string{"", "pim"} {
		for n := 1; ; n++ {
			p := mayEmpty(smallPolicy(14))
			w := newWorld(t, p)
			w.run(p, delivery(teacher("+41 31 000 00 00")), day0)
			delete(w.contexts[10].users, "ida.abel")
			p.Populations[0].Access = cmp.Or(access, p.Populations[0].Access)
			rs := teacher("+41 31 000 00 01")
			plan := planOf(t, p, w, rs, day0.AddDays(1))
			if taken, _ := plan.Steps[0].Seats(); taken != 10 {
				t.Fatalf("%s takes a seat in context %d, want 10", plan.Steps[0].ID, taken)
			}
			dead := diesAt(w, n)
			_, _ = Apply(t.Context(), plan, w.ports(), nil)
			w.fault = nil
			_, stands := w.contexts[10].users["ida.abel"]
			counted := slices.ContainsFunc(w.accounts["ida.abel"].Marks, func(m Mark) bool { return m.Guard == guardRepairs })
			if stands && !counted {
				t.Fatalf("cut off at %d: made anew and not counted", n)
			}
			if !*dead {
				w.sound()
				wantSteps(t, planOf(t, p, w, rs, day0.AddDays(1)), nil, nil)
				break
			}
			w.run(p, delivery(rs), day0.AddDays(1))
			w.sound()
		}
	}
}

// movers is a district whose pupils of two schools moved from context 20 to 30, some on
// day 1 and some on day 2; of each a copy is kept for 14 days.
func movers(t *testing.T, first, second map[SchoolID]int) (Policy, *world, []Record) {
	t.Helper()
	p := smallPolicy(14)
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 200
	}
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	var rs []Record
	for _, s := range []SchoolID{"ps-a", "ps-b", "ps-c"} {
		for i := range map[SchoolID]int{"ps-a": 20, "ps-b": 60, "ps-c": 6}[s] {
			rs = append(rs, person(fmt.Sprint(s, i), fmt.Sprint("G", s[3:], i), "Abel", RolePupil, at(s, "primary")))
		}
	}
	w.run(p, delivery(rs), day0)
	for day, many := range []map[SchoolID]int{first, second} {
		left := maps.Clone(many)
		for i := range rs {
			if m := &rs[i].Memberships[0]; left[m.School] > 0 && m.Level == "primary" {
				rs[i].Memberships = []Membership{at(m.School, "secondary")}
				left[rs[i].Memberships[0].School]--
			}
		}
		w.run(p, delivery(rs), day0.AddDays(1+day))
	}
	// A tenth of a school and a twentieth of the district, and always 2.
	p.Guards.TermChange.Transfers = Limit{SchoolPercent: 10, DistrictPercent: 5, Free: 2}
	return p, w, rs
}

// Old copies that were deleted within the window count: by school, by the context that
// they were in, and in the district.
func TestOldCopiesCountOverTheWindow(t *testing.T) {
	t.Parallel()
	const a, b, small = SchoolID("ps-a"), SchoolID("ps-b"), SchoolID("ps-c") // 20, 60 and 6 of 86
	for _, test := range []struct {
		name          string
		first, second map[SchoolID]int
		days          int // that the second are late
		done          int // of the second
	}{
		{"at the limit of a school", map[SchoolID]int{a: 1}, map[SchoolID]int{a: 1}, 0, 1},
		{"one above", map[SchoolID]int{a: 2}, map[SchoolID]int{a: 1}, 0, 0},
		{"one above on the last day of the window", map[SchoolID]int{a: 2}, map[SchoolID]int{a: 1}, 5, 0},
		{"the window is over", map[SchoolID]int{a: 2}, map[SchoolID]int{a: 1}, 6, 1},
		{"a small school at what is free", map[SchoolID]int{small: 1}, map[SchoolID]int{small: 1}, 0, 1},
		{"a small school, one above", map[SchoolID]int{small: 2}, map[SchoolID]int{small: 1}, 0, 0},
		{"the district at its limit", map[SchoolID]int{a: 2}, map[SchoolID]int{b: 2}, 0, 2},
		{"the district, one above", map[SchoolID]int{a: 2}, map[SchoolID]int{b: 3}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, w, rs := movers(t, test.first, test.second)
			done := 0
			for _, n := range test.first {
				done += n
			}
			wanted := 0
			for _, n := range test.second {
				wanted += n
			}
			w.sees(t, p, rs, day0.AddDays(15), done, 0)
			w.sees(t, p, rs, day0.AddDays(16+test.days), test.done, wanted-test.done)
		})
	}
}

// Within a change of terms old copies count from its first day on.
func TestOldCopiesCountOverAChangeOfTerms(t *testing.T) {
	t.Parallel()
	for late, done := range map[int]int{0: 0, 18: 0, 19: 0, 20: 1} {
		p, w, rs := movers(t, map[SchoolID]int{"ps-a": 2}, map[SchoolID]int{"ps-a": 1})
		p.TermChanges = []Window{{Name: "spring", From: day0.AddDays(15), Until: day0.AddDays(35)}}
		w.sees(t, p, rs, day0.AddDays(15), 2, 0)
		w.sees(t, p, rs, day0.AddDays(16+late), done, 1-done)
	}
}

// An old copy whose removal is cut off anywhere is counted, and goes once.
func TestDropCutOffAnywhereIsCounted(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		p, w, rs := movers(t, map[SchoolID]int{"ps-a": 1}, map[SchoolID]int{"ps-a": 2})
		plan := planOf(t, p, w, rs, day0.AddDays(15))
		dead := diesAt(w, n)
		_, _ = Apply(t.Context(), plan, w.ports(), nil)
		w.fault = nil
		_, stands := w.contexts[20].users["ga0.abel"]
		if a := w.accounts["ga0.abel"]; !stands && !slices.Contains(a.Marks, Mark{Guard: guardCopies, On: day0.AddDays(15),
			Role: RolePupil, School: "ps-a", From: 20}) {
			t.Fatalf("cut off at %d: deleted and not counted: %v", n, a.Marks)
		}
		if !*dead {
			return
		}
		if n%2 == 0 { // the same plan goes on, or another one
			_, _ = Apply(t.Context(), plan, w.ports(), nil)
		}
		w.run(p, delivery(rs), day0.AddDays(15))
		w.sees(t, p, rs, day0.AddDays(16), 0, 2)
		w.sees(t, p, rs, day0.AddDays(21), 0, 2)
		w.sees(t, p, rs, day0.AddDays(22), 2, 0)
		w.sound()
	}
}

// What cut-off transfers have left behind is counted as old copies are: the copies of two
// nights' kills go, a third one waits.
func TestLeftoversCountOverTheWindow(t *testing.T) {
	t.Parallel()
	p, w, rs := movers(t, nil, nil)
	for night := range 3 {
		// The transfer of another pupil each night is cut off after the copy; the next export
		// has the old level back, and another class.
		m := &rs[night].Memberships[0]
		m.Level = "secondary"
		day := day0.AddDays(3 + 2*night)
		powerFails(t, w, planOf(t, p, w, rs, day), "change-account", false)
		*m = class("ps-a", "primary", "1a")
		next := planOf(t, p, w, rs, day)
		drop, change := fmt.Sprintf("drop-leftover-30:escada/ps-a%d", night), fmt.Sprintf("change:escada/ps-a%d", night)
		if night < 2 {
			wantSteps(t, next, []string{change, drop}, nil)
		} else {
			wantSteps(t, next, []string{change}, []string{drop})
		}
		w.run(p, delivery(rs), day)
	}
	w.sees(t, p, rs, day0.AddDays(9), 0, 1)
	w.sees(t, p, rs, day0.AddDays(10), 1, 0)
	w.sound()
	for name, a := range w.accounts {
		if want := map[string]int{"ga0.abel": 2, "ga1.abel": 2, "ga2.abel": 2}[name]; len(a.Marks) != want {
			t.Errorf("%s: marks %v", name, a.Marks)
		}
	}
}

// Whoever was in a context before a transfer counts there, when the old copy is long gone,
// too: what many schools do at once to one context is held.
func TestContextsCountOverTheWindow(t *testing.T) {
	t.Parallel()
	const a, b, small = SchoolID("ps-a"), SchoolID("ps-b"), SchoolID("ps-c") // 20, 60 and 6
	limit := Limit{SchoolPercent: 10, DistrictPercent: 100, Free: 2}         // 8 of the context
	for _, test := range []struct{ first, done int }{{5, 1}, {6, 0}} {
		p, w, rs := movers(t, map[SchoolID]int{a: 2, b: test.first}, map[SchoolID]int{small: 1})
		p.Guards.TermChange.Transfers = limit
		w.sees(t, p, rs, day0.AddDays(15), 2+test.first, 0)
		w.sees(t, p, rs, day0.AddDays(21), test.done, 1-test.done)

		p, w, rs = movers(t, nil, nil)
		p.LifeCycle.TransferGraceDays = -1 // no copy stays
		p.Guards.Usual.Transfers = limit
		move := func(s SchoolID, n int) {
			for i := range rs {
				if m := &rs[i].Memberships[0]; n > 0 && m.School == s {
					m.Level = "secondary"
					n--
				}
			}
		}
		move(a, 2)
		move(b, test.first)
		w.run(p, delivery(rs), day0.AddDays(3))
		move(small, 1)
		plan := planOf(t, p, w, rs, day0.AddDays(9))
		if n := plan.Count()[KindTransfer]; n != test.done || len(plan.Held) != 1-test.done {
			t.Errorf("after %d: %d transfers, want %d\n%s", 2+test.first, n, test.done, plan.Summary())
		}
	}
}
