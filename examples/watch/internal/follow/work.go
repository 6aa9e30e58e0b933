package follow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/examples/internal/books"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/site"
	"github.com/ictmedia/schoolmail/site/journal"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/ucs"
)

// work acts on a batch, and returns what of it is to be tried again.
func (f *follower) work(ctx context.Context, b batch) (left batch, status int) {
	start := time.Now()
	if f.forgetOwn(ctx, &b); b.empty() {
		return left, cli.Done
	}
	said := []string{b.describe()}
	defer func() {
		f.say("%s (%s)", strings.Join(said, ", "), time.Since(start).Round(100*time.Millisecond))
	}()
	done := false
	if b.everybody || len(b.people) > 0 {
		words, failed, held, err := f.people(ctx, &b)
		said = append(said, words...)
		switch {
		case err != nil:
			said = append(said, why(err))
			return b, f.status(err)
		case len(failed) > 0:
			left.people = failed
			status = cli.Held
		case held:
			status = cli.Held
		}
		done = true
	}
	if f.conf.Watch.NoBooks || !done && !b.books {
		return left, status
	}
	words, held, err := f.books(ctx)
	said = append(said, words...)
	if err != nil {
		said = append(said, "address books: "+why(err))
		left.books = true
		return left, cli.Worst(status, f.status(err))
	}
	if held {
		status = cli.Worst(status, cli.Held)
	}
	return left, status
}

func (f *follower) status(err error) int {
	if _, ok := errors.AsType[*site.InputError](err); ok {
		return cli.Usage
	}
	if _, ok := errors.AsType[*cli.UsageError](err); ok {
		return cli.Usage
	}
	return cli.Failed
}

// why says what kept a batch from being done.
func why(err error) string {
	if held, ok := errors.AsType[*lease.HeldError](err); ok {
		return held.Error() + ": afterwards"
	}
	if errors.Is(err, journal.ErrLocked) {
		return "another run is under way on this machine: afterwards"
	}
	return "not done: " + err.Error()
}

// people runs the main job for those who have changed. It returns what to say of it,
// and the people with whom something went wrong.
func (f *follower) people(ctx context.Context, b *batch) (said []string, failed map[string]bool, held bool, err error) {
	open, err := site.Open(f.set, nil)
	if err != nil {
		return nil, nil, false, err
	}
	defer open.Close()
	var hand byHand
	// Servers that lack what the plan needs keep the whole batch waiting: it is tried
	// again, and nobody has half of what they need in the meantime.
	opts := &site.RunOptions{Day: f.day(), Apply: f.apply, Only: b.asked, BreakLease: f.breakLease, Preflight: true,
		Prepare: func(ctx context.Context) (err error) {
			hand, err = f.entered(ctx, b)
			return err
		}}
	if !f.apply {
		if hand, err = f.entered(ctx, b); err != nil {
			return nil, nil, false, err
		}
	}
	acts, err := open.Run(ctx, opts)
	f.breakLease = false
	said = hand.words(f.apply)
	if err != nil {
		return said, nil, false, err
	}
	failed = map[string]bool{}
	for _, act := range acts {
		f.remember(b, act)
		said = append(said, wordsOf(act)...)
		held = held || len(act.Plan.Held) > 0
		if act.Result == nil {
			continue
		}
		for _, o := range act.Result.Outcomes {
			if o.Status != schoolmail.StatusDone {
				failed[o.Subject] = true
			}
		}
		if act.Err != nil {
			return said, failed, held, act.Err
		}
	}
	return said, failed, held || hand.held(), nil
}

// remember keeps how the accounts of a batch are after an act. Where that is not
// plain from the plan nothing is kept.
func (f *follower) remember(b *batch, act *site.Act) {
	steps := map[string]int{}
	for _, s := range act.Plan.Steps {
		steps[s.Subject]++
	}
	for i := range act.World.State.Accounts {
		if a := act.World.State.Accounts[i]; b.asked(a.Username) {
			delete(f.known, a.Username)
			if steps[a.Username] == 0 {
				a.DN = ""
				f.known[a.Username] = a
			}
		}
	}
	for i, s := range act.Plan.Steps {
		change, ok := s.Action.(schoolmail.ChangeAccount)
		if ok && steps[s.Subject] == 1 && act.Result != nil && act.Result.Outcomes[i].Status == schoolmail.StatusDone {
			change.After.DN = ""
			f.known[s.Subject] = change.After
		}
	}
}

// forgetOwn leaves those out of a batch whose accounts are as the last run has seen or
// left them.
func (f *follower) forgetOwn(ctx context.Context, b *batch) {
	if b.everybody {
		return
	}
	for name := range b.people {
		before, ok := f.known[name]
		if !ok {
			continue
		}
		a, err := f.client.Account(ctx, name)
		if a.DN = ""; err == nil && reflect.DeepEqual(a, before) {
			delete(b.people, name)
		}
	}
}

// wordsOf says what an act has done, or would do.
func wordsOf(act *site.Act) (said []string) {
	counts := act.Plan.Count()
	for _, k := range schoolmail.Kinds() {
		if counts[k] > 0 {
			said = append(said, fmt.Sprintf("%d x %s", counts[k], k))
		}
	}
	if len(said) == 0 {
		said = append(said, "nothing to do")
	} else if act.Result == nil {
		said[0] = "to do: " + said[0]
	}
	if act.Result != nil {
		if n := act.Result.Count(schoolmail.StatusFailed) + act.Result.Count(schoolmail.StatusSkipped); n > 0 {
			said = append(said, fmt.Sprintf("%d not done, see %s", n, act.Folder))
		}
	}
	if n := len(act.Plan.Held); n > 0 {
		said = append(said, fmt.Sprintf("%d held back: %s", n, reasons(act.Plan.Held)))
	}
	return said
}

// reasons lists the limits that held steps back, or why there was no seat.
func reasons(held []schoolmail.Held) string {
	var list []string
	for _, h := range held {
		if why := cmp.Or(h.Guard, h.Why); !slices.Contains(list, why) {
			list = append(list, why)
		}
	}
	return strings.Join(list, "; ")
}

// byHand counts people who were entered by hand.
type byHand struct {
	adopted, without, refused, limit int
	over                             bool
}

func (h byHand) held() bool { return h.over || h.refused > 0 }

func (h byHand) words(apply bool) (said []string) {
	if h.adopted > 0 {
		said = append(said, fmt.Sprintf("%d entered by hand %s", h.adopted,
			map[bool]string{true: "adopted", false: "to adopt"}[apply]))
	}
	if h.without > 0 && h.over {
		said = append(said, fmt.Sprintf("%d entered by hand, more than adopt_limit = %d in [watch]: nobody was adopted",
			h.without, h.limit))
	} else if h.without > 0 {
		said = append(said, fmt.Sprintf("%d without a record id: left alone, see adopt in [watch]", h.without))
	}
	if h.refused > 0 {
		said = append(said, fmt.Sprintf("%d entered by hand, but closed or without an address: left alone", h.refused))
	}
	return said
}

// entered adopts those among the changed who were entered by hand, or counts them.
func (f *follower) entered(ctx context.Context, b *batch) (h byHand, err error) {
	h.limit = cmp.Or(f.conf.Watch.AdoptLimit, 20)
	var list []schoolmail.Account
	note := func(a *schoolmail.Account) {
		switch {
		case !a.Key.IsZero() || a.Role == "" || len(a.Memberships) == 0:
		case !slices.Contains(f.conf.Watch.Adopt, a.Role):
			h.without++
		case a.Mail == "":
			h.refused++
		default:
			list = append(list, *a)
		}
	}
	if b.everybody {
		for a, err := range f.client.Accounts(ctx) {
			if err != nil {
				return h, err
			}
			note(&a)
		}
	} else {
		for name := range b.people {
			switch a, err := f.client.Account(ctx, name); {
			case err == nil:
				note(&a)
			case !errors.Is(err, schoolmail.ErrNotFound):
				return h, err
			}
		}
	}
	if len(list) > h.limit {
		h.over, h.without = true, h.without+len(list)
		return h, nil
	}
	for i := range list {
		err = nil
		if f.apply {
			err = f.client.Adopt(ctx, list[i].Username, site.ByHand(f.set.Policy.Source, list[i].Username), f.day())
		}
		switch {
		case err == nil:
			h.adopted++
		case errors.Is(err, ucs.ErrConflict):
			h.refused++
		default:
			return h, err
		}
	}
	return h, nil
}

// books brings the address books up to date. It returns what to say of it.
func (f *follower) books(ctx context.Context) (said []string, held bool, err error) {
	job, err := books.Open(ctx, f.config, &books.Options{Apply: f.apply})
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, job.Close()) }()
	job.Today = f.day()
	var out bytes.Buffer
	held, err = job.Run(ctx, &out, f.apply, false)
	if job.Done != (addressbook.Counts{}) {
		said = append(said, "books: "+job.Done.String())
	}
	if held {
		said = append(said, "books held back: see addressbooks")
	}
	return said, held, err
}
