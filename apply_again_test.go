package schoolmail

import (
	"context"
	"errors"
	"testing"
)

// A plan that made an account and is applied again after the account has changed
// gives the user nothing back that it had on the first day.
func TestCreatedAccountIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	rs := ida("primary")
	first := w.run(p, delivery(rs), day0)
	rs[0].Language = "fr"
	if plan := w.run(p, delivery(rs), day0.AddDays(1)); plan.Count()[KindChange] != 1 {
		t.Fatal(plan.Summary())
	}
	writes := w.writes
	res, err := Apply(context.Background(), first, w.ports(), &ApplyOptions{InitialPassword: testPassword})
	if err != nil {
		t.Fatal(err)
	}
	if n := w.writes - writes; n != 0 || res.Outcomes[len(res.Outcomes)-1].Status != StatusDone {
		t.Errorf("the second time wrote %d things: %+v", n, res.Outcomes)
	}
}

// What the journal says is done is not even looked at when a run that was cut off is
// carried on.
func TestDoneStepsAskNoServer(t *testing.T) {
	t.Parallel()
	p := smallPolicy(0)
	w := newWorld(t, p)
	plan := planOf(t, p, w, ida("primary"), day0)
	ctx, cancel := context.WithCancel(context.Background())
	var contexts int
	count := func(what string, done bool) {
		if what == "ensure-context" && done {
			contexts++
		}
	}
	w.fault = func(_ int, what string, done bool) error {
		if what == "create-account" {
			cancel()
		}
		count(what, done)
		return ctx.Err()
	}
	options := &ApplyOptions{InitialPassword: testPassword, Parallel: 1}
	res, err := Apply(ctx, plan, w.ports(), options)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, o := range res.Outcomes {
		if o.Status == StatusFailed {
			t.Errorf("%s failed: %s, want that it counts as skipped", o.Step, o.Error)
		}
	}
	first := contexts
	w.fault = func(_ int, what string, done bool) error { count(what, done); return nil }
	if _, err := Apply(context.Background(), plan, w.ports(), options); err != nil {
		t.Fatal(err)
	}
	if n := plan.Count()[KindCreateContext]; contexts != n || first == 0 {
		t.Errorf("%d contexts were made before and %d after the cut, want %d altogether", first, contexts-first, n)
	}
	if a := w.accounts["ida.abel"]; a.State != Active {
		t.Errorf("in the end the account is %s", a.State)
	}
}

// An account whose making was interrupted is completed only as it was left.
func TestPendingAccountIsCompletedAsItWasLeft(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Account)
		failed bool
	}{
		"as it was":      {func(*Account) {}, false},
		"on hold":        {func(a *Account) { a.Held = true }, true},
		"another record": {func(a *Account) { a.Key.ID = "2" }, true},
		"leaving":        {func(a *Account) { a.State = Leaving }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := smallPolicy(0)
			w := newWorld(t, p)
			w.fault = func(_ int, what string, done bool) error {
				if what == "ensure-user" && !done {
					return errors.New("OX is down")
				}
				return nil
			}
			o := apply(t, w, planOf(t, p, w, ida("primary"), day0))
			if o.Status != StatusFailed || w.accounts["ida.abel"].State != Pending {
				t.Fatalf("%+v", o)
			}
			w.fault = nil
			plan := planOf(t, p, w, ida("primary"), day0)
			a := w.accounts["ida.abel"]
			test.change(&a)
			w.accounts["ida.abel"] = a
			writes := w.writes
			o = apply(t, w, plan)
			if failed := o.Status == StatusFailed; failed != test.failed || failed && w.writes != writes {
				t.Errorf("%+v, %d writes", o, w.writes-writes)
			}
		})
	}
}

// Whose mailbox is deactivated cannot use mail in Open-Xchange either, until the
// day of their return.
func TestDeactivatedUserHasNoMailInOX(t *testing.T) {
	t.Parallel()
	p := mayEmpty(smallPolicy(0))
	w := newWorld(t, p)
	at := func(day int, rs []Record, want bool) {
		t.Helper()
		w.run(p, delivery(rs), day0.AddDays(day))
		for _, u := range w.observe().Places {
			if !u.Admin && u.MailEnabled != want {
				t.Errorf("day %d: mail in OX %v, want %v", day, u.MailEnabled, want)
			}
		}
	}
	at(0, ida("primary"), true)
	at(1, nil, true)
	at(56, nil, true)
	at(57, nil, false)
	at(60, ida("primary"), true)
}

// Where somebody changes the account while its user is copied, the person stays
// where they are and the copy goes.
func TestCopyGoesWhenTheSwitchIsRefused(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 0)
	w.fault = func(_ int, what string, done bool) error {
		if what == "copy-user" && done {
			a := w.accounts["ida.abel"]
			a.Language = "it"
			w.accounts["ida.abel"] = a
		}
		return nil
	}
	if o := apply(t, w, plan); o.Status != StatusFailed {
		t.Errorf("%+v", o)
	}
	if len(w.contexts[30].users) != 1 || w.accounts["ida.abel"].Context != 20 {
		t.Errorf("lives in %d; context 30 has %d users, want its administrator only", w.accounts["ida.abel"].Context,
			len(w.contexts[30].users))
	}
}
