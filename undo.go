package schoolmail

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// NewUndo makes the plan that takes back what applying a plan has done, as far
// as that can be taken back. Like [NewPlan] it is a pure function; state is what
// is observed now. What cannot be taken back, or is no longer as the plan left
// it, is in the result's held steps, with the reason.
//
//	change        back to the values before, if nobody has changed them since
//	transfer      a transfer back, with all data of today; an old copy that is
//	              still kept gives way to it
//	notice        is cancelled, and the person told so
//	deactivation  the account is opened again, still leaving
//
// Everything else stays: who got an account keeps it until they leave in the
// ordinary way, who came back is not shut out, copies and accounts that were
// deleted are gone, contexts and repaired users are left as they are.
//
// An undo brings back the accounts, not the reason for the change: as long as
// export and policy stay as they are, the next ordinary run does it all again.
// Guards do not look at an undo, since somebody asked for it.
func NewUndo(policy Policy, state State, delivery Delivery, applied *Plan, now Date) (*Plan, error) {
	policy = policy.WithDefaults()
	if err := policy.Validate(); err != nil {
		return nil, fmt.Errorf("schoolmail: undo: %w", err)
	}
	if now.IsZero() {
		return nil, errors.New("schoolmail: undo: no day given")
	}
	if applied.Header.Source != policy.Source {
		return nil, fmt.Errorf("schoolmail: undo: the plan is for source %q, the policy manages %q", applied.Header.Source,
			policy.Source)
	}
	delivery.Records, delivery.Rejected = nil, nil // an undo is about the plan
	in := given{policy: &policy, state: &state, sorted: state.sort(), delivery: &delivery, now: now}
	u := &undoer{facts: lookAt(in), noSeat: map[RecordKey]bool{}}
	chains := map[RecordKey][]Step{}
	var keys []RecordKey
	for _, s := range applied.Steps {
		if chains[s.Key] == nil {
			keys = append(keys, s.Key)
		}
		chains[s.Key] = append(chains[s.Key], s)
	}
	slices.SortFunc(keys, RecordKey.Compare)
	for _, k := range keys {
		u.takeBack(chains[k])
	}
	u.arrange()
	depend(u.plan.Steps)
	slices.SortStableFunc(u.held, func(x, y Held) int { return strings.Compare(x.Step.ID, y.Step.ID) })
	u.plan.Held, u.plan.Findings = append([]Held{}, u.held...), []Finding{} // findings are those of the next ordinary plan
	u.plan.Header = Header{Format: PlanFormat, Undoes: applied.Header.ID, Now: now, Source: policy.Source,
		Delivery: delivery.Fingerprint, State: in.sorted.fingerprint(), Policy: policy.Fingerprint(), Accounts: u.managed}
	u.plan.Header.ID = u.plan.Fingerprint()
	return &u.plan, nil
}

type undoer struct {
	*facts
	notes
	plan               Plan
	drops, moves, rest []Step
	noSeat             map[RecordKey]bool // whose transfer is held back
}

// takeBack takes back the steps of one person, the last one first.
func (u *undoer) takeBack(chain []Step) {
	var live *Account
	if p := u.personOf(chain[0].Key); p != nil {
		live = p.account
	}
	var cur Account
	if live != nil {
		cur = *live
	}
	for i := range slices.Backward(chain) {
		s := &chain[i]
		why := s.Action.nature().kept
		switch {
		case why != "":
		case live == nil:
			why = "the account does not exist any more"
		case live.Held:
			why = "the account is on hold"
		case u.untouchable(s) != "":
			why, u.noSeat[s.Key] = u.untouchable(s), true
		default:
			cur, why = s.Action.undo(u, cur, s)
		}
		if why != "" {
			u.hold(*s, "", why)
		}
	}
}

const since = "it is no longer as the plan left it"

// reverse is a step that takes another back.
func reverse(s *Step, k Kind, cur *Account, act Action) Step {
	return newStep(k, cur, "takes back: "+s.Reason, act)
}

func (act ChangeAccount) undo(u *undoer, cur Account, s *Step) (Account, string) {
	if act.Before.Context != act.After.Context || slices.Contains(act.Fields, "previous") {
		return cur, "there is no place or copy to go back to"
	}
	if slices.Contains(act.Fields, "former") {
		return cur, "an address that has ended stays so"
	}
	now, was, next := cur, act.Before, cur
	for _, f := range changes(&now, &act.After) {
		if slices.Contains(act.Fields, f) {
			return cur, since
		}
	}
	if slices.Contains(act.Fields, "display_name") {
		if owner := u.display.of(was.DisplayName); owner != "" && owner != cur.Username {
			return cur, "the display name belongs to " + owner + " now"
		}
	}
	for _, f := range act.Fields {
		setField(&next, &was, f)
	}
	u.rest = append(u.rest, reverse(s, KindChange, &cur,
		ChangeAccount{Before: cur, After: next, Fields: act.Fields, Access: next.Access}))
	return next, ""
}

func (act TransferContext) undo(u *undoer, cur Account, s *Step) (Account, string) {
	next := cur
	from, to := act.After.Context, act.Before.Context
	place := u.placeAt(cur.Username, from)
	switch {
	case u.state.NoCopies != "":
		u.noSeat[s.Key] = true
		return cur, u.state.NoCopies
	case cur.Context != from || cur.Previous != (Previous{}) && cur.Previous != act.After.Previous || place == nil:
		return cur, since
	case cur.Previous == (Previous{}) && u.placeAt(cur.Username, to) != nil:
		return cur, fmt.Sprintf("context %d has a user of this name whom the directory does not remember", to)
	}
	if cur.Previous != (Previous{}) {
		if u.placeAt(cur.Username, to) == nil {
			return cur, since
		}
		next.Previous = Previous{}
		u.drops = append(u.drops, reverse(s, KindDropCopy, &cur, DropCopy{Before: cur, After: next}))
	}
	mid := next
	next.Context, next.Previous = to, Previous{Context: from, UserID: place.UserID, Since: u.now}
	next.Access = cmp.Or(act.Before.Access, act.Access)
	u.moves = append(u.moves, reverse(s, KindTransfer, &cur, TransferContext{Before: mid, After: next, Access: next.Access,
		KeepCopy: act.KeepCopy, OldCopy: place.UserID}))
	if !act.KeepCopy {
		next.Previous = Previous{}
	}
	return next, ""
}

func (act SendNotice) undo(u *undoer, cur Account, s *Step) (Account, string) {
	next := cur
	if cur.State != Leaving || cur.NoticedOn != act.After.NoticedOn {
		return cur, since
	}
	next.State, next.NoticedOn, next.RemindedOn = act.Before.State, act.Before.NoticedOn, act.Before.RemindedOn
	u.rest = append(u.rest, reverse(s, KindCancelNotice, &cur, CancelNotice{Before: cur, After: next}))
	return next, ""
}

func (act Deactivate) undo(u *undoer, cur Account, s *Step) (Account, string) {
	next := cur
	if cur.State != Deactivated || cur.Deactivated != act.After.Deactivated {
		return cur, since
	}
	next.State, next.Deactivated = act.Before.State, act.Before.Deactivated
	u.rest = append(u.rest, reverse(s, KindReactivate, &cur, Reactivate{Before: cur, After: next, Access: cur.Access}))
	return next, ""
}

// arrange orders the steps so that no context ever holds more than its
// capacity. A transfer for which there is no seat is held back with all that
// belongs to it.
func (u *undoer) arrange() {
	for {
		left := u.simulate()
		if len(left) == 0 {
			break
		}
		for _, s := range left {
			u.noSeat[s.Key] = true
			u.hold(s, "", fmt.Sprintf("no seat is free in context %d", leadsTo(s.Action)))
		}
	}
	for _, s := range slices.Concat(u.drops, u.rest) {
		if u.noSeat[s.Key] {
			u.hold(s, "", "it belongs to a transfer that is held back")
		} else if s.Kind() != KindDropCopy {
			u.plan.Steps = append(u.plan.Steps, s)
		}
	}
}

// simulate puts drops and transfers into the plan, without the people of
// noSeat, and returns the transfers that find no seat.
func (u *undoer) simulate() (left []Step) {
	users, peak := map[ContextID]int{}, map[ContextID]int{}
	for _, c := range u.state.Contexts {
		users[c.ID], peak[c.ID] = c.Users, c.Users
	}
	u.plan.Steps, u.plan.Forecast = nil, nil
	for _, s := range u.drops {
		if !u.noSeat[s.Key] {
			users[s.Action.frees()]--
			u.plan.Steps = append(u.plan.Steps, s)
		}
	}
	for _, s := range u.moves {
		if !u.noSeat[s.Key] {
			left = append(left, s)
		}
	}
	for moved := true; moved; {
		moved = false
		left = slices.DeleteFunc(left, func(s Step) bool {
			to, freed := leadsTo(s.Action), s.Action.leaves()
			if spec := u.policy.context(to); spec == nil || users[to] >= spec.Capacity {
				return false
			}
			users[to]++
			peak[to] = max(peak[to], users[to])
			if freed != 0 {
				users[freed]--
			}
			u.plan.Steps = append(u.plan.Steps, s)
			moved = true
			return true
		})
	}
	contexts := slices.SortedFunc(slices.Values(u.state.Contexts),
		func(a, b Context) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range contexts {
		f := Forecast{Context: c.ID, Name: c.Name, Before: c.Users, Peak: peak[c.ID], After: users[c.ID]}
		if spec := u.policy.context(c.ID); spec != nil {
			f.Name, f.Capacity = spec.Name, spec.Capacity
		}
		u.plan.Forecast = append(u.plan.Forecast, f)
	}
	return left
}
