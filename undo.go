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
		return nil, fmt.Errorf("schoolmail: undo: the plan is for source %q, the policy manages %q", applied.Header.Source, policy.Source)
	}
	state = state.sorted()
	delivery.Records, delivery.Rejected = nil, nil // an undo is about the plan
	u := &undoer{builder: builder{policy: &policy, state: &state, delivery: &delivery, now: now}, noSeat: map[RecordKey]bool{}}
	u.index()
	u.plan.Findings = nil // those of the next ordinary plan
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
		u.person(chains[k])
	}
	u.arrange()
	u.order()
	slices.SortStableFunc(u.plan.Held, func(x, y Held) int { return strings.Compare(x.Step.ID, y.Step.ID) })
	u.plan.Header = Header{Format: PlanFormat, Undoes: applied.Header.ID, Now: now, Source: policy.Source, Delivery: delivery.Fingerprint, State: Fingerprint(state),
		Policy: Fingerprint(policy), Accounts: u.managed}
	u.plan.Header.ID = u.plan.fingerprint()
	return &u.plan, nil
}

type undoer struct {
	builder
	drops, moves, rest []Step
	noSeat             map[RecordKey]bool
}

// stays are the kinds that an undo leaves as they are, and why.
var stays = map[Kind]string{
	KindCreateContext: "a context that was made stays",
	KindCreate:        "an account that was made stays until its record is gone",
	KindRepair:        "what was made as the directory says stays so",
	KindReactivate:    "who came back is not shut out again",
	KindCancelNotice:  "a notice that was cancelled is not sent again: if the record is gone, a new one is",
	KindDropCopy:      "the copy is deleted for ever",
	KindPurge:         "the account is deleted for ever",
}

// person takes back the steps of one person, the last one first.
func (u *undoer) person(chain []Step) {
	live := u.accounts[chain[0].Key]
	var cur Account
	if live != nil {
		cur = *live
	}
	for _, s := range slices.Backward(chain) {
		why := stays[s.Kind()]
		switch {
		case why != "":
		case live == nil:
			why = "the account does not exist any more"
		case live.Held:
			why = "the account is on hold"
		default:
			cur, why = u.back(cur, s)
		}
		if why != "" {
			u.hold(s, "", why)
		}
	}
}

const since = "it is no longer as the plan left it"

// back adds the reverse of a step, and returns the account after it, or why
// there is none.
func (u *undoer) back(cur Account, s Step) (Account, string) {
	next := cur
	reverse := func(k Kind, act Action) Step { return u.step(k, &cur, "takes back: "+s.Reason, act) }
	switch act := s.Action.(type) {
	case ChangeAccount:
		if act.Before.Context != act.After.Context || slices.Contains(act.Fields, "previous") {
			return cur, "there is no place or copy to go back to"
		}
		now, was := cur, act.Before
		for _, f := range changes(&now, &act.After) {
			if slices.Contains(act.Fields, f) {
				return cur, since
			}
		}
		if owner := u.display[foldName(was.DisplayName)]; slices.Contains(act.Fields, "display_name") && owner != "" && owner != cur.Username {
			return cur, "the display name belongs to " + owner + " now"
		}
		for _, f := range act.Fields {
			setField(&next, &was, f)
		}
		u.rest = append(u.rest, reverse(KindChange, ChangeAccount{Before: cur, After: next, Fields: act.Fields, Access: next.Access}))
	case TransferContext:
		from, to := act.After.Context, act.Before.Context
		place := u.placeAt(cur.Username, from)
		switch {
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
			d := reverse(KindDropCopy, DropCopy{Before: cur, After: next})
			d.Destructive = true
			u.drops = append(u.drops, d)
		}
		mid := next
		next.Context, next.Previous = to, Previous{Context: from, UserID: place.UserID, Since: u.now}
		next.Access = cmp.Or(act.Before.Access, act.Access)
		u.moves = append(u.moves, reverse(KindTransfer, TransferContext{Before: mid, After: next, Access: next.Access,
			KeepCopy: act.KeepCopy, OldCopy: place.UserID}))
		if !act.KeepCopy {
			next.Previous = Previous{}
		}
	case SendNotice:
		if cur.State != Leaving || cur.NoticedOn != act.After.NoticedOn {
			return cur, since
		}
		next.State, next.NoticedOn = act.Before.State, act.Before.NoticedOn
		u.rest = append(u.rest, reverse(KindCancelNotice, CancelNotice{Before: cur, After: next}))
	case Deactivate:
		if cur.State != Deactivated || cur.Deactivated != act.After.Deactivated {
			return cur, since
		}
		next.State, next.Deactivated = act.Before.State, act.Before.Deactivated
		u.rest = append(u.rest, reverse(KindReactivate, Reactivate{Before: cur, After: next, Access: cur.Access}))
	}
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
			u.hold(s, "", fmt.Sprintf("no seat is free in context %d", s.Action.(TransferContext).After.Context))
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
			users[freed(s)]--
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
			act := s.Action.(TransferContext)
			to := act.After.Context
			if spec := u.policy.context(to); spec == nil || users[to] >= spec.Capacity {
				return false
			}
			users[to]++
			peak[to] = max(peak[to], users[to])
			if !act.KeepCopy {
				users[act.Before.Context]--
			}
			u.plan.Steps = append(u.plan.Steps, s)
			moved = true
			return true
		})
	}
	for _, c := range u.state.Contexts {
		f := Forecast{Context: c.ID, Name: c.Name, Before: c.Users, Peak: peak[c.ID], After: users[c.ID]}
		if spec := u.policy.context(c.ID); spec != nil {
			f.Name, f.Capacity = spec.Name, spec.Capacity
		}
		u.plan.Forecast = append(u.plan.Forecast, f)
	}
	return left
}
