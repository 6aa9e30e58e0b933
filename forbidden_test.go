package schoolmail

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// actionsOf returns one of everything that a plan can do with a person.
func actionsOf(t *testing.T) map[Kind]Step {
	t.Helper()
	all := map[Kind]Step{}
	keep := func(p *Plan) {
		for _, s := range p.Steps {
			s.After = nil
			all[s.Kind()] = s
		}
	}
	w, p, plan := twoTerms(t, 14)
	p.LifeCycle.PurgeDays, p.LifeCycle.RemindDays = 10, []int{28}
	keep(plan)
	mustApply(t, w, plan)
	both := append(ida("secondary"), person("2", "Bär", "Beat", RolePupil, at("ps-b", "primary")))
	both[0].FamilyName = "Abel-Muster"
	keep(w.run(p, delivery(both), day0.AddDays(2)))      // change, create
	keep(w.run(p, delivery(both), day0.AddDays(15)))     // drop-copy
	keep(w.run(p, delivery(nil), day0.AddDays(16)))      // notices
	keep(w.run(p, delivery(both[:1]), day0.AddDays(17))) // cancel
	keep(w.run(p, delivery(nil), day0.AddDays(18)))      // notice again
	keep(w.run(p, delivery(nil), day0.AddDays(60)))      // remind
	keep(w.run(p, delivery(nil), day0.AddDays(74)))      // deactivate
	keep(w.run(p, delivery(both[:1]), day0.AddDays(75))) // reactivate
	u := w.contexts[30].users["ida.abel"]
	u.spec.DisplayName = "?"
	w.contexts[30].users["ida.abel"] = u
	keep(w.run(p, delivery(both[:1]), day0.AddDays(76))) // repair
	keep(planOf(t, p, w, both[:1], day0.AddDays(90)))    // purge of Beat
	p.Renames = []RenameRequest{{ID: "1", GivenName: "Ada", By: "frei"}}
	keep(planOf(t, p, w, both[:1], day0.AddDays(90)))
	for _, k := range Kinds() {
		if _, ok := all[k]; !ok && k != KindCreateContext {
			t.Fatalf("no step of kind %s", k)
		}
	}
	return all
}

// Whoever edits a plan cannot make Apply do what no plan does, even if the id
// fits: each edit is refused as a whole, before anything is written.
func TestForbidden(t *testing.T) {
	t.Parallel()
	steps := actionsOf(t)
	day := func(s Step) Date { // on which the step was planned
		switch act := s.Action.(type) {
		case TransferContext:
			return act.After.Previous.Since
		case SendNotice:
			return act.After.NoticedOn
		case SendReminder:
			return act.After.RemindedOn
		case Deactivate:
			return act.After.Deactivated
		}
		return day0.AddDays(400)
	}
	for _, s := range steps {
		if err := forbidden(&Plan{Header: Header{Now: day(s)}, Steps: []Step{s}}); err != nil {
			t.Errorf("unchanged: %v", err)
		}
	}
	last := steps[KindDeactivate] // 56 days after the notice
	d := last.Action.(Deactivate)
	d.Before.NoticedOn = d.After.Deactivated - 56
	d.After.NoticedOn = d.Before.NoticedOn
	last.Action = d
	if err := forbidden(&Plan{Header: Header{Now: day(last)}, Steps: []Step{last}}); err != nil {
		t.Errorf("after 56 days: %v", err)
	}
	edit := func(f func(s *Step)) func(*Step) { return f }
	deactivate := func(f func(a *Deactivate)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(Deactivate); f(&a); s.Action = a })
	}
	notice := func(f func(a *SendNotice)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(SendNotice); f(&a); s.Action = a })
	}
	change := func(f func(a *ChangeAccount)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(ChangeAccount); f(&a); s.Action = a })
	}
	transfer := func(f func(a *TransferContext)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(TransferContext); f(&a); s.Action = a })
	}
	drop := func(f func(a *DropCopy)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(DropCopy); f(&a); s.Action = a })
	}
	purge := func(f func(a *Account)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(Purge); f(&a.Account); s.Action = a })
	}
	create := func(f func(a *Account)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(CreateAccount); f(&a.Account); s.Action = a })
	}
	rename := func(f func(a *Rename)) func(*Step) {
		return edit(func(s *Step) { a := s.Action.(Rename); f(&a); s.Action = a })
	}
	const more = "more of the account"
	for _, test := range []struct {
		name string
		kind Kind
		edit func(*Step)
		want string
	}{
		{"rename without an alias", KindRename, rename(func(a *Rename) { a.After.Aliases = nil }), "would be lost"},
		{"rename without a trace", KindRename, rename(func(a *Rename) { a.After.Former = nil }), "a former one"},
		{"rename somebody who leaves", KindRename, rename(func(a *Rename) { a.Before.State = Leaving }), "is leaving"},
		{"rename and move", KindRename, rename(func(a *Rename) { a.After.Context = 7 }), more},
		{"end an address by a change", KindChange, change(func(a *ChangeAccount) {
			a.Before.Former = []Former{{Mail: "x@s.example", Until: day0.AddDays(999), Told: true}}
		}), "before its day"},
		{"deactivate somebody active", KindDeactivate, deactivate(func(a *Deactivate) { a.Before.State = Active }),
			"no recorded notice"},
		{"deactivate without a notice", KindDeactivate, deactivate(func(a *Deactivate) {
			a.Before.NoticedOn,
				a.After.NoticedOn = 0, 0
		}), "no recorded notice"},
		{"deactivate after 55 days", KindDeactivate, deactivate(func(a *Deactivate) {
			a.Before.NoticedOn = a.After.Deactivated - 55
			a.After.NoticedOn = a.Before.NoticedOn
		}), "55 days old"},
		{"deactivate on another day", KindDeactivate, deactivate(func(a *Deactivate) { a.After.Deactivated -= 100 }),
			"not dated"},
		{"deactivate and rename", KindDeactivate, deactivate(func(a *Deactivate) { a.After.FamilyName = "X" }), more},
		{"deactivate by a change", KindChange, change(func(a *ChangeAccount) { a.After.State = Deactivated }), more},
		{"a notice by a change", KindChange, change(func(a *ChangeAccount) {
			a.After.State, a.After.NoticedOn = Leaving,
				day0
		}), more},
		{"another address", KindChange, change(func(a *ChangeAccount) { a.After.Mail = "x@y.example" }), more},
		{"a further address", KindChange, change(func(a *ChangeAccount) { a.After.Aliases = []string{"x@y.example"} }), more},
		{"another record", KindChange, change(func(a *ChangeAccount) { a.Before.Key.ID, a.After.Key.ID = "9", "9" }),
			"another record"},
		{"another user name", KindChange, change(func(a *ChangeAccount) {
			a.Before.Username, a.After.Username = "root",
				"root"
		}), "another user name"},
		{"an old copy that never was", KindChange, change(func(a *ChangeAccount) {
			a.After.Previous = Previous{10, 3,
				day0}
		}), "no old copy"},
		{"a notice of yesterday", KindNotice, notice(func(a *SendNotice) { a.After.NoticedOn-- }), "would be dated"},
		{"a notice of 55 days", KindNotice, notice(func(a *SendNotice) { a.Due-- }), "55 days"},
		{"a notice to somebody who is leaving", KindNotice, notice(func(a *SendNotice) { a.Before.State = Leaving }),
			"gets no notice"},
		{"a notice that moves", KindNotice, notice(func(a *SendNotice) { a.After.Context = 10 }), more},
		{"a transfer to where one is", KindTransfer,
			transfer(func(a *TransferContext) { a.After.Context = a.Before.Context }), "no transfer"},
		{"a transfer that forgets the old copy", KindTransfer,
			transfer(func(a *TransferContext) { a.After.Previous = Previous{} }), "not be remembered"},
		{"a transfer that remembers another", KindTransfer,
			transfer(func(a *TransferContext) { a.After.Previous.UserID++ }), "not be remembered"},
		{"a transfer that forgets an older copy", KindTransfer,
			transfer(func(a *TransferContext) { a.Before.Previous = Previous{10, 3, day0} }), "would be forgotten"},
		{"a transfer that renames", KindTransfer, transfer(func(a *TransferContext) { a.After.GivenName = "X" }), more},
		{"a copy where the person lives", KindDropCopy,
			drop(func(a *DropCopy) { a.Before.Previous.Context = a.Before.Context }), "lives elsewhere"},
		{"a copy that stays remembered", KindDropCopy, drop(func(a *DropCopy) { a.After.Previous = a.Before.Previous }),
			"lives elsewhere"},
		{"the last copy of somebody active", KindDropCopy, drop(func(a *DropCopy) { a.WithAccount = true }),
			"account that is active"},
		{"the last copy without a purge", KindDropCopy, drop(func(a *DropCopy) {
			a.WithAccount, a.Before.State, a.After.State = true, Deactivated, Deactivated
		}), "no later step purges"},
		{"purge somebody active", KindPurge, purge(func(a *Account) { a.State = Active }), "is active"},
		{"purge somebody leaving", KindPurge, purge(func(a *Account) { a.State = Leaving }), "is leaving"},
		{"purge without a date", KindPurge, purge(func(a *Account) { a.Deactivated = 0 }), "earlier day"},
		{"purge on the same day", KindPurge, purge(func(a *Account) { a.Deactivated = day0.AddDays(400) }), "earlier day"},
		{"purge somebody on hold", KindPurge, purge(func(a *Account) { a.Held = true }), "on hold"},
		{"create somebody deactivated", KindCreate, create(func(a *Account) { a.State = Deactivated }),
			"new account is active"},
		{"create without a context", KindCreate, create(func(a *Account) { a.Context = 0 }), "new account is active"},
		{"create without a record", KindCreate, create(func(a *Account) { a.Key = RecordKey{} }), "another record"},
		{"cancel nothing", KindCancelNotice, func(s *Step) {
			a := s.Action.(CancelNotice)
			a.Before.State = Active
			s.Action = a
		}, "leaving and stays"},
		{"cancel and rename", KindCancelNotice, func(s *Step) {
			a := s.Action.(CancelNotice)
			a.After.FamilyName = "X"
			s.Action = a
		}, more},
		{"reactivate somebody active", KindReactivate, func(s *Step) {
			a := s.Action.(Reactivate)
			a.Before.State = Active
			s.Action = a
		}, "does not open"},
		{"reactivate elsewhere", KindReactivate, func(s *Step) {
			a := s.Action.(Reactivate)
			a.After.Context = 10
			s.Action = a
		}, more},
		{"restore from nowhere", KindRepair, func(s *Step) {
			a := s.Action.(RepairPlace)
			a.Restore = true
			s.Action = a
		}, "no old copy to restore"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := steps[test.kind]
			now := day(s)
			test.edit(&s)
			w := newWorld(t, smallPolicy(0))
			_, err := Apply(t.Context(), &Plan{Header: Header{ID: "x", Now: now}, Steps: []Step{s}}, w.ports(), nil)
			if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), test.want) ||
				!strings.Contains(err.Error(), s.ID) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if w.writes != 0 || len(w.journal) != 0 {
				t.Error("something was written")
			}
		})
	}
}

// Whoever has a user is transferred with it; a plan that would make a new one
// elsewhere and forget the old fails for that person.
func TestNewPlaceOnlyForWhomHasNone(t *testing.T) {
	t.Parallel()
	w, _, plan := twoTerms(t, 14)
	act := plan.Steps[0].Action.(TransferContext)
	after := act.After
	after.Previous = Previous{}
	s := plan.Steps[0]
	s.Action = ChangeAccount{Before: act.Before, After: after, Fields: []string{"context"}, Access: act.Access}
	edited := &Plan{Header: plan.Header, Steps: []Step{s}}
	if o := apply(t, w, edited); o.Status != StatusFailed || !strings.Contains(o.Error, "would be forgotten") {
		t.Errorf("%s: %s", o.Status, o.Error)
	}
	untouchedIda(t, w)
}

func untouchedIda(t *testing.T, w *world) {
	t.Helper()
	if w.accounts["ida.abel"].Context != 20 || len(w.contexts[30].users) != 1 {
		t.Error("Ida was moved without her data")
	}
}

// A plan of a later format is not understood by halves.
func TestPlanFormat(t *testing.T) {
	t.Parallel()
	_, _, plan := twoTerms(t, 0)
	if plan.Header.Format != PlanFormat {
		t.Errorf("format %d", plan.Header.Format)
	}
	for format, ok := range map[int]bool{0: true, PlanFormat: true, PlanFormat + 1: false} {
		p := *plan
		p.Steps = slices.Clone(plan.Steps)
		p.Header.Format = format
		p.Header.ID = p.Fingerprint()
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodePlan(b); (err == nil) != ok {
			t.Errorf("format %d: %v", format, err)
		}
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
