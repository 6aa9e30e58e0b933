package site

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// Plan says what is to be done for what was seen. It asks no server.
func (s *Site) Plan(w *World) (*schoolmail.Plan, error) {
	return schoolmail.NewPlan(s.policy, w.State, w.Delivery, w.Day)
}

// Undo plans to take back what an applied plan has done, as far as that is
// possible. A plan that the journal has never seen is refused.
func (s *Site) Undo(w *World, applied *schoolmail.Plan) (*schoolmail.Plan, error) {
	if id := applied.Header.ID; !w.history.Applied(id) {
		return nil, fmt.Errorf("plan %s was never applied here, as far as the journal knows: it is of another district "+
			"or another state folder, or nothing had to be done", id)
	}
	return schoolmail.NewUndo(s.policy, w.State, w.Delivery, applied, w.Day)
}

// StaleError says why a plan that somebody has reviewed may no longer be applied.
type StaleError struct {
	Plan    string  // its id
	Reasons []error // what has changed since
}

// Error lists what has changed, one a line.
func (e *StaleError) Error() string {
	return fmt.Sprintf("plan %s no longer fits; make and review a new plan, since\n%v", e.Plan, errors.Join(e.Reasons...))
}

// Unwrap returns the reasons.
func (e *StaleError) Unwrap() []error { return e.Reasons }

// Approve refuses a plan that somebody has reviewed, with a [StaleError], unless
// the world is still the one it was made for and planning again gives the same plan,
// byte for byte. A plan that was cut off while it was applied has changed the world
// itself; then it must be the one that the run has kept, and each step looks before
// it writes.
func (s *Site) Approve(w *World, plan *schoolmail.Plan) error {
	h := plan.Header
	var changed []error
	if h.Delivery != w.Delivery.Fingerprint {
		changed = append(changed, errors.New("the export has changed"))
	}
	if h.Policy != s.policy.Fingerprint() {
		changed = append(changed, errors.New("the policy has changed"))
	}
	if h.State != w.State.Fingerprint() && !w.history.Begun(h.ID) {
		changed = append(changed, errors.New("accounts, contexts or users have changed"))
	}
	if h.Now != w.Day {
		changed = append(changed, fmt.Errorf("the plan is for %s, today is %s", h.Now, w.Day))
	}
	if len(changed) == 0 {
		same := s.samePlan
		if w.history.Begun(h.ID) { // the world is no longer the one that it was made for
			same = s.begunPlan
		}
		if err := same(w, plan); err != nil {
			changed = append(changed, err)
		}
	}
	if len(changed) > 0 {
		return &StaleError{Plan: h.ID, Reasons: changed}
	}
	return nil
}

// CutOff returns the plan of an earlier run that did not get to its end, if it
// still fits: made for this day, this export and this policy; nil if there is none.
// Going on with it gives the same end as if nothing had happened; anything else is
// planned anew, with what was done so far as the state of the world.
func (s *Site) CutOff(w *World) *schoolmail.Plan {
	plan, err := readKept(s.planFile(), s.planNames())
	if err != nil || nameless(plan) {
		return nil
	}
	h := plan.Header
	if h.Now != w.Day || h.Delivery != w.Delivery.Fingerprint || h.Policy != s.policy.Fingerprint() ||
		!w.history.Begun(h.ID) {
		return nil
	}
	return plan
}

// cutOffPart is CutOff for a run that may be limited: it goes on only with a plan of
// the same limits.
func (s *Site) cutOffPart(w *World, part *schoolmail.Selection) *schoolmail.Plan {
	plan := s.CutOff(w)
	if plan == nil || part.String() != plan.Header.Only.String() {
		return nil
	}
	return plan
}

// part limits a plan.
func part(plan *schoolmail.Plan, sel *schoolmail.Selection) *schoolmail.Plan {
	if sel.Empty() {
		return plan
	}
	return plan.Only(*sel)
}

// Select looks up the people of a selection and returns it with the keys of their
// records. All schools and people that are neither in the export nor in the directory
// are an error, since a plan limited to a misspelt school does nothing.
func (w *World) Select(sel *schoolmail.Selection) (*schoolmail.Selection, error) {
	if sel.Empty() {
		return nil, nil
	}
	found := *sel
	found.People = nil
	schools := map[schoolmail.SchoolID]bool{}
	for i := range w.Delivery.Records {
		for _, m := range w.Delivery.Records[i].Memberships {
			schools[m.School] = true
		}
	}
	for i := range w.State.Accounts {
		for _, m := range w.State.Accounts[i].Memberships {
			schools[m.School] = true
		}
	}
	var errs []error
	for _, id := range sel.Schools {
		if !schools[id] {
			errs = append(errs, fmt.Errorf("school %q: neither in the export nor in the directory", id))
		}
	}
	for _, who := range sel.People {
		var e Explanation
		if err := e.find(w, who); err != nil {
			errs = append(errs, fmt.Errorf("person %q: %w", who, err))
			continue
		}
		if key := e.key(); key.ID != "" {
			found.People = append(found.People, key.String())
		} else {
			found.People = append(found.People, e.username()) // nobody of ours
		}
	}
	return &found, errors.Join(errs...)
}

// ReadPlan reads a plan that [WritePlan] has written. One that was changed since is
// refused.
func ReadPlan(file string) (*schoolmail.Plan, error) {
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

// WritePlan writes a plan as JSON, readable by the owner only: plans name people.
func WritePlan(file string, p *schoolmail.Plan) error {
	return atomicfile.Write(file, atomicfile.Private, func(w io.Writer) error { return writePlan(w, p) })
}

func writePlan(w io.Writer, p *schoolmail.Plan) error {
	b, err := p.Encode()
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}
