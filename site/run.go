package site

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ictmedia/schoolmail"
)

// The exit statuses of the programs.
const (
	ExitDone   = 0 // everything is done
	ExitFailed = 1 // the run failed
	ExitUsage  = 2 // bad flags, configuration or input; nothing was done
	ExitHeld   = 3 // finished, but something was held back, or failed for single people
)

// Command says what one run shall do.
type Command struct {
	Now       schoolmail.Date
	Apply     bool   // plan and apply
	SavePlan  string // write the plan (JSON) to this file
	ApplyPlan string // apply exactly the plan in this file
	Undo      string // take back what the plan in this file has done
}

// Act is one run and what came of it.
type Act struct {
	Title    string
	Undo     bool // the plan takes an earlier one back
	World    *World
	Plan     *schoolmail.Plan
	Result   *schoolmail.Result // nil: only planned
	Err      error              // why the run ended early
	Planned  time.Duration
	Applied  time.Duration
	Requests map[string]int64 // per server, in this act
}

// Exit returns the exit status of the act.
func (a *Act) Exit() int {
	switch {
	case a.Err != nil:
		return ExitFailed
	case len(a.Plan.Held) > 0, len(a.World.Findings) > 0, attention(a.Plan):
		return ExitHeld
	case a.Result != nil && (a.Result.Count(schoolmail.StatusFailed) > 0 || a.Result.Count(schoolmail.StatusSkipped) > 0):
		return ExitHeld
	}
	return ExitDone
}

// created returns how many accounts the act has made.
func (a *Act) created() int {
	n := 0
	for i, s := range a.Plan.Steps {
		if s.Kind() == schoolmail.KindCreate && a.Result != nil && a.Result.Outcomes[i].Status == schoolmail.StatusDone {
			n++
		}
	}
	return n
}

// informative are the findings that keep nobody from anything.
var informative = map[string]bool{"override": true, "unknown-users": true, "second-copy": true, "not-yet-here": true, "no-longer-here": true,
	"renamed-person": true}

// attention reports whether the plan has findings that mean that something was
// not done for somebody.
func attention(p *schoolmail.Plan) bool {
	return slices.ContainsFunc(p.Findings, func(f schoolmail.Finding) bool { return !informative[f.Kind] })
}

// Run does one run on a site and returns its acts: usually one; two if an
// earlier run was cut off and its plan is finished first. The error concerns
// what happens before anything is written; what happens later is in the acts.
func Run(ctx context.Context, s *Site, c Command, p Progress) ([]*Act, error) {
	var acts []*Act
	var given *schoolmail.Plan
	if file := cmp.Or(c.ApplyPlan, c.Undo); file != "" {
		var err error
		if given, err = readPlan(file); err != nil {
			return nil, &InputError{err}
		}
	}
	for {
		act := &Act{Title: "Run"}
		before := s.Requests()
		p.Phase("reading the export and the servers")
		w, err := s.Look(ctx, c.Now)
		if err != nil {
			return acts, err
		}
		act.World = w
		start := time.Now()
		again := false
		switch {
		case c.ApplyPlan != "":
			act.Plan, err = given, s.approved(c, w, given)
		case c.Undo != "":
			act.Title, act.Undo = "Undo of plan "+given.Header.ID, true
			act.Plan, err = schoolmail.NewUndo(s.Policy, w.State, w.Delivery, given, c.Now)
		case c.Apply && len(acts) == 0:
			if act.Plan = s.cutOff(c, w); act.Plan != nil {
				act.Title, again = "Rest of a plan that was cut off", true
				break
			}
			fallthrough
		default:
			act.Plan, err = schoolmail.NewPlan(s.Policy, w.State, w.Delivery, c.Now)
		}
		act.Planned = time.Since(start)
		if err != nil {
			return acts, &InputError{err}
		}
		if c.SavePlan != "" {
			if err := savePlan(c.SavePlan, act.Plan); err != nil {
				return acts, &InputError{err}
			}
		}
		acts = append(acts, act)
		if c.Apply || c.ApplyPlan != "" {
			p.Phase(fmt.Sprintf("%s of %s: applying plan %s, %d steps", act.Title, c.Now, act.Plan.Header.ID, len(act.Plan.Steps)))
			if err := s.apply(ctx, act, p); err != nil {
				return acts, err
			}
		}
		act.Requests = since(before, s.Requests())
		if !again || act.Err != nil {
			return acts, nil
		}
	}
}

// apply carries the plan of an act out.
func (s *Site) apply(ctx context.Context, act *Act, p Progress) error {
	pw, err := openPasswords(s.PasswordDir)
	if err == nil {
		err = pw.prepare(act.Plan)
	}
	if err == nil && !act.Plan.Empty() {
		if err = savePlan(s.PlanFile, act.Plan); err != nil {
			err = fmt.Errorf("state folder: the plan under way cannot be kept, nothing was done: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if err := s.awaitCopies(ctx, act.Plan, p); err != nil {
		return err
	}
	start := time.Now()
	act.Result, act.Err = schoolmail.Apply(ctx, act.Plan, s.Ports, &schoolmail.ApplyOptions{
		InitialPassword: pw.of, Observer: p, Parallel: s.Parallel, Clock: time.Now,
	})
	act.Applied = time.Since(start)
	p.Done()
	if act.Err != nil {
		return nil // the plan stays, for the next run to go on with
	}
	if err := os.Remove(s.PlanFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// cutOff returns the plan of an earlier run that did not get to its end, if it
// still fits: made for this day, this export and this policy. Going on with it
// gives the same end as if nothing had happened; anything else is planned anew,
// with what was done so far as the state of the world.
func (s *Site) cutOff(c Command, w *World) *schoolmail.Plan {
	plan, err := readPlan(s.PlanFile)
	if err != nil {
		return nil
	}
	h := plan.Header
	if h.Now != c.Now || h.Delivery != w.Delivery.Fingerprint || h.Policy != schoolmail.Fingerprint(s.Policy.WithDefaults()) || !s.begun(h.ID) {
		return nil
	}
	return plan
}

func readPlan(file string) (*schoolmail.Plan, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	plan, err := schoolmail.DecodePlan(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return plan, nil
}

// approved refuses a plan that somebody has reviewed unless the world is still
// the one it was made for. A plan that was cut off while it was applied has
// changed the world itself; then the journal vouches for it, and each step looks
// before it writes.
func (s *Site) approved(c Command, w *World, plan *schoolmail.Plan) error {
	h := plan.Header
	var changed []error
	if h.Delivery != w.Delivery.Fingerprint {
		changed = append(changed, errors.New("the export has changed"))
	}
	if h.Policy != schoolmail.Fingerprint(s.Policy.WithDefaults()) {
		changed = append(changed, errors.New("the policy has changed"))
	}
	if h.State != w.State.Fingerprint() && !s.begun(h.ID) {
		changed = append(changed, errors.New("accounts, contexts or users have changed"))
	}
	if h.Now != c.Now {
		changed = append(changed, fmt.Errorf("the plan is for %s, today is %s", h.Now, c.Now))
	}
	if len(changed) > 0 {
		return fmt.Errorf("%s no longer fits; make and review a new plan, since\n%w", c.ApplyPlan, errors.Join(changed...))
	}
	return nil
}

// begun reports whether the journal says that a plan was begun and not ended.
func (s *Site) begun(id string) bool {
	open := false
	err := s.Ports.Journal.Entries(func(e schoolmail.JournalEntry) bool {
		if e.Plan == id && e.Effect == "plan" {
			open = e.Phase == schoolmail.Intent
		}
		return true
	})
	return err == nil && open
}

func savePlan(file string, p *schoolmail.Plan) error {
	b, err := p.Encode()
	if err != nil {
		return err
	}
	return writeFile(file, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// writeFile writes a file as a whole, readable by the owner only: plans and
// reports name people.
func writeFile(file string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}

func since(before, after map[string]int64) map[string]int64 {
	d := map[string]int64{}
	for k, n := range after {
		d[k] = n - before[k]
	}
	return d
}
