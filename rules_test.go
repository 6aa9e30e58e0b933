package schoolmail

import (
	"errors"
	"maps"
	"slices"
	"testing"
)

// Who is at school until today is there today, whatever else changes, and gets the
// notice tomorrow.
func TestLastDayAtSchool(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		day int
		do  []string
	}{{9, []string{"change:escada/1"}}, {10, []string{"change:escada/1"}}, {11, []string{"notice:escada/1"}}} {
		p := smallPolicy(0)
		w := newWorld(t, p)
		w.run(p, delivery([]Record{person("1", "Ida", "Abel", RoleTeacher, at("a", "primary"))}), day0)
		last := at("a", "primary")
		last.Until = day0.AddDays(10)
		r := person("1", "Ida", "Abel", RoleTeacher, last)
		r.Phone = "1"
		wantSteps(t, planOf(t, p, w, []Record{r}, day0.AddDays(test.day)), test.do, nil)
	}
}

// Of somebody with an unreadable row the others may be half of the truth: nothing
// changes, and nobody gets an account by it.
func TestHalfOfAPersonsRowsIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	ida := person("1", "Ida", "Abel", RoleTeacher, at("a", "primary"), at("b", "primary"))
	w.run(p, delivery([]Record{ida}), day0)
	tom := person("2", "Tom", "Berg", RoleTeacher, at("a", "primary"))
	ida.Memberships = ida.Memberships[:1]
	d := delivery([]Record{ida, tom})
	for _, rejected := range []bool{false, true} {
		want := []string{"change:escada/1", "create:escada/2"}
		if rejected {
			want = nil
			d.Rejected = []Rejection{{Reason: "bad", Key: ida.Key}, {Reason: "bad", Key: tom.Key}}
		}
		plan, err := NewPlan(p, w.observe(), d, day0.AddDays(1))
		if err != nil {
			t.Fatal(err)
		}
		wantSteps(t, plan, want, nil)
	}
}

// Telephone numbers of pupils are not kept, those of teachers are.
func TestTelephonesOfPupilsAreNotKept(t *testing.T) {
	t.Parallel()
	for role, want := range map[Role]string{RolePupil: "", RoleTeacher: "079", RoleStaff: "079"} {
		p := smallPolicy(0)
		w := newWorld(t, p)
		r := person("1", "Ida", "Abel", role, at("a", "primary"))
		r.Phone = "079"
		w.run(p, delivery([]Record{r}), day0)
		if got := w.accounts["ida.abel"].Phone; got != want {
			t.Errorf("%s: telephone %q, want %q", role, got, want)
		}
		wantSteps(t, planOf(t, p, w, []Record{r}, day0.AddDays(1)), nil, nil)
	}
}

// What depends on a step that has failed is not tried.
func TestDependentsOfAFailedStepAreSkipped(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	plan := planOf(t, p, w, ida("primary"), day0)
	w.fault = func(_ int, what string, done bool) error {
		if what == "ensure-context" || what == "create-context" {
			return errors.New("no database")
		}
		return nil
	}
	res, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword})
	if err != nil || res.Count(StatusFailed) != 3 || res.Count(StatusSkipped) != 1 || len(w.accounts) > 0 {
		t.Errorf("%v: %+v, %d accounts", err, res.Outcomes, len(w.accounts))
	}
}

// A seat that does not get free, because the one who was to leave could not, is taken
// by nobody.
func TestSeatThatDoesNotGetFree(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	var rs []Record
	for _, name := range []string{"Abel", "Berg", "Caduff", "Durrer", "Egli", "Frei", "Graf", "Huber"} {
		rs = append(rs, person(name, "Ida", name, RolePupil, at("ps-a", "primary")))
	}
	w.run(p, delivery(rs), day0)
	if n := len(w.contexts[20].users); n != p.context(20).Capacity {
		t.Fatalf("%d users", n)
	}
	rs[0].Memberships = []Membership{at("ps-a", "secondary")}
	rs = append(rs, person("new", "Nele", "Neu", RolePupil, at("ps-a", "primary")))
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	wantSteps(t, plan, []string{"transfer:escada/Abel", "create:escada/new"}, nil)
	w.fault = func(_ int, what string, _ bool) error {
		if what == "copy-user" {
			return errors.New("refused")
		}
		return nil
	}
	res, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword})
	if err != nil || res.Count(StatusFailed) != 2 || len(w.contexts[20].users) != p.context(20).Capacity {
		t.Errorf("%v: %+v", err, res.Outcomes)
	}
	if _, made := w.accounts["nele.neu"]; made {
		t.Error("an account was made that has no seat")
	}
}

// A journal that cannot be written ends the run: what is not on record does not happen.
func TestJournalThatCannotBeWrittenEndsTheRun(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	plan := planOf(t, p, w, append(ida("primary"), person("2", "Tom", "Berg", RoleTeacher, at("ps-a", "primary"))), day0)
	full := errors.New("the disk is full")
	writes := 0
	w.fault = func(_ int, what string, done bool) error {
		if what == "journal" && !done {
			if writes++; writes > 3 {
				return full
			}
		}
		return nil
	}
	res, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 1})
	if !errors.Is(err, full) || res.Count(StatusFailed) > 0 || len(w.accounts) > 0 {
		t.Errorf("%v: %+v", err, res.Outcomes)
	}
}

// Records of another source than the policy's are told and otherwise ignored.
func TestRecordsOfAnotherSourceAreIgnored(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	stranger := person("2", "Tom", "Berg", RolePupil, at("ps-a", "primary"))
	stranger.Key.Source = "elsewhere"
	plan := planOf(t, p, w, append(ida("primary"), stranger), day0)
	if plan.Count()[KindCreate] != 1 || !hasFinding(plan, "foreign-record") {
		t.Errorf("%s, %v", plan.Summary(), plan.Findings)
	}
}

// Accounts of another source are not ours, not even one with an id that is
// delivered: nothing is planned for it, and the person gets an account.
func TestAccountsOfAnotherSourceAreNotOurs(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	for _, name := range slices.Sorted(maps.Keys(w.accounts)) {
		a := w.accounts[name]
		a.Key.Source = "elsewhere"
		w.accounts[name] = a
	}
	for what, rs := range map[string][]Record{"gone": nil, "delivered": ida("primary")} {
		plan := planOf(t, p, w, rs, day0.AddDays(1))
		if n := plan.Count(); n[KindCreate] != len(rs) || len(plan.Steps) != len(rs) {
			t.Errorf("%s: %s, want %d created and nothing else", what, plan.Summary(), len(rs))
		}
	}
}
