package schoolmail

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// effect does one outside effect with its intent on record before and its
// result afterwards.
func (a *applier) effect(ctx context.Context, s *Step, name string, f func() error) error {
	return a.record(ctx, s, name, 0, 0, 0, f)
}

func (act CreateContext) carryOut(ctx context.Context, a *applier, s *Step) error {
	return a.effect(ctx, s, "create-context", func() error { return a.Groupware.EnsureContext(ctx, act.Spec) })
}

func (act RepairPlace) carryOut(ctx context.Context, a *applier, s *Step) error {
	live, err := a.as(ctx, &act.Account)
	if err != nil {
		return err
	}
	if act.Restore {
		return a.restore(ctx, s, act, live)
	}
	if err := a.mark(ctx, s, live, act.Account.Marks); err != nil {
		return err
	}
	return a.ensureUser(ctx, s, &act.Account, act.Access)
}

func (act SendNotice) carryOut(ctx context.Context, a *applier, s *Step) error {
	if done, err := a.already(ctx, s, &act.Before, &act.After); done || err != nil {
		return err
	}
	if err := a.notify(ctx, s, NoticeLeaving, &act.Before, act.After.NoticedOn, act.Due); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, effectNoticed, act.Before, act.After)
}

func (act CancelNotice) carryOut(ctx context.Context, a *applier, s *Step) error {
	if done, err := a.already(ctx, s, &act.Before, &act.After); done || err != nil {
		return err
	}
	if err := a.notify(ctx, s, NoticeCancelled, &act.Before, act.Before.NoticedOn, 0); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, effectCleared, act.Before, act.After)
}

// as re-reads an account and fails unless it is still the person, place and
// state that the plan saw.
func (a *applier) as(ctx context.Context, want *Account) (Account, error) {
	live, err := a.Directory.Account(ctx, want.Username)
	if err != nil {
		return live, fmt.Errorf("schoolmail: read account %s: %w", want.Username, err)
	}
	switch {
	case live.Key != want.Key:
		return live, fmt.Errorf("schoolmail: account %s belongs to another record now: %w", want.Username, ErrConflict)
	case live.Held:
		return live, fmt.Errorf("schoolmail: account %s was put on hold: %w", want.Username, ErrConflict)
	case live.State != want.State || live.Context != want.Context || live.NoticedOn != want.NoticedOn ||
		live.Deactivated != want.Deactivated:
		return live, fmt.Errorf("schoolmail: account %s is %s in context %d, planned was %s in context %d: %w",
			want.Username, live.State, live.Context, want.State, want.Context, ErrConflict)
	}
	return live, nil
}

// already reports whether the account is as the step leaves it, or a later step
// of the plan for the same person: an earlier run did the step, but was cut off
// before it could say so, or the plan is applied a second time. An account that
// is neither as before nor as after is an error.
func (a *applier) already(ctx context.Context, s *Step, before, after *Account) (bool, error) {
	live, err := a.as(ctx, before)
	if err == nil {
		return false, nil
	}
	if live.at(after) || a.past(s, &live) {
		return true, nil
	}
	return false, err
}

// at reports whether a live account is where and in which state another is.
func (a *Account) at(o *Account) bool {
	return a.Key == o.Key && !a.Held && a.State == o.State && a.Context == o.Context &&
		a.NoticedOn == o.NoticedOn && a.Deactivated == o.Deactivated
}

// past reports whether a live account is as a later step for the same person
// leaves it, elsewhere or in another state than this step does.
func (a *applier) past(s *Step, live *Account) bool {
	_, after := states(s.Action)
	if after == nil || live.at(after) {
		return false
	}
	for _, i := range a.chain[s.Key] {
		if i <= a.byID[s.ID] {
			continue
		}
		if _, later := states(a.plan.Steps[i].Action); later != nil && live.at(later) {
			return true
		}
	}
	return false
}

// states returns the account before and after an action; nil: there is none.
func states(act Action) (before, after *Account) { return act.states() }

func (a *applier) changeDirectory(ctx context.Context, s *Step, name string, before, after Account) error {
	return a.effect(ctx, s, name, func() error { return a.Directory.ChangeAccount(ctx, before, after) })
}

// mark writes what guards count of a step before anything else is done, so that whatever
// is cut off afterwards is counted.
func (a *applier) mark(ctx context.Context, s *Step, live Account, marks []Mark) error {
	if slices.Equal(live.Marks, marks) {
		return nil
	}
	after := live
	after.Marks = marks
	return a.changeDirectory(ctx, s, "mark-account", live, after)
}

func userSpec(acc *Account, access string) UserSpec {
	return UserSpec{
		Username: acc.Username, GivenName: acc.GivenName, FamilyName: acc.FamilyName, DisplayName: acc.DisplayName,
		Mail: acc.Mail, Aliases: acc.Aliases, Language: acc.Language, Access: access, MailEnabled: acc.State != Deactivated,
	}
}

// ensureUser makes or changes the user of an account. Nobody whose old copy is
// all that is left gets an empty user beside it.
func (a *applier) ensureUser(ctx context.Context, s *Step, acc *Account, access string) error {
	if p := acc.Previous; p.Context != 0 && p.Context != acc.Context {
		if err := a.stands(ctx, acc); errors.Is(err, ErrNotFound) {
			_, old := a.Groupware.User(ctx, p.Context, acc.Username)
			if !errors.Is(old, ErrNotFound) {
				return errors.Join(fmt.Errorf("schoolmail: the old copy of %s in context %d is all that is left: no empty user "+
					"is made in context %d: %w",
					acc.Username, p.Context, acc.Context, ErrConflict), old)
			}
		} else if err != nil {
			return err
		}
	}
	return a.makeUser(ctx, s, acc, access)
}

func (a *applier) makeUser(ctx context.Context, s *Step, acc *Account, access string) error {
	return a.effect(ctx, s, "ensure-user", func() error {
		_, err := a.Groupware.EnsureUser(ctx, acc.Context, userSpec(acc, access))
		return err
	})
}

// carryOut makes a pending account, its place and its mailbox, and then sets it
// active. Whatever is there already is left and completed.
func (act CreateAccount) carryOut(ctx context.Context, a *applier, s *Step) error {
	acc := act.Account
	if a.InitialPassword == nil {
		return errors.New("schoolmail: no source of initial passwords was given")
	}
	password, err := a.InitialPassword(acc)
	if err != nil {
		return fmt.Errorf("schoolmail: initial password of %s: %w", acc.Username, err)
	}
	pending, whole, err := a.makePending(ctx, s, act, password)
	if whole || err != nil {
		return err
	}
	if err := a.makeUser(ctx, s, &acc, act.Access); err != nil {
		return err
	}
	if err := a.ensureMailbox(ctx, s, acc); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, effectActivate, pending, acc)
}

func (a *applier) ensureMailbox(ctx context.Context, s *Step, acc Account) error {
	return a.effect(ctx, s, "ensure-mailbox", func() error { return a.Mailstore.EnsureMailbox(ctx, acc) })
}

// makePending sees to it that the directory has the account, and returns it as
// it is there, or that there is nothing left to do because an earlier run of this
// plan has done it.
func (a *applier) makePending(ctx context.Context, s *Step, act CreateAccount, password Secret) (pending Account,
	whole bool, err error) {
	pending = act.Account
	pending.State = Pending
	again := a.before.ended || a.before.begun[s.ID]
	if act.Resume || again {
		live, err := a.Directory.Account(ctx, pending.Username)
		gone := errors.Is(err, ErrNotFound)
		switch {
		case err != nil && !(gone && again):
			return pending, false, fmt.Errorf("schoolmail: read account %s: %w", pending.Username, err)
		case gone:
		case again && live.State != Pending && (live.at(&act.Account) || a.past(s, &live)):
			return pending, true, nil
		case live.Key != pending.Key || live.Held || live.State != Pending:
			return pending, false, fmt.Errorf("schoolmail: account %s is %s in context %d: %w", pending.Username, live.State,
				live.Context, ErrConflict)
		}
	}
	return pending, false, a.effect(ctx, s, effectCreate, func() error {
		return a.Directory.CreateAccount(ctx, pending,
			password)
	})
}

// oxFields are the changes that OX has to hear of.
var oxFields = map[string]bool{"given_name": true, "family_name": true, "display_name": true, "language": true,
	"role": true, "access": true, "context": true, "aliases": true}

func (act ChangeAccount) carryOut(ctx context.Context, a *applier, s *Step) error {
	inOX := act.After.Context != 0 &&
		(act.Anew || slices.ContainsFunc(act.Fields, func(f string) bool { return oxFields[f] }))
	if chain := a.chain[s.Key]; inOX || chain[len(chain)-1] != a.byID[s.ID] {
		// Whoever has moved on already must not get a user where they were.
		if live, err := a.as(ctx, &act.Before); err != nil {
			if a.past(s, &live) {
				return nil
			}
			if !live.at(&act.After) {
				return err
			}
		}
	}
	if c := act.Before.Context; c != 0 && c != act.After.Context {
		// A new place is for somebody who has none; whoever has one is transferred.
		switch _, err := a.Groupware.User(ctx, c, act.Before.Username); {
		case err == nil:
			return fmt.Errorf("schoolmail: account %s has a user in context %d, which would be forgotten: %w",
				act.Before.Username, c, ErrConflict)
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	if act.Before.Context == 0 && act.After.Context != 0 { // whoever was not made here has no mailbox yet
		if err := a.ensureMailbox(ctx, s, act.After); err != nil {
			return err
		}
	}
	// The access is remembered by the directory alone, which therefore hears of
	// it only when OX has it; what else differs in OX, or is missing, the next plan sees.
	first := !act.Anew && slices.Contains(act.Fields, "access") && act.Before.Context == act.After.Context
	if inOX && first {
		if err := a.ensureUser(ctx, s, &act.After, act.Access); err != nil {
			return err
		}
	}
	if err := a.changeDirectory(ctx, s, "change-account", act.Before, act.After); err != nil {
		return err
	}
	if inOX && !first {
		return a.ensureUser(ctx, s, &act.After, act.Access)
	}
	return nil
}

// notify tells a person, unless the journal says that this was done and only what
// was to follow is missing.
func (a *applier) notify(ctx context.Context, s *Step, k NoticeKind, acc *Account, on, due Date) error {
	if on, told := a.history.told[toldKey{k, keyOf(s.ID)}]; told && a.plan.Header.Now.Sub(DateOf(on)) < DefaultNoticeDays {
		return nil // only what was to follow is missing
	}
	return a.tell(ctx, s, k, acc, on, due)
}

// tell sends a notice; the day on which it falls due makes its id.
func (a *applier) tell(ctx context.Context, s *Step, k NoticeKind, acc *Account, on, due Date) error {
	id := fingerprint([]string{string(k), acc.Key.Source, acc.Key.ID, on.String()})[:24]
	return a.effect(ctx, s, effectNotify, func() error {
		return a.Notifier.Notify(ctx, Notice{ID: id, Kind: k, Account: *acc, Due: due})
	})
}

// carryOut closes OX first and the directory last: until the directory says
// so the account is still leaving, and a cut-off run is repeated.
func (act Deactivate) carryOut(ctx context.Context, a *applier, s *Step) error {
	done, err := a.already(ctx, s, &act.Before, &act.After)
	if err != nil {
		return err
	}
	if done {
		return a.effect(ctx, s, "disconnect", func() error { return a.Mailstore.Disconnect(ctx, act.After) })
	}
	if act.After.Context != 0 {
		err := a.effect(ctx, s, "close-user", func() error {
			_, err := a.Groupware.User(ctx, act.After.Context, act.After.Username)
			if errors.Is(err, ErrNotFound) {
				return nil
			} else if err != nil {
				return err
			}
			_, err = a.Groupware.EnsureUser(ctx, act.After.Context, userSpec(&act.After, ""))
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := a.changeDirectory(ctx, s, "deactivate-account", act.Before, act.After); err != nil {
		return err
	}
	return a.effect(ctx, s, "disconnect", func() error { return a.Mailstore.Disconnect(ctx, act.After) })
}

func (act Reactivate) carryOut(ctx context.Context, a *applier, s *Step) error {
	if done, err := a.already(ctx, s, &act.Before, &act.After); done || err != nil {
		return err
	}
	if act.After.Context != 0 {
		if _, err := a.Groupware.User(ctx, act.After.Context, act.After.Username); err == nil {
			if err := a.ensureUser(ctx, s, &act.After, act.Access); err != nil {
				return err
			}
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	if err := a.effect(ctx, s, "ensure-mailbox", func() error {
		return a.Mailstore.EnsureMailbox(ctx,
			act.After)
	}); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, effectReactivate, act.Before, act.After)
}

// carryOut removes what depends on the account first and the account last.
func (act Purge) carryOut(ctx context.Context, a *applier, s *Step) error {
	acc := act.Account
	live, err := a.Directory.Account(ctx, acc.Username)
	if errors.Is(err, ErrNotFound) {
		return a.effect(ctx, s, effectPurge, func() error {
			return a.Directory.PurgeAccount(ctx, acc,
				a.plan.Header.Now)
		})
	}
	if err != nil {
		return fmt.Errorf("schoolmail: read account %s: %w", acc.Username, err)
	}
	if live.Key != acc.Key || live.Held || live.State != Deactivated || live.Deactivated != acc.Deactivated {
		return fmt.Errorf("schoolmail: account %s is %s since %s: %w", acc.Username, live.State, live.Deactivated,
			ErrConflict)
	}
	if act.UserID != 0 {
		err := a.effect(ctx, s, "delete-user", func() error {
			return a.Groupware.DeleteUser(ctx, Place{Context: acc.Context, UserID: act.UserID, Username: acc.Username})
		})
		if err != nil {
			return err
		}
	}
	if err := a.effect(ctx, s, "remove-mailbox", func() error {
		if err := a.Mailstore.Disconnect(ctx, acc); err != nil {
			return err
		}
		return a.Mailstore.RemoveMailbox(ctx, acc)
	}); err != nil {
		return err
	}
	return a.effect(ctx, s, effectPurge, func() error { return a.Directory.PurgeAccount(ctx, acc, a.plan.Header.Now) })
}
