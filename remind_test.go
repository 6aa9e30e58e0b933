package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// reminding is a policy with reminders four weeks and one week before the end.
func reminding() Policy {
	p := mayEmpty(smallPolicy(0))
	p.LifeCycle.RemindDays = []int{7, 28}
	return p
}

// remindedOn runs on the days after Ida has left and returns those on which she was
// reminded.
func remindedOn(w *world, p Policy, days []int) (on []int) {
	for _, n := range days {
		before := len(w.notices)
		plan := w.run(p, delivery(nil), day0.AddDays(n))
		reminders := plan.Count()[KindRemind]
		if got := len(w.notices) - before - plan.Count()[KindNotice]; got != reminders {
			w.t.Errorf("day %d: %d messages for %d reminders", n, got, reminders)
		}
		for range reminders {
			on = append(on, n)
		}
	}
	return on
}

// A leaver who was told on day 1 is reminded once for each day that the policy names,
// later where nothing ran on it, and once alone where several were missed.
func TestRemindersAreSentOnce(t *testing.T) {
	t.Parallel()
	every := func(from, to int) (days []int) {
		for n := from; n <= to; n++ {
			days = append(days, n, n) // each day twice
		}
		return days
	}
	for _, test := range []struct {
		name string
		days []int
		want []int
	}{
		{"every day, twice", every(1, 60), []int{29, 50}},
		{"the day itself is missed", append(every(1, 28), every(31, 60)...), []int{31, 50}},
		{"both are missed", append(every(1, 20), every(55, 60)...), []int{55}},
		{"nothing ran until the end", []int{1, 57, 58}, nil},
		{"the day before", []int{1, 56, 56, 57}, []int{56}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := reminding()
			w := newWorld(t, p)
			w.run(p, delivery(ida("primary")), day0)
			if got := remindedOn(w, p, test.days); !slices.Equal(got, test.want) {
				t.Errorf("reminded on %v, want %v", got, test.want)
			}
			if a := w.accounts["ida.abel"]; a.State != Deactivated {
				t.Errorf("in the end the account is %s", a.State)
			}
			for id, n := range w.notices {
				if n != 1 {
					t.Errorf("message %s was sent %d times", id, n)
				}
			}
		})
	}
}

// Who comes back is told that the notice is void and reminded no more; who then leaves
// again is reminded of the new notice.
func TestAVoidNoticeEndsReminders(t *testing.T) {
	t.Parallel()
	p := reminding()
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	remindedOn(w, p, []int{1, 29})
	if a := w.accounts["ida.abel"]; a.RemindedOn != day0.AddDays(29) {
		t.Fatalf("reminded on %s", a.RemindedOn)
	}
	w.run(p, delivery(ida("primary")), day0.AddDays(40))
	if plan := w.run(p, delivery(ida("primary")), day0.AddDays(50)); len(plan.Steps) > 0 {
		t.Errorf("after the return:\n%s", plan.Summary())
	}
	if a := w.accounts["ida.abel"]; a.State != Active || !a.RemindedOn.IsZero() {
		t.Errorf("after the return: %s, reminded on %s", a.State, a.RemindedOn)
	}
	if got := remindedOn(w, p, []int{60, 87, 88, 109, 116}); !slices.Equal(got, []int{88, 109}) {
		t.Errorf("of the second notice reminded on %v", got)
	}
}

// With an empty journal the directory knows who was reminded; and where only the
// journal knows, because the directory could not be written, nobody is told twice.
func TestRemindersAreOnRecordTwice(t *testing.T) {
	t.Parallel()
	p := reminding()
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	remindedOn(w, p, []int{1, 29})
	w.journal = nil
	if got := remindedOn(w, p, []int{30, 49, 50}); !slices.Equal(got, []int{50}) {
		t.Errorf("after the journal was lost: reminded on %v", got)
	}

	for _, next := range []int{29, 31} { // the day on which it is tried again
		w = newWorld(t, p)
		w.run(p, delivery(ida("primary")), day0)
		remindedOn(w, p, []int{1})
		down := errors.New("the directory is down")
		w.fault = func(_ int, what string, done bool) error {
			if what == "change-account" && !done {
				return down
			}
			return nil
		}
		plan := planOf(t, p, w, nil, day0.AddDays(29))
		clock := func() time.Time { return day0.AddDays(29).Time() }
		if _, err := Apply(context.Background(), plan, w.ports(), &ApplyOptions{Clock: clock}); err != nil {
			t.Fatal(err)
		}
		w.fault = nil
		w.run(p, delivery(nil), day0.AddDays(next))
		w.run(p, delivery(nil), day0.AddDays(32))
		sent := 0
		for _, n := range w.notices {
			sent += n
		}
		if a := w.accounts["ida.abel"]; sent != 2 || a.RemindedOn != day0.AddDays(next) {
			t.Errorf("again on day %d: %d messages, want the notice and one reminder; reminded on %s", next, sent, a.RemindedOn)
		}
	}
}

// Nobody is reminded whose absence may be the export's fault, nor who is on hold.
func TestNoReminderWhereTheNoticeIsInDoubt(t *testing.T) {
	t.Parallel()
	p := reminding()
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	remindedOn(w, p, []int{1})
	d := delivery(nil)
	d.Rejected = []Rejection{{Reason: "unreadable"}}
	plan, err := NewPlan(p, w.observe(), d, day0.AddDays(29))
	if err != nil || plan.Count()[KindRemind] != 0 {
		t.Errorf("%v\n%s", err, plan.Summary())
	}
	p.Holds = []Hold{{ID: "1", Until: day0.AddDays(99), By: "x", Reason: "y"}}
	if plan := planOf(t, p, w, nil, day0.AddDays(29)); plan.Count()[KindRemind] != 0 {
		t.Error(plan.Summary())
	}
}

func TestRemindDaysAreChecked(t *testing.T) {
	t.Parallel()
	for _, days := range [][]int{{0}, {56}, {7, 7}, {-1}} {
		p := reminding()
		p.LifeCycle.RemindDays = days
		if err := p.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), "life_cycle: remind_days") ||
			!strings.Contains(err.Error(), "from 1 to 55") {
			t.Errorf("%v: %v", days, err)
		}
	}
	p := reminding()
	p.LifeCycle.RemindDays = []int{55, 1}
	if err := p.WithDefaults().Validate(); err != nil {
		t.Error(err)
	}
}

// No plan reminds too early, too late, twice or of a day that is not the end.
func TestForbiddenReminders(t *testing.T) {
	t.Parallel()
	p := reminding()
	w := newWorld(t, p)
	w.run(p, delivery(ida("primary")), day0)
	remindedOn(w, p, []int{1})
	plan := planOf(t, p, w, nil, day0.AddDays(29))
	good := plan.Steps[0].Action.(SendReminder)
	for i, spoil := range []func(*SendReminder){
		func(a *SendReminder) { a.Before.State = Active },
		func(a *SendReminder) { a.Due = a.Due.AddDays(-1) },
		func(a *SendReminder) { a.Days = 27 },
		func(a *SendReminder) { a.Before.RemindedOn = day0.AddDays(29) },
		func(a *SendReminder) { a.After.RemindedOn = day0 },
		func(a *SendReminder) { a.After.Mail = "x@y.example" },
		func(a *SendReminder) { a.After.NoticedOn = day0 },
	} {
		a := good
		spoil(&a)
		if a.forbidden(day0.AddDays(29)) == "" {
			t.Error(fmt.Sprint(i), "is not forbidden")
		}
	}
	if why := good.forbidden(day0.AddDays(29)); why != "" {
		t.Error(why)
	}
}
