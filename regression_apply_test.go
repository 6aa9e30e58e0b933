package schoolmail

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// stranger is a user of Ida's name whom the journal does not know.
func stranger(alike bool) worldUser {
	u := worldUser{id: 77, spec: UserSpec{Username: "ida.abel", DisplayName: "Ida Abel (Gast)", Mail: "guest@x.example"},
		data: "not ours"}
	if alike {
		u.spec.DisplayName, u.spec.Mail = "Ida Abel", "ida.abel@pupils.example"
	}
	return u
}

// untouched checks that the stranger is as before and Ida where she was.
func untouched(t *testing.T, w *world) {
	t.Helper()
	if u := w.contexts[30].users["ida.abel"]; u.id != 77 || u.data != "not ours" {
		t.Errorf("the stranger is now %+v", u)
	}
	if c := w.accounts["ida.abel"].Context; c != 20 || w.contexts[20].users["ida.abel"].data != "data of ida.abel" {
		t.Errorf("Ida is in context %d with %q", c, w.contexts[20].users["ida.abel"].data)
	}
}

// powerFails applies a plan while the power fails at an effect, before or after
// OX or the directory has done it.
func powerFails(t *testing.T, w *world, plan *Plan, effect string, done bool) {
	t.Helper()
	dead := false
	w.fault = func(_ int, what string, d bool) error {
		if dead = dead || what == effect && d == done; dead {
			return errCrash
		}
		return nil
	}
	if _, err := Apply(context.Background(), plan, w.ports(), nil); err == nil || !dead {
		t.Fatalf("the power did not fail: %v", err)
	}
	w.fault = nil
}

// That a copy was once begun proves nothing about a user who came later.
func TestStaleIntentProvesNothing(t *testing.T) {
	t.Parallel()
	for _, alike := range []bool{false, true} {
		t.Run(fmt.Sprint("alike ", alike), func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 0)
			powerFails(t, w, plan, "copy-user", false)

			// The next run is about others and finds no copy of hers.
			if _, err := Apply(context.Background(), &Plan{Header: Header{ID: "others"}}, w.ports(), nil); err != nil {
				t.Fatal(err)
			}
			before := planOf(t, p, w, ida("secondary"), day0.AddDays(2))
			w.contexts[30].users["ida.abel"] = stranger(alike)
			if o := apply(t, w, before); o.Status != StatusFailed || !strings.Contains(o.Error, "does not prove ours") {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			untouched(t, w)

			// The planner sees the stranger as well.
			after := planOf(t, p, w, ida("secondary"), day0.AddDays(3))
			if alike { // she might be our copy: Apply decides
				if o := apply(t, w, after); o.Status != StatusFailed {
					t.Errorf("%s: %s", o.Status, o.Error)
				}
			} else {
				wantSteps(t, after, nil, []string{"transfer:escada/1"})
			}
			untouched(t, w)
		})
	}
}

// Even before any run has looked, a user who does not look like Ida is not
// taken for the copy that the journal says was begun.
func TestBegunCopyMustLookLikeIt(t *testing.T) {
	t.Parallel()
	w, p, plan := twoTerms(t, 0)
	powerFails(t, w, plan, "copy-user", false)
	next := planOf(t, p, w, ida("secondary"), day0.AddDays(2))
	w.contexts[30].users["ida.abel"] = stranger(false)
	if o := apply(t, w, next); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	untouched(t, w)
}

// Somebody who takes the name between the look and the copy is not taken for
// the copy.
func TestNameTakenDuringTheCopy(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	w.fault = func(_ int, what string, done bool) error {
		if what == "copy-user" && !done {
			w.contexts[30].users["ida.abel"] = stranger(false)
		}
		return nil
	}
	if o := apply(t, w, plan); o.Status != StatusFailed {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	untouched(t, w)
}

// A copy that the directory has switched to is the person's place. When the
// directory comes back from a backup of the day before, what was done there
// since is not thrown away as an unfinished copy.
func TestSwitchedCopyIsNoLongerDiscardable(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash ", crash), func(t *testing.T) {
			t.Parallel()
			w, p, plan := twoTerms(t, 14)
			backup := w.accounts["ida.abel"]
			if crash {
				powerFails(t, w, plan, "change-account", true)
			} else {
				apply(t, w, plan)
			}
			w.run(p, delivery(ida("secondary")), day0.AddDays(2))
			u := w.contexts[30].users["ida.abel"]
			u.data = "five days of work"
			w.contexts[30].users["ida.abel"] = u
			w.accounts["ida.abel"] = backup
			if o := apply(t, w, planOf(t, p, w, ida("secondary"), day0.AddDays(6))); o.Status != StatusFailed ||
				!strings.Contains(o.Error, "does not prove ours") {
				t.Errorf("%s: %s", o.Status, o.Error)
			}
			if got := w.contexts[30].users["ida.abel"].data; got != u.data {
				t.Errorf("in context 30 there is now %q", got)
			}
		})
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
	p := smallPolicy(0)
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

// A plan whose steps have no order is refused as a whole, before anything is
// done or written down.
func TestApplyRefusesPlansWithoutOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		edit func(p *Plan)
		want string
	}{
		{"a step that waits for itself", func(p *Plan) { p.Steps[0].After = []string{p.Steps[0].ID} },
			"does not come before it"},
		{"a step that waits for one that is not there", func(p *Plan) { p.Steps[0].After = []string{"create:escada/9"} },
			"does not come before it"},
		{"two steps that wait for each other", func(p *Plan) {
			p.Steps = append(p.Steps, p.Steps[0])
			p.Steps[1].ID = "transfer:escada/2"
			p.Steps[0].After, p.Steps[1].After = []string{p.Steps[1].ID}, []string{p.Steps[0].ID}
		}, "does not come before it"},
		{"the same step twice", func(p *Plan) { p.Steps = append(p.Steps, p.Steps[0]) }, "twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, _, plan := twoTerms(t, 0)
			plan.Steps = slices.Clone(plan.Steps)
			test.edit(plan)
			writes, lines := w.writes, len(w.journal)
			if _, err := Apply(context.Background(), plan, w.ports(), nil); err == nil ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if w.writes != writes || len(w.journal) != lines {
				t.Error("something was done")
			}
		})
	}
}

// Only the file that was reviewed is a plan.
func TestDecodePlanRefuses(t *testing.T) {
	t.Parallel()
	_, _, plan := twoTerms(t, 0)
	b, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodePlan(b); err != nil {
		t.Fatal(err)
	}
	good := string(b)
	for _, test := range []struct{ name, file, want string }{
		{"rubbish at the end", good + "rubbish", "something follows"},
		{"a second plan", good + good, "something follows"},
		{"cut off", good[:len(good)/2], "unexpected EOF"},
		{"another context", strings.Replace(good, `"context":30`, `"context":10`, 1), "was changed"},
		{"another old copy", strings.Replace(good, `"old_copy":`, `"old_copy":1`, 1), "was changed"},
		{"an unknown kind", strings.Replace(good, `"kind":"transfer"`, `"kind":"erase"`, 1), "unknown kind"},
		{"an unknown field", strings.Replace(good, `"keep_copy"`, `"lose_copy"`, 1), "unknown field"},
		{"a field of a later version", strings.Replace(good, `"steps"`, `"more": 1, "steps"`, 1), "unknown field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := DecodePlan([]byte(test.file)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
