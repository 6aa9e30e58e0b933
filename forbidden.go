package schoolmail

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// ErrForbidden is wrapped by the error of [Apply] when a plan would do what no
// plan does, whoever made or edited it: close an account without a notice of 56
// days, purge one that is open, delete a last copy, move an account to another
// person, and so on. Nothing is done then.
var ErrForbidden = errors.New("no plan does this")

// forbidden returns all that is forbidden in a plan, joined, or nil.
func forbidden(p *Plan) error {
	gone := map[RecordKey]int{} // whose account goes -> last step
	for i := range p.Steps {
		if before, after := states(p.Steps[i].Action); before != nil && after == nil {
			gone[p.Steps[i].Key] = i
		}
	}
	var errs []error
	for i := range p.Steps {
		s := &p.Steps[i]
		why := s.Action.forbidden(p.Header.Now)
		if why == "" {
			why = forbiddenSubject(s)
		}
		if why == "" && s.Action.nature().withAccount && gone[s.Key] <= i {
			why = "the last copy would go, but no later step purges the account"
		}
		if why != "" {
			errs = append(errs, fmt.Errorf("schoolmail: step %s: %s: %w", s.ID, why, ErrForbidden))
		}
	}
	return errors.Join(errs...)
}

// forbiddenSubject says why a step is not about the person it names, or "".
func forbiddenSubject(s *Step) string {
	before, after := states(s.Action)
	for _, a := range []*Account{before, after} {
		switch {
		case a == nil:
		case a.Key != s.Key || a.Key.Source == "" || a.Key.ID == "":
			return "its account belongs to another record"
		case a.Username == "" || a.Username != s.Subject && !(a == after && s.Action.nature().renames):
			return "its account has another user name"
		case a.Held:
			return "the account is on hold"
		}
	}
	return ""
}

func (CreateContext) forbidden(Date) string { return "" }

func (act CreateAccount) forbidden(now Date) string {
	a := &act.Account
	if a.State != Active || !a.NoticedOn.IsZero() || !a.Deactivated.IsZero() || a.Context == 0 || a.Mail == "" {
		return "a new account is active, has an address and lives in a context"
	}
	return ""
}

func (act ChangeAccount) forbidden(now Date) string {
	if act.Before.Previous != act.After.Previous && act.After.Previous != (Previous{}) {
		return "a change remembers no old copy"
	}
	before, ok := act.Before.retired(&act.After, now)
	if !ok {
		return "an old address would end before its day"
	}
	return changesMore(before, act.After, func(a, b *Account) {
		for _, f := range accountFields {
			f.copy(a, b)
		}
		a.Context, a.Previous, a.Marks = b.Context, b.Previous, b.Marks
	})
}

func (act RepairPlace) forbidden(now Date) string {
	if p := act.Account.Previous; act.Restore && (p.Context == 0 || p.Context == act.Account.Context || p.Since != now) {
		return "there is no old copy to restore from, or it does not get another grace"
	}
	return ""
}

func (act TransferContext) forbidden(now Date) string {
	from, to := act.Before.Context, act.After.Context
	switch {
	case from == 0 || to == 0 || from == to:
		return fmt.Sprintf("from context %d to %d is no transfer", from, to)
	case act.Before.Previous != Previous{}:
		return "the copy of an earlier transfer would be forgotten"
	case act.After.Previous != Previous{Context: from, UserID: act.OldCopy, Since: now}:
		return "the old copy would not be remembered"
	}
	return changesMore(act.Before, act.After, func(a, b *Account) {
		a.Context, a.Previous, a.Access = b.Context,
			b.Previous, b.Access
	})
}

func (act DropCopy) forbidden(now Date) string {
	p := act.Before.Previous
	switch {
	case act.Leftover != nil:
		if c := act.Leftover.Context; c == 0 || c == act.Before.Context || c == p.Context ||
			act.Leftover.Username != act.Before.Username || act.WithAccount {
			return "the leftover of a transfer is a further user of the same person"
		}
		return changesMore(act.Before, act.After, func(_, _ *Account) {})
	case p.Context == 0 || p.Context == act.Before.Context || act.After.Previous != Previous{}:
		return "it does not remove the old copy of an account that lives elsewhere"
	case act.WithAccount && act.Before.State != Deactivated:
		return fmt.Sprintf("the last copy of an account that is %s would go", act.Before.State)
	}
	return changesMore(act.Before, act.After, func(a, b *Account) { a.Previous = b.Previous })
}

func (act SendNotice) forbidden(now Date) string {
	switch {
	case act.Before.State != Active || act.After.State != Leaving:
		return fmt.Sprintf("an account that is %s gets no notice", act.Before.State)
	case act.After.NoticedOn != now:
		return fmt.Sprintf("a notice of %s would be dated %s", now, act.After.NoticedOn)
	case act.Due.Sub(now) < DefaultNoticeDays:
		return fmt.Sprintf("the notice is of %d days, at least %d are promised", act.Due.Sub(now), DefaultNoticeDays)
	}
	return changesMore(act.Before, act.After, takeNotice)
}

// takeNotice takes over what a notice changes.
func takeNotice(a, b *Account) {
	a.State, a.NoticedOn, a.RemindedOn = b.State, b.NoticedOn, b.RemindedOn
}

func (act SendReminder) forbidden(now Date) string {
	on := act.Before.NoticedOn
	switch {
	case on.IsZero() || act.Before.State != Leaving:
		return "the account has no recorded notice"
	case now >= act.Due || now < act.Due.AddDays(-act.Days) || act.Due.Sub(on) < DefaultNoticeDays:
		return fmt.Sprintf("%s is no day to remind of a notice of %s by %d days before %s", now, on, act.Days, act.Due)
	case act.Before.RemindedOn >= act.Due.AddDays(-act.Days):
		return fmt.Sprintf("the reminder of %d days before was sent on %s", act.Days, act.Before.RemindedOn)
	case act.After.RemindedOn != now:
		return fmt.Sprintf("a reminder of %s would be dated %s", now, act.After.RemindedOn)
	}
	return changesMore(act.Before, act.After, func(a, b *Account) { a.RemindedOn = b.RemindedOn })
}

func (act CancelNotice) forbidden(now Date) string {
	if act.Before.State != Leaving || act.After.State != Active || !act.After.NoticedOn.IsZero() ||
		!act.After.RemindedOn.IsZero() {
		return "it is not about somebody who is leaving and stays"
	}
	return changesMore(act.Before, act.After, takeNotice)
}

func (act Deactivate) forbidden(now Date) string {
	on := act.Before.NoticedOn
	switch {
	case act.Before.State != Leaving || on.IsZero():
		return "the account has no recorded notice"
	case now.Sub(on) < DefaultNoticeDays:
		return fmt.Sprintf("the notice is %d days old, at least %d are promised", now.Sub(on), DefaultNoticeDays)
	case act.After.State != Deactivated || act.After.Deactivated != now:
		return "the deactivation is not dated " + now.String()
	}
	return changesMore(act.Before, act.After, func(a, b *Account) { a.State, a.Deactivated = b.State, b.Deactivated })
}

func (act Purge) forbidden(now Date) string {
	if a := act.Account; a.State != Deactivated || a.Deactivated.IsZero() || a.Deactivated >= now {
		return fmt.Sprintf("the account is %s; only one that was deactivated on an earlier day is purged", a.State)
	}
	return ""
}

func (act Reactivate) forbidden(now Date) string {
	open := act.After.State == Active && act.After.NoticedOn.IsZero()
	leaving := act.After.State == Leaving && act.After.NoticedOn == act.Before.NoticedOn // of an undo
	if act.Before.State != Deactivated || !open && !leaving || !act.After.Deactivated.IsZero() {
		return "it does not open a deactivated account"
	}
	return changesMore(act.Before, act.After, func(a, b *Account) {
		takeNotice(a, b)
		a.Deactivated, a.Access = b.Deactivated, b.Access
	})
}

// changesMore says that an action changes more of an account than it may; allow
// takes over from the second what may differ.
func changesMore(before, after Account, allow func(before, after *Account)) string {
	allow(&before, &after)
	before.Marks, after.Marks = nil, nil // what the guards remember of it
	if !slices.Equal(before.Aliases, after.Aliases) || !sameMemberships(&before, &after) {
		return "it changes more of the account than it says"
	}
	before.Aliases, before.Memberships, after.Aliases, after.Memberships = nil, nil, nil, nil
	if !reflect.DeepEqual(before, after) {
		return "it changes more of the account than it says"
	}
	return ""
}
