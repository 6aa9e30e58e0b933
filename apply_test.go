package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// twoTerms is a world with one pupil in context 20 and the plan that transfers
// her to 30.
func twoTerms(t *testing.T, grace int) (*world, Policy, *Plan) {
	t.Helper()
	p := mayEmpty(smallPolicy(grace))
	p.Populations[1].Contexts = []ContextID{30}
	w := newWorld(t, p)
	r := Record{Key: RecordKey{"escada", "1"}, Role: RolePupil, GivenName: "Ida", FamilyName: "Abel",
		Memberships: []Membership{{School: "ps-a", Level: "primary"}}}
	w.run(p, delivery([]Record{r}), day0)
	r.Memberships = []Membership{{School: "ps-a", Level: "secondary"}}
	plan, err := NewPlan(p, w.observe(), delivery([]Record{r}), day0.AddDays(1))
	if err != nil {
		t.Fatal(err)
	}
	if n := plan.Count(); n[KindTransfer] != 1 || len(plan.Steps) != 1 {
		t.Fatal(plan.Summary())
	}
	return w, p, plan
}

func apply(t *testing.T, w *world, plan *Plan) Outcome {
	t.Helper()
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	return res.Outcomes[len(res.Outcomes)-1]
}

// A user of the same name in the target that the journal does not prove ours is
// somebody else's: it is reported, never deleted.
func TestTransferLeavesStrangersAlone(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	w.contexts[30].users["ida.abel"] = worldUser{id: 77, spec: UserSpec{Username: "ida.abel",
		DisplayName: "Ida Abel (Gast)"}, data: "not ours"}
	o := apply(t, w, plan)
	if o.Status != StatusFailed || !strings.Contains(o.Error, "does not prove ours") {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	if w.contexts[30].users["ida.abel"].data != "not ours" || w.accounts["ida.abel"].Context != 20 {
		t.Error("something was touched")
	}
}

// Each of these is changed behind the plan's back: the step fails, nothing is
// written for that person.
func TestApplyNotAsPlanned(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(w *world)
	}{
		{"the account was put on hold",
			func(w *world) { a := w.accounts["ida.abel"]; a.Held = true; w.accounts["ida.abel"] = a }},
		{"the account is leaving",
			func(w *world) { a := w.accounts["ida.abel"]; a.State = Leaving; w.accounts["ida.abel"] = a }},
		{"the account has another record",
			func(w *world) { a := w.accounts["ida.abel"]; a.Key.ID = "2"; w.accounts["ida.abel"] = a }},
		{"the account is gone", func(w *world) { delete(w.accounts, "ida.abel") }},
		{"the user is gone", func(w *world) { delete(w.contexts[20].users, "ida.abel") }},
		{"the user is another one",
			func(w *world) { u := w.contexts[20].users["ida.abel"]; u.id = 99; w.contexts[20].users["ida.abel"] = u }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, _, plan := twoTerms(t, 0)
			test.change(w)
			writes := w.writes
			if o := apply(t, w, plan); o.Status != StatusFailed {
				t.Errorf("%s %s", o.Status, o.Error)
			}
			if w.writes != writes {
				t.Error("something was written")
			}
		})
	}
}

// Applying the same plan again finds everything so already.
func TestApplyTwice(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{0, 7} {
		w, _, plan := twoTerms(t, grace)
		apply(t, w, plan)
		writes := w.writes
		res, err := Apply(context.Background(), plan, w.ports(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.Outcomes[0].Status != StatusDone {
			t.Errorf("grace %d: %+v", grace, res.Outcomes[0])
		}
		if w.writes != writes {
			t.Errorf("grace %d: the second time wrote %d things", grace, w.writes-writes)
		}
	}
}

// A finished plan that is applied again writes nothing, whatever it did with a
// person, and above all makes nobody a second time in the context they left.
func TestApplyFinishedPlanAgain(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{0, 7} {
		p := smallPolicy(grace)
		p.Populations[1].Contexts = []ContextID{30}
		w := newWorld(t, p)
		here := []Membership{{School: "ps-a", Level: "primary", Classes: []string{"6a"}}}
		there := []Membership{{School: "ss-b", Level: "secondary", Classes: []string{"7a"}}}
		r := func(id, family string, ms []Membership) Record {
			return Record{Key: RecordKey{"escada", id}, Role: RolePupil, GivenName: "Ida", FamilyName: family, Memberships: ms}
		}
		apart := func(day int, records ...Record) {
			t.Helper()
			d, now := delivery(records), day0.AddDays(day)
			plan := w.run(p, d, now)
			writes, users := w.writes, len(w.contexts[20].users)+len(w.contexts[30].users)
			res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range res.Outcomes {
				if o.Status != StatusDone {
					t.Errorf("grace %d, day %d: %s %s: %s", grace, day, o.Step, o.Status, o.Error)
				}
			}
			if n := w.writes - writes; n != 0 || len(w.contexts[20].users)+len(w.contexts[30].users) != users {
				t.Errorf("grace %d, day %d: the second time wrote %d things of\n%s", grace, day, n, plan.Summary())
			}
		}
		a, b, c := r("1", "Abel", here), r("2", "Bär", here), r("3", "Caduff", here)
		apart(0, a, b, c)
		apart(1, r("1", "Abel-Muster", there), r("2", "Bär", there),
			r("4", "Dufour", here)) // changed and moved; moved; gone; new
		apart(20, r("1", "Abel-Muster", there), r("2", "Bär", there), r("3", "Caduff", there), r("4", "Dufour", here))
		apart(21, r("4", "Dufour", there))
		apart(80, r("4", "Dufour", there))
		apart(90, r("1", "Abel", here), r("4", "Dufour", there)) // open again, another name, and moved
	}
}

func TestApplyGivesUp(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 500
	}
	w := newWorld(t, p)
	var rs []Record
	for _, r := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		rs = append(rs, Record{Key: RecordKey{"escada", r}, Role: RolePupil, GivenName: r, FamilyName: "Abel",
			Memberships: []Membership{{School: "ps-a", Level: "primary"}}})
	}
	plan, err := NewPlan(p, w.observe(), delivery(rs), day0)
	if err != nil {
		t.Fatal(err)
	}
	w.fault = func(_ int, what string, _ bool) error {
		if what == "create-account" {
			return errors.New("the directory is down")
		}
		return nil
	}
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, Parallel: 1,
		GiveUpAfter: 3})
	if !errors.Is(err, ErrGaveUp) || !strings.Contains(err.Error(), "the directory is down") {
		t.Errorf("got %v", err)
	}
	if f, s := res.Count(StatusFailed), res.Count(StatusSkipped); f != 3 || s != 5 {
		t.Errorf("%d failed, %d skipped", f, s)
	}
}

// What is wrong with single people, or with one context, says nothing about the servers.
func TestApplyGoesOnPastSinglePeople(t *testing.T) {
	t.Parallel()
	for _, why := range []error{ErrConflict, ErrNotFound, ErrUpdating} {
		p := smallPolicy(0)
		w := newWorld(t, p)
		var rs []Record
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			rs = append(rs, person(id, id, "Abel", RolePupil, at("ps-a", "primary")))
		}
		plan := planOf(t, p, w, rs, day0)
		w.fault = func(_ int, what string, _ bool) error {
			if what == "create-account" {
				return fmt.Errorf("this one: %w", why)
			}
			return nil
		}
		res, err := Apply(t.Context(), plan, w.ports(), &ApplyOptions{InitialPassword: testPassword, GiveUpAfter: 2})
		if err != nil || res.Count(StatusFailed) != 6 {
			t.Errorf("%v: %v, %d failed", why, err, res.Count(StatusFailed))
		}
	}
}

func TestApplyCancelled(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	ctx, cancel := context.WithCancel(context.Background())
	w.fault = func(_ int, what string, done bool) error {
		if what == "copy-user" && done {
			cancel()
		}
		return nil
	}
	res, err := Apply(ctx, plan, w.ports(), nil)
	if !errors.Is(err, context.Canceled) || res.Outcomes[0].Status != StatusSkipped {
		t.Errorf("%v %+v", err, res.Outcomes[0])
	}
	if w.accounts["ida.abel"].Context != 20 {
		t.Error("a cancelled transfer was committed")
	}
}

// Nothing happens that is not on record.
func TestApplyWithoutJournal(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	writes, n := w.writes, 0
	w.fault = func(_ int, what string, done bool) error {
		if what == "journal" && !done {
			if n++; n > 1 { // the first entry announces the plan
				return errors.New("disk full")
			}
		}
		return nil
	}
	if _, err := Apply(context.Background(), plan, w.ports(), nil); err == nil ||
		!strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
	if w.writes != writes {
		t.Error("something was written without a journal")
	}
}

// After all servers were set back to the day before, the same input makes the
// same plan with the same id; it is carried out once more.
func TestSamePlanAfterARestore(t *testing.T) {
	t.Parallel()
	for _, grace := range []int{0, 7} {
		w, p, plan := twoTerms(t, grace)
		accounts, u20, u30 := maps.Clone(w.accounts), maps.Clone(w.contexts[20].users), maps.Clone(w.contexts[30].users)
		apply(t, w, plan)
		w.accounts, w.contexts[20].users, w.contexts[30].users = accounts, u20, u30
		again := planOf(t, p, w, ida("secondary"), day0.AddDays(1))
		if again.Header.ID != plan.Header.ID {
			t.Fatal("the plan has another id")
		}
		if o := apply(t, w, again); o.Status != StatusDone {
			t.Errorf("grace %d: %s: %s", grace, o.Status, o.Error)
		}
		if c := w.accounts["ida.abel"].Context; c != 30 {
			t.Errorf("grace %d: reported as done, but she is in context %d", grace, c)
		}
		w.sound()
	}
}

// Thirty people whose data are odd say nothing about the servers: the run goes
// on, and the newcomer behind them gets an account.
func TestConflictsDoNotEndTheRun(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	p.Populations[1].Contexts = []ContextID{30}
	for i := range p.Contexts {
		p.Contexts[i].Capacity = 500
	}
	w := newWorld(t, p)
	var rs []Record
	for i := range 30 {
		rs = append(rs, person(fmt.Sprint(i), fmt.Sprint("G", i), "Abel", RolePupil, at("ps-a", "primary")))
	}
	w.run(p, delivery(rs), day0)
	for i := range rs {
		rs[i].Memberships = []Membership{at("ss-b", "secondary")}
	}
	rs = append(rs, person("new", "Noé", "Neu", RolePupil, at("ps-a", "primary")))
	plan := planOf(t, p, w, rs, day0.AddDays(1))
	for n := range w.accounts { // somebody is faster
		w.contexts[30].users[n] = worldUser{id: UserID(1000 + len(w.contexts[30].users)),
			spec: UserSpec{Username: n, DisplayName: n + " old"}}
	}
	res, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{Parallel: 1, InitialPassword: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	if n := res.Count(StatusFailed); n != 30 || w.accounts["noe.neu"].State != Active {
		t.Errorf("%d failed; the newcomer is %q", n, w.accounts["noe.neu"].State)
	}
}

// A notice that was sent anew behind the plan's back counts from its own day:
// nothing is closed.
func TestNoticeDateChangedBehindThePlan(t *testing.T) {
	t.Parallel()
	p := mayEmpty(smallPolicy(0))
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	w.run(p, delivery(nil), day0.AddDays(1))
	plan := planOf(t, p, w, nil, day0.AddDays(57))
	wantSteps(t, plan, []string{"deactivate:escada/1"}, nil)
	a := w.accounts["ida.abel"]
	a.NoticedOn = day0.AddDays(57)
	w.accounts["ida.abel"] = a
	writes := w.writes
	if o := apply(t, w, plan); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	if w.writes != writes || !w.contexts[20].users["ida.abel"].spec.MailEnabled {
		t.Error("something was closed")
	}
}
