package schoolmail

import (
	"context"
	"errors"
	"fmt"
)

// effect does one outside effect with its intent on record before and its
// result afterwards.
func (a *applier) effect(ctx context.Context, s *Step, name string, f func() error) error {
	return a.record(ctx, s, name, 0, 0, 0, f)
}

// do carries one step out.
func (a *applier) do(ctx context.Context, s *Step) error {
	switch act := s.Action.(type) {
	case CreateContext:
		return a.effect(ctx, s, "create-context", func() error { return a.Groupware.EnsureContext(ctx, act.Spec) })
	case CreateAccount:
		return a.create(ctx, s, act)
	case ChangeAccount:
		return a.change(ctx, s, act)
	case RepairPlace:
		if _, err := a.as(ctx, &act.Account); err != nil {
			return err
		}
		return a.ensureUser(ctx, s, &act.Account, act.Access)
	case TransferContext:
		return a.transfer(ctx, s, act)
	case DropCopy:
		return a.dropCopy(ctx, s, act)
	case SendNotice:
		if done, err := a.already(ctx, &act.Before, &act.After); done || err != nil {
			return err
		}
		if err := a.notify(ctx, s, NoticeLeaving, &act.Before, act.After.NoticedOn, act.Due); err != nil {
			return err
		}
		return a.changeDirectory(ctx, s, "record-notice", act.Before, act.After)
	case CancelNotice:
		if done, err := a.already(ctx, &act.Before, &act.After); done || err != nil {
			return err
		}
		if err := a.notify(ctx, s, NoticeCancelled, &act.Before, act.Before.NoticedOn, 0); err != nil {
			return err
		}
		return a.changeDirectory(ctx, s, "clear-notice", act.Before, act.After)
	case Deactivate:
		return a.deactivate(ctx, s, act)
	case Reactivate:
		return a.reactivate(ctx, s, act)
	case Purge:
		return a.purge(ctx, s, act)
	}
	return fmt.Errorf("schoolmail: step %s: unknown action %T", s.ID, s.Action)
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
	case live.State != want.State || live.Context != want.Context || live.NoticedOn != want.NoticedOn || live.Deactivated != want.Deactivated:
		return live, fmt.Errorf("schoolmail: account %s is %s in context %d, planned was %s in context %d: %w",
			want.Username, live.State, live.Context, want.State, want.Context, ErrConflict)
	}
	return live, nil
}

// already reports whether the account is as the step leaves it: an earlier run
// did the step, but was cut off before it could say so. An account that is
// neither as before nor as after is an error.
func (a *applier) already(ctx context.Context, before, after *Account) (bool, error) {
	live, err := a.as(ctx, before)
	if err == nil {
		return false, nil
	}
	if live.Key == after.Key && !live.Held && live.State == after.State && live.Context == after.Context &&
		live.NoticedOn == after.NoticedOn && live.Deactivated == after.Deactivated {
		return true, nil
	}
	return false, err
}

func (a *applier) changeDirectory(ctx context.Context, s *Step, name string, before, after Account) error {
	return a.effect(ctx, s, name, func() error { return a.Directory.ChangeAccount(ctx, before, after) })
}

func userSpec(acc *Account, access string) UserSpec {
	return UserSpec{
		Username: acc.Username, GivenName: acc.GivenName, FamilyName: acc.FamilyName, DisplayName: acc.DisplayName,
		Mail: acc.Mail, Aliases: acc.Aliases, Language: acc.Language, Access: access, MailEnabled: acc.State != Deactivated,
	}
}

func (a *applier) ensureUser(ctx context.Context, s *Step, acc *Account, access string) error {
	return a.effect(ctx, s, "ensure-user", func() error {
		_, err := a.Groupware.EnsureUser(ctx, acc.Context, userSpec(acc, access))
		return err
	})
}

// create makes a pending account, its place and its mailbox, and then sets it
// active. Whatever is there already is left and completed.
func (a *applier) create(ctx context.Context, s *Step, act CreateAccount) error {
	acc := act.Account
	pending := acc
	pending.State = Pending
	if a.InitialPassword == nil {
		return errors.New("schoolmail: no source of initial passwords was given")
	}
	password, err := a.InitialPassword(acc)
	if err != nil {
		return fmt.Errorf("schoolmail: initial password of %s: %w", acc.Username, err)
	}
	if act.Resume {
		live, err := a.Directory.Account(ctx, acc.Username)
		switch {
		case err != nil:
			return fmt.Errorf("schoolmail: read account %s: %w", acc.Username, err)
		case live.Key != acc.Key || live.Held || live.State != Pending && live.State != Active:
			return fmt.Errorf("schoolmail: account %s is %s: %w", acc.Username, live.State, ErrConflict)
		}
		pending.State = live.State
		if err := a.changeDirectory(ctx, s, "complete-account", live, pending); err != nil {
			return err
		}
	} else if err := a.effect(ctx, s, "create-account", func() error { return a.Directory.CreateAccount(ctx, pending, password) }); err != nil {
		return err
	}
	if err := a.ensureUser(ctx, s, &acc, act.Access); err != nil {
		return err
	}
	if err := a.effect(ctx, s, "ensure-mailbox", func() error { return a.Mailstore.EnsureMailbox(ctx, acc) }); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, "activate-account", pending, acc)
}

// oxFields are the changes that OX has to hear of.
var oxFields = map[string]bool{"given_name": true, "family_name": true, "display_name": true, "language": true, "role": true, "context": true}

func (a *applier) change(ctx context.Context, s *Step, act ChangeAccount) error {
	if err := a.changeDirectory(ctx, s, "change-account", act.Before, act.After); err != nil {
		return err
	}
	for _, f := range act.Fields {
		if oxFields[f] && act.After.Context != 0 {
			return a.ensureUser(ctx, s, &act.After, act.Access)
		}
	}
	return nil
}

func (a *applier) notify(ctx context.Context, s *Step, k NoticeKind, acc *Account, on, due Date) error {
	id := Fingerprint([]string{string(k), acc.Key.Source, acc.Key.ID, on.String()})[:24]
	return a.effect(ctx, s, "send-notice", func() error {
		return a.Notifier.Notify(ctx, Notice{ID: id, Kind: k, Account: *acc, Due: due})
	})
}

// deactivate closes OX first and the directory last: until the directory says
// so the account is still leaving, and a cut-off run is repeated.
func (a *applier) deactivate(ctx context.Context, s *Step, act Deactivate) error {
	done, err := a.already(ctx, &act.Before, &act.After)
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

func (a *applier) reactivate(ctx context.Context, s *Step, act Reactivate) error {
	if done, err := a.already(ctx, &act.Before, &act.After); done || err != nil {
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
	if err := a.effect(ctx, s, "ensure-mailbox", func() error { return a.Mailstore.EnsureMailbox(ctx, act.After) }); err != nil {
		return err
	}
	return a.changeDirectory(ctx, s, "reactivate-account", act.Before, act.After)
}

// purge removes what depends on the account first and the account last.
func (a *applier) purge(ctx context.Context, s *Step, act Purge) error {
	acc := act.Account
	live, err := a.Directory.Account(ctx, acc.Username)
	if errors.Is(err, ErrNotFound) {
		return a.effect(ctx, s, "purge-account", func() error { return a.Directory.PurgeAccount(ctx, acc, a.plan.Header.Now) })
	}
	if err != nil {
		return fmt.Errorf("schoolmail: read account %s: %w", acc.Username, err)
	}
	if live.Key != acc.Key || live.Held || live.State != Deactivated || live.Deactivated != acc.Deactivated {
		return fmt.Errorf("schoolmail: account %s is %s since %s: %w", acc.Username, live.State, live.Deactivated, ErrConflict)
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
	return a.effect(ctx, s, "purge-account", func() error { return a.Directory.PurgeAccount(ctx, acc, a.plan.Header.Now) })
}
