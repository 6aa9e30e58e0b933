package schoolmail

import (
	"errors"
	"fmt"
)

// NewPlan compares what was delivered with what was observed and returns what
// to do about it on the day now. It is a pure function: no clock, no network,
// and the order of rows, accounts or places makes no difference.
//
// An error means that nothing sensible can be planned: an invalid policy, or a
// delivery of another source. Everything that concerns single people or
// schools is in the plan instead: as steps, held-back steps and findings.
func NewPlan(policy Policy, state State, delivery Delivery, now Date) (*Plan, error) {
	in, err := newGiven(&policy, &state, &delivery, now)
	if err != nil {
		return nil, err
	}
	f := lookAt(in)
	d := f.decide()
	s := d.seat()
	g := s.guard()
	plan := g.order()
	plan.Header = Header{
		Format: PlanFormat, Now: now, Source: policy.Source, Delivery: delivery.Fingerprint, State: in.sorted.fingerprint(),
		Policy: policy.Fingerprint(), Records: len(delivery.Records), Rejected: len(delivery.Rejected), Accounts: f.managed,
	}
	plan.Header.ID = plan.Fingerprint()
	return plan, nil
}

// newGiven checks what a plan is to be made of. The policy gets its defaults.
func newGiven(policy *Policy, state *State, delivery *Delivery, now Date) (given, error) {
	*policy = policy.WithDefaults()
	if err := policy.Validate(); err != nil {
		return given{}, fmt.Errorf("schoolmail: plan: %w", err)
	}
	if now.IsZero() {
		return given{}, errors.New("schoolmail: plan: no day given")
	}
	if delivery.Source != policy.Source {
		return given{}, fmt.Errorf("schoolmail: plan: the delivery is from source %q, the policy manages %q",
			delivery.Source, policy.Source)
	}
	if delivery.Kind != DeliveryFull && delivery.Kind != DeliveryDelta {
		return given{}, fmt.Errorf("schoolmail: plan: delivery kind %q: expected full or delta", delivery.Kind)
	}
	return given{policy: policy, state: state, sorted: state.sort(), delivery: delivery, now: now}, nil
}

// A plan is made in passes. Each is a function of one value and returns the
// next; none looks back at a later one, and none changes what an earlier one made.
//
//	given      policy, state, delivery, day
//	facts      what is known of each person: record, account, places, and why
//	           something about them is doubtful
//	decisions  what should become of each person: steps, and who needs a seat
//	seating    who gets which seat
//	guarded    what is held back, and by which limit
//	Plan       the steps in an order that keeps all promises

// given is what a plan is made of.
type given struct {
	policy   *Policy
	state    *State
	sorted   sortedState
	delivery *Delivery
	now      Date
	days     int // see window; 0: not known yet
}

// notes are what a pass has to tell.
type notes struct {
	findings []Finding
	held     []Held
}

func (n *notes) find(kind, format string, a ...any) *Finding {
	n.findings = append(n.findings, Finding{Kind: kind, Text: fmt.Sprintf(format, a...)})
	return &n.findings[len(n.findings)-1]
}

func (n *notes) hold(s Step, guard, why string) {
	n.held = append(n.held, Held{Step: s, Why: why, Guard: guard})
}
