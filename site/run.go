package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/site/lease"
)

// RunOptions say what a run shall do. The zero value only plans, for today.
type RunOptions struct {
	Day      schoolmail.Date  // to plan for; 0: today
	Apply    bool             // carry out what was planned
	Approved *schoolmail.Plan // carry out exactly this plan, if it still fits
	Undo     *schoolmail.Plan // plan to take back what this plan has done
	// Part limits what is done to some schools and people, after everything was
	// decided on the whole; plan and journal say so. nil: everything is done.
	Part *schoolmail.Selection
	// Planned is called with each plan before anything of it is carried out; an
	// error ends the run there, as an [InputError].
	Planned  func(*schoolmail.Plan) error
	Observer Observer // is told how the run goes on; nil: nobody is
	// Approval says who has approved the plan in Approved; nil: nobody, on record.
	Approval *Approval
	// BreakLease takes the lease of the district from whoever holds it: for a person
	// who knows that no other run is under way.
	BreakLease bool
	// Preflight asks all servers, before anything of a plan is written, for what it
	// needs; see [Settings.Preflight]. If something is missing nothing is done, and the
	// error is a [PreflightError].
	Preflight bool
	// Prepare is called under the lease before anything is read, if the plan is to be
	// carried out. With it, the lease is taken even if there turns out nothing to do.
	Prepare func(context.Context) error
	// Only limits the run to people whose accounts it says yes to, by user name; it
	// must say the same each time. The plan is made of all that is known and guarded
	// as a whole one is, but nobody else is planned for, and nobody is missing. If
	// there is nothing to do no trace of the run is kept. nil: everybody.
	Only func(username string) bool

	by string // who applies, for journal and report
}

// Observer is told how a run goes on. Observe may be called from several
// goroutines at the same time.
type Observer interface{ Observe(Event) }

// ObserverFunc makes an Observer of a function.
type ObserverFunc func(Event)

// Observe calls the function.
func (f ObserverFunc) Observe(e Event) { f(e) }

// Stage is where a run is.
type Stage string

// The stages of a run, in their order. Only what is applied has others than Reading.
const (
	Contended Stage = "contended" // another run holds the district: it is watched whether it lives
	Reading   Stage = "reading"   // the export and the servers are read
	Applying  Stage = "applying"  // a plan begins to be carried out
	Waiting   Stage = "waiting"   // until a server must have ended what an earlier run began
	Delayed   Stage = "delayed"   // at any time: a server keeps requests waiting, or goes on; Event.Notice says why
	Stepped   Stage = "stepped"   // a step has ended; Event.Step says which and how
	Applied   Stage = "applied"   // the plan has been carried out, or was broken off
)

// Event is one thing that an [Observer] is told.
type Event struct {
	Stage Stage
	Act   *Act             // from Applying on
	Wait  time.Duration    // Waiting
	Other lease.Holder     // Contended
	Step  schoolmail.Event // Stepped
	// Notice is a line for the terminal with reason and end, without anybody's name.
	Notice string // Delayed
}

// Act is one plan of a run and what came of it.
type Act struct {
	Title    string
	Undo     bool // the plan takes an earlier one back
	World    *World
	Plan     *schoolmail.Plan
	Result   *schoolmail.Result // nil: only planned
	Err      error              // why carrying it out ended early
	Planned  time.Duration
	Applied  time.Duration
	Requests map[string]int64 // per server, in this act
	Copies   []CopyReport     // of the people transferred, what was compared and what is lost
	By       string           // who has approved and who has applied it
	Folder   string           // where plan and reports of what was applied are kept

	took map[string]time.Duration // by a request, on average

	register *register        // who its people are
	before   map[string]int64 // requests per server, before it was looked
	rest     bool             // an earlier run is finished by it; the run's own act is still to come
	pages    Pages
	runs     string // folder of the kept runs, for the pictures of the year; "": there are none
}

// NeedsAttention reports whether something was held back, failed for single people
// or was found that keeps somebody from something.
func (a *Act) NeedsAttention() bool {
	// Who is on hold waits because somebody has said so.
	byItself := func(h schoolmail.Held) bool { return h.Guard != "hold" }
	if slices.ContainsFunc(a.Plan.Held, byItself) || len(a.World.Findings) > 0 {
		return true
	}
	if slices.ContainsFunc(a.Plan.Findings, func(f schoolmail.Finding) bool { return !informative[f.Kind] }) {
		return true
	}
	return a.Result != nil && a.Result.Count(schoolmail.StatusFailed)+a.Result.Count(schoolmail.StatusSkipped) > 0
}

// Idle reports whether there was nothing to do and there is nothing to look at.
func (a *Act) Idle() bool {
	return a.Plan.Empty() && len(a.Plan.Held) == 0 && a.Err == nil && !a.NeedsAttention()
}

// informative are the findings that keep nobody from anything.
var informative = map[string]bool{"override": true, "unknown-users": true, "second-copy": true, "not-yet-here": true,
	"on-hold":      true,
	"hold-expired": true, "hold-unused": true,
	"no-longer-here": true,
	"renamed-person": true, "rename-proposed": true, "renamed-already": true,
	"override-expired": true, "override-unused": true, "several-populations": true,
	"orphan-accounts": true, "no-copies": true, "pairs": true}

// made returns a function that reports whether the act has made an account.
func (a *Act) made() func(username string) bool {
	made := map[string]bool{}
	if a.Result != nil {
		for _, o := range a.Result.Outcomes {
			made[o.Subject] = made[o.Subject] || o.Kind == schoolmail.KindCreate && o.Status == schoolmail.StatusDone
		}
	}
	return func(username string) bool { return made[username] }
}

// purged returns the user names of those whom the act has purged, by the keys of
// their records.
func (a *Act) purged() map[string]string {
	gone := map[string]string{}
	for i, s := range a.Plan.Steps {
		if s.Kind() == schoolmail.KindPurge && a.done(i) {
			gone[s.Key.String()] = s.Subject
		}
	}
	return gone
}

// Created returns how many accounts the act has made.
func (a *Act) Created() int {
	n := 0
	for i, s := range a.Plan.Steps {
		if s.Kind() == schoolmail.KindCreate && a.Result != nil && a.Result.Outcomes[i].Status == schoolmail.StatusDone {
			n++
		}
	}
	return n
}

// Run looks, plans and, if asked to, carries out, and returns the acts: usually
// one; two if an earlier run was cut off and its plan is finished first.
//
// The error concerns what happens before anything is written, and then the acts
// are those before; an [InputError] says that what the run was given is at fault.
// What happens later is in the acts. A run can be repeated at any time, and then
// does only what is missing. One that finds nothing to do asks no server to change
// anything; its own report and status it leaves all the same.
func (s *Site) Run(ctx context.Context, opts *RunOptions) ([]*Act, error) {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	if o.Day.IsZero() {
		o.Day = schoolmail.DateOf(time.Now())
	}
	if o.Observer == nil {
		o.Observer = nobody{}
	}
	defer s.teller.during(o.Observer)()
	o.Apply = o.Apply || o.Approved != nil
	var first *Act // planned before the lease was taken
	if o.Apply {
		name, id, err := whoRuns()
		if err == nil {
			err = errors.Join(s.dayFits(o.Day), s.mayApply(&o, id))
		}
		if err != nil {
			return nil, &InputError{err}
		}
		o.by = signed(&o, name)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.limits.run(),
			fmt.Errorf("the run has taken more than %s; run the same command to go on", s.limits.run()))
		defer cancel()
		ahead, err := s.ahead(ctx, &o)
		if err != nil {
			return nil, err
		}
		if first = ahead.act; !ahead.idle {
			l, err := s.lease(ctx, &o)
			if err != nil {
				return nil, fmt.Errorf("nothing was done: %w", err)
			}
			if l != nil {
				ctx = l.Context()
				defer l.Release() // if that fails the next run finds out that nobody holds it
			}
			if l == nil || !l.Since(ahead.seen) {
				first = nil
			}
		}
		if o.Prepare != nil {
			if err := o.Prepare(ctx); err != nil {
				return nil, err
			}
		}
	}
	acts, err := s.acts(ctx, &o, first)
	if n := len(acts); err == nil && n > 0 && acts[n-1].Result != nil && acts[n-1].Err == nil {
		err = s.rotate()
	}
	return acts, err
}

// journalMax is the length in bytes from which a journal is closed at the end of a
// run and another one begun.
const journalMax = 256 << 10

// rotate begins another journal when this one has grown long.
func (s *Site) rotate() error {
	if s.journal == nil || s.journal.Size() < journalMax {
		return nil
	}
	return s.journal.Rotate()
}

// acts does the acts of a run, of which the first may have been planned already.
func (s *Site) acts(ctx context.Context, o *RunOptions, first *Act) (acts []*Act, err error) {
	for {
		act := first
		if first = nil; act == nil {
			if act, err = s.planAct(ctx, o, len(acts) == 0); err != nil {
				return acts, err
			}
		}
		act, err = s.carryOut(ctx, act, o)
		if act != nil {
			acts = append(acts, act)
		}
		if err != nil || !act.rest || act.Err != nil {
			return acts, err
		}
	}
}

// dayFits refuses to apply a plan of another day than today, unless it is about
// made-up people: notices would be too short and guards would see an empty window.
func (s *Site) dayFits(day schoolmail.Date) error {
	if today := schoolmail.DateOf(time.Now()); day != today && !s.sandbox {
		return fmt.Errorf("nothing was done: a plan of %s is not applied on %s; only a district with sandbox = true in "+
			"[site] allows that", day, today)
	}
	return nil
}

// clockFits refuses a day before one that the journal has seen.
func (s *Site) clockFits(w *World) error {
	if last := schoolmail.DateOf(w.history.Last()); !w.history.Last().IsZero() && last > w.Day && !s.sandbox {
		return fmt.Errorf("nothing was done: the journal has entries of %s, today is %s: is the clock of this machine "+
			"right?", last, w.Day)
	}
	return nil
}

// planAct looks, and plans one act of a run. It writes nothing.
func (s *Site) planAct(ctx context.Context, o *RunOptions, first bool) (*Act, error) {
	before := s.Requests()
	o.Observer.Observe(Event{Stage: Reading})
	w, err := s.Look(ctx, o.Day)
	if err != nil {
		return nil, err
	}
	if o.Only != nil {
		w.only(&s.policy, o.Only)
	}
	if o.Apply {
		if err := s.clockFits(w); err != nil {
			return nil, &InputError{err}
		}
	}
	limits, err := w.Select(o.Part)
	if err != nil {
		return nil, &InputError{err}
	}
	start := time.Now()
	act := &Act{Title: "Run", World: w, before: before, pages: s.settings.Pages, runs: s.RunsDir()}
	switch {
	case o.Approved != nil:
		act.Plan, err = o.Approved, s.Approve(w, o.Approved)
	case o.Undo != nil:
		act.Title, act.Undo = "Undo of plan "+o.Undo.Header.ID, true
		if act.Plan, err = s.Undo(w, o.Undo); err == nil {
			act.Plan = part(act.Plan, limits)
		}
	default:
		if o.Apply && first {
			act.Plan = s.cutOffPart(w, limits)
		}
		if act.Plan != nil {
			act.Title, act.rest = "Rest of a plan that was cut off", true
			break
		}
		if act.Plan, err = s.Plan(w); err == nil {
			act.Plan = part(act.Plan, limits)
		}
	}
	if err != nil {
		return nil, &InputError{err}
	}
	act.Planned = time.Since(start)
	return act, nil
}

// carryOut ends an act that is planned: it applies the plan, if the run is to. An act
// that is returned beside an error has a plan, of which nothing was done.
func (s *Site) carryOut(ctx context.Context, act *Act, o *RunOptions) (*Act, error) {
	if o.Planned != nil {
		if err := o.Planned(act.Plan); err != nil {
			return nil, &InputError{err}
		}
	}
	if o.Apply && (o.Only == nil || !act.Plan.Empty()) {
		if err := s.apply(ctx, act, o); err != nil {
			return act, err
		}
	}
	act.Requests, act.took = since(act.before, s.Requests()), map[string]time.Duration{}
	for name := range act.Requests {
		act.took[name] = s.RequestTime(name)
	}
	if act.Result != nil {
		if err := errors.Join(s.leaveCopies(act), s.leave(act)); err != nil {
			return act, fmt.Errorf("report: %w", err)
		}
		err := errors.Join(s.followRenames(act), s.forget(act.World.Day, act.purged()), s.expire(act.World.Day))
		if err != nil {
			return act, err
		}
	}
	return act, nil
}

// apply carries the plan of an act out.
func (s *Site) apply(ctx context.Context, act *Act, o *RunOptions) error {
	if err := s.ready(ctx, act, o); err != nil {
		return err
	}
	observer := o.Observer
	act.By = o.by
	if h := act.Plan.Header; h.Only != nil {
		act.By += fmt.Sprintf("; only %s, %d other steps left out", h.Only, h.LeftOut)
	}
	observer.Observe(Event{Stage: Applying, Act: act})
	if err := s.keep(act); err != nil {
		return err
	}
	// Of a run that was cut off.
	if err := s.forget(act.World.Day, act.World.history.Purged()); err != nil {
		return err
	}
	pw, err := s.openPasswords(firstPasswords)
	if err == nil {
		err = pw.publish(act.World.history.Made)
	}
	if err == nil {
		err = pw.prepare(act.Plan)
	}
	if err == nil && !act.Plan.Empty() {
		if err = keepPlan(s.planFile(), s.planNames(), act.Plan, act.register); err != nil {
			err = fmt.Errorf("state folder: the plan under way cannot be kept, nothing was done: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if err := s.awaitCopies(ctx, act, observer); err != nil {
		return err
	}
	ports := s.Ports()
	if len(s.alsoTell) > 0 {
		ports.Notifier = alsoTelling{ports.Notifier, s, act.World, s.teller.tell}
	}
	s.closing(&ports, act.Plan)
	start := time.Now()
	act.Result, act.Err = schoolmail.Apply(ctx, act.Plan, ports, &schoolmail.ApplyOptions{
		InitialPassword: pw.of, Observer: steps{observer, act}, Parallel: s.parallel, Clock: time.Now, By: act.By,
	})
	act.Applied = time.Since(start)
	if err := pw.publish(act.made()); err != nil {
		act.Err = errors.Join(act.Err, err)
	}
	observer.Observe(Event{Stage: Applied, Act: act})
	if act.Err != nil {
		return nil // the plan stays, for the next run to go on with
	}
	for _, f := range []string{s.planFile(), s.planNames()} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if r, ok := s.parts.Reader.(Accepter); ok && !act.Undo && o.Only == nil {
		return r.Accept(&act.World.Delivery)
	}
	return nil
}

// steps tells an observer of a run what happens to the steps of an act.
type steps struct {
	observer Observer
	act      *Act
}

func (s steps) Observe(e schoolmail.Event) {
	s.observer.Observe(Event{Stage: Stepped, Act: s.act, Step: e})
}

type nobody struct{}

func (nobody) Observe(Event) {}

func since(before, after map[string]int64) map[string]int64 {
	d := map[string]int64{}
	for k, n := range after {
		d[k] = n - before[k]
	}
	return d
}
