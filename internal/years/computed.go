package years

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site"
)

// The world as package site sees it.
type (
	siteReader    struct{ d schoolmail.Delivery }
	siteDirectory struct{ *World }
	siteGroupware struct{ *World }
)

func (r siteReader) Read(context.Context, schoolmail.Date) (schoolmail.Delivery, error) {
	return r.d, nil
}

func (d siteDirectory) Observe(context.Context) (site.Accounts, error) {
	st := d.World.observe()
	return site.Accounts{Accounts: st.Accounts, Retired: st.Retired}, nil
}

func (g siteGroupware) Observe(_ context.Context, ids []schoolmail.ContextID) ([]schoolmail.Context, []schoolmail.Place,
	error) {
	st := g.World.observe()
	return slices.DeleteFunc(st.Contexts, func(c schoolmail.Context) bool { return !slices.Contains(ids, c.ID) }),
		slices.DeleteFunc(st.Places, func(p schoolmail.Place) bool { return !slices.Contains(ids, p.Context) }), nil
}

// approve asks the engine, as just before an approved plan is applied, whether it still fits.
func (l *Life) approve(policy schoolmail.Policy, d schoolmail.Delivery, plan *schoolmail.Plan) (err error) {
	dir, err := os.MkdirTemp("", "years-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := l.World
	s, err := site.Open(&site.Settings{Name: "years", Sandbox: true, Policy: policy, StateDir: dir},
		&site.Parts{Reader: siteReader{d}, Directory: siteDirectory{w}, Groupware: siteGroupware{w}, Mailstore: w,
			Notifier: w, Journal: (*journal)(w)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	seen, err := s.Look(context.Background(), w.today)
	if err != nil {
		return err
	}
	if plan == nil {
		return nil
	}
	return s.Approve(seen, plan)
}

// computed holds that a plan is what its inputs give, in whatever order they come, and
// that one whose inputs have changed is refused before anything is written.
func (l *Life) computed(d schoolmail.Delivery) error {
	w := l.World
	st := w.observe()
	h, err := schoolmail.ReadHistory((*journal)(w))
	if err != nil {
		return err
	}
	st.Leftovers = h.Leftovers()
	plan, err := schoolmail.NewPlan(l.policy, st, d, w.today)
	if err != nil {
		return nil // told elsewhere
	}
	first, err := plan.Encode()
	if err != nil {
		return err
	}
	shuffled := d
	shuffled.Records = slices.Clone(d.Records)
	shuffle(l.more, shuffled.Records)
	shuffle(l.more, st.Accounts)
	shuffle(l.more, st.Places)
	again, err := schoolmail.NewPlan(l.policy, st, shuffled, w.today)
	if err != nil {
		return err
	}
	if second, err := again.Encode(); err != nil || !bytes.Equal(first, second) {
		w.Harm.add(NotComputed, fmt.Sprint(w.today, ": another order, another plan ", err))
	}
	if err := l.approve(l.policy, shuffled, plan); err != nil {
		w.Harm.add(NotComputed, fmt.Sprint(w.today, ": nothing has changed, but it is refused: ", err))
	}
	what, err := l.changed(d, plan)
	if _, stale := errors.AsType[*site.StaleError](err); !stale {
		w.Harm.add(NotComputed, fmt.Sprint(w.today, ": ", what, " has changed, and the plan is still accepted: ", err))
	}
	return nil
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// changed changes one of the things that a plan was made of, or the plan itself, asks for
// approval, and takes the change back.
func (l *Life) changed(d schoolmail.Delivery, plan *schoolmail.Plan) (what string, err error) {
	w := l.World
	effects := w.Effects
	defer func() {
		if w.Effects != effects {
			w.Harm.add(NotComputed, "something was written while a plan was looked at")
		}
	}()
	switch way := l.more.IntN(5); {
	case way == 0 && len(d.Records) > 0:
		other := d
		other.Records = slices.Clone(d.Records)
		other.Records[l.more.IntN(len(d.Records))].Language = "rm"
		other.Fingerprint = fingerprint(other.Records)
		return "a record", l.approve(l.policy, other, plan)
	case way == 1 && len(w.accounts) > 0:
		name := pick(l.more, sortedKeys(w.accounts))
		was := w.accounts[name]
		now := clone(was)
		now.Aliases = append(now.Aliases, "one.more@school.example")
		w.accounts[name] = now
		defer func() { w.accounts[name] = was }()
		return "an account", l.approve(l.policy, d, plan)
	case way == 2 && len(plan.Steps) > 0: // a step less, under an id that fits
		edited := *plan
		edited.Steps = plan.Steps[:len(plan.Steps)-1]
		edited.Header.ID = edited.Fingerprint()
		return "the plan itself", l.approve(l.policy, d, &edited)
	case way == 3:
		w.today++
		defer func() { w.today-- }()
		return "the day", l.approve(l.policy, d, plan)
	}
	policy := l.policy
	policy.Contexts = slices.Clone(policy.Contexts)
	policy.Contexts[0].Capacity++
	return "the policy", l.approve(policy, d, plan)
}
